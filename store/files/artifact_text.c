/* The .txt of each table, the .json, and the session index in both forms. */
#include "store/files/artifact_text.h"

#include "proto/clock.h"

#define FACT_BYTES 2000 /* long enough for almost every address */
#define LINE_BYTES 200  /* of a message in a list */
#define LABEL_WIDTH 15
#define ROLE_WIDTH 10

/* ---- facts ---- */

/* Appends the value on one line, without control characters, which a terminal would obey. */
static void plain(struct ck_buf *out, struct ck_str value, size_t bytes) {
  size_t from = out->len;
  ck_buf_summary(out, value, bytes);
  for (size_t i = from; i < out->len; i++) {
    unsigned char c = (unsigned char)out->data[i];
    bool c1 = c == 0xC2 && i + 1 < out->len && (unsigned char)out->data[i + 1] < 0xA0;
    if (c < 0x20 || c == 0x7F || c1) out->data[i] = '?';
    if (c1) out->data[i + 1] = '?';
  }
}

/* Appends blanks until there are `width` bytes after `from`; at least one. */
static void pad(struct ck_buf *out, size_t from, size_t width) {
  do ck_buf_text(out, " ");
  while (out->len - from < width);
}

static void label(struct ck_buf *out, const char *name) {
  size_t from = out->len;
  ck_buf_text(out, name);
  pad(out, from, LABEL_WIDTH);
}

/* A missing value has no line. */
static void fact(struct ck_buf *out, const char *name, const struct ck_row *row, int column) {
  struct ck_str value = ck_row_text(row, column);
  if (value.n == 0) return;
  label(out, name);
  plain(out, value, FACT_BYTES);
  ck_buf_text(out, "\n");
}

static void fact_int(struct ck_buf *out, const char *name, const struct ck_row *row, int column) {
  if (row->v[column].state != CK_INT) return;
  label(out, name);
  ck_buf_printf(out, "%lld\n", (long long)row->v[column].as.i);
}

static void time_of(struct ck_buf *out, const struct ck_row *row, int column) {
  char text[CK_TIME_TEXT];
  ck_time_text(text, ck_row_int(row, column, 0));
  ck_buf_text(out, text);
}

static void fact_time(struct ck_buf *out, const char *name, const struct ck_row *row, int column) {
  if (row->v[column].state != CK_INT) return;
  label(out, name);
  time_of(out, row, column);
  ck_buf_text(out, "\n");
}

/* The text unchanged, with a newline after it if it does not end with one. */
static void body(struct ck_buf *out, struct ck_str text) {
  ck_buf_str(out, text);
  if (text.n == 0 || text.s[text.n - 1] != '\n') ck_buf_text(out, "\n");
}

static void section(struct ck_buf *out, const char *title, const struct ck_row *row, int column) {
  struct ck_str text = ck_row_text(row, column);
  if (text.n == 0) return;
  ck_buf_printf(out, "\n── %s ──\n", title);
  body(out, text);
}

/* ---- one record ---- */

static void message_text(struct ck_buf *out, const struct ck_row *row) {
  fact(out, "message", row, CK_MESSAGES_ID);
  fact(out, "platform", row, CK_MESSAGES_PLATFORM);
  fact(out, "role", row, CK_MESSAGES_ROLE);
  fact_time(out, "time", row, CK_MESSAGES_OBSERVED_AT);
  fact(out, "conversation", row, CK_MESSAGES_CONVERSATION_ID);
  fact(out, "page", row, CK_MESSAGES_PAGE_TITLE);
  fact(out, "address", row, CK_MESSAGES_PAGE_URL);
  fact(out, "organization", row, CK_MESSAGES_ORGANIZATION_ID);
  fact(out, "after", row, CK_MESSAGES_PARENT_ID);
  fact_int(out, "position", row, CK_MESSAGES_POSITION);
  ck_buf_text(out, "\n");
  struct ck_str text = ck_row_text(row, CK_MESSAGES_RAW_TEXT);
  body(out, text.n ? text : CK_LIT("(no text)"));
}

/* A failure has an error; without any, there is no result yet. */
static const char *result_of(const struct ck_row *row) {
  if (ck_row_int(row, CK_EXECUTIONS_RESULT_OK, 0)) return "ok\n";
  bool none = ck_row_text(row, CK_EXECUTIONS_RESULT_ERROR).n == 0 &&
              ck_row_text(row, CK_EXECUTIONS_RESULT_DATA).n == 0;
  return none ? "none\n" : "failed\n";
}

