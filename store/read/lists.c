/* A table of lists (columns, order), the SQL made from it, and the rows as MessagePack. */
#include "store/read/lists.h"

#include <string.h>

#include "proto/filters.h"
#include "proto/places.h"
#include "store/database/moment.h"
#include "store/database/question.h"
#include "store/keys/keys.h"
#include "store/read/brake.h"
#include "store/read/order.h"

/* More rows than this are refused, so that an answer fits into a frame. One record always fits. */
#define ROWS_BYTES (CK_FRAME_MAX - (16u << 10))
#define PART_BYTES (1u << 20)
#define FILTERS_MAX 16

/* At most so many characters of an id. */
#define CUT(id) "substr(" id ", 1, 400)"

/* The version of the last message of the conversation c; NULL: it is not there. It is looked for
 * by its time first, because ids have no index that all of them are in. */
#define LAST_VERSION \
  "coalesce((SELECT m.version FROM conversation_links k JOIN messages m" \
  " ON m.conversation_id = k.remote_conversation_id AND m.observed_at = c.last_message_at" \
  " AND m.id = c.last_message_id" \
  " WHERE k.local_conversation_id = c.local_conversation_id LIMIT 1), " KEYS_VERSION_OF( \
      "c.last_message_id") ")"

#define RENEWED_COLUMNS \
  "job_id, local_conversation_id, message_id, status, target_snapshot, attempt_count," \
  " next_attempt_at, last_attempt_at, created_at, updated_at, version"

struct list {
  const char *name;
  const char *columns; /* NULL: one of the six tables, with all its columns */
  const char *order;   /* of columns; no two rows are equal in it */
  const char *time;    /* by which it is sorted first; NULL: by none, or by one that is chosen */
  const char *from;    /* the table that it is read from; NULL: that of its name */
  size_t part;         /* an answer ends once it has this many bytes; 0: it has all rows or fails */
};

