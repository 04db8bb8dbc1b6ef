/* The writer's side: the memory stage, and merges from there into the layers. */
#include "store/keys/keys.h"

#include <limits.h>
#include <stdlib.h>

#include "store/keys/filter.h"

/* Ids that stay in the memory stage: 4 MiB. */
#define MEMORY_IDS 65536
/* A merge moves at least so many ids; about thirty then share a page of the newest layer. */
#define MERGE_MIN 256
/* One commit merges at most so many, because it waits for them. After a start there may be more to
 * merge than came since. */
#define MERGE_MAX 2048

#define SWEEP " WHERE target = 'message_keys_sorted'"
#define CURSOR "(SELECT cursor FROM message_keys_sweeps" SWEEP ")"
/* The ids that a merge moves. */
#define SPAN " WHERE id > " CURSOR " AND id <= ?1"

/* K(NAME, sql): ?1 an id, ?2 a number, ?3 a layer. What the columns of message_keys_sweeps mean is
 * in schema.c. */
#define KEYS_LIST(K) \
  K(MEMORY_ADD, "INSERT INTO temp.message_keys_memory (id, version, layer) VALUES (?1, ?2, ?3)") \
  K(MEMORY_CHANGE, "UPDATE temp.message_keys_memory SET version = ?2 WHERE id = ?1") \
  K(MEMORY_FIND, "SELECT version, layer FROM temp.message_keys_memory WHERE id = ?1") \
  K(MEMORY_DELETE, "DELETE FROM temp.message_keys_memory WHERE id = ?1") \
  K(LAYER_FIND, "SELECT version, layer FROM message_keys_sorted WHERE layer = ?3 AND id = ?1") \
  K(LAYER_DELETE, "DELETE FROM message_keys_sorted WHERE layer = ?3 AND id = ?1") \
  K(NEW_ADD, "INSERT INTO message_keys_new (id, version, layer) VALUES (?1, ?2, ?3)") \
  K(NEW_DELETE, "DELETE FROM message_keys_new WHERE version = ?2") \
  K(NEW_TRIM, \
    "DELETE FROM message_keys_new WHERE version IN (SELECT version FROM message_keys_new" \
    " WHERE version <= (SELECT min(stored_version) FROM message_keys_sweeps)" \
    " ORDER BY version LIMIT ?2)") \
  K(SPAN_END, \
    "SELECT id FROM temp.message_keys_memory WHERE id > " CURSOR " ORDER BY id LIMIT 1 OFFSET ?2") \
  K(SPAN_COPY, "INSERT OR IGNORE INTO message_keys_sorted (layer, id, version)" \
               " SELECT layer, id, version FROM temp.message_keys_memory" SPAN " ORDER BY id") \
  K(SPAN_DELETE, "DELETE FROM temp.message_keys_memory" SPAN) \
  K(SWEEP_ADVANCE, "UPDATE message_keys_sweeps SET cursor = ?1" SWEEP) \
  K(SWEEP_RESTART, "UPDATE message_keys_sweeps SET cursor = '', stored_version = started_version," \
                   " started_version = ?2" SWEEP)

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

/* Ids that are not merged: those written after stored_version, except those that were written
 * before this sweep began and that it has passed. */
static const char load[] =
    "CREATE TEMP TABLE message_keys_memory (id TEXT PRIMARY KEY, version INTEGER NOT NULL,"
    " layer INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO temp.message_keys_memory SELECT n.id, n.version, n.layer"
    " FROM message_keys_sweeps s JOIN message_keys_new n ON n.version > s.stored_version"
    " WHERE s.target = 'message_keys_sorted'"
    " AND NOT (n.id <= s.cursor AND n.version <= s.started_version)";

struct keys {
  sqlite3 *db;
  struct filter *filter;
  sqlite3_stmt *stmt[STATEMENTS];
  int64_t ids, committed_ids;    /* in the memory stage: now, and at the last commit */
  int64_t memory_ids, merge_min; /* see MEMORY_IDS, MERGE_MIN */
};

/* Where a key is. */
struct place {
  uint64_t version;
  int64_t layer;
  bool in_memory;
};

/* ---- opening ---- */

/* Builds the filter if it is missing: somebody deleted its rows. */
static int build_filter(struct keys *k, struct ck_err *err) {
  int64_t merged;
  if (db_int(k->db, "SELECT EXISTS (SELECT 1 FROM message_keys_sorted)", 0, &merged, err))
    return -1;
  if (!merged || filter_exists(k->filter)) return 0;
  if (db_exec(k->db, "BEGIN IMMEDIATE", err)) return -1;
  if (filter_build(k->filter, err) == 0 && db_exec(k->db, "COMMIT", err) == 0) return 0;
  sqlite3_exec(k->db, "ROLLBACK", NULL, NULL, NULL);
  return -1;
}

