/* The ring starts, restarts a daemon that dies, and stops without leaving anything. */
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

static const char *const parts[] = {"store", "ingest", "renewd", "webd", "syncd"};
#define PARTS (sizeof parts / sizeof *parts)

static int shown(void) {
  json_t *status = t_status(2000);
  T_CHECK(status != NULL, "the ring said ready and the store does not answer");
  int n = 0;
  for (size_t i = 0; i < PARTS; i++) {
    json_t *entry = t_daemon_entry(status, parts[i], 0);
    if (entry == NULL) continue;
    T_CHECK(t_int_at(entry, "pid", 0) == t_pid(parts[i]),
            "the status gives another pid for %s than run/", parts[i]);
    T_CHECK(t_int_at(entry, "up_since", 0) > ck_now_ms() - 120000, "%s is up since another day",
            parts[i]);
    n++;
  }
  json_decref(status);
  return n;
}

/* Each daemon reports at its start; the report is on its way when the daemon is ready. */
static void check_all_there(void) {
  T_UNTIL(20000, shown() == (int)PARTS, "all are ready, and %d show in the status", shown());
}

static int go_and_look(int sig) {
  int64_t begin = ck_boot_ms();
  t_talk_forget();
  t_signal(t_up_process(), sig);
  int code = t_wait_end(t_up_process(), 5500);
  T_CHECK(ck_boot_ms() - begin < 5000 * T_SLOWER, "the end took %d ms",
          (int)(ck_boot_ms() - begin));
  t_check_left();
  return code;
}

T_STORY(ring_up, ready_then_gone, 60) {
  int best = 1 << 30;
  for (int i = 0; i < 3; i++) {
    int ms = t_up();
    if (ms < best) best = ms;
    check_all_there();
    int code = go_and_look(i == 1 ? SIGTERM : SIGINT);
    T_CHECK(code == 0, "`up` ended with %d when it was asked to end", code);
  }
  t_note("ready after %d ms", best);
  T_CHECK(best < 1000 * T_SLOWER, "the quickest of three starts took %d ms", best);
  for (size_t i = 0; i < PARTS; i++)
    T_CHECK(t_pid(parts[i]) == 0, "run/%s.pid still names somebody", parts[i]);
  t_check_database("artifact.db");
}

T_STORY(ring_up, what_dies_comes_back, 60) {
  t_up();
  for (size_t i = 0; i < PARTS; i++) {
    pid_t old = t_kill(parts[i], SIGKILL);
    t_wait_other(parts[i], old, 20000);
  }
  t_import_lines(0, "{'platform': 'chatgpt', 'conversation_id': 'c1', 'message_id': 'm1', "
                    "'role': 'user', 'text': 'after all of it', 'observed_at': 1700000000000}\n");
  t_whole(10000);
  T_CHECK(t_count("messages") == 1, "the ring that got up again took nothing");
}

/* How many lines of `up` have these words. */
static int complaints(const char *part) {
  int n = 0;
  char *said = t_read_file(t_up_process()->err, NULL);
  for (const char *at = said; at && (at = strstr(at, part)); ++at) ++n;
  free(said);
  return n;
}

/* Kills renewd as soon as it runs, and waits until `up` has said when it will restart it. */
static void kill_renewd(int restart_in_ms) {
  char said[64];
  T_UNTIL(12000, t_pid("renewd") != 0, "renewd does not come back");
  pid_t old = t_kill("renewd", SIGKILL);
  snprintf(said, sizeof said, "signal=9 restart_in_ms=%d\n", restart_in_ms);
  T_UNTIL(20000, t_complained(t_up_process(), said), "`up` does not say \"%s\"", said);
  T_UNTIL(12000, t_pid("renewd") != 0 && t_pid("renewd") != old, "renewd does not come back");
}

/* A daemon that keeps dying is restarted after longer and longer waits; 10 s of life resets
 * that. */
T_STORY(ring_up, the_delay_doubles_and_falls_back, 90) {
  t_up();
  for (int ms = 100; ms <= 400; ms *= 2) kill_renewd(ms);
  int64_t started = ck_boot_ms();
  T_UNTIL(12000, ck_boot_ms() - started > 10500, "time stands still");
  t_kill("renewd", SIGKILL);
  T_UNTIL(20000, complaints("signal=9 restart_in_ms=") == 4, "`up` is silent about a death");
  T_CHECK(complaints("signal=9 restart_in_ms=100\n") == 2,
          "after 10 s of life the delay is not 100 ms again");
}

