/* See pack_write.h. */
#include "store/originals/pack_write.h"

#include "store/originals/forgotten.h"

#include <stdlib.h>

#include "store/database/statements.h"

#define PARTS_A_STEP 1
#define DROPPED_AT_ONCE 4 /* parts of a block that is gone; more are deleted one a turn */

#define NOT_THERE " AND NOT EXISTS (SELECT 1 FROM originals WHERE id = ?3)"

/* S(NAME, sql). LEFT_OVER: blocks that no original is in, which a crash or a hand has left. */
#define STATEMENTS(S) \
  S(WAITING, "SELECT EXISTS (SELECT 1 FROM originals_grown)" \
             " OR EXISTS (SELECT 1 FROM logs_grown WHERE runs >= ?1)," \
             " EXISTS (SELECT 1 FROM logs_grown WHERE log > ?2)") \
  S(LEFT_OVER, "UPDATE blocks SET state = 'gone' WHERE state <> 'gone'" \
               " AND NOT EXISTS (SELECT 1 FROM originals o WHERE o.block = blocks.block)") \
  S(ADD_BLOCK, "INSERT OR IGNORE INTO blocks (id, bytes, parts, state)" \
               " VALUES (?1, ?2, ?3, 'coming')") \
  S(SAME, "SELECT block FROM blocks WHERE id = ?1 AND state = 'whole'") \
  S(ADD_PART, "INSERT INTO block_parts VALUES (?1, ?2, ?3)") \
  S(WHOLE, "UPDATE blocks SET state = 'whole' WHERE block = ?1") \
  S(MOVE, "UPDATE originals SET block = ?3, at = ?4 WHERE original = ?1 AND block = ?2") \
  S(EMPTIED, "UPDATE blocks SET state = 'gone' WHERE block = ?1" \
             " AND NOT EXISTS (SELECT 1 FROM originals WHERE block = ?1)") \
  S(DONE, "DELETE FROM originals_grown WHERE conversation = ?1") \
  S(BECOME, \
    "UPDATE OR REPLACE originals SET id = ?3, block = ?4, at = ?5, bytes = ?6, lines = ?7," \
    " chain_end = ?8, age = ?9, chain = ?10" \
    " WHERE original = ?1 AND block = ?2") \
  S(JOINED, "DELETE FROM originals WHERE original = ?1 AND block = ?2") \
  S(MESSAGES, "UPDATE messages SET original = ?2 WHERE original = ?1" NOT_THERE) \
  S(EXECUTIONS, "UPDATE executions SET original = ?2 WHERE original = ?1" NOT_THERE) \
  S(LOG_UPTO, "UPDATE logs_grown SET upto = ?2 WHERE log = ?1 AND runs = ?3") \
  S(LOG_DONE, "DELETE FROM logs_grown WHERE log = ?1 AND runs = ?2") \
  S(LOG_LESS, "UPDATE logs_grown SET runs = runs - ?2 WHERE log = ?1 AND runs > ?2") \
  S(GONE, "SELECT block, (SELECT min(part) FROM block_parts p WHERE p.block = b.block)" \
          " FROM blocks b WHERE state = 'gone' LIMIT 1") \
  S(DROP_PART, "DELETE FROM block_parts WHERE block = ?1 AND part = ?2") \
  S(DROP_BLOCK, "DELETE FROM blocks WHERE block = ?1 AND state = 'gone'")

DB_STATEMENTS(STATEMENTS)

struct pack_writer {
  sqlite3 *db;
  sqlite3_stmt *s[STATEMENT_COUNT];
  int64_t block; /* the pack's; 0: not begun */
  uint64_t part; /* the next one */
};

/* ---- statements ---- */

static int step(struct pack_writer *w, enum statement name, int64_t *first, int64_t *second,
                struct ck_err *err) {
  sqlite3_stmt *s = w->s[name];
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW && first) *first = sqlite3_column_int64(s, 0);
  if (rc == SQLITE_ROW && second)
    *second = sqlite3_column_type(s, 1) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, 1);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) db_fail(w->db, texts[name], err);
  sqlite3_reset(s);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int run_with(struct pack_writer *w, enum statement name, int64_t a, int64_t b,
                    struct ck_err *err) {
  sqlite3_bind_int64(w->s[name], 1, a);
  if (sqlite3_bind_parameter_count(w->s[name]) > 1) sqlite3_bind_int64(w->s[name], 2, b);
  return step(w, name, NULL, NULL, err) < 0 ? -1 : 0;
}

static uint64_t parts_of(const struct pack *k) {
  return (k->data.len + CK_BLOCK_PART - 1) / CK_BLOCK_PART;
}

/* The block of this id is there already if the same was packed before: its originals are in it. One
 * that is only coming has to come itself: nothing moves. */
