/* A question that is interrupted at any moment: the next page begins behind what is known to be
 * complete, or there is none (store/search/ask_pick.c, ask.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/search/ask_internal.h"
#include "store/search/index.h"
#include "tests/unit/test_store_search_help.h"

#define BLOCKS 6
#define MOST 100

TestSuite(store_search_cut, .init = sx_enter, .fini = sx_leave, .timeout = 120);

/* In blocks whose times overlap, and a tenth has the word. */
static void put_all(void) {
  char id[16];
  sx_start();
  sx_sql("BEGIN");
  for (int i = 0; i < BLOCKS * SEARCH_BLOCK; ++i) {
    snprintf(id, sizeof id, "m%d", i);
    sx_put(id, "c", i % 3 ? "user" : "tool", 1000 + (i * 37) % (SEARCH_BLOCK * 2) + i,
           i % 10 ? "nothing" : "word");
  }
  sx_sql("COMMIT");
  sx_reached();
}

static int count_down(void *self) { return --*(int *)self <= 0; }

/* The first hits of a query, interrupted after so many looks at the clock; 0: never. */
static void pick_in(struct ask_pick *p, const char *text, bool all, int looks) {
  struct ck_err err = {{0}};
  struct search_query query;
  struct search_chosen chosen;
  sqlite3 *index = NULL;
  struct ask_filter f = {.titles = true,
                         .messages = true,
                         .since = INT64_MIN,
                         .until = INT64_MAX,
                         .all = all,
                         .last = INT64_MAX};
  cr_assert_eq(search_index_reader(&index, &err), 0, "%s", err.text);
  search_query_parse(ck_str_of(text), 0, &query);
  search_query_entries(&query, &chosen);
  *p = (struct ask_pick){.at = ck_alloc(MOST * sizeof *p->at),
                         .most = MOST,
                         .after = {.key = INT64_MAX, .entry = INT64_MAX}};
  if (looks) sqlite3_progress_handler(index, 16, count_down, &looks);
  cr_assert_eq(ask_pick_newest(p, index, &chosen, &f, &err), 0, "%s", err.text);
  ask_pick_sort(p);
  search_chosen_free(&chosen);
  db_close(&index);
}

/* Whenever it is interrupted, what is known is the beginning of what a whole look gives. */
static void interrupted_anywhere(const char *text, bool all, bool advances) {
  struct ask_pick whole, part;
  bool some = false, cut = true;
  pick_in(&whole, text, all, 0);
  cr_assert_not(whole.cut);
  cr_assert_eq(ask_pick_known(&whole), MOST);
  for (int looks = 1; cut; looks += 1 + looks / 16) {
    pick_in(&part, text, all, looks);
    size_t known = ask_pick_known(&part);
    for (size_t i = 0; i < known; ++i)
      cr_assert_eq(part.at[i].entry, whole.at[i].entry, "%s, %d: hit %zu is another one", text,
                   looks, i);
    cut = part.cut;
    some |= cut && known > 0;
    cr_expect(cut ? part.left : known == MOST, "%s, %d", text, looks);
    free(part.at);
  }
  cr_expect_eq(some, advances, "%s", text);
  free(whole.at);
}

Test(store_search_cut, what_is_known_is_the_beginning) {
  put_all();
  interrupted_anywhere("word", true, true);
  interrupted_anywhere("word", false, false);
  interrupted_anywhere("-word", true, true);
  interrupted_anywhere("", true, true);
}

/* The time is over at once. */
Test(store_search_cut, an_answer_that_is_cut_short_says_so) {
  static const char *const asked[] = {"word", "-word", "", "role:tool", "全国人民"};
  put_all();
  sx_stop();
  for (size_t i = 0; i < sizeof asked / sizeof *asked; ++i) {
    for (int rank = 0; rank < 2; ++rank) {
      atomic_store(&sx_context.stop, true);
      cr_assert_eq(sx_try(asked[i], 20, "", rank), 0, "%s", asked[i]);
      cr_expect(sx_answer.timed_out && sx_answer.more, "%s", asked[i]);
      cr_expect_str_eq(sx_answer.cursor, "", "%s", asked[i]);
      atomic_store(&sx_context.stop, false);
      cr_assert_eq(sx_try(asked[i], 20, "", rank), 0, "%s", asked[i]);
      cr_expect_not(sx_answer.timed_out, "%s", asked[i]);
    }
  }
}