/* What each can be filtered by is in proto/filters.h. */
static const struct list lists[] = {
    {"messages", NULL, "observed_at DESC, id", "observed_at", NULL, 0},
    {"executions", NULL, "executed_at DESC, instruction_id", "executed_at", NULL, 0},
    {"sessions", NULL, "last_activity_at DESC, id", "last_activity_at", NULL, 0},
    {"local_conversations", NULL, "updated_at DESC, created_at DESC, local_conversation_id", NULL,
     NULL, 0},
    {"conversation_links", NULL, "observed_at DESC, updated_at DESC, link_id", "observed_at", NULL,
     0},
    {"renewal_jobs", NULL, "created_at DESC, updated_at DESC, job_id", "created_at", NULL, 0},
    /* One row: how many jobs there are. */
    {"job_count", "count(*) AS jobs", "1", NULL, "renewal_jobs", 0},
    {"forgotten",
     "forgotten_id, table_name, record_key, forgotten_with, platform, conversation_id,"
     " forgotten_at, taken_back, version",
     "forgotten_at DESC, forgotten_id", "forgotten_at", NULL, 0},
    /* What a conversation's reading order is made from; then, many at a time, its messages and what
     * they executed. places is in the order of an index, so that each page costs the same. */
    {"places", "id, parent_id, position, observed_at, role, version", "observed_at, version", NULL,
     "(SELECT * FROM messages m WHERE NOT EXISTS (SELECT 1 FROM forgetting_homes h"
     " WHERE h.conversation = m.conversation_id AND h.platform = m.platform))",
     0},
    {"bodies", NULL, "version", NULL, "messages", PART_BYTES},
    {"executed", NULL, "instruction_id", NULL, "executions", PART_BYTES},
    /* Of conversations, by their links: what was asked first, and when the newest message came. */
    {"questions",
     "local_conversation_id, " DB_FIRST_QUESTION
     " AS first_question, (SELECT m.created_at FROM messages m"
     " WHERE m.conversation_id = conversation_links.remote_conversation_id"
     " AND +m.platform = conversation_links.platform"
     " ORDER BY m.observed_at DESC LIMIT 1) AS last_came_at",
     "local_conversation_id, link_id", NULL, "conversation_links", 0},
    /* The platforms that there was something of, when something came last, and when the newest in
     * a conversation was said. */
    {"sources", "platform, captured_at, newest_at", "platform", NULL,
     "(SELECT platform, captured_at, newest_at FROM sources LEFT JOIN"
     " (SELECT platform, max(coalesce(newest_at, last_message_at, created_at)) AS newest_at"
     "  FROM local_conversations INDEXED BY conversations_last GROUP BY platform)"
     " USING (platform))",
     0},
    /* last_is_older: the conversation's last message had come before it was put on auto. */
    {"automation",
     "local_conversation_id, since, resumed, (SELECT count(*) FROM renewal_jobs j"
     " WHERE j.local_conversation_id = automation.local_conversation_id AND j.status = 'done')"
     " AS delivered, (SELECT " LAST_VERSION " < automation.since OR EXISTS (SELECT 1 FROM older o"
     "   WHERE o.local_conversation_id = automation.local_conversation_id"
     "   AND o.message_id = c.last_message_id) FROM local_conversations c"
     "  WHERE c.local_conversation_id = automation.local_conversation_id) AS last_is_older",
     "local_conversation_id", NULL, NULL, 0},
    /* A client's token is shown to nobody. */
    {"leases",
     "job_id, attempt, CASE client WHEN '' THEN token ELSE '' END AS token, state, at, client, "
     "until, " MOMENT_LEFT " AS left",
     "job_id", NULL, NULL, 0},
    {"unreached", "job_id, count, since, " MOMENT_AGE("since", "start", "boot") " AS age", "job_id",
     NULL, NULL, 0},
    /* Those that last; left is NULL for a calendar time. */
    {"waits",
     "number, kind, id, until, length - " MOMENT_AGE("written", "start", "boot") " AS left",
     "number", NULL,
     "(SELECT * FROM waits WHERE length IS NULL OR length > " MOMENT_AGE("written", "start",
                                                                         "boot") ")",
     0},
    {"limits", "account, until, since, times, over, reason, at, " MOMENT_LEFT " AS left", "account",
     NULL, NULL, 0},
    {"offers", "job_id, client, offer, body, at", "at, job_id", NULL, NULL, 0},
    {"pauses", "kind, name, at, until", "at, kind, name", NULL, NULL, 0},
    /* Jobs as renewd needs them, without payloads: those by hand that were not tried yet, in the
     * order in which they are due; those that are offered; and those of the newest attempts, with
     * the age of each. */
    {"upcoming", RENEWED_COLUMNS, "next_attempt_at, created_at, job_id", NULL,
     "(SELECT * FROM renewal_jobs WHERE status = 'pending' AND last_attempt_at IS NULL"
     " AND job_id NOT GLOB '" CK_JOB_OF_RENEWD "*')",
     PART_BYTES},
    {"offered", RENEWED_COLUMNS, "job_id", NULL,
     "(SELECT j.* FROM offers JOIN renewal_jobs j USING (job_id))", PART_BYTES},
    {"begun", RENEWED_COLUMNS ", age", "number DESC", NULL,
     "(SELECT j.*, a.number, " MOMENT_AGE("a.begun", "a.start",
                                          "a.boot") " AS age FROM attempts a"
                                                    " CROSS JOIN renewal_jobs j USING (job_id))",
     PART_BYTES},
    /* As the lines of the log of attempts, which have a greatest length (renewd/attempts.c): ids
     * are cut, the texts are already. A token is shown to nobody. */
    {"attempts",
     "at, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS time,"
     " " CUT("job_id") " AS job_id, " CUT(
         "job_id") " AS delivery_id, attempt,"
                   " " CUT("local_conversation_id") " AS local_conversation_id,"
                                                    " " CUT(
                                                        "message_id") " AS message_id, channel, "
                                                                      "target, outcome, "
                                                                      "http_status, exit, error,"
                                                                      " cost, tokens, text, "
                                                                      "took_ms, "
                                                                      "next_attempt_at, "
                                                                      "cooldown_until, "
                                                                      "sent_message_id, why,"
                                                                      " " CUT("nullif(client, "
                                                                              "'')") " AS "
                                                                                     "client, "
                                                                                     "begun, "
                                                                                     "ended, "
                                                                                     "version",
     "version", NULL, NULL, 0},
    /* Unknown ends: the newest of what may tell what came of each, or NULL. */
    {"doubts",
     "job_id, attempt, (SELECT max(m.version) FROM conversation_links k JOIN messages m"
     "  ON m.conversation_id = k.remote_conversation_id AND m.platform = k.platform"
     "  WHERE k.local_conversation_id = a.local_conversation_id AND m.version > a.claimed) AS said,"
     " (SELECT max(c.age) FROM conversation_links k JOIN captures c ON c.platform = k.platform"
     "  AND c.conversation = k.remote_conversation_id"
     "  WHERE k.local_conversation_id = a.local_conversation_id) AS captured",
     "number", NULL,
     "(SELECT t.* FROM attempts t JOIN leases l"
     " ON l.job_id = t.job_id AND l.state = 'unknown' WHERE t.outcome = 'unknown') a",
     0},
    {"sent", "message_id, job_id, at", "message_id", NULL, NULL, 0},
    /* Each is one mirror's; a sink may have had several, such as D1 with another database. */
    {"dead_letters", "sink, mirror, table_name, key, version, reason, at",
     "at DESC, mirror, table_name, key", NULL,
     "(SELECT substr(sink, 1, instr(sink || ':', ':') - 1) AS sink, sink AS mirror,"
     " table_name, key, version, reason, at FROM dead_letters)",
     0},
    {"originals",
     "lower(hex(id)) AS id, block, at, bytes, conversation, age, reader, messages, executions, "
     "log, lines, lower(hex(chain)) AS chain, lower(hex(chain_end)) AS chain_end",
     "block, at, original", NULL, NULL, 0},
    {"refusals", "producer, number, reason, at", "at DESC, producer, number DESC", NULL, NULL, 0},
    {"attachments",
     "file, name, hash, bytes, type, n.added_at, attachment_there(hash, bytes) AS there,"
     " '" CK_PLACE_ATTACHMENTS "/' || substr(hash, 1, 2) || '/' || hash AS path",
     "n.added_at DESC, name, hash", NULL, "attachment_names n JOIN attachments USING (hash)", 0},
};

