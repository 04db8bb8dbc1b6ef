/* Slices that wait for a paused table, or for a parent in another batch, and batches that are
 * returned meanwhile. */
#include "tests/unit/test_syncd_pipeline.h"

TestSuite(syncd_pipeline_waits, .init = setup, .fini = teardown);

static struct sync_answer no_sessions(struct sync_slice *s) {
  for (size_t i = 0; i < s->n; ++i)
    if (s->rows[i]->row.table == CK_SESSIONS) return is(SYNC_TABLE, "no such table: sessions");
  return is(SYNC_DONE, "");
}

static void give_each(uint64_t first) {
  struct help_batch h;
  help_open(&h);
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    struct ck_row row = help_row(t, "k");
    help_add(&h, first + t, &row);
  }
  give_batch(&h, first, first - 1, first + CK_TABLES - 1);
}

Test(syncd_pipeline_waits, a_missing_table_is_paused_and_the_others_go_on) {
  give_each(1);
  give_each(1 + CK_TABLES);
  cr_expect_eq(sync_pipeline_room(&pipeline), 0);
  cr_expect_null(run(no_sessions, now));
  cr_expect(sync_pipeline_room(&pipeline) > 0, "what only waits does not count");
  for (struct sync_batch *batch = pipeline.first; batch; batch = batch->next) {
    cr_assert(batch->slices && !batch->slices->next);
    cr_expect(batch->slices->n == 1 && batch->slices->rows[0]->row.table == CK_SESSIONS);
  }
  cr_expect_str_eq(sync_pipeline_state(&pipeline, now), "waiting");
  cr_expect_str_eq(pipeline.last_error, "no such table: sessions");
  unsigned before = requests;
  cr_expect_null(run(no_sessions, now + 10 * MAX_BACKOFF));
  cr_expect_lt(requests - before, 30, "a paused table is asked about once in a while: %u",
               requests - before);
  for (int i = 0; i < 2; ++i) {
    struct sync_batch *batch = run(all_well, now + MAX_BACKOFF);
    cr_assert(batch);
    cr_expect_eq(batch->dead_letter_count, 0);
    sync_pipeline_drop(batch);
  }
  cr_expect_eq(pipeline.table_again[CK_SESSIONS], 0);
}

/* However many batches have rows of it, the others go on. */
Test(syncd_pipeline_waits, a_paused_table_postpones_any_number_of_batches) {
  unsigned postponed = 0;
  for (unsigned i = 0; i < 500; ++i) {
    give_each(1 + i * CK_TABLES);
    cr_expect_null(run(no_sessions, now));
    cr_assert_gt(sync_pipeline_room(&pipeline), 0, "no room after %u batches", i);
    sync_pipeline_postpone(&pipeline);
    for (struct sync_batch *batch; (batch = sync_pipeline_returned(&pipeline));
         sync_pipeline_drop(batch)) {
      cr_expect(batch->postponed && batch->after == (uint64_t)i * CK_TABLES);
      ++postponed;
    }
    now += 10;
  }
  cr_expect_eq(sync_pipeline_parked(&pipeline), SYNC_BLOCKED_MAX);
  cr_expect_eq(postponed, 500 - SYNC_BLOCKED_MAX);
  for (int i = 0; i < SYNC_BLOCKED_MAX; ++i) {
    struct sync_batch *batch = run(all_well, now + MAX_BACKOFF);
    cr_assert(batch, "what is still held finds out that it is mended");
    sync_pipeline_drop(batch);
  }
}

static struct sync_answer strange_sessions(struct sync_slice *s) {
  for (size_t i = 0; i < s->n; ++i)
    if (s->rows[i]->row.table == CK_SESSIONS) return is(SYNC_ODD, "nobody knows this");
  return is(SYNC_DONE, "");
}

