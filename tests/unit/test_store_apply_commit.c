/* Commits of changesets: what fails leaves nothing, the WAL stays small, and any history gives the
 * same database. */
#include "test_store_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- commits that fail ---- */

/* A constraint of the database that the rules do not know. */
static void forbid(const char *id) {
  struct ck_err err;
  char *sql =
      ck_sprintf("CREATE TEMP TRIGGER forbidden BEFORE INSERT ON main.messages WHEN new.id = '%s' "
                 "BEGIN SELECT RAISE(ABORT, 'forbidden'); END",
                 id);
  cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
  free(sql);
}

Test(apply, a_constraint_undoes_the_batch_and_it_goes_on) {
  sh_conversation(&s, "c1", ",'title':'before'");
  forbid("bad");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','title':'with'}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_put(&s, CK_MESSAGES,
         "{'id':'good','platform':'p','role':'user','raw_text':'','observed_at':10}");
  cr_expect_eq(sh_apply(&s), 'n');
  sh_put(&s, CK_MESSAGES,
         "{'id':'bad','platform':'p','role':'user','raw_text':'','observed_at':10}");
  cr_expect_eq(sh_apply(&s), 'n');
  cr_expect_eq(sh_commit(&s), 1);
  cr_expect(strstr(s.reason.text, "forbidden"), "%s", s.reason.text);
  ap_check_versions(1);
  cr_expect_eq(sh_int(&s, "SELECT applied FROM producers"), 1);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "before");
  cr_expect_eq(sh_message(&s, "good", 10, ""), 'n');
  cr_expect_eq(sh_conversation(&s, "c1", ",'title':'of later'"), 'u');
  ap_check_versions(3);
  sh_is(&s, CK_CONVERSATIONS, "c1", "title", "of later");
}

