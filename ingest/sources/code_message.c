/* Messages of a log. An answer comes in several lines, each with some of its blocks; other
 * messages have one line each. */
#include <string.h>

#include "ingest/sources/claude.h"
#include "ingest/sources/code.h"
#include "ingest/sources/details.h"

/* ---- giving ---- */

static struct ck_str kept(struct code_file *f, const struct ck_buf *b) {
  return ck_arena_copy(&f->passing, ck_buf_view(b));
}

/* The kind of an answer that has no words. */
static const char *kind_of(const struct code_open *m) {
  if (m->error) return "error";
  if (m->content.unknown.n && !m->content.said) return "other";
  if (m->content.text.len || m->content.attached) return NULL;
  if (m->calls.len) return "call";
  return m->content.thinking.len ? "thinking" : NULL;
}

static struct code_open_call *calls_of(const struct code_open *m, size_t *n) {
  *n = m->calls.len / sizeof(struct code_open_call);
  return (struct code_open_call *)(void *)m->calls.data;
}

/* What the owner is asked by the first call that waits for him. */
static const char *waits_for(const struct code_open *m) {
  size_t n;
  const struct code_open_call *calls = calls_of(m, &n);
  for (size_t i = 0; i < n; ++i)
    if (calls[i].waits && !calls[i].allowed && !calls[i].call->results) return calls[i].waits;
  return NULL;
}

static json_t *usage_of(const struct code_open *m) {
  return json_loadb(m->usage.data, m->usage.len, JSON_ALLOW_NUL, NULL);
}

static struct ck_str details_of(struct code_file *f, const struct code_open *m) {
  struct ck_buf b = {0};
  const char *kind = kind_of(m), *waits = m->open ? waits_for(m) : NULL;
  if (kind) ingest_details_text(&b, "kind", ck_str_of(kind));
  ingest_details_text(&b, "type", m->content.unknown);
  ingest_details_text(&b, "model", m->model);
  code_content_details(&m->content, &b);
  ingest_details_text(&b, "stop_reason", m->stop_reason);
  if (m->usage.len) {
    json_t *usage = usage_of(m);
    ingest_details_json(&b, "usage", usage);
    json_decref(usage);
  }
  if (!ck_str_eq(m->api_id, m->id)) ingest_details_text(&b, "api_id", m->api_id);
  if (waits) ingest_details_text(&b, "waits", ck_str_of(waits));
  if (m->turn) ingest_details_text(&b, "turn", ck_str_of(m->turn));
  code_limit_details(&m->limit, &b);
  if (m->time_assumed) ingest_details_false(&b, "time_known");
  if (!b.len && (m->calls.len || m->had_turn))
    ck_buf_text(&b, "{"); /* it may have said before what it is */
  return ingest_details_end(&b, &f->passing);
}

/* Copies what lasts only as long as the answer is open. */
static struct ingest_execution copied(struct code_file *f, const struct code_chat *c,
                                      struct ingest_execution e) {
  e.age = code_execution_age(c, e.age);
  e.params = ck_arena_copy(&f->passing, e.params);
  return e;
}

void code_answer_give(struct code_file *f, struct code_chat *c) {
  struct code_open *m = &c->open;
  if (!m->changed) return;
  m->changed = false;
  size_t n;
  const struct code_open_call *calls = calls_of(m, &n);
  struct ingest_execution *list = ck_arena_get(&f->passing, (n + 1) * sizeof *list);
  for (size_t i = 0; i < n; ++i) list[i] = copied(f, c, calls[i].execution);
  const struct ingest_observation o = {.platform = f->platform,
                                       .message_id = ck_arena_copy(&f->passing, m->id),
                                       .role = CK_LIT("assistant"),
                                       .placed = m->placed,
                                       .position = m->depth - 1,
                                       .parent_id = ck_arena_copy(&f->passing, m->parent),
                                       .details = details_of(f, m),
                                       .has_text = true,
                                       .text = kept(f, &m->content.text),
                                       .observed_at = m->at,
                                       .time_assumed = m->time_assumed,
                                       .age = m->age,
                                       .executions = list,
                                       .execution_count = n};
  code_give(f, c, &o, m->where);
}

/* ---- an answer ---- */

