/* The tools of a log. A call is an execution of the answer that it stands in; its result
 * comes in a user's line of its own, which has it twice: as the model has got it, and as an object.
 */
#include <string.h>

#include "ingest/sources/claude.h"
#include "ingest/sources/code.h"

/* A result's object above this size stays in the original. */
#define TWIN_MAX (1u << 20)
#define DEPTH_MAX 32

/* ---- calls ---- */

/* The server of a tool that comes by MCP ("mcp__SERVER__TOOL"), else the tool. */
static struct ck_str target_of(struct ck_str tool) {
  static const char mcp[] = "mcp__";
  size_t n = sizeof mcp - 1;
  if (!ck_str_starts(tool, mcp)) return tool;
  const char *end = memmem(tool.s + n, tool.n - n, "__", 2);
  return end && end > tool.s + n ? (struct ck_str){tool.s + n, (size_t)(end - tool.s) - n} : tool;
}

static const char *waits_of(struct ck_str tool) {
  static const char *const asks[][2] = {{"AskUserQuestion", "question"},
                                        {"ExitPlanMode", "plan"},
                                        {"request_user_input", "question"}};
  for (size_t i = 0; i < sizeof asks / sizeof *asks; ++i)
    if (ck_str_is(tool, asks[i][0])) return asks[i][1];
  return NULL;
}

/* What a call gives an agent to do: its chain begins with it. */
static void note_task(const struct code_line *line, const struct code_call *call,
                      const json_t *input) {
  struct code_file *f = line->file;
  struct ck_str prompt = ingest_json_text(input, "prompt"),
                title = ingest_json_text(input, "description");
  if (!prompt.n || !(ck_str_is(call->tool, "Task") || ck_str_is(call->tool, "Agent"))) return;
  if (!title.n) title = ingest_json_text(input, "subagent_type");
  struct code_task *task = ck_arena_get(&f->lasting, sizeof *task);
  *task = (struct code_task){call, ck_arena_copy(&f->lasting, title)};
  session_set(&f->table, 't', line->session, prompt, task);
}

void code_call(const struct code_line *line, const json_t *block) {
  struct code_file *f = line->file;
  struct code_open *m = &line->chat->open;
  struct ck_str id = ingest_json_id(block, "id", &f->passing),
                tool = ck_trim(ingest_json_text(block, "name"));
  const json_t *input = json_object_get(block, "input");
  struct code_call *call = ck_arena_get(&f->lasting, sizeof *call);
  struct code_open_call one = {.call = call, .waits = waits_of(tool), .named = id.n > 0};
  size_t n = m->calls.len / sizeof one + 1;
  if (!id.n) id = claude_numbered(&f->passing, m->id, "tool", n);
  if (!tool.n) tool = CK_LIT("tool");
  *call = (struct code_call){.chat = line->chat,
                             .message = ck_arena_copy(&f->lasting, m->id),
                             .id = ck_arena_copy(&f->lasting, id),
                             .target = ck_arena_copy(&f->lasting, target_of(tool)),
                             .tool = ck_arena_copy(&f->lasting, tool),
                             .at = m->at,
                             .age = line->at};
  one.execution = (struct ingest_execution){.instruction_id = call->id,
                                            .target = call->target,
                                            .tool = call->tool,
                                            .no_result = true,
                                            .executed_at = line->at,
                                            .age = line->at};
  one.execution.params = ck_arena_copy(&m->arena, ingest_json_any(input, &f->passing));
  if (one.execution.params.n)
    one.execution.params_kind = json_is_string(input) ? "inline_string" : "inline_json";
  ck_buf_add(&m->calls, &one, sizeof one);
  session_set(&f->table, 'c', line->session, id, call);
  note_task(line, call, input);
}

/* ---- results ---- */

static void add_line(struct ck_buf *b, struct ck_str line) {
  if (!line.n) return;
  if (b->len) ck_buf_text(b, "\n");
  ck_buf_str(b, line);
}

static void add_piece(struct ck_buf *b, struct ck_arena *arena, const json_t *piece) {
  struct ck_str type = ingest_json_text(piece, "type");
  if (ck_str_is(type, "text"))
    add_line(b, ingest_json_text(piece, "text"));
  else if (ck_str_is(type, "image"))
    add_line(b, CK_LIT("[image]"));
  else
    add_line(b, ingest_json_any(piece, arena));
}

struct ck_str code_result_text(struct ck_arena *arena, const json_t *block) {
  const json_t *content = json_object_get(block, "content");
  struct ck_buf b = {0};
  if (!json_is_array(content)) return ck_arena_copy(arena, ingest_json_any(content, arena));
  for (size_t i = 0; i < json_array_size(content); ++i)
    add_piece(&b, arena, json_array_get(content, i));
  return ck_arena_keep(arena, &b);
}

