/* Follow-ups through the other channels: a command, nowhere. */
#include <signal.h>
#include <sys/stat.h>

#include "tests/flow/renewal_help.h"

static void script_file(const char *path, const char *text) {
  t_write_text(path, text);
  T_CHECK(chmod(path, 0700) == 0, "no chmod");
}

T_STORY(renewal, a_command, 60) {
  char conf[700];
  script_file("../out/take.sh", "#!/bin/sh\n"
                                "n=$(cat ../out/tries 2>/dev/null || echo 0)\n"
                                "echo $((n + 1)) >../out/tries\n"
                                "cat >>../out/taken\n"
                                "printf '%s\\n' \"$#:$1:$2\" >>../out/args\n"
                                "[ $n -gt 0 ] || exit 75\n"
                                "exit 0\n");
  snprintf(conf, sizeof conf,
           "renew.backoff = \"50ms\"\nrenew.exec.take = \"%s/out/take.sh one $(two)\"\n",
           t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  const char *target = "{'kind': 'exec', 'id': 'take'}";
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "done", 10000);
  json_t *lines = t_read_lines("../out/taken");
  T_CHECK(json_array_size(lines) == 2,
          "the command was given %zu lines, not one for each of two attempts",
          json_array_size(lines));
  T_CHECK(t_int_at(lines, "0.attempt", 0) == 1 && t_int_at(lines, "1.attempt", 0) == 2,
          "the attempts are not numbered");
  T_CHECK(t_text_at(lines, "0.payload") && strcmp(t_text_at(lines, "0.payload"), "continue") == 0,
          "the payload is another one");
  json_decref(lines);
  char *args = t_read_file("../out/args", NULL);
  T_CHECK(args && strncmp(args, "2:one:$(two)\n", 13) == 0,
          "the command's words went through a shell: %s", args);
  free(args);
  r_check_log("m1", (const char *const[]){"retry", "done"}, 2);
}

T_STORY(renewal, a_command_that_fails, 60) {
  char conf[400];
  script_file("../out/no.sh", "#!/bin/sh\necho no such thing >&2\nexit 3\n");
  snprintf(conf, sizeof conf, "renew.exec.no = \"%s/out/no.sh\"\n", t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  const char *target = "{'kind': 'exec', 'id': 'no'}";
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "failed", 10000);
  json_t *job = r_job_of("m1");
  T_CHECK(strstr(t_text_at(job, "last_error"), "3"), "the error does not name the exit code: %s",
          t_text_at(job, "last_error"));
  json_decref(job);
}

/* A target names a setting, never a program. */
T_STORY(renewal, a_command_that_no_setting_names, 60) {
  const char *target = "{'kind': 'exec', 'id': '/bin/touch ../out/run'}";
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "pending", 10000);
  t_pause(300);
  T_CHECK(r_has_status("m1", "pending") && !t_exists("../out/run"), "it was run");
}

T_STORY(renewal, to_nowhere, 60) {
  t_up();
  r_put_on_auto("{'kind': 'null'}");
  r_say("m1", "assistant", "{'kind': 'null'}");
  r_wait_status("m1", "done", 20000);
  r_check_log("m1", (const char *const[]){"done"}, 1);
}

/* A session of Claude Code goes on in its own folder and account, and says what came of it. */
T_STORY(renewal, a_command_with_placeholders, 60) {
  char conf[900];
  script_file("../out/claude.sh",
              "#!/bin/sh\n"
              "printf '%s|%s|%s|%s\\n' \"$*\" \"$(pwd -P)\" \"$CLAUDE_CONFIG_DIR\" \"$(cat)\""
              " >../out/said\n"
              "echo '{\"outcome\":\"done\",\"cost\":0.5,\"tokens\":12,\"text\":\"Done.\"}'\n"
              "exit 1\n");
  T_CHECK(mkdir("../work", 0700) == 0, "no folder");
  snprintf(conf, sizeof conf,
           "renew.exec.claude = \"%s/out/claude.sh --resume {session_id}\"\n"
           "renew.exec.claude.folder = {cwd}\nrenew.exec.claude.input = payload\n"
           "renew.exec.claude.env = \"CLAUDE_CONFIG_DIR={home}\"\n",
           t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  char target[700], expected[700];
  snprintf(target, sizeof target,
           "{'kind': 'exec', 'id': 'claude', 'payload': {'session_id': '5f0c', 'cwd': '%s/work',"
           " 'home': '/home/a b/.claude'}}",
           t_folder());
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "done", 10000);
  char *said = t_read_file("../out/said", NULL);
  snprintf(expected, sizeof expected, "--resume 5f0c|%s/work|/home/a b/.claude|continue\n",
           t_folder());
  T_CHECK(said && strcmp(said, expected) == 0, "it was run as %s", said ? said : "nothing");
  free(said);
  json_t *attempts = r_wait_attempts("m1", 1);
  T_CHECK(t_int_at(attempts, "0.tokens", 0) == 12 && t_int_at(attempts, "0.exit", 0) == 1 &&
              strcmp(t_text_at(attempts, "0.text"), "Done.") == 0,
          "the log does not have what it said");
  json_decref(attempts);
}

/* ---- ends that are not its own ---- */

/* A command that goes on until it is killed; ../out/pids then has its number and that of a process
 * which it has started. */
