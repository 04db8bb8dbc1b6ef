/* The mirror's SQL for SQLite and D1, in a database with foreign keys on. */
#include "syncd/sql/mirror.h"
#include "tests/unit/test_store_help.h"
#include "tests/unit/test_syncd_help.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3 *db;

static void run(const char *sql) {
  char *why = NULL;
  cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s: %s", why, sql);
}

static void schema(void) {
  struct ck_buf sql = {0};
  ck_mirror_schema(&sql, CK_MIRROR_SQLITE, false);
  run(ck_buf_cstr(&sql));
  ck_buf_free(&sql);
}

static int note(void *self, int n, char **cells, char **names) {
  enum ck_table t = ck_table_named(ck_str_of(cells[1]));
  (void)n, (void)names;
  if (t == CK_TABLES) return 0; /* the witness's */
  ck_mirror_note(self, t, ck_str_of(cells[0]), ck_str_of(cells[2]), ck_str_of(cells[3]));
  return 0;
}

/* Makes what is missing. Returns in how many steps; *what says which. */
static unsigned bring_up(bool extra, struct ck_buf *what) {
  struct ck_mirror_there there = {0};
  struct ck_buf sql = {0};
  unsigned n = 0;
  ck_mirror_what_is_there(&sql);
  cr_assert_eq(sqlite3_exec(db, ck_buf_cstr(&sql), note, &there, NULL), SQLITE_OK, "%s",
               sqlite3_errmsg(db));
  ck_buf_clear(&sql);
  for (enum ck_table t = 0; t < CK_TABLES; ++t)
    n += ck_mirror_missing(&sql, what, CK_MIRROR_SQLITE, t, &there, extra);
  run(ck_buf_cstr(&sql));
  ck_buf_free(&sql);
  return n;
}

static void brought_up(void) {
  struct ck_buf what = {0};
  cr_assert_gt(bring_up(false, &what), 0);
  ck_buf_clear(&what);
  cr_expect_eq(bring_up(false, &what), 0, "still missing: %s", ck_buf_cstr(&what));
  ck_buf_free(&what);
}

static void setup(void) {
  cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
  run("PRAGMA foreign_keys = ON"); /* always on in D1 */
}

static void teardown(void) { sqlite3_close(db); }

TestSuite(syncd_mirror, .init = setup, .fini = teardown);

/* Runs a statement with ?1 bound; returns the result code of the last step, and how many rows there
 * were. */
static int with_param(void (*make)(struct ck_buf *, enum ck_table), enum ck_table t,
                      const char *param, int *rows) {
  struct ck_buf sql = {0};
  sqlite3_stmt *st;
  make(&sql, t);
  cr_assert_eq(sqlite3_prepare_v2(db, sql.data, (int)sql.len, &st, NULL), SQLITE_OK, "%s: %s",
               sqlite3_errmsg(db), ck_buf_cstr(&sql));
  sqlite3_bind_text(st, 1, param, -1, SQLITE_STATIC);
  int rc;
  *rows = 0;
  while ((rc = sqlite3_step(st)) == SQLITE_ROW) ++*rows;
  sqlite3_finalize(st);
  ck_buf_free(&sql);
  return rc;
}

static void put_row(struct ck_buf *b, const struct ck_row *row, long long version) {
  ck_buf_text(b, b->len ? "," : "[");
  ck_buf_text(b, "[");
  for (int c = 0; c < ck_tables[row->table].mirrored; ++c) {
    if (row->v[c].state == CK_TEXT)
      ck_buf_json_str(b, row->v[c].as.s);
    else if (row->v[c].state == CK_INT)
      ck_buf_printf(b, "%lld", (long long)row->v[c].as.i);
    else
      ck_buf_text(b, "null");
    ck_buf_text(b, ",");
  }
  ck_buf_printf(b, "%lld]", version);
}

/* Upserts one row; returns the number of changes, -1 for an error. */
static int put(const struct ck_row *row, long long version) {
  struct ck_buf b = {0};
  int rows;
  int before = sqlite3_total_changes(db);
  put_row(&b, row, version);
  ck_buf_text(&b, "]");
  int rc = with_param(ck_mirror_upsert, row->table, ck_buf_cstr(&b), &rows);
  ck_buf_free(&b);
  return rc == SQLITE_DONE ? sqlite3_total_changes(db) - before : -1;
}

