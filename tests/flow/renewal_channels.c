/* Follow-ups through the other channels: a command, nowhere. */
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
  r_wait_status("m1", "done", 8000);
  r_check_log("m1", (const char *const[]){"done"}, 1);
}
