/* Reading what there is in the mirror's database, and making what is missing (schema.h). */
#include "syncd/tasks/schema.h"

#include <stdlib.h>
#include <string.h>

#include "proto/doors.h"
#include "proto/log.h"
#include "syncd/sql/mirror.h"
#include "syncd/sql/mirror_postgres.h"
#include "syncd/sql/mirror_witness.h"

#define STORE_HERE_MS 1000 /* for a store that runs to answer */

struct schema {
  struct sync_task *t;
  struct ck_mirror_there there;
  bool refill; /* a table was made */
};

static void note(void *self, const struct ck_str *cells, size_t n) {
  struct schema *s = self;
  if (n < 4) return;
  if (ck_str_is(cells[1], CK_MIRROR_WITNESS)) s->there.witness = true;
  enum ck_table t = ck_table_named(cells[1]);
  if (t == CK_TABLES || !ck_str_is(cells[1], ck_tables[t].name)) return;
  ck_mirror_note(&s->there, t, cells[0], cells[2], cells[3]);
}

static void restart(void *self) {
  struct schema *s = self;
  s->there = (struct ck_mirror_there){0};
}

static int run_query(struct schema *s, struct sync_query *a, struct ck_err *err) {
  struct sync_answer answer;
  if (sync_task_query(s->t, a, &answer, err)) return -1;
  return answer.class == SYNC_DONE ? 0 : sync_task_refused(&answer, err);
}

static void say_did(struct sync_task *t, const char *table, const char *what) {
  struct ck_buf *line = sync_task_line(t);
  ck_buf_printf(line, "{\"did\":{\"table\":\"%s\",\"what\":", table);
  sync_task_text(line, ck_str_of(what));
  ck_buf_text(line, "}}");
  sync_task_say(t);
}

static int bring_up(struct schema *s, unsigned *done, struct ck_err *err) {
  for (int t = 0; t < CK_TABLES; ++t) {
    struct ck_buf sql = {0}, what = {0};
    unsigned n = ck_mirror_missing(&sql, &what, s->t->sink->dialect, (enum ck_table)t, &s->there);
    if (!s->there.table[t].there && s->there.witness) ck_mirror_witness_refill(&sql, false);
    struct sync_query run = {.kind = SYNC_QUERY_SQL, .sql = ck_buf_cstr(&sql)};
    int rc = n ? run_query(s, &run, err) : 0;
    if (rc == 0) s->refill |= !s->there.table[t].there;
    if (rc == 0 && n) say_did(s->t, ck_tables[t].name, ck_buf_cstr(&what));
    *done += n;
    ck_buf_free(&sql);
    ck_buf_free(&what);
    if (rc) return ck_fail_in(err, "%s", ck_tables[t].name);
  }
  return 0;
}

static int make_witness(struct schema *s, unsigned *done, struct ck_err *err) {
  struct ck_buf sql = {0};
  bool missing = ck_mirror_witness_missing(&sql, s->t->sink->dialect, &s->there);
  if (missing) ck_mirror_witness_refill(&sql, true);
  struct sync_query run = {.kind = SYNC_QUERY_SQL, .sql = ck_buf_cstr(&sql)};
  int rc = missing ? run_query(s, &run, err) : 0;
  if (rc == 0 && missing) say_did(s->t, CK_MIRROR_WITNESS, "table");
  *done += missing;
  ck_buf_free(&sql);
  return rc ? ck_fail_in(err, CK_MIRROR_WITNESS) : 0;
}

/* A store that runs is told at once that tables are to be filled again; another one reads it from
 * the witness when it starts. */
static void tell_store(struct sync_task *t) {
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer = {0};
  struct ck_err err;
  zmq_msg_t frame;
  if (ck_ask(t->store, &request, &answer, &frame, STORE_HERE_MS, &err)) return;
  zmq_msg_close(&frame);
  if (sync_task_witness(t, &err)) ck_log(CK_WARN, "-", "untold", "reason=%s", ck_quotedz(err.text));
}

void sync_schema_print(struct sync_task *t, bool old) {
  struct ck_buf sql = {0}, *line = sync_task_line(t);
  ck_mirror_schema(&sql, t->sink->dialect, old);
  ck_buf_text(line, "{\"result\":{\"sql\":");
  sync_task_text(line, ck_buf_view(&sql));
  ck_buf_text(line, "}}");
  sync_task_say(t);
  ck_buf_free(&sql);
}

int sync_schema(struct sync_task *t, struct ck_err *err) {
  struct schema s = {.t = t};
  struct ck_buf sql = {0};
  if (t->sink->dialect == CK_MIRROR_POSTGRES)
    ck_pg_what_is_there(&sql);
  else
    ck_mirror_what_is_there(&sql);
  struct sync_query read = {.kind = SYNC_QUERY_SQL,
                            .sql = ck_buf_cstr(&sql),
                            .row = note,
                            .restart = restart,
                            .self = &s};
  unsigned done = 0;
  /* With own_schema, open() has made what was missing. */
  int rc = t->sink->own_schema ? 0 : run_query(&s, &read, err);
  if (rc == 0 && !t->sink->own_schema)
    rc = bring_up(&s, &done, err) || make_witness(&s, &done, err) ? -1 : 0;
  ck_buf_free(&sql);
  if (rc) return -1;
  if (s.refill) tell_store(t);
  struct ck_buf *line = sync_task_line(t);
  ck_buf_text(line, "{\"result\":{\"sink\":");
  sync_task_text(line, ck_str_of(t->sink->name));
  ck_buf_printf(line, ",\"statements\":%u,\"requests\":%llu}}", done,
                (unsigned long long)t->requests);
  sync_task_say(t);
  return 0;
}