static int begin_block(struct pack_writer *w, struct pack *k, struct ck_err *err) {
  sqlite3_stmt *s = w->s[ADD_BLOCK];
  db_bind_str(s, 1, ck_str_of(k->id));
  sqlite3_bind_int64(s, 2, (int64_t)k->bytes);
  sqlite3_bind_int64(s, 3, (int64_t)parts_of(k));
  if (step(w, ADD_BLOCK, NULL, NULL, err) < 0) return -1;
  w->block = sqlite3_last_insert_rowid(w->db);
  w->part = 0;
  if (sqlite3_changes(w->db)) return 0;
  db_bind_str(w->s[SAME], 1, ck_str_of(k->id));
  int there = step(w, SAME, &w->block, NULL, err);
  k->data.len = 0;
  if (there == 0) k->count = k->join_count = 0;
  return there < 0 ? -1 : 0;
}

static int add_part(struct pack_writer *w, const struct pack *k, struct ck_err *err) {
  sqlite3_stmt *s = w->s[ADD_PART];
  size_t from = w->part * CK_BLOCK_PART, left = k->data.len - from;
  sqlite3_bind_int64(s, 1, w->block);
  sqlite3_bind_int64(s, 2, (int64_t)w->part);
  sqlite3_bind_blob64(s, 3, k->data.data + from, left < CK_BLOCK_PART ? left : CK_BLOCK_PART,
                      SQLITE_STATIC);
  ++w->part;
  return step(w, ADD_PART, NULL, NULL, err) < 0 ? -1 : 0;
}

/* ---- runs of a log ---- */

/* The rows that name the part name the whole. Ages stay, and no version is given: the original is a
 * quiet column of both tables. */
static int rename_part(struct pack_writer *w, const struct pack_move *part,
                       const struct pack_join *whole, struct ck_err *err) {
  static const enum statement tables[] = {MESSAGES, EXECUTIONS};
  struct ck_buf id = {0};
  int rc = 0;
  ck_buf_hex(&id, part->key, ORIGINAL_KEY);
  for (size_t i = 0; i < 2 && rc == 0; ++i) {
    sqlite3_stmt *s = w->s[tables[i]];
    db_bind_str(s, 1, ck_buf_view(&id));
    db_bind_str(s, 2, ck_str_of(whole->id));
    sqlite3_bind_blob(s, 3, part->key, ORIGINAL_KEY, SQLITE_STATIC);
    rc = step(w, tables[i], NULL, NULL, err) < 0 ? -1 : 0;
  }
  ck_buf_free(&id);
  return rc;
}

static int become(struct pack_writer *w, const struct pack *k, struct pack_join *whole,
                  struct ck_err *err) {
  const struct pack_move *keeper = &k->moves[whole->keeper];
  unsigned char key[ORIGINAL_KEY];
  sqlite3_stmt *s = w->s[BECOME];
  original_key(ck_str_of(whole->id), key);
  sqlite3_bind_blob(s, 3, key, ORIGINAL_KEY, SQLITE_TRANSIENT);
  sqlite3_bind_int64(s, 4, w->block);
  sqlite3_bind_int64(s, 5, (int64_t)whole->to);
  sqlite3_bind_int64(s, 6, (int64_t)whole->bytes);
  sqlite3_bind_int64(s, 7, (int64_t)whole->lines);
  sqlite3_bind_blob(s, 8, whole->chain_end, CK_ORIGINAL_CHAIN, SQLITE_STATIC);
  sqlite3_bind_int64(s, 9, (int64_t)whole->first);
  sqlite3_bind_blob(s, 10, whole->chain, CK_ORIGINAL_CHAIN, SQLITE_STATIC);
  int rc = run_with(w, BECOME, keeper->original, keeper->from, err);
  whole->done = rc == 0 && sqlite3_changes(w->db) == 1;
  return rc;
}

static const struct pack_join *done_join(const struct pack *k, size_t i) {
  const struct pack_join *of = k->moves[i].join ? &k->joins[k->moves[i].join - 1] : NULL;
  return of && of->done ? of : NULL;
}

/* First the rows, then the names: an id may be that of several runs. If the row that is to become
 * the whole has moved meanwhile, the parts stay. */
static int join_runs(struct pack_writer *w, struct pack *k, struct ck_err *err) {
  for (size_t i = 0; i < k->join_count; ++i)
    if (become(w, k, &k->joins[i], err)) return -1;
  for (size_t i = 0; i < k->count; ++i)
    if (done_join(k, i) && i != done_join(k, i)->keeper &&
        run_with(w, JOINED, k->moves[i].original, k->moves[i].from, err))
      return -1;
  for (size_t i = 0; i < k->count; ++i)
    if (done_join(k, i) && rename_part(w, &k->moves[i], done_join(k, i), err)) return -1;
  return 0;
}

