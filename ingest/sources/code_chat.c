/* The conversations of a log: what is known of each, and what waits to be given. */
#include <stdlib.h>
#include <string.h>

#include "ingest/sources/code.h"
#include "ingest/sources/details.h"

#define KEEP_PASSING (1u << 20) /* bytes; more are freed once what is known was given */

struct code_chat *code_chat_of(struct code_file *f, struct ck_str id, struct ck_str session) {
  struct code_chat *c = session_get(&f->table, 'o', (struct ck_str){0}, id);
  if (c) return c;
  c = ck_zalloc(sizeof *c);
  c->id = ck_arena_copy(&f->lasting, id);
  c->session = ck_arena_copy(&f->lasting, session);
  c->time = c->begun = INGEST_NO_TIME;
  session_set(&f->table, 'o', (struct ck_str){0}, id, c);
  ck_buf_add(&f->chats, &c, sizeof c);
  return c;
}

void code_chat_free(struct code_chat *c) {
  code_answer_free(&c->open);
  ck_buf_free(&c->given);
  free(c);
}

int64_t code_execution_age(const struct code_chat *c, int64_t age) {
  return c->copies == INGEST_COPIES ? 1 : age;
}

/* It has something to give. */
static void change(struct code_file *f, struct code_chat *c) {
  if (!c->changed) ck_buf_add(&f->changed, &c, sizeof c);
  c->changed = true;
}

void code_chat_take(struct code_file *f, struct ck_str *known, struct ck_str said) {
  said = ck_trim(said);
  if (said.n && !ck_str_eq(said, *known)) *known = ck_arena_copy(&f->lasting, said);
}

void code_chat_seen(const struct code_line *line) {
  struct code_chat *c = line->chat;
  c->clock = line->at > c->clock ? line->at : c->clock + 1;
  c->time = line->at;
  change(line->file, c);
}

void code_chat_title(struct code_file *f, struct code_chat *c, struct ck_str title, int rank) {
  title = ck_trim(title);
  if (!title.n || rank < c->title_rank) return;
  c->title_rank = rank;
  ++c->clock;
  if (!ck_str_eq(title, c->title)) c->title = ck_arena_copy(&f->lasting, title);
  change(f, c);
}

void code_give(struct code_file *f, struct code_chat *c, const struct ingest_observation *o,
               const char *where) {
  struct code_given one = {*o, ck_arena_copy(&f->passing, ck_str_of(where)).s};
  one.observation.conversation_id = ck_text(c->id);
  one.observation.page_title = ck_null(); /* it may change: the conversation has it */
  ck_buf_add(&c->given, &one, sizeof one);
  if (o->has_text && !ck_str_eq(c->last, o->message_id))
    c->last = ck_arena_copy(&f->lasting, o->message_id);
  c->has_messages |= o->has_text;
  change(f, c);
}

void code_parent_details(struct ck_buf *details, struct ck_str conversation, struct ck_str message,
                         struct ck_str call) {
  struct ck_buf parent = {0};
  ingest_details_text(&parent, "conversation", conversation);
  ingest_details_text(&parent, "message", message);
  ingest_details_text(&parent, "call", call);
  ingest_details_list(details, "parent");
  --details->len; /* not a list: the one object */
  ck_buf_str(details, ck_buf_view(&parent));
  ck_buf_text(details, "}");
  ck_buf_free(&parent);
}

static struct ck_str details_of(struct code_file *f, const struct code_chat *c) {
  struct ck_buf b = {0};
  ingest_details_text(&b, "cwd", c->cwd);
  ingest_details_text(&b, "branch", c->branch);
  ingest_details_text(&b, "version", c->version);
  ingest_details_text(&b, "model", c->model);
  ingest_details_text(&b, "account", f->home);
  ingest_details_text(&b, "forked_from", c->forked_from);
  if (c->parent.n) code_parent_details(&b, c->parent, c->parent_message, c->parent_call);
  return ingest_details_end(&b, &f->passing);
}

/* How the session is gone on with, for what is to be delivered to it. */
static struct ck_str payload_of(struct code_file *f, const struct code_chat *c) {
  struct ck_buf b = {0};
  ingest_details_text(&b, "session_id", c->session);
  ingest_details_text(&b, "cwd", c->cwd);
  ingest_details_text(&b, "home", f->home);
  return ingest_details_end(&b, &f->passing);
}

static void begin(struct code_file *f, const struct ingest_visitor *visitor,
                  const struct code_chat *c, const char *where) {
  /* A file that tells its home tells more than the same lines without a name. */
  struct ingest_conversation about = {.platform = f->platform,
                                      .id = c->id,
                                      .title = c->title,
                                      .current = c->last,
                                      .created_at = c->begun,
                                      .age = c->clock + (f->home.n > 0),
                                      .to_end = !c->lent,
                                      .partly = true,
                                      .copies = c->copies};
  if (!c->lent) about.details = details_of(f, c);
  if (!c->lent && !c->beside) {
    about.target_kind = CK_LIT("exec");
    about.target_id = f->program;
    about.target_payload = payload_of(f, c);
  }
  visitor->begin(visitor->self, &about, where);
}

static void give_chat(struct code_file *f, const struct ingest_visitor *visitor,
                      struct code_chat *c) {
  size_t n;
  code_answer_give(f, c);
  c->changed = false;
  n = c->given.len / sizeof(struct code_given);
  const struct code_given *list = (const struct code_given *)(void *)c->given.data;
  if (!n && !c->has_messages && !c->known) return;
  begin(f, visitor, c, n ? list[0].where : "");
  for (size_t i = 0; i < n; ++i)
    visitor->observation(visitor->self, &list[i].observation, list[i].where);
  visitor->end(visitor->self);
  ck_buf_free(&c->given);
}

void code_give_all(struct code_file *f, const struct ingest_visitor *visitor) {
  struct code_chat **list = (struct code_chat **)(void *)f->changed.data;
  size_t n = f->changed.len / sizeof *list;
  for (size_t i = 0; i < n; ++i) give_chat(f, visitor, list[i]);
  ck_buf_clear(&f->changed);
  if (ck_arena_bytes(&f->passing) > KEEP_PASSING)
    ck_arena_free(&f->passing);
  else
    ck_arena_reset(&f->passing);
}
