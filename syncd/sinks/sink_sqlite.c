/* The sqlite sink: mirror.db, an SQLite file beside the store's. Values are bound one by one and
 * never pass through JSON: SQLite's JSON functions before 3.45 end a text at U+0000.
 *
 * Several syncd may share the file. SQLite before 3.51.3 can corrupt a WAL that two connections
 * write and checkpoint at once, so a process holds the lock file while it opens, writes or
 * checkpoints. */
#include "syncd/sinks/sink.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/file.h"
#include "proto/lock.h"
#include "proto/log.h"
#include "proto/places.h"
#include "proto/sqlite_pages.h"
#include "syncd/sql/mirror.h"

#define CACHE_KIB 4096
#define BUSY_MS 500 /* another transaction holds it: a person at the sqlite3 prompt */
#define FULL_WAIT_MS 500
#define EMPTY_AGAIN_MS 500
#define LOCK_RETRY_MS 2
#define OPEN_TRIES 1500
#define CLOSE_TRIES 200

/* The statements for a row: the second and third only if another record may have what is unique;
 * the last one of what was forgotten, which deletes from a table. */
enum statement { UPSERT, RELEASE, UPSERT_UNIQUE, FORGET, STATEMENTS };
static void (*const makers[STATEMENTS])(struct ck_buf *sql, enum ck_table t) = {
    ck_mirror_upsert_one, ck_mirror_release_one, ck_mirror_upsert_unique_one, ck_mirror_forget_one};

struct sqlite_sink {
  sqlite3 *db;
  sqlite3_stmt *statements[STATEMENTS][CK_TABLES]; /* prepared when first needed */
  int lock;
  bool empties; /* the WAL has what was deleted */
  struct sync_slice *slice;
  struct sync_query *query;
};

/* ---- the lock ---- */

static bool lock_taken(struct sqlite_sink *k) { return ck_turn_try(k->lock); }
static void unlock(struct sqlite_sink *k) { ck_turn_end(k->lock); }

static bool lock_patiently(struct sqlite_sink *k, int tries) {
  while (!lock_taken(k)) {
    if (--tries == 0) return false;
    usleep(LOCK_RETRY_MS * 1000);
  }
  return true;
}

/* ---- opening ---- */

static int failed(struct sqlite_sink *k, const char *what, struct ck_err *err) {
  return ck_fail(err, "%s: %s", what, sqlite3_errmsg(k->db));
}

/* A trigger of somebody else's may change what is mirrored. It is not removed, because a mirror may
 * have some of a person's own; but nobody should have to look for it. */
static void name_triggers(struct sqlite_sink *k, const char *file) {
  sqlite3_stmt *s = NULL;
  sqlite3_prepare_v2(k->db,
                     "SELECT group_concat(substr(name, 1, 60), ', ') FROM (SELECT name"
                     " FROM sqlite_schema WHERE type = 'trigger' ORDER BY name LIMIT 10)",
                     -1, &s, NULL);
  if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
    ck_log(CK_WARN, file, "triggers", "names=%s",
           ck_quotedz((const char *)sqlite3_column_text(s, 0)));
  sqlite3_finalize(s);
}

/* Notes one row of ck_mirror_what_is_there. */
static int note(void *self, int n, char **cells, char **names) {
  (void)names;
  enum ck_table t = n == 4 && cells[1] ? ck_table_named(ck_str_of(cells[1])) : CK_TABLES;
  if (t != CK_TABLES)
    ck_mirror_note(self, t, ck_str_of(cells[0]), ck_str_of(cells[2]),
                   ck_str_of(cells[3] ? cells[3] : ""));
  return 0;
}

static int make(struct sqlite_sink *k) {
  struct ck_buf sql = {0};
  ck_mirror_schema(&sql, CK_MIRROR_EMBEDDED, false);
  int rc = sqlite3_exec(k->db, ck_buf_cstr(&sql), NULL, NULL, NULL);
  ck_buf_free(&sql);
  return rc;
}

#define NAMED_MAX 3