static int open_keys(struct keys *k, struct ck_err *err) {
  if (db_exec(k->db, load, err) ||
      db_int(k->db, "SELECT count(*) FROM temp.message_keys_memory", 0, &k->ids, err))
    return -1;
  for (int i = 0; i < STATEMENTS; ++i)
    if (!(k->stmt[i] = db_prepare(k->db, statements[i], err))) return -1;
  k->filter = filter_new(k->db, err);
  return k->filter ? build_filter(k, err) : -1;
}

struct keys *keys_new(sqlite3 *db, struct ck_err *err) {
  struct keys *k = ck_zalloc(sizeof *k);
  k->db = db;
  k->memory_ids = MEMORY_IDS;
  k->merge_min = MERGE_MIN;
  if (open_keys(k, err))
    keys_free(&k);
  else
    keys_committed(k);
  return k;
}

void keys_free(struct keys **k) {
  if (!*k) return;
  for (int i = 0; i < STATEMENTS; ++i) sqlite3_finalize((*k)->stmt[i]);
  filter_free(&(*k)->filter);
  sqlite3_exec((*k)->db, "DROP TABLE IF EXISTS temp.message_keys_memory", NULL, NULL, NULL);
  free(*k);
  *k = NULL;
}

void keys_resize(struct keys *k, int64_t memory, int64_t merge, int64_t first_layer) {
  k->memory_ids = memory;
  k->merge_min = merge;
  filter_resize(k->filter, first_layer);
}

/* ---- statements ---- */

/* id NULL: after every text, since a blob compares greater. */
static sqlite3_stmt *bind(struct keys *k, int which, const struct ck_str *id, uint64_t number,
                          int64_t layer) {
  sqlite3_stmt *s = k->stmt[which];
  if (id)
    db_bind_str(s, 1, *id);
  else
    sqlite3_bind_zeroblob(s, 1, 0);
  sqlite3_bind_int64(s, 2, (sqlite3_int64)number);
  sqlite3_bind_int64(s, 3, layer);
  return s;
}

/* Runs a statement. Returns how many rows it changed, or -1. */
static int run(struct keys *k, int which, const struct ck_str *id, uint64_t number, int64_t layer,
               struct ck_err *err) {
  sqlite3_stmt *s = bind(k, which, id, number, layer);
  int rc =
      sqlite3_step(s) == SQLITE_DONE ? sqlite3_changes(k->db) : db_fail(k->db, "message_keys", err);
  sqlite3_reset(s);
  return rc;
}

/* Steps a query once: 1 there is a row; 0 there is none; -1. */
static int step(struct keys *k, sqlite3_stmt *s, struct ck_err *err) {
  int rc = sqlite3_step(s);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_fail(k->db, "message_keys", err);
}

/* ---- finding ---- */

static int find_in(struct keys *k, int which, struct ck_str id, int64_t layer, struct place *p,
                   struct ck_err *err) {
  sqlite3_stmt *s = bind(k, which, &id, 0, layer);
  int found = step(k, s, err);
  if (found > 0)
    *p = (struct place){.version = (uint64_t)sqlite3_column_int64(s, 0),
                        .layer = sqlite3_column_int64(s, 1),
                        .in_memory = which == MEMORY_FIND};
  sqlite3_reset(s);
  return found;
}

static int find(struct keys *k, struct ck_str id, struct place *p, struct ck_err *err) {
  int found = find_in(k, MEMORY_FIND, id, 0, p, err);
  int layer = INT_MAX;
  while (found == 0 && (layer = filter_candidate_below(k->filter, layer, id)) >= 0)
    found = find_in(k, LAYER_FIND, id, layer, p, err);
  return found;
}

bool keys_absent(const struct keys *k, struct ck_str id) { return filter_absent(k->filter, id); }

int keys_find(struct keys *k, struct ck_str id, uint64_t *version, struct ck_err *err) {
  struct place p = {0};
  int found = keys_absent(k, id) ? 0 : find(k, id, &p, err);
  *version = p.version;
  return found;
}

/* ---- writing ---- */

static int add_to_memory(struct keys *k, struct ck_str id, uint64_t version, int64_t layer,
                         struct ck_err *err) {
  ++k->ids;
  return run(k, MEMORY_ADD, &id, version, layer, err) < 0 ? -1 : 0;
}

/* An id in memory may be in its layer too, if a start has loaded it again. */
static int change(struct keys *k, struct ck_str id, const struct place *p, uint64_t version,
                  struct ck_err *err) {
  if (p->in_memory ? run(k, MEMORY_CHANGE, &id, version, 0, err) < 0
                   : add_to_memory(k, id, version, p->layer, err))
    return -1;
  if (run(k, LAYER_DELETE, &id, 0, p->layer, err) < 0) return -1;
  return run(k, NEW_DELETE, NULL, p->version, 0, err) < 0 ? -1 : 0;
}

