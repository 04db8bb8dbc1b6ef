/* A record's entry: which one it has, where and when it is. */
#include <stdlib.h>

#include "proto/crc32c.h"
#include "store/database/statements.h"
#include "store/search/index_internal.h"

/* S(NAME, sql). An entry without a time counts as older than all. None writes more than one row or
 * has a RETURNING: SQLite runs such in a savepoint, at which FTS5 writes out the words that it has
 * gathered, so that each message would become a list of its own. */
#define STATEMENTS(S) \
  S(STATE, "SELECT store_id, cursor, next, dead, merged FROM search_state") \
  S(SINCE, "SELECT since FROM search_state") \
  S(SET_SINCE, "UPDATE search_state SET since = ?1") \
  S(SET_STATE, "UPDATE search_state SET cursor = ?1, next = ?2, dead = ?3, merged = ?4") \
  S(FIND, "SELECT e.entry, e.sum FROM keys k JOIN entries e ON e.entry = k.entry" \
          " WHERE k.key = ?1") \
  S(UPDATE, "UPDATE entries SET version = ?2, at = ?3, place = ?4, role = ?5 WHERE entry = ?1") \
  S(DELETE, "DELETE FROM entries WHERE entry = ?1") \
  S(DEAD, "INSERT INTO dead VALUES (?1)") \
  S(INSERT, "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
  S(KEY, "INSERT OR REPLACE INTO keys VALUES (?1, ?2)") \
  S(PLACE, "SELECT place FROM places WHERE kind = ?1 AND platform = ?2 AND conversation = ?3") \
  S(ADD_PLACE, "INSERT INTO places (kind, platform, conversation, first, last)" \
               " VALUES (?1, ?2, ?3, ?4, ?4)") \
  S(REACH, "UPDATE places SET first = min(first, ?2), last = max(last, ?2) WHERE place = ?1") \
  S(ROLE, "SELECT role FROM roles WHERE name = ?1") \
  S(ADD_ROLE, "INSERT INTO roles (name) VALUES (?1)") \
  S(BLOCK, "INSERT INTO blocks VALUES (?1, ?2, ?2) ON CONFLICT DO UPDATE SET" \
           " oldest = min(oldest, ?2), newest = max(newest, ?2)")

DB_STATEMENTS(STATEMENTS)

int index_prepare(struct search_index *x, struct ck_err *err) {
  x->s = ck_zalloc(STATEMENT_COUNT * sizeof(sqlite3_stmt *));
  return db_prepare_all(x->db, texts, STATEMENT_COUNT, x->s, err) ? index_fail(x, "SQL", err) : 0;
}

void index_unprepare(struct search_index *x) {
  if (x->s) db_finalize_all(x->s, STATEMENT_COUNT);
  free(x->s);
  x->s = NULL;
}

int index_read_state(struct search_index *x, const char *store_id, uint64_t *cursor, bool *known,
                     struct ck_err *err) {
  sqlite3_stmt *s = x->s[STATE];
  int rc = sqlite3_step(s);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return index_fail(x, texts[STATE], err);
  *known = rc == SQLITE_ROW && ck_str_is(db_str(s, 0), store_id);
  *cursor = *known ? (uint64_t)sqlite3_column_int64(s, 1) : 0;
  x->state = x->kept = (struct search_index_state){.next = sqlite3_column_int64(s, 2),
                                                   .dead = sqlite3_column_int64(s, 3),
                                                   .merged = sqlite3_column_int64(s, 4)};
  sqlite3_reset(s);
  return 0;
}

/* ---- writing ---- */

/* 1: a row; 0: none; -1. The caller resets the statement. */
static int step(struct search_index *x, enum statement name, struct ck_err *err) {
  int rc = sqlite3_step(x->s[name]);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : index_fail(x, texts[name], err);
}

/* Runs a statement. *value: its first column, if it gives a row; else unchanged. 1, 0 or -1. */
static int run(struct search_index *x, enum statement name, int64_t *value, struct ck_err *err) {
  int rc = step(x, name, err);
  if (rc > 0 && value) *value = sqlite3_column_int64(x->s[name], 0);
  sqlite3_reset(x->s[name]);
  return rc;
}

/* Runs an INSERT. *number: the new row's. */
static int add(struct search_index *x, enum statement name, int64_t *number, struct ck_err *err) {
  if (run(x, name, NULL, err) < 0) return -1;
  *number = sqlite3_last_insert_rowid(x->db);
  return 0;
}

int search_index_begin(struct search_index *x, struct ck_err *err) {
  return index_exec(x, "BEGIN IMMEDIATE", err);
}

static int find_role(struct search_index *x, struct ck_str name, int64_t *role,
                     struct ck_err *err) {
  db_bind_str(x->s[ROLE], 1, name);
  int rc = run(x, ROLE, role, err);
  if (rc) return rc < 0 ? -1 : 0;
  db_bind_str(x->s[ADD_ROLE], 1, name);
  return add(x, ADD_ROLE, role, err);
}

static void bind_place(sqlite3_stmt *s, const struct search_item *item) {
  sqlite3_bind_int(s, 1, item->is_title ? SEARCH_PLACE_OWN : SEARCH_PLACE_REMOTE);
  db_bind_str(s, 2, item->platform);
  db_bind_str(s, 3, item->conversation);
}

/* The place of the entry's conversation, which reaches to the entry from now on. */
static int find_place(struct search_index *x, const struct search_item *item, int64_t entry,
                      int64_t *place, struct ck_err *err) {
  bind_place(x->s[PLACE], item);
  int rc = run(x, PLACE, place, err);
  if (rc < 0) return -1;
  if (rc == 0) {
    bind_place(x->s[ADD_PLACE], item);
    sqlite3_bind_int64(x->s[ADD_PLACE], 4, entry);
    return add(x, ADD_PLACE, place, err);
  }
  sqlite3_bind_int64(x->s[REACH], 1, *place);
  sqlite3_bind_int64(x->s[REACH], 2, entry);
  return run(x, REACH, NULL, err);
}

static int note_time(struct search_index *x, const struct search_item *item, int64_t entry,
                     struct ck_err *err) {
  sqlite3_bind_int64(x->s[BLOCK], 1, entry / SEARCH_BLOCK);
  sqlite3_bind_int64(x->s[BLOCK], 2, item->is_dated ? item->at : INT64_MIN);
  return run(x, BLOCK, NULL, err);
}

/* Where and when the entry is. name: INSERT or UPDATE. */
static int put_entry(struct search_index *x, enum statement name, const struct search_item *item,
                     int64_t entry, uint32_t sum, struct ck_err *err) {
  int64_t place = 0, role = 0;
  if (find_place(x, item, entry, &place, err) ||
      (!item->is_title && find_role(x, item->role, &role, err)) || note_time(x, item, entry, err))
    return -1;
  sqlite3_stmt *s = x->s[name];
  sqlite3_bind_int64(s, 1, entry);
  sqlite3_bind_int64(s, 2, (int64_t)item->version);
  sqlite3_bind_int64(s, 3, item->at);
  if (!item->is_dated) sqlite3_bind_null(s, 3);
  sqlite3_bind_int64(s, 4, place);
  sqlite3_bind_int64(s, 5, role);
  if (item->is_title) sqlite3_bind_null(s, 5);
  if (name == INSERT) sqlite3_bind_int64(s, 6, sum);
  return run(x, name, NULL, err);
}

static int64_t key_of(const struct search_item *item) {
  const struct ck_str parts[] = {ck_str_of(item->is_title ? "title" : "message"), item->id};
  char hash[33];
  ck_hash_id(hash, parts, 2);
  hash[16] = '\0';
  return (int64_t)strtoull(hash, NULL, 16);
}

/* What of it is a sum. With the bit above, it takes four bytes. */
#define SUM_MASK 0x3fffffffu

/* Another number for other words; 0: it has none. */
static uint32_t sum_of(const struct search_item *item) {
  uint32_t sum = ck_crc32c(0, item->text.s, item->text.n);
  sum = ck_crc32c(ck_crc32c(sum, "\n", 1), item->tool.s, item->tool.n) & SUM_MASK;
  if (item->text.n + item->tool.n == 0) return 0;
  return (sum ? sum : 1) | (item->tool.n ? SEARCH_HAS_TOOL : 0);
}

static int drop_entry(struct search_index *x, int64_t entry, struct ck_err *err) {
  sqlite3_bind_int64(x->s[DELETE], 1, entry);
  sqlite3_bind_int64(x->s[DEAD], 1, entry);
  ++x->state.dead;
  return run(x, DELETE, NULL, err) || run(x, DEAD, NULL, err) ? -1 : 0;
}

static int add_entry(struct search_index *x, const struct search_item *item, int64_t key,
                     uint32_t sum, struct ck_err *err) {
  int64_t entry = x->state.next++;
  sqlite3_bind_int64(x->s[KEY], 1, key);
  sqlite3_bind_int64(x->s[KEY], 2, entry);
  if (run(x, KEY, NULL, err) || put_entry(x, INSERT, item, entry, sum, err)) return -1;
  return index_words_put(x, item, entry, err);
}

int search_index_put(struct search_index *x, const struct search_item *item, struct ck_err *err) {
  int64_t key = key_of(item), entry = 0;
  uint32_t sum = sum_of(item), former = 0;
  sqlite3_bind_int64(x->s[FIND], 1, key);
  int rc = step(x, FIND, err);
  if (rc > 0) {
    entry = sqlite3_column_int64(x->s[FIND], 0);
    former = (uint32_t)sqlite3_column_int64(x->s[FIND], 1);
  }
  sqlite3_reset(x->s[FIND]);
  if (rc < 0) return -1;
  if (rc > 0 && former == sum) return put_entry(x, UPDATE, item, entry, sum, err);
  if (rc > 0 && drop_entry(x, entry, err)) return -1;
  return add_entry(x, item, key, sum, err);
}

int search_index_commit(struct search_index *x, uint64_t cursor, struct ck_err *err) {
  sqlite3_stmt *s = x->s[SET_STATE];
  if (index_words_merge(x, err)) return -1;
  sqlite3_bind_int64(s, 1, (int64_t)cursor);
  sqlite3_bind_int64(s, 2, x->state.next);
  sqlite3_bind_int64(s, 3, x->state.dead);
  sqlite3_bind_int64(s, 4, x->state.merged);
  if (run(x, SET_STATE, NULL, err) < 0 || index_exec(x, "COMMIT", err)) return -1;
  x->kept = x->state;
  return 0;
}

void search_index_rollback(struct search_index *x) {
  index_words_forget(x);
  if (!sqlite3_get_autocommit(x->db)) sqlite3_exec(x->db, "ROLLBACK", NULL, NULL, NULL);
  x->state = x->kept;
}

int search_index_set_since(struct search_index *x, uint64_t version, struct ck_err *err) {
  sqlite3_bind_int64(x->s[SET_SINCE], 1, (sqlite3_int64)version);
  return run(x, SET_SINCE, NULL, err) < 0 ? -1 : 0;
}

int search_index_since(struct search_index *x, uint64_t *version, struct ck_err *err) {
  int64_t since = 0;
  int rc = run(x, SINCE, &since, err);
  *version = (uint64_t)since;
  return rc < 0 ? -1 : 0;
}
