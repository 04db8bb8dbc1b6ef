/* Events of Codex. Most repeat what items say; what is taken of them is what no item has. */
#include "ingest/sources/codex.h"

static struct ck_str made_id(struct codex_line *l, struct ck_str id) {
  struct codex *f = l->f;
  if (id.n) return id;
  char number[24], hash[33];
  struct ck_buf made = {0};
  snprintf(number, sizeof number, "%u", ++f->count->events);
  struct ck_str parts[] = {f->turn.len ? ck_buf_view(&f->turn) : f->chat->id, CK_LIT("event"),
                           ck_str_of(number)};
  ck_hash_id(hash, parts, sizeof parts / sizeof *parts);
  ck_buf_printf(&made, "item-%s", hash);
  return ck_arena_keep(&f->code.passing, &made);
}

/* ---- messages ---- */

/* Items repeat what these say, but in a paginated history. */
static bool is_repeated(const struct codex *f, bool answer, bool completed) {
  if (f->paginated && completed) return false;
  return answer ? f->assistant_items : f->user_items;
}

static void said(struct codex_line *l, struct ck_str role, const json_t *parts, struct ck_str id,
                 bool completed) {
  if (is_repeated(l->f, ck_str_is(role, "assistant"), completed)) return;
  l->code.id = made_id(l, id);
  codex_said(l, role, parts, true);
}

static void read_user(struct codex_line *l) {
  said(l, CK_LIT("user"), json_object_get(l->payload, "message"), (struct ck_str){0}, false);
}

static void read_agent(struct codex_line *l) {
  said(l, CK_LIT("assistant"), json_object_get(l->payload, "message"), (struct ck_str){0}, false);
}

static void read_completed(struct codex_line *l) {
  const json_t *item = json_object_get(l->payload, "item"),
               *content = json_object_get(item, "content");
  struct ck_str type = ingest_json_text(item, "type"), id = ingest_json_text(item, "id");
  if (ck_str_is(type, "UserMessage")) {
    said(l, CK_LIT("user"), content, id, true);
  } else if (ck_str_is(type, "AgentMessage")) {
    said(l, CK_LIT("assistant"), content, id, true);
  } else if (ck_str_is(type, "Reasoning") && !l->f->thoughts) {
    l->code.id = made_id(l, id);
    codex_thought(l, json_object_get(item, "summary_text"));
    codex_thought(l, json_object_get(item, "raw_content"));
  }
}

/* ---- turns ---- */

/* Adds one member to the answer that is open. */
static void add_to_answer(struct codex_line *l, const char *name, json_t *value) {
  struct codex *f = l->f;
  if (value && f->answer.len && f->chat->open.open) {
    json_t *message = json_pack("{s:o}", name, value);
    l->code.id = made_id(l, (struct ck_str){0});
    codex_answer(l, message);
    json_decref(message);
  } else {
    json_decref(value);
  }
}

static void end_turn(struct codex_line *l, struct ck_str reason) {
  l->code.id = made_id(l, (struct ck_str){0});
  l->f->code.says_turns = true;
  codex_settle(l);
  add_to_answer(l, "stop_reason", json_stringn(reason.s, reason.n));
}

/* From now on the end of each turn is said, too. */
static void read_started(struct codex_line *l) {
  l->f->code.says_turns = true;
  ck_buf_clear(&l->f->failure);
}

/* error: the event that says it, or what the end of a turn says of it. */
static void fail(struct codex_line *l, const json_t *error, bool at_end) {
  struct codex *f = l->f;
  const json_t *inner = json_object_get(error, "error");
  struct ck_str text = ck_trim(ingest_json_text(error, "message"));
  if (!text.n) text = ck_trim(ingest_json_text(inner, "message"));
  if (!text.n) text = ingest_json_any(error, &f->code.passing);
  if (at_end && ck_str_eq(text, ck_buf_view(&f->failure))) return; /* an event has said it */
  ck_buf_clear(&f->failure);
  ck_buf_str(&f->failure, text);
  struct code_limit limit = codex_limit_of(l, error, text);
  l->code.id = made_id(l, (struct ck_str){0});
  codex_failed(l, text, &limit);
}

static void read_complete(struct codex_line *l) {
  const json_t *error = json_object_get(l->payload, "error");
  if (json_is_object(error)) fail(l, error, true);
  end_turn(l, CK_LIT("end_turn"));
}

static void read_aborted(struct codex_line *l) {
  struct ck_str reason = ingest_json_text(l->payload, "reason");
  end_turn(l, reason.n ? reason : CK_LIT("interrupted"));
}