/* No command starts a store of its own while `up` is about to start one. `up` is stopped here, so
 * that the moment lasts. */
T_STORY(ring_up, a_store_that_is_restarted_is_waited_for, 60) {
  t_up();
  t_signal(t_up_process(), SIGSTOP);
  t_talk_forget();
  pid_t old = t_kill("store", SIGKILL);
  struct t_result r = t_convkeep("status");
  T_CHECK(r.code == 3 && strstr(r.err, "convkeep up") && strstr(r.err, "kill -CONT"),
          "status ended with %d: %s%s", r.code, r.out, r.err);
  t_result_free(&r);
  t_signal(t_up_process(), SIGCONT);
  r = t_convkeep("status");
  T_CHECK(r.code == 0 && !strstr(r.out, "not running"), "status ended with %d: %s%s", r.code, r.out,
          r.err);
  t_result_free(&r);
  t_wait_other("store", old, 20000);
}

T_STORY(ring_up, all_die_and_up_again, 60) {
  t_up();
  t_import_lines(0, "{'platform': 'chatgpt', 'conversation_id': 'c1', 'message_id': 'm1', "
                    "'role': 'user', 'text': 'before', 'observed_at': 1700000000000}\n");
  t_talk_forget();
  for (size_t i = 0; i < PARTS; i++) t_kill(parts[i], SIGSTOP);
  t_signal(t_up_process(), SIGKILL);
  t_wait_end(t_up_process(), 20000);
  pid_t here[8];
  T_UNTIL(20000, t_processes_here(here, 8) == 0, "parts of the ring outlive `up`");
  t_up();
  t_import_lines(0, "{'platform': 'chatgpt', 'conversation_id': 'c1', 'message_id': 'm2', "
                    "'role': 'user', 'text': 'after', 'observed_at': 1700000001000}\n");
  t_whole(10000);
  T_CHECK(t_count("messages") == 2, "a message is missing");
}

/* Binding an ipc door a second time would succeed and cut off the first: the second ring has to
 * notice the first one before it binds. */
T_STORY(ring_up, a_second_ring_harms_nobody, 60) {
  t_up();
  pid_t store = t_pid("store");
  const char *const more[] = {NULL};
  struct t_process *second = t_daemon_try("store", more);
  T_CHECK(t_wait_end(second, 10000) == 4,
          "a second store on the same folder was not refused with 4");
  struct t_result r = t_convkeep("up");
  T_CHECK(r.code == 1, "a second `up` on the same folder ended with %d", r.code);
  T_CHECK(r.err[0] != 0, "a second `up` says nothing about why");
  t_result_free(&r);
  T_CHECK(t_pid("store") == store, "the first ring's store is another one now");
  t_import_lines(0, "{'platform': 'chatgpt', 'conversation_id': 'c1', 'message_id': 'm1', "
                    "'role': 'user', 'text': 'still here', 'observed_at': 1700000000000}\n");
  t_whole(10000);
}

/* libzmq's bind takes over a socket on which somebody listens. Another folder's door is left alone,
 * by a daemon, by an import that starts its own ring, and by the sweep of either. */
T_STORY(ring_up, another_folders_door_is_not_taken, 60) {
  char door[512];
  snprintf(door, sizeof door, "door.observe=ipc://%s/data/run/observe", t_folder());
  t_up();
  T_CHECK(t_exists("run/observe"), "there is no door at run/observe");
  t_write_text("../out/line", "{\"platform\": \"x\", \"text\": \"a\", \"role\": \"user\"}\n");
  for (int i = 0; i < 2; i++) {
    struct t_result r = t_convkeep("--data", "../second", "--set", door, "import", "../out/line");
    T_CHECK(r.code != 0 && strstr(r.err, "another process listens there"),
            "an import over another folder's door ended with %d: %s", r.code, r.err);
    t_result_free(&r);
    T_CHECK(t_exists("run/observe"), "the first folder's door is gone");
  }
  t_import_lines(0, "{'platform': 'x', 'text': 'still here', 'role': 'user', 'message_id': 'm', "
                    "'observed_at': 1}\n");
  T_CHECK(t_count("messages") == 1, "the first ring took no message");
  pid_t ingest = t_kill("ingest", SIGKILL);
  t_wait_other("ingest", ingest, 10000);
  t_whole(10000);
}

