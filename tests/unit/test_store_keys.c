/* The index of ids: on their way from the memory stage into their layers, and doctor's check. */
#include "test_store_help.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/format/restore.h"
#include "store/keys/keys.h"

static struct sh_store s;

static void open_it(void) {
  sh_open(&s);
  apply_resize_keys(s.apply, 4, 2, 32);
}
static void close_it(void) { sh_close(&s); }

TestSuite(keys, .init = open_it, .fini = close_it);

static const char *name(int i) {
  static char id[32];
  /* The ids do not come in their own order. */
  snprintf(id, sizeof id, "m%08x", (unsigned)i * 2654435761u);
  return id;
}

static void write_many(int from, int to, const char *more) {
  for (int i = from; i < to; ++i) {
    sh_message(&s, name(i), 10, more);
    sh_check_keys(&s);
  }
}

static void reopen(void) {
  sh_reopen(&s);
  apply_resize_keys(s.apply, 4, 2, 32);
}

#define MEMORY "SELECT count(*) FROM temp.message_keys_memory"
#define SORTED "SELECT count(*) FROM message_keys_sorted"
#define LAYERS "SELECT count(DISTINCT layer) FROM message_keys_sorted"
#define NEW "SELECT count(*) FROM message_keys_new"

Test(keys, move_on_and_no_more_than_so_many_wait) {
  write_many(0, 200, "");
  cr_expect_leq(sh_int(&s, MEMORY), 6);
  cr_expect_geq(sh_int(&s, SORTED), 194);
  cr_expect_geq(sh_int(&s, LAYERS), 3);
  cr_expect_leq(sh_int(&s, NEW), 40, "what has been moved on is trimmed");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), 200);
}

Test(keys, a_message_is_found_wherever_its_id_is) {
  write_many(0, 60, "");
  cr_expect(sh_int(&s, MEMORY) && sh_int(&s, SORTED));
  write_many(0, 60, ",'page_title':'again'");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), 60);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages WHERE page_title = 'again'"), 60);
  for (int i = 0; i < 60; ++i)
    cr_expect_eq(sh_message(&s, name(i), 10, ",'page_title':'again'"), '=');
}

Test(keys, a_restart_goes_on_at_any_moment) {
  for (int i = 0; i < 120; ++i) {
    write_many(i, i + 1, "");
    reopen();
    sh_check_keys(&s);
    cr_expect_eq(sh_message(&s, name(i / 2), 10, ""), '=');
  }
  write_many(120, 160, "");
  cr_expect_leq(sh_int(&s, MEMORY), 6);
  cr_expect_leq(sh_int(&s, NEW), 40);
}

/* A changed message keeps its layer: or it would be in two, and changes would fill a layer. */
Test(keys, a_changed_message_stays_in_its_layer) {
  write_many(0, 300, "");
  cr_expect_geq(sh_int(&s, LAYERS), 3);
  int64_t of_first = sh_int(&s, "SELECT count(*) FROM message_keys_sorted WHERE layer = 0");
  for (int turn = 0; turn < 3; ++turn) {
    char *more = ck_sprintf(",'page_title':'%d'", turn);
    write_many(0, 10, more);
    free(more);
    if (turn == 1) reopen();
  }
  write_many(300, 400, "");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages WHERE page_title = '2'"), 10);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM message_keys_sorted WHERE layer = 0"), of_first);
}

Test(keys, what_is_undone_was_never_there) {
  struct ck_err err;
  write_many(0, 40, "");
  int64_t memory = sh_int(&s, MEMORY);
  cr_assert_eq(
      db_exec(
          s.db,
          "CREATE TEMP TRIGGER no BEFORE UPDATE ON main.store BEGIN SELECT RAISE(ABORT, 'no'); END",
          &err),
      0, "%s", err.text);
  for (int i = 40; i < 60; ++i) {
    char *json = ck_sprintf(
        "{'id':'%s','platform':'p','role':'user','raw_text':'text','observed_at':10}", name(i));
    sh_put(&s, CK_MESSAGES, json);
    cr_expect_eq(sh_apply(&s), 'n');
    free(json);
  }
  cr_expect_eq(sh_commit(&s), -1);
  cr_expect_eq(sh_int(&s, MEMORY), memory);
  sh_check_keys(&s);
  cr_assert_eq(db_exec(s.db, "DROP TRIGGER temp.no", &err), 0, "%s", err.text);
  write_many(40, 120, "");
  cr_expect_leq(sh_int(&s, MEMORY), 6);
}

