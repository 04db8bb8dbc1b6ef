/* How many deliveries go to one target at once, and how far apart they begin. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "renewd/core/pace.h"
#include "renewd/core/target.h"

static struct renew_pace p;
static struct ck_timer timers[400];
static int64_t at;

static void begin(void) {
  memset(&p, 0, sizeof p);
  memset(timers, 0, sizeof timers);
  at = 1000;
}

static struct renew_lane *lane_of(const char *key, const char *account) {
  return renew_pace_join(&p, ck_str_of(key), ck_str_of(account));
}
static struct renew_lane *lane(const char *key) { return lane_of(key, ""); }

/* Takes the next turn: which of the timers? */
static int turn(struct renew_lane *l) {
  struct ck_timer *t = renew_pace_next(&p, at);
  if (!t) return -1;
  renew_pace_leave(&p, l, t);
  renew_pace_claim(&p, l);
  return (int)(t - timers);
}

static void done(void) { renew_pace_free(&p); }

Test(renewd_pace, four_at_once_to_one_target, .init = begin, .fini = done) {
  struct renew_lane *l = lane("a");
  for (int i = 0; i < 6; i++) renew_pace_wait(&p, l, &timers[i], 1000 + i);
  at = 2000;
  for (int i = 0; i < RENEW_SLOTS_OF_A_TARGET; i++) cr_assert_eq(turn(l), i);
  cr_assert_eq(turn(l), -1);
  cr_assert_eq(renew_pace_due(&p), RENEW_NEVER);
  renew_pace_end(&p, l, true, at);
  cr_assert_eq(turn(l), 4);
  cr_assert_eq(turn(l), -1);
}

/* A hundred targets that are hung take nothing from another one, not even its first turn. */
Test(renewd_pace, hung_targets_hold_up_themselves_only, .init = begin, .fini = done) {
  char key[16];
  for (int i = 0; i < 100; i++) {
    snprintf(key, sizeof key, "hung %d", i);
    struct renew_lane *l = lane(key);
    for (int k = 0; k < 3; k++) renew_pace_wait(&p, l, &timers[3 * i + k], 0);
  }
  unsigned claimed = 0;
  for (struct ck_timer *t; (t = renew_pace_next(&p, at)); claimed++) {
    snprintf(key, sizeof key, "hung %d", (int)((t - timers) / 3));
    struct renew_lane *l = lane(key);
    renew_pace_leave(&p, l, t);
    renew_pace_claim(&p, l);
  }
  cr_assert_geq(claimed, 100);
  cr_assert_lt(claimed, 300, "all together have no limit");
  struct renew_lane *other = lane("other");
  renew_pace_wait(&p, other, &timers[300], at);
  cr_assert_eq(renew_pace_due(&p), at);
  cr_assert_eq(turn(other), 300);
}

/* Once there are as many as may be, a target that has one waits; one that has none does not. */
Test(renewd_pace, all_together_have_a_limit, .init = begin, .fini = done) {
  char key[16];
  struct renew_lane *busy = lane("busy"), *l = busy;
  renew_pace_wait(&p, busy, &timers[0], 0);
  renew_pace_wait(&p, busy, &timers[1], 1);
  for (int i = 2; i <= RENEW_SLOTS; i++) {
    snprintf(key, sizeof key, "one %d", i);
    l = lane(key);
    renew_pace_wait(&p, l, &timers[i], 0);
    cr_assert_eq(turn(i == 2 ? busy : l), i == 2 ? 0 : i);
    if (i == 2) cr_assert_eq(turn(l), i);
  }
  cr_assert_eq(p.ours, RENEW_SLOTS);
  cr_assert_eq(turn(busy), -1);
  cr_assert_eq(renew_pace_due(&p), RENEW_NEVER);
  struct renew_lane *other = lane("other");
  renew_pace_wait(&p, other, &timers[300], 0);
  cr_assert_eq(turn(other), 300);
  renew_pace_end(&p, other, true, at);
  cr_assert_eq(turn(busy), -1);
  renew_pace_end(&p, l, true, at);
  cr_assert_eq(turn(busy), 1);
}

