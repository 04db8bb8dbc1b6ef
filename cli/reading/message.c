/* Printing a message; see message.h. */
#include "cli/reading/message.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/time.h"

/* Of a text that is folded to a line; no terminal is wider. */
#define LINE_BYTES 1000

static struct ck_str text_of(const json_t *value) {
  return (struct ck_str){json_string_value(value), json_string_length(value)};
}

static struct ck_str member(const json_t *object, const char *name) {
  return text_of(json_object_get(object, name));
}

static bool is(const json_t *object, const char *name, const char *text) {
  return strcmp(cli_member(object, name), text) == 0;
}

json_t *cli_message_details(const json_t *message) {
  struct ck_str text = member(message, "details");
  json_t *details = text.n ? json_loadb(text.s, text.n, JSON_ALLOW_NUL, NULL) : NULL;
  if (json_is_object(details)) return details;
  json_decref(details);
  return json_object();
}

bool cli_message_is_hidden(const json_t *message, const json_t *details) {
  if (json_is_true(json_object_get(details, "hidden")) || is(details, "kind", "context"))
    return true;
  return is(message, "role", "system") && ck_trim(member(message, "raw_text")).n == 0 &&
         json_array_size(json_object_get(details, "attachments")) == 0 &&
         json_array_size(json_object_get(message, "executions")) == 0;
}

/* ---- citations ---- */

/* ChatGPT's markers: U+E200 … U+E201 (U+E202 between their parts), and before them 【…】. */
static const char *const opens[] = {"\xEE\x88\x80", "\xE3\x80\x90"};
static const char *const closes[] = {"\xEE\x88\x81", "\xE3\x80\x91"};
#define BETWEEN "\xEE\x88\x82"
#define MARK 3 /* bytes of each */
#define MARKER_MOST 2000

/* The marker with which text begins; empty if it begins with none. *kind: of opens. */
static struct ck_str marker(struct ck_str text, size_t *kind) {
  for (*kind = 0; *kind < sizeof opens / sizeof *opens; ++*kind) {
    if (!ck_str_starts(text, opens[*kind])) continue;
    size_t most = text.n < MARKER_MOST ? text.n : MARKER_MOST;
    const char *end = memmem(text.s, most, closes[*kind], MARK);
    if (end) return (struct ck_str){text.s, (size_t)(end - text.s) + MARK};
  }
  return (struct ck_str){NULL, 0};
}

static void put_citation(struct ck_buf *b, const json_t *citation) {
  struct ck_str title = member(citation, "title"), url = member(citation, "url");
  if (title.n) {
    ck_buf_text(b, "[");
    ck_buf_str(b, title);
    ck_buf_text(b, "]");
  }
  if (url.n) {
    ck_buf_text(b, title.n ? "(" : "<");
    ck_buf_str(b, url);
    ck_buf_text(b, title.n ? ")" : ">");
  }
}

/* Appends all citations with this marker; false if there is none that says anything. */
static bool put_cited(struct ck_buf *b, struct ck_str text, const json_t *citations, bool *used) {
  size_t i, before = b->len;
  const json_t *citation;
  json_array_foreach(citations, i, citation) {
    if (!ck_str_eq(member(citation, "text"), text)) continue;
    if (b->len > before) ck_buf_text(b, " ");
    put_citation(b, citation);
    if (used) used[i] = true;
  }
  return b->len > before;
}

/* A marker of which nothing is known: "[cite turn0search1]". */
static void put_unknown(struct ck_buf *b, struct ck_str text) {
  ck_buf_text(b, "[");
  for (size_t i = MARK; i < text.n - MARK;) {
    bool between = ck_str_starts((struct ck_str){text.s + i, text.n - i}, BETWEEN);
    ck_buf_add(b, between ? " " : text.s + i, 1);
    i += between ? MARK : 1;
  }
  ck_buf_text(b, "]");
}

