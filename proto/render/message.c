/* What rows and their details say; see render.h. */
#include "proto/render/inner.h"

#include <stdlib.h>

struct ck_str render_text_of(const json_t *value) {
  return (struct ck_str){json_string_value(value), json_string_length(value)};
}

struct ck_str render_member(const json_t *object, const char *name) {
  return render_text_of(json_object_get(object, name));
}

int64_t render_number(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
}

static const json_t *list_in(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_array(value) && json_array_size(value) ? value : NULL;
}

static json_t *details_of(struct ck_str text) {
  json_t *details = text.n ? json_loadb(text.s, text.n, JSON_ALLOW_NUL, NULL) : NULL;
  if (json_is_object(details)) return details;
  json_decref(details);
  return json_object();
}

/* ---- executions ---- */

enum render_outcome render_outcome_of(const struct ck_row *execution) {
  if (ck_row_int(execution, CK_EXECUTIONS_RESULT_OK, 0)) return RENDER_OK;
  bool none = execution->v[CK_EXECUTIONS_RESULT_ERROR].state != CK_TEXT &&
              execution->v[CK_EXECUTIONS_RESULT_DATA].state != CK_TEXT;
  return none ? RENDER_NO_RESULT : RENDER_FAILED;
}

/* A result that came as text and as an object, which tells the same in more words for programs
 * (docs/formats.md, Claude Code): a reader wants the text. */
static void take_text_of_forms(struct render_execution *e) {
  if (!ck_str_starts(e->result, "{\"text\":")) return;
  json_t *forms = json_loadb(e->result.s, e->result.n, JSON_ALLOW_NUL, NULL);
  bool both = json_object_size(forms) == 2 && json_object_get(forms, "toolUseResult");
  const json_t *text = json_object_get(forms, "text");
  if (both && json_string_length(text)) {
    e->forms = forms;
    e->result = render_text_of(text);
  } else {
    json_decref(forms);
  }
}

/* A result that is the error itself is shown once. */
static struct render_execution execution_of(const struct ck_row *row) {
  struct render_execution e = {.id = ck_row_key(row),
                               .target = ck_row_text(row, CK_EXECUTIONS_TARGET),
                               .tool = ck_row_text(row, CK_EXECUTIONS_TOOL),
                               .params = ck_row_text(row, CK_EXECUTIONS_PARAMS),
                               .params_kind = ck_row_text(row, CK_EXECUTIONS_PARAMS_KIND),
                               .result = ck_row_text(row, CK_EXECUTIONS_RESULT_DATA),
                               .error = ck_row_text(row, CK_EXECUTIONS_RESULT_ERROR),
                               .outcome = render_outcome_of(row)};
  take_text_of_forms(&e);
  if (ck_str_eq(e.result, e.error)) e.result = (struct ck_str){0};
  return e;
}

static void take_executions(struct render_message *m, const struct ck_row *rows, size_t n) {
  m->executions = ck_alloc(n * sizeof *m->executions);
  m->execution_count = n;
  for (size_t i = 0; i < n; ++i) m->executions[i] = execution_of(&rows[i]);
}

/* ---- the message ---- */

static const char *const kinds[] = {
    [RENDER_SAID] = "text",         [RENDER_CALL] = "call",       [RENDER_RESULT] = "result",
    [RENDER_THINKING] = "thinking", [RENDER_CONTEXT] = "context", [RENDER_ERROR] = "error",
    [RENDER_OTHER] = "other"};

const char *render_kind_word(enum render_kind kind) { return kinds[kind]; }

static enum render_kind kind_of(struct ck_str word) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if (ck_str_is(word, kinds[i])) return (enum render_kind)i;
  return RENDER_SAID;
}

/* A time that nobody told is made up (docs/records.md). */
static bool time_is_known(const struct render_message *m, const struct ck_row *row) {
  return !json_is_false(json_object_get(m->details, "time_known")) &&
         m->at != ck_row_int(row, CK_MESSAGES_CREATED_AT, -1);
}

static bool is_hidden(const struct render_message *m) {
  if (json_is_true(json_object_get(m->details, "hidden")) || m->kind == RENDER_CONTEXT) return true;
  return ck_str_is(m->role, "system") && ck_trim(m->text).n == 0 && !m->attachments &&
         m->execution_count == 0;
}

