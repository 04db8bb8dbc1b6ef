/* convkeep show ID: one record of any table, complete, with its related records. */
#include "cli/ids.h"
#include "cli/pager.h"
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "cli/reading/message.h"
#include "cli/reading/reading.h"
#include "cli/resolve.h"
#include "proto/clock.h"
#include "proto/json.h"

#define NEWEST 20

/* Related records: the rows of `table` whose `column` equals the record's `member`. one: at most
 * one row, shown as an object or null instead of an array. */
struct belonging {
  char name[24];
  const char *table, *column, *member;
  bool one;
};

/* For each reference at most two, and a session's messages or a job's lease. */
#define BELONGINGS_MAX (2 * CK_REFERENCES + 1)

static const char *column_of(enum ck_table t, int column) {
  return ck_tables[t].fields[column].name;
}

/* A table's word on the command line, without its last letter for one record. */
static void name_it(struct belonging *b, enum ck_table t) {
  const char *word = ck_tables[t].word;
  snprintf(b->name, sizeof b->name, "%.*s", (int)strlen(word) - b->one, word);
}

static struct belonging parent_in(const struct ck_reference *r) {
  struct belonging b = {.table = ck_tables[r->parent].name,
                        .column = column_of(r->parent, ck_tables[r->parent].key),
                        .member = column_of(r->table, r->column),
                        .one = true};
  name_it(&b, r->parent);
  return b;
}

static struct belonging children_in(const struct ck_reference *r) {
  const struct ck_unique *u = &ck_uniques[r->table];
  struct belonging b = {.table = ck_tables[r->table].name,
                        .column = column_of(r->table, r->column),
                        .member = column_of(r->parent, ck_tables[r->parent].key),
                        .one = u->columns == 1 && u->column[0] == r->column};
  name_it(&b, r->table);
  return b;
}

static int belongings_of(enum ck_table t, struct belonging out[BELONGINGS_MAX]) {
  int n = 0;
  for (int i = 0; i < CK_REFERENCES; ++i) {
    const struct ck_reference *r = &ck_references[i];
    if (r->table == t) out[n++] = parent_in(r);
    if (r->parent == t) out[n++] = children_in(r);
  }
  if (t == CK_SESSIONS)
    out[n++] =
        (struct belonging){"messages", "messages", "conversation_id", "conversation_id", false};
  if (t == CK_JOBS) out[n++] = (struct belonging){"lease", "leases", "job_id", "job_id", true};
  return n;
}

/* The "2026/11/22/…" in a static_path made by the store, else NULL. */
static const char *day_of(const char *static_path) {
  int end = 0;
  const char *day = strchr(static_path, '/');
  return day && sscanf(day, "/%*4[0-9]/%*2[0-9]/%*2[0-9]/%n", &end) == 0 &&
                 end == (int)sizeof "/YYYY/MM/DD/" - 1
             ? day + 1
             : NULL;
}

/* A session is one conversation's messages of one day, the day each was first observed, which is in
 * its static_path. If a path or the session's id names no day, compare times instead. */
static bool is_in_session(const json_t *session, const json_t *message) {
  int64_t from = cli_member_int(session, "started_at", 0),
          to = cli_member_int(session, "last_activity_at", INT64_MAX);
  int64_t at = cli_member_int(message, "observed_at", 0);
  const char *id = cli_member(session, "id"), *day = day_of(cli_member(session, "static_path")),
             *own = day_of(cli_member(message, "static_path"));
  char suffix[sizeof "@YYYY-MM-DD"] = "";
  if (day) snprintf(suffix, sizeof suffix, "@%.4s-%.2s-%.2s", day, day + 5, day + 8);
  size_t n = strlen(id), m = strlen(suffix);
  if (!own || !m || n < m || strcmp(id + n - m, suffix) != 0) return at >= from && at <= to;
  return strncmp(day, own, sizeof "YYYY/MM/DD/" - 1) == 0;
}

static void keep_session(const json_t *session, json_t *rows) {
  for (size_t i = json_array_size(rows); i-- > 0;)
    if (!is_in_session(session, json_array_get(rows, i))) json_array_remove(rows, i);
}