/* Every message once, wherever its id is. */
static void check_view(void) {
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM message_ids"),
               sh_int(&s, "SELECT count(*) FROM messages"));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM (SELECT id, version FROM messages"
                          " EXCEPT SELECT id, version FROM message_ids)"),
               0);
}

Test(keys, the_view_for_people_has_every_message_once) {
  for (int i = 0; i < 120; i += 10) {
    write_many(i, i + 10, "");
    check_view();
    write_many(i / 2, i / 2 + 3, ",'page_title':'again'");
    check_view();
    if (i % 40 == 0) reopen();
    check_view();
  }
  cr_expect(sh_int(&s, LAYERS) >= 2 && sh_int(&s, MEMORY));
}

/* ---- doctor's check ---- */

struct said {
  unsigned count, most;
  struct ck_buf text;
};

static bool say(void *self, const char *what) {
  struct said *said = self;
  ck_buf_printf(&said->text, "%s\n", what);
  return ++said->count < said->most;
}

/* The check's report after this change of the database. */
static unsigned found_after(const char *change, unsigned most, struct said *said) {
  struct ck_err err = {{0}};
  *said = (struct said){.most = most};
  cr_assert_eq(db_exec(s.db, "SAVEPOINT test", &err), 0);
  cr_assert_eq(db_exec(s.db, change, &err), 0, "%s: %s", change, err.text);
  cr_expect_gt(sqlite3_changes(s.db), 0, "%s: changes nothing", change);
  cr_assert_eq(keys_check(s.db, say, said, &err), 0, "%s", err.text);
  cr_assert_eq(db_exec(s.db, "ROLLBACK TO test; RELEASE test", &err), 0);
  return said->count;
}

#define FIRST " WHERE version = (SELECT min(version) FROM message_keys_sorted)"
#define FIRST_ID "(SELECT id FROM message_keys_sorted" FIRST ")"
#define LAST_OF_1 " WHERE version = (SELECT max(version) FROM message_keys_sorted WHERE layer = 1)"
#define NEWEST " WHERE version = (SELECT max(version) FROM message_keys_new)"

Test(keys, what_contradicts_is_found) {
  static const char *const wrong[][2] = {
      {"DELETE FROM message_keys_sorted" FIRST, " is not found by its id"},
      {"DELETE FROM message_keys_sorted WHERE layer = 0", " is not found by its id"},
      {"DELETE FROM message_keys_new" NEWEST, " is not found by its id"},
      {"UPDATE message_keys_sorted SET version = version + 1000" FIRST, " leads to no message"},
      {"UPDATE message_keys_new SET version = version + 1000" NEWEST, " leads to no message"},
      {"UPDATE message_keys_sorted SET id = id || 'x'" FIRST, "x leads to no message"},
      {"WITH two AS (SELECT version FROM message_keys_sorted ORDER BY version LIMIT 2)"
       " UPDATE message_keys_sorted SET version = (SELECT sum(version) FROM two) - version"
       " WHERE version IN (SELECT version FROM two)",
       " is not found by its id"},
      {"UPDATE message_keys_sorted SET layer = 9" FIRST,
       "ids are in layer 9, which does not exist"},
      {"INSERT INTO message_keys_sorted"
       " SELECT layer + 1, id, version FROM message_keys_sorted" FIRST,
       " is there twice"},
      {"INSERT INTO message_keys_sorted VALUES (0, 'nobody', 77777)",
       "the id nobody leads to no message"},
      {"INSERT INTO message_keys_new"
       " SELECT version + 1000, id, layer FROM message_keys_sorted" FIRST,
       " belongs to two messages"},
      {"INSERT INTO message_keys_new SELECT version + 1000, id, layer FROM message_keys_new" NEWEST,
       " belongs to two messages"},
      {"UPDATE messages SET id = " FIRST_ID LAST_OF_1
       "; UPDATE message_keys_sorted SET id = " FIRST_ID LAST_OF_1,
       " belongs to two messages"},
      {"UPDATE messages SET id = 'nobody'" FIRST, "message nobody is not found by its id"},
      {"UPDATE messages SET version = version + 1000" FIRST, " leads to no message"},
      {"DELETE FROM messages" FIRST, " leads to no message"},
  };
  write_many(0, 60, "");
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    struct said said;
    cr_expect_gt(found_after(wrong[i][0], 1000, &said), 0, "%s", wrong[i][0]);
    cr_expect(strstr(ck_buf_cstr(&said.text), wrong[i][1]), "%s: %s", wrong[i][0],
              ck_buf_cstr(&said.text));
    ck_buf_free(&said.text);
  }
}

