/* Reading databases and artifacts; see database.h. */
#include "proto/sqlite_pages.h"
#include "tests/harness/database.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/records.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"

static sqlite3 *open_read_only(const char *file) {
  sqlite3 *db = NULL;
  T_CHECK(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, "cannot read %s: %s",
          file, db ? sqlite3_errmsg(db) : "no memory");
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_exec(db, "PRAGMA query_only = 1", NULL, NULL, NULL);
  sqlite3_busy_timeout(db, 5000);
  return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *file, const char *sql) {
  sqlite3_stmt *st = NULL;
  T_CHECK(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK, "%s: %s: %s", file, sql,
          sqlite3_errmsg(db));
  return st;
}

static bool step(sqlite3_stmt *st, const char *file) {
  int rc = sqlite3_step(st);
  T_CHECK(rc == SQLITE_ROW || rc == SQLITE_DONE, "%s: %s: %s", file, sqlite3_sql(st),
          sqlite3_errmsg(sqlite3_db_handle(st)));
  return rc == SQLITE_ROW;
}

int64_t t_sql_int(const char *file, const char *sql) {
  sqlite3 *db = open_read_only(file);
  sqlite3_stmt *st = prepare(db, file, sql);
  int64_t value = step(st, file) ? sqlite3_column_int64(st, 0) : 0;
  sqlite3_finalize(st);
  sqlite3_close(db);
  return value;
}

static json_t *cell(sqlite3_stmt *st, int i) {
  switch (sqlite3_column_type(st, i)) {
  case SQLITE_INTEGER:
    return json_integer(sqlite3_column_int64(st, i));
  case SQLITE_FLOAT:
    return json_real(sqlite3_column_double(st, i));
  case SQLITE_NULL:
    return json_null();
  default: {
    const char *text = (const char *)sqlite3_column_text(st, i);
    json_t *value = json_stringn(text, (size_t)sqlite3_column_bytes(st, i));
    T_CHECK(value != NULL, "%s holds text that is not UTF-8", sqlite3_column_name(st, i));
    return value;
  }
  }
}

json_t *t_sql(const char *file, const char *sql) {
  sqlite3 *db = open_read_only(file);
  sqlite3_stmt *st = prepare(db, file, sql);
  json_t *rows = json_array();
  while (step(st, file)) {
    json_t *row = json_object();
    for (int i = 0; i < sqlite3_column_count(st); i++)
      json_object_set_new(row, sqlite3_column_name(st, i), cell(st, i));
    json_array_append_new(rows, row);
  }
  sqlite3_finalize(st);
  sqlite3_close(db);
  return rows;
}

static void run_through(const char *vfs, const char *file, const char *statements) {
  sqlite3 *db = NULL;
  char *error = NULL;
  T_CHECK(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs) == SQLITE_OK,
          "cannot open %s", file);
  sqlite3_busy_timeout(db, 5000);
  T_CHECK(sqlite3_exec(db, statements, NULL, NULL, &error) == SQLITE_OK, "%s: %s", file, error);
  sqlite3_close(db);
}

void t_sql_run(const char *file, const char *statements) { run_through(NULL, file, statements); }

void t_sql_run_sealed(const char *file, const char *statements) {
  run_through(ck_sqlite_pages_vfs(), file, statements);
}

json_t *t_record(const char *table, const char *key) {
  enum ck_table t = ck_table_named(ck_str_of(table));
  T_CHECK(t != CK_TABLES, "the test asks for a table %s", table);
  char *sql = sqlite3_mprintf("SELECT * FROM %s WHERE %s = %Q", table,
                              ck_tables[t].fields[ck_tables[t].key].name, key);
  json_t *rows = t_sql("artifact.db", sql), *row = json_incref(json_array_get(rows, 0));
  json_decref(rows);
  sqlite3_free(sql);
  return row;
}

int64_t t_count(const char *table) {
  char sql[128];
  snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
  return t_sql_int("artifact.db", sql);
}