T_STORY(ring_up, once_ends_by_itself, 60) {
  t_import_lines(0, "{'platform': 'chatgpt', 'conversation_id': 'c1', 'message_id': 'm1', "
                    "'role': 'user', 'text': 'offline', 'observed_at': 1700000000000}\n");
  T_CHECK(t_count("messages") == 1, "an import without a ring keeps nothing");
  struct t_result r = t_convkeep("up", "--once");
  T_CHECK(r.code == 0, "`up --once` ended with %d: %s", r.code, r.err);
  t_result_free(&r);
  t_check_database("artifact.db");
  t_check_mirror("artifact.db", "mirror.db");
  t_check_artifacts("artifact.db");
}

/* It waits until a turn has settled, but not for a target, which only a person can give. */
T_STORY(ring_up, once_waits_for_what_ends_by_itself, 60) {
  t_set("renew.delay", "4s");
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'c', 'role': 'user', 'text': 'Hi'}\n");
  t_do(0, "set", "x:c", "--automation", "auto");
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': 'c', 'message_id': 'm', "
                 "'role': 'assistant', 'text': 'Shall I?', 'observed_at': %lld}\n",
                 (long long)ck_now_ms());
  for (int i = 0; i < 2; i++) {
    int64_t begin = ck_boot_ms();
    t_do(0, "up", "--once");
    T_CHECK(t_count("renewal_jobs") == 1, "no job was made");
    T_CHECK(ck_boot_ms() - begin < 30000, "`up --once` waited for a target");
  }
}

/* A mirror that cannot be reached: after a minute without progress it ends, and says what is left.
 */
T_STORY(ring_up, once_does_not_wait_for_ever, 120) {
  t_import_lines(0, "{'platform': 'chatgpt', 'conversation_id': 'c1', 'message_id': 'm1', "
                    "'role': 'user', 'text': 'offline', 'observed_at': 1700000000000}\n");
  t_set("sync.sinks", "d1");
  t_set("d1.account", "a");
  t_set("d1.database", "d");
  t_set("d1.token", "secret");
  t_set("d1.endpoint", "http://127.0.0.1:9");
  int64_t begin = ck_boot_ms();
  char program[512];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  const char *argv[] = {program, "up", "--once", NULL};
  struct t_result r = t_run("once", NULL, 100000, argv);
  T_CHECK(r.code == 1 &&
              strstr(r.err, "nothing has moved for 60 s: 4 records are not mirrored in d1 ("),
          "`up --once` ended with %d: %s", r.code, r.err);
  T_CHECK(ck_boot_ms() - begin > 60000, "it ended after %d ms", (int)(ck_boot_ms() - begin));
  t_result_free(&r);
}

/* An unknown setting prevents the start; the error has file and line. */
T_STORY(ring_up, an_unknown_setting_stops_it, 30) {
  t_write_text("convkeep.conf", "renew.max_atempts = \"3\"\n");
  struct t_result r = t_convkeep("up");
  T_CHECK(r.code != 0, "`up` started with an unknown setting");
  T_CHECK(strstr(r.err, "convkeep.conf") && strstr(r.err, "1") && strstr(r.err, "max_atempts"),
          "the error does not name file, line and setting: %s", r.err);
  t_result_free(&r);
  t_write_text("convkeep.conf", "\nrenew.max_attempts = \"many\"\n");
  r = t_convkeep("config", "--check");
  T_CHECK(r.code != 0 && strstr(r.err, "convkeep.conf") && strstr(r.err, "2"),
          "`config --check` ended with %d: %s", r.code, r.err);
  t_result_free(&r);
}

/* As in a container: no settings file, and each daemon started by itself. */
T_STORY(ring_up, a_clean_stop_logs_no_error, 60) {
  struct t_process *daemons[PARTS];
  for (size_t i = 0; i < PARTS; i++) daemons[i] = t_daemon(parts[i], NULL);
  T_CHECK(!t_exists("convkeep.conf"), "there is a settings file");
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'role': 'user', 'observed_at': 1}\n");
  t_settle(10000);
  t_down();
  for (size_t i = 0; i < PARTS; i++) {
    T_CHECK(!t_complained(daemons[i], " error "), "%s logs an error", parts[i]);
    T_CHECK(t_complained(daemons[i], "stopping"), "%s does not log its stop", parts[i]);
  }
}
