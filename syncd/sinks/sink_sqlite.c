/* The sqlite sink: mirror.db, an SQLite file beside the store's. Values are bound one by one and
 * never pass through JSON: SQLite's JSON functions before 3.45 end a text at U+0000.
 *
 * Several syncd may share the file. SQLite before 3.51.3 can corrupt a WAL that two connections
 * write and checkpoint at once, so a process holds the lock file while it opens, writes or
 * checkpoints.
 *
 * A file that loses its name while it is open (deleted, moved, replaced) is left, and what has the
 * name is opened: its witness tells what that is. */
#include "syncd/sinks/sink_sqlite_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/check.h"
#include "proto/file.h"
#include "proto/log.h"
#include "syncd/sql/mirror.h"

#define FULL_WAIT_MS 500
#define EMPTY_AGAIN_MS 500

static void (*const makers[STATEMENTS])(struct ck_buf *sql, enum ck_table t) = {
    ck_mirror_upsert_one, ck_mirror_release_one, ck_mirror_upsert_unique_one, ck_mirror_forget_one};

static void sqlite_close(void **self) {
  struct sqlite_sink *k = *self;
  if (!k) return;
  sqlite_file_close(k);
  free(k->file);
  free(k);
  *self = NULL;
}

static int sqlite_open(void **self, const struct ck_settings *s, struct ck_err *err) {
  struct sqlite_sink *k = ck_zalloc(sizeof *k);
  k->lock = -1;
  k->file = ck_strdup(ck_set_text(s, CK_SET_SYNC_SQLITE_FILE));
  *self = k;
  int rc = ck_check_sqlite_file(s, err) || sqlite_file_open(k, err);
  if (rc) sqlite_close(self);
  return rc ? -1 : 0;
}

/* ---- applying ---- */

static sqlite3_stmt *statement(struct sqlite_sink *k, enum sqlite_statement what, enum ck_table t) {
  sqlite3_stmt **st = &k->statements[what][t];
  struct ck_buf sql = {0};
  if (*st) return *st;
  makers[what](&sql, t);
  sqlite3_prepare_v3(k->db, ck_buf_cstr(&sql), (int)sql.len, SQLITE_PREPARE_PERSISTENT, st, NULL);
  ck_buf_free(&sql);
  return *st;
}

static int bind_value(sqlite3_stmt *st, int at, const struct ck_value *v) {
  if (v->state == CK_INT) return sqlite3_bind_int64(st, at, v->as.i);
  if (v->state == CK_TEXT)
    return sqlite3_bind_text64(st, at, v->as.s.s ? v->as.s.s : "", v->as.s.n, SQLITE_STATIC,
                               SQLITE_UTF8);
  return sqlite3_bind_null(st, at);
}

static bool is_full(sqlite3 *db) {
  int code = sqlite3_extended_errcode(db);
  return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE ||
         ((code & 0xff) == SQLITE_IOERR && sqlite3_system_errno(db) == ENOSPC);
}

/* Why the last call failed. A full disk is looked at again soon: that costs nobody anything. */
static enum sync_class say_why(struct sqlite_sink *k, struct sync_answer *a) {
  const char *why = sqlite3_errmsg(k->db);
  struct ck_err full;
  if (!is_full(k->db)) {
    sync_answer_text(a, sync_classify(0, ck_str_of(why), NULL), why);
    return a->class;
  }
  ck_fail_write(&full, sqlite3_db_filename(k->db, "main"), ENOSPC, why);
  sync_answer_text(a, SYNC_WAIT, full.text);
  a->wait_ms = FULL_WAIT_MS;
  return a->class;
}

/* On failure the answer's text says why. */
static enum sync_class apply_to(struct sqlite_sink *k, enum sqlite_statement what, enum ck_table t,
                                const struct sync_row *r, struct sync_answer *a) {
  sqlite3_stmt *st = statement(k, what, t);
  int columns = ck_tables[r->row.table].mirrored, rc = st ? SQLITE_OK : SQLITE_ERROR,
      before = sqlite3_total_changes(k->db), most = st ? sqlite3_bind_parameter_count(st) : 0;
  for (int c = 0; c < columns && c < most && rc == SQLITE_OK; ++c)
    rc = bind_value(st, c + 1, &r->row.v[c]);
  if (rc == SQLITE_OK && columns < most)
    rc = sqlite3_bind_int64(st, columns + 1, (sqlite3_int64)r->version);
  if (rc == SQLITE_OK) rc = sqlite3_step(st);
  a->written += (uint64_t)(sqlite3_total_changes(k->db) - before);
  if (rc == SQLITE_DONE)
    a->class = SYNC_DONE;
  else
    say_why(k, a);
  if (st) sqlite3_reset(st);
  return a->class;
}