/* Is there something in the object that the text does not say? */
static bool says_more(json_t *twin, struct ck_str text, int depth) {
  const char *name;
  json_t *value;
  struct ck_str s = ck_trim(ingest_json_str(twin));
  if (json_is_string(twin)) return s.n && (!text.n || !memmem(text.s, text.n, s.s, s.n));
  if (depth == DEPTH_MAX) return true;
  for (size_t i = 0; i < json_array_size(twin); ++i)
    if (says_more(json_array_get(twin, i), text, depth + 1)) return true;
  json_object_foreach(twin, name, value) {
    if (says_more(value, text, depth + 1)) return true;
  }
  return json_is_number(twin) || json_is_true(twin);
}

/* The text; with the object beside it, as JSON, if that says more. */
static struct ck_str result_of(const struct code_line *line, struct ck_str text, json_t *twin) {
  struct ck_arena *arena = &line->file->passing;
  struct ck_str other = ingest_json_str(twin);
  /* Of a failure, the other form is the text after a word. */
  if (other.n && text.n && memmem(other.s, other.n, text.s, text.n)) return text;
  if (!twin || !says_more(twin, text, 0)) return text;
  struct ck_str object = ingest_json_any(twin, arena);
  if (object.n > TWIN_MAX) {
    code_note(line, "structured result too large: only the original has it");
    return text;
  }
  struct ck_buf b = {0};
  ck_buf_text(&b, "{\"text\":");
  ck_buf_json_str(&b, text);
  ck_buf_text(&b, ",\"toolUseResult\":");
  ingest_json_add(&b, twin);
  ck_buf_text(&b, "}");
  return ck_arena_keep(arena, &b);
}

/* The first call of the answer that has neither an id nor a result. */
static struct code_call *nameless(const struct code_open *m) {
  const struct code_open_call *calls = (const struct code_open_call *)(void *)m->calls.data;
  for (size_t i = 0; i < m->calls.len / sizeof *calls; ++i)
    if (!calls[i].named && !calls[i].call->results) return calls[i].call;
  return NULL;
}

static bool is_of(const struct code_open *m, const struct code_call *call) {
  return m->open && ck_str_eq(m->id, call->message);
}

/* What the answer that is open says of itself changes with the result of a question. */
static void answered(const struct code_line *line, struct code_call *call) {
  struct code_open *m = &call->chat->open;
  const struct code_open_call *calls = (const struct code_open_call *)(void *)m->calls.data;
  ++call->results;
  if (!is_of(m, call)) return;
  for (size_t i = 0; i < m->calls.len / sizeof *calls; ++i) {
    if (calls[i].call != call || !calls[i].waits || call->results > 1) continue;
    code_answer_grow(m, line->at);
  }
}

void code_permission(const struct code_line *line, const json_t *hook) {
  struct ck_str id = ingest_json_text(hook, "toolUseID");
  if (!ck_str_is(ingest_json_text(hook, "hookEvent"), "PermissionRequest")) return;
  if (!id.n) id = ingest_json_text(line->json, "toolUseID");
  struct code_call *call = session_get(&line->file->table, 'c', line->session, id);
  if (!call || call->results || !is_of(&call->chat->open, call)) return;
  struct code_open *m = &call->chat->open;
  struct code_open_call *calls = (struct code_open_call *)(void *)m->calls.data;
  for (size_t i = 0; i < m->calls.len / sizeof *calls; ++i) {
    if (calls[i].call != call) continue;
    if (!calls[i].waits) calls[i].waits = "permission";
    calls[i].allowed = ck_str_is(ingest_json_text(hook, "decision"), "allow");
    code_answer_grow(m, line->at);
  }
}

bool code_result(const struct code_line *line, const json_t *block, json_t *twin) {
  struct code_file *f = line->file;
  struct ck_str id = ingest_json_id(block, "tool_use_id", &f->passing);
  struct code_call *call =
      id.n ? session_get(&f->table, 'c', line->session, id) : nameless(&line->chat->open);
  if (!call) return false;
  answered(line, call);
  if (is_of(&call->chat->open, call)) code_answer_give(f, call->chat);
  call->age = line->at > call->age ? line->at : call->age + 1;
  struct ingest_execution *e = ck_arena_get(&f->passing, sizeof *e);
  struct ck_str text = code_result_text(&f->passing, block);
  bool failed = json_is_true(json_object_get(block, "is_error"));
  *e = (struct ingest_execution){.instruction_id = call->id,
                                 .target = call->target,
                                 .tool = call->tool,
                                 .ok = !failed,
                                 .result = result_of(line, text, twin),
                                 .executed_at = line->at,
                                 .age = code_execution_age(call->chat, call->age)};
  if (failed) e->error = text.n ? text : CK_LIT("failed");
  if (call->results > 1) {
    e->instruction_id = claude_numbered(&f->passing, call->id, "result", call->results);
    code_note(line, "further result of a tool call");
  }
  const struct ingest_observation o = {.platform = f->platform,
                                       .message_id = call->message,
                                       .observed_at = call->at,
                                       .age = call->age,
                                       .executions = e,
                                       .execution_count = 1};
  code_give(f, call->chat, &o, line->where);
  return true;
}