/* What has come to it since the thread looked is still to be done. */
static int end_log(struct pack_writer *w, const struct pack *k, struct ck_err *err) {
  if (k->log_upto < INT64_MAX) {
    sqlite3_bind_int64(w->s[LOG_UPTO], 3, k->log_runs);
    return run_with(w, LOG_UPTO, k->log, k->log_upto, err);
  }
  if (run_with(w, LOG_DONE, k->log, k->log_runs, err)) return -1;
  return run_with(w, LOG_LESS, k->log, k->log_runs, err);
}

/* ---- all of it ---- */

/* An original that has moved meanwhile, or was deleted, stays as it is. */
static int move_all(struct pack_writer *w, struct pack *k, struct ck_err *err) {
  if (k->count && run_with(w, WHOLE, w->block, 0, err)) return -1;
  for (size_t i = 0; i < k->count; ++i) {
    if (k->moves[i].join) continue;
    sqlite3_bind_int64(w->s[MOVE], 3, w->block);
    sqlite3_bind_int64(w->s[MOVE], 4, (int64_t)k->moves[i].to);
    if (run_with(w, MOVE, k->moves[i].original, k->moves[i].from, err)) return -1;
  }
  if (join_runs(w, k, err)) return -1;
  for (size_t i = 0; i < k->count; ++i)
    if ((i == 0 || k->moves[i].from != k->moves[i - 1].from) &&
        run_with(w, EMPTIED, k->moves[i].from, 0, err))
      return -1;
  for (size_t i = 0; i < k->conversation_count; ++i)
    if (run_with(w, DONE, k->conversations[i], 0, err)) return -1;
  return k->log ? end_log(w, k, err) : 0;
}

/* ---- the steps ---- */

/* Originals were deleted since it was read, and may be in it. */
static int give_up(struct pack_writer *w, struct pack *k, struct ck_err *err) {
  k->count = k->join_count = k->data.len = 0;
  return w->block ? run_with(w, EMPTIED, w->block, 0, err) : 0;
}

static int write_step(struct pack_writer *w, struct pack *k, struct ck_err *err) {
  if (k->forgotten != atomic_load(&originals_forgotten)) return give_up(w, k, err);
  if (k->count && !w->block && begin_block(w, k, err)) return -1;
  if (w->part < parts_of(k) && add_part(w, k, err)) return -1;
  if (w->part < parts_of(k)) return 1;
  return move_all(w, k, err);
}

static int drop_step(struct pack_writer *w, struct pack *none, struct ck_err *err) {
  int64_t block = 0, part = -1;
  (void)none;
  for (int i = 0; i < DROPPED_AT_ONCE; ++i) {
    int rc = step(w, GONE, &block, &part, err);
    if (rc <= 0) return rc;
    if (part < 0 ? run_with(w, DROP_BLOCK, block, 0, err)
                 : run_with(w, DROP_PART, block, part, err))
      return -1;
  }
  return 1;
}

static int in_transaction(struct pack_writer *w, struct pack *k,
                          int (*what)(struct pack_writer *, struct pack *, struct ck_err *),
                          struct ck_err *err) {
  struct ck_err ignored;
  if (db_exec(w->db, "BEGIN IMMEDIATE", err)) return -1;
  int rc = what(w, k, err);
  if (rc >= 0 && db_exec(w->db, "COMMIT", err) == 0) return rc;
  if (!sqlite3_get_autocommit(w->db)) db_exec(w->db, "ROLLBACK", &ignored);
  return -1;
}

int pack_write_step(struct pack_writer *w, struct pack *k, struct ck_err *err) {
  int rc = in_transaction(w, k, write_step, err);
  if (rc <= 0) w->block = (int64_t)(w->part = 0);
  return rc;
}

int pack_drop_step(struct pack_writer *w, struct ck_err *err) {
  return in_transaction(w, NULL, drop_step, err);
}

int pack_waits(struct pack_writer *w, const int64_t *after, bool *any, bool *logs,
               struct ck_err *err) {
  int64_t first = 0, second = 0;
  sqlite3_bind_int64(w->s[WAITING], 1, PACK_RUNS);
  sqlite3_bind_int64(w->s[WAITING], 2, after ? *after : INT64_MIN);
  int rc = step(w, WAITING, &first, &second, err);
  *any = first;
  *logs = second;
  return rc < 0 ? -1 : 0;
}

/* ---- the life of one ---- */

struct pack_writer *pack_writer_new(sqlite3 *db, struct ck_err *err) {
  struct pack_writer *w = ck_zalloc(sizeof *w);
  w->db = db;
  if (db_prepare_all(db, texts, STATEMENT_COUNT, w->s, err) ||
      step(w, LEFT_OVER, NULL, NULL, err) < 0)
    pack_writer_free(&w);
  return w;
}

void pack_writer_free(struct pack_writer **writer) {
  struct pack_writer *w = *writer;
  if (!w) return;
  db_finalize_all(w->s, STATEMENT_COUNT);
  free(w);
  *writer = NULL;
}