static void begin_long_command(void) {
  char conf[400];
  script_file("../out/long.sh", "#!/bin/sh\n"
                                "sleep 300 &\n"
                                "echo $$ $! >../out/pids.new\n"
                                "mv ../out/pids.new ../out/pids\n"
                                "cat >/dev/null\n"
                                "wait\n");
  snprintf(conf, sizeof conf, "renew.exec.long = \"%s/out/long.sh\"\nrenew.timeout = 10min\n",
           t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  const char *target = "{'kind': 'exec', 'id': 'long'}";
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_exists("../out/pids"), "the command was not run");
}

/* A process that has ended may still be waited for by the test's own, which inherits it. */
static bool is_gone(int pid) {
  char path[40];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  char *stat = t_read_file(path, NULL);
  bool gone = !stat || strstr(stat, ") Z ");
  free(stat);
  return gone;
}

/* The command's, and that of what it started. */
static void read_pids(int *one, int *two) {
  char *pids = t_read_file("../out/pids", NULL);
  T_CHECK(pids && sscanf(pids, "%d %d", one, two) == 2, "no pids: %s", pids ? pids : "nothing");
  free(pids);
}

static void wait_until_both_are_gone(void) {
  int one, two;
  read_pids(&one, &two);
  T_UNTIL(10000, is_gone(one) && is_gone(two), "the command, or what it started, goes on");
}

static void check_unknown(const char *error) {
  json_t *attempts = r_wait_attempts("m1", 1);
  T_CHECK(json_array_size(attempts) == 1 && t_text_at(attempts, "0.error") &&
              strstr(t_text_at(attempts, "0.error"), error),
          "%zu attempts, the last error: %s", json_array_size(attempts),
          t_text_at(attempts, "0.error"));
  T_CHECK(strcmp(t_text_at(attempts, "0.outcome"), "unknown") == 0, "it is not unknown");
  json_decref(attempts);
}

/* A planned stop writes the end of the attempt before it is over. */
T_STORY(renewal, a_stop_ends_a_command, 60) {
  begin_long_command();
  json_t *job = r_job_of("m1");
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(strstr(why.out, ": running, attempt 1 of 3\nunder way: its attempt began ") &&
              !strstr(why.out, "no attempt"),
          "while it runs, `why` says %s%s", why.out, why.err);
  t_result_free(&why);
  json_decref(job);
  t_down();
  wait_until_both_are_gone();
  t_up();
  check_unknown("renewd was stopped");
}

static size_t attempts_of(const char *message) {
  json_t *attempts = r_attempts(message);
  size_t n = json_array_size(attempts);
  json_decref(attempts);
  return n;
}

/* The launcher's number: it is renewd's only child. */
static pid_t launcher_of(pid_t renewd) {
  char path[80];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)renewd, (int)renewd);
  char *children = t_read_file(path, NULL);
  pid_t pid = children ? atoi(children) : 0;
  free(children);
  T_CHECK(pid > 0, "renewd has no child");
  return pid;
}

/* Without it renewd writes the ends down, ends, and is started again with another one. */
T_STORY(renewal, a_kill_of_the_launcher, 90) {
  begin_long_command();
  int one, two;
  pid_t renewd = t_pid("renewd");
  read_pids(&one, &two);
  kill(launcher_of(renewd), SIGKILL);
  t_wait_other("renewd", renewd, 20000);
  T_UNTIL(20000, attempts_of("m1") == 1, "its end was not written");
  check_unknown("the process that runs commands has ended");
  T_UNTIL(10000, is_gone(one), "the command goes on");
  kill(two, SIGKILL);
}

T_STORY(renewal, a_kill_of_renewd_ends_a_command, 90) {
  begin_long_command();
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  wait_until_both_are_gone();
  T_UNTIL(20000, attempts_of("m1") == 1, "its end was not written");
  check_unknown("renewd ended during the attempt");
}

/* ---- a job that is cancelled meanwhile ---- */

static void cancel(const char *message) {
  json_t *job = r_job_of(message);
  t_says(0, "is cancelled; its attempt is ended", "jobs", "cancel", t_text_at(job, "job_id"));
  json_decref(job);
  T_CHECK(r_has_status(message, "failed"), "it did not end");
  job = r_job_of(message);
  T_CHECK(strcmp(t_text_at(job, "last_error"), "cancelled by hand while an attempt was under way:"
                                               " it may have arrived") == 0,
          "last_error is %s", t_text_at(job, "last_error"));
  json_decref(job);
}

/* What the command has started ends, too; and it stays cancelled through kill -9. */
T_STORY(renewal, a_cancel_ends_a_command, 60) {
  begin_long_command();
  cancel("m1");
  wait_until_both_are_gone();
  T_UNTIL(20000, attempts_of("m1") == 1, "its end was not written");
  r_check_log("m1", (const char *const[]){"unknown"}, 1);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  T_CHECK(r_has_status("m1", "failed"), "it is not cancelled any more");
}

/* Its conversation is free at once. */
T_STORY(renewal, a_cancel_cuts_off_a_transfer, 60) {
  char target[160];
  t_set("renew.timeout", "50s");
  struct t_http *h = r_web("hang 200", target);
  t_up();
  r_say("m1", "assistant", target);
  t_do(0, "renew", CONVERSATION, "--payload", "one");
  T_UNTIL(20000, t_http_count(h) == 1, "no request");
  r_say("m2", "assistant", target);
  t_do(0, "renew", CONVERSATION, "--payload", "two");
  r_check_quiet(h, 1, 300);
  cancel("m1");
  r_wait_status("m2", "done", 20000);
  r_check_log("m1", (const char *const[]){"unknown"}, 1);
  t_http_stop(&h);
}
