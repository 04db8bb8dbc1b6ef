/* Leases: each range is granted once, and again when its lease is lost; only the current holder can
 * end it; the cursor never passes an open range. */
#include "test_store_help.h"

#define LEASE_MS 10000
#define LEASES_MAX 1024

static void expect_lease(struct lease l, uint64_t after, uint64_t upto) {
  cr_expect_eq(l.after, after, "after %llu, not %llu", (unsigned long long)l.after,
               (unsigned long long)after);
  cr_expect_eq(l.upto, upto, "upto %llu, not %llu", (unsigned long long)l.upto,
               (unsigned long long)upto);
}

static bool ends(struct leases *l, struct lease lease, uint64_t expected) {
  uint64_t cursor;
  bool current = leases_end(l, &lease, &cursor);
  if (current) leases_committed(l);
  cr_expect_eq(cursor, expected, "cursor %llu, not %llu", (unsigned long long)cursor,
               (unsigned long long)expected);
  return current;
}

static struct lease next_to(struct leases *l, uint64_t upto, int64_t now) {
  size_t in_flight;
  return leases_grant(l, leases_next(l, &in_flight), upto, now);
}

Test(leases, ranges_follow_each_other_and_the_cursor_them) {
  struct leases *l = leases_new(100, 3);
  size_t in_flight;
  cr_expect_eq(leases_next(l, &in_flight), 100);
  cr_expect_eq(in_flight, 0);
  cr_expect_eq(leases_deadline(l), INT64_MAX);
  struct lease a = next_to(l, 110, 0), b = next_to(l, 120, 1), c = next_to(l, 130, 2);
  expect_lease(a, 100, 110);
  expect_lease(b, 110, 120);
  expect_lease(c, 120, 130);
  cr_expect(a.generation >> 32 == 3 && a.generation < b.generation && b.generation < c.generation);
  cr_expect_eq(leases_next(l, &in_flight), 130);
  cr_expect_eq(in_flight, 3);
  cr_expect_eq(leases_deadline(l), LEASE_MS);
  cr_expect(ends(l, b, 100));
  cr_expect_eq(leases_next(l, &in_flight), 130);
  cr_expect_eq(in_flight, 2);
  cr_expect(ends(l, a, 120));
  cr_expect_eq(leases_cursor(l), 120);
  cr_expect(ends(l, c, 130));
  cr_expect_eq(leases_next(l, &in_flight), 130);
  cr_expect_eq(in_flight, 0);
  cr_expect_not(ends(l, c, 130), "twice");
  leases_free(&l);
  cr_expect_null(l);
}

Test(leases, only_the_current_generation_and_its_very_range_count) {
  struct leases *l = leases_new(0, 1);
  struct lease a = next_to(l, 10, 0), again;
  cr_expect_not(ends(l, ((struct lease){a.generation, 0, 9}), 0));
  cr_expect_not(ends(l, ((struct lease){a.generation, 1, 10}), 0));
  cr_expect_not(ends(l, ((struct lease){a.generation + 1, 0, 10}), 0));
  cr_expect_not(leases_regrant(l, LEASE_MS - 1, &again));
  cr_expect(leases_regrant(l, LEASE_MS, &again));
  expect_lease(again, 0, 10);
  cr_expect_gt(again.generation, a.generation);
  cr_expect_not(ends(l, a, 0), "the worker that was too late");
  cr_expect(ends(l, again, 10));
  leases_free(&l);
}

Test(leases, a_HELD_extends_them) {
  struct leases *l = leases_new(0, 1);
  struct lease a = next_to(l, 10, 0), again;
  leases_extend(l, a.generation, 9000);
  cr_expect_not(leases_regrant(l, 18999, &again));
  leases_extend(l, a.generation, 100);
  cr_expect_eq(leases_deadline(l), 19000, "an older HELD shortens nothing");
  leases_extend(l, a.generation + 5, 50000);
  cr_expect(leases_regrant(l, 19000, &again));
  leases_extend(l, a.generation, 50000);
  cr_expect_eq(leases_deadline(l), 29000, "the former generation extends nothing");
  leases_free(&l);
}

Test(leases, an_unsent_range_is_free_if_it_is_the_last_else_it_expires) {
  struct leases *l = leases_new(0, 1);
  size_t in_flight;
  struct lease a = next_to(l, 10, 0), b = next_to(l, 20, 0), again;
  leases_return(l, b.generation);
  cr_expect_eq(leases_next(l, &in_flight), 10, "the last one is free again");
  b = next_to(l, 30, 0);
  expect_lease(b, 10, 30);
  leases_return(l, a.generation);
  cr_expect(leases_regrant(l, 1, &again), "another expires at once");
  expect_lease(again, 0, 10);
  cr_expect(ends(l, again, 10));
  cr_expect(ends(l, b, 30));
  leases_free(&l);
}

