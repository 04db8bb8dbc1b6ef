/* Sessions of Codex: rollout-*.jsonl. docs/formats.md describes the format. */
#include "ingest/sources/codex.h"

#include <stdlib.h>
#include <string.h>

static const struct ck_str nothing = {0};

/* ---- the thread ---- */

/* rollout-2026-11-29T10-00-00-THREAD.jsonl */
#define ROLLOUT "rollout-2026-11-29T10-00-00-"
#define UUID 36

static struct ck_str id_in_name(const char *name) {
  const char *own = strrchr(name, '/');
  struct ck_str s = ck_str_of(own ? own + 1 : name);
  size_t n = sizeof ROLLOUT - 1;
  if (!ck_str_starts(s, "rollout-") || s.n < n + UUID) return nothing;
  return (struct ck_str){s.s + n, UUID};
}

/* The folder that has sessions/ or archived_sessions/; empty: the name does not tell. */
static struct ck_str home_of(const char *name) {
  static const char *const folders[] = {"/sessions/", "/archived_sessions/"};
  const char *found = NULL;
  for (size_t i = 0; i < sizeof folders / sizeof *folders && !found; ++i)
    found = strstr(name, folders[i]);
  if (name[0] != '/' || !found || strstr(name, ": ")) return nothing;
  return (struct ck_str){name, (size_t)(found - name)};
}

static void find_chat(struct codex *f, const json_t *json, struct ck_str id) {
  char hash[33];
  struct ck_buf made = {0};
  if (f->chat) return;
  if (!id.n) id = f->code.agent; /* the file's name has it */
  if (!id.n) {
    struct ck_str text = ingest_json_any(json, &f->code.passing);
    ck_hash_id(hash, &text, 1);
    ck_buf_printf(&made, "first-%s", hash);
    id = ck_buf_view(&made);
  }
  f->chat = code_chat_of(&f->code, id, id);
  f->chat->known = true;
  ck_buf_free(&made);
}

/* Who has begun it, if that was another thread. */
static struct ck_str parent_of(const json_t *meta) {
  const json_t *spawn =
      json_object_get(json_object_get(json_object_get(meta, "source"), "subagent"), "thread_spawn");
  struct ck_str parent = ingest_json_text(meta, "parent_thread_id");
  return parent.n ? parent : ingest_json_text(spawn, "parent_thread_id");
}

static void read_meta(struct codex_line *l) {
  struct codex *f = l->f;
  const json_t *meta = l->payload;
  if (f->meta) return;
  f->meta = true;
  f->paginated = ck_str_is(ingest_json_text(meta, "history_mode"), "paginated");
  struct code_chat *c = f->chat;
  struct ck_arena *lasting = &f->code.lasting;
  struct ck_str parent = parent_of(meta);
  code_chat_take(&f->code, &c->cwd, ingest_json_text(meta, "cwd"));
  code_chat_take(&f->code, &c->version, ingest_json_text(meta, "cli_version"));
  code_chat_take(&f->code, &c->branch, ingest_json_text(json_object_get(meta, "git"), "branch"));
  code_chat_take(&f->code, &c->forked_from, ingest_json_text(meta, "forked_from_id"));
  if (!l->code.time_assumed) c->begun = l->code.at;
  c->beside = json_is_object(json_object_get(json_object_get(meta, "source"), "subagent"));
  c->copies = c->forked_from.n || parent.n ? INGEST_COPIES : INGEST_NO_COPIES;
  if (parent.n) c->parent = ck_arena_copy(lasting, parent);
}

static void read_context(struct codex_line *l) {
  struct code_chat *c = l->f->chat;
  codex_turn(l->f, ingest_json_text(l->payload, "turn_id"));
  code_chat_take(&l->f->code, &c->cwd, ingest_json_text(l->payload, "cwd"));
  code_chat_take(&l->f->code, &c->model, ingest_json_text(l->payload, "model"));
}

/* ---- turns and answers ---- */

