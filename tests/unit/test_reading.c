/* The order in which a conversation is read (proto/reading.c). A case lists messages as
 * "ID<PARENT TIME": "-" for the parent of a first message, "?" if the place is unknown. The result
 * An id that begins with S, U, A or T is a system's, a user's, an assistant's, a tool's. The result
 * is one line: the branches, separated by " | ", each with what it follows before a ':'. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/reading.h"

static void add(struct ck_reading *r, const char *id, const char *parent, int64_t at,
                unsigned conversation) {
  static const char *const roles[] = {"system", "user", "assistant", "tool"};
  const char *role = "";
  for (size_t i = 0; i < sizeof roles / sizeof *roles; ++i)
    if (id[0] == toupper(roles[i][0])) role = roles[i];
  bool known = strcmp(parent, "?") != 0, first = strcmp(parent, "-") == 0;
  struct ck_place place = {.id = ck_str_of(id),
                           .parent_id = known && !first ? ck_str_of(parent) : (struct ck_str){0},
                           .position = first ? 0 : -1,
                           .at = at,
                           .turn = ck_turn_of(ck_str_of(role))};
  ck_reading_add(r, &place, conversation);
}

/* Adds the messages of "ID<PARENT TIME, …". */
static void add_all(struct ck_reading *r, const char *messages, unsigned conversation) {
  char *copy = ck_strdup(messages), *at = copy;
  for (char *word; (word = strsep(&at, ",")) != NULL;) {
    char id[32], parent[32];
    long long time;
    cr_assert_eq(sscanf(word, " %31[^<]<%31s %lld", id, parent, &time), 3, "%s", word);
    add(r, id, parent, time, conversation);
  }
  free(copy);
}

static void describe(struct ck_buf *b, const struct ck_reading *r) {
  size_t steps, branches;
  const struct ck_step *step = ck_reading_steps(r, &steps);
  const struct ck_branch *branch = ck_reading_branches(r, &branches);
  size_t next = 0;
  for (size_t i = 0; i < branches; ++i) {
    if (i) ck_buf_printf(b, " | %.*s:", (int)branch[i].after.n, branch[i].after.s);
    cr_assert_eq(branch[i].first, next);
    if (branch[i].after_step != CK_NO_STEP)
      cr_assert(ck_str_eq(step[branch[i].after_step].id, branch[i].after));
    next += branch[i].count;
    for (size_t k = branch[i].first; k < next; ++k) {
      cr_assert_eq(step[k].branch, i + 1);
      ck_buf_printf(b, "%s%.*s", b->len ? " " : "", (int)step[k].id.n, step[k].id.s);
      if (!step[k].placed && ck_reading_has_tree(r)) ck_buf_text(b, "?");
      if (step[k].conversation) ck_buf_printf(b, "/%u", step[k].conversation);
    }
  }
  cr_assert_eq(next, steps);
}

static void expect(struct ck_reading *r, const char *last, const char *want) {
  struct ck_buf b = {0};
  ck_reading_order(r, ck_str_of(last));
  describe(&b, r);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  ck_buf_free(&b);
}

static void expect_order(const char *messages, const char *last, const char *want) {
  struct ck_reading *r = ck_reading_new();
  add_all(r, messages, 0);
  expect(r, last, want);
  ck_reading_free(&r);
}

Test(reading, the_tree_decides_not_the_time) {
  expect_order("q<- 180, a<q 100, q2<a 280, a2<q2 200", "a2", "q a q2 a2");
  expect_order("q<- 5, b<q 5, a<b 5", "a", "q b a");
}

Test(reading, without_a_tree_it_is_the_time) {
  expect_order("c<? 3, b<? 2, a<? 2", "c", "a b c");
  expect_order("c<? 3, b<? 2, a<? 2", "", "a b c");
}

Test(reading, of_one_time_the_role_tells) {
  expect_order("A<? 1, T<? 1, b<? 1, S<? 1, U<? 1, a<? 1", "a", "S U A T a b");
  expect_order("A<? 1, U<? 2, A2<? 2, U2<? 1", "", "U2 A U A2");
  expect_order("q<- 1, A<q 2, U<q 2", "", "q A | q: U");
}

Test(reading, the_current_branch_comes_first) {
  expect_order("q<- 1, a<q 2, b<q 3, q2<a 4", "q2", "q a q2 | q: b");
  expect_order("q<- 1, a<q 2, b<q 3, q2<a 4", "b", "q b | q: a q2");
  /* A branch goes on with the newest child; the others follow it. */
  expect_order("q<- 1, a<q 2, b<q 3, x<b 4, y<b 5, z<x 6", "a", "q a | q: b y | b: x z");
  /* Its end may have followers: they are beside it. */
  expect_order("q<- 1, a<q 2, q2<a 3", "a", "q a | a: q2");
  /* An edit of the first message is a beginning of its own. */
  expect_order("q<- 1, a<q 2, e<- 3, f<e 4", "f", "e f | : q a");
  expect_order("q<- 1, a<q 2, e<- 3, f<e 4", "a", "q a | : e f");
}

Test(reading, an_end_that_is_not_there_is_the_newest) {
  expect_order("q<- 1, a<q 2, b<q 3", "", "q b | q: a");
  expect_order("q<- 1, a<q 2, b<q 3", "gone", "q b | q: a");
  /* Times that run back: the newest message is not an end. */
  expect_order("q<- 100, a<q 20", "", "q a");
}