static void clear(struct code_open *m) {
  struct ck_buf usage = m->usage, calls = m->calls;
  struct ck_arena arena = m->arena;
  code_content_free(&m->content);
  ck_buf_clear(&usage);
  ck_buf_clear(&calls);
  ck_arena_reset(&arena);
  *m = (struct code_open){.usage = usage, .calls = calls, .arena = arena};
}

void code_answer_grow(struct code_open *m, int64_t at) {
  m->age = at > m->age ? at : m->age + 1;
  m->changed = true;
}

void code_answer_free(struct code_open *m) {
  clear(m);
  ck_buf_free(&m->usage);
  ck_buf_free(&m->calls);
  ck_arena_free(&m->arena);
}

void code_answer_close(const struct code_line *line) {
  struct code_chat *c = line->chat;
  if (!c->open.open) return;
  if (waits_for(&c->open)) code_answer_grow(&c->open, line->at);
  c->open.open = false;
  code_answer_give(line->file, c);
  clear(&c->open);
}

static void open_answer(const struct code_line *line, struct ck_str api_id) {
  struct code_open *m = &line->chat->open;
  clear(m);
  m->open = true;
  m->id = ck_arena_copy(&m->arena, line->id);
  m->api_id = ck_arena_copy(&m->arena, api_id);
  m->parent = ck_arena_copy(&m->arena, code_parent(line));
  m->depth = code_depth(line);
  m->placed = m->depth > 0;
  m->at = line->at;
  m->time_assumed = line->time_assumed;
  memcpy(m->where, line->where, sizeof m->where);
}

/* Of each number the greater, of everything else the later. */
static void merge_usage(json_t *into, json_t *more) {
  const char *name;
  json_t *value;
  json_object_foreach(more, name, value) {
    json_t *old = json_object_get(into, name);
    if (json_is_object(old) && json_is_object(value))
      merge_usage(old, value);
    else if (json_is_null(value) && old)
      continue;
    else if (!json_is_number(old) || !json_is_number(value) ||
             json_number_value(value) > json_number_value(old))
      json_object_set(into, name, value);
  }
}

static void take_usage(struct code_open *m, json_t *usage) {
  if (!json_is_object(usage)) return;
  json_t *all = m->usage.len ? usage_of(m) : json_object();
  merge_usage(all, usage);
  ck_buf_clear(&m->usage);
  ingest_json_add(&m->usage, all);
  json_decref(all);
}

static struct ck_str taken(struct code_open *m, const json_t *of, const char *name,
                           struct ck_str old) {
  struct ck_str now = ingest_json_text(of, name);
  return now.n && !ck_str_eq(now, old) ? ck_arena_copy(&m->arena, now) : old;
}

/* ---- does its turn go on? ---- */

static bool is_one_of(struct ck_str s, const char *const *list, size_t n) {
  for (size_t i = 0; i < n; ++i)
    if (ck_str_is(s, list[i])) return true;
  return false;
}

/* Of the API's reasons, only these end a turn: after any other one the program goes on by itself.
 */
static bool ends_turn(struct ck_str reason) {
  static const char *const ends[] = {"end_turn", "max_tokens", "stop_sequence", "refusal",
                                     "model_context_window_exceeded"};
  return is_one_of(reason, ends, sizeof ends / sizeof *ends);
}

/* Who does not say why an answer stops may have more of it, or has ended it with its words. */
static bool goes_on(const struct code_file *f, const struct code_open *m) {
  if (f->says_turns) return !m->stop_reason.n;
  if (m->stop_reason.n) return !ends_turn(m->stop_reason);
  return f->says_stops || m->ends != CODE_ENDS_WITH_WORDS;
}

/* Codex says why a turn was aborted, in several words. */
static bool was_aborted(const struct code_file *f, const struct code_open *m) {
  return f->says_turns && m->stop_reason.n && !ends_turn(m->stop_reason);
}

static void note_turn(struct code_file *f, struct code_open *m) {
  f->says_stops |= m->stop_reason.n > 0 && !m->error;
  m->turn = m->error ? "failed" : goes_on(f, m) ? "open" : NULL;
  if (was_aborted(f, m)) m->turn = "interrupted";
  m->had_turn |= m->turn != NULL;
}

