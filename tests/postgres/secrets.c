/* The password: on no command line, in no log, status, output or error, whether it is good, wrong or expired, in a file or in the environment. */
#include "tests/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/secret.h"

#define WRONG "very-secret-but-wrong"

static void is_stopped(const char *why) {
  T_UNTIL(10000, strcmp(mirror_state(), "stopped") == 0 && strstr(mirror_last_error(), why), "it is %s, its last error is '%s'", mirror_state(),
          mirror_last_error());
}

/* Everything is asked while the password is refused, while it has expired, and while it works. */
static void in_all_states(struct t_producer *p, void (*give)(const char *password)) {
  give(WRONG);
  t_up();
  mirror_write(p, 0, 3, 0);
  is_stopped("password authentication failed");
  t_secret_ask_all();
  t_down();
  give(PG_PASSWORD);
  pg_sql("ALTER ROLE ring VALID UNTIL '2001-01-01'");
  t_up();
  is_stopped("password authentication failed");
  t_secret_ask_all();
  pg_sql("ALTER ROLE ring VALID UNTIL 'infinity'");
  pg_same(40000);
  t_secret_ask_all();
  t_down();
}

static void by_file(const char *password) {
  unsetenv("CONVKEEP_POSTGRES_PASSWORD");
  t_set("postgres.password_file", "keys-password");
  t_write_text("keys-password", password);
}

static void by_environment(const char *password) {
  t_set("postgres.password_file", "");
  t_set("postgres.password", password);
}

static void nobody_tells(void (*give)(const char *password)) {
  static const char *const except[] = {"keys-password", "pg/", NULL};
  pg_start();
  pg_schema();
  t_set("sync.backoff_max", "500ms");
  t_set("log.level", "debug");
  t_secret_watch(PG_PASSWORD, WRONG);
  in_all_states(t_producer("test"), give);
  t_secret_unwatched();
  pg_stop();
  t_secret_nowhere(PG_PASSWORD, WRONG, except);
}

T_STORY(postgres_secrets, a_password_in_a_file_is_told_by_nobody, 180) { nobody_tells(by_file); }
T_STORY(postgres_secrets, a_password_in_the_environment_is_told_by_nobody, 180) { nobody_tells(by_environment); }