/* A worker may return a lease at any time; one that it does not have changes nothing. */
Test(leases, only_a_lease_in_flight_can_be_returned) {
  struct leases *l = leases_new(0, 1);
  size_t in_flight;
  uint64_t cursor;
  struct lease a = next_to(l, 10, 0), b = next_to(l, 20, 0), again;
  cr_expect(leases_end(l, &b, &cursor));
  cr_expect_not(leases_return(l, b.generation), "its outcome is being written");
  leases_committed(l);
  cr_expect_not(leases_return(l, b.generation), "done");
  cr_expect_not(leases_return(l, 12345));
  cr_expect(leases_return(l, a.generation));
  cr_expect(leases_regrant(l, 1, &again));
  cr_expect_not(leases_return(l, a.generation), "not the current one");
  cr_expect_eq(leases_next(l, &in_flight), 20);
  leases_free(&l);
}

/* A worker that ends returns all leases that it has not sent, the lowest first. */
Test(leases, a_returned_range_is_with_no_worker) {
  struct leases *l = leases_new(0, 1);
  size_t in_flight;
  struct lease a = next_to(l, 10, 0), b = next_to(l, 20, 0), c = next_to(l, 30, 0), again;
  cr_expect(leases_return(l, b.generation) && leases_return(l, c.generation));
  cr_expect_eq(leases_next(l, &in_flight), 20);
  cr_expect_eq(in_flight, 1, "%zu", in_flight);
  cr_expect(ends(l, a, 10));
  leases_next(l, &in_flight);
  cr_expect_eq(in_flight, 0, "%zu", in_flight);
  cr_expect(leases_regrant(l, 1, &again));
  expect_lease(again, 10, 20);
  leases_next(l, &in_flight);
  cr_expect_eq(in_flight, 1, "%zu", in_flight);
  leases_free(&l);
}

/* Until the range is granted again its generation is current, so an outcome still counts. */
Test(leases, a_returned_range_is_not_held_and_may_still_be_ended) {
  struct leases *l = leases_new(0, 1);
  struct lease a = next_to(l, 10, 0), b = next_to(l, 20, 0), again;
  cr_expect(leases_return(l, a.generation));
  leases_extend(l, a.generation, 5000);
  cr_expect_eq(leases_deadline(l), 0, "HELD does not take it back");
  cr_expect_not(leases_return(l, a.generation), "twice");
  cr_expect_not(leases_postpone(l, a.generation), "no worker has it");
  cr_expect(ends(l, a, 10));
  cr_expect_not(leases_regrant(l, LEASE_MS - 1, &again));
  cr_expect(ends(l, b, 20));
  leases_free(&l);
}

Test(leases, a_range_that_does_not_fit_any_more_is_split) {
  struct leases *l = leases_new(0, 1);
  struct lease a = next_to(l, 100, 0), b = next_to(l, 200, 0), rest;
  cr_expect_not(leases_split(l, a.generation, 100), "nothing would be left for the second");
  cr_expect_not(leases_split(l, a.generation, 0));
  cr_expect_not(leases_split(l, a.generation + 77, 50));
  cr_assert(leases_split(l, a.generation, 40));
  cr_assert(leases_regrant(l, 1, &rest), "the rest can be granted at once");
  expect_lease(rest, 40, 100);
  cr_expect(rest.generation != a.generation && rest.generation != b.generation);
  cr_expect(ends(l, b, 0));
  cr_expect_not(ends(l, a, 0), "no worker has the whole range now");
  a.upto = 40;
  cr_expect(ends(l, a, 40));
  cr_expect(ends(l, rest, 200));
  leases_free(&l);
}

/* A table is paused, and each batch has records of it. However many are postponed, they take one
 * slot, and are granted again piece by piece. */
Test(leases, postponed_ranges_take_one_slot) {
  struct leases *l = leases_new(0, 1);
  uint64_t after, upto;
  for (unsigned i = 0; i < 3 * LEASES_MAX; ++i) {
    struct lease one = next_to(l, 10 * (i + 1), 0);
    if (i % 3 == 2)
      cr_expect(ends(l, one, 0));
    else
      cr_expect(leases_postpone(l, one.generation));
    cr_assert_not(leases_full(l), "full after %u", i);
  }
  cr_expect_not(leases_postpone(l, 1));
  cr_assert(leases_backlog_next(l, true, &after, &upto));
  cr_expect(after == 0 && upto == 10 * 3 * LEASES_MAX - 10, "(%llu, %llu]",
            (unsigned long long)after, (unsigned long long)upto);
  struct lease piece = leases_grant(l, 0, upto, 0);
  cr_expect(piece.generation && ends(l, piece, upto + 10));
  leases_free(&l);
}