Test(renewd_pace, deliveries_begin_apart, .init = begin, .fini = done) {
  p.spacing = 2000;
  struct renew_lane *l = lane("a"), *other = lane("b");
  for (int i = 0; i < 3; i++) renew_pace_wait(&p, l, &timers[i], 0);
  renew_pace_wait(&p, other, &timers[9], 0);
  cr_assert_eq(turn(l), 0);
  cr_assert_eq(turn(other), 9, "another target has its own pace");
  /* The store takes its time: the second is not claimed, or both might begin at once. */
  at += 5000;
  cr_assert_eq(turn(l), -1);
  renew_pace_begin(&p, l, at);
  cr_assert_eq(renew_pace_due(&p), at + 2000);
  at += 1999;
  cr_assert_eq(turn(l), -1);
  at += 1;
  cr_assert_eq(turn(l), 1);
  /* One that ends without having begun takes nothing of the spacing. */
  renew_pace_end(&p, l, false, at);
  cr_assert_eq(turn(l), 2);
}

Test(renewd_pace, another_run_began_one, .init = begin, .fini = done) {
  p.spacing = 2000;
  struct renew_lane *l = lane("a");
  renew_pace_wait(&p, l, &timers[0], 0);
  renew_pace_began(&p, l, at - 500);
  cr_assert_eq(renew_pace_due(&p), at + 1500);
  renew_pace_began(&p, l, at - 900);
  cr_assert_eq(renew_pace_due(&p), at + 1500);
}

Test(renewd_pace, lanes_without_jobs_are_forgotten_after_their_spacing, .init = begin,
     .fini = done) {
  p.spacing = 2000;
  struct renew_lane *l = lane("a");
  renew_pace_wait(&p, l, &timers[0], 0);
  cr_assert_eq(turn(l), 0);
  renew_pace_begin(&p, l, at);
  renew_pace_part(&p, l);
  renew_pace_end(&p, l, true, at);
  renew_pace_next(&p, at + 1999);
  cr_assert_eq(lane("a"), l);
  cr_assert_eq(l->gates[RENEW_GATE_TARGET]->open_at, at + 2000);
  renew_pace_part(&p, l);
  renew_pace_next(&p, at + 2000);
  cr_assert_eq(p.lanes.count, 0);
}

/* ---- accounts ---- */

/* Whatever its targets are; and a target's slots are shared by its accounts. */
Test(renewd_pace, an_account_has_slots_of_its_own, .init = begin, .fini = done) {
  p.account_slots = 2;
  struct renew_lane *a = lane_of("a", "x"), *b = lane_of("b", "x"), *other = lane_of("a", "y");
  for (int i = 0; i < 3; i++) renew_pace_wait(&p, a, &timers[i], i);
  renew_pace_wait(&p, b, &timers[3], 1);
  for (int i = 4; i < 7; i++) renew_pace_wait(&p, other, &timers[i], i);
  cr_assert_eq(turn(a), 0);
  cr_assert_eq(turn(b), 3, "a target without a delivery has its first before others");
  cr_assert_eq(turn(other), 4);
  cr_assert_eq(turn(other), 5);
  cr_assert_eq(turn(a), -1);
  renew_pace_end(&p, b, true, at);
  cr_assert_eq(turn(a), 1);
  cr_assert_eq(turn(a), -1);
  renew_pace_end(&p, other, true, at);
  cr_assert_eq(turn(other), 6);
  cr_assert_eq(a->gates[RENEW_GATE_TARGET]->ours, 4);
}