/* Appends the rows to `to` in the order of the steps. */
static void take_steps(const struct cli_reading *r, json_t *from, json_t *to) {
  json_t *by_id = json_object(), *row;
  size_t i;
  json_array_foreach(from, i, row) json_object_set(by_id, cli_member(row, "id"), row);
  for (i = 0; i < r->count; ++i) {
    row = json_object_getn(by_id, r->steps[i].id.s, r->steps[i].id.n);
    if (row) json_array_append(to, row);
  }
  json_decref(by_id);
}

/* Puts a session's messages in the reading order of its conversation. */
static int order_session(struct cli *c, const json_t *session, json_t **rows) {
  struct cli_reading r;
  json_t *conversation;
  const char *remote = cli_member(session, "conversation_id");
  int rc = cli_find(c, remote, &conversation);
  if (rc == CLI_GO_ON)
    rc = cli_reading_remote(c, cli_member(session, "platform"), remote,
                            cli_member(conversation, "last_message_id"), &r);
  json_decref(conversation);
  if (rc != CLI_GO_ON) return rc;
  json_t *ordered = json_array();
  take_steps(&r, *rows, ordered);
  cli_reading_free(&r);
  json_decref(*rows);
  *rows = ordered;
  return rc;
}

static int fetch(struct cli *c, enum ck_table of, const struct belonging *b, const json_t *record,
                 json_t **found) {
  const char *value = cli_member(record, b->member);
  if (!*value) {
    *found = b->one ? json_null() : json_array();
    return CLI_GO_ON;
  }
  if (b->one) {
    int rc = cli_query_one(c, b->table, b->column, value, found);
    if (rc == CLI_GO_ON && !*found) *found = json_null();
    return rc;
  }
  struct cli_filter filter = {b->column, value, 0};
  bool session = of == CK_SESSIONS;
  int rc = session ? cli_query_all(c, b->table, &filter, 1, found)
                   : cli_query(c, &(struct cli_query){b->table, &filter, 1, NEWEST, 0}, found);
  if (rc == CLI_GO_ON && session) keep_session(record, *found);
  if (rc == CLI_GO_ON && session) rc = order_session(c, record, found);
  return rc;
}

/* The last messages of the current branch. */
static int fetch_conversation_messages(struct cli *c, json_t *record, size_t *all) {
  struct cli_reading r;
  size_t *chosen = NULL, n = 0;
  json_t *messages = json_array();
  int rc = cli_reading_load(c, record, &r);
  json_object_set_new(record, "messages", messages);
  if (rc != CLI_GO_ON) return rc;
  if (r.count) n = ck_reading_along(r.order, 1, &chosen);
  size_t from = n > NEWEST ? n - NEWEST : 0;
  *all = r.count;
  rc = cli_reading_rows(c, &r, chosen + from, n - from, messages);
  free(chosen);
  cli_reading_free(&r);
  return rc;
}

/* The record's mirrored columns, or those of each record in an array. */
static json_t *pure(enum ck_table t, json_t *value) {
  if (!json_is_array(value)) return ck_record_json(t, value);
  json_t *records = json_array(), *row;
  size_t i;
  json_array_foreach(value, i, row) json_array_append_new(records, ck_record_json(t, row));
  return records;
}

/* Tables that are not of the six have no other columns. */
static void add_pure(json_t *out, const char *name, const char *table, json_t *value) {
  enum ck_table t = ck_table_named(ck_str_of(table));
  bool plain = t == CK_TABLES || !(json_is_array(value) || json_is_object(value));
  json_object_set_new(out, name, plain ? json_incref(value) : pure(t, value));
}

/* As it is printed with --json. */
static void print_json(enum ck_table table, json_t *record) {
  json_t *out = json_object(), *own = ck_record_json(table, record);
  json_object_set(out, "table", json_object_get(record, "table"));
  json_object_update(out, own);
  struct belonging belongings[BELONGINGS_MAX];
  int n = belongings_of(table, belongings);
  for (int i = 0; i < n; ++i)
    add_pure(out, belongings[i].name, belongings[i].table,
             json_object_get(record, belongings[i].name));
  if (table == CK_CONVERSATIONS)
    add_pure(out, "messages", "messages", json_object_get(record, "messages"));
  cli_json_line(out);
  json_decref(own);
  json_decref(out);
}

