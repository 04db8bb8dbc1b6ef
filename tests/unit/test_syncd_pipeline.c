/* The pipeline with a sink that answers each slice in a given way: how many requests, what
 * waits, and what becomes a dead letter. */
#include "tests/unit/test_syncd_pipeline.h"

#include <stdlib.h>
#include <string.h>

TestSuite(syncd_pipeline, .init = setup, .fini = teardown);

/* ---- stories ---- */

Test(syncd_pipeline, a_batch_is_one_request_and_an_empty_one_none) {
  struct help_batch h;
  give_messages(1, 500);
  struct sync_batch *batch = run(all_well, now);
  cr_assert(batch && requests == 1);
  cr_expect_eq(batch->upto, 500);
  cr_expect_eq(batch->dead_letter_count, 0);
  sync_pipeline_drop(batch);
  help_open(&h);
  give_batch(&h, 3, 500, 700);
  batch = run(all_well, now);
  cr_assert(batch && requests == 1);
  sync_pipeline_drop(batch);
  cr_expect_str_eq(sync_pipeline_state(&pipeline, now), "idle");
}

static struct sync_answer m777_is_bad(struct sync_slice *s) {
  return has_key(s, "m777") ? is(SYNC_ROW, "CHECK constraint failed: m777") : is(SYNC_DONE, "");
}

Test(syncd_pipeline, one_bad_row_in_a_thousand_is_found_in_21_requests) {
  give_messages(1, 1000);
  struct sync_batch *batch = run(m777_is_bad, now);
  cr_assert(batch);
  cr_expect_leq(requests, 21, "%u", requests);
  cr_expect_eq(batch->dead_letter_count, 1);
  struct ck_reader r = ck_reader_of(ck_buf_view(&batch->dead_letters));
  struct ck_str table, key, reason;
  uint32_t n;
  uint64_t version;
  cr_assert(ck_read_array(&r, &n) == 0 && n == 4 && ck_read_str(&r, &table) == 0 &&
            ck_read_str(&r, &key) == 0);
  cr_assert(ck_read_uint(&r, &version) == 0 && ck_read_str(&r, &reason) == 0);
  cr_expect(ck_str_is(table, "messages") && ck_str_is(key, "m777") && version == 777);
  cr_expect(ck_str_is(reason, "CHECK constraint failed: m777"));
  sync_pipeline_drop(batch);
}

static struct sync_answer down(struct sync_slice *s) {
  (void)s;
  return is(SYNC_UNKNOWN, "curl 7");
}

/* An outage of an hour, with a sink that has no cheap request: waits of 50 ms, doubling up to the
 * maximum, with full jitter. */
static int64_t outage(int64_t ms, unsigned *probes) {
  int64_t began = now, longest = 0;
  *probes = 0;
  while (now < began + ms) {
    if (sync_pipeline_probe(&pipeline, now)) {
      struct sync_answer a = is(SYNC_NOT_APPLIED, "curl 7");
      sync_pipeline_probed(&pipeline, &a, now);
      ++*probes;
    } else if (once(down)) {
      if (pipeline.again - now > longest) longest = pipeline.again - now;
    }
    int64_t wait = sync_pipeline_wake(&pipeline) - now;
    cr_assert_gt(wait, 0);
    if (pipeline.still_since) cr_assert_leq(wait, 1600);
    cr_expect_str_eq(sync_pipeline_state(&pipeline, now), "waiting");
    now += wait;
  }
  return longest;
}

