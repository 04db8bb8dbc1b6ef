/* The real exec channel, with real programs. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "renewd/command.h"
#include "renewd/launcher_internal.h"
#include "tests/unit/test_renewd_deliver.h"

#define IT "{\"kind\":\"exec\",\"id\":\"it\"}"

static char script[64];

/* Makes a shell script of these lines, and sets it as renew.exec.it. */
static void program(const char *lines) {
  strcpy(script, "/tmp/renewd-exec-XXXXXX");
  int fd = mkstemp(script);
  dprintf(fd, "#!/bin/bash\n%s\n", lines);
  fchmod(fd, 0700);
  close(fd);
  test_set("renew.exec.it", script);
}

static struct renew_result run(const char *lines, const char *body) {
  program(lines);
  struct renew_result r = test_deliver(&renew_channel_exec, IT, body);
  unlink(script);
  return r;
}

/* With this payload and target, and stopped after so many milliseconds. */
static struct renew_result run_with(const char *lines, const char *body, const char *payload,
                                    int64_t stop_after) {
  program(lines);
  struct renew_result r = test_deliver_with(&renew_channel_exec, IT, body, payload, stop_after);
  unlink(script);
  return r;
}

/* What Claude Code says counts, not its exit code; an earlier line says until when. */
Test(renewd_exec, the_end_of_claude_code, .init = test_deliver_begin, .fini = test_deliver_end) {
  struct renew_result r =
      run("echo '{\"type\":\"system\"}'\n"
          "echo '{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"allowed\"}}'\n"
          "echo '{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\","
          "\"resetsAt\":4102444800}}'\n"
          "echo '{\"type\":\"result\",\"is_error\":true,\"result\":\"Not now\"}'\nexit 0",
          "{}");
  test_result_is(r, RENEW_RELEASED, "Not now");
  cr_expect(r.limit);
  cr_expect_eq(r.limit_until, INT64_C(4102444800000));
  cr_expect_eq(r.exit_code, 0);
  r = run("echo '\"rate_limit_event\" is what it says'\n"
          "echo '{\"type\":\"result\",\"is_error\":false,\"result\":\"Yes\"}'\nexit 1",
          "{}");
  test_result_is(r, RENEW_DONE, "");
  cr_expect_str_eq(r.text, "Yes");
  for (int code = 0; code < 2; code++) {
    r = run(code ? "echo \"You've hit your session limit\"; exit 1"
                 : "echo; echo \"You've hit your session limit\"",
            "{}");
    test_result_is(r, RENEW_RELEASED, "You've hit your session limit");
    cr_expect(r.limit);
  }
  test_result_is(run("echo This is what I saw:; echo \"You've hit your session limit\"", "{}"),
                 RENEW_DONE, "");
}

Test(renewd_exec, exit_codes, .init = test_deliver_begin, .fini = test_deliver_end) {
  test_result_is(run("cat >/dev/null; exit 0", "{}"), RENEW_DONE, "");
  test_result_is(run("exit 75", "{}"), RENEW_RETRY, "exit 75");
  struct renew_result r = run("echo first; echo; echo the reason >&2; exit 3", "{}");
  test_result_is(r, RENEW_FAILED, "exit 3: the reason");
  cr_assert_eq(r.exit_code, 3);
  test_result_is(run("kill -SEGV $$", "{}"), RENEW_UNKNOWN, "signal 11");
  test_set("renew.exec.it", "/nonexistent/program");
  test_result_is(test_deliver(&renew_channel_exec, IT, "{}"), RENEW_UNREACHED,
                 "cannot run /nonexistent/program: No such file");
  test_set("renew.exec.it", "/dev/null");
  test_result_is(test_deliver(&renew_channel_exec, IT, "{}"), RENEW_UNREACHED,
                 "cannot run /dev/null: Permission denied");
  test_result_is(run("exit 127", "{}"), RENEW_FAILED, "exit 127"); /* the program's own */
  test_set("renew.exec.it", "true");
  test_result_is(test_deliver(&renew_channel_exec, IT, "{}"), RENEW_DONE, "");
}