static int add_belongings(struct cli *c, enum ck_table table, json_t *record, size_t *all) {
  struct belonging belongings[BELONGINGS_MAX];
  int n = belongings_of(table, belongings);
  for (int i = 0; i < n; ++i) {
    json_t *found;
    int rc = fetch(c, table, &belongings[i], record, &found);
    if (rc != CLI_GO_ON) return rc;
    json_object_set_new(record, belongings[i].name, found);
  }
  return table == CK_CONVERSATIONS ? fetch_conversation_messages(c, record, all) : CLI_GO_ON;
}

/* ---- for people ---- */

static int print_part(struct cli *c, const char *title, const char *table, json_t *rows) {
  const struct cli_kind *kind = cli_kind_named(table);
  if (!kind || json_array_size(rows) == 0) return CLI_GO_ON;
  if (cli_on_terminal()) {
    int rc = cli_rows_shorten(c, kind, rows);
    if (rc != CLI_GO_ON) return rc;
  }
  struct ck_buf line = {0};
  ck_buf_text(&line, "\n");
  cli_paint(&line, cli_colour(), CLI_BOLD, ck_str_of(title));
  ck_buf_text(&line, "\n");
  cli_print(&line);
  ck_buf_free(&line);
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) {
    if (strcmp(kind->word, "jobs") != 0) continue;
    json_object_set(row, "state", json_object_get(row, "status"));
    json_object_set(row, "why", json_object_get(row, "last_error"));
  }
  if (strcmp(kind->word, "conversations") == 0) cli_rows_of_conversations(rows, "last");
  cli_rows_print(kind, rows, false, ck_now_ms());
  return CLI_GO_ON;
}

static int print_value(struct cli *c, const char *title, const char *table, json_t *value) {
  if (json_is_array(value)) return print_part(c, title, table, value);
  if (!json_is_object(value)) return CLI_GO_ON;
  json_t *one = json_array();
  json_array_append(one, value);
  int rc = print_part(c, title, table, one);
  json_decref(one);
  return rc;
}

static int print_for_people(struct cli *c, enum ck_table table, json_t *record) {
  struct ck_buf line = {0};
  struct belonging own = {.one = true};
  name_it(&own, table);
  cli_paint(&line, cli_colour(), CLI_BOLD, ck_str_of(own.name));
  ck_buf_text(&line, "\n");
  cli_print(&line);
  ck_buf_free(&line);
  cli_record_print(table, record, ck_now_ms());
  const char *state = cli_member(json_object_get(record, "lease"), "state");
  if (strcmp(state, "unknown") == 0)
    puts(
        "\nThe outcome of its last attempt is unknown, so it is not sent again automatically. Look "
        "at the target, then use convkeep jobs retry or jobs cancel.");
  struct belonging belongings[BELONGINGS_MAX];
  int n = belongings_of(table, belongings), rc = CLI_GO_ON;
  for (int i = 0; i < n && rc == CLI_GO_ON; ++i)
    rc = print_value(c, belongings[i].name, belongings[i].table,
                     json_object_get(record, belongings[i].name));
  if (rc != CLI_GO_ON || table != CK_CONVERSATIONS) return rc;
  json_t *messages = json_object_get(record, "messages");
  cli_messages_take_hidden(messages);
  return print_part(c, "messages", "messages", messages);
}

static void tell_of_read(const json_t *record, size_t all) {
  struct ck_buf id = {0};
  cli_safe_text(&id, ck_str_of(cli_member(record, "local_conversation_id")), false);
  if (all == 1)
    printf("\nwhole: convkeep read %s\n", ck_buf_cstr(&id));
  else if (all)
    printf("\nall %zu messages: convkeep read %s\n", all, ck_buf_cstr(&id));
  ck_buf_free(&id);
}