/* … or rows with an unknown error. */
Test(syncd_pipeline_waits, odd_rows_postpone_any_number_of_batches) {
  unsigned postponed = 0;
  for (unsigned i = 0; i < 200; ++i) {
    give_each(1 + i * CK_TABLES);
    cr_expect_null(run(strange_sessions, now + 2 * MAX_BACKOFF));
    cr_assert_gt(sync_pipeline_room(&pipeline), 0, "no room after %u batches", i);
    sync_pipeline_postpone(&pipeline);
    cr_expect_eq(pipeline.postpones, i + 1 >= SYNC_BLOCKED_MAX);
    for (struct sync_batch *batch; (batch = sync_pipeline_returned(&pipeline));
         sync_pipeline_drop(batch))
      postponed += batch->postponed && batch->dead_letter_count == 0;
  }
  cr_expect_eq(postponed, 200 - SYNC_BLOCKED_MAX);
  for (int i = 0; i < SYNC_BLOCKED_MAX; ++i) {
    struct sync_batch *batch = run(all_well, now + 2 * MAX_BACKOFF);
    cr_assert(batch);
    sync_pipeline_drop(batch);
  }
  sync_pipeline_postpone(&pipeline);
  cr_expect_not(pipeline.postpones, "what was postponed may come again");
}

/* The store is told that there are foreign keys, and sends what the rows point to along with them;
 * if it cannot, the batch waits here. */
Test(syncd_pipeline_waits, a_batch_that_a_foreign_key_stops_is_returned_once) {
  parent_is_there = false;
  give_child(1);
  cr_expect_not(pipeline.foreign_keys);
  cr_assert(once(foreign_keys));
  cr_expect(pipeline.foreign_keys);
  cr_expect_null(pipeline.first, "it is not held any more");
  cr_expect_eq(sync_pipeline_room(&pipeline), SYNC_ACTIVE_MAX);
  cr_assert_eq(lease_again(), 1);
  cr_assert(once(foreign_keys) && once(foreign_keys));
  cr_expect_eq(lease_again(), 0);
  cr_assert(pipeline.first);
  cr_expect_eq(pipeline.first->slices->state, SYNC_SLICE_EARLY);
  /* Each batch is returned once. */
  give_child(100);
  while (!pipeline.returned) cr_assert(once(foreign_keys));
  cr_expect_eq(pipeline.returned->after, 99);
}

/* A worker that ends keeps only what the sink has. */
Test(syncd_pipeline_waits, what_the_sink_does_not_have_is_returned) {
  give_messages(1, 10);
  give_messages(11, 10);
  cr_assert(sync_pipeline_pick(&pipeline, now));
  sync_pipeline_return_all(&pipeline);
  struct sync_batch *back = sync_pipeline_returned(&pipeline);
  cr_assert(back && back->after == 10 && !sync_pipeline_returned(&pipeline));
  sync_pipeline_drop(back);
  struct sync_answer a = is(SYNC_DONE, "");
  sync_pipeline_answer(&pipeline, &a, now, TODAY);
  sync_pipeline_return_all(&pipeline);
  cr_expect_null(sync_pipeline_returned(&pipeline), "what is done is told, not returned");
  struct sync_batch *done = sync_pipeline_answered(&pipeline);
  cr_assert(done);
  sync_pipeline_drop(done);
}

Test(syncd_pipeline_waits, a_child_waits_for_its_parent_in_a_later_batch) {
  parent_is_there = false;
  give_child(1);
  cr_expect_null(run(foreign_keys, now + 60000));
  cr_expect(sync_pipeline_room(&pipeline) > 0);
  cr_assert(pipeline.first && pipeline.first->slices->n == 1);
  cr_expect_eq(pipeline.first->frame.cap, 0, "what waits long holds its rows only");
  give_parent(3);
  struct sync_batch *parent = run(foreign_keys, now);
  cr_assert(parent && parent->upto == 3);
  sync_pipeline_drop(parent);
  struct sync_batch *child = run(foreign_keys, now + 6000);
  cr_assert(child && child->upto == 2);
  cr_expect_eq(child->dead_letter_count, 0);
  sync_pipeline_drop(child);
}

