/* convkeep show ID: one record of any table, complete, with its related records. */
#include "cli/rows.h"

#include <string.h>
#include "cli/out.h"
#include "cli/resolve.h"
#include "proto/clock.h"

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
  return rc;
}

/* Messages carry only the remote conversation id, so find them through the conversation's links. */
static int fetch_conversation_messages(struct cli *c, json_t *record) {
  json_t *messages = json_array(), *seen = json_object();
  size_t i;
  const json_t *link;
  int rc = CLI_GO_ON;
  json_array_foreach(json_object_get(record, "links"), i, link) {
    const char *remote = cli_member(link, "remote_conversation_id");
    if (!*remote || json_object_get(seen, remote)) continue;
    json_object_set_new(seen, remote, json_true());
    struct cli_filter filters[] = {{"conversation_id", remote, 0},
                                   {"platform", cli_member(link, "platform"), 0}};
    json_t *rows;
    rc = cli_query(c, &(struct cli_query){"messages", filters, 2, NEWEST, 0}, &rows);
    if (rc != CLI_GO_ON) break;
    json_array_extend(messages, rows);
    json_decref(rows);
  }
  json_decref(seen);
  json_object_set_new(record, "messages", messages);
  return rc;
}

static int add_belongings(struct cli *c, enum ck_table table, json_t *record) {
  struct belonging belongings[BELONGINGS_MAX];
  int n = belongings_of(table, belongings);
  for (int i = 0; i < n; ++i) {
    json_t *found;
    int rc = fetch(c, table, &belongings[i], record, &found);
    if (rc != CLI_GO_ON) return rc;
    json_object_set_new(record, belongings[i].name, found);
  }
  return table == CK_CONVERSATIONS ? fetch_conversation_messages(c, record) : CLI_GO_ON;
}

/* ---- for people ---- */

static void print_part(const char *title, const char *table, json_t *rows) {
  const struct cli_kind *kind = cli_kind_named(table);
  if (!kind || json_array_size(rows) == 0) return;
  struct ck_buf line = {0};
  ck_buf_text(&line, "\n");
  cli_paint(&line, cli_colour(), CLI_BOLD, ck_str_of(title));
  ck_buf_text(&line, "\n");
  cli_print(&line);
  ck_buf_free(&line);
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) {
    if (strcmp(kind->word, "jobs") == 0)
      json_object_set(row, "state", json_object_get(row, "status"));
  }
  cli_rows_print(kind, rows, ck_now_ms());
}

static void print_value(const char *title, const char *table, json_t *value) {
  if (json_is_array(value)) {
    print_part(title, table, value);
  } else if (json_is_object(value)) {
    json_t *one = json_array();
    json_array_append(one, value);
    print_part(title, table, one);
    json_decref(one);
  }
}

static void print_for_people(enum ck_table table, json_t *record) {
  struct ck_buf line = {0};
  cli_paint(&line, cli_colour(), CLI_BOLD, ck_str_of(ck_tables[table].name));
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
  int n = belongings_of(table, belongings);
  for (int i = 0; i < n; ++i)
    print_value(belongings[i].name, belongings[i].table,
                json_object_get(record, belongings[i].name));
  if (table == CK_CONVERSATIONS)
    print_value("messages", "messages", json_object_get(record, "messages"));
}

static int show_record(struct cli *c, enum ck_table table, json_t *row) {
  json_t *record = json_object();
  json_object_set_new(record, "table", json_string(ck_tables[table].name));
  json_object_update(record, row);
  int rc = add_belongings(c, table, record);
  if (rc == CLI_GO_ON && c->json) cli_json_line(record);
  if (rc == CLI_GO_ON && !c->json) print_for_people(table, record);
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

static int run(struct cli *c, int argc, char **argv) {
  int shown = 0;
  int rc = cli_options(c, &argc, argv, (struct cli_syntax){.least = 1, .most = 1});
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = show_by_key(c, argv[1], &shown);
  if (rc != CLI_GO_ON || shown) return rc == CLI_GO_ON ? CLI_DONE : rc;
  json_t *conversation = NULL;
  rc = cli_resolve(c, argv[1], "record", &conversation);
  if (rc == CLI_GO_ON) rc = show_record(c, CK_CONVERSATIONS, conversation);
  json_decref(conversation);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

const struct cli_command cli_show = {
    "show", "ID", "show one record completely, with its related records",
    "ID is the key of a record of any table: a message, execution, session, conversation, link\n"
    "or job. A conversation may also be given by its remote id or its page's URL.\n\n"
    "Related records:\n"
    "  message        its executions and its job\n"
    "  execution      its message\n"
    "  session        its messages\n"
    "  conversation   its links, jobs and messages, the newest 20 of each\n"
    "  link           its conversation\n"
    "  job            its conversation, message and lease\n\n"
    "With --json they are further members of the record's object, and `table` is its table.",
    run};
