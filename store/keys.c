#include "store/keys.h"

#include <limits.h>
#include <stdlib.h>

#include "store/filter.h"

/* 4 MiB of memory. */
#define KEPT_MEMORY 65536
/* Together with the above: of the ids that are moved on, some thirty fall on one page of the newest layer. */
#define TOGETHER 256
/* At most in one commit, which waits for it: after a start there may be more to move on than has come. */
#define AT_ONCE 2048

#define PASS " WHERE target = 'message_keys_sorted'"
#define CURSOR "(SELECT cursor FROM message_keys_pass" PASS ")"
#define SPAN " WHERE id > " CURSOR " AND id <= ?1"

/* K(NAME, sql): ?1 an id, ?2 and ?3 numbers. The pass has come to `cursor`. Of what was written up to `upto` it has moved on everything, and at its end it will
 * have of what was written up to `began`. */
#define KEYS_LIST(K) \
  K(ADD, "INSERT INTO temp.message_keys (id, version, layer) VALUES (?1, ?2, ?3)") \
  K(MOVE, "UPDATE temp.message_keys SET version = ?2 WHERE id = ?1") \
  K(NOTE, "INSERT INTO message_keys_new (id, version, layer) VALUES (?1, ?2, ?3)") \
  K(UNNOTE, "DELETE FROM message_keys_new WHERE version = ?2") \
  K(TAKE, "DELETE FROM message_keys_sorted WHERE layer = ?3 AND id = ?1") \
  K(IN_MEMORY, "SELECT version, layer FROM temp.message_keys WHERE id = ?1") \
  K(IN_LAYER, "SELECT version, layer FROM message_keys_sorted WHERE layer = ?3 AND id = ?1") \
  K(LAST, "SELECT id FROM temp.message_keys WHERE id > " CURSOR " ORDER BY id LIMIT 1 OFFSET ?2") \
  K(COPY, "INSERT OR IGNORE INTO message_keys_sorted (layer, id, version) SELECT layer, id, version FROM temp.message_keys" SPAN " ORDER BY id") \
  K(DROP, "DELETE FROM temp.message_keys" SPAN) \
  K(GO_ON, "UPDATE message_keys_pass SET cursor = ?1" PASS) \
  K(BEGIN_ANEW, "UPDATE message_keys_pass SET upto = began, began = ?2, cursor = ''" PASS) \
  K(TRIM, "DELETE FROM message_keys_new WHERE version IN (SELECT version FROM message_keys_new WHERE version <=" \
          " (SELECT min(upto) FROM message_keys_pass) ORDER BY version LIMIT ?2)")

enum {
#define KEYS_NAME(NAME, sql) NAME,
  KEYS_LIST(KEYS_NAME)
#undef KEYS_NAME
      STATEMENTS
};

static const char *const statements[] = {
#define KEYS_SQL(NAME, sql) sql,
    KEYS_LIST(KEYS_SQL)
#undef KEYS_SQL
};

static const char load[] =
    "CREATE TEMP TABLE message_keys (id TEXT PRIMARY KEY, version INTEGER NOT NULL, layer INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO temp.message_keys SELECT n.id, n.version, n.layer FROM message_keys_pass p JOIN message_keys_new n ON n.version > p.upto"
    " WHERE p.target = 'message_keys_sorted' AND NOT (n.id <= p.cursor AND n.version <= p.began)";

struct keys {
  sqlite3 *db;
  struct filter *filter;
  sqlite3_stmt *stmt[STATEMENTS];
  int64_t waiting, committed, kept, together; /* ids in memory */
};

/* Where a key is. */
struct place {
  uint64_t version;
  int64_t layer;
  bool in_memory;
};

/* A database that has come from another format. */
static int make_filter(struct keys *k, struct ck_err *err) {
  int64_t moved_on;
  if (db_int(k->db, "SELECT EXISTS (SELECT 1 FROM message_keys_sorted)", 0, &moved_on, err)) return -1;
  if (!moved_on || filter_exists(k->filter)) return 0;
  if (db_exec(k->db, "BEGIN IMMEDIATE", err)) return -1;
  if (filter_make(k->filter, err) == 0 && db_exec(k->db, "COMMIT", err) == 0) {
    filter_committed(k->filter);
    return 0;
  }
  sqlite3_exec(k->db, "ROLLBACK", NULL, NULL, NULL);
  return -1;
}

struct keys *keys_new(sqlite3 *db, struct ck_err *err) {
  struct keys *k = ck_zalloc(sizeof *k);
  k->db = db;
  keys_keep(k, KEPT_MEMORY, TOGETHER);
  int rc = db_exec(db, load, err) || db_int(db, "SELECT count(*) FROM temp.message_keys", 0, &k->waiting, err) ? -1 : 0;
  for (int i = 0; i < STATEMENTS && rc == 0; ++i) rc = (k->stmt[i] = db_prepare(db, statements[i], err)) ? 0 : -1;
  if (rc == 0) rc = (k->filter = filter_new(db, err)) && make_filter(k, err) == 0 ? 0 : -1;
  if (rc)
    keys_free(&k);
  else
    keys_committed(k);
  return k;
}

void keys_free(struct keys **k) {
  if (!*k) return;
  for (int i = 0; i < STATEMENTS; ++i) sqlite3_finalize((*k)->stmt[i]);
  filter_free(&(*k)->filter);
  sqlite3_exec((*k)->db, "DROP TABLE IF EXISTS temp.message_keys", NULL, NULL, NULL);
  free(*k);
  *k = NULL;
}

void keys_keep(struct keys *k, int64_t memory, int64_t together) {
  k->kept = memory;
  k->together = together;
}