void codex_turn(struct codex *f, struct ck_str id) {
  if (!id.n || ck_str_eq(id, ck_buf_view(&f->turn))) return;
  ck_buf_clear(&f->turn);
  ck_buf_str(&f->turn, id);
  f->count = session_get(&f->code.table, 'n', f->chat->id, id);
  if (f->count) return;
  f->count = ck_arena_get(&f->code.lasting, sizeof *f->count);
  *f->count = (struct codex_count){0};
  session_set(&f->code.table, 'n', f->chat->id, id, f->count);
}

void codex_end_answer(struct codex_line *l) {
  code_answer_close(&l->code);
  ck_buf_clear(&l->f->answer);
  l->f->spoken = false;
}

void codex_answer(struct codex_line *l, json_t *message) {
  struct codex *f = l->f;
  if (!f->answer.len) ck_buf_str(&f->answer, l->code.id);
  json_object_set_new(message, "id", json_stringn(f->answer.data, f->answer.len));
  if (f->chat->model.n && !f->chat->open.open)
    json_object_set_new(message, "model", json_stringn(f->chat->model.s, f->chat->model.n));
  l->code.message = message;
  l->code.above = f->chat->last_line;
  code_answer(&l->code);
  code_place_set(&l->code, f->chat->open.id, f->chat->open.depth);
}

/* ---- lines ---- */

const struct codex_entry *codex_entry_of(const struct codex_entry *list, struct ck_str name) {
  while (list->name && !ck_str_is(name, list->name)) ++list;
  return list->name ? list : NULL;
}

void codex_read_nothing(struct codex_line *l) { (void)l; }

static void read_told(struct codex_line *l) { codex_told(l, true); }

static const struct codex_entry types[] = {
    {"session_meta", read_meta},
    {"turn_context", read_context},
    {"response_item", codex_read_item},
    {"event_msg", codex_read_event},
    {"compacted", codex_read_nothing},
    {"world_state", codex_read_nothing},
    {"inter_agent_communication", read_told},
    {"inter_agent_communication_metadata", codex_read_nothing},
    {NULL, NULL},
};

/* Before there were envelopes: the first line is the meta data, the others are items. */
static bool is_bare_meta(const json_t *o) {
  return json_object_get(o, "id") && json_object_get(o, "timestamp") &&
         json_object_get(o, "instructions") && !json_object_get(o, "type");
}

static bool is_bare_state(const json_t *o) { return json_object_get(o, "record_type") != NULL; }

static bool knows(const json_t *element) {
  struct ck_str type = ingest_json_text(element, "type");
  bool payload = json_is_object(json_object_get(element, "payload"));
  if (payload && codex_entry_of(types, type)) return true;
  return is_bare_meta(element) || is_bare_state(element);
}

/* Its time, else that of the line before it. */
static void find_time(struct codex_line *l) {
  struct code_line *line = &l->code;
  const struct code_chat *c = line->chat;
  line->time_assumed = !ingest_json_time(json_object_get(l->json, "timestamp"), &line->at) &&
                       !ingest_json_time(json_object_get(l->payload, "timestamp"), &line->at);
  if (line->time_assumed) line->at = c->time == INGEST_NO_TIME ? 0 : c->time;
  line->age = line->at;
}

/* An item's turn. */
static struct ck_str turn_of(const json_t *payload) {
  static const char *const names[] = {"internal_chat_message_metadata_passthrough", "metadata"};
  struct ck_str id = ingest_json_text(payload, "turn_id");
  for (size_t i = 0; i < sizeof names / sizeof *names && !id.n; ++i)
    id = ingest_json_text(json_object_get(payload, names[i]), "turn_id");
  return id;
}

/* The item's id, else what is made of its place in the turn: a fork has it there, too. */
static struct ck_str id_of(struct codex *f, const json_t *payload, const char *type) {
  struct ck_str id = ck_trim(ingest_json_text(payload, "id")), session = f->chat->id;
  if (!id.n) id = ck_trim(ingest_json_text(json_object_get(payload, "item"), "id"));
  if (id.n) return ck_arena_copy(&f->code.passing, id);
  char number[24], hash[33];
  struct ck_buf made = {0};
  snprintf(number, sizeof number, "%u", ++f->count->items);
  struct ck_str parts[] = {f->turn.len ? ck_buf_view(&f->turn) : session, ck_str_of(type),
                           ck_str_of(number)};
  ck_hash_id(hash, parts, sizeof parts / sizeof *parts);
  ck_buf_printf(&made, "item-%s", hash);
  return ck_arena_keep(&f->code.passing, &made);
}

