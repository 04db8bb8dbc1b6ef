/* The index of the search is made again whatever happens to it: the store is killed, the file is
 * deleted, damaged, another store's; and doctor says what is wrong with it. */
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

static void import_some(int from, int n) {
  struct ck_buf b = {0};
  for (int i = from; i < from + n; i++)
    ck_buf_printf(&b,
                  "{\"platform\":\"x\",\"text\":\"the word number w%d\",\"message_id\":\"m%d\","
                  "\"role\":\"user\",\"conversation_id\":\"c%d\",\"observed_at\":%d}\n",
                  i, i, i % 25, 1700000000 + i);
  t_write_file("../out/some", b.data, b.len);
  ck_buf_free(&b);
  t_do_in(0, "../out/some", "import", "-");
}

static void is_indexed(int ms) {
  T_UNTIL(ms, t_status_int("search.behind", -1) == 0, "the index is %lld versions behind",
          (long long)t_status_int("search.behind", -1));
}

#define ENTRIES "SELECT count(*) FROM entries WHERE role NOTNULL"

static void has(long long messages) {
  is_indexed(20000);
  T_CHECK(t_sql_int("search.db", ENTRIES) == messages, "%lld messages in the index, not %lld",
          (long long)t_sql_int("search.db", ENTRIES), messages);
}

T_STORY(search_index, follows_an_import, 120) {
  t_up();
  import_some(0, 10000);
  has(10000);
  t_doctor_finds(0, "search", "ok", "10000 messages and 25 titles can be found");
}

T_STORY(search_index, goes_on_after_kills, 120) {
  t_up();
  for (int i = 0; i < 5; i++) {
    import_some(i * 1000, 1000);
    t_wait_other("store", t_kill("store", SIGKILL), 10000);
  }
  has(5000);
  t_doctor_finds(0, "search", "ok", "5000 messages");
}

T_STORY(search_index, is_made_again_when_it_is_gone, 120) {
  t_up();
  import_some(0, 500);
  has(500);
  T_CHECK(unlink("search.db") == 0, "search.db is not there");
  T_UNTIL(10000, t_exists("search.db"), "search.db is not made again");
  has(500);
  t_down();
  T_CHECK(unlink("search.db") == 0, "search.db is left");
  t_up();
  has(500);
}

/* A plain program's change would have the index made again. */
static void spoil(const char *sql, const char *part) {
  t_down();
  t_sql_run_sealed("search.db", sql);
  t_up();
  is_indexed(20000);
  t_doctor_finds(1, "search", "wrong", part);
  json_decref(t_lines(0, "rebuild", "search"));
  t_doctor_finds(0, "search", "ok", "300 messages");
}

T_STORY(search_index, doctor_finds_what_is_wrong, 120) {
  t_up();
  import_some(0, 300);
  has(300);
  spoil("DELETE FROM entries WHERE entry = 7", "1 record is not in the index");
  spoil("UPDATE words0_data SET block = zeroblob(length(block)) WHERE id > 10", "");
}

T_STORY(search_index, of_no_use_is_replaced_at_the_start, 120) {
  t_up();
  import_some(0, 300);
  has(300);
  t_down();
  t_write_text("search.db", "this is no database, and was never one; it only has its name");
  t_up();
  has(300);
  t_down();
  t_sql_run("search.db", "UPDATE search_state SET store_id = 'of another'");
  t_up();
  has(300);
  t_down();
  t_sql_run("search.db", "PRAGMA user_version = 99");
  t_up();
  has(300);
}

/* A backup does not have it, and a restored database is another store's. */
T_STORY(search_index, comes_again_after_a_restore, 120) {
  t_up();
  import_some(0, 300);
  has(300);
  t_do(0, "backup", "../out/copy.db");
  T_CHECK(!t_exists("../out/search.db"), "the index is in the backup");
  import_some(300, 100);
  has(400);
  t_down();
  t_do(0, "restore", "../out/copy.db");
  t_up();
  has(300);
  t_doctor_finds(0, "search", "ok", "300 messages");
}