static void execution_text(struct ck_buf *out, const struct ck_row *row) {
  fact(out, "execution", row, CK_EXECUTIONS_INSTRUCTION_ID);
  fact(out, "message", row, CK_EXECUTIONS_MESSAGE_ID);
  fact(out, "target", row, CK_EXECUTIONS_TARGET);
  fact(out, "tool", row, CK_EXECUTIONS_TOOL);
  fact_time(out, "time", row, CK_EXECUTIONS_EXECUTED_AT);
  label(out, "result");
  ck_buf_text(out, result_of(row));
  fact_int(out, "http status", row, CK_EXECUTIONS_HTTP_STATUS);
  fact(out, "params kind", row, CK_EXECUTIONS_PARAMS_KIND);
  section(out, "params", row, CK_EXECUTIONS_PARAMS);
  section(out, "summary", row, CK_EXECUTIONS_RESULT_SUMMARY);
  section(out, "result", row, CK_EXECUTIONS_RESULT_DATA);
  section(out, "error", row, CK_EXECUTIONS_RESULT_ERROR);
}

/* One line of a list: time, role, and the beginning of the text. */
static void line(struct ck_buf *out, const struct artifact_message *m) {
  const struct ck_row *message = &m->row;
  ck_buf_text(out, m->beside ? "~ " : "  ");
  time_of(out, message, CK_MESSAGES_OBSERVED_AT);
  ck_buf_text(out, "  ");
  size_t from = out->len;
  plain(out, ck_row_text(message, CK_MESSAGES_ROLE), LINE_BYTES);
  pad(out, from, ROLE_WIDTH);
  struct ck_str summary = ck_row_text(message, CK_MESSAGES_SUMMARY);
  plain(out, summary.n ? summary : CK_LIT("(no text)"), LINE_BYTES);
  ck_buf_text(out, "\n");
}

static void session_text(struct ck_buf *out, const struct ck_row *row,
                         const struct artifact_message *messages, int count, int most) {
  fact(out, "session", row, CK_SESSIONS_ID);
  fact(out, "platform", row, CK_SESSIONS_PLATFORM);
  fact(out, "conversation", row, CK_SESSIONS_CONVERSATION_ID);
  fact_time(out, "started", row, CK_SESSIONS_STARTED_AT);
  fact_time(out, "last activity", row, CK_SESSIONS_LAST_ACTIVITY_AT);
  fact_int(out, "messages", row, CK_SESSIONS_MESSAGE_COUNT);
  fact_int(out, "executions", row, CK_SESSIONS_EXECUTION_COUNT);
  fact(out, "summary", row, CK_SESSIONS_SUMMARY);
  ck_buf_text(out, "\n");
  if (count >= most) ck_buf_printf(out, "  … the newest %d messages:\n", most);
  for (int i = 0; i < count; i++) line(out, &messages[i]);
}

void artifact_text(struct ck_buf *out, const struct ck_row *row,
                   const struct artifact_message *messages, int count, int most) {
  if (row->table == CK_MESSAGES) message_text(out, row);
  if (row->table == CK_EXECUTIONS) execution_text(out, row);
  if (row->table == CK_SESSIONS) session_text(out, row, messages, count, most);
}

void artifact_json(struct ck_buf *out, const struct ck_row *row) {
  ck_row_json(out, row);
  ck_buf_text(out, "\n");
}

/* ---- the session index ---- */

static void latest_session_text(struct ck_buf *out, const struct artifact_session *s) {
  ck_buf_text(out, "\n");
  time_of(out, &s->row, CK_SESSIONS_LAST_ACTIVITY_AT);
  ck_buf_text(out, "  ");
  plain(out, ck_row_text(&s->row, CK_SESSIONS_ID), FACT_BYTES);
  ck_buf_printf(out, "\n  messages %lld, executions %lld, ",
                (long long)ck_row_int(&s->row, CK_SESSIONS_MESSAGE_COUNT, 0),
                (long long)ck_row_int(&s->row, CK_SESSIONS_EXECUTION_COUNT, 0));
  plain(out, ck_row_text(&s->row, CK_SESSIONS_STATIC_PATH), FACT_BYTES);
  ck_buf_text(out, "\n");
  for (int i = 0; i < s->count; i++) line(out, &s->messages[i]);
}

void artifact_latest_text(struct ck_buf *out, const struct artifact_session *sessions, int count) {
  ck_buf_text(out,
              count ? "The sessions last active, the newest first, each with its newest messages.\n"
                    : "No session yet.\n");
  for (int i = 0; i < count; i++) latest_session_text(out, &sessions[i]);
}

/* Appends the row's object without its closing brace. */
static void open_object(struct ck_buf *out, const struct ck_row *row) {
  ck_row_json(out, row);
  out->len--;
}

void artifact_latest_json(struct ck_buf *out, const struct artifact_session *sessions, int count) {
  ck_buf_text(out, "{\"sessions\":[");
  for (int i = 0; i < count; i++) {
    ck_buf_text(out, i ? ",\n" : "\n");
    open_object(out, &sessions[i].row);
    ck_buf_text(out, ",\"messages\":[");
    for (int m = 0; m < sessions[i].count; m++) {
      ck_buf_text(out, m ? ",\n  " : "\n  ");
      open_object(out, &sessions[i].messages[m].row);
      ck_buf_text(out, sessions[i].messages[m].beside ? ",\"beside\":true}" : "}");
    }
    ck_buf_text(out, "]}");
  }
  ck_buf_text(out, "]}\n");
}
