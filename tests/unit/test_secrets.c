/* Secrets leave the environment of every process but what is given to syncd. */
#include "proto/secrets.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proto/child.h"
#include "proto/settings.h"

static const char *in(char **env, const char *name) {
  for (; *env; ++env)
    if (strncmp(*env, name, strlen(name)) == 0) return *env;
  return NULL;
}

/* The block that /proc/self/environ shows is where the variables came in; here one in memory. */
static char d1[] = "CONVKEEP_D1_TOKEN=first-secret", pg[] = "CONVKEEP_POSTGRES_PASSWORD=second";

static void give(void) { cr_assert_eq(putenv(d1) || putenv(pg), 0); }

Test(secrets, they_are_overwritten_where_they_were) {
  give();
  ck_secrets_take(false);
  cr_expect_null(getenv("CONVKEEP_D1_TOKEN"));
  cr_expect_null(memmem(d1, sizeof d1, "first", 5));
  cr_expect_null(memmem(pg, sizeof pg, "second", 6));
  cr_expect_null(ck_secrets_given(0));
  char **env = ck_own_env(NULL);
  cr_expect(!in(env, "CONVKEEP_D1_TOKEN") && !in(env, "CONVKEEP_POSTGRES_PASSWORD"));
  free(env);
  cr_expect_eq(prctl(PR_GET_DUMPABLE), 1, "there is no secret to keep");
}

Test(secrets, who_keeps_them_gives_them_to_syncd_alone) {
  struct ck_err err;
  struct ck_settings *s = ck_settings_load("/nonexistent", &err);
  give();
  ck_secrets_take(true);
  cr_expect_null(getenv("CONVKEEP_POSTGRES_PASSWORD"));
  cr_expect_null(memmem(d1, sizeof d1, "first", 5));
  cr_expect_eq(prctl(PR_GET_DUMPABLE), 0, "a core file would have them");
  char *token = ck_settings_d1_token(s, &err), *password = ck_settings_postgres_password(s, &err);
  cr_expect_str_eq(token, "first-secret");
  cr_expect_str_eq(password, "second");
  char **own = ck_own_env(NULL), **child = ck_child_env();
  cr_expect_str_eq(in(own, "CONVKEEP_D1_TOKEN"), "CONVKEEP_D1_TOKEN=first-secret");
  cr_expect_str_eq(in(own, "CONVKEEP_POSTGRES_PASSWORD"), "CONVKEEP_POSTGRES_PASSWORD=second");
  cr_expect(!in(child, "CONVKEEP_D1_TOKEN") && !in(child, "CONVKEEP_POSTGRES_PASSWORD"));
  char **of_d1 = ck_own_env("d1"), **of_sqlite = ck_own_env("sqlite");
  cr_expect(in(of_d1, "CONVKEEP_D1_TOKEN") && !in(of_d1, "CONVKEEP_POSTGRES_PASSWORD"));
  cr_expect(!in(of_sqlite, "CONVKEEP_D1_TOKEN"));
  free(of_d1);
  free(of_sqlite);
  free(own);
  free(child);
  free(token);
  free(password);
  ck_settings_free(&s);
}