void cli_cited_text(struct ck_buf *b, struct ck_str text, const json_t *citations, bool *used) {
  size_t from = 0, kind;
  for (size_t i = 0; i < text.n;) {
    unsigned char c = (unsigned char)text.s[i];
    struct ck_str found = {NULL, 0};
    if (c == 0xEE || c == 0xE3) found = marker((struct ck_str){text.s + i, text.n - i}, &kind);
    if (found.n == 0) {
      ++i;
      continue;
    }
    ck_buf_add(b, text.s + from, i - from);
    if (!put_cited(b, found, citations, used)) {
      if (kind == 0)
        put_unknown(b, found);
      else
        ck_buf_str(b, found);
    }
    from = i += found.n;
  }
  ck_buf_add(b, text.s + from, text.n - from);
}

/* ---- lines ---- */

/* Appends text that can do nothing to the terminal, on one line. */
static void put_safe(struct ck_buf *b, struct ck_str text) {
  struct ck_buf folded = {0};
  ck_buf_summary(&folded, text, LINE_BYTES);
  cli_visible_text(b, ck_buf_view(&folded));
  ck_buf_free(&folded);
}

static void put_cut(struct ck_buf *b, struct ck_str text, size_t width) {
  struct ck_buf safe = {0};
  put_safe(&safe, text);
  cli_cut_text(b, ck_buf_view(&safe), width);
  ck_buf_free(&safe);
}

void cli_folded_line(struct ck_buf *b, const struct cli_message_style *style, struct ck_str text) {
  struct ck_buf line = {0};
  ck_buf_text(&line, "▸ ");
  put_cut(&line, text, style->width > 2 ? style->width - 2 : 1);
  cli_paint(b, style->colour, CLI_DIM, ck_buf_view(&line));
  ck_buf_text(b, "\n");
  ck_buf_free(&line);
}

/* The text unchanged but for what commands a terminal, with a line break at its end. */
static void put_lines(struct ck_buf *b, struct ck_str text) {
  if (text.n == 0) return;
  cli_visible_text(b, text);
  if (b->data[b->len - 1] != '\n') ck_buf_text(b, "\n");
}

/* Something that is one line unless the style is full. head: what it is. */
static void put_part(struct ck_buf *b, const struct cli_message_style *style, struct ck_str head,
                     struct ck_str text) {
  struct ck_buf line = {0};
  if (style->full) {
    ck_buf_text(&line, "▾ ");
    put_safe(&line, head);
    cli_paint(b, style->colour, CLI_DIM, ck_buf_view(&line));
    ck_buf_text(b, "\n");
    put_lines(b, text);
  } else {
    ck_buf_str(&line, head);
    ck_buf_text(&line, ": ");
    ck_buf_str(&line, ck_utf8_cut(text, 4 * LINE_BYTES));
    cli_folded_line(b, style, ck_buf_view(&line));
  }
  ck_buf_free(&line);
}

/* ---- what belongs to a message ---- */

static void put_thinking(struct ck_buf *b, const struct cli_message_style *style,
                         const json_t *details) {
  size_t i;
  const json_t *thought;
  json_array_foreach(json_object_get(details, "thinking"), i, thought)
      put_part(b, style, CK_LIT("thinking"), text_of(thought));
}

static void put_attachments(struct ck_buf *b, const struct cli_message_style *style,
                            const json_t *details) {
  size_t i;
  const json_t *file;
  json_array_foreach(json_object_get(details, "attachments"), i, file) {
    struct ck_buf line = {0};
    struct ck_str name = member(file, "name"), type = member(file, "type");
    int64_t size = cli_member_int(file, "size", -1);
    ck_buf_text(&line, "attachment ");
    ck_buf_str(&line, name.n ? name : member(file, "file"));
    if (type.n || size >= 0) ck_buf_text(&line, " (");
    ck_buf_str(&line, type);
    if (type.n && size >= 0) ck_buf_text(&line, ", ");
    if (size >= 0) cli_count_text(&line, (uint64_t)size);
    if (size >= 0) ck_buf_text(&line, ck_noun((uint64_t)size, " byte", " bytes"));
    if (type.n || size >= 0) ck_buf_text(&line, ")");
    if (style->full && member(file, "text").n)
      put_part(b, style, ck_buf_view(&line), member(file, "text"));
    else
      cli_folded_line(b, style, ck_buf_view(&line));
    ck_buf_free(&line);
  }
}

