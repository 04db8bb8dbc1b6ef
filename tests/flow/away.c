/* The store is away and the rest of the ring is there: what is imported meanwhile is kept, and the
 * command line says truly what runs and what does not. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define LINES "../out/away.jsonl"

/* Writes n lines, each a message of its own: m0, m1, … */
static void write_lines(int n) {
  struct ck_buf b = {0};
  for (int i = 0; i < n; i++)
    ck_buf_printf(&b,
                  "{\"platform\": \"x\", \"text\": \"while away\", \"role\": \"user\", "
                  "\"message_id\": \"m%d\", \"conversation_id\": \"c\", \"observed_at\": %d}\n",
                  i, i + 1);
  t_write_file(LINES, b.data, b.len);
  ck_buf_free(&b);
}

/* Adds an execution of a message that nobody knows, which only the store can refuse, and a line
 * that ingest refuses. */
static void add_bad_lines(void) {
  size_t n;
  char *text = t_read_file(LINES, &n);
  struct ck_buf b = {0};
  ck_buf_printf(&b,
                "%s{\"platform\":\"x\",\"message_id\":\"nobody\",\"observed_at\":1,"
                "\"execution\":{\"instruction_id\":\"e1\",\"target\":\"t\",\"tool\":\"u\","
                "\"result_ok\":true}}\nno line of JSON\n",
                text);
  t_write_file(LINES, b.data, b.len);
  ck_buf_free(&b);
  free(text);
}

/* The command's result; its output must contain `says`. */
static void check_says(int code, const char *says, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code == code && strstr(r.out, says), "%s ended with %d, without \"%s\": %s%s", words[0],
          r.code, says, r.out, r.err);
  T_CHECK(!strstr(r.err, "--data"), "%s sends to another folder: %s", words[0], r.err);
  t_result_free(&r);
}
#define check_call(code, says, ...) check_says(code, says, (const char *const[]){__VA_ARGS__, NULL})