/* ---- comparing ---- */

static void select_all(struct ck_buf *sql, const struct ck_table_info *t) {
  ck_buf_clear(sql);
  ck_buf_text(sql, "SELECT ");
  for (int i = 0; i < t->mirrored; i++) ck_buf_printf(sql, "%s, ", t->fields[i].name);
  ck_buf_printf(sql, "version FROM %s ORDER BY %s", t->name, t->fields[t->key].name);
}

static bool same_cell(sqlite3_stmt *a, sqlite3_stmt *b, int i) {
  int type = sqlite3_column_type(a, i), n = 0;
  if (type != sqlite3_column_type(b, i)) return false;
  if (type == SQLITE_INTEGER) return sqlite3_column_int64(a, i) == sqlite3_column_int64(b, i);
  if (type == SQLITE_NULL) return true;
  const void *x = sqlite3_column_blob(a, i), *y = sqlite3_column_blob(b, i);
  n = sqlite3_column_bytes(a, i);
  return n == sqlite3_column_bytes(b, i) && (n == 0 || memcmp(x, y, (size_t)n) == 0);
}

static const char *shown(sqlite3_stmt *st, int i) {
  const char *text = (const char *)sqlite3_column_text(st, i);
  return text ? text : "NULL";
}

static char *compare_rows(sqlite3_stmt *a, sqlite3_stmt *b, const struct ck_table_info *t,
                          const char *one, const char *other) {
  for (;;) {
    bool more = step(a, one), also = step(b, other);
    if (!more && !also) return NULL;
    int order = !more ? 1 : !also ? -1 : strcmp(shown(a, t->key), shown(b, t->key));
    if (order < 0) return ck_sprintf("%s: %s is in %s only", t->name, shown(a, t->key), one);
    if (order > 0) return ck_sprintf("%s: %s is in %s only", t->name, shown(b, t->key), other);
    for (int i = 0; i <= t->mirrored; i++)
      if (!same_cell(a, b, i))
        return ck_sprintf("%s %s: %s is \"%.200s\" in %s, \"%.200s\" in %s", t->name,
                          shown(a, t->key), sqlite3_column_name(a, i), shown(a, i), one,
                          shown(b, i), other);
  }
}

char *t_difference(const char *one, const char *other) {
  sqlite3 *a = open_read_only(one), *b = open_read_only(other);
  struct ck_buf sql = {0};
  char *difference = NULL;
  for (int t = 0; t < CK_TABLES && difference == NULL; t++) {
    select_all(&sql, &ck_tables[t]);
    sqlite3_stmt *x = prepare(a, one, ck_buf_cstr(&sql)), *y = prepare(b, other, ck_buf_cstr(&sql));
    difference = compare_rows(x, y, &ck_tables[t], one, other);
    sqlite3_finalize(x);
    sqlite3_finalize(y);
  }
  ck_buf_free(&sql);
  sqlite3_close(a);
  sqlite3_close(b);
  return difference;
}

void t_check_mirror(const char *file, const char *mirror) {
  char *difference = t_difference(file, mirror);
  T_CHECK(difference == NULL, "the mirror is not the database: %s", difference);
}

/* ---- the database by itself ---- */

static void all_versions(struct ck_buf *sql) {
  for (int t = 0; t < CK_TABLES; t++)
    ck_buf_printf(sql, "%sSELECT version FROM %s", t ? " UNION ALL " : "", ck_tables[t].name);
}