/* Citations that the text has no marker for. */
static void put_sources(struct ck_buf *b, const struct cli_message_style *style,
                        const json_t *citations, const bool *used) {
  size_t i;
  const json_t *citation;
  json_array_foreach(citations, i, citation) {
    struct ck_buf line = {0};
    ck_buf_text(&line, "source ");
    put_citation(&line, citation);
    if (!used[i] && line.len > sizeof "source " - 1) cli_folded_line(b, style, ck_buf_view(&line));
    ck_buf_free(&line);
  }
}

static void put_execution_line(struct ck_buf *b, const struct cli_message_style *style,
                               struct ck_str name, const json_t *execution) {
  enum cli_result outcome = cli_result_of(execution);
  struct ck_str params = ck_utf8_cut(member(execution, "params"), LINE_BYTES),
                result = member(execution, "result_data");
  if (outcome == CLI_RESULT_FAILED && member(execution, "result_error").n)
    result = member(execution, "result_error");
  struct ck_buf line = {0};
  ck_buf_str(&line, name);
  if (params.n) {
    ck_buf_text(&line, ": ");
    put_cut(&line, params, style->width / 2);
  }
  ck_buf_text(&line, outcome == CLI_RESULT_OK       ? " → ok"
                     : outcome == CLI_RESULT_FAILED ? " → failed"
                                                    : " → no result");
  if (result.n) ck_buf_text(&line, ": ");
  ck_buf_str(&line, ck_utf8_cut(result, LINE_BYTES));
  cli_folded_line(b, style, ck_buf_view(&line));
  ck_buf_free(&line);
}

static void put_execution(struct ck_buf *b, const struct cli_message_style *style,
                          const json_t *execution) {
  struct ck_buf name = {0};
  struct ck_str target = member(execution, "target"), tool = member(execution, "tool");
  put_safe(&name, target);
  if (!ck_str_eq(target, tool)) ck_buf_text(&name, " ");
  if (!ck_str_eq(target, tool)) put_safe(&name, tool);
  if (style->full) {
    enum cli_result outcome = cli_result_of(execution);
    put_part(b, style, ck_buf_view(&name), member(execution, "params"));
    put_part(b, style,
             outcome == CLI_RESULT_OK       ? CK_LIT("ok")
             : outcome == CLI_RESULT_FAILED ? CK_LIT("failed")
                                            : CK_LIT("no result"),
             member(execution, "result_data"));
    put_lines(b, member(execution, "result_error"));
  } else {
    put_execution_line(b, style, ck_buf_view(&name), execution);
  }
  ck_buf_free(&name);
}

static void put_executions(struct ck_buf *b, const struct cli_message_style *style,
                           const json_t *message) {
  size_t i;
  const json_t *execution;
  json_array_foreach(json_object_get(message, "executions"), i, execution)
      put_execution(b, style, execution);
}

/* ---- the message ---- */

/* A time that nobody told is made up (docs/records.md), and is not shown. */
static bool time_is_known(const json_t *message, const json_t *details) {
  return !json_is_false(json_object_get(details, "time_known")) &&
         cli_member_int(message, "observed_at", 0) != cli_member_int(message, "created_at", -1);
}

static void put_head(struct ck_buf *b, const struct ck_step *step, const json_t *message,
                     const json_t *details, const struct cli_message_style *style) {
  static const char *const kinds[] = {"error", "call", "result", "thinking", "context", "other"};
  struct ck_buf line = {0};
  ck_buf_text(&line, "── ");
  put_safe(&line, member(message, "role"));
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if (is(details, "kind", kinds[i])) ck_buf_printf(&line, " · %s", kinds[i]);
  struct ck_str more[] = {member(details, "type"), member(details, "model")};
  for (size_t i = is(details, "kind", "other") ? 0 : 1; i < 2; ++i) {
    if (more[i].n) ck_buf_text(&line, " · ");
    put_safe(&line, more[i]);
  }
  if (cli_message_is_hidden(message, details)) ck_buf_text(&line, " · hidden");
  if (time_is_known(message, details)) {
    ck_buf_text(&line, " · ");
    cli_time_text(&line, cli_member_int(message, "observed_at", 0));
  }
  if (style->has_tree && !step->placed) ck_buf_text(&line, " · place unknown");
  ck_buf_text(&line, " ──");
  cli_paint(b, style->colour, CLI_BOLD, ck_buf_view(&line));
  ck_buf_text(b, "\n");
  ck_buf_free(&line);
}

