/* Lines of Claude Code, by their type: which message each is, or what it says of others. */
#include <string.h>

#include "ingest/sources/claude.h"
#include "ingest/sources/claude_code.h"

/* ---- messages ---- */

/* A text that waits for its turn, and comes again when that has come. */
struct queued {
  struct queued *next;
  struct ck_str id;
  int64_t at, age;
  bool time_assumed;
  struct code_place *above;
};

/* Those of one text. */
struct queue {
  struct queued *waiting, **end; /* the first one first */
  struct queued *taken_back;
};

static struct ck_str text_of(const struct code_content *content) {
  return ck_buf_view(content->text.len ? &content->text : &content->hidden);
}

static struct queue *queue_of(const struct code_line *line, const struct code_content *content) {
  return session_get(&line->file->table, 'q', line->session, text_of(content));
}

/* Takes out the first one that waits; NULL: there is none. */
static struct queued *first_of(struct queue *queue) {
  struct queued *q = queue ? queue->waiting : NULL;
  if (!q) return NULL;
  queue->waiting = q->next;
  if (!queue->waiting) queue->end = &queue->waiting;
  return q;
}

/* Takes out one that comes after all. */
static struct queued *taken_back_of(struct queue *queue) {
  struct queued *q = queue ? queue->taken_back : NULL;
  if (q) queue->taken_back = q->next;
  return q;
}

static int64_t later(int64_t at, int64_t age) { return at > age ? at : age + 1; }

/* message: its id. */
static void speak(struct code_line *line, struct ck_str message, const char *role, const char *kind,
                  bool hidden, const struct code_content *content) {
  struct ck_str own = line->id;
  if (line->missing.n) code_note(line, "message whose parent is missing");
  if (line->time_assumed) code_note(line, "message without a time");
  line->id = message;
  code_message(line, role, kind, hidden, content);
  line->id = own;
  code_place_set(line, message, code_depth(line));
}

/* A user's text may be one that was queued; also one that was taken back, since the program takes
 * back what it gives to a turn that goes on. */
static void say(struct code_line *line, const char *role, const char *kind, bool hidden,
                const struct code_content *content) {
  struct queue *queue = strcmp(role, "user") == 0 ? queue_of(line, content) : NULL;
  struct queued *q = first_of(queue);
  if (!q) {
    q = taken_back_of(queue);
    line->was_hidden = q != NULL;
  }
  if (q) line->age = later(line->at, q->age);
  speak(line, q ? q->id : line->id, role, kind, hidden, content);
}

/* What follows is not below it. */
static void put_in_queue(struct code_line *line, const char *kind, bool hidden,
                         const struct code_content *content) {
  struct code_file *f = line->file;
  struct code_place *last = line->chat->last_line;
  struct queue *queue = queue_of(line, content);
  struct queued *q = ck_arena_get(&f->lasting, sizeof *q);
  if (!queue) {
    queue = ck_arena_get(&f->lasting, sizeof *queue);
    *queue = (struct queue){.end = &queue->waiting};
    session_set(&f->table, 'q', line->session, text_of(content), queue);
  }
  *q = (struct queued){.id = ck_arena_copy(&f->lasting, line->id),
                       .at = line->at,
                       .age = line->at,
                       .time_assumed = line->time_assumed,
                       .above = line->above};
  *queue->end = q;
  queue->end = &q->next;
  speak(line, line->id, "user", kind, hidden, content);
  if (last) line->chat->last_line = last;
}

static void take_text(struct code_content *to, struct ck_str text, const char **kind) {
  struct ck_buf typed = {0};
  const char *what;
  if (code_command(text, &typed, &what)) {
    if (to->text.len) ck_buf_text(&to->text, "\n\n");
    ck_buf_str(&to->text, ck_buf_view(&typed));
    to->said = true;
    if (what) *kind = what;
  } else {
    code_content_text(to, text);
  }
  ck_buf_free(&typed);
}