static int64_t number(const char *sql) {
  sqlite3_stmt *st;
  cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
  int64_t n = sqlite3_column_int64(st, 0);
  sqlite3_finalize(st);
  return n;
}

static char *text(const char *sql) {
  sqlite3_stmt *st;
  cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  cr_assert_eq(sqlite3_step(st), SQLITE_ROW, "%s", sql);
  char *s = ck_strdup((const char *)sqlite3_column_text(st, 0));
  sqlite3_finalize(st);
  return s;
}

Test(syncd_mirror, the_schema_may_be_run_again_and_has_every_column) {
  schema();
  schema();
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    char *sql = ck_sprintf("SELECT count(*) FROM pragma_table_info('%s')", ck_tables[t].name);
    cr_expect_eq(number(sql), ck_tables[t].mirrored + 1, "%s", ck_tables[t].name);
    free(sql);
  }
}

Test(syncd_mirror, a_statement_changes_a_row_only_if_its_version_is_higher) {
  schema();
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    struct ck_row row = help_row(t, "k");
    cr_expect_eq(put(&row, 5), 1);
    cr_expect_eq(put(&row, 5), 0, "a replay writes nothing");
    cr_expect_eq(put(&row, 4), 0);
    cr_expect_eq(put(&row, 10), 1, "10 is more than 5, as text it would not be");
    char *sql = ck_sprintf("SELECT version FROM %s", ck_tables[t].name);
    cr_expect_eq(number(sql), 10);
    free(sql);
  }
}

Test(syncd_mirror, values_stay_what_they_are) {
  schema();
  struct ck_row row = help_row(CK_MESSAGES, "0123");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz("{\"a\":[1]}");
  row.v[CK_MESSAGES_PAGE_URL] = ck_textz("null");
  row.v[CK_MESSAGES_PAGE_TITLE] = ck_textz("1e3");
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(INT64_MAX);
  row.v[CK_MESSAGES_CREATED_AT] = ck_int(INT64_MIN);
  cr_assert_eq(put(&row, 9007199254740993), 1);
  char *all = text("SELECT id || '|' || typeof(id) || '|' || raw_text || '|' || typeof(raw_text) "
                   "|| '|' || page_url || '|' || page_title || '|' || "
                   "typeof(page_title) || '|' || observed_at || '|' || created_at || '|' || "
                   "version || '|' || (summary IS NULL) FROM messages");
  cr_expect_str_eq(all, "0123|text|{\"a\":[1]}|text|null|1e3|text|9223372036854775807|-"
                        "9223372036854775808|9007199254740993|1");
  free(all);
}

static struct ck_row link_of(const char *id, const char *remote) {
  struct ck_row row = help_row(CK_LINKS, id);
  row.v[CK_LINKS_REMOTE_CONVERSATION_ID] = ck_textz(remote);
  return row;
}

/* A moved from remote r1 to r2, then B took r1; their newest states may come in either order, in
 * one statement or in two. */
Test(syncd_mirror, what_is_unique_may_change_hands) {
  schema();
  struct ck_row a1 = link_of("A", "r1"), a2 = link_of("A", "r2"), b = link_of("B", "r1");
  cr_assert_eq(put(&a1, 1), 1);
  cr_expect_eq(put(&b, 3), 1);
  cr_expect_eq(put(&a2, 4), 1);
  char *all = text("SELECT group_concat(link_id || remote_conversation_id || version, ' ') FROM "
                   "(SELECT * FROM conversation_links ORDER BY 1)");
  cr_expect_str_eq(all, "Ar24 Br13");
  free(all);
  run("DELETE FROM conversation_links");
  cr_assert_eq(put(&a1, 1), 1);
  cr_expect_eq(put(&a2, 4), 1);
  cr_expect_eq(put(&b, 3), 1);
  cr_expect_eq(put(&a1, 1), 0, "a zombie's statement takes nothing back");
  all = text("SELECT group_concat(link_id || remote_conversation_id || version, ' ') FROM (SELECT "
             "* FROM conversation_links ORDER BY 1)");
  cr_expect_str_eq(all, "Ar24 Br13");
  free(all);
}