static enum sync_class apply(struct sqlite_sink *k, enum sqlite_statement what,
                             const struct sync_row *r, struct sync_answer *a) {
  return apply_to(k, what, r->row.table, r, a);
}

/* Children first. */
static enum sync_class forget(struct sqlite_sink *k, const struct sync_row *r,
                              struct sync_answer *a) {
  enum sync_class c = SYNC_DONE;
  for (int t = CK_FORGOTTEN - 1; t >= 0 && c == SYNC_DONE; --t)
    c = apply_to(k, FORGET, (enum ck_table)t, r, a);
  k->empties = true;
  return c;
}

static enum sync_class apply_row(struct sqlite_sink *k, const struct sync_row *r,
                                 struct sync_answer *a) {
  enum sync_class c = apply(k, UPSERT, r, a);
  if (c == SYNC_DONE && r->row.table == CK_FORGOTTEN) return forget(k, r, a);
  if (c != SYNC_EARLY || ck_release_column(r->row.table) < 0) return c;
  c = apply(k, RELEASE, r, a);
  return c == SYNC_DONE ? apply(k, UPSERT_UNIQUE, r, a) : c;
}

/* A row's own fault undoes only its own statement: the row is marked, the others go on. Any other
 * fault undoes the slice. */
static enum sync_class apply_rows(struct sqlite_sink *k, struct sync_answer *a) {
  for (size_t i = 0; i < k->slice->n; ++i) {
    enum sync_class c = apply_row(k, k->slice->rows[i], a);
    if (c == SYNC_ROW || c == SYNC_EARLY)
      sync_row_mark(k->slice->rows[i], c == SYNC_ROW ? SYNC_ROW_DEAD : SYNC_ROW_EARLY, a->text);
    else if (c != SYNC_DONE)
      return c;
  }
  *a = (struct sync_answer){.class = SYNC_DONE, .written = a->written};
  return SYNC_DONE;
}

static enum sync_class run(struct sqlite_sink *k, const char *sql, struct sync_answer *a) {
  if (sqlite3_exec(k->db, sql, NULL, NULL, NULL) == SQLITE_OK) return SYNC_DONE;
  return say_why(k, a);
}

static enum sync_class write_witness(struct sqlite_sink *k, struct sync_answer *a) {
  struct ck_buf sql = {0};
  int before = sqlite3_total_changes(k->db);
  if (!ck_mirror_witness_kept(k->slice->witness)) return SYNC_DONE;
  ck_mirror_witness_write(&sql, k->slice->witness);
  enum sync_class c = run(k, ck_buf_cstr(&sql), a);
  a->written += (uint64_t)(sqlite3_total_changes(k->db) - before);
  ck_buf_free(&sql);
  return c;
}

static void transaction(struct sqlite_sink *k, struct sync_answer *a) {
  if (run(k, "BEGIN IMMEDIATE", a) != SYNC_DONE) return;
  if (apply_rows(k, a) == SYNC_DONE && write_witness(k, a) == SYNC_DONE &&
      run(k, "COMMIT", a) == SYNC_DONE)
    return;
  if (!sqlite3_get_autocommit(k->db)) sqlite3_exec(k->db, "ROLLBACK", NULL, NULL, NULL);
  a->written = 0;
  for (size_t i = 0; i < k->slice->n; ++i) sync_row_mark(k->slice->rows[i], SYNC_ROW_OPEN, NULL);
}

/* What was deleted leaves the WAL too, and this connection's memory (proto/sqlite_pages.h). As long
 * as somebody reads the WAL the slice is not done: it comes again, also after a kill, and the
 * mirror is behind, which is what the command `forget` waits for. */