static int name_row(void *self, int n, char **cells, char **names) {
  struct ck_buf *rows = self;
  (void)names;
  if (n < 3 || !cells[0] || !cells[1] || !cells[2]) return 0;
  ck_buf_printf(rows, "%s%.60s (%.60s)", rows->len ? ", " : "", cells[0], cells[1]);
  return 0;
}

static int take_total(void *self, int n, char **cells, char **names) {
  (void)names;
  if (n == 3 && cells[2]) *(long long *)self = atoll(cells[2]);
  return 0;
}

/* Names the rows that are in the way of a unique index that is missing, if that is what failed. */
static void name_rows(struct sqlite_sink *k, const struct ck_mirror_there *there,
                      struct ck_err *err) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t)
    for (int i = 0; i < 2; ++i) {
      struct ck_buf sql = {0}, rows = {0}, unique = {0};
      long long total = 0;
      ck_unique_names(&unique, t);
      if (there->table[t].there && !there->table[t].unique[i] && (i == 0 || unique.len)) {
        ck_mirror_in_the_way(&sql, t, i == 0, NAMED_MAX);
        sqlite3_exec(k->db, ck_buf_cstr(&sql), name_row, &rows, NULL);
        sqlite3_exec(k->db, ck_buf_cstr(&sql), take_total, &total, NULL);
      }
      if (total)
        ck_fail(err,
                "%s: %lld rows share their %s, which must be unique: %s%s; change all but one of"
                " each",
                ck_tables[t].name, total,
                i ? ck_buf_cstr(&unique) : ck_tables[t].fields[ck_tables[t].key].name,
                ck_buf_cstr(&rows), total > NAMED_MAX ? ", …" : "");
      ck_buf_free(&sql);
      ck_buf_free(&rows);
      ck_buf_free(&unique);
      if (total) return;
    }
}

/* Adds what a mirror of an earlier version lacks. The views show the columns that there were when
 * they were made, so they are made again. */
static int bring_up(struct sqlite_sink *k, struct ck_err *err) {
  struct ck_mirror_there there = {0};
  struct ck_buf sql = {0}, what = {0};
  unsigned lacks = 0;
  ck_mirror_what_is_there(&sql);
  int rc = sqlite3_exec(k->db, ck_buf_cstr(&sql), note, &there, NULL);
  ck_buf_clear(&sql);
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    lacks += ck_mirror_missing(&sql, &what, CK_MIRROR_EMBEDDED, t, &there, false);
    ck_buf_printf(&sql, "DROP VIEW IF EXISTS %s_iso;\n", ck_tables[t].name);
  }
  if (rc == SQLITE_OK && lacks) rc = sqlite3_exec(k->db, ck_buf_cstr(&sql), NULL, NULL, NULL);
  if (rc == SQLITE_CONSTRAINT) {
    ck_fail(err, "%s", sqlite3_errmsg(k->db));
    name_rows(k, &there, err);
  }
  if (rc == SQLITE_OK && lacks) rc = make(k);
  ck_buf_free(&sql);
  ck_buf_free(&what);
  return rc;
}

