/* What waits: for a table that is paused, for a parent in another batch, and what is handed back meanwhile. */
#include "tests/unit/test_syncd_jobs.h"

TestSuite(syncd_jobs_waits, .init = setup, .fini = teardown);

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

Test(syncd_jobs_waits, a_missing_table_is_paused_and_the_others_go_on) {
  give_each(1);
  give_each(7);
  cr_expect_eq(sync_jobs_room(&jobs), 0);
  cr_expect_null(run(no_sessions, now));
  cr_expect(sync_jobs_room(&jobs) > 0, "what only waits is not in hand");
  for (struct sync_job *job = jobs.first; job; job = job->next) {
    cr_assert(job->pieces && !job->pieces->next);
    cr_expect(job->pieces->slice.n == 1 && job->pieces->slice.rows[0]->row.table == CK_SESSIONS);
  }
  cr_expect_str_eq(sync_jobs_state(&jobs, now), "waiting");
  cr_expect_str_eq(jobs.last_error, "no such table: sessions");
  unsigned before = requests;
  cr_expect_null(run(no_sessions, now + 10 * MAX_BACKOFF));
  cr_expect_lt(requests - before, 30, "a paused table is asked about once in a while: %u", requests - before);
  for (int i = 0; i < 2; ++i) {
    struct sync_job *job = run(all_well, now + MAX_BACKOFF);
    cr_assert(job);
    cr_expect_eq(job->dead_count, 0);
    sync_job_free(job);
  }
  cr_expect_eq(jobs.table_again[CK_SESSIONS], 0);
}

/* However many batches have rows of it: the others go on. */
Test(syncd_jobs_waits, a_paused_table_puts_off_any_number_of_batches) {
  unsigned put_off = 0;
  for (unsigned i = 0; i < 500; ++i) {
    give_each(1 + i * CK_TABLES);
    cr_expect_null(run(no_sessions, now));
    cr_assert_gt(sync_jobs_room(&jobs), 0, "no room after %u batches", i);
    sync_jobs_postpone(&jobs);
    for (struct sync_job *job; (job = sync_jobs_returned(&jobs)); sync_job_free(job)) {
      cr_expect(job->postponed && job->batch.after == (uint64_t)i * CK_TABLES);
      ++put_off;
    }
    now += 10;
  }
  cr_expect_eq(sync_jobs_parked(&jobs), SYNC_KEPT_MAX);
  cr_expect_eq(put_off, 500 - SYNC_KEPT_MAX);
  for (int i = 0; i < SYNC_KEPT_MAX; ++i) {
    struct sync_job *job = run(all_well, now + MAX_BACKOFF);
    cr_assert(job, "what was kept finds out that it is mended");
    sync_job_free(job);
  }
}

static struct sync_answer strange_sessions(struct sync_slice *s) {
  for (size_t i = 0; i < s->n; ++i)
    if (s->rows[i]->row.table == CK_SESSIONS) return is(SYNC_ODD, "nobody knows this");
  return is(SYNC_DONE, "");
}

/* … or rows with an error that nobody knows. */
Test(syncd_jobs_waits, odd_rows_put_off_any_number_of_batches) {
  unsigned put_off = 0;
  for (unsigned i = 0; i < 200; ++i) {
    give_each(1 + i * CK_TABLES);
    cr_expect_null(run(strange_sessions, now + 2 * MAX_BACKOFF));
    cr_assert_gt(sync_jobs_room(&jobs), 0, "no room after %u batches", i);
    sync_jobs_postpone(&jobs);
    cr_expect_eq(jobs.postpones, i + 1 >= SYNC_KEPT_MAX);
    for (struct sync_job *job; (job = sync_jobs_returned(&jobs)); sync_job_free(job)) put_off += job->postponed && job->dead_count == 0;
  }
  cr_expect_eq(put_off, 200 - SYNC_KEPT_MAX);
  for (int i = 0; i < SYNC_KEPT_MAX; ++i) {
    struct sync_job *job = run(all_well, now + 2 * MAX_BACKOFF);
    cr_assert(job);
    sync_job_free(job);
  }
  sync_jobs_postpone(&jobs);
  cr_expect_not(jobs.postpones, "what was put off may come again");
}

