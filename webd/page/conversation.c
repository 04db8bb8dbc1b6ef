/* The page at /c/ID: what must be known before the first message; see conversation.h. */
#include "webd/page/conversation.h"

#include <stdlib.h>

#include "proto/map.h"

#define PLACES 1000
#define LINKS_MOST 1000
#define QUESTION_BYTES 160
#define SOURCES_MOST 64 /* through how many conversations a fork is followed */

void page_reading_free(void *reading) {
  struct page_reading *p = reading;
  ck_reading_free(&p->order);
  ck_leaving_free(&p->leaving);
  render_free(&p->render);
  ck_buf_free(&p->out);
  ck_buf_free(&p->contents);
  ck_buf_free(&p->tail);
  ck_arena_free(&p->arena);
  ck_arena_free(&p->batch);
  free(p->sources);
  free(p->versions);
  free(p->way);
  free(p->bodies);
  free(p->executions);
  free(p);
}

/* ---- asking ---- */

void page_reading_ask(struct page_reading *p, const char *table, struct ck_buf *filters,
                      unsigned limit, web_heard *heard) {
  const struct ck_query query = {.table = ck_str_of(table),
                                 .filters = ck_buf_view(filters),
                                 .limit = limit,
                                 .cursor = p->cursor};
  if (!page_ask(p->w, p->request, &query, heard, p)) page_reading_free(p);
  ck_buf_free(filters);
}

void page_reading_ask_one(struct page_reading *p, const char *table, const char *column,
                          struct ck_str value, unsigned limit, web_heard *heard) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_str(&m, column, value);
  ck_map_close(&m);
  p->cursor = (struct ck_str){0};
  page_reading_ask(p, table, &filters, limit, heard);
}

static void ask_link(struct page_reading *p, struct ck_str platform, struct ck_str remote,
                     web_heard *heard) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_str(&m, "remote_conversation_id", remote);
  ck_pair_str(&m, "platform", platform);
  ck_map_close(&m);
  p->cursor = (struct ck_str){0};
  page_reading_ask(p, "conversation_links", &filters, 1, heard);
}

struct ck_str page_reading_keep(struct page_reading *p, struct ck_str text) {
  return ck_arena_copy(&p->arena, text);
}

/* A row that lasts as long as p. */
static void keep_row(struct page_reading *p, struct ck_row *row, enum ck_table table,
                     struct ck_str map) {
  page_row_of(row, table, page_reading_keep(p, map));
}

/* ---- the first question, and the original ---- */

static void heard_original(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  p->has_original = said->answer && said->answer->kind == CK_MSG_FETCHED &&
                    said->answer->as.fetched.original.n > 0;
  page_reading_jobs(p);
}

/* Is there one? The page at /o/ID has it. */
static void ask_original(struct page_reading *p) {
  struct ck_message m = {.kind = CK_MSG_FETCH};
  if (p->own) {
    m.as.fetch =
        (struct ck_fetch){.platform = p->sources[0].platform, .conversation = p->sources[0].remote};
    if (web_ask(p->w->store, &m, WEB_ANSWER_MS, heard_original, p) == 0) return;
  }
  page_reading_jobs(p);
}

static void heard_question(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  if (page_next_row(&rows, &map))
    p->question = page_reading_keep(p, ck_map_str(map, "first_question"));
  ask_original(p);
}

/* ---- places, and the conversations that this one was forked from ---- */

static void load_places(struct page_reading *p);

static void add_place(struct page_reading *p, struct ck_str map) {
  unsigned conversation = p->loading < p->own ? 0 : (unsigned)p->loading;
  struct ck_place place = {.id = ck_map_str(map, "id"),
                           .parent_id = ck_map_str(map, "parent_id"),
                           .position = ck_map_int(map, "position", -1),
                           .at = ck_map_int(map, "observed_at", 0),
                           .turn = ck_turn_of(ck_map_str(map, "role"))};
  if (p->rows == p->room) {
    p->room = p->room ? p->room * 2 : 64;
    p->versions = ck_realloc(p->versions, p->room * sizeof *p->versions);
  }
  p->versions[p->rows++] = ck_map_int(map, "version", 0);
  ck_reading_add(p->order, &place, conversation);
}