Test(renewd_exec, one_line_on_standard_input, .init = test_deliver_begin,
     .fini = test_deliver_end) {
  test_result_is(
      run("IFS= read -r line && [ \"$line\" = '{\"a\":1}' ] && ! read -r more", "{\"a\":1}"),
      RENEW_DONE, "");
  /* More than a pipe holds, to programs that read all, read nothing, or never close it. */
  char *large = malloc(1 << 20);
  memset(large, 'x', (1 << 20) - 1);
  large[(1 << 20) - 1] = '\0';
  test_result_is(run("[ $(wc -c) = 1048576 ]", large), RENEW_DONE, "");
  test_result_is(run("exit 0", large), RENEW_DONE, "");
  free(large);
}

/* renewd may die at any time after the start, here before it does anything more. */
Test(renewd_exec, its_input_is_whole_when_it_starts, .init = test_deliver_begin,
     .fini = test_deliver_end) {
  struct renew_channels all = {.env = {test_settings, NULL}};
  struct renew_target t;
  struct renew_result r;
  struct ck_err err;
  char *large = malloc(1 << 20), got[80] = "", path[80];
  memset(large, 'x', (1 << 20) - 1);
  large[(1 << 20) - 1] = '\0';
  program("n=$(wc -c) && echo \"$n\" >\"$0.part\" && mv \"$0.part\" \"$0.got\"");
  renew_target_parse(&t, ck_str_of(IT), &err);
  all.env.launcher = renew_launcher_start(test_settings, &err);
  void *open = renew_channel_open(&all, &renew_channel_exec, &err);
  cr_assert_not_null(open);
  struct renew_parcel parcel = {"job_1", &t, ck_str_of(large), {0}};
  cr_assert_not_null(renew_channel_exec.start(open, &parcel, &r));
  snprintf(path, sizeof path, "%s.got", script);
  for (int64_t until = ck_boot_after(20000); access(path, F_OK) != 0 && ck_boot_ms() < until;)
    poll(NULL, 0, 5);
  FILE *f = fopen(path, "r");
  cr_assert(f && fgets(got, sizeof got, f), "it had not read its line after 20 s");
  fclose(f);
  cr_assert_str_eq(got, "1048576\n");
  unlink(path);
  unlink(script);
  renew_channels_close(&all);
  renew_launcher_end(&all.env.launcher);
  renew_target_free(&t);
  free(large);
}

Test(renewd_exec, what_it_says_is_bounded, .init = test_deliver_begin, .fini = test_deliver_end) {
  test_result_is(run("yes filler | head -c 2999997; echo 'last words'; exit 1", "{}"), RENEW_FAILED,
                 "exit 1: last words");
  test_result_is(run("head -c 3000000 /dev/zero; exit 1", "{}"), RENEW_FAILED, "exit 1");
}

Test(renewd_exec, no_secrets_and_no_files_of_the_daemon, .init = test_deliver_begin,
     .fini = test_deliver_end) {
  int fd = open("/dev/null", O_RDONLY); /* without close-on-exec */
  cr_assert_geq(fd, 3);
  test_result_is(run("[ -z \"$CONVKEEP_D1_TOKEN\" ] && [ -n \"$PATH\" ]", "{}"), RENEW_DONE, "");
  test_result_is(run("[ -z \"$CONVKEEP_POSTGRES_PASSWORD\" ]", "{}"), RENEW_DONE, "");
  test_result_is(
      run("n=$(ls /proc/self/fd | tr '\\n' ' '); echo \"$n\"; [ \"$n\" = '0 1 2 3 ' ] || exit 1",
          "{}"),
      RENEW_DONE, "");
  test_result_is(run("read -r _ _ _ _ group _ </proc/$$/stat; [ $group = $$ ]", "{}"), RENEW_DONE,
                 "");
  close(fd);
}

Test(renewd_exec, its_time_is_over, .init = test_deliver_begin, .fini = test_deliver_end) {
  test_set("renew.timeout", "200ms");
  int64_t from = ck_boot_ms();
  test_result_is(run("sleep 30", "{}"), RENEW_UNKNOWN, "200 ms");
  cr_assert_lt(ck_boot_ms() - from, 1500);
  from = ck_boot_ms();
  test_result_is(run("trap '' TERM; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done", "{}"),
                 RENEW_UNKNOWN, "200 ms");
  int64_t took = ck_boot_ms() - from;
  cr_assert(took >= 2200 && took < 4500, "it was made to end after %lld ms", (long long)took);
  test_result_is(run("trap 'exit 0' TERM; sleep 30 & wait", "{}"), RENEW_UNKNOWN, "200 ms");
}

