/* A table of lists (columns, order), the SQL made from it, and the rows as MessagePack. */
#include "store/read/lists.h"

#include <string.h>

#include "proto/filters.h"
#include "store/read/brake.h"
#include "store/keys/keys.h"

/* More rows than this are refused, so that an answer fits into a frame. One record always fits. */
#define ROWS_BYTES (CK_FRAME_MAX - (16u << 10))
#define FILTERS_MAX 16

struct list {
  const char *name;
  const char *columns; /* NULL: one of the six tables, with all its columns */
  const char *order;
};

/* What each can be filtered by is in proto/filters.h. */
static const struct list lists[] = {
    {"messages", NULL, "observed_at DESC, id"},
    {"executions", NULL, "executed_at DESC, instruction_id"},
    {"sessions", NULL, "last_activity_at DESC, id"},
    {"local_conversations", NULL, "updated_at DESC, created_at DESC, local_conversation_id"},
    {"conversation_links", NULL, "observed_at DESC, updated_at DESC, link_id"},
    {"renewal_jobs", NULL, "created_at DESC, updated_at DESC, job_id"},
    {"automation", "local_conversation_id, since, resumed", "local_conversation_id"},
    /* A client's token is shown to nobody. */
    {"leases",
     "job_id, attempt, CASE client WHEN '' THEN token ELSE '' END AS token, state, at, client, "
     "until",
     "job_id"},
    {"unreached", "job_id, count, since", "job_id"},
    {"offers", "job_id, client, offer, body, at", "at, job_id"},
    {"ended", "job_id, at, attempt, began, outcome, error, next_attempt_at, message_id",
     "at, job_id"},
    {"sent", "message_id, job_id, at", "message_id"},
    {"dead_letters", "sink, table_name, key, version, reason, at",
     "at DESC, sink, table_name, key"},
    {"refusals", "producer, number, reason, at", "at DESC, producer, number DESC"},
};

/* The order of jobs that are due by a given time. */
#define DUE_ORDER "next_attempt_at, created_at, job_id"

struct filters {
  struct ck_value value[FILTERS_MAX];
  int count;
  bool due;
};

static const struct list *list_named(struct ck_str name) {
  enum ck_table t = ck_table_named(name);
  struct ck_str sql_name = t == CK_TABLES ? name : ck_str_of(ck_tables[t].name);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i)
    if (ck_str_is(sql_name, lists[i].name)) return &lists[i];
  return NULL;
}

static int filter_value(struct ck_reader *r, struct ck_value *v) {
  struct ck_item item;
  if (ck_read(r, &item)) return -1;
  switch (item.type) {
  case CK_T_NIL:
    *v = ck_null();
    return 0;
  case CK_T_BOOL:
    *v = ck_int(item.as.b);
    return 0;
  case CK_T_INT:
    *v = ck_int(item.as.i);
    return 0;
  case CK_T_STR:
    *v = ck_text(item.as.str);
    return 0;
  default:
    return -1;
  }
}

static int unknown_filter(const struct list *l, struct ck_str name, const char **code,
                          struct ck_err *err) {
  struct ck_str shown = ck_utf8_cut(name, 60);
  struct ck_buf names = {0};
  ck_filter_names(&names, l->name, " ");
  *code = "unknown_filter";
  ck_fail(err, "%s cannot be filtered by '%.*s', only by: %s", l->name, (int)shown.n, shown.s,
          ck_buf_cstr(&names));
  ck_buf_free(&names);
  return -1;
}

/* Reads a filter's name and value and appends its term. */
static int add_term(struct ck_buf *sql, const struct list *l, struct ck_reader *r,
                    struct filters *f, const char **code, struct ck_err *err) {
  struct ck_str name;
  struct ck_filter filter;
  if (ck_read_str(r, &name)) return ck_fail(err, "query.filters: names must be text");
  if (ck_filter_named(&filter, l->name, name) || f->count == FILTERS_MAX)
    return unknown_filter(l, name, code, err);
  if (filter_value(r, &f->value[f->count]))
    return ck_fail(err, "query.filters: values are text, integers or nil");
  ck_buf_text(sql, f->count++ ? " AND " : " WHERE ");
  f->due |= filter.at_most;
  if (filter.at_most)
    ck_buf_printf(sql, "%s <= ?%d", filter.column, f->count);
  else if (ck_table_named(ck_str_of(l->name)) == CK_MESSAGES && ck_str_is(name, "id"))
    ck_buf_printf(sql, "version = " KEYS_VERSION_OF("?%d"), f->count, f->count);
  else
    ck_buf_printf(sql, "%s IS ?%d", filter.column, f->count);
  return 0;
}

