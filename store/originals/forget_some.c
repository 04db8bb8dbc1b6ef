/* Deleting the originals that are kept out, in pieces: a conversation may have many, and large
 * ones.
 */
#include "store/originals/forgotten.h"

#define BLOCKS_AT_ONCE 64
#define ROW_BYTES 4096 /* so many bytes of a block cost as much as a row of a table */

static const char logs_sql[] =
    "INSERT OR IGNORE INTO forgotten_logs SELECT DISTINCT o.log, ?1 FROM forgotten_originals f"
    " CROSS JOIN originals o USING (id) WHERE f.forgotten_with = ?1 AND o.log <> 0";
static const char of_logs_sql[] =
    "INSERT OR IGNORE INTO forgotten_originals SELECT o.id, ?1 FROM forgotten_logs l"
    " CROSS JOIN originals o ON o.log = l.log AND o.log <> 0 WHERE l.forgotten_with = ?1";
static const char ids_sql[] =
    "SELECT lower(hex(id)) FROM forgotten_originals WHERE forgotten_with = ?1";
static const char messages_sql[] = "UPDATE messages SET original = NULL WHERE version IN"
                                   " (SELECT version FROM messages WHERE original = ?1 LIMIT ?2)";
static const char executions_sql[] =
    "UPDATE executions SET original = NULL WHERE version IN"
    " (SELECT version FROM executions WHERE original = ?1 LIMIT ?2)";
static const char blocks_sql[] =
    "SELECT DISTINCT o.block, b.bytes FROM forgotten_originals f CROSS JOIN originals o USING (id)"
    " LEFT JOIN blocks b ON b.block = o.block LIMIT ?1";
/* Of blocks that are gone: one part of one of them; and those that have none left. */
static const char parts_sql[] =
    "DELETE FROM block_parts WHERE (block, part) IN (SELECT p.block, p.part FROM blocks b"
    " CROSS JOIN block_parts p ON p.block = b.block WHERE b.state = 'gone' LIMIT 1)";
static const char gone_sql[] =
    "DELETE FROM blocks WHERE state = 'gone'"
    " AND NOT EXISTS (SELECT 1 FROM block_parts p WHERE p.block = blocks.block)";

/* ---- statements ---- */

/* Finalizes the statement, which may be NULL, after its only step. */
static int run(sqlite3 *db, sqlite3_stmt *s, struct ck_err *err) {
  if (!s) return -1;
  int rc = sqlite3_step(s);
  int bad = rc == SQLITE_DONE ? 0 : db_fail(db, sqlite3_sql(s), err);
  sqlite3_finalize(s);
  return bad;
}

static int run_with(sqlite3 *db, const char *sql, struct ck_str with, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, sql, err);
  if (s) db_bind_str(s, 1, with);
  return run(db, s, err);
}

/* ---- no record names them ---- */

static int unname(sqlite3 *db, const char *sql, struct ck_str id, int64_t *budget,
                  struct ck_err *err) {
  sqlite3_stmt *s = *budget > 0 ? db_prepare(db, sql, err) : NULL;
  if (*budget <= 0) return 0;
  if (s) db_bind_str(s, 1, id);
  if (s) sqlite3_bind_int64(s, 2, *budget);
  if (run(db, s, err)) return -1;
  *budget -= sqlite3_changes(db);
  return 0;
}

static int unname_all(sqlite3 *db, struct ck_str with, int64_t *budget, struct ck_err *err) {
  sqlite3_stmt *ids = db_prepare(db, ids_sql, err);
  int rc = ids ? SQLITE_ROW : -1, bad = ids ? 0 : -1;
  if (ids) db_bind_str(ids, 1, with);
  while (bad == 0 && *budget > 0 && (rc = sqlite3_step(ids)) == SQLITE_ROW) {
    struct ck_str id = db_str(ids, 0);
    bad = unname(db, messages_sql, id, budget, err) || unname(db, executions_sql, id, budget, err)
              ? -1
              : 0;
  }
  if (bad == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW) bad = db_fail(db, ids_sql, err);
  sqlite3_finalize(ids);
  return bad;
}

/* ---- their bytes ---- */

struct block {
  int64_t block, bytes;
};

/* -1, or how many there are. */
static int list_blocks(sqlite3 *db, struct block list[BLOCKS_AT_ONCE], struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, blocks_sql, err);
  int n = 0, rc = s ? SQLITE_ROW : -1;
  if (s) sqlite3_bind_int64(s, 1, BLOCKS_AT_ONCE);
  while (s && n < BLOCKS_AT_ONCE && (rc = sqlite3_step(s)) == SQLITE_ROW)
    list[n++] = (struct block){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1)};
  if (s && rc != SQLITE_DONE && rc != SQLITE_ROW) n = db_fail(db, blocks_sql, err);
  sqlite3_finalize(s);
  return s ? n : -1;
}

static int clean_blocks(struct forgotten *f, sqlite3 *db, int64_t *budget, struct ck_err *err) {
  struct block list[BLOCKS_AT_ONCE];
  int n = *budget > 0 ? list_blocks(db, list, err) : 0, rc = 0;
  for (int i = 0; i < n && rc == 0 && *budget > 0; ++i) {
    rc = forgotten_clean(f, list[i].block, err);
    *budget -= 1 + list[i].bytes / ROW_BYTES;
  }
  return n < 0 || rc ? -1 : n > 0 ? forgotten_settle(f, err) : 0;
}

static int drop_parts(sqlite3 *db, int64_t *budget, struct ck_err *err) {
  for (int64_t n = 1; n && *budget > 0; *budget -= n * (CK_BLOCK_PART / ROW_BYTES)) {
    if (run(db, db_prepare(db, parts_sql, err), err)) return -1;
    n = sqlite3_changes(db);
  }
  return run(db, db_prepare(db, gone_sql, err), err);
}

int forgotten_some(struct forgotten *f, sqlite3 *db, struct ck_str with, int64_t *budget,
                   struct ck_err *err) {
  if (run_with(db, logs_sql, with, err) || run_with(db, of_logs_sql, with, err) ||
      unname_all(db, with, budget, err) || clean_blocks(f, db, budget, err) ||
      drop_parts(db, budget, err))
    return -1;
  return *budget > 0;
}
