/* See tables.h. */
#include "store/write/tables.h"

#include <stdlib.h>

struct tables {
  sqlite3 *db;
  struct keys *keys;
  sqlite3_stmt *get[CK_TABLES], *unique[CK_TABLES], *insert[CK_TABLES], *update[CK_TABLES],
      *stay[CK_TABLES], *release[CK_TABLES], *quiet[CK_TABLES];
};

static sqlite3_stmt *prepare_get(sqlite3 *db, enum ck_table t, const char *where,
                                 struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT version, ");
  db_columns(&sql, t, "");
  ck_buf_printf(&sql, " FROM %s WHERE %s", ck_tables[t].name, where);
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

static sqlite3_stmt *prepare_unique(sqlite3 *db, enum ck_table t, struct ck_err *err) {
  const struct ck_unique *u = &ck_uniques[t];
  struct ck_buf where = {0};
  for (int i = 0; i < u->columns; ++i)
    ck_buf_printf(&where, "%s%s = ?%d", i ? " AND " : "", ck_tables[t].fields[u->column[i]].name,
                  i + 1);
  sqlite3_stmt *s = prepare_get(db, t, ck_buf_cstr(&where), err);
  ck_buf_free(&where);
  return s;
}

static sqlite3_stmt *prepare_release(sqlite3 *db, enum ck_table t, struct ck_err *err) {
  char *sql = ck_sprintf("UPDATE %s SET %s = NULL WHERE version = ?1", ck_tables[t].name,
                         ck_tables[t].fields[ck_release_column(t)].name);
  sqlite3_stmt *s = db_prepare(db, sql, err);
  free(sql);
  return s;
}

static sqlite3_stmt *prepare_insert(sqlite3 *db, enum ck_table t, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_printf(&sql, "INSERT INTO %s (version, ", ck_tables[t].name);
  db_columns(&sql, t, "");
  ck_buf_text(&sql, ") VALUES (?1");
  for (int c = 0; c < ck_tables[t].columns; ++c) ck_buf_printf(&sql, ", ?%d", c + 2);
  ck_buf_text(&sql, ")");
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

/* Does not set the key, which never changes: so SQLite need not look for rows that refer to it.
 * stays: nor what ties the record to others (ck_is_tie), so it need not look for those either, nor
 * keep the pages as they were until it has found them. */
static sqlite3_stmt *prepare_update(sqlite3 *db, enum ck_table t, bool stays, struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[t];
  struct ck_buf sql = {0};
  ck_buf_printf(&sql, "UPDATE %s SET version = ?1", info->name);
  for (int c = 0; c < info->columns; ++c)
    if (c != info->key && !(stays && ck_is_tie(t, c)))
      ck_buf_printf(&sql, ", %s = ?%d", info->fields[c].name, c + 2);
  ck_buf_printf(&sql, " WHERE version = ?%d", info->columns + 2);
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

static sqlite3_stmt *prepare_quiet(sqlite3 *db, enum ck_table t, struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[t];
  struct ck_buf sql = {0};
  int n = 0;
  ck_buf_printf(&sql, "UPDATE %s SET", info->name);
  for (int c = 0; c < info->columns; ++c)
    if (info->fields[c].flags & CK_QUIET)
      ck_buf_printf(&sql, "%s %s = ?%d", n++ ? "," : "", info->fields[c].name, c + 2);
  ck_buf_text(&sql, " WHERE version = ?1");
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

static int prepare_table(struct tables *t, enum ck_table i, struct ck_err *err) {
  struct ck_buf where = {0};
  if (i == CK_MESSAGES)
    ck_buf_text(&where, "version = ?1"); /* found by store/keys/ */
  else
    ck_buf_printf(&where, "%s = ?1", ck_tables[i].fields[ck_tables[i].key].name);
  t->get[i] = prepare_get(t->db, i, ck_buf_cstr(&where), err);
  ck_buf_free(&where);
  t->insert[i] = prepare_insert(t->db, i, err);
  t->update[i] = prepare_update(t->db, i, false, err);
  t->stay[i] = prepare_update(t->db, i, true, err);
  if (!t->get[i] || !t->insert[i] || !t->update[i] || !t->stay[i]) return -1;
  if (ck_uniques[i].columns && !(t->unique[i] = prepare_unique(t->db, i, err))) return -1;
  if (ck_release_column(i) >= 0 && !(t->release[i] = prepare_release(t->db, i, err))) return -1;
  if (ck_tables[i].ages >= 0 && !(t->quiet[i] = prepare_quiet(t->db, i, err))) return -1;
  return 0;
}

struct tables *tables_new(sqlite3 *db, struct ck_err *err) {
  struct tables *t = ck_zalloc(sizeof *t);
  t->db = db;
  if (!(t->keys = keys_new(db, err))) {
    tables_free(&t);
    return NULL;
  }
  for (int i = 0; i < CK_TABLES; ++i)
    if (prepare_table(t, (enum ck_table)i, err)) {
      tables_free(&t);
      return NULL;
    }
  return t;
}

void tables_free(struct tables **t) {
  if (!*t) return;
  for (int i = 0; i < CK_TABLES; ++i) {
    sqlite3_finalize((*t)->get[i]);
    sqlite3_finalize((*t)->unique[i]);
    sqlite3_finalize((*t)->insert[i]);
    sqlite3_finalize((*t)->update[i]);
    sqlite3_finalize((*t)->stay[i]);
    sqlite3_finalize((*t)->release[i]);
    sqlite3_finalize((*t)->quiet[i]);
  }
  keys_free(&(*t)->keys);
  free(*t);
  *t = NULL;
}

static int fetch(struct tables *t, sqlite3_stmt *s, enum ck_table table, uint64_t *version,
                 struct ck_row *row, struct ck_err *err) {
  int rc = sqlite3_step(s);
  if (rc == SQLITE_DONE) return 0;
  if (rc != SQLITE_ROW) return db_fail(t->db, ck_tables[table].name, err);
  *version = (uint64_t)sqlite3_column_int64(s, 0);
  db_row(s, 1, table, row);
  return 1;
}

int tables_get(struct tables *t, enum ck_table table, struct ck_str key, uint64_t *version,
               struct ck_row *row, struct ck_err *err) {
  sqlite3_stmt *s = t->get[table];
  sqlite3_reset(s);
  *version = 0;
  if (table == CK_MESSAGES) {
    int found = keys_find(t->keys, key, version, err);
    if (found <= 0) return found;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)*version);
  } else {
    db_bind_str(s, 1, key);
  }
  int rc = fetch(t, s, table, version, row, err);
  /* The id of a message that was deleted by hand leads to none, or to what has its version today.
   */
  return rc > 0 && !ck_str_eq(ck_row_key(row), key) ? 0 : rc;
}

int tables_get_unique(struct tables *t, const struct ck_row *like, uint64_t *version,
                      struct ck_row *row, struct ck_err *err) {
  const struct ck_unique *u = &ck_uniques[like->table];
  sqlite3_stmt *s = t->unique[like->table];
  sqlite3_reset(s);
  for (int i = 0; i < u->columns; ++i) db_bind_value(s, i + 1, &like->v[u->column[i]]);
  return fetch(t, s, like->table, version, row, err);
}

void tables_reset(struct tables *t, enum ck_table table) {
  sqlite3_reset(t->get[table]);
  if (t->unique[table]) sqlite3_reset(t->unique[table]);
}

static int run(struct tables *t, sqlite3_stmt *s, enum ck_table table, struct ck_err *err) {
  int bad = sqlite3_step(s) == SQLITE_DONE ? 0 : db_fail(t->db, ck_tables[table].name, err);
  sqlite3_reset(s);
  return bad;
}

int tables_release(struct tables *t, enum ck_table table, uint64_t version, struct ck_err *err) {
  sqlite3_bind_int64(t->release[table], 1, (sqlite3_int64)version);
  return run(t, t->release[table], table, err);
}

int tables_write(struct tables *t, const struct ck_row *row, uint64_t old_version, bool stays,
                 uint64_t version, struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[row->table];
  sqlite3_stmt *s = !old_version ? t->insert[row->table]
                    : stays      ? t->stay[row->table]
                                 : t->update[row->table];
  sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
  for (int c = 0; c < info->columns; ++c)
    if (!old_version || c != info->key) db_bind_value(s, c + 2, &row->v[c]);
  if (old_version) sqlite3_bind_int64(s, info->columns + 2, (sqlite3_int64)old_version);
  if (run(t, s, row->table, err)) return -1;
  return row->table == CK_MESSAGES ? keys_put(t->keys, ck_row_key(row), old_version, version, err)
                                   : 0;
}

int tables_write_quiet(struct tables *t, const struct ck_row *row, uint64_t version,
                       struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[row->table];
  sqlite3_stmt *s = t->quiet[row->table];
  sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
  for (int c = 0; c < info->columns; ++c)
    if (info->fields[c].flags & CK_QUIET) db_bind_value(s, c + 2, &row->v[c]);
  return run(t, s, row->table, err);
}

struct keys *tables_keys(struct tables *t) {
  return t->keys;
}