/* How many tables of the mirror there are. */
static int count_tables(struct sqlite_sink *k) {
  struct ck_buf sql = {0};
  sqlite3_stmt *s = NULL;
  ck_buf_text(&sql, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ("
                    "'" CK_MIRROR_WITNESS "'");
  for (int t = 0; t < CK_TABLES; ++t) ck_buf_printf(&sql, ", '%s'", ck_tables[t].name);
  ck_buf_text(&sql, ")");
  sqlite3_prepare_v2(k->db, ck_buf_cstr(&sql), -1, &s, NULL);
  int n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
  sqlite3_finalize(s);
  ck_buf_free(&sql);
  return n;
}

/* A table that somebody has dropped is made anew, and to be filled again. An empty file is not, as
 * long as nobody says so. */
static int refill(struct sqlite_sink *k, int tables) {
  struct ck_buf sql = {0};
  if (tables == 0 || tables == CK_TABLES + 1) return SQLITE_OK;
  ck_mirror_witness_refill(&sql, false);
  int rc = sqlite3_exec(k->db, ck_buf_cstr(&sql), NULL, NULL, NULL);
  ck_buf_free(&sql);
  return rc;
}

/* err is filled if there is a better reason than SQLite's. */
static int prepare(struct sqlite_sink *k, struct ck_err *err) {
  struct sqlite3 *db = k->db;
  sqlite3_busy_timeout(db, BUSY_MS);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  char begin[200];
  snprintf(begin, sizeof begin,
           "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;"
           " PRAGMA secure_delete = ON; PRAGMA cache_size = -%d; BEGIN IMMEDIATE",
           CACHE_KIB);
  int rc = sqlite3_exec(db, begin, NULL, NULL, NULL);
  int tables = rc == SQLITE_OK ? count_tables(k) : 0;
  if (rc == SQLITE_OK) rc = make(k);
  if (rc == SQLITE_OK) rc = bring_up(k, err);
  if (rc == SQLITE_OK) rc = refill(k, tables);
  return rc == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : rc;
}

static int open_files(struct sqlite_sink *k, const char *file, struct ck_err *err) {
  char *lock = ck_place_mirror_lock(file);
  k->lock = ck_turn_open(lock, true, err);
  int rc = k->lock < 0 ? -1 : 0;
  if (!rc && !lock_patiently(k, OPEN_TRIES))
    rc = ck_fail(err, "%s: another syncd keeps it locked", lock);
  free(lock);
  if (rc) return -1;
  int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  /* Elsewhere, the folders on the way may be links. */
  if (*file != '/') flags |= SQLITE_OPEN_NOFOLLOW;
  struct ck_err why = {{0}};
  bool open = sqlite3_open_v2(file, &k->db, flags, ck_sqlite_pages_vfs()) == SQLITE_OK;
  if (open) ck_sqlite_pages_guard(k->db);
  if (!open || prepare(k, &why) != SQLITE_OK)
    rc = why.text[0] ? ck_fail(err, "%s: %s", file, why.text) : failed(k, file, err);
  else
    name_triggers(k, file);
  unlock(k);
  return rc;
}

static void sqlite_close(void **self) {
  struct sqlite_sink *k = *self;
  if (!k) return;
  for (int what = 0; what < STATEMENTS; ++what)
    for (enum ck_table t = 0; t < CK_TABLES; ++t) sqlite3_finalize(k->statements[what][t]);
  /* Closing the last connection checkpoints. */
  bool locked = k->lock >= 0 && lock_patiently(k, CLOSE_TRIES);
  if (k->db && !locked) sqlite3_db_config(k->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_close(k->db);
  if (k->lock >= 0) close(k->lock);
  free(k);
  *self = NULL;
}

static int sqlite_open(void **self, const struct ck_settings *s, struct ck_err *err) {
  struct sqlite_sink *k = ck_zalloc(sizeof *k);
  k->lock = -1;
  *self = k;
  int rc =
      ck_check_sqlite_file(s, err) || open_files(k, ck_set_text(s, CK_SET_SYNC_SQLITE_FILE), err);
  if (rc) sqlite_close(self);
  return rc ? -1 : 0;
}

/* ---- applying ---- */

static sqlite3_stmt *statement(struct sqlite_sink *k, enum statement what, enum ck_table t) {
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
static enum sync_class apply_to(struct sqlite_sink *k, enum statement what, enum ck_table t,
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

static enum sync_class apply(struct sqlite_sink *k, enum statement what, const struct sync_row *r,
                             struct sync_answer *a) {
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

static bool sqlite_step(void *self, struct sync_answer *answer) {
  struct sqlite_sink *k = self;
  if (!lock_taken(k)) return false;
  *answer = (struct sync_answer){.class = SYNC_DONE};
  if (k->query)
    answer_query(k, answer);
  else
    transaction(k, answer);
  if (!k->query) empty_wal(k, answer);
  unlock(k);
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