/* The store is told that there are foreign keys, and sends what the rows point to along; where it cannot, the batch waits here. */
Test(syncd_jobs_waits, a_batch_that_a_foreign_key_stops_is_handed_back_once) {
  parent_is_there = false;
  give_child(1);
  cr_expect_not(jobs.foreign_keys);
  cr_assert(once(foreign_keys));
  cr_expect(jobs.foreign_keys);
  cr_expect_null(jobs.first, "it is not held any more");
  cr_expect_eq(sync_jobs_room(&jobs), SYNC_IN_HAND);
  cr_assert_eq(lease_anew(), 1);
  cr_assert(once(foreign_keys) && once(foreign_keys));
  cr_expect_eq(lease_anew(), 0);
  cr_assert(jobs.first);
  cr_expect_eq(jobs.first->pieces->parked, SYNC_PARKED_EARLY);
  /* Each batch for itself. */
  give_child(100);
  while (!jobs.back) cr_assert(once(foreign_keys));
  cr_expect_eq(jobs.back->batch.after, 99);
}

/* A worker that ends keeps only what the sink has. */
Test(syncd_jobs_waits, what_the_sink_does_not_have_is_handed_back) {
  give_messages(1, 10);
  give_messages(11, 10);
  cr_assert(sync_jobs_pick(&jobs, now));
  sync_jobs_give_back(&jobs);
  struct sync_job *back = sync_jobs_returned(&jobs);
  cr_assert(back && back->batch.after == 10 && !sync_jobs_returned(&jobs));
  sync_job_free(back);
  struct sync_answer a = is(SYNC_DONE, "");
  sync_jobs_answer(&jobs, &a, now, TODAY);
  sync_jobs_give_back(&jobs);
  cr_expect_null(sync_jobs_returned(&jobs), "what is done is told, not handed back");
  struct sync_job *done = sync_jobs_finished(&jobs);
  cr_assert(done);
  sync_job_free(done);
}

Test(syncd_jobs_waits, a_child_waits_for_its_parent_in_a_later_batch) {
  parent_is_there = false;
  give_child(1);
  cr_expect_null(run(foreign_keys, now + 60000));
  cr_expect(sync_jobs_room(&jobs) > 0);
  cr_assert(jobs.first && jobs.first->pieces->slice.n == 1);
  cr_expect_eq(jobs.first->frame.cap, 0, "what waits long holds its rows only");
  give_parent(3);
  struct sync_job *parent = run(foreign_keys, now);
  cr_assert(parent && parent->batch.upto == 3);
  sync_job_free(parent);
  struct sync_job *child = run(foreign_keys, now + 6000);
  cr_assert(child && child->batch.upto == 2);
  cr_expect_eq(child->dead_count, 0);
  sync_job_free(child);
}

static void give_with_parents(const char *parent) {
  struct help_batch h;
  struct ck_row m = help_row(CK_MESSAGES, parent), e = help_row(CK_EXECUTIONS, "e"), other = help_row(CK_EXECUTIONS, "other");
  help_open(&h);
  h.parents = true;
  help_add(&h, 1, &m);
  help_add(&h, 2, &e);
  help_add(&h, 3, &other);
  give_batch(&h, 1, 0, 3);
}

/* The message is refused, and so what points to it has nothing to wait for. */
static struct sync_answer no_parent(struct sync_slice *s) {
  if (has_key(s, "bad")) return is(SYNC_ROW, "CHECK constraint failed: bad");
  return foreign_keys(s);
}

Test(syncd_jobs_waits, a_child_whose_parent_is_set_aside_is_so_at_once) {
  int64_t began = now;
  parent_is_there = false;
  jobs.foreign_keys = true;
  give_with_parents("bad");
  struct sync_job *job = run(no_parent, now + SYNC_EARLY_MAX);
  cr_assert(job, "it waits");
  cr_expect_lt(now - began, 1000);
  cr_expect_eq(job->dead_count, 2);
  cr_expect(memmem(job->dead.data, job->dead.len, "CHECK constraint", 16) && memmem(job->dead.data, job->dead.len, "FOREIGN KEY", 11));
  cr_expect_null(memmem(job->dead.data, job->dead.len, "5 minutes", 9));
  sync_job_free(job);
}