static char *all_links(void) {
  return text("SELECT group_concat(link_id || ifnull(remote_conversation_id, '-') || version, ' ') "
              "FROM (SELECT * FROM conversation_links ORDER BY 1)");
}

/* As a slice with caution does it: the holders release first. Returns the number of changes, -1 for
 * an error. */
static int put_cautiously(const struct ck_row *rows, const long long *versions, size_t n) {
  struct ck_buf b = {0};
  int none, before = sqlite3_total_changes(db);
  for (size_t i = 0; i < n; ++i) put_row(&b, &rows[i], versions[i]);
  ck_buf_text(&b, "]");
  int rc = with_param(ck_mirror_release, CK_LINKS, ck_buf_cstr(&b), &none);
  if (rc == SQLITE_DONE) rc = with_param(ck_mirror_upsert_unique, CK_LINKS, ck_buf_cstr(&b), &none);
  ck_buf_free(&b);
  return rc == SQLITE_DONE ? sqlite3_total_changes(db) - before : -1;
}

/* A and B swapped their remotes: in either order, and even in one statement, one of them comes
 * first. */
Test(syncd_mirror, two_that_swapped_get_in) {
  schema();
  struct ck_row a1 = link_of("A", "r1"), b1 = link_of("B", "r2"),
                now[] = {link_of("B", "r1"), link_of("A", "r2")};
  cr_assert(put(&a1, 1) == 1 && put(&b1, 2) == 1);
  cr_expect_eq(put(&now[0], 4), -1, "a plain statement does not write it");
  cr_expect_eq(put_cautiously(now, (long long[]){4, 5}, 2), 4);
  char *links = all_links();
  cr_expect_str_eq(links, "Ar25 Br14");
  free(links);
  cr_expect_eq(put_cautiously(now, (long long[]){4, 5}, 2), 0, "a replay writes nothing");
  cr_expect_eq(put_cautiously(&a1, (long long[]){1}, 1), 0, "what is older takes nothing back");
}

/* C took r1 after A had released it. A's state in between is gone, and its newer state is still to
 * come. */
Test(syncd_mirror, what_a_newer_record_has_an_older_one_does_not_get) {
  schema();
  struct ck_row a = link_of("A", "r0"), between = link_of("A", "r1"), c = link_of("C", "r1"),
                later = link_of("A", "r3");
  cr_assert(put(&a, 1) == 1 && put(&c, 9) == 1);
  cr_expect_eq(put_cautiously(&between, (long long[]){4}, 1), 0);
  cr_expect_eq(put_cautiously(&later, (long long[]){7}, 1), 1);
  char *links = all_links();
  cr_expect_str_eq(links, "Ar37 Cr19");
  free(links);
}

/* The row that releases keeps its version, so that nothing older gets in meanwhile. */
Test(syncd_mirror, a_row_that_releases_keeps_its_version) {
  schema();
  struct ck_row a = link_of("A", "r1"), b = link_of("B", "r2"), b1 = link_of("B", "r1"),
                older = link_of("A", "r5");
  cr_assert(put(&a, 3) == 1 && put(&b, 4) == 1);
  cr_expect_eq(put_cautiously(&b1, (long long[]){6}, 1), 2);
  cr_expect_eq(put(&older, 2), 0);
  char *links = all_links();
  cr_expect_str_eq(links, "A-3 Br16");
  free(links);
}

/* ---- random histories: links take and release remotes, and states of any time arrive in any
 * order, more than once ---- */

#define HISTORY_LINKS 6
#define HISTORY_CHANGES 40
#define HISTORY_REMOTES 8

static const char *const history_ids[HISTORY_LINKS] = {"A", "B", "C", "D", "E", "F"};
static const char *const history_remotes[HISTORY_REMOTES] = {NULL, "r1", "r2", "r3",
                                                             "r4", "r5", "r6", "r7"};

/* The state of each link as of each version: its last version up to then (0: it does not exist),
 * and its remote conversation. */
struct history {
  long long version[HISTORY_CHANGES + 1][HISTORY_LINKS];
  int remote[HISTORY_CHANGES + 1][HISTORY_LINKS];
};

static bool is_free(const struct history *h, int at, int remote) {
  for (int l = 0; l < HISTORY_LINKS && remote; ++l)
    if (h->version[at][l] && h->remote[at][l] == remote) return false;
  return true;
}