static int show_record(struct cli *c, enum ck_table table, json_t *row) {
  json_t *record = json_object();
  json_object_set_new(record, "table", json_string(ck_tables[table].name));
  json_object_update(record, row);
  size_t all = 0;
  int rc = add_belongings(c, table, record, &all);
  if (rc == CLI_GO_ON && c->json) print_json(table, record);
  if (rc == CLI_GO_ON && !c->json) rc = print_for_people(c, table, record);
  if (rc == CLI_GO_ON && !c->json && table == CK_CONVERSATIONS) tell_of_read(record, all);
  json_decref(record);
  return rc;
}

/* Looks for the key in every table; the same id may exist in several. */
static int show_by_key(struct cli *c, const char *id, int *shown) {
  for (int t = 0; t < CK_TABLES; ++t) {
    json_t *row;
    int rc =
        cli_query_one(c, ck_tables[t].name, ck_tables[t].fields[ck_tables[t].key].name, id, &row);
    if (rc != CLI_GO_ON) return rc;
    if (!row) continue;
    if ((*shown)++ && !c->json) puts("");
    rc = show_record(c, (enum ck_table)t, row);
    json_decref(row);
    if (rc != CLI_GO_ON) return rc;
  }
  return CLI_GO_ON;
}

/* The only record whose id begins so is shown; several are an error. */
static int show_by_beginning(struct cli *c, const char *text, int *shown) {
  json_t *keys = json_array();
  enum ck_table found = CK_TABLES;
  int rc = CLI_GO_ON;
  for (int t = 0; t < CK_TABLES && rc == CLI_GO_ON && strlen(text) >= CLI_ID_BEGINNING; ++t) {
    size_t before = json_array_size(keys);
    if (t != CK_CONVERSATIONS) rc = cli_ids_that_begin(c, (enum ck_table)t, text, 2, keys);
    if (json_array_size(keys) > before) found = (enum ck_table)t;
  }
  if (rc == CLI_GO_ON) rc = cli_ids_alone(c, text, keys);
  const char *first = json_string_value(json_array_get(keys, 0));
  json_t *row = NULL;
  if (rc == CLI_GO_ON && first)
    rc = cli_query_one(c, ck_tables[found].name, column_of(found, ck_tables[found].key), first,
                       &row);
  if (rc == CLI_GO_ON && row) rc = show_record(c, found, row);
  if (row) *shown = 1;
  json_decref(row);
  json_decref(keys);
  return rc;
}

static int show(struct cli *c, const char *id) {
  int shown = 0;
  json_t *conversation = NULL;
  int rc = show_by_key(c, id, &shown);
  if (rc == CLI_GO_ON && !shown) rc = cli_find_one(c, id, NULL, &conversation);
  if (rc == CLI_GO_ON && !shown && !conversation) rc = show_by_beginning(c, id, &shown);
  if (rc == CLI_GO_ON && !shown && !conversation) rc = cli_not_found(c, id, "record");
  if (rc == CLI_GO_ON && conversation) rc = show_record(c, CK_CONVERSATIONS, conversation);
  json_decref(conversation);
  return rc;
}

struct wish {
  bool no_pager;
};

static int run(struct cli *c, int argc, char **argv) {
  struct wish wish = {0};
  struct cli_pager pager = {.terminal = -1};
  int rc = cli_options(c, &argc, argv, &wish);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc != CLI_GO_ON) return rc;
  if (!wish.no_pager && !c->json) cli_pager_begin(&pager);
  rc = show(c, argv[1]);
  cli_pager_end(&pager);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("ID", CLI_RECORD, 0), {0}};

static const struct cli_option options[] = {
    CLI_FLAG("no-pager", struct wish, no_pager, "straight to the terminal"), {0}};

const struct cli_command cli_show = {
    "show",
    CLI_TO_READ,
    "show one record completely, with its related records",
    arguments,
    options,
    "ID is the id of a record, a message, execution, session, conversation, link or job, or the\n"
    "beginning of one (8 characters or more). A conversation may be given in all its ways; "
    "`convkeep read` shows it whole.\n\n"
    "Related records:\n"
    "  message        its executions and its job\n"
    "  execution      its message\n"
    "  session        its messages\n"
    "  conversation   its newest 20 links and jobs, the last 20 messages of its current branch\n"
    "  link           its conversation\n"
    "  job            its conversation, message and lease\n\n"
    "With --json they are further members of the record's object, and `table` is its table.",
    run,
    NULL};
