#include "store/keys.h"

#include <stdlib.h>

#include "store/filter.h"

/* 4 MiB of memory. */
#define KEPT_MEMORY 65536
/* Together with the above: at ten million messages each costs a fifth of a page, where an index on the ids would cost one. */
#define KEPT_SMALL 1048576
#define TOGETHER 256
/* At most in one commit, which waits for it: after a start there may be more to move on than has come. */
#define AT_ONCE 2048

#define CURSOR(to) "(SELECT cursor FROM message_keys_pass WHERE target = '" to "')"
#define SPAN(to) " WHERE id > " CURSOR(to) " AND id <= ?1"

/* K(NAME, sql): ?1 an id, ?2 a number. A pass has come to `cursor`. Of what was written up to `upto` it has moved on everything, and at its end it will have of
 * what was written up to `began`. */
#define PASS_LIST(K, NAME, from, to) \
  K(NAME##_LAST, "SELECT id FROM " from " WHERE id > " CURSOR(to) " ORDER BY id LIMIT 1 OFFSET ?2") \
  K(NAME##_COPY, "INSERT OR IGNORE INTO " to " SELECT id, version FROM " from SPAN(to) " ORDER BY id") \
  K(NAME##_DROP, "DELETE FROM " from SPAN(to)) \
  K(NAME##_GO_ON, "UPDATE message_keys_pass SET cursor = ?1 WHERE target = '" to "'") \
  K(NAME##_BEGIN_ANEW, "UPDATE message_keys_pass SET upto = began, began = ?2, cursor = '' WHERE target = '" to "'")

#define KEYS_LIST(K) \
  PASS_LIST(K, SMALL, "temp.message_keys", "message_keys_small") \
  PASS_LIST(K, LARGE, "message_keys_small", "message_keys_large") \
  K(ADD, "INSERT INTO temp.message_keys VALUES (?1, ?2)") \
  K(MOVE, "UPDATE temp.message_keys SET version = ?2 WHERE id = ?1") \
  K(NOTE, "INSERT INTO message_keys_new (id, version) VALUES (?1, ?2)") \
  K(UNNOTE, "DELETE FROM message_keys_new WHERE version = ?2") \
  K(TAKE_SMALL, "DELETE FROM message_keys_small WHERE id = ?1") \
  K(TAKE_LARGE, "DELETE FROM message_keys_large WHERE id = ?1") \
  K(TRIM, "DELETE FROM message_keys_new WHERE version IN (SELECT version FROM message_keys_new WHERE version <=" \
          " (SELECT min(upto) FROM message_keys_pass WHERE target IN ('message_keys_small', 'message_keys_filter')) ORDER BY version LIMIT ?2)") \
  K(HOLD, "UPDATE message_keys_pass SET held = ?2 WHERE target = 'message_keys_small'")

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

static const char load[] = "CREATE TEMP TABLE message_keys (id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
                           "INSERT INTO temp.message_keys SELECT n.id, n.version FROM message_keys_pass p JOIN message_keys_new n ON n.version > p.upto"
                           " WHERE p.target = 'message_keys_small' AND NOT (n.id <= p.cursor AND n.version <= p.began)";

#define TWICE(one, other) " UNION ALL SELECT 'the id ' || id || ' is of two messages' FROM " one " a JOIN " other " b USING (id) WHERE a.version <> b.version"

const char keys_wrong[] =
    "SELECT 'message ' || id || ' is not found by its id' FROM messages m WHERE"
    " NOT EXISTS (SELECT 1 FROM message_keys_large k WHERE k.id = m.id AND k.version = m.version) AND"
    " NOT EXISTS (SELECT 1 FROM message_keys_small k WHERE k.id = m.id AND k.version = m.version) AND"
    " NOT EXISTS (SELECT 1 FROM message_keys_new k WHERE k.version = m.version AND k.id = m.id)"
    " UNION ALL SELECT 'the id ' || id || ' is of two messages' FROM message_keys_new GROUP BY id HAVING count(*) > 1" TWICE("message_keys_new",
                                                                                                                             "message_keys_small")
        TWICE("message_keys_new", "message_keys_large") TWICE(
            "message_keys_small",
            "message_keys_large") " UNION ALL SELECT keys || ' ids lead to ' || messages || ' messages' FROM (SELECT (SELECT count(*) FROM message_keys_large) +"
                                  " (SELECT count(*) FROM message_keys_small s WHERE NOT EXISTS (SELECT 1 FROM message_keys_large l WHERE l.id = s.id)) +"
                                  " (SELECT count(*) FROM message_keys_new n WHERE NOT EXISTS (SELECT 1 FROM message_keys_large l WHERE l.id = n.id) AND"
                                  " NOT EXISTS (SELECT 1 FROM message_keys_small s WHERE s.id = n.id)) AS keys, (SELECT count(*) FROM messages) AS messages) WHERE keys <> messages"
                                  " UNION ALL SELECT 'message_keys_small has ' || n || ' ids, counted as ' || held FROM (SELECT held,"
                                  " (SELECT count(*) FROM message_keys_small) AS n FROM message_keys_pass WHERE target = 'message_keys_small') WHERE n <> held";

enum { MEMORY, SMALL, LEVELS };

/* Where ids wait to be moved on. */
struct level {
  int64_t count, committed, kept;
};

struct keys {
  sqlite3 *db;
  struct filter *filter;
  sqlite3_stmt *stmt[STATEMENTS];
  struct level level[LEVELS];
  int64_t together;
};

/* A database that has come from a format without the filter. */
static int make_filter(struct keys *k, struct ck_err *err) {
  int64_t moved_on;
  if (db_int(k->db, "SELECT EXISTS (SELECT 1 FROM message_keys_small) OR EXISTS (SELECT 1 FROM message_keys_large)", 0, &moved_on, err)) return -1;
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
  keys_keep(k, KEPT_MEMORY, KEPT_SMALL, TOGETHER);
  int rc = db_exec(db, load, err) || db_int(db, "SELECT count(*) FROM temp.message_keys", 0, &k->level[MEMORY].count, err) ||
                   db_int(db, "SELECT held FROM message_keys_pass WHERE target = 'message_keys_small'", 0, &k->level[SMALL].count, err)
               ? -1
               : 0;
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

void keys_keep(struct keys *k, int64_t memory, int64_t small, int64_t together) {
  k->level[MEMORY].kept = memory;
  k->level[SMALL].kept = small;
  k->together = together;
}

void keys_keep_filter(struct keys *k, int64_t first) { filter_keep(k->filter, first); }

bool keys_miss(const struct keys *k, struct ck_str id) { return filter_misses(k->filter, id); }

/* The rows that it changed; -1 with the reason. id NULL: behind every text. */
static int run(struct keys *k, int which, const struct ck_str *id, uint64_t number, struct ck_err *err) {
  sqlite3_stmt *s = k->stmt[which];
  if (id)
    db_bind_str(s, 1, *id);
  else
    sqlite3_bind_zeroblob(s, 1, 0);
  sqlite3_bind_int64(s, 2, (sqlite3_int64)number);
  int rc = sqlite3_step(s) == SQLITE_DONE ? sqlite3_changes(k->db) : db_fail(k->db, "message_keys", err);
  sqlite3_reset(s);
  return rc;
}

/* ---- writing ---- */

static int add(struct keys *k, struct ck_str id, uint64_t version, struct ck_err *err) {
  ++k->level[MEMORY].count;
  return run(k, ADD, &id, version, err) < 0 ? -1 : 0;
}

static int move(struct keys *k, struct ck_str id, uint64_t old, uint64_t version, struct ck_err *err) {
  int moved = run(k, MOVE, &id, version, err);
  if (moved < 0 || (moved == 0 && add(k, id, version, err))) return -1;
  int taken = run(k, TAKE_SMALL, &id, 0, err);
  if (taken > 0) k->level[SMALL].count -= taken;
  return taken < 0 || run(k, TAKE_LARGE, &id, 0, err) < 0 || run(k, UNNOTE, NULL, old, err) < 0 ? -1 : 0;
}

int keys_put(struct keys *k, struct ck_str id, uint64_t old, uint64_t version, struct ck_err *err) {
  if (old ? move(k, id, old, version, err) : add(k, id, version, err)) return -1;
  filter_add(k->filter, id);
  return run(k, NOTE, &id, version, err) < 0 ? -1 : 0;
}

/* ---- moving on ---- */

static const int first_of[LEVELS] = {SMALL_LAST, LARGE_LAST};
#define STATEMENT(level, name) (first_of[level] + SMALL_##name - SMALL_LAST)

/* The n-th id from where the pass stands. 1; 0 when there are not so many any more; -1. */
static int find_last(struct keys *k, int level, int64_t n, struct ck_buf *last, struct ck_err *err) {
  sqlite3_stmt *s = k->stmt[STATEMENT(level, LAST)];
  sqlite3_bind_int64(s, 2, n - 1);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) ck_buf_str(last, db_str(s, 0));
  int found = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_fail(k->db, "message_keys", err);
  sqlite3_reset(s);
  return found;
}

static int move_upto(struct keys *k, int level, const struct ck_str *last, uint64_t head, struct ck_err *err) {
  int copied = run(k, STATEMENT(level, COPY), last, 0, err), dropped = copied < 0 ? -1 : run(k, STATEMENT(level, DROP), last, 0, err);
  if (dropped < 0) return -1;
  k->level[level].count -= dropped;
  if (level == MEMORY) k->level[SMALL].count += copied;
  if (run(k, last ? STATEMENT(level, GO_ON) : STATEMENT(level, BEGIN_ANEW), last, head, err) < 0) return -1;
  return level == MEMORY && run(k, TRIM, NULL, 2 * (uint64_t)dropped, err) < 0 ? -1 : 0;
}

static bool are_many(const struct keys *k, int level) { return k->level[level].count - k->level[level].kept >= k->together; }

static int move_some(struct keys *k, int level, uint64_t head, struct ck_err *err) {
  if (!are_many(k, level)) return 0;
  int64_t n = k->level[level].count - k->level[level].kept;
  struct ck_buf text = {0};
  int rc = find_last(k, level, n < AT_ONCE ? n : AT_ONCE, &text, err);
  struct ck_str last = ck_buf_view(&text);
  if (rc >= 0) rc = move_upto(k, level, rc ? &last : NULL, head, err);
  ck_buf_free(&text);
  return rc;
}

int keys_move_on(struct keys *k, uint64_t head, struct ck_err *err) {
  if (are_many(k, MEMORY) && !filter_exists(k->filter) && filter_make(k->filter, err)) return -1;
  if (move_some(k, MEMORY, head, err) || move_some(k, SMALL, head, err)) return -1;
  const struct level *small = &k->level[SMALL];
  if (small->count != small->committed && run(k, HOLD, NULL, (uint64_t)small->count, err) < 0) return -1;
  return filter_save(k->filter, head, k->level[MEMORY].kept, err);
}

void keys_committed(struct keys *k) {
  for (int i = 0; i < LEVELS; ++i) k->level[i].committed = k->level[i].count;
  filter_committed(k->filter);
}

void keys_undone(struct keys *k) {
  for (int i = 0; i < LEVELS; ++i) k->level[i].count = k->level[i].committed;
  filter_undone(k->filter);
}