static void make_history(struct history *h) {
  *h = (struct history){0};
  for (int v = 1; v <= HISTORY_CHANGES; ++v) {
    memcpy(h->version[v], h->version[v - 1], sizeof h->version[v]);
    memcpy(h->remote[v], h->remote[v - 1], sizeof h->remote[v]);
    int link = (int)sh_below(HISTORY_LINKS), remote = (int)sh_below(HISTORY_REMOTES);
    if (is_free(h, v, remote)) h->remote[v][link] = remote;
    h->version[v][link] = v;
  }
}

/* Sends some links as they were at a version, as one slice. Returns the number of changes, -1 for
 * an error even with caution. */
static int send_slice(const struct history *h, int at, unsigned which) {
  struct ck_row rows[HISTORY_LINKS];
  long long versions[HISTORY_LINKS];
  size_t n = 0;
  for (int v = 1; v <= at; ++v)
    for (int l = 0; l < HISTORY_LINKS; ++l) {
      if (h->version[at][l] != v || !(which & 1u << l)) continue;
      rows[n] = help_row(CK_LINKS, history_ids[l]);
      if (h->remote[at][l])
        rows[n].v[CK_LINKS_REMOTE_CONVERSATION_ID] = ck_textz(history_remotes[h->remote[at][l]]);
      versions[n++] = v;
    }
  struct ck_buf b = {0};
  int none, before = sqlite3_total_changes(db);
  for (size_t i = 0; i < n; ++i) put_row(&b, &rows[i], versions[i]);
  ck_buf_text(&b, n ? "]" : "[]");
  int rc = with_param(ck_mirror_upsert, CK_LINKS, ck_buf_cstr(&b), &none);
  ck_buf_free(&b);
  return rc == SQLITE_DONE ? sqlite3_total_changes(db) - before : put_cautiously(rows, versions, n);
}

static void is_newest(const struct history *h) {
  struct ck_buf wanted = {0};
  for (int l = 0; l < HISTORY_LINKS; ++l) {
    const char *remote = history_remotes[h->remote[HISTORY_CHANGES][l]];
    long long version = h->version[HISTORY_CHANGES][l];
    if (version)
      ck_buf_printf(&wanted, "%s%s%s%lld", wanted.len ? " " : "", history_ids[l],
                    remote ? remote : "-", version);
  }
  char *links = all_links();
  cr_assert_str_eq(links, ck_buf_cstr(&wanted));
  free(links);
  ck_buf_free(&wanted);
}

Test(syncd_mirror, whatever_the_order_each_link_has_in_the_end_what_it_has) {
  struct history h;
  schema();
  for (int world = 0; world < 2000; ++world) {
    run("DELETE FROM conversation_links");
    make_history(&h);
    for (unsigned left = (1u << HISTORY_LINKS) - 1; left;) {
      unsigned which = (unsigned)sh_below(1u << HISTORY_LINKS);
      bool newest = sh_below(3) == 0;
      cr_assert_geq(
          send_slice(&h, newest ? HISTORY_CHANGES : (int)sh_below(HISTORY_CHANGES) + 1, which), 0,
          "%s", sqlite3_errmsg(db));
      if (newest) left &= ~which;
    }
    is_newest(&h);
  }
}

Test(syncd_mirror, links_without_a_remote_id_do_not_meet) {
  schema();
  struct ck_row a = help_row(CK_LINKS, "A"), b = help_row(CK_LINKS, "B");
  cr_expect_eq(put(&a, 1), 1);
  cr_expect_eq(put(&b, 2), 1);
}

/* The predecessor's database: the same tables without a version, with foreign keys. Made from the
 * field lists, which have the same columns, and more. */