void render_message_of(struct render_message *m, const struct ck_row *row,
                       const struct ck_row *executions, size_t count) {
  json_t *details = details_of(ck_row_text(row, CK_MESSAGES_DETAILS));
  *m = (struct render_message){.id = ck_row_key(row),
                               .role = ck_row_text(row, CK_MESSAGES_ROLE),
                               .text = ck_row_text(row, CK_MESSAGES_RAW_TEXT),
                               .summary = ck_row_text(row, CK_MESSAGES_SUMMARY),
                               .at = ck_row_int(row, CK_MESSAGES_OBSERVED_AT, 0),
                               .kind = kind_of(render_member(details, "kind")),
                               .type = render_member(details, "type"),
                               .model = render_member(details, "model"),
                               .name = render_member(details, "name"),
                               .details = details,
                               .thinking = list_in(details, "thinking"),
                               .attachments = list_in(details, "attachments"),
                               .citations = list_in(details, "citations"),
                               .placed = true};
  take_executions(m, executions, count);
  m->time_known = time_is_known(m, row);
  m->hidden = is_hidden(m);
}

void render_message_free(struct render_message *m) {
  json_decref(m->details);
  for (size_t i = 0; i < m->execution_count; ++i) json_decref(m->executions[i].forms);
  free(m->executions);
  *m = (struct render_message){0};
}

bool render_is_aside(const struct render_message *m) {
  return m->kind == RENDER_CALL || m->kind == RENDER_RESULT || m->kind == RENDER_THINKING;
}

bool render_is_executed(const struct render_message *m) {
  if (m->kind != RENDER_CALL) return false;
  for (size_t i = 0; i < m->execution_count; ++i)
    if (ck_str_eq(ck_trim(m->text), ck_trim(m->executions[i].params))) return true;
  return false;
}

bool render_is_empty(const struct render_message *m) {
  return ck_trim(m->text).n == 0 && !m->thinking && !m->attachments && !m->citations &&
         m->execution_count == 0;
}

/* A person's text is shown as it was written, unless it has a fence of Markdown. */
bool render_is_markdown(const struct render_message *m) {
  if (ck_str_is(m->role, "assistant")) return true;
  return m->kind == RENDER_SAID && m->text.n && memmem(m->text.s, m->text.n, "```", 3);
}

struct ck_str render_attached_text(const struct render_message *m, const json_t *attachment) {
  struct ck_str text = render_member(attachment, "text");
  bool said = text.n && m->text.n && memmem(m->text.s, m->text.n, text.s, text.n);
  return said ? (struct ck_str){0} : text;
}

/* ---- the conversation ---- */

void render_conversation_of(struct render_conversation *c, const struct ck_row *row,
                            const struct ck_row *link) {
  json_t *details = details_of(ck_row_text(row, CK_CONVERSATIONS_DETAILS));
  struct ck_str name = render_member(details, "project_name");
  *c = (struct render_conversation){
      .id = ck_row_key(row),
      .platform = ck_row_text(row, CK_CONVERSATIONS_PLATFORM),
      .title = ck_row_text(row, CK_CONVERSATIONS_TITLE),
      .summary = ck_row_text(row, CK_CONVERSATIONS_SUMMARY),
      .project = name.n ? name : render_member(details, "project"),
      .account = render_member(details, "account"),
      .model = render_member(details, "model"),
      .created_at = ck_row_int(row, CK_CONVERSATIONS_CREATED_AT, 0),
      .newest_at = ck_row_int(row, CK_CONVERSATIONS_NEWEST_AT,
                              ck_row_int(row, CK_CONVERSATIONS_LAST_MESSAGE_AT, 0)),
      .details = details};
  if (!link) return;
  c->remote_id = ck_row_text(link, CK_LINKS_REMOTE_CONVERSATION_ID);
  c->url = ck_row_text(link, CK_LINKS_PAGE_URL);
}

void render_conversation_free(struct render_conversation *c) {
  json_decref(c->details);
  *c = (struct render_conversation){0};
}