Test(keys, what_contradicts_is_named_and_no_more_of_it_than_is_wanted) {
  struct said said;
  write_many(0, 60, "");
  cr_expect_eq(found_after("UPDATE message_keys_sorted SET version = version + 1000", 7, &said), 7);
  ck_buf_free(&said.text);
  char *one = ck_sprintf("message %s is not found by its id\n", name(0));
  cr_expect_eq(found_after("DELETE FROM message_keys_sorted" FIRST, 1000, &said), 1,
               "one key is gone, and others are said to be: %s", ck_buf_cstr(&said.text));
  cr_expect_str_eq(ck_buf_cstr(&said.text), one);
  ck_buf_free(&said.text);
  free(one);
}

/* ---- rows that somebody deleted by hand ---- */

static void by_hand(const char *sql) {
  sqlite3 *db = NULL;
  cr_assert_eq(sqlite3_open(DB_FILE, &db), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

/* Whether the id is in memory or in a layer, before and after a start. */
Test(keys, a_message_that_was_deleted_by_hand_is_written_again) {
  write_many(0, 60, "");
  cr_expect(sh_int(&s, MEMORY) && sh_int(&s, SORTED));
  for (int again = 0; again < 2; ++again) {
    by_hand(again ? "DELETE FROM messages WHERE version % 3 = 1"
                  : "DELETE FROM messages WHERE version % 3 = 0");
    if (again) reopen();
    int gone = 60 - (int)sh_int(&s, "SELECT count(*) FROM messages"), fresh = 0;
    cr_expect_gt(gone, 10);
    for (int i = 0; i < 60; ++i) fresh += sh_message(&s, name(i), 10, "") == 'n';
    cr_expect_eq(fresh, gone);
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), 60);
    sh_check_keys(&s);
  }
  write_many(60, 80, "");
}

/* Their versions are not given again, so no id leads to another message. */
Test(keys, the_newest_messages_were_deleted_by_hand) {
  struct restored r = {0};
  struct ck_err err = {{0}};
  write_many(0, 60, "");
  by_hand("DELETE FROM messages WHERE version > 40");
  reopen();
  cr_assert_eq(restore_rewound(s.db, "", &r, &err), 0, "%s", err.text);
  reopen();
  for (int i = 60; i < 90; ++i) cr_expect_eq(sh_message(&s, name(i), 10, ""), 'n');
  cr_expect_eq(sh_int(&s, "SELECT min(version) FROM messages WHERE version > 40"), 61);
  for (int i = 0; i < 60; ++i)
    cr_expect_eq(sh_message(&s, name(i), 10, ""), i < 40 ? '=' : 'n', "%d", i);
  sh_check_keys(&s);
  reopen();
  sh_check_keys(&s);
}

/* While the store runs, what it remembers of the record is not true any more. */
Test(keys, any_record_that_was_deleted_by_hand_is_written_again) {
  for (int again = 0; again < 3; ++again) {
    const char expected = 'n';
    cr_expect_eq(sh_conversation(&s, "c1", ""), expected);
    cr_expect_eq(sh_message(&s, "m1", 10, ""), expected);
    cr_expect_eq(sh_link(&s, "l1", "c1", "r1", ""), expected);
    cr_expect_eq(sh_job(&s, "j1", "c1", "m1", ""), expected);
    cr_expect_eq(
        sh_write(&s, CK_EXECUTIONS,
                 "{'instruction_id':'e1','message_id':'m1','target':'t','tool':'x','executed_at':1,"
                 "'result_ok':1}"),
        expected);
    cr_expect_eq(sh_write(&s, CK_SESSIONS,
                          "{'id':'s1','platform':'p','started_at':1,'last_activity_at':1,"
                          "'message_count':1,'execution_count':1}"),
                 expected);
    by_hand("DELETE FROM messages; DELETE FROM executions; DELETE FROM sessions;"
            "DELETE FROM conversation_links; DELETE FROM renewal_jobs;"
            "DELETE FROM local_conversations");
    if (again == 1) reopen();
  }
}