static void predecessor(void) {
  static const char *const more[CK_TABLES] = {
      [CK_EXECUTIONS] = ", FOREIGN KEY (message_id) REFERENCES messages (id)",
      [CK_LINKS] = ", UNIQUE (platform, remote_conversation_id), FOREIGN KEY "
                   "(local_conversation_id) REFERENCES local_conversations (local_conversation_id)",
      [CK_JOBS] = ", UNIQUE (message_id), FOREIGN KEY (local_conversation_id) REFERENCES "
                  "local_conversations (local_conversation_id), "
                  "FOREIGN KEY (message_id) REFERENCES messages (id)",
  };
  for (enum ck_table t = 0; t < CK_FORGOTTEN; ++t) {
    struct ck_buf sql = {0};
    ck_buf_printf(&sql, "CREATE TABLE %s (", ck_tables[t].name);
    for (int c = 0; c < ck_tables[t].mirrored; ++c) {
      const struct ck_field *f = &ck_tables[t].fields[c];
      if (f->flags & CK_ADDED) continue;
      ck_buf_printf(
          &sql, "%s%s %s%s%s", c ? ", " : "", f->name, ck_kind_is_int(f->kind) ? "INTEGER" : "TEXT",
          f->flags & CK_OPTIONAL ? "" : " NOT NULL", f->flags & CK_KEY ? " PRIMARY KEY" : "");
    }
    ck_buf_printf(&sql, "%s)", more[t] ? more[t] : "");
    run(ck_buf_cstr(&sql));
    ck_buf_free(&sql);
  }
}

Test(syncd_mirror, an_old_database_is_brought_up_and_goes_on_being_filled) {
  predecessor();
  run("INSERT INTO messages (id, platform, role, raw_text, observed_at, static_path, created_at) "
      "VALUES ('m', 'p', 'user', 'old', 1, 'msg/m.txt', 1)");
  brought_up();
  cr_expect_eq(number("SELECT version FROM messages"), 0);
  struct ck_row row = help_row(CK_MESSAGES, "m");
  cr_expect_eq(put(&row, 1), 1);
  row = help_row(CK_EXECUTIONS, "e");
  cr_expect_eq(put(&row, 2), -1, "its message is not there");
  row.v[CK_EXECUTIONS_MESSAGE_ID] = ck_textz("m");
  cr_expect_eq(put(&row, 2), 1);
}

Test(syncd_mirror, a_job_or_link_of_the_old_history_is_taken_over) {
  predecessor();
  brought_up();
  struct ck_row c = help_row(CK_CONVERSATIONS, "x"), m = help_row(CK_MESSAGES, "x"),
                job = help_row(CK_JOBS, "new"), old = help_row(CK_JOBS, "old");
  cr_assert(put(&c, 1) == 1 && put(&m, 2) == 1 && put(&old, 0) == 1);
  cr_expect_eq(put(&job, 3), 1);
  char *all = text("SELECT group_concat(job_id) FROM renewal_jobs");
  cr_expect_str_eq(all, "new");
  free(all);
}

Test(syncd_mirror, a_careful_statement_passes_orphans_over_and_the_query_names_them) {
  predecessor();
  brought_up();
  struct ck_row m = help_row(CK_MESSAGES, "m"), e = help_row(CK_EXECUTIONS, "e");
  struct ck_buf b = {0};
  int rows;
  cr_assert_eq(put(&m, 1), 1);
  put_row(&b, &e, 2);
  e = help_row(CK_EXECUTIONS, "f");
  e.v[CK_EXECUTIONS_MESSAGE_ID] = ck_textz("m");
  put_row(&b, &e, 3);
  ck_buf_text(&b, "]");
  cr_expect_eq(with_param(ck_mirror_upsert, CK_EXECUTIONS, ck_buf_cstr(&b), &rows),
               SQLITE_CONSTRAINT);
  cr_expect_eq(number("SELECT count(*) FROM executions"), 0);
  cr_expect_eq(with_param(ck_mirror_upsert_cautious, CK_EXECUTIONS, ck_buf_cstr(&b), &rows),
               SQLITE_DONE);
  cr_expect_eq(number("SELECT count(*) FROM executions WHERE instruction_id = 'f'"), 1);
  cr_expect_eq(with_param(ck_mirror_orphans, CK_EXECUTIONS, ck_buf_cstr(&b), &rows), SQLITE_DONE);
  cr_expect_eq(rows, 1);
  ck_buf_free(&b);
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    cr_expect_eq(with_param(ck_mirror_upsert_cautious, t, "[]", &rows), SQLITE_DONE);
    cr_expect_eq(with_param(ck_mirror_orphans, t, "[]", &rows), SQLITE_DONE);
  }
}

/* ---- what a reader of the predecessor's may want ---- */