Test(syncd_pipeline, an_outage_of_an_hour_leaves_nothing_dead_and_is_over_within_2_s) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    unsigned probes;
    teardown();
    setup();
    sync_pipeline_init(&pipeline, &limits, MAX_BACKOFF, seed);
    pipeline.probes = true;
    give_messages(1, 100);
    int64_t longest = outage(TODAY, &probes);
    cr_expect(longest > MAX_BACKOFF / 2 && longest <= MAX_BACKOFF + 1,
              "the longest wait was %lld ms", (long long)longest);
    cr_expect_lt(requests, 600, "%u requests that carry rows", requests);
    cr_expect(probes > 2000 && probes < 3100, "%u probes", probes);
    cr_expect_str_eq(pipeline.last_error, "curl 7");
    int64_t ended = now;
    while (!sync_pipeline_probe(&pipeline, now) && pipeline.again > now)
      now = sync_pipeline_wake(&pipeline);
    struct sync_answer a = is(SYNC_DONE, "");
    if (pipeline.again > now) sync_pipeline_probed(&pipeline, &a, now);
    struct sync_batch *batch = run(all_well, now);
    cr_assert(batch, "seed %u", (unsigned)seed);
    cr_expect_leq(now - ended, 2000, "%lld ms", (long long)(now - ended));
    cr_expect_eq(batch->dead_letter_count, 0);
    cr_expect_eq(pipeline.last_error[0], '\0');
    sync_pipeline_drop(batch);
  }
}

Test(syncd_pipeline, a_sink_without_a_cheap_request_is_tried_as_often_as_that_would_be) {
  unsigned probes;
  give_messages(1, 100);
  int64_t longest = outage(TODAY, &probes);
  cr_expect_eq(probes, 0);
  cr_expect_leq(longest, 1601);
  struct sync_batch *batch = run(all_well, now + 2000);
  cr_assert(batch);
  sync_pipeline_drop(batch);
}

/* 50 ms, 100, 200, …: the n-th wait is anything up to that. */
Test(syncd_pipeline, waits_double_with_full_jitter) {
  int64_t most[8] = {0}, least[8];
  for (int i = 0; i < 8; ++i) least[i] = INT64_MAX;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    teardown();
    setup();
    sync_pipeline_init(&pipeline, &limits, MAX_BACKOFF, seed * 7919);
    pipeline.probes = true;
    give_messages(1, 1);
    for (int i = 0; i < 8; ++i) {
      cr_assert(once(down));
      int64_t wait = pipeline.again - now;
      if (wait > most[i]) most[i] = wait;
      if (wait < least[i]) least[i] = wait;
      now = pipeline.again;
    }
  }
  for (int i = 0; i < 8; ++i) {
    int64_t limit = 50 << i;
    cr_expect(most[i] <= limit && most[i] > limit * 9 / 10, "wait %d: up to %lld", i,
              (long long)most[i]);
    cr_expect_lt(least[i], limit / 10 + 2, "wait %d: from %lld", i, (long long)least[i]);
  }
}

/* The time in which the sink was away does not count for a child that waits for its parent. */
Test(syncd_pipeline, an_outage_does_not_count_as_waiting_for_a_parent) {
  unsigned probes;
  parent_is_there = false;
  pipeline.probes = true;
  give_child(1);
  cr_expect_null(run(foreign_keys, now + 10000));
  outage(TODAY, &probes);
  pipeline.again = now;
  cr_expect_null(run(foreign_keys, now + 10000));
  give_parent(3);
  for (int i = 0; i < 2; ++i) {
    struct sync_batch *batch = run(foreign_keys, now + 10000);
    cr_assert(batch);
    cr_expect_eq(batch->dead_letter_count, 0);
    sync_pipeline_drop(batch);
  }
}

/* A slice that keeps failing while others get through is no outage: it is halved until the row is
 * found, and there are no dead letters. */
static struct sync_answer m5_resets_it(struct sync_slice *s) {
  return has_key(s, "m5") ? is(SYNC_UNKNOWN, "caused object to be reset") : is(SYNC_DONE, "");
}

Test(syncd_pipeline, a_row_that_resets_the_sink_is_found_and_waits_alone) {
  give_messages(1, 8);
  pipeline.probes = true;
  unsigned alone = 0;
  for (int i = 0; i < 400; ++i) {
    struct sync_answer well = is(SYNC_DONE, "");
    if (sync_pipeline_probe(&pipeline, now))
      sync_pipeline_probed(&pipeline, &well, now);
    else
      once(m5_resets_it);
    now = sync_pipeline_wake(&pipeline);
    if (!alone && pipeline.first->slices->state == SYNC_SLICE_STUCK) alone = requests;
  }
  cr_expect(alone && alone <= 24, "once it is blamed, each half tells at once: %u requests", alone);
  cr_assert(pipeline.first && pipeline.first->slices && !pipeline.first->slices->next);
  cr_expect_eq(pipeline.first->slices->n, 1);
  cr_expect_eq(pipeline.first->slices->state, SYNC_SLICE_STUCK);
  struct sync_batch *batch = run(all_well, now + MAX_BACKOFF);
  cr_assert(batch);
  cr_expect_eq(batch->dead_letter_count, 0);
  sync_pipeline_drop(batch);
}