void t_check_database(const char *file) {
  json_t *said = t_sql(file, "PRAGMA integrity_check");
  const char *verdict = t_text_at(said, "0.integrity_check");
  T_CHECK(verdict && strcmp(verdict, "ok") == 0, "%s: integrity_check says %s", file,
          verdict ? verdict : "nothing");
  json_decref(said);
  json_t *foreign = t_sql(file, "PRAGMA foreign_key_check");
  T_CHECK(json_array_size(foreign) == 0, "%s: %zu rows point to nothing", file,
          json_array_size(foreign));
  json_decref(foreign);
  T_CHECK(
      t_sql_int(
          file,
          "SELECT (SELECT count(*) FROM messages) - (SELECT count(DISTINCT id) FROM messages)") ==
          0,
      "%s: an id of two messages", file);
  T_CHECK(t_sql_int(file, "SELECT count(*) FROM (SELECT message_id FROM executions UNION SELECT "
                          "message_id FROM renewal_jobs EXCEPT SELECT id FROM messages)") == 0,
          "%s: a message is not there", file);
  struct ck_buf versions = {0}, sql = {0};
  all_versions(&versions);
  ck_buf_printf(&sql, "SELECT count(*) - count(DISTINCT version) FROM (%s)",
                ck_buf_cstr(&versions));
  T_CHECK(t_sql_int(file, ck_buf_cstr(&sql)) == 0, "%s: a version was used twice", file);
  ck_buf_free(&versions);
  ck_buf_free(&sql);
}

/* ---- artifacts ---- */

/* Whether the .json has this value; a missing member counts as null. */
static bool says(json_t *json, const char *name, json_t *want) {
  json_t *got = json_object_get(json, name);
  if (got == NULL || json_is_null(got)) return json_is_null(want);
  return json_equal(got, want) != 0;
}

/* The file of a static_path with this ending, .txt or .json, which replaces a .txt of the path. */
static void file_of(char out[PATH_MAX], const char *static_path, const char *ending) {
  size_t n = strlen(static_path);
  if (n > 4 && strcmp(static_path + n - 4, ".txt") == 0) n -= 4;
  snprintf(out, PATH_MAX, "artifacts/%.*s%s", (int)n, static_path, ending);
}

static void check_artifact(json_t *row, const char *key, const char *text_column) {
  char path[PATH_MAX];
  const char *where = json_string_value(json_object_get(row, "static_path"));
  file_of(path, where, ".json");
  char *bytes = t_read_file(path, NULL);
  T_CHECK(bytes != NULL, "%s has no file %s", key, path);
  json_error_t error;
  json_t *json = json_loads(bytes, JSON_ALLOW_NUL, &error);
  T_CHECK(json_is_object(json), "%s is not a JSON object: %s", path, error.text);
  const char *name;
  json_t *value;
  json_object_foreach(row, name, value) {
    char *want = json_dumps(value, JSON_ENCODE_ANY);
    T_CHECK(says(json, name, value), "%s: %s is not %.200s: %.600s", path, name, want, bytes);
    free(want);
  }
  json_decref(json);
  free(bytes);
  file_of(path, where, ".txt");
  size_t n = 0;
  bytes = t_read_file(path, &n);
  T_CHECK(bytes != NULL && n > 0, "%s has no file %s, or an empty one", key, path);
  json_t *text = text_column ? json_object_get(row, text_column) : NULL;
  T_CHECK(text == NULL ||
              memmem(bytes, n, json_string_value(text), json_string_length(text)) != NULL,
          "%s does not hold the text of %s", path, key);
  free(bytes);
}

static int check_table(const char *file, enum ck_table t, const char *text_column) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT ");
  /* Files have the mirrored columns only. */
  for (int i = 0; i < ck_tables[t].mirrored; i++)
    ck_buf_printf(&sql, "%s%s", i ? ", " : "", ck_tables[t].fields[i].name);
  ck_buf_printf(&sql, " FROM %s", ck_tables[t].name);
  json_t *rows = t_sql(file, ck_buf_cstr(&sql)), *row;
  size_t i;
  ck_buf_free(&sql);
  json_array_foreach(rows, i, row) check_artifact(
      row, json_string_value(json_object_get(row, ck_tables[t].fields[ck_tables[t].key].name)),
      text_column);
  int n = (int)json_array_size(rows);
  json_decref(rows);
  return n;
}

