/* Several workers on one database. */
#include "tests/mirror/stories.h"
#include "tests/postgres/postgres.h"

T_STORY(postgres_workers, zombies_change_nothing_and_nothing_is_lost, 3000) {
  story_zombies_change_nothing_and_nothing_is_lost(&mirror_postgres);
}
