/* A conversation as JSON, which `import` takes again (ingest/sources/convkeep.c): its rows with all
 * columns, each message on a line of its own. docs/reading.md has the form. */
#include <stdlib.h>
#include "cli/out.h"
#include "cli/reading/export_document.h"
#include "cli/reading/reading.h"
#include "cli/rows.h"
#include "proto/map.h"

struct writer {
  struct export_text to;
  bool some; /* a message is written */
};

static struct ck_row *rows_of(enum ck_table t, const json_t *objects) {
  size_t i;
  const json_t *object;
  struct ck_row *rows = ck_alloc(json_array_size(objects) * sizeof *rows);
  json_array_foreach(objects, i, object) cli_row_of(&rows[i], t, object);
  return rows;
}

/* ---- rows that belong to the conversation ---- */

static void put_rows(struct writer *w, const char *name, enum ck_table t, const json_t *objects) {
  struct ck_row *rows = rows_of(t, objects);
  render_json_rows(&w->to.text, name, rows, json_array_size(objects));
  free(rows);
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
  const json_t *objects = json_object_get(object, "executions");
  struct ck_row row, *executions = rows_of(CK_EXECUTIONS, objects);
  cli_row_of(&row, CK_MESSAGES, object);
  ck_buf_text(&w->to.text, w->some ? RENDER_JSON_NEXT : RENDER_JSON_FIRST);
  w->some = true;
  render_json_message(&w->to.text, &row, executions, json_array_size(objects));
  free(executions);
  return export_text_write(&w->to, false);
}

static int put_head(struct cli *c, struct writer *w, const json_t *conversation,
                    const struct cli_reading *r) {
  struct cli_filter of = {"local_conversation_id",
                          cli_member(conversation, "local_conversation_id"), 0};
  struct ck_row row;
  cli_row_of(&row, CK_CONVERSATIONS, conversation);
  ck_buf_text(&w->to.text, RENDER_JSON_CONVERSATION);
  render_json_record(&w->to.text, &row);
  int rc = put_of(c, w, "links", CK_LINKS, &of, 1);
  if (rc == CLI_GO_ON) rc = put_sessions(c, w, r);
  if (rc == CLI_GO_ON) rc = put_of(c, w, "jobs", CK_JOBS, &of, 1);
  return rc;
}

/* The messages, and the end of the object. */
static int put_messages(struct cli *c, struct writer *w, const struct cli_reading *r,
                        const size_t *chosen, size_t count) {
  ck_buf_text(&w->to.text, RENDER_JSON_MESSAGES);
  int rc = cli_reading_walk(c, r, chosen, count, take, w);
  ck_buf_text(&w->to.text, w->some ? "\n" RENDER_JSON_LAST : RENDER_JSON_LAST);
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
  ck_buf_text(&w.to.text, RENDER_JSON_OBJECT);
  rc = put_loose_sessions(c, &w);
  if (rc == CLI_GO_ON) rc = put_messages(c, &w, &r, chosen, count);
  ck_buf_free(&w.to.text);
  free(chosen);
  cli_reading_free(&r);
  return rc;
}