static bool is_source(const struct page_reading *p, struct ck_str platform, struct ck_str remote) {
  for (size_t i = 0; i < p->source_count; ++i)
    if (ck_str_eq(p->sources[i].remote, remote) && ck_str_eq(p->sources[i].platform, platform))
      return true;
  return false;
}

static void add_source(struct page_reading *p, struct ck_str platform, struct ck_str remote) {
  if (p->source_count == p->source_room) {
    p->source_room = p->source_room ? p->source_room * 2 : 4;
    p->sources = ck_realloc(p->sources, p->source_room * sizeof *p->sources);
  }
  p->sources[p->source_count++] = (struct page_source){.platform = page_reading_keep(p, platform),
                                                       .remote = page_reading_keep(p, remote)};
}

static void heard_fork_question(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  if (page_next_row(&rows, &map))
    p->sources[p->loading].question = page_reading_keep(p, ck_map_str(map, "first_question"));
  load_places(p);
}

static void heard_fork_conversation(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_source *source = &p->sources[p->loading];
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  if (!page_next_row(&rows, &map)) {
    load_places(p);
    return;
  }
  source->id = page_reading_keep(p, ck_map_str(map, "local_conversation_id"));
  source->title = page_reading_keep(p, ck_map_str(map, "title"));
  page_reading_ask_one(p, "questions", "local_conversation_id", source->id, 1, heard_fork_question);
}

static void heard_fork_link(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  struct ck_str id = {0};
  if (page_next_row(&rows, &map))
    id = page_reading_keep(p, ck_map_str(map, "local_conversation_id"));
  if (id.n)
    page_reading_ask_one(p, "local_conversations", "local_conversation_id", id, 1,
                         heard_fork_conversation);
  else
    load_places(p);
}

static void go_on(struct page_reading *p) {
  page_reading_ask_one(p, "questions", "local_conversation_id", p->id, 1, heard_question);
}

static void heard_open_end(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map, platform = {0}, remote = {0};
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  if (page_next_row(&rows, &map)) {
    platform = ck_map_str(map, "platform");
    remote = ck_map_str(map, "conversation_id");
  }
  if (!remote.n || is_source(p, platform, remote)) {
    go_on(p);
    return;
  }
  add_source(p, platform, remote);
  ask_link(p, platform, remote, heard_fork_link);
}

static void put_in_order(struct page_reading *p) {
  ck_reading_order(p->order, ck_row_text(&p->row, CK_CONVERSATIONS_LAST_MESSAGE_ID));
  struct ck_str open_end = ck_reading_open_end(p->order);
  if (open_end.n && p->source_count < p->own + SOURCES_MOST)
    page_reading_ask_one(p, "messages", "id", page_reading_keep(p, open_end), 1, heard_open_end);
  else
    go_on(p);
}

static void ask_places(struct page_reading *p);

static void heard_places(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  while (page_next_row(&rows, &map)) add_place(p, map);
  p->cursor = ck_arena_copy(&p->arena, rows.cursor);
  if (p->cursor.n) {
    ask_places(p);
    return;
  }
  ++p->loading;
  load_places(p);
}

static void ask_places(struct page_reading *p) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_str(&m, "platform", p->sources[p->loading].platform);
  ck_pair_str(&m, "conversation_id", p->sources[p->loading].remote);
  ck_map_close(&m);
  page_reading_ask(p, "places", &filters, PLACES, heard_places);
}

/* Of the next source that has none yet. */
static void load_places(struct page_reading *p) {
  p->cursor = (struct ck_str){0};
  if (p->loading < p->source_count)
    ask_places(p);
  else
    put_in_order(p);
}

/* ---- the conversation ---- */