Test(renewd_pace, an_account_has_a_spacing_of_its_own, .init = begin, .fini = done) {
  p.spacing = 1000;
  p.account_spacing = 5000;
  struct renew_lane *a = lane_of("a", "x"), *b = lane_of("b", "x"), *c = lane_of("b", "y");
  renew_pace_wait(&p, a, &timers[0], 0);
  renew_pace_wait(&p, b, &timers[1], 0);
  cr_assert_eq(turn(a), 0);
  cr_assert_eq(turn(b), -1);
  renew_pace_begin(&p, a, at);
  cr_assert_eq(renew_pace_due(&p), at + 5000);
  renew_pace_wait(&p, c, &timers[2], 0);
  cr_assert_eq(turn(c), 2, "another account");
  renew_pace_begin(&p, c, at);
  at += 5000;
  cr_assert_eq(turn(b), 1);
}

/* What shares a target or an account has its turns by turns: an hour in which something waits in
 * every lane. */
struct sharing {
  const char *what;
  int targets, accounts; /* a lane for each pair */
  unsigned slots;
  int64_t spacing, account_spacing, takes;
  int each; /* deliveries of each lane, but for one */
};

static void an_hour(const struct sharing *s) {
  enum { LANES = 8, UNDER_WAY = 64 };
  struct renew_lane *lanes[LANES];
  struct {
    struct renew_lane *lane;
    int64_t ends;
  } under_way[UNDER_WAY] = {{0}};
  int had[LANES] = {0}, n = s->targets * s->accounts;
  begin();
  p = (struct renew_pace){
      .spacing = s->spacing, .account_spacing = s->account_spacing, .account_slots = s->slots};
  for (int i = 0; i < n; i++) {
    char target[] = {(char)('a' + i / s->accounts), 0},
         account[] = {(char)('x' + i % s->accounts), 0};
    lanes[i] = lane_of(target, account);
    renew_pace_wait(&p, lanes[i], &timers[i], 0);
  }
  for (at = 0; at < 3600000; at += 100) {
    for (int i = 0; i < UNDER_WAY; i++) {
      if (!under_way[i].lane || under_way[i].ends > at) continue;
      renew_pace_end(&p, under_way[i].lane, true, at);
      under_way[i].lane = NULL;
    }
    for (struct ck_timer *t; (t = renew_pace_next(&p, at));) {
      int one = (int)(t - timers), place = 0;
      while (under_way[place].lane) cr_assert_lt(++place, UNDER_WAY);
      under_way[place].lane = lanes[one];
      under_way[place].ends = at + s->takes;
      had[one]++;
      renew_pace_leave(&p, lanes[one], t);
      renew_pace_claim(&p, lanes[one]);
      renew_pace_begin(&p, lanes[one], at);
      renew_pace_wait(&p, lanes[one], t, 0);
    }
  }
  for (int i = 0; i < n; i++)
    cr_expect(abs(had[i] - s->each) <= 1, "%s: lane %d had %d of %d", s->what, i, had[i], s->each);
  renew_pace_free(&p);
}

Test(renewd_pace, lanes_that_share_are_served_by_turns) {
  static const struct sharing all[] = {
      {"one target, two accounts", 1, 2, 2, 2000, 1000, 500, 900},
      {"one target, two accounts, slow", 1, 2, 2, 2000, 1000, 20000, 360},
      {"one account, four targets", 4, 1, 2, 2000, 30000, 500, 30},
      {"one account, four targets, one slot", 4, 1, 1, 0, 0, 1000, 900},
      {"two accounts, four targets", 4, 2, 2, 2000, 30000, 500, 30},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) an_hour(&all[i]);
}

