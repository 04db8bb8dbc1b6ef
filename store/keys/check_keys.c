/* doctor's check that the keys and the messages agree. keys.h says how it works. */
#include <stdlib.h>
#include <string.h>

#include "store/keys/bloom.h"
#include "store/keys/keys.h"

#define SUMS 65536
/* Layers and message_keys_new; more than there can be (LAYERS_MAX). */
#define SOURCES_MAX 64

/* Seeks from one layer to the next in the primary key, instead of reading all ids. */
#define UNKNOWN_LAYERS \
  "WITH RECURSIVE l (layer) AS (SELECT min(layer) FROM message_keys_sorted UNION ALL" \
  " SELECT (SELECT min(layer) FROM message_keys_sorted WHERE layer > l.layer)" \
  " FROM l WHERE layer IS NOT NULL)" \
  " SELECT 'ids are in layer ' || layer || ', which does not exist' FROM l WHERE layer IS NOT " \
  "NULL" \
  " AND layer NOT IN (SELECT layer FROM message_keys_layers)"

struct key {
  struct ck_str id; /* valid until the source's next step */
  int64_t version, layer;
  bool is_new; /* from message_keys_new */
};

/* A layer, or message_keys_new, read in order of id. */
struct source {
  sqlite3_stmt *s;
  bool is_new, ended;
  struct key key;
};

struct keys_check {
  sqlite3 *db;
  keys_problem_fn *problem;
  void *self;
  bool enough; /* problem() returned false */
  unsigned reported;
  uint64_t sum[SUMS];
  struct source source[SOURCES_MAX];
  int sources;
};

/* ---- sums ---- */

