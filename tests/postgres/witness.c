/* The mirror's witness in PostgreSQL. */
#include "tests/mirror/stories.h"
#include "tests/postgres/postgres.h"

T_STORY(postgres_witness, another_store_has_the_mirror, 60) {
  story_another_store_has_the_mirror(&mirror_postgres);
}
T_STORY(postgres_witness, a_folder_that_was_set_back, 60) {
  story_a_folder_that_was_set_back(&mirror_postgres);
}
T_STORY(postgres_witness, a_mirror_that_was_set_back, 60) {
  story_a_mirror_that_was_set_back(&mirror_postgres);
}
T_STORY(postgres_witness, a_mirror_that_was_emptied, 60) {
  story_a_mirror_that_was_emptied(&mirror_postgres);
}
T_STORY(postgres_witness, a_mirror_that_fits_again, 60) {
  story_a_mirror_that_fits_again(&mirror_postgres);
}
T_STORY(postgres_witness, a_table_that_is_made_anew_is_filled_again, 60) {
  story_a_table_that_is_made_anew_is_filled_again(&mirror_postgres);
}
T_STORY(postgres_witness, what_a_restore_brings_back_is_mirrored, 60) {
  story_what_a_restore_brings_back_is_mirrored(&mirror_postgres);
}
T_STORY(postgres_witness, a_witness_of_an_absurd_version, 60) {
  story_a_witness_of_an_absurd_version(&mirror_postgres);
}
T_STORY(postgres_witness, a_wrong_mirror_is_shown, 60) {
  story_a_wrong_mirror_is_shown(&mirror_postgres);
}