/* One that comes later does not go first for ever, nor does one wait because others come. */
Test(renewd_pace, a_lane_that_comes_later_has_the_last_turn, .init = begin, .fini = done) {
  p.account_spacing = 1000;
  struct renew_lane *a = lane_of("a", "x"), *b = lane_of("b", "x");
  renew_pace_wait(&p, a, &timers[0], 0);
  renew_pace_wait(&p, b, &timers[1], 0);
  cr_assert_eq(turn(a), 0);
  renew_pace_begin(&p, a, at);
  renew_pace_end(&p, a, true, at);
  struct renew_lane *c = lane_of("c", "x");
  renew_pace_wait(&p, c, &timers[2], 0);
  at += 1000;
  cr_assert_eq(turn(b), 1);
  renew_pace_begin(&p, b, at);
  renew_pace_end(&p, b, true, at);
  renew_pace_wait(&p, a, &timers[0], 0);
  at += 1000;
  cr_assert_eq(turn(a), 0);
  renew_pace_begin(&p, a, at);
  renew_pace_end(&p, a, true, at);
  at += 1000;
  cr_assert_eq(turn(c), 2);
}

/* It cools that account only; when it is over, one goes first, and the others once that has shown
 * that it is. */
Test(renewd_pace, a_limit, .init = begin, .fini = done) {
  struct renew_lane *a = lane_of("a", "x"), *b = lane_of("a", "y");
  for (int i = 0; i < 3; i++) renew_pace_wait(&p, a, &timers[i], i);
  renew_pace_wait(&p, b, &timers[3], 0);
  renew_pace_limit(&p, CK_LIT("x"), true, at + 9000);
  cr_assert_eq(turn(b), 3);
  cr_assert_eq(turn(a), -1);
  cr_assert_eq(renew_pace_due(&p), at + 9000);
  at += 9000;
  cr_assert_eq(turn(a), 0);
  cr_assert_eq(turn(a), -1);
  cr_assert_eq(renew_pace_full(&p, a), a->gates[RENEW_GATE_ACCOUNT]);
  renew_pace_limit(&p, CK_LIT("x"), false, 0);
  cr_assert_eq(turn(a), 1);
  cr_assert_eq(turn(a), 2);
  renew_pace_limit(&p, CK_LIT("nobody"), true, at);
}

Test(renewd_pace, accounts_are_forgotten_with_their_lanes, .init = begin, .fini = done) {
  p.account_spacing = 5000;
  struct renew_lane *a = lane_of("a", "x");
  renew_pace_wait(&p, a, &timers[0], 0);
  cr_assert_eq(turn(a), 0);
  renew_pace_begin(&p, a, at);
  renew_pace_part(&p, a);
  renew_pace_end(&p, a, true, at);
  renew_pace_next(&p, at + 4999);
  cr_assert_eq(p.gates[RENEW_GATE_ACCOUNT].count, 1);
  renew_pace_next(&p, at + 5000);
  cr_assert_eq(p.gates[RENEW_GATE_ACCOUNT].count, 0);
  cr_assert_eq(p.gates[RENEW_GATE_TARGET].count, 0);
}

/* ---- which targets are one ---- */

static void key_is(const char *snapshot, const char *want) {
  struct renew_target t;
  struct ck_buf key = {0};
  renew_target_parse(&t, ck_str_of(snapshot), NULL);
  renew_target_key(&key, &t);
  cr_expect_str_eq(ck_buf_cstr(&key), want);
  renew_target_free(&t);
  ck_buf_free(&key);
}

Test(renewd_pace, which_targets_are_one) {
  key_is("", "");
  key_is("{\"kind\":\"null\"}", "null ");
  key_is("{\"kind\":\"exec\",\"id\":\"claude\",\"client_id\":\"x\"}", "exec claude");
  key_is("{\"kind\":\"webhook\",\"id\":\"hook\",\"payload\":{\"url\":\"http://h:1/a?b=1#c\"}}",
         "webhook http://h:1/a");
  key_is("{\"kind\":\"webhook\",\"id\":\"hook\"}", "webhook hook");
  key_is("{\"kind\":\"feed\",\"client_id\":\"ff1\"}", "client ff1");
  key_is("{\"kind\":\"feed\",\"id\":\"ff1\"}", "client ff1");
  key_is("{\"kind\":\"browser.proxy_delivery\",\"id\":\"firefox\",\"client_id\":\"ff1\"}",
         "client ff1");
}