/* … but not while the parent itself waits. */
static struct sync_answer strange_parent(struct sync_slice *s) {
  if (has_key(s, "odd")) return is(SYNC_ODD, "nobody knows this");
  return foreign_keys(s);
}

Test(syncd_jobs_waits, a_child_whose_parent_waits_waits_too) {
  parent_is_there = false;
  give_with_parents("odd");
  cr_expect_null(run(strange_parent, now + SYNC_EARLY_MAX / 2));
  cr_assert(jobs.first);
  cr_expect_eq(jobs.first->dead_count, 0);
}

Test(syncd_jobs_waits, a_child_whose_parent_never_comes_is_set_aside_after_5_minutes) {
  int64_t began = now;
  parent_is_there = false;
  give_child(1);
  struct sync_job *job = run(foreign_keys, now + 2 * SYNC_EARLY_MAX);
  cr_assert(job);
  cr_expect_geq(now - began, SYNC_EARLY_MAX);
  cr_expect_lt(now - began, SYNC_EARLY_MAX + 10000);
  cr_expect_eq(job->dead_count, 1);
  cr_expect_lt(requests, 100, "%u", requests);
  sync_job_free(job);
}

/* Sessions are missing, and e points to what is not there. */
static struct sync_answer no_sessions_no_parent(struct sync_slice *s) {
  struct sync_answer a = no_sessions(s);
  return a.class == SYNC_TABLE ? a : foreign_keys(s);
}

/* The parent may be in the table that waits for a person. */
Test(syncd_jobs_waits, a_child_waits_for_as_long_as_a_table_is_paused) {
  parent_is_there = false;
  give_each(100);
  give_child(1);
  cr_expect_null(run(no_sessions_no_parent, now + 3 * SYNC_EARLY_MAX), "set aside while a table is paused");
  cr_expect_neq(jobs.table_again[CK_SESSIONS], 0);
  for (struct sync_job *job = jobs.first; job; job = job->next) cr_expect_eq(job->dead_count, 0);
  struct sync_job *mended = run(foreign_keys, now + MAX_BACKOFF);
  cr_assert(mended && mended->batch.after == 99);
  cr_expect_eq(mended->dead_count, 0);
  sync_job_free(mended);
  struct sync_job *child = run(foreign_keys, now + 2 * SYNC_EARLY_MAX);
  cr_assert(child, "it still waits when no table is paused any more");
  cr_expect_eq(child->dead_count, 1);
  sync_job_free(child);
}

/* A batch that came with its parents waits too, while one of their tables is paused. */
Test(syncd_jobs_waits, a_child_whose_parent_is_refused_waits_while_a_table_is_paused) {
  parent_is_there = false;
  jobs.foreign_keys = true;
  jobs.table_again[CK_SESSIONS] = now + MAX_BACKOFF;
  give_with_parents("bad");
  cr_expect_null(run(no_parent, now + 2 * SYNC_EARLY_MAX));
  cr_assert(jobs.first);
  cr_expect_eq(jobs.first->dead_count, 1, "only the parent is set aside");
}

static int64_t taken_apart_at;
static struct sync_answer early_and_then_apart(struct sync_slice *s) {
  if (now >= taken_apart_at) return is(SYNC_EARLY, "UNIQUE constraint failed: renewal_jobs.message_id");
  for (size_t i = 0; i < s->n; ++i) sync_row_mark(s->rows[i], SYNC_ROW_EARLY, "FOREIGN KEY");
  return is(SYNC_DONE, "");
}

/* Both halves have waited since the beginning. */
Test(syncd_jobs_waits, what_is_taken_apart_while_it_waits_does_not_wait_anew) {
  int64_t began = now;
  taken_apart_at = now + SYNC_EARLY_MAX - 60000;
  give_child(1);
  struct sync_job *job = run(early_and_then_apart, now + 2 * SYNC_EARLY_MAX);
  cr_assert(job);
  cr_expect_eq(job->dead_count, 2);
  cr_expect_lt(now - began, SYNC_EARLY_MAX + 20000, "after %lld ms", (long long)(now - began));
  sync_job_free(job);
}