static void take_result(const struct code_line *line, struct code_content *to, const json_t *block,
                        json_t *twin, const char **kind) {
  if (code_result(line, block, twin)) return;
  code_note(line, "tool result without a call");
  struct ck_str text = code_result_text(&line->file->passing, block);
  if (to->text.len) ck_buf_text(&to->text, "\n\n");
  ck_buf_str(&to->text, text.n ? text : CK_LIT("(empty)"));
  *kind = "result";
}

static size_t results_in(const json_t *content) {
  size_t n = 0;
  for (size_t i = 0; i < json_array_size(content); ++i)
    n += claude_is_result(json_array_get(content, i));
  return n;
}

static void take_content(const struct code_line *line, struct code_content *to,
                         const json_t *content, const char **kind) {
  json_t *twin = json_object_get(line->json, "toolUseResult");
  if (results_in(content) != 1) twin = NULL; /* of which, it does not say */
  if (json_is_string(content)) take_text(to, ingest_json_str(content), kind);
  for (size_t i = 0; i < json_array_size(content); ++i) {
    const json_t *block = json_array_get(content, i);
    if (claude_is_result(block))
      take_result(line, to, block, twin, kind);
    else if (claude_is_type(block, "text"))
      take_text(to, ingest_json_text(block, "text"), kind);
    else
      code_content_block(line, to, block);
  }
}

/* A chain beside a session begins with what a call of the session's has given it to do. */
static void find_call(const struct code_line *line, const struct code_content *content) {
  struct code_file *f = line->file;
  struct code_chat *c = line->chat;
  if (!c->parent.n || c->parent_call.n) return;
  const struct code_task *task =
      session_get(&f->table, 't', line->session, ck_buf_view(&content->text));
  if (!task) return;
  c->parent_message = task->call->message;
  c->parent_call = task->call->id;
  code_chat_title(f, c, task->title, CODE_TITLE_TASK);
}

static bool is_notification(const struct code_content *content) {
  return ck_str_starts(ck_buf_view(&content->hidden), "<task-notification>");
}

static void give_user(struct code_line *line, const json_t *content, bool queued) {
  struct code_content to = {0};
  const char *kind = NULL;
  bool hidden = json_is_true(json_object_get(line->json, "isMeta"));
  take_content(line, &to, content, &kind);
  bool words = to.text.len || to.attached, around = !words && to.hidden.len;
  if (json_is_true(json_object_get(line->json, "isCompactSummary"))) {
    hidden = true;
    code_note(line, "context compacted");
  }
  if (hidden || around) kind = "context";
  if (around) hidden = !is_notification(&to);
  find_call(line, &to);
  if (queued && (words || around)) {
    put_in_queue(line, kind, hidden, &to);
  } else if (words || around) {
    say(line, "user", kind, hidden, &to);
  } else {
    if (!results_in(content)) code_note(line, "line without content");
    code_pass(line);
  }
  code_content_free(&to);
}

void code_read_user(struct code_line *line) {
  const json_t *message = json_object_get(line->json, "message");
  give_user(line, json_is_string(message) ? message : json_object_get(message, "content"), false);
}

void code_read_assistant(struct code_line *line) {
  if (!json_is_object(line->message)) {
    code_note(line, "line without content");
    code_pass(line);
    return;
  }
  if (line->missing.n) code_note(line, "message whose parent is missing");
  code_answer(line);
  code_place_set(line, line->chat->open.id, line->chat->open.depth);
}

static void give_text(struct code_line *line, const char *role, const char *kind, bool hidden,
                      struct ck_str text) {
  struct code_content to = {0};
  ck_buf_str(&to.text, text);
  say(line, role, kind, hidden, &to);
  code_content_free(&to);
}

/* ---- other lines ---- */

static struct ck_str error_text(const struct code_line *line) {
  static const char *const names[] = {"content", "apiRefusalExplanation", "error"};
  const json_t *error = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names && (!error || json_is_null(error)); ++i)
    error = json_object_get(line->json, names[i]);
  struct ck_str message = ingest_json_text(error, "message");
  for (const json_t *e = json_object_get(error, "error"); !message.n && e;
       e = json_object_get(e, "error"))
    message = ingest_json_text(e, "message");
  return message.n ? message : ingest_json_any(error, &line->file->passing);
}