/* A process left in the background does not delay the end of the delivery. */
Test(renewd_exec, a_child_that_holds_the_pipe, .init = test_deliver_begin,
     .fini = test_deliver_end) {
  int64_t from = ck_boot_ms();
  test_result_is(run("sleep 5 & exit 0", "{}"), RENEW_DONE, "");
  cr_assert_lt(ck_boot_ms() - from, 2000);
}

/* What it started ends with it, if it is still in its process group. */
Test(renewd_exec, its_group_ends_with_it, .init = test_deliver_begin, .fini = test_deliver_end) {
  char *path = ck_sprintf("/tmp/renewd-exec-group-%d", (int)getpid());
  char *said = ck_sprintf("sleep 60 & echo $! >%s; exit 0", path);
  test_result_is(run(said, "{}"), RENEW_DONE, "");
  FILE *f = fopen(path, "r");
  int pid = 0;
  cr_assert(f && fscanf(f, "%d", &pid) == 1 && pid > 0);
  fclose(f);
  unlink(path);
  for (int64_t until = ck_boot_after(10000); kill(pid, 0) == 0 && ck_boot_ms() < until;)
    poll(NULL, 0, 5);
  cr_assert_neq(kill(pid, 0), 0, "what it started goes on");
  free(path);
  free(said);
}

Test(renewd_exec, what_it_gets, .init = test_deliver_begin, .fini = test_deliver_end) {
  static const char body[] = "{\"a\":1}";
  test_set("renew.exec.it.input", "payload");
  test_result_is(run_with("[ \"$(cat)\" = 'go on' ] && [ $# = 0 ]", body, "go on", -1), RENEW_DONE,
                 "");
  test_set("renew.exec.it.input", "none");
  test_result_is(run_with("[ -z \"$(cat)\" ] && [ $# = 0 ]", body, "go on", -1), RENEW_DONE, "");
  test_set("renew.exec.it.input", "argument");
  test_result_is(
      run_with("[ -z \"$(cat)\" ] && [ $# = 1 ] && [ \"$1\" = '$(go) on' ]", body, "$(go) on", -1),
      RENEW_DONE, "");
  char *large = malloc(200001);
  memset(large, 'x', 200000);
  large[200000] = '\0';
  test_result_is(run_with("exit 0", body, large, -1), RENEW_FAILED, "Argument list too long");
  free(large);
}

static const char session[] =
    "{\"delivery_id\":\"job_1\",\"target\":{\"kind\":\"exec\",\"id\":\"it\",\"payload\":"
    "{\"session_id\":\"5f0c\",\"delivery_id\":\"none\",\"cwd\":\"/usr/bin\",\"home\":\"/a "
    "b\",\"n\":7}}}";

Test(renewd_exec, placeholders, .init = test_deliver_begin, .fini = test_deliver_end) {
  test_set("renew.exec.it.folder", "{cwd}");
  test_set("renew.exec.it.env", "HOME_OF={home} \"PATH=/bin:/usr/bin\"");
  program("[ \"$1\" = --resume=5f0c ] && [ \"$2\" = '7 {nothing' ] && [ \"$PWD\" = /usr/bin ] &&"
          " [ \"$HOME_OF\" = '/a b' ] && [ \"$PATH\" = /bin:/usr/bin ] && [ \"$3\" = job_1 ]");
  char *argv = ck_sprintf("%s --resume={session_id} \"{n} {nothing\" {delivery_id}", script);
  test_set("renew.exec.it", argv);
  test_result_is(test_deliver(&renew_channel_exec, IT, session), RENEW_DONE, "");
  test_set("renew.exec.it.folder", "/nonexistent/{session_id}");
  test_result_is(test_deliver(&renew_channel_exec, IT, session), RENEW_UNREACHED,
                 "cannot enter /nonexistent/5f0c: No such file");
  unlink(script);
  free(argv);
}

static void serves(const char *payload, const char *missing) {
  struct ck_err err = {{0}};
  struct ck_exec exec;
  cr_assert(ck_set_exec(test_settings, "it", &exec));
  int rc = renew_command_serves(&exec, ck_str_of(payload), &err);
  cr_expect_eq(rc, missing ? -1 : 0, "%s", payload);
  cr_expect(!missing || strstr(err.text, missing), "%s: %s", payload, err.text);
}