/* A line that came before. One without a time may be said twice. */
static bool is_again(struct codex_line *l, struct ck_str raw) {
  if (!raw.n || !json_object_get(l->json, "timestamp")) return false;
  if (session_get(&l->f->code.table, 'r', l->f->chat->id, raw)) return true;
  session_set(&l->f->code.table, 'r', l->f->chat->id, raw, l->f);
  return false;
}

static void read_line(struct codex_line *l, const struct ingest_element *element,
                      struct ck_str type) {
  struct codex *f = l->f;
  struct code_line *line = &l->code;
  const struct codex_entry *entry = codex_entry_of(types, type);
  *line = (struct code_line){.file = &f->code, .visitor = l->visitor, .json = l->json};
  ingest_place_text(line->where, element->place, NULL, nothing);
  if (!entry) {
    code_note_of(line, "line of unknown type", type);
    return;
  }
  find_chat(f, l->json, entry->read == read_meta ? ingest_json_text(l->payload, "id") : nothing);
  line->chat = f->chat;
  line->session = f->chat->id;
  line->above = f->chat->last_line;
  if (is_again(l, element->raw)) return;
  find_time(l);
  code_chat_seen(line);
  bool item = entry->read == codex_read_item || entry->read == read_told;
  if (item || entry->read == codex_read_event) codex_turn(f, turn_of(l->payload));
  if (item) line->id = id_of(f, l->payload, "item");
  entry->read(l);
}

static void read_element(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  struct codex_line l = {.f = element->state, .visitor = visitor, .json = element->json};
  struct ck_str type = ingest_json_text(l.json, "type");
  l.payload = json_object_get(l.json, "payload");
  if (is_bare_state(l.json)) return;
  if (!l.payload) {
    type = is_bare_meta(l.json) ? CK_LIT("session_meta") : CK_LIT("response_item");
    l.payload = l.json;
  }
  read_line(&l, element, type);
}

/* ---- the file ---- */

static void *open_file(const char *name) {
  struct codex *f = ck_zalloc(sizeof *f);
  f->count = &f->none;
  f->code.platform = CK_LIT("codex");
  f->code.program = CK_LIT("codex");
  f->code.home = ck_arena_copy(&f->code.lasting, home_of(name));
  f->code.agent = ck_arena_copy(&f->code.lasting, id_in_name(name));
  return f;
}

static void flush(const struct ingest_visitor *visitor, void *self) {
  code_give_all(&((struct codex *)self)->code, visitor);
}

static void close_file(void *self) {
  struct codex *f = self;
  ck_buf_free(&f->turn);
  ck_buf_free(&f->answer);
  ck_buf_free(&f->thought);
  ck_buf_free(&f->turns);
  ck_buf_free(&f->limits.type);
  ck_buf_free(&f->failure);
  code_file_free(&f->code);
  free(f);
}

static size_t memory(const void *self) {
  const struct codex *f = self;
  return sizeof *f + code_file_memory(&f->code) + f->thought.cap + f->turns.cap;
}

#define HEAD 128 /* bytes in which a line says its type */

/* Such a line repeats the whole history that came before it. */
static bool skips(struct ck_str begin) {
  static const char compacted[] = "\"type\":\"compacted\"";
  if (begin.n > HEAD) begin.n = HEAD;
  return begin.n && memmem(begin.s, begin.n, compacted, sizeof compacted - 1);
}

const struct ingest_source ingest_source_codex = {.name = "codex",
                                                  .version = 1,
                                                  .log = true,
                                                  .knows = knows,
                                                  .read = read_element,
                                                  .open = open_file,
                                                  .flush = flush,
                                                  .memory = memory,
                                                  .close = close_file,
                                                  .skips = skips};