/* A new message's id may be known already, if somebody deleted its row by hand. It then moves on to
 * the new version, as that of a changed message does. */
int keys_put(struct keys *k, struct ck_str id, uint64_t old, uint64_t version, struct ck_err *err) {
  struct place p = {.version = old, .layer = filter_newest(k->filter)};
  int found = old || !keys_absent(k, id) ? find(k, id, &p, err) : 0;
  if (found < 0) return -1;
  if (found || old ? change(k, id, &p, version, err) : add_to_memory(k, id, version, p.layer, err))
    return -1;
  filter_add(k->filter, p.layer, id);
  return run(k, NEW_ADD, &id, version, p.layer, err) < 0 ? -1 : 0;
}

int keys_delete(struct keys *k, struct ck_str id, struct ck_err *err) {
  struct place p = {0};
  int found = keys_absent(k, id) ? 0 : find(k, id, &p, err);
  if (found <= 0) return found;
  int memory = p.in_memory ? run(k, MEMORY_DELETE, &id, 0, 0, err) : 0;
  if (memory < 0) return -1;
  k->ids -= memory;
  if (run(k, LAYER_DELETE, &id, 0, p.layer, err) < 0) return -1;
  return run(k, NEW_DELETE, NULL, p.version, 0, err) < 0 ? -1 : 0;
}

/* ---- merging ---- */

/* *last: the n-th id after the cursor. 1; 0: fewer are left; -1. */
static int find_span_end(struct keys *k, int64_t n, struct ck_buf *last, struct ck_err *err) {
  sqlite3_stmt *s = bind(k, SPAN_END, NULL, (uint64_t)n - 1, 0);
  int found = step(k, s, err);
  if (found > 0) ck_buf_str(last, db_str(s, 0));
  sqlite3_reset(s);
  return found;
}

/* Merges the ids up to `last`; NULL: all that are left, and the next sweep begins. Then deletes
 * from message_keys_new what both sweeps have stored: up to twice as many ids as it merged, so that
 * the table shrinks. */
static int merge_span(struct keys *k, const struct ck_str *last, uint64_t head,
                      struct ck_err *err) {
  if (run(k, SPAN_COPY, last, 0, 0, err) < 0) return -1;
  int merged = run(k, SPAN_DELETE, last, 0, 0, err);
  if (merged < 0) return -1;
  k->ids -= merged;
  if (run(k, last ? SWEEP_ADVANCE : SWEEP_RESTART, last, head, 0, err) < 0) return -1;
  return run(k, NEW_TRIM, NULL, 2 * (uint64_t)merged, 0, err) < 0 ? -1 : 0;
}

static int merge_some(struct keys *k, uint64_t head, struct ck_err *err) {
  int64_t excess = k->ids - k->memory_ids;
  struct ck_buf text = {0};
  int rc = find_span_end(k, excess < MERGE_MAX ? excess : MERGE_MAX, &text, err);
  struct ck_str last = ck_buf_view(&text);
  if (rc >= 0) rc = merge_span(k, rc ? &last : NULL, head, err);
  ck_buf_free(&text);
  return rc;
}

int keys_merge(struct keys *k, uint64_t head, struct ck_err *err) {
  if (k->ids - k->memory_ids >= k->merge_min) {
    if (!filter_exists(k->filter) && filter_build(k->filter, err)) return -1;
    if (merge_some(k, head, err)) return -1;
  }
  return filter_store(k->filter, head, k->memory_ids, err);
}

void keys_committed(struct keys *k) {
  k->committed_ids = k->ids;
  filter_committed(k->filter);
}

void keys_rolled_back(struct keys *k) {
  k->ids = k->committed_ids;
  filter_rolled_back(k->filter);
}

/* ---- for other connections ---- */

/* One SELECT a layer, because each is ordered by id, and SQLite merges them. A layer that begins
 * after this has its ids in message_keys_new too. */
int keys_select(sqlite3 *db, struct ck_buf *sql, const char *condition, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, "SELECT layer FROM message_keys_layers", err);
  if (!s) return -1;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW)
    ck_buf_printf(sql, "SELECT version, id FROM message_keys_sorted WHERE layer = %d AND %s UNION ",
                  sqlite3_column_int(s, 0), condition);
  ck_buf_printf(sql, "SELECT version, id FROM message_keys_new WHERE %s", condition);
  int bad = rc == SQLITE_DONE ? 0 : db_fail(db, "message_keys_layers", err);
  sqlite3_finalize(s);
  return bad;
}

int keys_highest(sqlite3 *db, uint64_t *version, struct ck_err *err) {
  int64_t highest;
  if (db_int(db,
             "SELECT max((SELECT coalesce(max(version), 0) FROM message_keys_new),"
             " (SELECT coalesce(max(max(started_version, stored_version)), 0)"
             " FROM message_keys_sweeps))",
             0, &highest, err))
    return -1;
  *version = (uint64_t)highest;
  return 0;
}
