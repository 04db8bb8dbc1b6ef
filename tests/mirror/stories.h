/* Stories that hold for every mirror. Each starts with an empty one in the test's folder and leaves
 * nothing running. */
#ifndef TESTS_MIRROR_STORIES_H
#define TESTS_MIRROR_STORIES_H

#include "tests/mirror/mirror.h"

/* verify.c */
void story_one_comparison_at_a_time(const struct mirror *m);
void story_what_was_done_by_hand_is_found_and_mended(const struct mirror *m);
void story_one_changed_byte_is_found_by_deep(const struct mirror *m);
void story_an_interrupted_deep_goes_on_where_it_was(const struct mirror *m);
void story_what_is_under_way_is_no_finding(const struct mirror *m);
void story_many_records_cost_few_requests(
    const struct mirror *m); /* CONVKEEP_LONG=1: a million, within 60 s and 100 requests */
void story_one_changed_byte_among_many(const struct mirror *m); /* CONVKEEP_LONG=1: a million */

/* faults.c */
void story_connections_that_break_before_and_after_the_commit(const struct mirror *m);
void story_workers_that_are_killed_again_and_again(const struct mirror *m);
void story_a_row_that_is_refused_is_a_dead_letter_and_the_others_go_on(const struct mirror *m);
void story_a_missing_table_is_paused_until_it_is_mended(const struct mirror *m);

/* retry.c */
void story_dead_letters_are_sent_again(const struct mirror *m);
void story_a_later_version_takes_the_dead_letters_place(const struct mirror *m);

/* backfill.c */
void story_an_empty_mirror_is_filled_and_live_changes_do_not_wait(const struct mirror *m);
void story_where_nothing_is_missing_nothing_is_written(const struct mirror *m);
void story_a_paused_table_does_not_hold_up_the_others_backfill(const struct mirror *m);

/* unique.c */
void story_what_is_unique_changes_hands_across_a_backlog(const struct mirror *m);

/* forget.c */
void story_what_is_forgotten_is_deleted(const struct mirror *m);
void story_a_reader_does_not_stop_forgetting(const struct mirror *m, const char *reads,
                                             const char *done);
void story_forgetting_waits_for_writers(const struct mirror *m, const char *writes,
                                        const char *waiting, const char *done);
void story_a_backfill_deletes_what_is_forgotten(const struct mirror *m);
void story_repair_knows_what_is_forgotten(const struct mirror *m);
void story_what_is_taken_back_is_mirrored(const struct mirror *m);
void story_what_is_forgotten_while_workers_are_killed(const struct mirror *m);

/* schema.c */
void story_an_empty_database_is_made_ready(const struct mirror *m);
void story_what_is_missing_is_made_and_nothing_else(const struct mirror *m);
void story_the_places_of_messages_come_to_an_older_mirror(const struct mirror *m);
/* The database must be started and have a table `messages` with its columns, but neither version
 * nor key. messages: what the task must say about it. */
void story_a_missing_unique_constraint_is_made(const struct mirror *m, const char *messages);

/* owner: SQL that gives the tables that the story makes to the mirror's user, or "". */
void story_rows_in_the_way_of_a_unique_index_are_named(const struct mirror *m, const char *owner);
void story_what_is_printed_is_what_is_missing(const struct mirror *m, const char *owner);
void story_the_predecessors_indexes_are_made_on_demand(const struct mirror *m);

/* witness.c */
void story_another_store_has_the_mirror(const struct mirror *m);
void story_a_folder_that_was_set_back(const struct mirror *m);
void story_a_mirror_that_was_set_back(const struct mirror *m);
void story_a_mirror_that_was_emptied(const struct mirror *m);
void story_a_mirror_that_fits_again(const struct mirror *m);
void story_a_file_that_loses_its_name(const struct mirror *m);
void story_a_witness_of_an_absurd_version(const struct mirror *m);
void story_a_row_that_cannot_be_repaired(const struct mirror *m);
void story_a_wrong_mirror_is_shown(const struct mirror *m);
void story_what_a_restore_brings_back_is_mirrored(const struct mirror *m);
void story_a_table_that_is_made_anew_is_filled_again(const struct mirror *m);

/* values.c; CONVKEEP_LONG=1: a million */
void story_values_are_the_same(const struct mirror *m);
void story_bad_bytes_in_the_database_are_dead_letters(const struct mirror *m);
void story_texts_of_7_mb_are_the_same(const struct mirror *m);
/* Writes a message whose text is `filled`, repeated up to that many bytes; the store must accept
 * it. */
void story_put_long(struct t_producer *p, const char *id, size_t bytes, const char *filled);

/* secrets.c */
#define MIRROR_WRONG_SECRET "very-secret-but-wrong"
struct mirror_secret {
  const char *good, *setting, *file_setting, *environment;
  const char *file; /* the file it is in, in the test's folder, … */
  const char *own;  /* … and where else it may be: the server's own files; NULL: nowhere */
  const char *refused, *expired; /* words of the mirror's errors */
  void (*expire)(void);
  void (*renew)(void);
};
void story_a_secret_is_told_by_nobody(const struct mirror *m, const struct mirror_secret *s,
                                      bool in_file);

/* workers.c; CONVKEEP_LONG=1: 8 workers and 4 zombies, 1,000,000 changes */
void story_zombies_change_nothing_and_nothing_is_lost(const struct mirror *m);

#endif
