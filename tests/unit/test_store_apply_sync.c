/* Changesets about the mirror: sync leases, a backfill, a dead letter that is retried, and what was
 * spent. */
#include "test_store_apply.h"

#include <stdio.h>
#include <string.h>

static struct lease grant(struct leases *l, uint64_t upto, int64_t now) {
  size_t in_flight;
  return leases_grant(l, leases_next(l, &in_flight), upto, now);
}

static struct ck_mutation synced(struct lease l) {
  static const unsigned char none = 0x90;
  struct ck_mutation m = {.kind = CK_OP_SYNCED};
  m.as.synced = (struct ck_synced){
      CK_LIT("sqlite"), l.generation, l.after, l.upto, {(const char *)&none, 1}, 0};
  return m;
}

Test(apply, a_sync_lease_ends_with_its_commit) {
  for (int i = 0; i < 4; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%d", i);
    sh_message(&s, id, 1, "");
  }
  struct lease a = grant(s.leases, 2, 0), b = grant(s.leases, 4, 0);
  struct ck_mutation end_a = synced(a), end_b = synced(b);
  /* with a refused changeset */
  sh_mutate(&s, &end_a);
  sh_put(&s, CK_MESSAGES, "{}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  cr_expect_eq(leases_cursor(s.leases), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sinks"), 0);
  /* with a batch that is abandoned */
  sh_mutate(&s, &end_a);
  cr_expect_eq(sh_apply(&s), '=', "%s", s.reason.text);
  apply_abandon(s.apply);
  s.begun = false;
  cr_expect_eq(leases_cursor(s.leases), 0);
  /* then both in one commit, the later one first */
  cr_expect_eq(ap_mutate(end_b), '=', "%s", s.reason.text);
  cr_expect_eq(leases_cursor(s.leases), 0);
  cr_expect_eq(ap_mutate(end_a), '=', "%s", s.reason.text);
  cr_expect_eq(leases_cursor(s.leases), 4);
  cr_expect_eq(sh_int(&s, "SELECT cursor FROM sinks WHERE name = 'sqlite'"), 4);
  ap_refused(end_a, "synced.generation");
  struct ck_mutation bad = synced(a);
  bad.as.synced.dead = (struct ck_str){"\x91\x91\xa1x", 4};
  ap_refused(bad, "synced.dead[0]");
}

Test(apply, each_sink_has_leases_and_a_cursor_of_its_own) {
  struct leases *d1 = s.mirrors->at[1].leases;
  for (int i = 0; i < 4; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%d", i);
    sh_message(&s, id, 1, "");
  }
  struct lease here = grant(s.leases, 4, 0), there = grant(d1, 2, 0);
  cr_expect_eq(here.generation, there.generation, "then the sink alone tells them apart");
  struct ck_mutation end_here = synced(here), end_there = synced(there);
  ap_refused(end_there, "synced.generation");
  end_there.as.synced.sink = CK_LIT("d1");
  /* Both in one commit, then the commit fails. */
  sh_mutate(&s, &end_here);
  sh_mutate(&s, &end_there);
  cr_expect_eq(sh_apply(&s), '=', "%s", s.reason.text);
  apply_abandon(s.apply);
  s.begun = false;
  cr_expect(leases_cursor(s.leases) == 0 && leases_cursor(d1) == 0);
  cr_expect_eq(ap_mutate(end_there), '=', "%s", s.reason.text);
  cr_expect(leases_cursor(s.leases) == 0 && leases_cursor(d1) == 2);
  cr_expect_eq(ap_mutate(end_here), '=', "%s", s.reason.text);
  cr_expect(leases_cursor(s.leases) == 4 && leases_cursor(d1) == 2);
  cr_expect_eq(sh_int(&s, "SELECT cursor FROM sinks WHERE name = 'd1:db'"), 2);
  cr_expect_eq(sh_int(&s, "SELECT cursor FROM sinks WHERE name = 'sqlite'"), 4);
  end_there.as.synced.sink = CK_LIT("postgres");
  ap_refused(end_there, "synced.sink: this store's mirrors are in sqlite, d1, not in");
  /* At the next start each goes on from its own. */
  sh_reopen(&s);
  cr_expect(leases_cursor(s.mirrors->at[0].leases) == 4 &&
            leases_cursor(s.mirrors->at[1].leases) == 2);
}

