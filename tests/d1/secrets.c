/* The token: on no command line, in no log, status, output or database, whether it is good, wrong or expired, in a file or in the environment. */
#include "tests/d1/d1.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/secret.h"

#define GOOD "peer-token"
#define WRONG "very-secret-but-wrong"

static void is_stopped(const char *why) {
  T_UNTIL(10000, strcmp(mirror_state(), "stopped") == 0 && strstr(mirror_last_error(), why), "it is %s, its last error is '%s'", mirror_state(),
          mirror_last_error());
}

/* Everything is asked while it works, while the token is refused, and while it has expired. */
static void in_all_states(struct t_producer *p, void (*give)(const char *token)) {
  give(WRONG);
  t_up();
  mirror_write(p, 0, 3, 0);
  is_stopped("Authentication error");
  t_secret_ask_all();
  t_down();
  give(GOOD);
  d1_fault("{'status':401,'code':1000,'message':'The API token has expired','count':0}");
  t_up();
  is_stopped("expired");
  t_secret_ask_all();
  json_decref(d1_control("reset", "{}"));
  d1_same(40000);
  t_secret_ask_all();
  t_down();
}

static void by_file(const char *token) {
  unsetenv("CONVKEEP_D1_TOKEN");
  t_set("d1.token_file", "keys-token");
  t_write_text("keys-token", token);
}

static void by_environment(const char *token) {
  t_set("d1.token_file", "");
  t_set("d1.token", token);
}

static void nobody_tells(void (*give)(const char *token)) {
  static const char *const except[] = {"keys-token", NULL};
  d1_start();
  d1_schema(false);
  t_set("sync.backoff_max", "500ms");
  t_set("log.level", "debug");
  give(GOOD);
  t_secret_watch(GOOD, WRONG);
  struct t_producer *p = t_producer("test");
  in_all_states(p, give);
  t_secret_unwatched();
  d1_stop();
  t_secret_nowhere(GOOD, WRONG, except);
}

T_STORY(d1_secrets, a_token_in_a_file_is_told_by_nobody, 180) { nobody_tells(by_file); }
T_STORY(d1_secrets, a_token_in_the_environment_is_told_by_nobody, 180) { nobody_tells(by_environment); }

/* A command line is everybody's to read. */
T_STORY(d1_secrets, a_secret_on_a_command_line_is_refused, 30) {
  static const char *const secrets[] = {"d1.token=" WRONG, "postgres.password=" WRONG};
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; ++i) {
    struct t_result r = t_convkeep("--set", secrets[i], "config");
    T_CHECK(r.code != 0, "%.9s… is taken", secrets[i]);
    T_CHECK(!strstr(r.out, WRONG) && !strstr(r.err, WRONG), "and said: %s%s", r.out, r.err);
    t_result_free(&r);
  }
}
