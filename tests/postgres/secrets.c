/* The PostgreSQL password never leaks. */
#include "tests/mirror/stories.h"
#include "tests/postgres/postgres.h"

static void expire(void) { pg_sql("ALTER ROLE ring VALID UNTIL '2001-01-01'"); }
static void renew(void) { pg_sql("ALTER ROLE ring VALID UNTIL 'infinity'"); }

static const struct mirror_secret password = {.good = PG_PASSWORD,
                                              .setting = "postgres.password",
                                              .file_setting = "postgres.password_file",
                                              .environment = "CONVKEEP_POSTGRES_PASSWORD",
                                              .file = "keys-password",
                                              .own = "pg/",
                                              .refused = "password authentication failed",
                                              .expired = "password authentication failed",
                                              .expire = expire,
                                              .renew = renew};

T_STORY(postgres_secrets, a_password_in_a_file_is_told_by_nobody, 180) {
  story_a_secret_is_told_by_nobody(&mirror_postgres, &password, true);
}
T_STORY(postgres_secrets, a_password_in_the_environment_is_told_by_nobody, 180) {
  story_a_secret_is_told_by_nobody(&mirror_postgres, &password, false);
}
