/* A conversation as JSON, which `import` takes again (ingest/sources/convkeep.c): its rows with all
 * columns, each message on a line of its own. docs/reading.md has the form. */
#include <stdlib.h>
#include "cli/out.h"
#include "cli/reading/export_document.h"
#include "cli/reading/reading.h"
#include "cli/rows.h"
#include "proto/ages.h"
#include "proto/map.h"

struct writer {
  struct export_text to;
  bool some; /* a message is written */
};

/* ---- a row ---- */

/* The store's own, which mean nothing elsewhere: the original is a row of this store's, and what is
 * imported is not live. */
static bool is_left_out(enum ck_table t, int c) {
  return (t == CK_MESSAGES && (c == CK_MESSAGES_ORIGINAL || c == CK_MESSAGES_LIVE)) ||
         (t == CK_EXECUTIONS && c == CK_EXECUTIONS_ORIGINAL);
}

/* Without that of the original. */
static json_t *ages_of(enum ck_table t, struct ck_row *row) {
  int64_t ages[CK_COLUMNS_MAX];
  char out[CK_AGES_BYTES];
  for (int c = 0; c < ck_tables[t].columns; ++c)
    if (is_left_out(t, c)) row->v[c] = ck_null();
  ck_ages_read(ages, row);
  struct ck_str text = ck_ages_write(out, row, ages);
  return json_stringn(text.s, text.n);
}