bool cli_message_is_folded(const json_t *details, const struct cli_message_style *style) {
  return !style->full && (is(details, "kind", "call") || is(details, "kind", "result") ||
                          is(details, "kind", "thinking"));
}

/* A call that was executed shows what was executed instead of itself. A result may be no text, but
 * attachments. */
static void put_folded(struct ck_buf *b, const json_t *message, const json_t *details,
                       const struct cli_message_style *style) {
  struct ck_buf head = {0};
  if (is(details, "kind", "call") && json_array_size(json_object_get(message, "executions")))
    return;
  if (is(details, "kind", "result") && member(message, "raw_text").n == 0) return;
  ck_buf_str(&head, member(details, "kind"));
  if (!is(details, "kind", "thinking")) {
    ck_buf_text(&head, " of ");
    ck_buf_str(&head, member(message, "role"));
  }
  put_part(b, style, ck_buf_view(&head), member(message, "raw_text"));
  ck_buf_free(&head);
}

static void put_text(struct ck_buf *b, const json_t *message, const json_t *details,
                     const struct cli_message_style *style) {
  const json_t *citations = json_object_get(details, "citations");
  bool *used = ck_zalloc((json_array_size(citations) + 1) * sizeof *used);
  struct ck_buf text = {0};
  cli_cited_text(&text, member(message, "raw_text"), citations, used);
  put_lines(b, ck_buf_view(&text));
  put_sources(b, style, citations, used);
  ck_buf_free(&text);
  free(used);
}

/* The text of a call is mostly what it was executed with, which comes below it anyway. */
static bool is_executed(const json_t *message) {
  size_t i;
  const json_t *execution, *text = json_object_get(message, "raw_text");
  json_array_foreach(json_object_get(message, "executions"), i, execution) {
    if (json_equal(text, json_object_get(execution, "params"))) return true;
  }
  return false;
}

void cli_message_text(struct ck_buf *b, const struct ck_step *step, const json_t *message,
                      const json_t *details, const struct cli_message_style *style) {
  bool folded = cli_message_is_folded(details, style);
  if (!folded) put_head(b, step, message, details, style);
  size_t head = b->len;
  put_thinking(b, style, details);
  bool executed = is(details, "kind", "call") && is_executed(message),
       after_thoughts = style->full && b->len > head && member(message, "raw_text").n;
  if (after_thoughts && !executed) put_part(b, style, CK_LIT("text"), CK_LIT(""));
  if (folded)
    put_folded(b, message, details, style);
  else if (!executed)
    put_text(b, message, details, style);
  put_executions(b, style, message);
  put_attachments(b, style, details);
  if (b->len == head) cli_folded_line(b, style, CK_LIT("(no text)"));
}

/* ---- JSON ---- */

json_t *cli_message_json(const struct ck_step *step, size_t branches, const json_t *message,
                         const json_t *details) {
  static const char *const lists[] = {"thinking", "attachments", "citations"};
  json_t *out = cli_record_json(CK_MESSAGES, message);
  json_t *rest = json_deep_copy(details), *executions = json_array(), *execution;
  size_t i;
  json_object_set_new(
      out, "branch",
      json_pack("{s:I, s:I}", "n", (json_int_t)step->branch, "of", (json_int_t)branches));
  json_object_set_new(out, "placed", json_boolean(step->placed));
  const json_t *kind = json_object_get(details, "kind");
  json_object_set_new(out, "kind",
                      json_is_string(kind) ? json_deep_copy(kind) : json_string("text"));
  json_t *model = json_object_get(details, "model");
  json_object_set(out, "model", model ? model : json_null());
  for (i = 0; i < sizeof lists / sizeof *lists; ++i) {
    json_t *list = json_object_get(details, lists[i]);
    json_object_set_new(out, lists[i], list ? json_incref(list) : json_array());
    json_object_del(rest, lists[i]);
  }
  json_array_foreach(json_object_get(message, "executions"), i, execution)
      json_array_append_new(executions, cli_record_json(CK_EXECUTIONS, execution));
  json_object_set_new(out, "executions", executions);
  json_object_del(rest, "kind");
  json_object_del(rest, "model");
  json_object_set_new(out, "details", rest);
  return out;
}