/* What stands in a target came with an observation. */
Test(renewd_exec, values_that_may_not_stand_there, .init = test_deliver_begin,
     .fini = test_deliver_end) {
  test_set("renew.exec.it", "claude --resume {session_id} {local_conversation_id}");
  test_set("renew.exec.it.folder", "{cwd}");
  serves("{\"session_id\":\"5f0c\",\"cwd\":\"/x\"}", NULL);
  serves("\"{\\\"session_id\\\":\\\"5f0c\\\",\\\"cwd\\\":\\\"/x\\\"}\"", NULL);
  serves("", "no text or integer {session_id}");
  serves("{\"cwd\":\"/x\"}", "no text or integer {session_id}");
  serves("{\"session_id\":[],\"cwd\":\"/x\"}", "no text or integer {session_id}");
  serves("{\"session_id\":\"\",\"cwd\":\"/x\"}", "{session_id} is empty");
  serves("{\"session_id\":\"--yolo\",\"cwd\":\"/x\"}", "{session_id} begins with -");
  serves("{\"session_id\":\"a\\nb\",\"cwd\":\"/x\"}", "{session_id} has a control character");
  serves("{\"session_id\":\"a\",\"cwd\":\"x\"}", "not an absolute path: x");
  serves("{\"session_id\":\"a\",\"cwd\":\"../x\"}", "not an absolute path: ../x");
}

/* A folder that came with an observation is its user's, or nothing is run there. */
Test(renewd_exec, folders_of_others, .init = test_deliver_begin, .fini = test_deliver_end) {
  static const char target[] = "{\"target\":{\"payload\":{\"cwd\":\"/tmp\"}}}";
  program("exit 0");
  test_set("renew.exec.it.folder", "{cwd}");
  test_result_is(test_deliver(&renew_channel_exec, IT, target), RENEW_UNREACHED,
                 geteuid() ? "/tmp belongs to another user" : "anybody may write to /tmp");
  test_set("renew.exec.it.folder", "/usr/..{cwd}");
  test_result_is(test_deliver(&renew_channel_exec, IT, target), RENEW_UNREACHED, "/usr/../tmp");
  test_set("renew.exec.it.folder", "/tmp");
  test_result_is(test_deliver(&renew_channel_exec, IT, target), RENEW_DONE, "");
  test_set("renew.exec.it.env", "HOME={cwd}");
  test_result_is(test_deliver(&renew_channel_exec, IT, target), RENEW_UNREACHED, "/tmp");
  unlink(script);
}

/* What could not be run leaves nothing behind. */
Test(renewd_exec, no_zombies) {
  struct launch_child c;
  struct ck_err err;
  bool never_will = false;
  static char program_name[] = "/nonexistent/program";
  char *const words[] = {program_name, NULL};
  const struct ck_exec exec = {.argv = words};
  for (int i = 0; i < 20; i++)
    cr_assert_eq(launch_child_start(&c, &exec, CK_LIT("{}"), CK_LIT(""), &never_will, &err), -1);
  cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a child was not waited for");
  cr_expect_eq(errno, ECHILD);
}

/* A program that wants to ask at the terminal of `up` is not stopped by it, but told that there is
 * none. */
Test(renewd_exec, no_terminal, .init = test_deliver_begin, .fini = test_deliver_end) {
  test_result_is(run("read -r x </dev/tty && exit 1; exit 0", "{}"), RENEW_DONE, "");
}

/* One that is stopped gets its SIGTERM all the same. */
Test(renewd_exec, a_stopped_program, .init = test_deliver_begin, .fini = test_deliver_end) {
  test_set("renew.exec.it.timeout", "300ms");
  test_result_is(
      run("trap 'echo \"{\\\"outcome\\\":\\\"done\\\"}\"; exit' TERM; kill -STOP $$", "{}"),
      RENEW_DONE, "");
}

/* ---- what it says of its own end ---- */

static struct renew_result says(const char *line, int code) {
  char *lines = ck_sprintf("echo noise; echo '%s'; echo more noise >&2; exit %d", line, code);
  struct renew_result r = run(lines, "{}");
  free(lines);
  return r;
}