static void give_with_parents(const char *parent) {
  struct help_batch h;
  struct ck_row m = help_row(CK_MESSAGES, parent), e = help_row(CK_EXECUTIONS, "e"),
                other = help_row(CK_EXECUTIONS, "other");
  help_open(&h);
  h.parents = true;
  help_add(&h, 1, &m);
  help_add(&h, 2, &e);
  help_add(&h, 3, &other);
  give_batch(&h, 1, 0, 3);
}

/* The message is refused, so what points to it has nothing to wait for. */
static struct sync_answer no_parent(struct sync_slice *s) {
  if (has_key(s, "bad")) return is(SYNC_ROW, "CHECK constraint failed: bad");
  return foreign_keys(s);
}

Test(syncd_pipeline_waits, a_child_whose_parent_is_a_dead_letter_is_one_at_once) {
  int64_t began = now;
  parent_is_there = false;
  pipeline.foreign_keys = true;
  give_with_parents("bad");
  struct sync_batch *batch = run(no_parent, now + SYNC_EARLY_MAX);
  cr_assert(batch, "it waits");
  cr_expect_lt(now - began, 1000);
  cr_expect_eq(batch->dead_letter_count, 2);
  cr_expect(memmem(batch->dead_letters.data, batch->dead_letters.len, "CHECK constraint", 16) &&
            memmem(batch->dead_letters.data, batch->dead_letters.len, "FOREIGN KEY", 11));
  cr_expect_null(memmem(batch->dead_letters.data, batch->dead_letters.len, "5 minutes", 9));
  sync_pipeline_drop(batch);
}

/* … but not while the parent itself waits. */
static struct sync_answer strange_parent(struct sync_slice *s) {
  if (has_key(s, "odd")) return is(SYNC_ODD, "nobody knows this");
  return foreign_keys(s);
}

Test(syncd_pipeline_waits, a_child_whose_parent_waits_waits_too) {
  parent_is_there = false;
  give_with_parents("odd");
  cr_expect_null(run(strange_parent, now + SYNC_EARLY_MAX / 2));
  cr_assert(pipeline.first);
  cr_expect_eq(pipeline.first->dead_letter_count, 0);
}

Test(syncd_pipeline_waits, a_child_whose_parent_never_comes_is_a_dead_letter_after_5_minutes) {
  int64_t began = now;
  parent_is_there = false;
  give_child(1);
  struct sync_batch *batch = run(foreign_keys, now + 2 * SYNC_EARLY_MAX);
  cr_assert(batch);
  cr_expect_geq(now - began, SYNC_EARLY_MAX);
  cr_expect_lt(now - began, SYNC_EARLY_MAX + 10000);
  cr_expect_eq(batch->dead_letter_count, 1);
  cr_expect_lt(requests, 100, "%u", requests);
  sync_pipeline_drop(batch);
}

static void give_session(uint64_t version) {
  struct help_batch h;
  struct ck_row session = help_row(CK_SESSIONS, "s");
  help_open(&h);
  help_add(&h, version, &session);
  give_batch(&h, version, version - 1, version);
}

static unsigned dead_letters_held(void) {
  unsigned n = 0;
  for (const struct sync_batch *b = pipeline.first; b; b = b->next) n += b->dead_letter_count;
  return n;
}

/* The table sessions is missing, and e points to a message that is not there. */
static struct sync_answer no_sessions_no_parent(struct sync_slice *s) {
  struct sync_answer a = no_sessions(s);
  return a.class == SYNC_TABLE ? a : foreign_keys(s);
}

/* The parent may be in the paused table. */
Test(syncd_pipeline_waits, a_child_waits_for_as_long_as_a_table_is_paused) {
  parent_is_there = false;
  give_each(100);
  give_child(1);
  cr_expect_null(run(no_sessions_no_parent, now + 3 * SYNC_EARLY_MAX));
  cr_expect_neq(pipeline.table_again[CK_SESSIONS], 0);
  cr_expect_eq(dead_letters_held(), 0);
  struct sync_batch *mended = run(foreign_keys, now + MAX_BACKOFF);
  cr_assert(mended && mended->after == 99);
  cr_expect_eq(mended->dead_letter_count, 0);
  sync_pipeline_drop(mended);
  struct sync_batch *child = run(foreign_keys, now + 2 * SYNC_EARLY_MAX);
  cr_assert(child, "it still waits when no table is paused any more");
  cr_expect_eq(child->dead_letter_count, 1);
  sync_pipeline_drop(child);
}