static void read_tokens(struct codex_line *l) {
  codex_limits_told(l, json_object_get(l->payload, "rate_limits"));
  json_t *usage = json_object_get(json_object_get(l->payload, "info"), "last_token_usage");
  add_to_answer(l, "usage", json_incref(usage));
}

/* The last turns count no longer: what follows is below what was above them. */
static void read_rolled_back(struct codex_line *l) {
  struct codex *f = l->f;
  json_int_t n = json_integer_value(json_object_get(l->payload, "num_turns"));
  size_t count = f->turns.len / sizeof(struct code_place *);
  if (n <= 0 || !count) return;
  size_t left = (size_t)n < count ? count - (size_t)n : 0;
  l->code.id = made_id(l, (struct ck_str){0});
  codex_settle(l);
  codex_end_answer(l);
  f->chat->last_line = ((struct code_place **)(void *)f->turns.data)[left];
  f->turns.len = left * sizeof(struct code_place *);
}

/* ---- others ---- */

static void read_name(struct codex_line *l) {
  struct codex *f = l->f;
  struct ck_str thread = ingest_json_text(l->payload, "thread_id");
  if (thread.n && !ck_str_eq(thread, f->chat->id)) return;
  code_chat_title(&f->code, f->chat, ingest_json_text(l->payload, "thread_name"),
                  CODE_TITLE_CUSTOM);
}

static void read_compacted(struct codex_line *l) { code_note(&l->code, "context compacted"); }

/* The turn has failed. */
static void read_error(struct codex_line *l) { fail(l, l->payload, false); }

/* It is tried again by itself. */
static void read_stream_error(struct codex_line *l) { code_note(&l->code, "error of the API"); }

/* The owner is asked before the call goes on. */
static void read_approval(struct codex_line *l) {
  struct ck_str call = ingest_json_text(l->payload, "call_id");
  json_t *hook = json_pack("{s:s, s:s%}", "hookEvent", "PermissionRequest", "toolUseID",
                           call.n ? call.s : "", call.n);
  code_permission(&l->code, hook);
  json_decref(hook);
}

static const struct codex_entry events[] = {
    {"user_message", read_user},
    {"agent_message", read_agent},
    {"item_completed", read_completed},
    {"task_started", read_started},
    {"turn_started", read_started},
    {"task_complete", read_complete},
    {"turn_complete", read_complete},
    {"turn_aborted", read_aborted},
    {"token_count", read_tokens},
    {"thread_name_updated", read_name},
    {"thread_rolled_back", read_rolled_back},
    {"context_compacted", read_compacted},
    {"error", read_error},
    {"stream_error", read_stream_error},
    {"exec_approval_request", read_approval},
    {"apply_patch_approval_request", read_approval},
    {"agent_reasoning", codex_read_nothing},
    {"agent_reasoning_raw_content", codex_read_nothing},
    {"exec_command_begin", codex_read_nothing},
    {"exec_command_end", codex_read_nothing},
    {"patch_apply_begin", codex_read_nothing},
    {"patch_apply_end", codex_read_nothing},
    {"mcp_tool_call_begin", codex_read_nothing},
    {"mcp_tool_call_end", codex_read_nothing},
    {"web_search_begin", codex_read_nothing},
    {"web_search_end", codex_read_nothing},
    {"image_generation_end", codex_read_nothing},
    {"view_image_tool_call", codex_read_nothing},
    {"dynamic_tool_call_request", codex_read_nothing},
    {"dynamic_tool_call_response", codex_read_nothing},
    {"thread_settings_applied", codex_read_nothing},
    {"thread_goal_updated", codex_read_nothing},
    {"sub_agent_activity", codex_read_nothing},
    {"collab_agent_spawn_end", codex_read_nothing},
    {"collab_agent_interaction_end", codex_read_nothing},
    {"collab_waiting_end", codex_read_nothing},
    {"collab_close_end", codex_read_nothing},
    {"entered_review_mode", codex_read_nothing},
    {"exited_review_mode", codex_read_nothing},
    {"guardian_assessment", codex_read_nothing},
    {"undo_completed", codex_read_nothing},
    {"account/rateLimits/updated", codex_read_nothing},
    {"turn.completed", codex_read_nothing},
    {NULL, NULL},
};

void codex_read_event(struct codex_line *l) {
  struct ck_str type = ingest_json_text(l->payload, "type");
  const struct codex_entry *event = codex_entry_of(events, type);
  if (event)
    event->read(l);
  else
    code_note_of(&l->code, "event not taken", type);
}