static json_t *details_of(const json_t *text) {
  json_t *details = json_loadb(json_string_value(text), json_string_length(text),
                               JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  return details ? details : json_deep_copy(text);
}

/* What is NULL is left out. */
static json_t *record(enum ck_table t, const json_t *object) {
  const struct ck_table_info *info = &ck_tables[t];
  struct ck_row row;
  json_t *out = json_object();
  cli_row_of(&row, t, object);
  for (int c = 0; c < info->columns; ++c) {
    json_t *value = json_object_get(object, info->fields[c].name);
    if (!value || json_is_null(value) || is_left_out(t, c)) continue;
    bool details = strcmp(info->fields[c].name, "details") == 0;
    json_object_set_new(out, info->fields[c].name,
                        c == info->ages ? ages_of(t, &row)
                        : details       ? details_of(value)
                                        : json_incref(value));
  }
  return out;
}

static void put(struct writer *w, json_t *value) {
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  ck_buf_text(&w->to.text, text ? text : "null");
  free(text);
  json_decref(value);
}

/* ---- rows that belong to the conversation ---- */

static int by_key(const void *x, const void *y) {
  const json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
  return strcmp(json_string_value(a), json_string_value(b));
}

/* Puts the rows in the order of their keys, so that the same rows are the same bytes. */
static void put_rows(struct writer *w, const char *name, enum ck_table t, const json_t *rows) {
  const char *key = ck_tables[t].fields[ck_tables[t].key].name;
  size_t n = json_array_size(rows);
  json_t **keys = ck_alloc(n * sizeof *keys), *by_id = json_object();
  for (size_t i = 0; i < n; ++i) {
    json_t *row = json_array_get(rows, i);
    keys[i] = json_object_get(row, key);
    json_object_set(by_id, json_string_value(keys[i]), row);
  }
  qsort(keys, n, sizeof *keys, by_key);
  ck_buf_printf(&w->to.text, ",\n\"%s\":[", name);
  for (size_t i = 0; i < n; ++i) {
    if (i) ck_buf_text(&w->to.text, ",");
    put(w, record(t, json_object_get(by_id, json_string_value(keys[i]))));
  }
  ck_buf_text(&w->to.text, "]");
  free(keys);
  json_decref(by_id);
}

static int put_of(struct cli *c, struct writer *w, const char *name, enum ck_table t,
                  const struct cli_filter *filters, size_t count) {
  json_t *rows;
  int rc = cli_query_all(c, ck_tables[t].name, filters, count, &rows);
  if (rc != CLI_GO_ON) return rc;
  put_rows(w, name, t, rows);
  json_decref(rows);
  return rc;
}

/* Those of each of its conversations on a platform. */
static int put_sessions(struct cli *c, struct writer *w, const struct cli_reading *r) {
  json_t *all = json_array();
  int rc = CLI_GO_ON;
  for (size_t i = 0; i < r->own && rc == CLI_GO_ON; ++i) {
    const json_t *of = json_array_get(r->conversations, i);
    struct cli_filter filters[] = {{"conversation_id", cli_member(of, "conversation_id"), 0},
                                   {"platform", cli_member(of, "platform"), 0}};
    json_t *rows;
    rc = cli_query_all(c, "sessions", filters, 2, &rows);
    if (rc != CLI_GO_ON) break;
    json_array_extend(all, rows);
    json_decref(rows);
  }
  if (rc == CLI_GO_ON) put_rows(w, "sessions", CK_SESSIONS, all);
  json_decref(all);
  return rc;
}

static bool take(void *self, const struct ck_step *step, json_t *object) {
  struct writer *w = self;
  if (step->conversation != 0) return true; /* of a conversation from which it was forked */
  json_t *message = record(CK_MESSAGES, object), *executions = json_array(), *execution;
  size_t i;
  json_array_foreach(json_object_get(object, "executions"), i, execution)
      json_array_append_new(executions, record(CK_EXECUTIONS, execution));
  if (i)
    json_object_set_new(message, "executions", executions);
  else
    json_decref(executions);
  ck_buf_text(&w->to.text, w->some ? ",\n" : "\n");
  w->some = true;
  put(w, message);
  return export_text_write(&w->to, false);
}

static int put_head(struct cli *c, struct writer *w, const json_t *conversation,
                    const struct cli_reading *r) {
  struct cli_filter of = {"local_conversation_id",
                          cli_member(conversation, "local_conversation_id"), 0};
  ck_buf_text(&w->to.text, "{\"convkeep\":1,\n\"conversation\":");
  put(w, record(CK_CONVERSATIONS, conversation));
  int rc = put_of(c, w, "links", CK_LINKS, &of, 1);
  if (rc == CLI_GO_ON) rc = put_sessions(c, w, r);
  if (rc == CLI_GO_ON) rc = put_of(c, w, "jobs", CK_JOBS, &of, 1);
  return rc;
}

/* The messages, and the end of the object. */
static int put_messages(struct cli *c, struct writer *w, const struct cli_reading *r,
                        const size_t *chosen, size_t count) {
  ck_buf_text(&w->to.text, ",\n\"messages\":[");
  int rc = cli_reading_walk(c, r, chosen, count, take, w);
  ck_buf_text(&w->to.text, w->some ? "\n]}" : "]}");
  if (rc == CLI_GO_ON && !w->to.failed) export_text_write(&w->to, true);
  return rc == CLI_GO_ON && w->to.failed ? CLI_FAILED : rc;
}

int export_json(struct cli *c, const json_t *conversation, const struct export_choice *choice,
                struct export_out *out, struct ck_err *err) {
  struct cli_reading r;
  size_t *chosen, count;
  int rc = export_order(c, conversation, choice->branch, &r, &chosen, &count);
  if (rc != CLI_GO_ON) return rc;
  struct writer w = {.to = {.out = out, .err = err}};
  rc = put_head(c, &w, conversation, &r);
  if (rc == CLI_GO_ON) rc = put_messages(c, &w, &r, chosen, count);
  ck_buf_free(&w.to.text);
  free(chosen);
  cli_reading_free(&r);
  return rc;
}

/* The filter of what belongs to no conversation. */
static void of_none(struct ck_buf *filters) {
  struct ck_map m = ck_map_open(filters);
  ck_pair_name(&m, "conversation_id");
  ck_put_nil(filters);
  ck_map_close(&m);
}

int export_has_loose(struct cli *c, bool *some) {
  struct ck_buf filters = {0};
  json_t *rows;
  of_none(&filters);
  int rc = cli_query_packed(c, "messages", ck_buf_view(&filters), 1, &rows);
  ck_buf_free(&filters);
  if (rc != CLI_GO_ON) return rc;
  *some = json_array_size(rows) > 0;
  json_decref(rows);
  return rc;
}

static int put_loose_sessions(struct cli *c, struct writer *w) {
  struct ck_buf filters = {0};
  json_t *rows;
  of_none(&filters);
  int rc = cli_query_packed_all(c, "sessions", ck_buf_view(&filters), &rows);
  ck_buf_free(&filters);
  if (rc != CLI_GO_ON) return rc;
  put_rows(w, "sessions", CK_SESSIONS, rows);
  json_decref(rows);
  return rc;
}

int export_loose(struct cli *c, struct export_out *out, struct ck_err *err) {
  struct cli_reading r;
  size_t *chosen = NULL, count = 0;
  struct writer w = {.to = {.out = out, .err = err}};
  int rc = cli_reading_loose(c, &r);
  if (rc != CLI_GO_ON) return rc;
  if (r.count) count = cli_reading_all(&r, false, &chosen);
  ck_buf_text(&w.to.text, "{\"convkeep\":1");
  rc = put_loose_sessions(c, &w);
  if (rc == CLI_GO_ON) rc = put_messages(c, &w, &r, chosen, count);
  ck_buf_free(&w.to.text);
  free(chosen);
  cli_reading_free(&r);
  return rc;
}