Test(apply, a_backfill_begins_with_its_commit) {
  struct ck_mutation m = {.kind = CK_OP_BACKFILL};
  uint64_t after, upto;
  m.as.backfill.sink = CK_LIT("d1");
  sh_message(&s, "m1", 1, "");
  sh_message(&s, "m2", 1, "");
  m.as.backfill.sink = CK_LIT("postgres");
  ap_refused(m, "backfill.sink");
  m.as.backfill.sink = CK_LIT("d1");
  struct leases *l = s.mirrors->at[1].leases;
  struct lease a = grant(l, 1, 0), b = grant(l, 2, 0);
  struct ck_mutation end_a = synced(a), end_b = synced(b);
  end_a.as.synced.sink = end_b.as.synced.sink = CK_LIT("d1");
  cr_expect_eq(ap_mutate(end_a), '=', "%s", s.reason.text);
  cr_expect_eq(leases_cursor(l), 1);
  /* with a batch that is abandoned */
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), '=', "%s", s.reason.text);
  apply_abandon(s.apply);
  s.begun = false;
  cr_expect_eq(leases_cursor(l), 1);
  /* then with an outcome from before in the same commit */
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), '=', "%s", s.reason.text);
  sh_mutate(&s, &end_b);
  cr_expect_eq(sh_apply(&s), 'r');
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_int(&s, "SELECT cursor FROM sinks WHERE name = 'd1:db'"), 0);
  cr_assert(leases_backlog_next(l, true, &after, &upto) && after == 0 && upto == 2);
  /* Again while it is under way: no effect. */
  struct lease piece = leases_grant(l, 0, 1, 0);
  struct ck_mutation end_piece = synced(piece);
  end_piece.as.synced.sink = CK_LIT("d1");
  cr_expect_eq(ap_mutate(end_piece), '=', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(m), '=');
  cr_expect_eq(leases_cursor(l), 1);
}

Test(apply, a_retry_gives_the_record_a_new_version_and_forgets_the_dead_letter) {
  struct ck_mutation m = {.kind = CK_OP_RETRY};
  m.as.retry = (struct ck_retry){CK_LIT("d1"), CK_LIT("messages"), CK_LIT("m1")};
  sh_message(&s, "m1", 10, "");
  sh_message(&s, "m2", 10, "");
  cr_assert_eq(
      sqlite3_exec(
          s.db,
          "INSERT INTO dead_letters VALUES"
          " ('d1:db', 'messages', 'm1', 1, 'r', 1), ('sqlite', 'messages', 'm1', 1, 'r', 1),"
          " ('d1:former', 'messages', 'm1', 1, 'r', 1)",
          NULL, NULL, NULL),
      0);
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), 'u');
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_int(&s, "SELECT version FROM messages WHERE id = 'm1'"), 3);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM dead_letters"), 2,
               "the other mirrors' are not this one's");
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), '=');
  cr_assert_eq(sh_commit(&s), 0);
  m.as.retry.table = CK_LIT("sinks");
  ap_refused(m, "retry.table");
  m.as.retry.sink = CK_LIT("postgres");
  ap_refused(m, "retry.sink");
}

/* Another database of D1's is another mirror. */
Test(apply, a_dead_letter_is_kept_by_the_name_of_its_mirror) {
  struct ck_buf dead = {0};
  sh_message(&s, "m1", 1, "");
  struct ck_mutation end = synced(grant(s.mirrors->at[1].leases, 1, 0));
  ck_put_array(&dead, 1);
  ck_dead_letter_encode(&dead, &(struct ck_dead_letter){.table = CK_MESSAGES,
                                                        .key = CK_LIT("m1"),
                                                        .version = 1,
                                                        .reason = CK_LIT("too big")});
  end.as.synced.sink = CK_LIT("d1");
  end.as.synced.dead = ck_buf_view(&dead);
  cr_expect_neq(ap_mutate(end), 'r', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM dead_letters WHERE sink = 'd1:db'"), 1);
  ck_buf_free(&dead);
}

/* A mirror's costs are added up by day. */
Test(apply, what_is_spent_is_added_up) {
  struct ck_mutation m = {.kind = CK_OP_SPENT};
  m.as.spent = (struct ck_spent){CK_LIT("sqlite"), 2, 30, 90};
  for (int i = 0; i < 3; ++i) cr_expect_eq(ap_mutate(m), '=');
  cr_expect_eq(sh_int(&s, "SELECT written FROM spent"
                          " WHERE sink = 'sqlite' AND day = 0 AND requests = 6 AND rows = 90"),
               270);
  m.as.spent.written = UINT64_MAX;
  cr_expect_eq(ap_mutate(m), 'r');
  cr_expect_eq(sh_int(&s, "SELECT sum(written) FROM spent"), 270);
}