/* A batch that came with its parents waits too, while one of their tables is paused. */
Test(syncd_pipeline_waits, a_child_whose_parent_is_refused_waits_while_a_table_is_paused) {
  parent_is_there = false;
  pipeline.foreign_keys = true;
  pipeline.table_again[CK_SESSIONS] = now + MAX_BACKOFF;
  give_with_parents("bad");
  cr_expect_null(run(no_parent, now + 2 * SYNC_EARLY_MAX));
  cr_assert(pipeline.first);
  cr_expect_eq(pipeline.first->dead_letter_count, 1, "only the parent is a dead letter");
}

/* The table may become paused only after the 5 minutes. */
Test(syncd_pipeline_waits, no_child_is_a_dead_letter_while_a_table_is_paused) {
  int64_t began = now;
  parent_is_there = false;
  give_child(1);
  cr_assert_null(run(no_sessions_no_parent, began + SYNC_EARLY_MAX));
  now = sync_pipeline_wake(&pipeline) - 1;
  cr_assert_geq(now - began, SYNC_EARLY_MAX);
  give_session(10);
  unsigned before = requests;
  cr_expect_null(run(no_sessions_no_parent, now + SYNC_EARLY_MAX));
  cr_expect_gt(requests - before, 10, "the child is tried meanwhile");
  cr_expect(pipeline.table_again[CK_SESSIONS]);
  cr_expect_eq(dead_letters_held(), 0);
}

/* After the table is repaired, what the child points to may still have to be sent. */
Test(syncd_pipeline_waits, the_time_in_which_a_table_is_paused_does_not_count) {
  parent_is_there = false;
  give_child(1);
  give_session(10);
  cr_expect_null(run(no_sessions_no_parent, now + 3 * SYNC_EARLY_MAX));
  struct sync_batch *session = run(foreign_keys, now + 2 * MAX_BACKOFF);
  int64_t mended = now;
  cr_assert(session && session->upto == 10);
  sync_pipeline_drop(session);
  cr_expect_null(run(foreign_keys, mended + SYNC_EARLY_MAX - MAX_BACKOFF));
  cr_expect_eq(dead_letters_held(), 0);
  struct sync_batch *child = run(foreign_keys, mended + SYNC_EARLY_MAX + MAX_BACKOFF);
  cr_assert(child && child->upto == 2);
  cr_expect_eq(child->dead_letter_count, 1);
  sync_pipeline_drop(child);
}

static int64_t taken_apart_at;
static struct sync_answer early_and_then_apart(struct sync_slice *s) {
  if (now >= taken_apart_at)
    return is(SYNC_EARLY, "UNIQUE constraint failed: renewal_jobs.message_id");
  for (size_t i = 0; i < s->n; ++i) sync_row_mark(s->rows[i], SYNC_ROW_EARLY, "FOREIGN KEY");
  return is(SYNC_DONE, "");
}

/* Both halves have waited since the beginning. */
Test(syncd_pipeline_waits, halves_of_a_waiting_slice_do_not_start_to_wait_again) {
  int64_t began = now;
  taken_apart_at = now + SYNC_EARLY_MAX - 60000;
  give_child(1);
  struct sync_batch *batch = run(early_and_then_apart, now + 2 * SYNC_EARLY_MAX);
  cr_assert(batch);
  cr_expect_eq(batch->dead_letter_count, 2);
  cr_expect_lt(now - began, SYNC_EARLY_MAX + 20000, "after %lld ms", (long long)(now - began));
  sync_pipeline_drop(batch);
}