/* In a backfill, too, ranges that need a person are postponed while the rest goes on. */
Test(leases, postponed_ranges_do_not_block_a_backlog) {
  struct leases *l = leases_new(0, 1);
  uint64_t after, upto;
  leases_add_backlog(l, 100);
  for (uint64_t at = 0; at < 80; at += 20) {
    cr_assert(leases_backlog_next(l, false, &after, &upto));
    cr_expect(after == at && upto == 100);
    struct lease bad = leases_grant(l, at, at + 10, 0), good = leases_grant(l, at + 10, at + 20, 0);
    cr_expect(leases_postpone(l, bad.generation) && ends(l, good, 0));
  }
  cr_expect_eq(leases_backlog_left(l), 20 + 70);
  cr_assert(leases_backlog_next(l, true, &after, &upto));
  cr_expect(after == 0 && upto == 70);
  cr_expect(ends(l, leases_grant(l, 80, 100, 0), 0));
  cr_expect_not(leases_backlog_next(l, false, &after, &upto));
  cr_expect(ends(l, leases_grant(l, 0, 70, 0), 100));
  leases_free(&l);
}

/* A range in flight is not merged with the postponed ranges beside it. */
Test(leases, a_range_in_flight_between_postponed_ones_is_not_postponed) {
  struct leases *l = leases_new(0, 1);
  uint64_t after, upto;
  struct lease a = next_to(l, 10, 0), b = next_to(l, 20, 0), c = next_to(l, 30, 0);
  cr_expect(leases_postpone(l, a.generation) && leases_postpone(l, c.generation));
  cr_expect_eq(leases_backlog_left(l), 20);
  cr_expect(ends(l, b, 0));
  cr_assert(leases_backlog_next(l, true, &after, &upto));
  cr_expect(after == 0 && upto == 10);
  struct lease one = leases_grant(l, 0, 10, 0);
  cr_expect(ends(l, one, 20));
  struct lease other = leases_grant(l, 20, 30, 0);
  cr_expect(other.generation && ends(l, other, 30));
  leases_free(&l);
}

/* An outcome counts when its transaction is durable, not before. */
Test(leases, an_end_can_be_rolled_back) {
  struct leases *l = leases_new(0, 1);
  size_t in_flight;
  uint64_t cursor;
  struct lease a = next_to(l, 10, 0), b = next_to(l, 20, 0), again;
  cr_expect(leases_end(l, &a, &cursor));
  cr_expect_eq(cursor, 10, "the cursor to be written with it");
  cr_expect_eq(leases_cursor(l), 0, "the durable cursor");
  cr_expect(leases_end(l, &b, &cursor));
  cr_expect_eq(cursor, 20);
  cr_expect_not(leases_end(l, &a, &cursor), "twice");
  cr_expect_not(leases_regrant(l, LEASE_MS, &again), "no other worker gets it while it is ending");
  leases_rolled_back(l, b.generation);
  leases_committed(l);
  cr_expect_eq(leases_cursor(l), 10);
  leases_next(l, &in_flight);
  cr_expect_eq(in_flight, 1);
  cr_expect(leases_end(l, &b, &cursor));
  leases_rolled_back(l, b.generation);
  cr_expect(leases_regrant(l, LEASE_MS, &again));
  expect_lease(again, 10, 20);
  leases_free(&l);
}

Test(leases, there_is_a_largest_number) {
  struct leases *l = leases_new(0, 1);
  struct lease all[LEASES_MAX];
  size_t in_flight;
  for (unsigned i = 0; i < LEASES_MAX; ++i) {
    cr_expect_not(leases_full(l));
    all[i] = next_to(l, (i + 1) * 10, 0);
  }
  cr_expect(leases_full(l));
  for (unsigned i = 1; i < LEASES_MAX; ++i) cr_expect(ends(l, all[i], 0));
  leases_next(l, &in_flight);
  cr_expect_eq(in_flight, 1, "%zu in flight", in_flight);
  cr_expect_not(leases_full(l), "the done ranges after the first share one slot");
  cr_expect(ends(l, all[0], LEASES_MAX * 10));
  cr_expect_not(leases_full(l));
  leases_free(&l);
}

/* ---- any history ---- */

#define HELD_MAX 256

struct held {
  struct lease lease;
  bool lost; /* it expired, and another worker has the range */
};

struct history {
  struct leases *l;
  struct held held[HELD_MAX];
  size_t count;
  int64_t now;
  uint64_t head, cursor;
  bool mirrored[100000];
};