/* store and ingest run without `up`, then the store is killed, and nobody starts it again. */
static struct t_process *lose_store(void) {
  struct t_process *store = t_daemon("store", NULL), *ingest = t_daemon("ingest", NULL);
  t_import_lines(0, "{'platform': 'x', 'text': 'before', 'role': 'user', 'message_id': 'before', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  t_talk_forget();
  t_kill("store", SIGKILL);
  t_wait_end(store, 20000);
  return ingest;
}

/* What is taken while the store is away survives kill -9 of ingest, and is stored later. */
T_STORY(away, an_import_goes_into_the_spool, 90) {
  struct t_process *ingest = lose_store();
  write_lines(20);
  check_call(0, "20 taken, waiting for the store", "import", LINES);
  t_signal(ingest, SIGKILL);
  t_wait_end(ingest, 20000);
  T_CHECK(t_count("messages") == 1, "the store is away, and %lld messages are stored",
          (long long)t_count("messages"));
  t_up();
  t_whole(20000);
  T_CHECK(t_count("messages") == 21, "%lld of 21 messages", (long long)t_count("messages"));
  t_import_counts(LINES, 0, 0, 20, 0);
}

/* Whatever cannot go in is told at once or, by the store, later. */
T_STORY(away, what_is_refused_is_told, 90) {
  lose_store();
  write_lines(3);
  add_bad_lines();
  json_t *lines = t_lines(1, "import", LINES);
  T_CHECK(t_int_at(lines, "0.waiting", -1) == 4 && t_int_at(lines, "0.failed", -1) == 1 &&
              t_int_at(lines, "0.new", -1) == 0 && t_text_at(lines, "0.failures.0.reason"),
          "3 lines and an execution wait, and a line is refused: %s", json_dumps(lines, 0));
  json_decref(lines);
  t_daemon("store", NULL);
  T_UNTIL(20000, t_count("messages") == 4, "%lld of 4 messages", (long long)t_count("messages"));
  T_UNTIL(10000, t_status_int("spool.pending", -1) == 0, "the spool does not become empty");
  check_call(0, "1 changeset by the store", "status");
  check_call(0, "nobody", "list", "refusals");
  char *kept = t_read_file("spool/refused.jsonl", NULL);
  T_CHECK(kept && strstr(kept, "execution e1") && strstr(kept, "no line of JSON"),
          "spool/refused.jsonl: %s", kept ? kept : "is not there");
  free(kept);
}

/* ingest.backlog paces an import by the receipts. Without a store there are none, and all of the
 * file is taken. With --wait, import waits for each receipt. */
T_STORY(away, more_than_the_backlog, 90) {
  t_set("ingest.backlog", "64");
  lose_store();
  write_lines(5000);
  const char *argv[] = {NULL, "import", "--wait", LINES, NULL};
  char program[512];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  argv[0] = program;
  struct t_process *patient = t_start("patient", NULL, false, argv);
  check_call(0, "5000 taken, waiting for the store", "import", LINES);
  T_CHECK(!t_ended(patient), "import --wait did not wait");
  t_daemon("store", NULL);
  T_CHECK(t_wait_end(patient, 60000) == 0, "import --wait failed");
  T_CHECK(t_said(patient, "new, ") && !t_said(patient, "waiting"), "import --wait: no counts");
  T_UNTIL(60000, t_count("messages") == 5001, "%lld of 5001", (long long)t_count("messages"));
}

/* The store goes away in the middle: what has a receipt is counted, the rest waits. */
T_STORY(away, in_the_middle_of_an_import, 90) {
  struct t_process *store = t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  T_CHECK(mkfifo("../out/pipe", 0600) == 0, "no pipe");
  char program[512];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  const char *argv[] = {program, "import", "-", NULL};
  int fd = open("../out/pipe", O_RDWR | O_CLOEXEC);
  struct t_process *import = t_start("import", "../out/pipe", false, argv);
  static const char line[] = "{\"platform\": \"x\", \"text\": \"t\", \"role\": \"user\", "
                             "\"message_id\": \"%c\", \"conversation_id\": \"c\", "
                             "\"observed_at\": 1}\n";
  dprintf(fd, line, 'a');
  T_UNTIL(10000, t_exists("artifact.db") && t_count("messages") == 1, "a line is not stored");
  T_UNTIL(10000, t_status_int("spool.pending", -1) == 0, "the line has no receipt");
  t_talk_forget();
  t_kill("store", SIGKILL);
  t_wait_end(store, 20000);
  dprintf(fd, line, 'b');
  dprintf(fd, line, 'c');
  close(fd);
  T_CHECK(t_wait_end(import, 30000) == 0, "the import failed");
  T_CHECK(t_said(import, "2 taken, waiting for the store; 1 new, 0 updated, 0 unchanged, 0 failed"),
          "the import does not say what was stored and what waits");
  t_daemon("store", NULL);
  T_UNTIL(20000, t_count("messages") == 3, "%lld of 3 messages", (long long)t_count("messages"));
}

/* Without any daemon, import brings its own. */
T_STORY(away, neither_store_nor_ingest, 60) {
  struct t_process *ingest = lose_store();
  t_signal(ingest, SIGKILL);
  t_wait_end(ingest, 20000);
  write_lines(5);
  check_call(0, "5 new, 0 updated, 0 unchanged, 0 failed", "import", LINES);
}

/* ---- what status says ---- */

static void check_status(int code, const char *one, const char *other, const char *never) {
  struct t_result r = t_convkeep("status");
  T_CHECK(r.code == code && strstr(r.out, one) && strstr(r.out, other) && !strstr(r.out, never),
          "status ended with %d: it should say \"%s\" and \"%s\", not \"%s\":\n%s%s", r.code, one,
          other, never, r.out, r.err);
  T_CHECK(code == 0 || (strchr(r.err, '\n') == r.err + strlen(r.err) - 1),
          "the error is not one line: %s", r.err);
  t_result_free(&r);
}

static bool state_is(const char *path, const char *state) {
  struct t_result r = t_convkeep("status", "--json");
  t_write_text("../out/status.jsonl", r.out);
  t_result_free(&r);
  json_t *lines = t_read_lines("../out/status.jsonl");
  const char *is = t_text_at(lines, path);
  bool yes = is && strcmp(is, state) == 0;
  json_decref(lines);
  return yes;
}

/* Without `up`, nobody starts the store again; status starts none either, and says what waits. */
T_STORY(away, status_of_a_ring_without_its_store, 60) {
  lose_store();
  write_lines(7);
  check_call(0, "7 taken, waiting for the store", "import", LINES);
  check_status(3, "not running; start it as the others were started",
               "8 changesets wait for the store", "convkeep up starts it");
  T_CHECK(state_is("0.ring.store.state", "stopped") && state_is("0.ring.ingest.state", "running") &&
              state_is("0.ring.up.state", "stopped"),
          "status --json says otherwise");
  T_CHECK(t_pid("store") == 0, "status has started a store");
  t_daemon("store", NULL); /* which takes the killed one's doors away when it ends */
}

/* `up` and ingest run, and the store cannot be started: something else has its lock. */
T_STORY(away, status_of_a_store_that_cannot_start, 90) {
  t_up();
  t_talk_forget();
  t_signal(t_up_process(), SIGSTOP);
  t_kill("store", SIGKILL);
  T_UNTIL(20000, t_pid("store") == 0 || state_is("0.ring.up.state", "still"), "the store lives");
  struct t_process *other = t_daemon("store", NULL);
  t_signal(other, SIGSTOP);
  t_signal(t_up_process(), SIGCONT);
  T_UNTIL(10000,
          t_complained(t_up_process(), "other_runs") || state_is("0.ring.store.state", "still"),
          "`up` has not tried");
  check_status(3, "a signal has stopped it", "ingest", "not running here");
  write_lines(3);
  check_call(0, "3 taken, waiting for the store", "import", LINES);
  t_signal(other, SIGCONT);
  T_UNTIL(10000, t_count("messages") == 3, "%lld of 3 messages", (long long)t_count("messages"));
}

/* A daemon that stands still has a process; it is not being restarted, and status says what to do.
 */
T_STORY(away, status_of_daemons_that_stand_still, 120) {
  t_up();
  t_talk_forget();
  static const char *const parts[] = {"ingest", "renewd", "syncd", "store"};
  for (size_t i = 0; i < 4; i++) {
    char path[64], remedy[64];
    pid_t pid = t_kill(parts[i], SIGSTOP);
    bool is_syncd = strcmp(parts[i], "syncd") == 0;
    snprintf(path, sizeof path, "0.ring.%s%s.state", parts[i], is_syncd ? ".sqlite" : "");
    snprintf(remedy, sizeof remedy, "kill -CONT %d", (int)pid);
    T_CHECK(state_is(path, "still"), "%s is stopped, and status does not know", parts[i]);
    check_status(strcmp(parts[i], "store") == 0 ? 3 : 0, remedy, "stands still", "restarted");
    kill(pid, SIGCONT);
    T_UNTIL(10000, state_is(path, "running"), "%s goes on, and status does not know", parts[i]);
  }
}

/* As long as `up` itself is stopped, it restarts nothing. */
T_STORY(away, status_of_an_up_that_stands_still, 60) {
  t_up();
  t_signal(t_up_process(), SIGSTOP);
  pid_t old = t_kill("renewd", SIGKILL);
  T_UNTIL(10000,
          state_is("0.ring.renewd.state", "restarting") && state_is("0.ring.up.state", "still"),
          "renewd is gone and `up` is stopped, and status does not know");
  check_status(0, "so it is not restarted: kill -CONT", "stands still and restarts nothing",
               "pid 0");
  t_signal(t_up_process(), SIGCONT);
  t_wait_other("renewd", old, 10000);
  T_UNTIL(20000, state_is("0.ring.renewd.state", "running"), "renewd does not run");
}

/* When a daemon keeps failing, status says how often, why, and when it is started again. */
T_STORY(away, status_of_a_daemon_that_keeps_failing, 60) {
  t_write_text("../out/other.conf", "");
  t_up();
  t_write_text("convkeep.conf", "no.such.setting = \"1\"\n");
  t_kill("ingest", SIGKILL);
  T_UNTIL(20000, t_complained(t_up_process(), "restart_in_ms=3200"), "`up` gave up");
  struct t_result r = t_convkeep("--config", "../out/other.conf", "status");
  T_CHECK(r.code == 0 && strstr(r.out, "failed 6 times: it ended with 2, see logs/ingest.log") &&
              strstr(r.out, "it is being restarted by convkeep up, in "),
          "status ended with %d: %s%s", r.code, r.out, r.err);
  t_result_free(&r);
}

/* The note of an `up` that was killed with -9 is not believed. */
T_STORY(away, status_after_up_was_killed, 60) {
  t_up();
  t_talk_forget();
  t_signal(t_up_process(), SIGKILL);
  t_wait_end(t_up_process(), 20000);
  pid_t here[8];
  T_UNTIL(20000, t_processes_here(here, 8) == 0, "parts of the ring outlive `up`");
  T_CHECK(t_exists("run/up.json"), "there is no note to be mistaken about");
  check_status(0, "not running here; convkeep up starts it", "records", "restarted");
}

/* A clean stop is no error: not in the logs, and not in the status of the next start. */
T_STORY(away, a_clean_stop_is_no_trouble, 60) {
  for (int i = 0; i < 2; i++) {
    t_up();
    write_lines(50);
    t_do(0, "import", LINES);
    t_down();
  }
  static const char *const daemons[] = {"store", "ingest", "renewd", "syncd"};
  T_CHECK(unlink("convkeep.conf") == 0, "up has written no settings file");
  for (size_t i = 0; i < 4; i++) t_daemon(daemons[i], NULL);
  t_down();
  for (size_t i = 0; i < 4; i++) {
    char path[64];
    snprintf(path, sizeof path, "logs/%s.log", daemons[i]);
    char *log = t_read_file(path, NULL);
    T_CHECK(log && !strstr(log, " error ") && !strstr(log, " warn "), "%s:\n%s", path,
            log ? log : "is not there");
    free(log);
  }
  t_up();
  struct t_result r = t_convkeep("status");
  T_CHECK(!strstr(r.out, "error"), "after a clean stop: %s", r.out);
  t_result_free(&r);
}