static void empty_wal(struct sqlite_sink *k, struct sync_answer *a) {
  if (!k->empties || !sqlite3_get_autocommit(k->db) || a->class != SYNC_DONE) return;
  int rc = sqlite3_wal_checkpoint_v2(k->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  sqlite3_db_release_memory(k->db);
  k->empties = rc != SQLITE_OK;
  if (rc == SQLITE_OK) return;
  if (rc != SQLITE_BUSY) {
    say_why(k, a);
    return;
  }
  sync_answer_text(a, SYNC_WAIT,
                   "somebody reads the mirror, whose WAL still has what was forgotten: end that");
  a->wait_ms = EMPTY_AGAIN_MS;
  for (size_t i = 0; i < k->slice->n; ++i) sync_row_mark(k->slice->rows[i], SYNC_ROW_OPEN, NULL);
}

/* ---- asking ---- */

static int prepare_once(struct sqlite_sink *k, struct ck_buf *sql, sqlite3_stmt **st) {
  int rc = sqlite3_prepare_v2(k->db, ck_buf_cstr(sql), (int)sql->len + 1, st, NULL);
  ck_buf_free(sql);
  return rc;
}

static struct ck_str text_at(sqlite3_stmt *st, int column) {
  const char *text = (const char *)sqlite3_column_text(st, column);
  return (struct ck_str){text, (size_t)sqlite3_column_bytes(st, column)};
}

static int bind_text(sqlite3_stmt *st, int at, struct ck_str s) {
  return sqlite3_bind_text64(st, at, s.s ? s.s : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

/* Digests and versions are read from the same rows. */
static int query_range(struct sqlite_sink *k, struct sync_query *query, size_t at, size_t *left) {
  const struct ck_table_info *info = &ck_tables[query->table];
  const char *key = info->fields[info->key].name;
  struct sync_range *r = &query->ranges[at];
  struct ck_buf sql = {0};
  sqlite3_stmt *st = NULL;
  ck_buf_printf(&sql, "SELECT %s, version FROM %s WHERE %s > ?1%s%s%s ORDER BY %s", key, info->name,
                key, r->upto.n ? " AND " : "", r->upto.n ? key : "", r->upto.n ? " <= ?2" : "",
                key);
  int rc = prepare_once(k, &sql, &st);
  if (rc == SQLITE_OK) rc = bind_text(st, 1, r->after);
  if (rc == SQLITE_OK && r->upto.n) rc = bind_text(st, 2, r->upto);
  r->digest = (struct ck_digest){0};
  while (rc == SQLITE_OK && *left && (rc = sqlite3_step(st)) == SQLITE_ROW) {
    rc = SQLITE_OK;
    if (query->kind == SYNC_QUERY_DIGESTS) {
      ck_digest_add(&r->digest, text_at(st, 0), sqlite3_column_int64(st, 1));
      continue;
    }
    query->found(query->self, at, text_at(st, 0), sqlite3_column_int64(st, 1));
    --*left;
  }
  sqlite3_finalize(st);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int query_ranges(struct sqlite_sink *k, struct sync_query *query) {
  int rc = SQLITE_OK;
  size_t left = query->kind == SYNC_QUERY_VERSIONS ? query->limit : SIZE_MAX;
  for (size_t i = 0; i < query->range_count && rc == SQLITE_OK && left; ++i)
    rc = query_range(k, query, i, &left);
  return rc;
}

static int query_compare(struct sqlite_sink *k, struct sync_query *query) {
  struct ck_buf sql = {0};
  sqlite3_stmt *st = NULL;
  enum ck_table t = query->slice->rows[0]->row.table;
  ck_mirror_compare_one(&sql, t);
  int rc = prepare_once(k, &sql, &st);
  for (size_t i = 0; i < query->slice->n && rc == SQLITE_OK; ++i) {
    struct sync_row *r = query->slice->rows[i];
    for (int c = 0; c < ck_tables[t].mirrored && rc == SQLITE_OK; ++c)
      rc = bind_value(st, c + 1, &r->row.v[c]);
    if (rc == SQLITE_OK)
      rc = sqlite3_bind_int64(st, ck_tables[t].mirrored + 1, (sqlite3_int64)r->version);
    if (rc == SQLITE_OK) rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) sync_row_mark(r, SYNC_ROW_DIFFERENT, NULL);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) rc = sqlite3_reset(st);
  }
  sqlite3_finalize(st);
  return rc;
}

static int query_known(struct sqlite_sink *k, struct sync_query *query) {
  const struct ck_table_info *info = &ck_tables[query->table];
  struct ck_buf sql = {0};
  sqlite3_stmt *st = NULL;
  bool gone = query->kind == SYNC_QUERY_DELETE;
  ck_buf_printf(&sql, "%s %s%s WHERE %s = ?1 AND version = ?2", gone ? "DELETE FROM" : "UPDATE",
                info->name, gone ? "" : " SET version = 0", info->fields[info->key].name);
  if (ck_mirror_witness_kept(query->witness)) ck_mirror_witness_holds(&sql, query->witness);
  int rc = prepare_once(k, &sql, &st);
  for (size_t i = 0; i < query->known_count && rc == SQLITE_OK; ++i) {
    rc = bind_text(st, 1, query->known[i].key);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(st, 2, query->known[i].version);
    if (rc == SQLITE_OK) rc = sqlite3_step(st);
    if (rc == SQLITE_DONE) rc = sqlite3_reset(st);
  }
  sqlite3_finalize(st);
  return rc;
}

static int hand_row(void *self, int n, char **texts, char **names) {
  struct sync_query *query = self;
  struct ck_str cells[CK_COLUMNS_MAX + 1];
  size_t count = n <= CK_COLUMNS_MAX ? (size_t)n : CK_COLUMNS_MAX;
  (void)names;
  for (size_t i = 0; i < count; ++i) cells[i] = ck_str_of(texts[i]);
  query->row(query->self, cells, count);
  return 0;
}

static int query_sql(struct sqlite_sink *k, struct sync_query *query) {
  return sqlite3_exec(k->db, query->sql, query->row ? hand_row : NULL, query, NULL);
}

static const struct {
  int (*run)(struct sqlite_sink *k, struct sync_query *query);
  bool writes;
} queries[] = {
    [SYNC_QUERY_DIGESTS] = {query_ranges, false},  [SYNC_QUERY_VERSIONS] = {query_ranges, false},
    [SYNC_QUERY_COMPARE] = {query_compare, false}, [SYNC_QUERY_RESET] = {query_known, true},
    [SYNC_QUERY_DELETE] = {query_known, true},     [SYNC_QUERY_SQL] = {query_sql, true},
};

static void answer_query(struct sqlite_sink *k, struct sync_answer *a) {
  bool writes = queries[k->query->kind].writes;
  int before = sqlite3_total_changes(k->db);
  if (writes && run(k, "BEGIN IMMEDIATE", a) != SYNC_DONE) return;
  int rc = queries[k->query->kind].run(k, k->query);
  const char *why = sqlite3_errmsg(k->db);
  if (rc != SQLITE_OK) sync_answer_text(a, sync_classify(0, ck_str_of(why), NULL), why);
  if (writes && rc == SQLITE_OK) run(k, "COMMIT", a);
  if (!sqlite3_get_autocommit(k->db)) sqlite3_exec(k->db, "ROLLBACK", NULL, NULL, NULL);
  if (writes && a->class == SYNC_DONE)
    a->written = (uint64_t)(sqlite3_total_changes(k->db) - before);
}

/* ---- stepping ---- */

static void sqlite_begin(void *self, struct sync_slice *slice) {
  ((struct sqlite_sink *)self)->slice = slice;
}

static void sqlite_query(void *self, struct sync_query *query) {
  ((struct sqlite_sink *)self)->query = query;
}

/* Writes go to what has the name. */
static int open_again(struct sqlite_sink *k, struct ck_err *err) {
  if (k->db && sqlite_file_has_name(k)) return 0;
  if (k->db) ck_log(CK_WARN, k->file, "moved", "reason=%s", ck_quotedz("another file, or none"));
  sqlite_file_close(k);
  return sqlite_file_open(k, err);
}

static bool sqlite_step(void *self, struct sync_answer *answer) {
  struct sqlite_sink *k = self;
  struct ck_err err;
  *answer = (struct sync_answer){.class = SYNC_DONE};
  if (open_again(k, &err)) {
    sync_answer_text(answer, SYNC_STOP, err.text);
  } else if (!sqlite_file_lock(k)) {
    return false;
  } else {
    if (k->query)
      answer_query(k, answer);
    else
      transaction(k, answer);
    if (!k->query) empty_wal(k, answer);
    sqlite_file_unlock(k);
  }
  k->slice = NULL;
  k->query = NULL;
  return true;
}

static void sqlite_wait(void *self, struct ck_wait *w) {
  (void)self;
  ck_wait_within(w, LOCK_RETRY_MS);
}

const struct sync_sink sync_sink_sqlite = {
    .name = "sqlite",
    .own_schema = true,
    .dialect = CK_MIRROR_EMBEDDED,
    .open = sqlite_open,
    .begin = sqlite_begin,
    .query = sqlite_query,
    .step = sqlite_step,
    .wait = sqlite_wait,
    .close = sqlite_close,
};
