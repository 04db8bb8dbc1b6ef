/* A hash table of noted versions, and their encoded records in one buffer. */
#include "store/mirror/parents.h"

#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"
#include "store/keys/keys.h"

struct noted {
  uint64_t version;   /* 0: empty */
  size_t from, bytes; /* in parents.changes */
};

struct parents {
  sqlite3 *db;
  sqlite3_stmt *where[CK_TABLES]; /* the version of a key */
  sqlite3_stmt *row[CK_TABLES];   /* the record of a version */
  uint64_t after, floor;
  struct noted *at; /* open addressing: by version, modulo cap */
  size_t n, cap;    /* cap: a power of two */
  struct ck_buf changes;
};

static sqlite3_stmt *prepare_where(sqlite3 *db, enum ck_table t, struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[t];
  struct ck_buf sql = {0};
  if (t == CK_MESSAGES)
    ck_buf_text(&sql, "SELECT " KEYS_VERSION_OF("?1"));
  else
    ck_buf_printf(&sql, "SELECT version FROM %s WHERE %s = ?1", info->name,
                  info->fields[info->key].name);
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

static sqlite3_stmt *prepare_row(sqlite3 *db, enum ck_table t, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT ");
  db_columns(&sql, t, "");
  ck_buf_printf(&sql, " FROM %s WHERE version = ?1", ck_tables[t].name);
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

struct parents *parents_new(sqlite3 *db, struct ck_err *err) {
  struct parents *p = ck_zalloc(sizeof *p);
  p->db = db;
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    if (!ck_is_parent(t)) continue;
    if ((p->where[t] = prepare_where(db, t, err)) && (p->row[t] = prepare_row(db, t, err)))
      continue;
    parents_free(&p);
    return NULL;
  }
  return p;
}

void parents_free(struct parents **parents) {
  struct parents *p = *parents;
  if (!p) return;
  for (int t = 0; t < CK_TABLES; ++t) {
    sqlite3_finalize(p->where[t]);
    sqlite3_finalize(p->row[t]);
  }
  free(p->at);
  ck_buf_free(&p->changes);
  free(p);
  *parents = NULL;
}

void parents_begin(struct parents *p, uint64_t after, uint64_t floor) {
  p->after = after;
  p->floor = floor;
  p->n = 0;
  if (p->cap) memset(p->at, 0, p->cap * sizeof *p->at);
  ck_buf_clear(&p->changes);
}

/* ---- versions that were noted ---- */

static struct noted *place_of(struct noted *at, size_t cap, uint64_t version) {
  size_t i = (size_t)version & (cap - 1);
  while (at[i].version && at[i].version != version) i = (i + 1) & (cap - 1);
  return &at[i];
}

static void grow(struct parents *p) {
  size_t cap = p->cap ? 2 * p->cap : 256;
  struct noted *at = ck_zalloc(cap * sizeof *at);
  for (size_t i = 0; i < p->cap; ++i)
    if (p->at[i].version) *place_of(at, cap, p->at[i].version) = p->at[i];
  free(p->at);
  p->at = at;
  p->cap = cap;
}

/* ---- looking up ---- */

/* *version: 0 if there is no such record. */
static int version_of(struct parents *p, const struct ck_parent *one, uint64_t *version,
                      struct ck_err *err) {
  sqlite3_stmt *s = p->where[one->table];
  db_bind_str(s, 1, one->key);
  int rc = sqlite3_step(s);
  *version = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
  sqlite3_reset(s);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(p->db, "a parent's key", err);
}

static int note(struct parents *p, enum ck_table t, uint64_t version, struct ck_err *err) {
  if (2 * (p->n + 1) > p->cap) grow(p);
  struct noted *to = place_of(p->at, p->cap, version);
  sqlite3_stmt *s = p->row[t];
  struct ck_row row;
  if (to->version) return 0;
  sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    size_t from = p->changes.len;
    db_row(s, 0, t, &row);
    ck_change_encode(&p->changes, version, &row);
    *to = (struct noted){version, from, p->changes.len - from};
    ++p->n;
  }
  sqlite3_reset(s);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(p->db, "a parent", err);
}

int parents_note(struct parents *p, uint64_t version, const struct ck_row *row,
                 struct ck_err *err) {
  struct ck_parent parent[CK_REFERENCES];
  size_t n = ck_row_parents(row, parent);
  for (size_t i = 0; i < n; ++i) {
    uint64_t its;
    if (version_of(p, &parent[i], &its, err)) return -1;
    bool before = its > p->after && its < version;
    if (its > p->floor && !before && note(p, parent[i].table, its, err)) return -1;
  }
  return 0;
}

size_t parents_bytes(const struct parents *p) { return p->changes.len; }

uint32_t parents_put(const struct parents *p, uint64_t upto, struct ck_buf *changes, bool *all) {
  uint32_t n = 0;
  *all = true;
  for (size_t i = 0; i < p->cap; ++i) {
    const struct noted *one = &p->at[i];
    bool inside = one->version > p->after && one->version <= upto;
    if (!one->version || inside) continue;
    if (changes->len + one->bytes > CK_FRAME_MAX - 1024) {
      *all = false;
      continue;
    }
    ck_buf_add(changes, p->changes.data + one->from, one->bytes);
    ++n;
  }
  return n;
}