/* Besides its columns a link has the account that what is known of its conversation names: the
 * organization of the newest message that has one, else what an export or a log says (details).
 * Without the index a conversation in which no message has one would be read as a whole. */
#define LINK_ACCOUNT \
  ", coalesce((SELECT m.organization_id FROM messages m INDEXED BY messages_organization" \
  "  WHERE m.conversation_id = conversation_links.remote_conversation_id" \
  "  AND m.organization_id <> '' AND +m.platform = conversation_links.platform" \
  "  ORDER BY m.observed_at DESC LIMIT 1)," \
  " (SELECT CASE WHEN json_valid(c.details) THEN nullif(c.details ->> '$.account', '') END" \
  "  FROM local_conversations c" \
  "  WHERE c.local_conversation_id = conversation_links.local_conversation_id)) AS account"

/* The order of jobs that are due by a given time. */
#define DUE_ORDER "next_attempt_at, created_at, job_id"

/* The times by which conversations can be sorted (CK_SORTS). */
static const struct {
  const char *name, *time;
} sorts[] = {{"last", "coalesce(newest_at, last_message_at, created_at)"},
             {"updated", "updated_at"},
             {"created", "created_at"}};

/* The condition being made, and what is to be bound to it. */
struct where {
  struct ck_buf *sql;
  const struct list *list;
  const char *time; /* by which the list is sorted first; NULL: by none */
  struct order order;
  struct ck_buf cursor; /* the bytes of what is bound from it */
  struct ck_buf last;   /* the row that the answer ends with, as order_keep has it */
  struct ck_buf bind;   /* struct ck_value, in the order of their numbers */
  int count, terms;
  bool due, nil; /* nil: the value that was bound last */
};

static const struct list *list_named(struct ck_str name) {
  enum ck_table t = ck_table_named(name);
  struct ck_str sql_name = t == CK_TABLES ? name : ck_str_of(ck_tables[t].name);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i)
    if (ck_str_is(sql_name, lists[i].name)) return &lists[i];
  return NULL;
}

static const char *table_of(const struct list *l) { return l->from ? l->from : l->name; }

/* ---- values ---- */

static int value_of(const struct ck_item *item, struct ck_value *v) {
  switch (item->type) {
  case CK_T_NIL:
    *v = ck_null();
    return 0;
  case CK_T_BOOL:
    *v = ck_int(item->as.b);
    return 0;
  case CK_T_INT:
    *v = ck_int(item->as.i);
    return 0;
  case CK_T_STR:
    *v = ck_text(item->as.str);
    return 0;
  default:
    return -1;
  }
}

static void bind_later(struct where *w, struct ck_value v) {
  ck_buf_add(&w->bind, &v, sizeof v);
  w->nil = v.state == CK_NULL;
  w->count++;
}