/* Grants new versions or a piece of a backlog, or adds a backlog. */
static void grant(struct history *h) {
  size_t unused;
  uint64_t after = leases_next(h->l, &unused), upto = after + 1 + sh_below(9), end;
  if (leases_full(h->l)) return;
  if (sh_below(20) == 0) {
    leases_add_backlog(h->l, after + sh_below(200));
    return;
  }
  if (sh_below(2) && leases_backlog_next(h->l, true, &after, &end))
    upto = after + 1 + sh_below(end - after < 20 ? end - after : 20);
  struct lease l = leases_grant(h->l, after, upto, h->now);
  cr_assert(l.generation && l.after == after && l.upto == upto);
  h->held[h->count++] = (struct held){l, false};
}

static void expire(struct history *h) {
  struct lease again;
  h->now += (int64_t)sh_below(3) * LEASE_MS / 2;
  while (h->count < HELD_MAX && leases_regrant(h->l, h->now, &again)) {
    for (size_t i = 0; i < h->count; ++i)
      if (h->held[i].lease.after == again.after) {
        cr_assert_eq(h->held[i].lease.upto, again.upto, "the range is the same");
        h->held[i].lost = true;
      }
    h->held[h->count++] = (struct held){again, false};
  }
}

static void end(struct history *h) {
  if (!h->count) return;
  size_t i = (size_t)sh_below(h->count);
  struct held one = h->held[i];
  uint64_t cursor;
  bool current = leases_end(h->l, &one.lease, &cursor);
  cr_assert_eq(current, !one.lost);
  h->held[i] = h->held[--h->count];
  if (!current) return;
  if (sh_below(4) == 0) {
    leases_rolled_back(h->l, one.lease.generation);
    h->held[h->count++] = one;
    return;
  }
  leases_committed(h->l);
  for (uint64_t v = one.lease.after + 1; v <= one.lease.upto; ++v) h->mirrored[v] = true;
  cr_assert_eq(leases_cursor(h->l), cursor);
  cr_assert_geq(cursor, h->cursor, "the cursor went back");
  while (h->cursor < cursor)
    cr_assert(h->mirrored[++h->cursor], "%llu is below the cursor, but not mirrored",
              (unsigned long long)h->cursor);
  cr_assert_not(h->mirrored[cursor + 1], "the cursor stays too low");
}

/* New changes go first; the cursor waits for the backlog; done ranges after it share one slot. */
Test(leases, a_backlog_is_skipped_until_it_is_granted) {
  struct leases *l = leases_new(100, 1);
  uint64_t after, upto;
  struct lease first = next_to(l, 110, 0);
  cr_expect_not(leases_backlog_next(l, true, &after, &upto));
  leases_add_backlog(l, 500);
  cr_expect_eq(leases_backlog_left(l), 390);
  for (uint64_t v = 510; v < 20000; v += 10) {
    struct lease live = next_to(l, v, 0);
    cr_assert_eq(live.after, v - 10);
    cr_assert(ends(l, live, 100));
  }
  cr_expect_not(leases_full(l));
  cr_expect(ends(l, first, 110));
  for (uint64_t at = 110; at < 500; at += 39) {
    cr_assert(leases_backlog_next(l, true, &after, &upto));
    cr_assert(after == at && upto == 500);
    struct lease piece = leases_grant(l, after, at + 39, 0);
    cr_assert(ends(l, piece, at + 39 < 500 ? at + 39 : 19990));
  }
  cr_expect_not(leases_backlog_next(l, true, &after, &upto));
  leases_free(&l);
}

Test(leases, leases_from_before_a_restart_of_the_mirror_do_not_count) {
  struct leases *l = leases_new(100, 1);
  size_t in_flight;
  uint64_t cursor, after, upto;
  struct lease old = next_to(l, 110, 0);
  leases_restart(l, 300);
  cr_expect_eq(leases_cursor(l), 0);
  cr_expect_eq(leases_next(l, &in_flight), 300);
  cr_expect_eq(in_flight, 0);
  cr_expect_not(leases_end(l, &old, &cursor));
  cr_assert(leases_backlog_next(l, true, &after, &upto) && after == 0 && upto == 300);
  /* A batch that was gathered before cannot be granted any more. */
  cr_expect_eq(leases_grant(l, 110, 120, 0).generation, 0);
  cr_expect_eq(leases_grant(l, 0, 301, 0).generation, 0);
  cr_expect(ends(l, leases_grant(l, 0, 300, 0), 300));
  leases_free(&l);
}

Test(leases, any_history) {
  struct history *h = ck_zalloc(sizeof *h);
  h->l = leases_new(0, 1);
  for (int i = 0; i < 20000 && h->cursor < 90000; ++i) {
    uint64_t which = sh_below(10);
    if (h->count == HELD_MAX || which < 5)
      end(h);
    else if (which < 9)
      grant(h);
    else
      expire(h);
  }
  cr_expect_gt(h->cursor, 1000);
  leases_free(&h->l);
  free(h);
}