/* Appends WHERE … and collects the values to bind. Refuses a filter that the list does not have. */
static int add_where(struct ck_buf *sql, const struct list *l, struct ck_str map, struct filters *f,
                     const char **code, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(map);
  uint32_t n = 0;
  int rc = 0;
  if (map.n && ck_read_map(&r, &n)) {
    struct ck_item nil;
    r = ck_reader_of(map);
    if (ck_read(&r, &nil) || nil.type != CK_T_NIL)
      return ck_fail(err, "query.filters: must be a map");
  }
  for (uint32_t i = 0; i < n && rc == 0; ++i) rc = add_term(sql, l, &r, f, code, err);
  return rc;
}

static void add_columns(struct ck_buf *sql, const struct list *l, enum ck_table t) {
  if (l->columns)
    ck_buf_text(sql, l->columns);
  else
    db_columns(sql, t, "");
}

/* For the six tables, versions are sorted first and the rows fetched afterwards. Sorting whole rows
 * would need the text of all of them at once, including those that the offset skips. */
static int add_select(struct ck_buf *sql, const struct list *l, const struct ck_query *q,
                      struct filters *f, const char **code, struct ck_err *err) {
  ck_buf_text(sql, "SELECT ");
  add_columns(sql, l, ck_table_named(q->table));
  ck_buf_printf(sql, " FROM %s", l->name);
  if (!l->columns) ck_buf_printf(sql, " WHERE version IN (SELECT version FROM %s", l->name);
  if (add_where(sql, l, q->filters, f, code, err)) return -1;
  const char *order = f->due ? DUE_ORDER : l->order;
  ck_buf_printf(sql, " ORDER BY %s LIMIT ?%d OFFSET ?%d", order, f->count + 1, f->count + 2);
  if (!l->columns) ck_buf_printf(sql, ") ORDER BY %s", order);
  return 0;
}

static int encode_rows(sqlite3 *db, sqlite3_stmt *s, struct ck_buf *rows, const char **code,
                       struct ck_err *err) {
  size_t open = ck_open_array(rows);
  uint32_t n = 0;
  int rc;
  int columns = sqlite3_column_count(s);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    ck_put_map(rows, (uint32_t)columns);
    for (int c = 0; c < columns; ++c) {
      ck_put_text(rows, sqlite3_column_name(s, c));
      int type = sqlite3_column_type(s, c);
      if (type == SQLITE_NULL)
        ck_put_nil(rows);
      else if (type == SQLITE_INTEGER)
        ck_put_int(rows, sqlite3_column_int64(s, c));
      else
        ck_put_str(rows, db_str(s, c));
    }
    ++n;
    if (rows->len <= ROWS_BYTES) continue;
    *code = "too_large";
    return ck_fail(err, "the first %u rows already fill an answer; ask with a smaller limit", n);
  }
  ck_close_array(rows, open, n);
  return rc == SQLITE_DONE ? 0 : db_fail(db, "query", err);
}

int lists_query(sqlite3 *db, const struct ck_query *q, struct ck_buf *rows, const char **code,
                struct ck_err *err) {
  if (ck_str_is(q->table, "brakes")) return brake_query(db, q, rows, code, err);
  *code = "bad_request";
  const struct list *l = list_named(q->table);
  if (!l) {
    struct ck_str shown = ck_utf8_cut(q->table, 60);
    *code = "unknown_table";
    return ck_fail(err, "'%.*s' is not a table", (int)shown.n, shown.s);
  }
  if (q->limit > LIST_LIMIT_MAX)
    return ck_fail(err, "query.limit: %llu is above %d", (unsigned long long)q->limit,
                   LIST_LIMIT_MAX);
  if (q->offset > INT64_MAX) return ck_fail(err, "query.offset: too large");
  struct ck_buf sql = {0};
  struct filters f = {.count = 0};
  int rc = add_select(&sql, l, q, &f, code, err);
  sqlite3_stmt *s = NULL;
  if (rc == 0 && sqlite3_prepare_v2(db, ck_buf_cstr(&sql), -1, &s, NULL) != SQLITE_OK)
    rc = db_fail(db, l->name, err);
  ck_buf_free(&sql);
  if (rc) return -1;
  for (int i = 0; i < f.count; ++i) db_bind_value(s, i + 1, &f.value[i]);
  sqlite3_bind_int64(s, f.count + 1, q->limit ? (sqlite3_int64)q->limit : LIST_LIMIT);
  sqlite3_bind_int64(s, f.count + 2, (sqlite3_int64)q->offset);
  rc = encode_rows(db, s, rows, code, err);
  sqlite3_finalize(s);
  return rc;
}