Test(syncd_mirror, the_predecessors_indexes_are_made_on_demand_and_once) {
  struct ck_buf what = {0};
  schema();
  cr_expect_eq(bring_up(false, &what), 0, "without being asked: %s", ck_buf_cstr(&what));
  cr_expect_eq(bring_up(true, &what), 11, "%s", ck_buf_cstr(&what));
  static const char *const costs[] = {
      "messages_platform (one more row written for each new message)",
      "sessions_platform (one more row written for each new session, and with each new message)",
      "links_client (one more row written for each new link, and at each change of it)",
      "jobs_status (one more row written for each new job, and each time that its state changes)",
      "executions_target (one more row written for each new execution)"};
  for (size_t i = 0; i < sizeof costs / sizeof *costs; ++i)
    cr_expect(strstr(ck_buf_cstr(&what), costs[i]), "%s is not said in %s", costs[i],
              ck_buf_cstr(&what));
  cr_expect_eq(bring_up(true, &what), 0);
  ck_buf_free(&what);
}

/* The predecessor's own, under names of its own, are as good. */
Test(syncd_mirror, an_index_on_the_same_columns_is_not_made_again) {
  struct ck_buf what = {0};
  schema();
  run("CREATE INDEX a ON renewal_jobs (status, next_attempt_at, created_at);"
      "CREATE INDEX b ON sessions (platform, last_activity_at DESC);"
      "CREATE INDEX c ON executions (target);"
      "CREATE INDEX d ON executions (executed_at) WHERE executed_at > 5;"
      "CREATE INDEX e ON conversation_links (client_id, lower(updated_at))");
  cr_expect_eq(bring_up(true, &what), 9, "%s", ck_buf_cstr(&what));
  cr_expect(!strstr(ck_buf_cstr(&what), "jobs_status"));
  cr_expect(!strstr(ck_buf_cstr(&what), "sessions_platform"));
  ck_buf_free(&what);
}

Test(syncd_mirror, what_is_left_out_by_hand_gets_the_stores_default) {
  schema();
  run("INSERT INTO local_conversations (local_conversation_id, platform, created_at, updated_at)"
      " VALUES ('c', 'p', 1, 1);"
      "INSERT INTO renewal_jobs (job_id, local_conversation_id, message_id, payload, created_at,"
      " updated_at) VALUES ('j', 'c', 'm', 'go', 1, 1);"
      "INSERT INTO conversation_links (link_id, local_conversation_id, platform, observed_at,"
      " created_at, updated_at) VALUES ('l', 'c', 'p', 1, 1, 1)");
  char *all = text("SELECT automation_status || ' ' || status || ' ' || payload_kind || ' ' ||"
                   " attempt_count || ' ' || max_attempts || ' ' || is_active || ' ' || j.version"
                   " FROM local_conversations, renewal_jobs j, conversation_links");
  cr_expect_str_eq(all, "manual pending text 0 3 1 0");
  free(all);
}

/* ---- mirror.db, for other tools ---- */

static void embedded(void) {
  struct ck_buf sql = {0};
  ck_mirror_schema(&sql, CK_MIRROR_EMBEDDED, false);
  for (int twice = 0; twice < 2; ++twice) run(ck_buf_cstr(&sql)); /* as each start does it */
  ck_buf_free(&sql);
}

Test(syncd_mirror, the_embedded_one_declares_every_reference) {
  embedded();
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    char *sql = ck_sprintf("SELECT count(*) FROM pragma_foreign_key_list('%s')", ck_tables[t].name);
    int64_t expected = 0;
    for (int i = 0; i < CK_REFERENCES; ++i) expected += ck_references[i].table == t;
    cr_expect_eq(number(sql), expected, "%s", ck_tables[t].name);
    free(sql);
  }
  char *all = text("SELECT group_concat(\"from\" || ' ' || \"table\" || '.' || \"to\", ', ') FROM"
                   " (SELECT * FROM pragma_foreign_key_list('renewal_jobs') ORDER BY \"from\")");
  cr_expect_str_eq(all, "local_conversation_id local_conversations.local_conversation_id,"
                        " message_id messages.id");
  free(all);
}