Test(renewd_exec, its_result, .init = test_deliver_begin, .fini = test_deliver_end) {
  struct renew_result r =
      says("{\"outcome\":\"done\",\"cost\":0.25,\"tokens\":512,\"text\":\"Hi\"}", 1);
  test_result_is(r, RENEW_DONE, "");
  cr_expect(r.cost == 0.25 && r.tokens == 512 && r.exit_code == 1);
  cr_expect_str_eq(r.text, "Hi");
  int64_t until = ck_now_ms() + 3600000;
  char *limit = ck_sprintf("{\"outcome\":\"limit\",\"until\":%lld,\"text\":\"resets 4pm\"}",
                           (long long)until);
  r = says(limit, 0);
  test_result_is(r, RENEW_RELEASED, "resets 4pm");
  cr_expect(r.retry_after > 3500000 && r.retry_after <= 3600000, "%lld", (long long)r.retry_after);
  free(limit);
  r = says("{\"outcome\":\"limit\"}", 0);
  test_result_is(r, RENEW_RELEASED, "");
  cr_expect_eq(r.retry_after, 900000);
  r = says("{\"outcome\":\"limit\",\"until\":\"2020-01-01T00:00:00Z\"}", 0);
  test_result_is(r, RENEW_RELEASED, "");
  cr_expect_eq(r.retry_after, 900000, "an end that has passed is none");
  test_result_is(says("{\"outcome\":\"failed\",\"text\":\"no credits\"}", 0), RENEW_FAILED,
                 "no credits");
  test_result_is(says("{\"outcome\":\"retry\"}", 0), RENEW_RETRY, "");
  cr_expect(says("{\"outcome\":\"retry\"}", 0).cost < 0);
}

Test(renewd_exec, a_result_that_is_wrong, .init = test_deliver_begin, .fini = test_deliver_end) {
  test_result_is(says("{\"outcome\":\"fine\"}", 0), RENEW_UNKNOWN, "outcome: must be done");
  test_result_is(says("{\"outcome\":\"done\",\"until\":\"soon\"}", 0), RENEW_UNKNOWN,
                 "until: must be");
  test_result_is(says("{\"outcome\":\"done\",\"cost\":-1}", 0), RENEW_UNKNOWN, "cost: must be");
  test_result_is(says("{\"outcome\":\"done\",\"tokens\":1.5}", 0), RENEW_UNKNOWN,
                 "tokens: must be");
  test_result_is(says("{\"outcome\":\"done\",\"text\":1}", 0), RENEW_UNKNOWN, "text: must be");
  test_result_is(says("{\"outcome\":null}", 0), RENEW_UNKNOWN, "outcome: must be done");
  test_result_is(says("{\"outcome\":\"retry\",\"text\":\"abc", 0), RENEW_UNKNOWN, "is cut off");
  test_result_is(run("printf '{ \"outcome\":\"failed\",\"text\":\"%0200000d\"}\\n\\n' 7", "{}"),
                 RENEW_UNKNOWN, "is cut off");
  test_result_is(run("printf '{\"type\":\"%0200000d\"}\\n' 7", "{}"), RENEW_DONE, "");
  /* No results. */
  test_result_is(says("{\"type\":\"result\"}", 0), RENEW_DONE, "");
  test_result_is(says("{\"result\":\"done\"", 3), RENEW_FAILED, "exit 3: more noise");
}

/* ---- ends that are not its own ---- */

Test(renewd_exec, it_says_what_came_of_it_before_its_time_is_over, .init = test_deliver_begin,
     .fini = test_deliver_end) {
  test_set("renew.exec.it.timeout", "300ms");
  test_result_is(run("echo '{\"outcome\":\"done\"}'; sleep 30", "{}"), RENEW_DONE, "");
  test_result_is(run("sleep 30", "{}"), RENEW_UNKNOWN, "no end within 300 ms");
}

Test(renewd_exec, renewd_is_stopped, .init = test_deliver_begin, .fini = test_deliver_end) {
  test_set("renew.stop_grace", "400ms");
  struct renew_result r = run_with(
      "trap 'echo \"{\\\"outcome\\\":\\\"done\\\"}\"; exit' TERM; sleep 30 & wait", "{}", "", 300);
  test_result_is(r, RENEW_DONE, "");
  test_result_is(run_with("sleep 30", "{}", "", 300), RENEW_UNKNOWN, "renewd was stopped");
  int64_t from = ck_boot_ms();
  r = run_with("trap '' TERM; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done", "{}", "", 300);
  int64_t took = ck_boot_ms() - from;
  test_result_is(r, RENEW_UNKNOWN, "renewd was stopped");
  cr_expect(took >= 700 && took < 3000, "%lld", (long long)took);
}
