/* A mirror here beside one in PostgreSQL. */
#include "tests/mirror/stories.h"
#include "tests/postgres/postgres.h"

T_STORY(postgres_sinks, both_have_everything_and_one_that_is_away_holds_up_no_other, 120) {
  pg_start();
  t_set("sync.sinks", "sqlite postgres");
  t_settings_changed();
  t_do(0, "sync", "schema", "--apply");
  t_up();
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, 20, 0);
  t_settle(20000);
  mirror_sqlite.compare();
  mirror_postgres.compare();
  pg_kill();
  mirror_write(p, 0, 30, 1);
  T_UNTIL(20000, t_status_int("sync.sqlite.cursor", -1) == t_status_int("version", -2),
          "mirror.db waits for PostgreSQL");
  mirror_sqlite.compare();
  T_CHECK(t_status_int("sync.postgres.pending", 0) > 0, "what is away is done?");
  pg_again();
  t_settle(30000);
  mirror_postgres.compare();
  t_do(0, "sync", "verify", "--deep");
  pg_stop();
}