/* While a bad row is looked for, at least every second request is another batch's. */
Test(syncd_pipeline, others_do_not_wait_while_a_bad_row_is_found) {
  give_messages(1, 1000);
  give_messages(1001, 10);
  for (struct sync_slice *p = pipeline.first->next->slices; p; p = p->next) cr_assert_eq(p->n, 10);
  int64_t upto = 0;
  for (int i = 0; i < 3; ++i) {
    cr_assert(once(m777_is_bad));
    struct sync_batch *batch = sync_pipeline_answered(&pipeline);
    if (!batch) continue;
    upto = (int64_t)batch->upto;
    sync_pipeline_drop(batch);
  }
  cr_expect_eq(upto, 1010);
}

static struct sync_answer too_many(struct sync_slice *s) {
  struct sync_answer a = is(SYNC_WAIT, "429");
  (void)s;
  a.wait_ms = 7000;
  return a;
}

Test(syncd_pipeline, retry_after_is_obeyed) {
  give_messages(1, 10);
  cr_assert(once(too_many));
  cr_expect_geq(sync_pipeline_wake(&pipeline) - now, 7000);
  cr_expect_lt(sync_pipeline_wake(&pipeline) - now, 8000);
  now += 6999;
  cr_expect_not(once(all_well));
  struct sync_batch *batch = run(all_well, now + 2000);
  cr_assert(batch);
  sync_pipeline_drop(batch);
}

static struct sync_answer used_up(struct sync_slice *s) {
  (void)s;
  return is(SYNC_QUOTA, "daily row write limit");
}

Test(syncd_pipeline, the_daily_quota_waits_for_the_day_to_end) {
  give_messages(1, 10);
  cr_assert(once(used_up));
  cr_expect_geq(sync_pipeline_wake(&pipeline) - now, TODAY);
}

static struct sync_answer no_access(struct sync_slice *s) {
  (void)s;
  return is(SYNC_STOP, "10000 Authentication error");
}

Test(syncd_pipeline, without_access_it_stops_and_looks_again_every_30_s) {
  give_messages(1, 10);
  cr_assert(once(no_access));
  cr_expect_str_eq(sync_pipeline_state(&pipeline, now), "stopped");
  cr_expect_eq(sync_pipeline_wake(&pipeline) - now, 30000);
  struct sync_batch *batch = run(all_well, now + 30000);
  cr_assert(batch);
  sync_pipeline_drop(batch);
  cr_expect_str_eq(sync_pipeline_state(&pipeline, now), "idle");
}

static struct sync_answer lost(struct sync_slice *s) {
  (void)s;
  return is(SYNC_UNKNOWN, "connection lost");
}

/* Somebody has repaired that, and it asks to wait: no person is needed. */
Test(syncd_pipeline, a_sink_that_answers_again_does_not_refuse_everything) {
  static struct sync_answer (*const answers[])(struct sync_slice * s) = {too_many, used_up};
  for (size_t i = 0; i < 2; ++i) {
    give_messages(1, 10);
    cr_assert(once(no_access));
    now = sync_pipeline_wake(&pipeline);
    cr_assert(once(lost));
    cr_expect_str_eq(sync_pipeline_state(&pipeline, now), "stopped", "nothing has answered");
    now = sync_pipeline_wake(&pipeline);
    cr_assert(once(answers[i]));
    cr_expect_str_eq(sync_pipeline_state(&pipeline, now), "waiting");
    struct sync_batch *batch = run(all_well, INT64_MAX - 1);
    cr_assert(batch);
    sync_pipeline_drop(batch);
  }
}