Test(reading, unknown_places_stand_by_their_time) {
  expect_order("q<- 10, a<q 20, u<? 15, v<? 25, w<? 5", "v", "w? q u? a v?");
  /* After the last message that is not later, also where times run back. */
  expect_order("q<- 30, a<q 20, u<? 25", "a", "q a u?");
  expect_order("q<- 30, a<q 20, u<? 35", "a", "q a u?");
  expect_order("q<- 10, a<q 20, b<q 21, v<? 25, u<? 25", "v", "q b u? v? | q: a");
  /* A message that others follow has its place from them. */
  expect_order("x<? 9, a<x 2, b<x 3", "b", "x b | x: a");
}

Test(reading, missing_parents_and_cycles_lose_nothing) {
  expect_order("b<gone 2, c<b 3, a<- 1", "c", "b c | : a");
  expect_order("a<b 1, b<a 2", "b", "a b");
  expect_order("a<a 1", "a", "a");
  expect_order("a<c 2, b<a 1, c<b 3, d<b 4, q<- 0", "q", "q | : b d | b: c a");
  expect_order("a<b 1, b<a 2, c<? 3", "c", "a b c?");
}

Test(reading, the_same_message_twice_is_one) {
  expect_order("q<- 1, a<q 2, a<q 2, q<- 1", "a", "q a");
}

Test(reading, it_says_what_is_missing_before) {
  struct ck_reading *r = ck_reading_new();
  ck_reading_add(r, &(struct ck_place){CK_LIT("b"), CK_LIT("a"), 7, 2, 0}, 0);
  ck_reading_order(r, CK_LIT("b"));
  size_t n;
  cr_expect_eq(ck_reading_branches(r, &n)[0].missing_before, 7);
  cr_expect(ck_str_is(ck_reading_open_end(r), "a"));
  add(r, "a", "-", 1, 0);
  ck_reading_order(r, CK_LIT("b"));
  cr_expect_eq(ck_reading_branches(r, &n)[0].missing_before, 0);
  cr_expect_eq(ck_reading_open_end(r).n, 0u);
  ck_reading_free(&r);
}

Test(reading, a_fork_goes_on_in_the_conversation_that_it_left) {
  struct ck_reading *r = ck_reading_new();
  add_all(r, "f<a 10, g<f 11, h<a 12", 0);
  expect(r, "g", "f g | : h");
  cr_expect(ck_str_is(ck_reading_open_end(r), "a"));
  add_all(r, "q<z 1, a<q 2, b<q 3, c<a 4, u<? 5", 1);
  expect(r, "g", "q/1 a/1 f g | a: h");
  cr_expect(ck_str_is(ck_reading_open_end(r), "z"));
  add_all(r, "z<- 0", 2);
  expect(r, "g", "z/2 q/1 a/1 f g | a: h");
  cr_expect_eq(ck_reading_open_end(r).n, 0u);
  ck_reading_free(&r);
}

Test(reading, a_branch_may_leave_the_other_conversation_elsewhere) {
  struct ck_reading *r = ck_reading_new();
  add_all(r, "f<a 10, h<c 12", 0);
  add_all(r, "a<- 2, c<a 4", 1);
  expect(r, "f", "a/1 f | c: h");
  expect(r, "h", "a/1 c/1 h | a: f");
  ck_reading_free(&r);
}

Test(reading, nothing_is_nothing) {
  struct ck_reading *r = ck_reading_new();
  size_t n;
  ck_reading_order(r, CK_LIT("x"));
  ck_reading_steps(r, &n);
  cr_expect_eq(n, 0u);
  ck_reading_branches(r, &n);
  cr_expect_eq(n, 0u);
  ck_reading_free(&r);
}

/* Any quadratic walk would take minutes here. */
#define DEEP 100000

static char *name_of(char name[16], unsigned i) {
  snprintf(name, 16, "m%u", i);
  return name;
}

Test(reading, a_hundred_thousand_deep, .timeout = 30) {
  struct ck_reading *r = ck_reading_new();
  char id[16], parent[16];
  for (unsigned i = DEEP; i-- > 0;)
    add(r, name_of(id, i), i ? name_of(parent, i - 1) : "-", DEEP - i, 0);
  ck_reading_order(r, ck_str_of(name_of(id, DEEP - 1)));
  size_t n;
  const struct ck_step *steps = ck_reading_steps(r, &n);
  cr_assert_eq(n, (size_t)DEEP);
  for (unsigned i = 0; i < DEEP; ++i) cr_assert(ck_str_is(steps[i].id, name_of(id, i)));
  ck_reading_free(&r);
}

Test(reading, a_hundred_thousand_branches, .timeout = 30) {
  struct ck_reading *r = ck_reading_new();
  char id[16], parent[16];
  add(r, "m0", "-", 0, 0);
  for (unsigned i = 1; i < DEEP; ++i)
    add(r, name_of(id, i), i % 2 ? name_of(parent, i / 2) : "m0", i, 0);
  ck_reading_order(r, CK_LIT("m1"));
  size_t n, branches;
  ck_reading_steps(r, &n);
  cr_expect_eq(n, (size_t)DEEP);
  ck_reading_branches(r, &branches);
  cr_expect_geq(branches, (size_t)DEEP / 2);
  ck_reading_free(&r);
}

Test(reading, a_cycle_of_a_hundred_thousand, .timeout = 30) {
  struct ck_reading *r = ck_reading_new();
  char id[16], parent[16];
  for (unsigned i = 0; i < DEEP; ++i)
    add(r, name_of(id, i), name_of(parent, (i + DEEP - 1) % DEEP), i, 0);
  ck_reading_order(r, CK_LIT("m5"));
  size_t n;
  const struct ck_step *steps = ck_reading_steps(r, &n);
  cr_expect_eq(n, (size_t)DEEP);
  cr_expect(ck_str_is(steps[0].id, "m0"));
  ck_reading_free(&r);
}
