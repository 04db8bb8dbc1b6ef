/* The mirror's witness in D1 and in mirror.db. */
#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_witness, another_store_has_the_mirror, 60) {
  story_another_store_has_the_mirror(&mirror_d1);
}
T_STORY(d1_witness, a_folder_that_was_set_back, 60) {
  story_a_folder_that_was_set_back(&mirror_d1);
}
T_STORY(d1_witness, a_mirror_that_was_set_back, 60) {
  story_a_mirror_that_was_set_back(&mirror_d1);
}
T_STORY(d1_witness, a_mirror_that_was_emptied, 60) { story_a_mirror_that_was_emptied(&mirror_d1); }
T_STORY(d1_witness, a_mirror_that_fits_again, 60) { story_a_mirror_that_fits_again(&mirror_d1); }

T_STORY(d1_witness, another_store_has_the_mirror_in_mirror_db, 60) {
  story_another_store_has_the_mirror(&mirror_sqlite);
}
T_STORY(d1_witness, a_folder_that_was_set_back_in_mirror_db, 60) {
  story_a_folder_that_was_set_back(&mirror_sqlite);
}
T_STORY(d1_witness, a_mirror_that_was_set_back_in_mirror_db, 60) {
  story_a_mirror_that_was_set_back(&mirror_sqlite);
}
T_STORY(d1_witness, a_mirror_that_was_emptied_in_mirror_db, 60) {
  story_a_mirror_that_was_emptied(&mirror_sqlite);
}
T_STORY(d1_witness, a_mirror_that_fits_again_in_mirror_db, 60) {
  story_a_mirror_that_fits_again(&mirror_sqlite);
}
T_STORY(d1_witness, a_table_that_is_made_anew_is_filled_again, 60) {
  story_a_table_that_is_made_anew_is_filled_again(&mirror_d1);
}
T_STORY(d1_witness, a_table_that_is_made_anew_is_filled_again_in_mirror_db, 60) {
  story_a_table_that_is_made_anew_is_filled_again(&mirror_sqlite);
}
T_STORY(d1_witness, what_a_restore_brings_back_is_mirrored, 60) {
  story_what_a_restore_brings_back_is_mirrored(&mirror_d1);
}
T_STORY(d1_witness, what_a_restore_brings_back_is_mirrored_in_mirror_db, 60) {
  story_what_a_restore_brings_back_is_mirrored(&mirror_sqlite);
}
T_STORY(d1_witness, a_witness_of_an_absurd_version, 60) {
  story_a_witness_of_an_absurd_version(&mirror_d1);
}
T_STORY(d1_witness, a_wrong_mirror_is_shown, 60) { story_a_wrong_mirror_is_shown(&mirror_d1); }

T_STORY(d1_witness, a_witness_of_an_absurd_version_in_mirror_db, 60) {
  story_a_witness_of_an_absurd_version(&mirror_sqlite);
}
T_STORY(d1_witness, a_wrong_mirror_is_shown_for_mirror_db, 60) {
  story_a_wrong_mirror_is_shown(&mirror_sqlite);
}
T_STORY(d1_witness, mirror_db_loses_its_name, 90) {
  story_a_file_that_loses_its_name(&mirror_sqlite);
}
T_STORY(d1_witness, a_row_that_cannot_be_repaired_in_mirror_db, 60) {
  story_a_row_that_cannot_be_repaired(&mirror_sqlite);
}