static void heard_links(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  while (page_next_row(&rows, &map)) {
    struct ck_str platform = ck_map_str(map, "platform"),
                  remote = ck_map_str(map, "remote_conversation_id");
    if (!remote.n || is_source(p, platform, remote)) continue;
    if (p->source_count == 0) keep_row(p, &p->link, CK_LINKS, map);
    add_source(p, platform, remote);
  }
  p->own = p->source_count;
  load_places(p);
}

static void heard_conversation(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  if (!page_next_row(&rows, &map)) {
    web_refuse(p->request, WEB_REFUSED_MISSING, "there is no conversation %.*s",
               PAGE_STR(ck_utf8_cut(p->id, 200)));
    page_reading_free(p);
    return;
  }
  keep_row(p, &p->row, CK_CONVERSATIONS, map);
  page_reading_ask_one(p, "conversation_links", "local_conversation_id", p->id, LINKS_MOST,
                       heard_links);
}

/* ---- a message without a conversation ---- */

static void heard_home(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_buf path = {0};
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  if (!page_next_row(&rows, &map)) {
    web_refuse(p->request, WEB_REFUSED_MISSING, "the conversation of this message is not here");
  } else {
    page_message_path(&path, ck_map_str(map, "local_conversation_id"), p->alone);
    web_redirect(p->request, ck_buf_cstr(&path));
  }
  ck_buf_free(&path);
  page_reading_free(p);
}

/* It is read as a conversation that has nothing else. */
static void read_alone(struct page_reading *p, struct ck_str map) {
  struct ck_str platform = page_reading_keep(p, ck_map_str(map, "platform"));
  struct ck_buf question = {0};
  p->row.v[CK_CONVERSATIONS_PLATFORM] = ck_text(platform);
  p->row.v[CK_CONVERSATIONS_CREATED_AT] = ck_int(ck_map_int(map, "observed_at", 0));
  ck_buf_summary(&question, render_question(ck_map_str(map, "raw_text")), QUESTION_BYTES);
  p->question = page_reading_keep(p, ck_buf_view(&question));
  ck_buf_free(&question);
  add_place(p, map);
  ck_reading_order(p->order, p->alone);
  page_reading_begin(p);
}

static void heard_alone(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  if (!page_next_row(&rows, &map)) {
    web_refuse(p->request, WEB_REFUSED_MISSING, "there is no message %.*s",
               PAGE_STR(ck_utf8_cut(p->alone, 200)));
    page_reading_free(p);
    return;
  }
  struct ck_str remote = ck_map_str(map, "conversation_id");
  if (remote.n)
    ask_link(p, ck_map_str(map, "platform"), remote, heard_home);
  else
    read_alone(p, map);
}

static struct page_reading *reading_new(struct webd *w, struct web_request *r) {
  struct page_reading *p = ck_zalloc(sizeof *p);
  *p = (struct page_reading){.w = w, .request = r, .order = ck_reading_new()};
  p->row.table = CK_CONVERSATIONS;
  p->link.table = CK_LINKS;
  return p;
}

/* /message/ID: leads to its conversation if it has one. */
void page_message(void *self, struct web_request *r) {
  if (!web_args_known(r, "")) return;
  struct page_reading *p = reading_new(self, r);
  p->alone = page_reading_keep(p, web_part(r, 0));
  page_reading_ask_one(p, "messages", "id", p->alone, 1, heard_alone);
}

/* /c/ID?branch=N, or ?m=MESSAGE: along the branch that has it. */
void page_conversation(void *self, struct web_request *r) {
  const char *branch = web_arg(r, "branch");
  if (!web_args_known(r, "branch m")) return;
  char *end = NULL;
  unsigned long n = branch && *branch ? strtoul(branch, &end, 10) : 0;
  if (branch && *branch && (*end || n == 0 || *branch < '0' || *branch > '9')) {
    web_refuse(r, WEB_REFUSED_ARGUMENT, "branch: it is a number, from 1");
    return;
  }
  struct page_reading *p = reading_new(self, r);
  p->branch = n;
  p->id = page_reading_keep(p, web_part(r, 0));
  page_reading_ask_one(p, "local_conversations", "local_conversation_id", p->id, 1,
                       heard_conversation);
}