static struct sync_answer ten_at_most(struct sync_slice *s) {
  return s->n > 10 ? is(SYNC_SPLIT, "exceeded its memory limit") : is(SYNC_DONE, "");
}
static struct sync_answer ten_when_busy(struct sync_slice *s) {
  return s->n > 10 ? is(SYNC_LESS, "overloaded") : is(SYNC_DONE, "");
}

Test(syncd_pipeline, what_is_too_much_is_sent_in_less) {
  give_messages(1, 100);
  struct sync_batch *batch = run(ten_at_most, now + TODAY);
  cr_assert(batch && batch->dead_letter_count == 0);
  sync_pipeline_drop(batch);
  give_messages(101, 100);
  batch = run(ten_when_busy, now + TODAY);
  cr_assert(batch && batch->dead_letter_count == 0);
  sync_pipeline_drop(batch);
}

static struct sync_answer m5_is_a_riddle(struct sync_slice *s) {
  return has_key(s, "m5") ? is(SYNC_ODD, "never heard of") : is(SYNC_DONE, "");
}

Test(syncd_pipeline, an_error_that_nobody_knows_parks_its_row_and_leaves_no_dead_letter) {
  give_messages(1, 64);
  cr_expect_null(run(m5_is_a_riddle, now + 10 * MAX_BACKOFF));
  cr_assert(pipeline.first && pipeline.first->slices && !pipeline.first->slices->next);
  cr_expect_eq(pipeline.first->slices->n, 1);
  cr_expect_eq(pipeline.first->dead_letter_count, 0);
  struct sync_batch *batch = run(all_well, now + MAX_BACKOFF);
  cr_assert(batch);
  sync_pipeline_drop(batch);
}

Test(syncd_pipeline, a_range_that_was_leased_again_is_held_once) {
  give_messages(1, 10);
  give_messages(1, 10);
  cr_assert(pipeline.first && !pipeline.first->next);
  cr_assert(sync_pipeline_pick(&pipeline, now));
  give_messages(1, 10); /* the sink has the first one, which stays until it is answered */
  cr_expect(pipeline.first->next && !pipeline.first->next->next);
  struct sync_answer a = is(SYNC_DONE, "");
  sync_pipeline_answer(&pipeline, &a, now, TODAY);
}

/* With any answers of the sink, in any order: nothing is lost, no dead letter is applied, and it
 * ends. */
static unsigned dice;
static size_t applied;
static struct sync_answer anything(struct sync_slice *s) {
  static const enum sync_class classes[] = {SYNC_UNKNOWN, SYNC_NOT_APPLIED, SYNC_LESS,  SYNC_SPLIT,
                                            SYNC_WAIT,    SYNC_STOP,        SYNC_TABLE, SYNC_EARLY,
                                            SYNC_ROW,     SYNC_ODD};
  dice = dice * 1103515245u + 12345u;
  unsigned roll = dice >> 16;
  if (roll % 3) return is(classes[roll / 3 % 10], "chance");
  for (size_t i = 0; i < s->n; ++i) applied += s->rows[i]->state == SYNC_ROW_OPEN;
  return is(SYNC_DONE, "");
}

Test(syncd_pipeline, chance) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    size_t dead = 0, rows = 60;
    setup();
    dice = seed;
    applied = 0;
    give_messages(1, 50);
    struct help_batch h;
    help_open(&h);
    for (unsigned i = 0; i < 10; ++i) {
      char key[2] = {(char)('a' + i), '\0'};
      struct ck_row row = help_row((enum ck_table)(i % CK_TABLES), key);
      help_add(&h, 51 + i, &row);
    }
    give_batch(&h, 2, 50, 60);
    for (struct sync_batch *batch; (batch = run(anything, INT64_MAX - 1));
         sync_pipeline_drop(batch))
      dead += batch->dead_letter_count;
    cr_assert_eq(applied + dead, rows, "seed %u: %zu applied, %zu dead", seed, applied, dead);
    cr_assert_null(pipeline.first);
  }
}