Test(apply, a_full_disk_undoes_the_batch_and_it_goes_on) {
  struct ck_err err;
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(db_exec(s.db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA max_page_count = 1", &err), 0,
               "%s", err.text);
  char *text = ck_alloc(100001);
  memset(text, 'x', 100000);
  text[100000] = '\0';
  char *json =
      ck_sprintf("{'id':'m2','platform':'p','role':'user','raw_text':'%s','observed_at':10}", text);
  sh_put(&s, CK_MESSAGES, json);
  cr_expect_eq(sh_apply(&s), 'n');
  cr_expect_eq(sh_commit(&s), -1);
  cr_expect(strstr(s.reason.text, "full"), "%s", s.reason.text);
  ap_check_versions(1);
  cr_assert_eq(db_exec(s.db, "PRAGMA max_page_count = 1000000", &err), 0);
  cr_expect_eq(sh_write(&s, CK_MESSAGES, json), 'n');
  ap_check_versions(2);
  free(json);
  free(text);
}

/* A statement that is left on a row would keep a read transaction open for ever: the WAL could
 * never restart, and would grow without end. */
Test(apply, the_wal_does_not_grow_without_end) {
  char *text = ck_alloc(20001);
  memset(text, 'x', 20000);
  text[20000] = '\0';
  sh_conversation(&s, "c1", "");
  sh_reopen(&s);
  sh_conversation(&s, "c1", ",'title':'found in the database'");
  for (int i = 0; i < 3000; ++i) {
    char *json = ck_sprintf(
        "{'id':'m%d','platform':'p','role':'user','raw_text':'%s','observed_at':10}", i, text);
    sh_put(&s, CK_MESSAGES, json);
    free(json);
    sh_apply(&s);
    if (i % 20 == 0) cr_assert_eq(sh_commit(&s), 0);
  }
  sh_commit(&s);
  struct stat st;
  cr_assert_eq(stat(DB_FILE "-wal", &st), 0);
  cr_expect_lt(st.st_size, 32 << 20, "%lld bytes", (long long)st.st_size);
  free(text);
}

/* ---- any history ---- */

/* All that the six tables hold, as one text. */
static char *everything(void) {
  struct ck_buf all = {0};
  struct ck_err err;
  for (int t = 0; t < CK_TABLES; ++t) {
    char *sql = ck_sprintf("SELECT * FROM %s ORDER BY version", ck_tables[t].name);
    sqlite3_stmt *q = db_prepare(s.db, sql, &err);
    free(sql);
    while (sqlite3_step(q) == SQLITE_ROW) {
      struct ck_row row;
      db_row(q, 1, (enum ck_table)t, &row);
      ck_buf_printf(&all, "%lld ", (long long)sqlite3_column_int64(q, 0));
      ck_row_json(&all, &row);
      ck_buf_text(&all, "\n");
    }
    sqlite3_finalize(q);
  }
  char *text = ck_strdup(ck_buf_cstr(&all));
  ck_buf_free(&all);
  return text;
}

static void put_any(void) {
  unsigned a = (unsigned)sh_below(6), b = (unsigned)sh_below(6), at = (unsigned)sh_below(30);
  char *json = NULL;
  enum ck_table t = (enum ck_table)sh_below(CK_TABLES);
  switch (t) {
  case CK_MESSAGES:
    json = ck_sprintf("{'id':'m%u','platform':'p','role':'user','raw_text':'%u','observed_at':%u}",
                      a, b, at);
    break;
  case CK_EXECUTIONS:
    json = ck_sprintf("{'instruction_id':'e%u','message_id':'m%u','target':'t','tool':'%u','result_"
                      "ok':1,'executed_at':%u}",
                      a, b, at, at);
    break;
  case CK_SESSIONS:
    json = ck_sprintf("{'id':'s%u','platform':'p','started_at':%u,'last_activity_at':%u}", a, at,
                      at + b);
    break;
  case CK_CONVERSATIONS:
    json = ck_sprintf("{'local_conversation_id':'c%u','platform':'p','title':'%u','last_message_id'"
                      ":'m%u','last_message_at':%u}",
                      a, at, b, at);
    break;
  case CK_LINKS:
    json = ck_sprintf("{'link_id':'l%u','local_conversation_id':'c%u','platform':'p','%s':'r%u','"
                      "observed_at':%u}",
                      a, b, at % 7 ? "remote_conversation_id" : "client_id", (unsigned)sh_below(6),
                      at);
    break;
  default:
    json = ck_sprintf(
        "{'job_id':'j%u','local_conversation_id':'c%u','message_id':'m%u','payload':'x'}", a, b,
        (unsigned)sh_below(6));
  }
  sh_put(&s, t, json);
  free(json);
}

static void expect_committed(void) {
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  uint64_t stored;
  struct ck_err err;
  cr_assert_eq(db_head(s.db, &stored, &err), 0);
  cr_assert_eq(stored, apply_head(s.apply), "no record has the newest version");
  cr_assert_eq(sh_int(&s, "SELECT count(*) FROM (SELECT version FROM messages"
                          " UNION SELECT version FROM executions UNION SELECT version FROM sessions"
                          " UNION SELECT version FROM local_conversations"
                          " UNION SELECT version FROM conversation_links"
                          " UNION SELECT version FROM renewal_jobs)"),
               sh_int(&s, "SELECT messages + executions + sessions + local_conversations + "
                          "conversation_links + renewal_jobs FROM store"),
               "versions are not distinct, or the counts are wrong");
  cr_assert_eq(sh_int(&s, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

/* The same changesets give the same database, whether each has a commit and a process of its own,
 * or many share one. */
Test(apply, any_history_is_the_same_however_it_is_cut_into_commits, .timeout = 120) {
  char *texts[2] = {NULL, NULL};
  uint64_t seed = sh_random();
  for (int way = 0; way < 2; ++way) {
    if (way) {
      sh_close(&s);
      sh_open(&s);
    }
    sh_seed(seed);
    for (int i = 0; i < 600; ++i) {
      for (unsigned n = 1 + (unsigned)sh_below(4); n; --n) put_any();
      uint64_t head = apply_head(s.apply);
      char letter = sh_apply(&s);
      cr_assert(letter && strchr("nu=r", letter));
      if (letter == '=' || letter == 'r')
        cr_assert_eq(apply_head(s.apply), head, "a version for nothing");
      if (letter == 'r') cr_assert_neq(s.reason.text[0], '\0');
      bool commit = sh_below(20) == 0;
      if (way == 0 || commit) expect_committed();
      if (way == 0 && i % 50 == 49) sh_reopen(&s);
    }
    if (s.begun) expect_committed();
    texts[way] = everything();
  }
  cr_expect_str_eq(texts[0], texts[1]);
  cr_expect_gt(strlen(texts[0]), 1000);
  free(texts[0]);
  free(texts[1]);
}

/* ---- counts of the messages ---- */

static void put_two(const char *role) {
  for (int i = 0; i < 2; ++i) {
    char *json = ck_sprintf("{'id':'m%d','platform':'p','role':'%s','raw_text':'','observed_at':1}",
                            i, role);
    sh_put(&s, CK_MESSAGES, json);
    free(json);
  }
  cr_assert_neq(sh_apply(&s), 0);
}

/* A lost receipt is asked for, also of the store's next run. */
Test(apply, counts_are_kept_as_long_as_the_letters) {
  struct ck_welcome w = {0};
  struct ck_counts c;
  struct ck_buf refused = {0}, counts = {0};
  struct ck_err err;
  uint32_t n;
  put_two("user");
  sh_commit(&s);
  put_two("user");
  sh_put(&s, CK_MESSAGES, "{'id':'m0','role':' '}");
  sh_put(&s, CK_MESSAGES, "{'id':'m1'}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  sh_reopen(&s);
  cr_assert_eq(producer_welcome(s.producer, s.system, &w, &refused, &counts, &err), 0);
  struct ck_reader r = ck_reader_of(w.counts);
  cr_assert(ck_read_array(&r, &n) == 0 && n == 2, "of two numbers, not %u", n);
  cr_assert_eq(ck_counts_decode(&r, &c, &err), 0);
  cr_expect(c.number == 1 && c.added == 2 && c.updated == 0 && c.unchanged == 0);
  cr_assert_eq(ck_counts_decode(&r, &c, &err), 0);
  cr_expect(c.number == 2 && c.added == 0 && c.updated == 0 && c.unchanged == 2);
  for (int i = 0; i < PRODUCER_TAIL; ++i) cr_expect_eq(sh_apply(&s), '=');
  sh_commit(&s);
  cr_expect_eq(s.producer->counts_len, 0, "their letters are forgotten");
  ck_buf_free(&refused);
  ck_buf_free(&counts);
}

static void put_lone(const char *execution) {
  sh_put(&s, CK_MESSAGES, "{'id':'m','platform':'p','role':'user','raw_text':'','observed_at':1}");
  if (!execution) return;
  char *json = ck_sprintf("{'instruction_id':'%s','message_id':'m','target':'t','tool':'u',"
                          "'executed_at':1}",
                          execution);
  sh_put(&s, CK_EXECUTIONS, json);
  free(json);
}

static bool counts_updated(uint64_t n) {
  const struct ck_counts *c = apply_counts(s.apply);
  return c && c->added == 0 && c->updated == n && c->unchanged == 0;
}

/* Of a lone message the letter tells, unless something new came with one that was there. */
Test(apply, a_known_message_with_a_new_execution_is_not_new) {
  put_lone("first");
  cr_expect_eq(sh_apply(&s), 'n');
  cr_expect_null(apply_counts(s.apply), "the message is new");
  put_lone("first");
  cr_expect_eq(sh_apply(&s), '=');
  cr_expect_null(apply_counts(s.apply));
  put_lone("second");
  cr_expect_eq(sh_apply(&s), 'n');
  cr_expect(counts_updated(1));
  sh_conversation(&s, "c", "");
  put_lone(NULL);
  sh_put(&s, CK_LINKS,
         "{'link_id':'l','local_conversation_id':'c','platform':'p','observed_at':1}");
  cr_expect_eq(sh_apply(&s), 'n');
  cr_expect(counts_updated(1), "with a new link");
}
