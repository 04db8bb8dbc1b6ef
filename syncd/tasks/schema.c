/* Reading what there is in the mirror's database, and making what is missing (schema.h). */
#include "syncd/tasks/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/doors.h"
#include "proto/log.h"
#include "syncd/sql/mirror.h"
#include "syncd/sql/mirror_postgres.h"
#include "syncd/sql/mirror_witness.h"

#define NAMED_MAX 20
#define STORE_HERE_MS 1000 /* for a store that runs to answer */

struct schema {
  struct sync_task *t;
  struct ck_mirror_there there;
  bool extra;  /* the predecessor's other indexes, too */
  bool refill; /* a table was made */
  unsigned done;
  struct ck_buf *shown; /* the statements, if they are only shown; else NULL */
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

static int run_query(struct schema *s, struct sync_query *a, struct sync_answer *answer,
                     struct ck_err *err) {
  if (sync_task_query(s->t, a, answer, err)) return -1;
  return answer->class == SYNC_DONE ? 0 : sync_task_refused(answer, err);
}

static void say_did(struct sync_task *t, const char *table, const char *what) {
  struct ck_buf *line = sync_task_line(t);
  ck_buf_printf(line, "{\"did\":{\"table\":\"%s\",\"what\":", table);
  sync_task_text(line, ck_str_of(what));
  ck_buf_text(line, "}}");
  sync_task_say(t);
}

/* ---- what is in the way of a unique index ---- */

struct in_the_way {
  struct schema *s;
  enum ck_table table;
  bool any;
  char total[24];
};

static void say_row(void *self, const struct ck_str *cells, size_t n) {
  struct in_the_way *w = self;
  struct ck_buf *line = sync_task_line(w->s->t);
  if (n < 3) return;
  w->any = true;
  snprintf(w->total, sizeof w->total, "%.*s", (int)cells[2].n, cells[2].s);
  ck_buf_printf(line, "{\"in_the_way\":{\"table\":\"%s\",\"key\":", ck_tables[w->table].name);
  sync_task_text(line, cells[0]);
  ck_buf_text(line, ",\"shares\":");
  sync_task_text(line, cells[1]);
  ck_buf_text(line, "}}");
  sync_task_say(w->s->t);
}

/* Names the rows that share what must be unique, if that is why the index could not be made. */
static void name_rows(struct schema *s, enum ck_table t, struct ck_err *err) {
  const struct ck_mirror_table *at = &s->there.table[t];
  struct ck_buf names = {0};
  ck_unique_names(&names, t);
  for (int i = 0; i < 2; ++i) {
    struct in_the_way w = {.s = s, .table = t};
    struct ck_buf sql = {0};
    struct sync_answer answer;
    if (at->unique[i] || (i && !names.len)) continue;
    ck_mirror_in_the_way(&sql, t, i == 0, NAMED_MAX);
    struct sync_query read = {
        .kind = SYNC_QUERY_SQL, .sql = ck_buf_cstr(&sql), .row = say_row, .self = &w};
    if (run_query(s, &read, &answer, NULL) == 0 && w.any)
      ck_fail(err,
              "%s rows share their %s, which must be unique (the first %d are named): delete or"
              " change all but one of each, then do it again",
              w.total, i ? ck_buf_cstr(&names) : ck_tables[t].fields[ck_tables[t].key].name,
              NAMED_MAX);
    ck_buf_free(&sql);
  }
  ck_buf_free(&names);
}

/* ---- making what is missing, or only saying it ---- */

static int make_table(struct schema *s, enum ck_table t, const struct ck_buf *what, const char *sql,
                      struct ck_err *err) {
  struct sync_query run = {.kind = SYNC_QUERY_SQL, .sql = sql};
  struct sync_answer answer = {0};
  int rc = run_query(s, &run, &answer, err);
  if (rc && answer.class == SYNC_EARLY) name_rows(s, t, err);
  if (rc) return ck_fail_in(err, "%s", ck_tables[t].name);
  s->refill |= !s->there.table[t].there;
  char *made = ck_str_dup(ck_buf_view(what));
  say_did(s->t, ck_tables[t].name, made);
  free(made);
  return 0;
}

static int bring_up(struct schema *s, struct ck_err *err) {
  int rc = 0;
  for (enum ck_table t = 0; t < CK_TABLES && rc == 0; ++t) {
    struct ck_buf sql = {0}, what = {0};
    unsigned n = ck_mirror_missing(&sql, &what, s->t->sink->dialect, t, &s->there, s->extra);
    if (!s->there.table[t].there && s->there.witness) ck_mirror_witness_refill(&sql, false);
    if (n && s->shown)
      ck_buf_printf(s->shown, "-- %s\n%s", ck_tables[t].name, ck_buf_cstr(&sql));
    else if (n)
      rc = make_table(s, t, &what, ck_buf_cstr(&sql), err);
    s->done += n;
    ck_buf_free(&sql);
    ck_buf_free(&what);
  }
  return rc;
}

static int make_witness(struct schema *s, struct ck_err *err) {
  struct ck_buf sql = {0};
  bool missing = ck_mirror_witness_missing(&sql, s->t->sink->dialect, &s->there);
  if (missing) ck_mirror_witness_refill(&sql, true);
  struct sync_query run = {.kind = SYNC_QUERY_SQL, .sql = ck_buf_cstr(&sql)};
  struct sync_answer answer;
  int rc = 0;
  if (missing && s->shown)
    ck_buf_printf(s->shown, "-- " CK_MIRROR_WITNESS "\n%s", ck_buf_cstr(&sql));
  else if (missing)
    rc = run_query(s, &run, &answer, err);
  if (rc == 0 && missing && !s->shown) say_did(s->t, CK_MIRROR_WITNESS, "table");
  s->done += missing;
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

static void say_sql(struct sync_task *t, const struct ck_buf *sql) {
  struct ck_buf *line = sync_task_line(t);
  ck_buf_text(line, "{\"result\":{\"sql\":");
  sync_task_text(line, ck_buf_view(sql));
  ck_buf_text(line, "}}");
  sync_task_say(t);
}

void sync_schema_print(struct sync_task *t, bool extra) {
  struct ck_buf sql = {0};
  ck_mirror_schema(&sql, t->sink->dialect, extra);
  say_sql(t, &sql);
  ck_buf_free(&sql);
}

/* Reads what there is, then makes or shows what is missing. */
static int go_through(struct schema *s, struct ck_err *err) {
  struct ck_buf sql = {0};
  struct sync_answer answer;
  if (s->t->sink->dialect == CK_MIRROR_POSTGRES)
    ck_pg_what_is_there(&sql);
  else
    ck_mirror_what_is_there(&sql);
  struct sync_query read = {
      .kind = SYNC_QUERY_SQL, .sql = ck_buf_cstr(&sql), .row = note, .restart = restart, .self = s};
  int rc = run_query(s, &read, &answer, err) || bring_up(s, err) || make_witness(s, err) ? -1 : 0;
  ck_buf_free(&sql);
  return rc;
}

int sync_schema_show(struct sync_task *t, bool extra, struct ck_err *err) {
  struct ck_buf sql = {0};
  struct schema s = {.t = t, .extra = extra, .shown = &sql};
  int rc = 0;
  if (t->sink->own_schema)
    ck_buf_printf(&sql, "-- syncd itself makes what %s lacks, when it opens it%s\n", t->sink->name,
                  extra ? "; sync schema --indexes --apply adds the other indexes" : "");
  else
    rc = go_through(&s, err);
  if (rc) return ck_fail_in(err, "it looks at the database, to print what that lacks");
  if (!sql.len) ck_buf_text(&sql, "-- nothing is missing\n");
  say_sql(t, &sql);
  ck_buf_free(&sql);
  return 0;
}

int sync_schema(struct sync_task *t, bool extra, struct ck_err *err) {
  struct schema s = {.t = t, .extra = extra};
  if (go_through(&s, err)) return -1;
  if (s.refill) tell_store(t);
  struct ck_buf *line = sync_task_line(t);
  ck_buf_text(line, "{\"result\":{\"sink\":");
  sync_task_text(line, ck_str_of(t->sink->name));
  ck_buf_printf(line, ",\"statements\":%u,\"requests\":%llu}}", s.done,
                (unsigned long long)t->requests);
  sync_task_say(t);
  return 0;
}