/* Reads a filter's value, or the values of an array. *values: how many; -1 for one that stands by
 * itself. */
static int read_values(struct where *w, struct ck_reader *r, int *values, struct ck_err *err) {
  struct ck_item item;
  struct ck_value v;
  uint32_t n = 1;
  int rc = ck_read(r, &item);
  bool array = rc == 0 && item.type == CK_T_ARRAY;
  if (array) n = item.as.n;
  if (n > LIST_LIMIT_MAX) return ck_fail(err, "query.filters: at most %d values", LIST_LIMIT_MAX);
  for (uint32_t i = 0; rc == 0 && i < n; ++i) {
    if (array) rc = ck_read(r, &item);
    if (rc == 0) rc = value_of(&item, &v);
    if (rc == 0) bind_later(w, v);
  }
  *values = array ? (int)n : -1;
  return rc ? ck_fail(err, "query.filters: values are text, integers, nil, or arrays of these") : 0;
}

/* ---- terms ---- */

/* Appends "?4, ?5": the last `n` values. */
static void add_numbers(struct where *w, int n) {
  for (int i = w->count - n + 1; i <= w->count; ++i)
    ck_buf_printf(w->sql, "%s?%d", i > w->count - n + 1 ? ", " : "", i);
}

/* The index of remote ids begins with the platform, of which there are few: each is looked up. */
static void add_platforms(struct where *w, const char *column) {
  if (strcmp(column, "remote_conversation_id") != 0) return;
  ck_buf_text(w->sql, " AND platform IN (WITH RECURSIVE p (name) AS ("
                      "SELECT min(platform) FROM conversation_links UNION ALL"
                      " SELECT (SELECT min(platform) FROM conversation_links WHERE platform > name)"
                      " FROM p WHERE name IS NOT NULL) SELECT name FROM p WHERE name IS NOT NULL)");
}

/* values: -1 for one value by itself, which may be nil. */
static int add_value_term(struct where *w, const char *column, int values, struct ck_err *err) {
  enum ck_table t = ck_table_named(ck_str_of(w->list->name));
  bool message_id = t == CK_MESSAGES && strcmp(column, "id") == 0;
  /* Of places, the index of the conversation is used, not that of the times; of links that of the
   * times, not that of the remote ids, by which they would have to be sorted. */
  bool elsewhere = w->list->from || t == CK_LINKS;
  const char *unused = elsewhere && strcmp(column, "platform") == 0 ? "+" : "";
  if (message_id && values >= 0)
    return ck_fail(err, "query.filters: messages.id: must be one value; bodies has several");
  if (message_id) {
    ck_buf_printf(w->sql, "version = " KEYS_VERSION_OF("?%d"), w->count, w->count);
  } else if (values < 0) {
    ck_buf_printf(w->sql, "%s%s IS ?%d", unused, column, w->count);
    add_platforms(w, column);
  } else {
    ck_buf_printf(w->sql, "%s IN (", column);
    add_numbers(w, values);
    ck_buf_text(w->sql, ")");
  }
  return 0;
}

/* U+10FFFF is in no id, and comes after all that is. */
static void add_beginning(struct where *w, const char *column) {
  ck_buf_printf(w->sql, "%s >= ?%d AND %s < ?%d || char(0x10ffff)", column, w->count, column,
                w->count);
  add_platforms(w, column);
}