static uint64_t mix(uint64_t h) {
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

static uint64_t *sum_of(struct keys_check *c, uint64_t hash) { return &c->sum[hash >> 48]; }

static uint64_t hash_with(uint64_t hash, int64_t version) {
  return mix(hash + (uint64_t)version * 0x9e3779b97f4a7c15u);
}

static bool is_off(struct keys_check *c, struct ck_str id) {
  return *sum_of(c, bloom_hash(id)) != 0;
}

/* ---- reporting ---- */

static void report(struct keys_check *c, const char *what) {
  ++c->reported;
  if (!c->problem(c->self, what)) c->enough = true;
}

static void report_id(struct keys_check *c, const char *before, struct ck_str id,
                      const char *after) {
  struct ck_buf b = {0};
  ck_buf_text(&b, before);
  ck_buf_summary(&b, id, 100);
  ck_buf_text(&b, after);
  report(c, ck_buf_cstr(&b));
  ck_buf_free(&b);
}

/* ---- beginning and end ---- */

struct keys_check *keys_check_new(sqlite3 *db, keys_problem_fn *problem, void *self) {
  struct keys_check *c = ck_zalloc(sizeof *c);
  c->db = db;
  c->problem = problem;
  c->self = self;
  return c;
}

static void end_sources(struct keys_check *c) {
  while (c->sources) sqlite3_finalize(c->source[--c->sources].s);
}

void keys_check_free(struct keys_check **c) {
  if (!*c) return;
  end_sources(*c);
  free(*c);
  *c = NULL;
}

void keys_check_message(struct keys_check *c, struct ck_str id, int64_t version) {
  uint64_t hash = bloom_hash(id);
  *sum_of(c, hash) += hash_with(hash, version);
}

/* ---- all keys in the order of their ids ---- */

static int advance(struct keys_check *c, struct source *from, struct ck_err *err) {
  int rc = sqlite3_step(from->s);
  from->ended = rc != SQLITE_ROW;
  if (from->ended) return rc == SQLITE_DONE ? 0 : db_fail(c->db, "message_keys", err);
  from->key = (struct key){.id = db_str(from->s, 0),
                           .version = sqlite3_column_int64(from->s, 1),
                           .layer = sqlite3_column_int64(from->s, 2),
                           .is_new = from->is_new};
  return 0;
}

/* layer: the query's ?1, unless is_new. */
static int begin_source(struct keys_check *c, const char *sql, int64_t layer, bool is_new,
                        struct ck_err *err) {
  if (c->sources == SOURCES_MAX) return ck_fail(err, "message_keys_layers: too many layers");
  struct source *from = &c->source[c->sources];
  *from = (struct source){.s = db_prepare(c->db, sql, err), .is_new = is_new};
  if (!from->s) return -1;
  ++c->sources;
  if (!is_new) sqlite3_bind_int64(from->s, 1, layer);
  return advance(c, from, err);
}

#define COLUMNS "SELECT id, version, layer FROM "

static int begin_layers(struct keys_check *c, struct ck_err *err) {
  const char *ids = COLUMNS "message_keys_sorted WHERE layer = ?1 ORDER BY id";
  sqlite3_stmt *s = db_prepare(c->db, "SELECT layer FROM message_keys_layers", err);
  if (!s) return -1;
  int rc, bad = 0;
  while (!bad && (rc = sqlite3_step(s)) == SQLITE_ROW)
    bad = begin_source(c, ids, sqlite3_column_int64(s, 0), false, err);
  if (!bad && rc != SQLITE_DONE) bad = db_fail(c->db, "message_keys_layers", err);
  sqlite3_finalize(s);
  return bad;
}

static int begin_sources(struct keys_check *c, struct ck_err *err) {
  if (begin_layers(c, err)) return -1;
  return begin_source(c, COLUMNS "message_keys_new ORDER BY id", 0, true, err);
}

/* Compares like SQLite. */
static int compare(struct ck_str a, struct ck_str b) {
  int by = memcmp(a.s, b.s, a.n < b.n ? a.n : b.n);
  return by ? by : (a.n > b.n) - (a.n < b.n);
}

/* The source with the least key; of equal keys, a layer before message_keys_new. NULL: the end. */
static struct source *least(struct keys_check *c) {
  struct source *at = NULL;
  for (int i = 0; i < c->sources; ++i) {
    struct source *next = &c->source[i];
    if (!next->ended && (!at || compare(next->key.id, at->key.id) < 0)) at = next;
  }
  return at;
}

/* before: the previous key, if it has the same id; else NULL. */
typedef int key_fn(struct keys_check *c, const struct key *k, const struct key *before,
                   struct ck_err *err);

static int walk(struct keys_check *c, key_fn *each, struct ck_err *err) {
  struct ck_buf id = {0}; /* a copy of the last key's id */
  struct key last = {.layer = 0};
  int rc = begin_sources(c, err);
  bool any = false;
  for (struct source *from; rc == 0 && !c->enough && (from = least(c));) {
    last.id = ck_buf_view(&id);
    bool same = any && ck_str_eq(from->key.id, last.id);
    rc = each(c, &from->key, same ? &last : NULL, err);
    any = true;
    last = from->key;
    if (!same) ck_buf_clear(&id), ck_buf_str(&id, last.id);
    if (rc == 0) rc = advance(c, from, err);
  }
  end_sources(c);
  ck_buf_free(&id);
  return rc;
}

/* ---- what is wrong ---- */

/* An id may be in its layer and in message_keys_new too, with the same version and layer. */
static int subtract(struct keys_check *c, const struct key *k, const struct key *before,
                    struct ck_err *err) {
  (void)err;
  uint64_t hash = bloom_hash(k->id);
  if (!before)
    *sum_of(c, hash) -= hash_with(hash, k->version);
  else if (before->version != k->version)
    report_id(c, "the id ", k->id, " belongs to two messages");
  else if (before->layer != k->layer || before->is_new || !k->is_new)
    report_id(c, "the id ", k->id, " is there twice");
  return 0;
}

/* Looks up one message by its id. SQLITE_ROW or an error. */
static int look_for_message(struct keys_check *c, sqlite3_stmt *look, struct ck_str id,
                            int64_t version) {
  db_bind_str(look, 1, id);
  int rc = sqlite3_step(look);
  if (rc == SQLITE_ROW && sqlite3_column_int64(look, 0) != version)
    report_id(c, "message ", id, " is not found by its id");
  sqlite3_reset(look);
  return rc;
}

/* Looks up each message whose sum is off, by its id. */
static int look_for_messages(struct keys_check *c, struct ck_err *err) {
  sqlite3_stmt *all = db_prepare(c->db, "SELECT id, version FROM messages ORDER BY version", err);
  sqlite3_stmt *look = db_prepare(c->db, "SELECT " KEYS_VERSION_OF("?1"), err);
  int rc = all && look ? SQLITE_ROW : SQLITE_ERROR;
  while (rc == SQLITE_ROW && !c->enough && (rc = sqlite3_step(all)) == SQLITE_ROW) {
    struct ck_str id = db_str(all, 0);
    if (is_off(c, id)) rc = look_for_message(c, look, id, sqlite3_column_int64(all, 1));
  }
  int bad = 0;
  if (!all || !look)
    bad = -1;
  else if (rc != SQLITE_DONE && rc != SQLITE_ROW)
    bad = db_fail(c->db, "messages", err);
  sqlite3_finalize(all);
  sqlite3_finalize(look);
  return bad;
}

/* Looks up each key whose sum is off, by its version. */
static int look_for_key(struct keys_check *c, const struct key *k, const struct key *before,
                        struct ck_err *err) {
  if (before || !is_off(c, k->id)) return 0;
  const char *sql = "SELECT 1 FROM messages WHERE version = ?1 AND id = ?2";
  sqlite3_stmt *look = db_prepare(c->db, sql, err);
  if (!look) return -1;
  sqlite3_bind_int64(look, 1, k->version);
  db_bind_str(look, 2, k->id);
  int rc = sqlite3_step(look);
  int bad = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(c->db, "messages", err);
  if (rc == SQLITE_DONE) report_id(c, "the id ", k->id, " leads to no message");
  sqlite3_finalize(look);
  return bad;
}

static int report_unknown_layers(struct keys_check *c, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(c->db, UNKNOWN_LAYERS, err);
  if (!s) return -1;
  int rc = SQLITE_ROW;
  while (!c->enough && (rc = sqlite3_step(s)) == SQLITE_ROW)
    report(c, (const char *)sqlite3_column_text(s, 0));
  int bad = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_fail(c->db, "message_keys_sorted", err);
  sqlite3_finalize(s);
  return bad;
}

int keys_check_end(struct keys_check *c, struct ck_err *err) {
  if (report_unknown_layers(c, err) || walk(c, subtract, err)) return -1;
  bool off = false;
  for (int i = 0; i < SUMS; ++i) off |= c->sum[i] != 0;
  if (!off || c->enough) return 0;
  if (look_for_messages(c, err) || walk(c, look_for_key, err)) return -1;
  if (!c->reported) report(c, "the index of ids does not agree with the messages");
  return 0;
}

int keys_check(sqlite3 *db, keys_problem_fn *problem, void *self, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, "SELECT id, version FROM messages ORDER BY version", err);
  if (!s) return -1;
  struct keys_check *c = keys_check_new(db, problem, self);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW)
    keys_check_message(c, db_str(s, 0), sqlite3_column_int64(s, 1));
  int bad = rc == SQLITE_DONE ? 0 : db_fail(db, "messages", err);
  sqlite3_finalize(s);
  if (!bad) bad = keys_check_end(c, err);
  keys_check_free(&c);
  return bad;
}
