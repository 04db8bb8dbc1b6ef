/* The HELD frames in which a worker tells the store about its leases. */
#include "syncd/held.h"

#include "proto/clock.h"
#include "tests/unit/test_syncd_pipeline.h"

TestSuite(syncd_held, .init = setup, .fini = teardown);

static uint32_t first_of(struct ck_str list, struct ck_lease *first) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_err err;
  uint32_t n;
  cr_assert_eq(ck_read_array(&r, &n), 0);
  if (n) cr_assert_eq(ck_lease_decode(&r, first, &err), 0, "%s", err.text);
  return n;
}

/* The sink has one batch, the other is returned; the return is said once. */
Test(syncd_held, what_is_held_and_what_is_returned) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  struct ck_lease one;
  give_messages(1, 10);
  give_messages(11, 10);
  cr_assert(sync_pipeline_pick(&pipeline, now));
  sync_pipeline_return_all(&pipeline);
  sync_held_encode(&b, &pipeline, "syncd-here-0", "d1");
  cr_assert_eq(ck_message_decode(&m, b.data, b.len, &err), 0, "%s", err.text);
  cr_assert_eq(m.kind, CK_MSG_HELD);
  const struct ck_held *said = &m.as.held;
  cr_expect(ck_str_is(said->worker, "syncd-here-0") && ck_str_is(said->sink, "d1"));
  cr_assert_eq(first_of(said->held, &one), 1);
  cr_expect(one.generation == pipeline.first->generation && one.after == 0 && one.upto == 10);
  cr_assert_eq(first_of(said->returned, &one), 1);
  cr_expect(one.after == 10 && one.upto == 20);
  cr_expect_eq(first_of(said->postponed, &one), 0);
  cr_expect_not(said->postpones || said->foreign_keys);
  sync_held_said(&pipeline);
  cr_expect_null(pipeline.returned);
  cr_expect(pipeline.first, "what the sink has is still held");
  ck_buf_free(&b);
}

/* Postponed batches are in their own list, with what the store has to know about them. */
Test(syncd_held, what_is_postponed) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  struct ck_lease one;
  give_messages(1, 10);
  sync_pipeline_return_all(&pipeline);
  pipeline.returned->postponed = true;
  pipeline.postpones = pipeline.foreign_keys = true;
  sync_held_encode(&b, &pipeline, "syncd-here-0", "d1");
  cr_assert_eq(ck_message_decode(&m, b.data, b.len, &err), 0, "%s", err.text);
  cr_expect_eq(first_of(m.as.held.held, &one), 0);
  cr_expect_eq(first_of(m.as.held.returned, &one), 0);
  cr_assert_eq(first_of(m.as.held.postponed, &one), 1);
  cr_expect(one.after == 0 && one.upto == 10);
  cr_expect(m.as.held.postpones && m.as.held.foreign_keys);
  sync_held_said(&pipeline);
  cr_expect_null(pipeline.returned);
  ck_buf_free(&b);
}

static struct ck_str said_of(struct ck_buf *b, const struct sync_hold *h) {
  struct ck_reader r;
  ck_buf_clear(b);
  struct ck_map m = ck_map_open(b);
  sync_hold_pair(&m, h);
  ck_map_close(&m);
  cr_assert(ck_map_find(ck_buf_view(b), "hold", &r));
  return ck_reader_rest(r);
}

/* A hold is told with its reason and its end until that has passed. */
Test(syncd_held, a_hold_is_told_until_it_ends) {
  struct ck_buf b = {0};
  sync_pipeline_held(&pipeline, SYNC_QUOTA, ck_boot_ms() + 60000, "no more today");
  sync_pipeline_held(&pipeline, SYNC_WAIT, ck_boot_ms() + 1000, "ends earlier");
  struct ck_str hold = said_of(&b, &pipeline.held);
  int64_t left = ck_map_int(hold, "until", 0) - ck_now_ms();
  cr_expect(ck_str_is(ck_map_str(hold, "class"), "quota"));
  cr_expect(ck_str_is(ck_map_str(hold, "reason"), "no more today"));
  cr_expect(left > 55000 && left <= 60000, "it ends in %lld ms", (long long)left);
  pipeline.held.until = ck_boot_ms() - 1;
  cr_expect_eq(ck_map_int(said_of(&b, &pipeline.held), "until", 0), 0);
  ck_buf_free(&b);
}