/* The filters that are not about a value as it is. */
static int add_other_term(struct where *w, const struct ck_filter *f, int values,
                          struct ck_err *err) {
  if (values >= 0)
    return ck_fail(err, "query.filters: %s: wrong number of values", f->name);
  else if (f->by == CK_BY_MOST || f->by == CK_BY_LEAST)
    ck_buf_printf(w->sql, "%s %s ?%d", f->column,
                  f->by == CK_BY_LEAST ? ">="
                  : w->nil             ? "IS"
                                       : "<=",
                  w->count);
  else if (f->by == CK_BY_BEGINNING)
    add_beginning(w, f->column);
  else if (f->by == CK_BY_WORDS)
    ck_buf_printf(w->sql, "has_words(%s, ?%d)", f->column, w->count);
  else if (f->by == CK_BY_SINCE || f->by == CK_BY_UNTIL)
    ck_buf_printf(w->sql, "%s %s ?%d", w->time, f->by == CK_BY_SINCE ? ">=" : "<", w->count);
  else
    ck_buf_printf(w->sql, "?%d IS NOT NULL", w->count);
  w->due |= f->by == CK_BY_MOST && !w->nil;
  return 0;
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

/* Reads a filter's name and value and appends its term. Refuses one that the list does not have. */
static int add_term(struct where *w, struct ck_reader *r, const char **code, struct ck_err *err) {
  struct ck_str name;
  struct ck_filter filter;
  int values = -1;
  if (ck_read_str(r, &name)) return ck_fail(err, "query.filters: names must be text");
  if (ck_filter_named(&filter, w->list->name, name) || w->terms == FILTERS_MAX)
    return unknown_filter(w->list, name, code, err);
  if (read_values(w, r, &values, err)) return -1;
  ck_buf_text(w->sql, w->terms++ ? " AND " : " WHERE ");
  if (filter.by != CK_BY_VALUE) return add_other_term(w, &filter, values, err);
  return add_value_term(w, filter.column, values, err);
}

/* ---- the statement ---- */

/* *n: how many filters there are; r is at the first. */
static int open_filters(struct ck_str map, struct ck_reader *r, uint32_t *n, struct ck_err *err) {
  struct ck_item nil;
  *n = 0;
  *r = ck_reader_of(map);
  if (map.n == 0 || ck_read_map(r, n) == 0) return 0;
  *r = ck_reader_of(map);
  return ck_read(r, &nil) || nil.type != CK_T_NIL ? ck_fail(err, "query.filters: must be a map")
                                                  : 0;
}

/* Conversations are sorted by a time that the filter `sort` names. */
static int choose_time(struct where *w, struct ck_str map, struct ck_err *err) {
  struct ck_reader r;
  struct ck_str name, sort = CK_LIT("last");
  uint32_t n;
  w->time = w->list->time;
  if (ck_table_named(ck_str_of(w->list->name)) != CK_CONVERSATIONS) return 0;
  if (open_filters(map, &r, &n, err)) return -1;
  for (uint32_t i = 0; i < n && ck_read_str(&r, &name) == 0; ++i) {
    struct ck_str other;
    if (ck_str_is(name, "sort") ? ck_read_str(&r, &sort) : ck_read_raw(&r, &other)) break;
  }
  for (size_t i = 0; i < sizeof sorts / sizeof *sorts; ++i)
    if (ck_str_is(sort, sorts[i].name)) w->time = sorts[i].time;
  if (!w->time) return ck_fail(err, "query.filters: sort: must be %s", CK_SORTS);
  order_add_down(&w->order, w->time);
  return 0;
}

/* The rows after the one that the cursor says. */
static int add_after(struct where *w, struct ck_str cursor, const char **code, struct ck_err *err) {
  struct ck_value values[ORDER_MAX];
  int first = w->count + 1;
  if (cursor.n == 0) return 0;
  if (order_read(&w->order, cursor, &w->cursor, values)) {
    *code = CK_BAD_CURSOR;
    return ck_fail(err, "this cursor is none of this list, or of another order");
  }
  for (int i = 0; i < w->order.count; ++i) bind_later(w, values[i]);
  ck_buf_text(w->sql, w->terms ? " AND " : " WHERE ");
  order_after(w->sql, &w->order, first);
  return 0;
}

static int add_where(struct where *w, struct ck_str map, const char **code, struct ck_err *err) {
  struct ck_reader r;
  uint32_t n;
  int rc = open_filters(map, &r, &n, err);
  for (uint32_t i = 0; i < n && rc == 0; ++i) rc = add_term(w, &r, code, err);
  return rc;
}

static void add_columns(struct ck_buf *sql, const struct list *l, enum ck_table t) {
  if (l->columns)
    ck_buf_text(sql, l->columns);
  else
    db_columns(sql, t, "");
  if (!l->columns && t == CK_LINKS) ck_buf_text(sql, LINK_ACCOUNT);
}

/* For the six tables, versions are sorted first and the rows fetched afterwards. Sorting whole rows
 * would need the text of all of them at once, including those that the offset skips. The values
 * that the cursor needs are the last columns. */
static void add_select(struct ck_buf *sql, const struct where *w) {
  const char *from = table_of(w->list), *condition = ck_buf_cstr(w->sql);
  ck_buf_text(sql, "SELECT ");
  add_columns(sql, w->list, ck_table_named(ck_str_of(from)));
  order_values(sql, &w->order);
  ck_buf_printf(sql, " FROM %s", from);
  if (!w->list->columns) ck_buf_printf(sql, " WHERE version IN (SELECT version FROM %s", from);
  ck_buf_text(sql, condition);
  order_by(sql, &w->order);
  ck_buf_printf(sql, " LIMIT ?%d OFFSET ?%d", w->count + 1, w->count + 2);
  if (w->list->columns) return;
  ck_buf_text(sql, ")");
  order_by(sql, &w->order);
}

static int make_select(struct ck_buf *sql, struct where *w, const struct ck_query *q,
                       const char **code, struct ck_err *err) {
  if (choose_time(w, q->filters, err) || add_where(w, q->filters, code, err)) return -1;
  order_add(&w->order, w->due ? DUE_ORDER : w->list->order);
  if (add_after(w, q->cursor, code, err)) return -1;
  add_select(sql, w);
  return 0;
}

static void encode_row(sqlite3_stmt *s, int columns, struct ck_buf *rows) {
  ck_put_map(rows, (uint32_t)columns);
  for (int c = 0; c < columns; ++c) {
    ck_put_text(rows, sqlite3_column_name(s, c));
    int type = sqlite3_column_type(s, c);
    if (type == SQLITE_NULL)
      ck_put_nil(rows);
    else if (type == SQLITE_INTEGER)
      ck_put_int(rows, sqlite3_column_int64(s, c));
    else if (type == SQLITE_FLOAT)
      ck_put_float(rows, sqlite3_column_double(s, c));
    else
      ck_put_str(rows, db_str(s, c));
  }
}

/* Appends the statement's rows, `limit` at most, until the answer is full. *last: SQLITE_ROW if
 * there are more. */
static int encode_rows(struct where *w, sqlite3_stmt *s, uint64_t limit, struct list_answer *answer,
                       int *last, const char **code, struct ck_err *err) {
  struct ck_buf *rows = answer->rows;
  size_t open = ck_open_array(rows), part = w->list->part;
  int columns = sqlite3_column_count(s) - w->order.count;
  uint32_t n = 0;
  while ((*last = sqlite3_step(s)) == SQLITE_ROW && n < limit && !(n && part && rows->len > part)) {
    size_t before = rows->len;
    encode_row(s, columns, rows);
    if (n && rows->len > ROWS_BYTES && part) {
      rows->len = before;
      break;
    }
    ++n;
    if (rows->len > ROWS_BYTES && !part) {
      *code = "too_large";
      return ck_fail(err, "the first %u rows already fill an answer; ask with a smaller limit", n);
    }
    order_keep(&w->last, &w->order, s, columns);
  }
  ck_close_array(rows, open, n);
  if (*last == SQLITE_ROW) order_cursor(answer->cursor, &w->order, &w->last);
  return 0;
}

static int run(sqlite3 *db, sqlite3_stmt *s, struct where *w, const struct ck_query *q,
               struct list_answer *answer, const char **code, struct ck_err *err) {
  const struct ck_value *value = (const struct ck_value *)(const void *)w->bind.data;
  uint64_t limit = q->limit ? q->limit : LIST_LIMIT;
  int last;
  for (int i = 0; i < w->count; ++i) db_bind_value(s, i + 1, &value[i]);
  sqlite3_bind_int64(s, w->count + 1, (sqlite3_int64)limit + 1);
  sqlite3_bind_int64(s, w->count + 2, (sqlite3_int64)q->offset);
  if (encode_rows(w, s, limit, answer, &last, code, err)) return -1;
  return last == SQLITE_DONE || last == SQLITE_ROW ? 0 : db_fail(db, "query", err);
}

int lists_query(struct db_cached *db, const struct ck_query *q, struct list_answer *answer,
                const char **code, struct ck_err *err) {
  ck_buf_clear(answer->cursor);
  if (ck_str_is(q->table, "brakes")) return brake_query(db, q, answer->rows, code, err);
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
  struct ck_buf sql = {0}, condition = {0};
  struct where w = {.sql = &condition, .list = l, .order = {.list = l->name}};
  sqlite3_stmt *s = NULL;
  int rc = make_select(&sql, &w, q, code, err);
  if (rc == 0 && !(s = db_cached(db, ck_buf_cstr(&sql), err))) rc = -1;
  ck_buf_free(&sql);
  ck_buf_free(&condition);
  if (rc == 0) rc = run(db_cached_db(db), s, &w, q, answer, code, err);
  db_done(db, s);
  ck_buf_free(&w.bind);
  ck_buf_free(&w.cursor);
  ck_buf_free(&w.last);
  return rc;
}