static void check_records(const char *file) {
  int messages = check_table(file, CK_MESSAGES, "raw_text"),
      executions = check_table(file, CK_EXECUTIONS, NULL),
      sessions = check_table(file, CK_SESSIONS, NULL);
  int msg = t_walk("artifacts/msg", NULL, NULL), exec = t_walk("artifacts/exec", NULL, NULL),
      session = t_walk("artifacts/session", NULL, NULL);
  T_CHECK(msg == 2 * messages, "%d files for %d messages", msg, messages);
  T_CHECK(exec == 2 * executions, "%d files for %d executions", exec, executions);
  int index = t_exists("artifacts/session/latest.txt") + t_exists("artifacts/session/latest.json");
  T_CHECK(session == 2 * sessions + index, "%d files for %d sessions", session, sessions);
  T_CHECK(sessions == 0 || index == 2, "session/latest.txt or latest.json is missing");
}

/* ---- artifacts of conversations ---- */

struct files {
  json_t *conversations; /* id → the texts of its messages by their ids */
  int count;
};

static json_t *texts_of(const json_t *conversation) {
  json_t *texts = json_object();
  size_t i;
  const json_t *m;
  json_array_foreach(json_object_get(conversation, "messages"), i, m) json_object_set(
      texts, json_string_value(json_object_get(m, "id")), json_object_get(m, "raw_text"));
  return texts;
}

static void read_conversation(const char *path, void *self) {
  struct files *f = self;
  size_t n = strlen(path), bytes;
  ++f->count;
  if (strcmp(path + n - 5, ".json") != 0) return;
  char *text = t_read_file(path, NULL), *md = ck_sprintf("%.*s.md", (int)n - 5, path);
  json_error_t error;
  json_t *json = json_loads(text ? text : "", JSON_ALLOW_NUL, &error);
  json_t *object = json_array_get(json_object_get(json, "conversations"), 0);
  const char *id = json_string_value(
      json_object_get(json_object_get(object, "conversation"), "local_conversation_id"));
  T_CHECK(id != NULL, "%s is not the JSON of a conversation: %s", path, error.text);
  T_CHECK(json_object_get(f->conversations, id) == NULL, "%s has several files", id);
  free(text);
  text = t_read_file(md, &bytes);
  T_CHECK(text && bytes, "%s is missing or empty", md);
  json_object_set_new(f->conversations, id, texts_of(object));
  json_decref(json);
  free(text);
  free(md);
}

static void check_conversations(const char *file) {
  static const char messages[] =
      "SELECT m.id, m.raw_text, l.local_conversation_id AS of FROM messages m"
      " JOIN conversation_links l ON l.platform = m.platform"
      " AND l.remote_conversation_id = m.conversation_id";
  struct files f = {.conversations = json_object()};
  t_walk("artifacts/conversations", read_conversation, &f);
  json_t *rows = t_sql(file, messages), *row;
  size_t i;
  json_array_foreach(rows, i, row) {
    const char *id = json_string_value(json_object_get(row, "id")),
               *of = json_string_value(json_object_get(row, "of"));
    T_CHECK(json_equal(json_object_get(json_object_get(f.conversations, of), id),
                       json_object_get(row, "raw_text")),
            "the files of %s do not have the message %s", of, id);
  }
  int64_t all = t_sql_int(file, "SELECT count(*) FROM local_conversations");
  T_CHECK((int64_t)json_object_size(f.conversations) == all && f.count == 2 * all,
          "%d files of %zu conversations for %lld", f.count, json_object_size(f.conversations),
          (long long)all);
  json_decref(rows);
  json_decref(f.conversations);
}

void t_check_artifacts(const char *file) {
  const char *form = ck_set_text(t_settings(), CK_SET_ARTIFACTS_FORM);
  if (strcmp(form, "records") == 0)
    check_records(file);
  else
    check_conversations(file);
}
