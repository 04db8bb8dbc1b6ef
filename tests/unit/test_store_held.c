/* HELD: a frame is obeyed as a whole, or refused as a whole. */
#include "test_store_help.h"

#include "store/mirror/held.h"

static struct ck_buf frame;

static void list_of(struct ck_buf *b, const struct lease *leases, uint32_t n) {
  ck_put_array(b, n);
  for (uint32_t i = 0; i < n; ++i)
    ck_lease_encode(b, &(struct ck_lease){leases[i].generation, leases[i].after, leases[i].upto});
}

/* Encodes and decodes the frame, as on the wire. */
static int say(struct held *h, struct leases *l, struct ck_held said, int64_t now,
               struct ck_err *err) {
  struct ck_message m = {.kind = CK_MSG_HELD, .as.held = said};
  ck_buf_clear(&frame);
  ck_message_encode(&frame, &m);
  cr_assert_eq(ck_message_decode(&m, frame.data, frame.len, err), 0, "%s", err->text);
  return held_take(h, &m.as.held, l, now, err);
}

static struct ck_str none(void) { return (struct ck_str){"\x90", 1}; }

static struct ck_held nothing(void) {
  return (struct ck_held){CK_LIT("w"), CK_LIT("d1"), none(), none(), none(), false, false};
}

static struct lease next_to(struct leases *l, uint64_t upto) {
  size_t in_flight;
  return leases_grant(l, leases_next(l, &in_flight), upto, 0);
}

Test(held, each_list_does_its_own) {
  struct leases *l = leases_new(0, 1);
  struct held h = {0};
  struct ck_err err = {{0}};
  struct lease a = next_to(l, 10), b = next_to(l, 20), c = next_to(l, 30), again;
  struct ck_buf held = {0}, returned = {0}, postponed = {0};
  uint64_t after, upto;
  list_of(&held, &a, 1);
  list_of(&returned, &b, 1);
  list_of(&postponed, &c, 1);
  struct ck_held said = nothing();
  said.held = ck_buf_view(&held), said.returned = ck_buf_view(&returned),
  said.postponed = ck_buf_view(&postponed);
  cr_assert_eq(say(&h, l, said, 5000, &err), 0, "%s", err.text);
  cr_assert(leases_regrant(l, 5000, &again), "a returned range can be granted at once");
  cr_expect_eq(again.after, 10);
  cr_expect_not(leases_regrant(l, CK_LEASE_MS + 4999, &again), "a lease lasts from its last HELD");
  cr_expect(leases_regrant(l, CK_LEASE_MS + 5000, &again) && again.after == 0);
  cr_expect(leases_backlog_next(l, true, &after, &upto) && after == 20 && upto == 30);
  cr_expect(!h.parents && !h.postpones_at);
  ck_buf_free(&held), ck_buf_free(&returned), ck_buf_free(&postponed);
  leases_free(&l);
}

Test(held, a_worker_that_postpones_is_believed_for_a_while) {
  struct leases *l = leases_new(0, 1);
  struct held h = {0};
  struct ck_err err;
  struct ck_held said = nothing();
  cr_expect_eq(held_postpones_until(&h, 700), 700, "nobody ever said so");
  said.postpones = said.foreign_keys = true;
  cr_assert_eq(say(&h, l, said, 1000, &err), 0);
  cr_expect_eq(held_postpones_until(&h, 1100), 1000 + CK_POSTPONES_MS);
  cr_assert_eq(say(&h, l, nothing(), 2000, &err), 0);
  cr_expect_eq(held_postpones_until(&h, 2000), 1000 + CK_POSTPONES_MS,
               "another worker may still postpone");
  cr_expect(h.parents, "once a sink checks foreign keys, batches carry parents");
  leases_free(&l);
}

/* All lists are checked to their end before any is obeyed. */
Test(held, a_malformed_list_changes_nothing) {
  struct leases *l = leases_new(0, 1);
  struct lease a = next_to(l, 10), again;
  struct ck_buf good = {0}, bad = {0};
  list_of(&good, &a, 1);
  ck_put_array(&bad, 2);
  ck_lease_encode(&bad, &(struct ck_lease){a.generation, 0, 10});
  size_t second = bad.len;
  const struct {
    const char *bytes, *reason;
    size_t n;
  } ends[] = {
      {"\x92\x01\x02",
       "held: field postponed: a lease must be an array of generation, after and upto", 3},
      {"\x94\x01\x02\x03\x04",
       "held: field postponed: a lease must be an array of generation, after and upto", 5},
      {"\x93\x01\xff\x03",
       "held: field postponed: a lease must be an array of generation, after and upto", 4},
      {"\xc0", "held: field postponed: a lease must be an array of generation, after and upto", 1}};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i) {
    struct held h = {0};
    struct ck_err err = {{0}};
    bad.len = second;
    ck_buf_add(&bad, ends[i].bytes, ends[i].n);
    struct ck_held said = nothing();
    said.returned = ck_buf_view(&good), said.postponed = ck_buf_view(&bad),
    said.foreign_keys = said.postpones = true;
    cr_expect_eq(say(&h, l, said, 100, &err), -1, "%zu", i);
    cr_expect_str_eq(err.text, ends[i].reason, "%s", err.text);
    cr_expect(!h.parents && !h.postpones_at && !leases_regrant(l, 100, &again) &&
                  !leases_backlog_left(l),
              "%zu was obeyed", i);
  }
  ck_buf_free(&good), ck_buf_free(&bad);
  leases_free(&l);
}

Test(held, a_list_is_an_array_with_a_largest_size) {
  struct leases *l = leases_new(0, 1);
  struct held h = {0};
  struct ck_err err = {{0}};
  struct ck_buf many = {0};
  struct ck_held said = nothing();
  said.held = (struct ck_str){"\x80", 1};
  cr_expect_eq(say(&h, l, said, 0, &err), -1);
  cr_expect_str_eq(err.text, "held: field held: must be an array of leases", "%s", err.text);
  ck_put_array(&many, CK_HELD_MAX + 1);
  for (uint64_t i = 0; i <= CK_HELD_MAX; ++i)
    ck_lease_encode(&many, &(struct ck_lease){i, i, i + 1});
  said.held = none(), said.returned = ck_buf_view(&many);
  cr_expect_eq(say(&h, l, said, 0, &err), -1);
  cr_expect_str_eq(err.text, "held: field returned: more than 1024 leases", "%s", err.text);
  ck_buf_free(&many);
  leases_free(&l);
}
