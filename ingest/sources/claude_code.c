/* Sessions of Claude Code: where in which conversation a line stands. docs/formats.md describes the
 * format. */
#include "ingest/sources/claude_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/sources/claude.h"

static const struct ck_str nothing = {0};

/* ---- which conversation ---- */

static struct ck_str joined(struct code_file *f, struct ck_str a, const char *between,
                            struct ck_str b) {
  struct ck_buf all = {0};
  ck_buf_str(&all, a);
  ck_buf_text(&all, between);
  ck_buf_str(&all, b);
  return ck_arena_keep(&f->passing, &all);
}

/* A conversation beside a session. */
static struct code_chat *beside(const struct code_line *line, struct ck_str id) {
  struct code_chat *c = code_chat_of(line->file, id, line->session);
  bool named_after_agent = ck_str_eq(id, line->session); /* whose it is, it does not say */
  c->beside = true;
  if (!c->parent.n && !named_after_agent)
    c->parent = ck_arena_copy(&line->file->lasting, line->session);
  return c;
}

static struct code_chat *agent_of(const struct code_line *line, struct ck_str agent) {
  struct code_file *f = line->file;
  struct ck_buf id = {0};
  if (ck_str_starts(line->session, "agent-")) return beside(line, line->session);
  code_agent_id(&id, line->session, f->workflow, agent);
  return beside(line, ck_arena_keep(&f->passing, &id));
}

static struct code_chat *chat_of(const struct code_line *line) {
  struct code_file *f = line->file;
  const json_t *fork = json_object_get(line->json, "forkedFrom");
  struct ck_str agent = ingest_json_text(line->json, "agentId"),
                from = ingest_json_text(fork, "sessionId");
  bool side = json_is_true(json_object_get(line->json, "isSidechain"));
  if (side && !agent.n) agent = f->agent;
  if (side && agent.n) return agent_of(line, agent);
  if (side && line->above) return line->above->chat;
  if (side) return beside(line, joined(f, line->session, "/side-", line->id));
  struct code_chat *own = code_chat_of(f, line->session, line->session);
  own->lent = false;
  if (!from.n || ck_str_eq(from, line->session)) return own;
  if (!own->forked_from.n) own->forked_from = ck_arena_copy(&f->lasting, from);
  bool known = session_get(&f->table, 'o', nothing, from);
  struct code_chat *parent = code_chat_of(f, from, from);
  if (!known) parent->lent = true;
  return parent;
}

/* ---- what a line is ---- */

static struct ck_str session_of(struct code_file *f, const json_t *json) {
  static const char *const names[] = {"sessionId", "session_id"};
  struct ck_str id = {0};
  for (size_t i = 0; i < sizeof names / sizeof *names && !id.n; ++i)
    id = ck_trim(ingest_json_text(json, names[i]));
  if (id.n) return id;
  if (f->last_chat) return f->last_chat->session;
  if (!f->made_session.n) {
    char hash[33];
    struct ck_str text = ingest_json_any(json, &f->passing);
    ck_hash_id(hash, &text, 1);
    f->made_session = ck_arena_copy(&f->lasting, joined(f, CK_LIT("first-"), "", ck_str_of(hash)));
  }
  return f->made_session;
}

/* The line's uuid, else what is made of all of it. */
static struct ck_str id_of(struct code_file *f, const json_t *json) {
  struct ck_str id = ck_trim(ingest_json_text(json, "uuid"));
  char hash[33];
  if (id.n) return ck_arena_copy(&f->passing, id);
  struct ck_str text = ingest_json_any(json, &f->passing);
  ck_hash_id(hash, &text, 1);
  return joined(f, CK_LIT("line-"), "", ck_str_of(hash));
}

static void find_time(struct code_line *line) {
  const struct code_chat *c = line->chat;
  line->time_assumed = !ingest_json_time(json_object_get(line->json, "timestamp"), &line->at);
  if (line->time_assumed) line->at = c->time == INGEST_NO_TIME ? 0 : c->time;
  line->age = line->at;
}

/* Which line is above, and whose it is. False: the line was read before. */
static bool find_place(struct code_line *line) {
  static const char *const names[] = {"parentUuid", "logicalParentUuid"};
  struct code_file *f = line->file;
  struct ck_str parent = {0};
  if (session_get(&f->table, 'l', line->session, line->id)) return false;
  for (size_t i = 0; i < sizeof names / sizeof *names && !parent.n; ++i)
    parent = ck_trim(ingest_json_text(line->json, names[i]));
  if (parent.n) line->above = session_get(&f->table, 'l', line->session, parent);
  if (parent.n && !line->above) line->missing = parent;
  line->chat = chat_of(line);
  if (!parent.n && !json_object_get(line->json, names[0])) line->above = line->chat->last_line;
  return true;
}