void keys_keep_filter(struct keys *k, int64_t first) { filter_keep(k->filter, first); }

/* id NULL: behind every text. */
static sqlite3_stmt *bind(struct keys *k, int which, const struct ck_str *id, uint64_t number, int64_t layer) {
  sqlite3_stmt *s = k->stmt[which];
  if (id)
    db_bind_str(s, 1, *id);
  else
    sqlite3_bind_zeroblob(s, 1, 0);
  sqlite3_bind_int64(s, 2, (sqlite3_int64)number);
  sqlite3_bind_int64(s, 3, layer);
  return s;
}

/* The rows that it changed; -1 with the reason. */
static int run(struct keys *k, int which, const struct ck_str *id, uint64_t number, int64_t layer, struct ck_err *err) {
  sqlite3_stmt *s = bind(k, which, id, number, layer);
  int rc = sqlite3_step(s) == SQLITE_DONE ? sqlite3_changes(k->db) : db_fail(k->db, "message_keys", err);
  sqlite3_reset(s);
  return rc;
}

/* ---- looking for one ---- */

/* 1; 0 when it is not there; -1. */
static int look(struct keys *k, int which, struct ck_str id, int64_t layer, struct place *p, struct ck_err *err) {
  sqlite3_stmt *s = bind(k, which, &id, 0, layer);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW)
    *p = (struct place){.version = (uint64_t)sqlite3_column_int64(s, 0), .layer = sqlite3_column_int64(s, 1), .in_memory = which == IN_MEMORY};
  int found = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_fail(k->db, "message_keys", err);
  sqlite3_reset(s);
  return found;
}

static int find(struct keys *k, struct ck_str id, struct place *p, struct ck_err *err) {
  int found = look(k, IN_MEMORY, id, 0, p, err);
  for (int layer = filter_layer_below(k->filter, INT_MAX, id); found == 0 && layer >= 0; layer = filter_layer_below(k->filter, layer, id))
    found = look(k, IN_LAYER, id, layer, p, err);
  return found;
}

bool keys_miss(const struct keys *k, struct ck_str id) { return filter_misses(k->filter, id); }

int keys_find(struct keys *k, struct ck_str id, uint64_t *version, struct ck_err *err) {
  struct place p = {0};
  int found = keys_miss(k, id) ? 0 : find(k, id, &p, err);
  *version = p.version;
  return found;
}

/* ---- writing ---- */

static int add(struct keys *k, struct ck_str id, uint64_t version, int64_t layer, struct ck_err *err) {
  ++k->waiting;
  return run(k, ADD, &id, version, layer, err) < 0 ? -1 : 0;
}

/* What is in memory may be in its layer too: what a start has read again. */
static int move(struct keys *k, struct ck_str id, uint64_t old, uint64_t version, int64_t *layer, struct ck_err *err) {
  struct place p = {.layer = *layer};
  if (find(k, id, &p, err) < 0) return -1;
  *layer = p.layer;
  if (p.in_memory ? run(k, MOVE, &id, version, 0, err) < 0 : add(k, id, version, p.layer, err)) return -1;
  return run(k, TAKE, &id, 0, p.layer, err) < 0 || run(k, UNNOTE, NULL, old, 0, err) < 0 ? -1 : 0;
}

int keys_put(struct keys *k, struct ck_str id, uint64_t old, uint64_t version, struct ck_err *err) {
  int64_t layer = filter_newest(k->filter);
  if (old ? move(k, id, old, version, &layer, err) : add(k, id, version, layer, err)) return -1;
  filter_add(k->filter, layer, id);
  return run(k, NOTE, &id, version, layer, err) < 0 ? -1 : 0;
}

/* ---- moving on ---- */

/* The n-th id from where the pass stands. 1; 0 when there are not so many any more; -1. */
static int find_last(struct keys *k, int64_t n, struct ck_buf *last, struct ck_err *err) {
  sqlite3_stmt *s = bind(k, LAST, NULL, (uint64_t)n - 1, 0);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) ck_buf_str(last, db_str(s, 0));
  int found = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_fail(k->db, "message_keys", err);
  sqlite3_reset(s);
  return found;
}

static int move_upto(struct keys *k, const struct ck_str *last, uint64_t head, struct ck_err *err) {
  if (run(k, COPY, last, 0, 0, err) < 0) return -1;
  int dropped = run(k, DROP, last, 0, 0, err);
  if (dropped < 0) return -1;
  k->waiting -= dropped;
  if (run(k, last ? GO_ON : BEGIN_ANEW, last, head, 0, err) < 0) return -1;
  return run(k, TRIM, NULL, 2 * (uint64_t)dropped, 0, err) < 0 ? -1 : 0;
}

static int move_some(struct keys *k, uint64_t head, struct ck_err *err) {
  int64_t n = k->waiting - k->kept;
  struct ck_buf text = {0};
  int rc = find_last(k, n < AT_ONCE ? n : AT_ONCE, &text, err);
  struct ck_str last = ck_buf_view(&text);
  if (rc >= 0) rc = move_upto(k, rc ? &last : NULL, head, err);
  ck_buf_free(&text);
  return rc;
}

int keys_move_on(struct keys *k, uint64_t head, struct ck_err *err) {
  if (k->waiting - k->kept >= k->together && ((!filter_exists(k->filter) && filter_make(k->filter, err)) || move_some(k, head, err))) return -1;
  return filter_save(k->filter, head, k->kept, err);
}

void keys_committed(struct keys *k) {
  k->committed = k->waiting;
  filter_committed(k->filter);
}

void keys_undone(struct keys *k) {
  k->waiting = k->committed;
  filter_undone(k->filter);
}