void code_answer_ended(const struct code_line *line) {
  struct code_open *m = &line->chat->open;
  if (!m->open || m->error || !m->turn || m->ends != CODE_ENDS_WITH_WORDS) return;
  m->turn = NULL;
  code_answer_grow(m, line->at);
}

static void note_end(struct code_open *m, const json_t *block) {
  bool words = json_is_string(block) || claude_is_type(block, "text");
  m->ends = words ? CODE_ENDS_WITH_WORDS : CODE_ENDS_WITH_MORE;
}

static void take_block(const struct code_line *line, const json_t *block) {
  note_end(&line->chat->open, block);
  if (claude_is_call(block))
    code_call(line, block);
  else if (claude_is_result(block)) {
    if (!code_result(line, block, NULL)) code_note(line, "tool result without a call");
  } else {
    code_content_block(line, &line->chat->open.content, block);
  }
}

/* What stands in an answer's place says in which way the API has refused. Until when is only in its
 * words. */
static void take_refusal(const struct code_line *line, struct code_open *m) {
  struct ck_str error = ingest_json_text(line->json, "error");
  json_int_t status = json_integer_value(json_object_get(line->json, "apiErrorStatus"));
  bool money = ck_str_is(error, "billing_error");
  if (!json_is_true(json_object_get(line->json, "isApiErrorMessage"))) return;
  m->error = true;
  if (!error.n && status == 429) error = CK_LIT("rate_limit");
  if (money || ck_str_is(error, "rate_limit"))
    m->limit = (struct code_limit){.type = ck_arena_copy(&m->arena, error), .lasts = money};
}

void code_answer(const struct code_line *line) {
  struct code_open *m = &line->chat->open;
  const json_t *content = json_object_get(line->message, "content");
  struct ck_str api_id = ingest_json_text(line->message, "id");
  if (!m->open || !api_id.n || !ck_str_eq(api_id, m->api_id)) {
    code_answer_close(line);
    open_answer(line, api_id);
  }
  code_answer_grow(m, line->at);
  m->model = taken(m, line->message, "model", m->model);
  m->stop_reason = taken(m, line->message, "stop_reason", m->stop_reason);
  m->error |= ck_str_is(m->model, "<synthetic>");
  take_refusal(line, m);
  take_usage(m, json_object_get(line->message, "usage"));
  if (json_is_string(content)) take_block(line, content);
  for (size_t i = 0; i < json_array_size(content); ++i)
    take_block(line, json_array_get(content, i));
  note_turn(line->file, m);
}

/* ---- any other message ---- */

static void give_message(const struct code_line *line, const char *role, const char *kind,
                         bool hidden, const struct code_content *content) {
  struct code_file *f = line->file;
  struct ck_buf b = {0};
  if (content->unknown.n && !content->said && !kind) kind = "other";
  if (kind) ingest_details_text(&b, "kind", ck_str_of(kind));
  ingest_details_text(&b, "type", content->unknown);
  ingest_details_true(&b, "hidden", hidden);
  code_content_details(content, &b);
  if (content->turn) ingest_details_text(&b, "turn", ck_str_of(content->turn));
  code_limit_details(&content->limit, &b);
  if (line->time_assumed) ingest_details_false(&b, "time_known");
  if (!b.len && line->was_hidden) ck_buf_text(&b, "{");
  const struct ingest_observation o = {
      .platform = f->platform,
      .message_id = ck_arena_copy(&f->passing, line->id),
      .role = ck_str_of(role),
      .placed = code_depth(line) > 0,
      .position = code_depth(line) - 1,
      .parent_id = ck_arena_copy(&f->passing, code_parent(line)),
      .details = ingest_details_end(&b, &f->passing),
      .has_text = true,
      .text = kept(f, content->text.len ? &content->text : &content->hidden),
      .observed_at = line->at,
      .time_assumed = line->time_assumed,
      .age = line->age};
  code_give(f, line->chat, &o, line->where);
}

void code_message(const struct code_line *line, const char *role, const char *kind, bool hidden,
                  const struct code_content *content) {
  code_answer_close(line);
  give_message(line, role, kind, hidden, content);
}

void code_message_hide(const struct code_line *line, const char *role, const char *kind,
                       const struct code_content *content) {
  give_message(line, role, kind, true, content);
}