void code_read_system(struct code_line *line) {
  struct ck_str subtype = ingest_json_text(line->json, "subtype"), text;
  if (ck_str_is(subtype, "local_command")) {
    give_user(line, json_object_get(line->json, "content"), false);
  } else if (ck_str_starts(subtype, "api_") || ck_str_is(subtype, "error")) {
    text = error_text(line);
    give_text(line, "system", "error", false, text.n ? text : subtype);
  } else {
    if (ck_str_is(subtype, "turn_duration")) code_answer_ended(line);
    if (!ck_str_is(subtype, "compact_boundary"))
      code_note_of(line, "system line not taken", subtype);
    code_pass(line);
  }
}

void code_read_attachment(struct code_line *line) {
  const json_t *attachment = json_object_get(line->json, "attachment"),
               *prompt = json_object_get(attachment, "prompt");
  if (claude_is_type(attachment, "queued_command") && prompt) {
    give_user(line, prompt, false);
    return;
  }
  code_permission(line, attachment);
  code_note_of(line, "attachment not taken", ingest_json_text(attachment, "type"));
  code_pass(line);
}

void code_read_progress(struct code_line *line) {
  code_permission(line, json_object_get(line->json, "data"));
  code_pass(line);
}

/* One of this text that waits is hidden: it stays where it was. */
static void take_back(const struct code_line *line, const json_t *content) {
  struct code_content to = {0};
  const char *kind = NULL;
  take_content(line, &to, content, &kind);
  struct queue *queue = queue_of(line, &to);
  struct queued *q = first_of(queue);
  if (q) {
    struct code_line again = *line;
    q->next = queue->taken_back;
    queue->taken_back = q;
    q->age = later(line->at, q->age);
    again.id = q->id;
    again.at = q->at;
    again.age = q->age;
    again.time_assumed = q->time_assumed;
    again.above = q->above;
    code_message_hide(&again, "user", kind, &to);
  }
  code_content_free(&to);
}

/* What the user has said while the program was at work, and what he has taken back of it. What
 * leaves the queue otherwise comes as a line of its own. */
void code_read_queue(struct code_line *line) {
  struct ck_str operation = ingest_json_text(line->json, "operation");
  const json_t *content = json_object_get(line->json, "content");
  bool back = ck_str_is(operation, "remove") || ck_str_is(operation, "popAll");
  if (!ck_trim(ingest_json_str(content)).n) {
    if (back) code_note(line, "queued message taken back, and it is not said which");
    code_pass(line);
  } else if (!operation.n || ck_str_is(operation, "enqueue")) {
    give_user(line, content, true);
  } else {
    if (back) take_back(line, content);
    code_pass(line);
  }
}

void code_read_summary(struct code_line *line) {
  struct code_file *f = line->file;
  struct ck_str leaf = ingest_json_text(line->json, "leafUuid"),
                title = ingest_json_text(line->json, "summary");
  struct ck_str text = ck_trim(ingest_json_text(line->message, "content"));
  if (text.n) {
    code_note(line, "context compacted");
    give_text(line, "system", "context", true, text);
    return;
  }
  const struct code_place *at = session_get(&f->table, 'l', line->session, leaf);
  if (at)
    code_chat_title(f, at->chat, title, CODE_TITLE_SUMMARY);
  else
    code_note(line, "summary of another session");
}

void code_read_title(struct code_line *line) {
  struct code_chat *c = code_chat_of(line->file, line->session, line->session);
  struct ck_str custom = ingest_json_text(line->json, "customTitle");
  code_chat_title(line->file, c, custom, CODE_TITLE_CUSTOM);
  code_chat_title(line->file, c, ingest_json_text(line->json, "aiTitle"), CODE_TITLE_AI);
}