/* ---- all types ---- */

static const struct code_type {
  const char *name;
  void (*read)(struct code_line *line); /* NULL: nothing is taken */
  bool placed;                          /* it has a place among the messages */
} types[] = {
    {"user", code_read_user, true},
    {"assistant", code_read_assistant, true},
    {"system", code_read_system, true},
    {"attachment", code_read_attachment, true},
    {"queue-operation", code_read_queue, true},
    {"summary", code_read_summary, false},
    {"custom-title", code_read_title, false},
    {"ai-title", code_read_title, false},
    {"progress", code_read_progress, true},
    {"file-history-snapshot", NULL, false},
    {"permission-mode", NULL, false},
    {"mode", NULL, false},
    {"last-prompt", NULL, false},
    {"agent-name", NULL, false},
    {"agent-color", NULL, false},
    {"agent-setting", NULL, false},
    {"tag", NULL, false},
    {"pr-link", NULL, false},
    {"frame-link", NULL, false},
    {"worktree-state", NULL, false},
    {"started", NULL, false},
    {"result", NULL, false},
    {"relocated", NULL, false},
    {"bridge-session", NULL, false},
    {"atis-latch", NULL, false},
    {"content-replacement", NULL, false},
    {"attribution-snapshot", NULL, false},
    {"marble-origami-commit", NULL, false},
    {"marble-origami-snapshot", NULL, false},
    {"speculation-accept", NULL, false},
};

static const struct code_type *type_of(struct ck_str name) {
  for (size_t i = 0; i < sizeof types / sizeof *types; ++i)
    if (ck_str_is(name, types[i].name)) return &types[i];
  return NULL;
}

/* Takes what the line says of its conversation. */
static void note_chat(const struct code_line *line) {
  struct code_file *f = line->file;
  struct code_chat *c = line->chat;
  struct ck_str model = ingest_json_text(line->message, "model");
  code_chat_take(f, &c->cwd, ingest_json_text(line->json, "cwd"));
  code_chat_take(f, &c->branch, ingest_json_text(line->json, "gitBranch"));
  code_chat_take(f, &c->version, ingest_json_text(line->json, "version"));
  if (!ck_str_is(model, "<synthetic>")) code_chat_take(f, &c->model, model);
  c->copies = INGEST_COPIES_TIMED;
  code_chat_seen(line);
}

/* ---- the file ---- */

static bool knows(const json_t *element) {
  static const char *const names[] = {"sessionId", "leafUuid", "uuid"};
  const json_t *message = json_object_get(element, "message");
  struct ck_str type = ingest_json_text(element, "type");
  bool names_one = json_object_get(message, "content") != NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    names_one |= json_object_get(element, names[i]) != NULL;
  return type.n && (names_one || (json_object_get(element, "messageId") &&
                                  json_object_get(element, "snapshot")));
}

static void *open_file(const char *name) {
  struct code_file *f = ck_zalloc(sizeof *f);
  const struct code_names names = code_names_of(name);
  f->platform = CK_LIT("claude-code");
  f->program = CK_LIT("claude");
  f->home = ck_arena_copy(&f->lasting, names.home);
  f->workflow = ck_arena_copy(&f->lasting, names.workflow);
  f->agent = ck_arena_copy(&f->lasting, names.agent);
  return f;
}

static void close_file(void *self) {
  code_file_free(self);
  free(self);
}

static size_t memory(const void *self) { return sizeof(struct code_file) + code_file_memory(self); }

static void flush(const struct ingest_visitor *visitor, void *self) {
  code_give_all(self, visitor);
}

static void read_element(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  struct code_file *f = element->state;
  const json_t *json = element->json, *message = json_object_get(json, "message");
  struct ck_str name = ingest_json_text(json, "type");
  const struct code_type *type = type_of(name);
  struct code_line line = {.file = f, .visitor = visitor, .json = json};
  if (json_is_object(message)) line.message = message;
  ingest_place_text(line.where, element->place, NULL, nothing);
  if (!type) code_note_of(&line, "line of unknown type", name);
  if (type && !type->read) return;
  line.session = session_of(f, json);
  line.id = id_of(f, json);
  if (type && !type->placed && !line.message) {
    type->read(&line);
    return;
  }
  if (!find_place(&line)) return;
  find_time(&line);
  f->last_chat = line.chat;
  note_chat(&line);
  if (type)
    type->read(&line);
  else
    code_pass(&line);
}

const struct ingest_source ingest_source_claude_code = {.name = "claude code",
                                                        .version = 1,
                                                        .log = true,
                                                        .knows = knows,
                                                        .read = read_element,
                                                        .open = open_file,
                                                        .flush = flush,
                                                        .memory = memory,
                                                        .close = close_file};
