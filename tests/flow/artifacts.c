/* The readable files: a pair for each message, execution and session, or for each conversation,
 * made again when they are lost. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

static void import_some(int n) {
  struct ck_buf b = {0};
  for (int i = 0; i < n; i++)
    ck_buf_printf(&b,
                  "{\"platform\":\"x\",\"text\":\"text number %d\\nsecond line\","
                  "\"message_id\":\"m%d\",\"role\":\"user\",\"conversation_id\":\"c%d\","
                  "\"observed_at\":%d,"
                  "\"execution\":{\"instruction_id\":\"e%d\",\"target\":\"shell\",\"tool\":\"ls\","
                  "\"result_ok\":1,\"result\":\"out %d\",\"executed_at\":%d}}\n",
                  i, i, i % 25, 1700000000 + i, i, i, 1700000000 + i);
  t_write_file("../out/some", b.data, b.len);
  ck_buf_free(&b);
  t_do_in(0, "../out/some", "import", "-");
}

T_STORY(artifacts, a_pair_for_each, 60) {
  t_set("artifacts.form", "records");
  t_up();
  import_some(100);
  t_whole(20000);
  char *latest = t_read_file("artifacts/session/latest.json", NULL);
  json_t *json = json_loads(latest, 0, NULL);
  T_CHECK(json != NULL, "latest.json is not JSON: %.300s", latest);
  json_t *sessions = json_is_array(json) ? json : json_object_get(json, "sessions");
  T_CHECK(json_array_size(sessions) == 20, "latest.json lists %zu sessions, not the 20 last active",
          json_array_size(sessions));
  char *first = json_dumps(json_array_get(sessions, 0), 0);
  T_CHECK(strstr(first, "x:c24@") && strstr(first, "m99"),
          "latest.json does not begin with the newest session and its newest message: %.300s",
          first);
  free(first), free(latest);
  json_decref(json);
  char *text = t_read_file("artifacts/session/latest.txt", NULL);
  T_CHECK(text && strstr(text, "text number 99"), "latest.txt does not show the newest message");
  free(text);
}

T_STORY(artifacts, they_follow_a_change, 60) {
  t_set("artifacts.form", "records");
  t_up();
  import_some(3);
  t_whole(10000);
  t_import_lines(0, "{'platform': 'x', 'text': 'grown', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c1', 'observed_at': 1800000000}\n");
  t_whole(10000);
}

T_STORY(artifacts, resumed_after_a_kill, 90) {
  t_set("artifacts.form", "records");
  struct t_process *store = t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  char row[256];
  for (int i = 0; i < 5000; i++) {
    snprintf(row, sizeof row,
             "{'id': 'm%d', 'platform': 'x', 'role': 'user',"
             " 'raw_text': 'text %d', 'observed_at': %d}",
             i, i, i);
    t_put(p, "messages", row);
    if (i % 500 == 499) t_commit(p);
    if (i == 2999) {
      t_talk_forget();
      t_kill("store", SIGKILL);
      t_wait_end(store, 10000);
      store = t_daemon("store", NULL);
      p = t_producer("test");
    }
  }
  t_talk_forget();
  t_kill("store", SIGKILL);
  t_wait_end(store, 10000);
  t_daemon("store", NULL);
  T_UNTIL(30000, t_status_int("artifacts.cursor", -1) == t_status_int("version", -2),
          "the artifacts are not done after 30 s");
  t_check_artifacts("artifact.db");
}

static void remove_one(const char *path, void *self) {
  (void)self;
  unlink(path);
}

static void cut_one(const char *path, void *self) {
  int *n = self;
  if (++*n % 3 == 0) T_CHECK(truncate(path, 3) == 0, "cannot cut %s", path);
}

/* Deleted files are made again from the database. */
T_STORY(artifacts, made_again_when_deleted, 60) {
  t_set("artifacts.form", "records");
  t_up();
  import_some(30);
  t_whole(10000);
  t_down();
  t_walk("artifacts", remove_one, NULL);
  T_CHECK(t_walk("artifacts", NULL, NULL) == 0, "the test did not remove the artifacts");
  t_up();
  t_whole(20000);
}

/* Damaged files, and the cursor deleted, as docs/artifacts.md says: all files are made again. */
T_STORY(artifacts, made_again_when_cut, 60) {
  t_set("artifacts.form", "records");
  t_up();
  import_some(30);
  t_whole(10000);
  t_down();
  int n = 0;
  t_walk("artifacts/msg", cut_one, &n);
  T_CHECK(unlink("artifacts/.cursor") == 0, "there is no artifacts/.cursor");
  t_up();
  t_whole(20000);
}

/* Neither an id nor a given path leads out of the folder. */
T_STORY(artifacts, no_way_out_of_the_folder, 60) {
  t_set("artifacts.form", "records");
  t_up();
  struct t_producer *p = t_producer("test");
#define REST "'platform': 'x', 'role': 'user', 'raw_text': 'hi', 'observed_at': 1000"
  t_refused(p, "static_path", "messages",
            "{'id': 'evil', " REST ", 'static_path': '../../evil.txt'}");
  t_refused(p, "static_path", "messages",
            "{'id': 'evil', " REST ", 'static_path': '/tmp/evil.txt'}");
  t_refused(p, "static_path", "messages",
            "{'id': 'evil', " REST ", 'static_path': 'msg/../../evil.txt'}");
  t_refused(p, "static_path", "messages",
            "{'id': 'evil', " REST ", 'static_path': 'exec/evil.txt'}");
  t_taken(p, 'n', "messages", "{'id': '../../../evil', " REST "}");
  t_taken(p, 'n', "messages", "{'id': 'a/b\\\\c:d*e', " REST "}");
  t_taken(p, 'n', "messages", "{'id': '.', " REST "}");
  struct ck_buf b = {0};
  ck_buf_text(&b, "{'id': '");
  for (int i = 0; i < 1000; i++) ck_buf_text(&b, "é");
  ck_buf_text(&b, "', " REST "}");
  t_put(p, "messages", ck_buf_cstr(&b));
  T_CHECK(t_commit(p) == 'n', "a long id: %s", t_refusal(p));
  ck_buf_free(&b);
  t_settle(10000);
  T_CHECK(t_walk("artifacts/msg", NULL, NULL) == 8, "%d files for 4 messages",
          t_walk("artifacts/msg", NULL, NULL));
  T_CHECK(!t_exists("evil.txt") && !t_exists("../evil.txt") && !t_exists("/tmp/evil.txt"),
          "a file was written outside");
}

/* A path that another record could have too is refused: each record has its own files. */
T_STORY(artifacts, each_record_has_its_own_files, 60) {
  t_set("artifacts.form", "records");
  t_up();
  struct t_producer *p = t_producer("test");
  t_refused(p, "named as the id", "messages",
            "{'id': 'm1', " REST ", 'static_path': 'msg/day.txt'}");
  t_taken(p, 'n', "messages", "{'id': 'm1', " REST ", 'static_path': 'msg/day/m1.txt'}");
  t_refused(p, "named as the id", "messages",
            "{'id': 'm2', " REST ", 'static_path': 'msg/day/m1.txt'}");
  t_taken(p, 'n', "messages", "{'id': 'm2', " REST ", 'static_path': 'msg/day/m2'}");
  t_settle(10000);
  T_CHECK(t_exists("artifacts/msg/day/m1.txt") && t_exists("artifacts/msg/day/m2.json"),
          "the files are not at the paths that were given");
}