Test(syncd_mirror, a_view_shows_times_as_text_and_the_rest_as_it_is) {
  static const struct {
    int64_t ms;
    const char *shown;
  } times[] = {
      {1732267800250, "2024-11-22T09:30:00.250Z"},
      {1732267800999, "2024-11-22T09:30:00.999Z"},
      {0, "1970-01-01T00:00:00.000Z"},
      {-1, "1969-12-31T23:59:59.999Z"},
      {253402300799999, "9999-12-31T23:59:59.999Z"},
      {253402300800000, "253402300800000"}, /* the year 10000 */
      {INT64_MAX, "9223372036854775807"},
  };
  struct ck_row m = help_row(CK_MESSAGES, "m");
  embedded();
  for (size_t i = 0; i < sizeof times / sizeof *times; ++i) {
    m.v[CK_MESSAGES_OBSERVED_AT] = ck_int(times[i].ms);
    cr_assert_eq(put(&m, (long long)i + 1), 1);
    char *shown = text("SELECT observed_at FROM messages_iso WHERE id = 'm'");
    cr_expect_str_eq(shown, times[i].shown);
    free(shown);
  }
  cr_expect_eq(number("SELECT count(*) FROM messages_iso v JOIN messages m USING (id, version)"
                      " WHERE v.raw_text IS m.raw_text AND v.platform IS m.platform"),
               1);
}

Test(syncd_mirror, every_view_has_its_tables_columns) {
  embedded();
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    const char *name = ck_tables[t].name;
    char *sql = ck_sprintf("SELECT count(*) FROM (SELECT cid, name FROM pragma_table_info('%s')"
                           " EXCEPT SELECT cid, name FROM pragma_table_info('%s_iso'))",
                           name, name);
    cr_expect_eq(number(sql), 0, "%s", name);
    free(sql);
  }
}

Test(syncd_mirror, d1_has_neither_references_nor_views) {
  schema();
  cr_expect_eq(number("SELECT count(*) FROM sqlite_schema WHERE type = 'view'"), 0);
  cr_expect_eq(number("SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%REFERENCES%'"), 0);
}

/* ---- what was forgotten ---- */

static void gone(struct ck_row *row, enum ck_table t, const char *key) {
  static char id[80];
  *row = help_row(CK_FORGOTTEN, "x");
  snprintf(id, sizeof id, "%s/%s", ck_tables[t].name, key);
  row->v[CK_FORGOTTEN_FORGOTTEN_ID] = ck_textz(id);
  row->v[CK_FORGOTTEN_TABLE_NAME] = ck_textz(ck_tables[t].name);
  row->v[CK_FORGOTTEN_RECORD_KEY] = ck_textz(key);
}

/* Upserts it, and deletes what it says; returns how many rows that deletes. */
static int forget(enum ck_table t, const char *key, long long version) {
  struct ck_row row;
  struct ck_buf b = {0};
  int rows;
  gone(&row, t, key);
  put(&row, version);
  put_row(&b, &row, version);
  ck_buf_text(&b, "]");
  int before = sqlite3_total_changes(db);
  for (int of = CK_FORGOTTEN - 1; of >= 0; --of)
    cr_assert_eq(with_param(ck_mirror_forget, (enum ck_table)of, ck_buf_cstr(&b), &rows),
                 SQLITE_DONE, "%s", sqlite3_errmsg(db));
  ck_buf_free(&b);
  return sqlite3_total_changes(db) - before;
}

Test(syncd_mirror, no_statement_brings_back_what_was_forgotten) {
  schema();
  for (enum ck_table t = 0; t < CK_FORGOTTEN; ++t) {
    struct ck_row row = help_row(t, "k");
    cr_expect_eq(put(&row, 5), 1);
    cr_expect_eq(forget(t, "k", 4), 0, "%s: it is newer", ck_tables[t].name);
    cr_expect_eq(forget(t, "k", 9), 1, "%s", ck_tables[t].name);
    cr_expect_eq(forget(t, "k", 9), 0);
    cr_expect_eq(put(&row, 8), 0, "%s: a late statement", ck_tables[t].name);
    cr_expect_eq(put(&row, 10), 1, "%s: it was taken in again", ck_tables[t].name);
    cr_expect_eq(forget(t, "k", 9), 0, "%s: and again late", ck_tables[t].name);
    cr_expect_eq(forget(t, "k", 11), 1);
  }
}
