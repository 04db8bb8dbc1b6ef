/* What a search finds, and in which order. */
#include <stdio.h>
#include <stdlib.h>

#include "store/search/index.h"
#include "tests/unit/test_store_search_help.h"

TestSuite(store_search, .init = sx_enter, .fini = sx_leave, .timeout = 60);

Test(store_search, newest_first_by_time_not_by_arrival) {
  sx_start();
  sx_put("a", "c1", "user", 300, "the disk is full");
  sx_put("b", "c1", "assistant", 100, "a full Disk, again");
  sx_put("c", "c2", "user", 200, "diskette");
  sx_reached();
  FINDS("disk", "a b");
  FINDS("disk*", "a c b");
  FINDS("full disk", "a b");
  FINDS("\"full disk\"", "b");
  FINDS("disk -again", "a");
  FINDS("role:assistant", "b");
  FINDS("", "a c b");
  FINDS("-disk", "c");
  FINDS("nothing", "");
  FINDS("&", "");
}

/* The first moments of a store. */
Test(store_search, an_index_that_is_not_there_has_nothing) {
  sx_put("a", "c1", "user", 300, "the disk is full");
  FINDS("disk", "");
  cr_expect_eq(sx_answer.indexed, 0u);
  sx_start();
  sx_reached();
  FINDS("disk", "a");
}

Test(store_search, an_edit_is_found_by_its_new_words_only) {
  sx_start();
  sx_put("a", "c1", "user", 1, "before");
  sx_reached();
  sx_put("a", "c1", "user", 1, "after that");
  sx_reached();
  FINDS("before", "");
  FINDS("after that", "a");
  sx_put("a", "c2", "assistant", 5, "after that"); /* the same words */
  sx_reached();
  FINDS("after role:assistant", "a");
  cr_expect_eq(sx_answer.hits[0].at, 5);
}

Test(store_search, tools_are_asked_by_name_and_with_words_of_the_message) {
  sx_start();
  sx_put("a", "c1", "assistant", 1, "let me look");
  sx_put_tool("x", "a", "grep -r needle", "haystack");
  sx_reached();
  FINDS("needle", "");
  FINDS("tool:needle", "a");
  FINDS("look tool:needle", "a");
  FINDS("is:tool haystack", "a");
  FINDS("is:tool", "a");
  cr_expect(ck_str_is(sx_answer.hits[0].tool, "bash\ngrep -r needle\nhaystack\n"));
  sx_put_tool("x", "a", "grep -r needle", "found it");
  sx_reached();
  FINDS("tool:haystack", "");
  FINDS("look tool:found", "a");
  sx_put("b", "c1", "user", 9, "no tools");
  sx_reached();
  FINDS("is:tool", "a");
}

/* As params and results are stored: the JSON that a log had. */
Test(store_search, of_json_words_and_phrases_are_found_across_its_line_ends) {
  sx_start();
  sx_put("a", "c1", "assistant", 1, "let me look");
  sx_put_tool("x", "a", "{\"command\":\"ls\\n\\tgrep\"}",
              "{\"text\":\"file1\\nfile2\\tna\\u00efve\",\"code\":127}");
  sx_put("b", "c1", "tool", 2, "[\"one\\ntwo\"]");
  sx_reached();
  FINDS("tool:file2", "a");
  FINDS("tool:nfile2", "");
  FINDS("tool:\"file1 file2\"", "a");
  FINDS("tool:\"ls grep\"", "a");
  FINDS("tool:naive", "a");
  FINDS("tool:command tool:127", "a");
  cr_expect(ck_str_is(sx_answer.hits[0].tool,
                      "bash\n{\"command\":\"ls\n\tgrep\"}\n"
                      "{\"text\":\"file1\nfile2\tna\u00efve\",\"code\":127}\n"));
  FINDS("tool:two", "b");
  FINDS("tool:\"one two\"", "b");
}

Test(store_search, titles_are_hits_and_choose_conversations) {
  sx_start();
  sx_put_conversation("loc1", "c1", "About disks", 7);
  sx_put_conversation("loc2", "c2", "About cats", 8);
  sx_put("a", "c1", "user", 1, "hello there");
  sx_put("b", "c2", "user", 2, "hello you");
  sx_reached();
  FINDS("about", "title:loc2 title:loc1");
  FINDS("title:disks hello", "a");
  FINDS("-title:disks hello", "b");
  FINDS("in:c2 hello", "b");
  FINDS("in:loc1 hello", "a");
  FINDS("in:cats hello", "b");
  FINDS("-in:loc1 hello", "b");
  FINDS("platform:chatgpt hello", "b a");
  FINDS("platform:claude hello", "");
  FINDS("-platform:chatgpt", "");
  sx_put_conversation("loc1", "c1", "Of dogs", 9);
  sx_reached();
  FINDS("title:disks", "");
  FINDS("title:dogs", "title:loc1");
  FINDS("hello title:dogs", "a");
  cr_expect(ck_str_is(sx_answer.hits[0].local_conversation_id, "loc1"));
  cr_expect(ck_str_is(sx_answer.hits[0].title, "Of dogs"));
}

/* Entries of a conversation lie anywhere, and those of a message that has moved before the others.
 * Whole blocks of others lie between, since a question without words looks at blocks. */
Test(store_search, of_a_conversation_all_entries_are_found) {
  sx_start();
  sx_put("moved", "c2", "user", 1, "hello");
  sx_put("a", "c1", "user", 2, "hello");
  sx_sql("BEGIN");
  for (int i = 0; i < 2 * SEARCH_BLOCK; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%d", i);
    sx_put(id, "c2", "user", 3, "others");
  }
  sx_sql("COMMIT");
  sx_put("b", "c1", "user", 4, "hello");
  sx_reached();
  FINDS("in:c1 hello", "b a");
  FINDS("in:c1", "b a");
  sx_put("c", "c3", "user", 6, "hello");
  sx_put("moved", "c3", "user", 5, "hello");
  sx_reached();
  FINDS("in:c3 hello", "c moved");
  sx_put("a", "c3", "user", 2, "hello");
  sx_reached();
  FINDS("in:c3", "c moved a");
  FINDS("in:c1 hello", "b");
}

/* What comes in between changes nothing in what follows. */
Test(store_search, pages_follow_each_other) {
  sx_start();
  for (int i = 0; i < 50; ++i) {
    char id[16], text[32];
    snprintf(id, sizeof id, "m%02d", i);
    snprintf(text, sizeof text, "word number %d", i);
    sx_put(id, "c", "user", 1000 + i / 3, text);
  }
  sx_reached();
  char cursor[64] = "";
  int64_t before = INT64_MAX;
  int seen[50] = {0}, pages = 0;
  do {
    cr_assert_eq(sx_try("word", 7, cursor, false), 0);
    for (size_t i = 0; i < sx_answer.hit_count; ++i) {
      cr_expect_leq(sx_answer.hits[i].at, before);
      before = sx_answer.hits[i].at;
      ++seen[atoi(sx_answer.hits[i].message_id.s + 1)];
    }
    snprintf(cursor, sizeof cursor, "%s", sx_answer.cursor);
    cr_expect_eq(sx_answer.count, 50 + (unsigned)pages);
    char id[16];
    snprintf(id, sizeof id, "new%d", pages);
    sx_put(id, "c", "user", 5000, "a later word");
    sx_reached();
  } while (++pages < 20 && *cursor);
  cr_expect_eq(pages, 8);
  for (int i = 0; i < 50; ++i) cr_expect_eq(seen[i], 1, "m%02d was seen %d times", i, seen[i]);
}

Test(store_search, the_best_first) {
  sx_start();
  sx_put("long", "c", "user", 9,
         "a long text in which the word disk is only one of very many words");
  sx_put("short", "c", "user", 1, "disk disk");
  sx_put("other", "c", "user", 5, "nothing of the kind");
  sx_reached();
  cr_assert_eq(sx_try("disk", 1, "", true), 0);
  cr_expect(ck_str_is(sx_answer.hits[0].message_id, "short"));
  char cursor[64];
  snprintf(cursor, sizeof cursor, "%s", sx_answer.cursor);
  cr_assert_eq(sx_try("disk", 1, cursor, true), 0);
  cr_expect(ck_str_is(sx_answer.hits[0].message_id, "long"));
  cr_expect_str_eq(sx_answer.cursor, "");
}

Test(store_search, a_rare_word_counts_more) {
  char id[16];
  sx_start();
  for (int i = 0; i < 50; ++i) {
    snprintf(id, sizeof id, "m%d", i);
    sx_put(id, "c", "user", i, "the disk");
  }
  sx_put("common", "c", "user", 101, "disk disk disk tape");
  sx_put("rare", "c", "user", 100, "disk tape tape tape");
  sx_reached();
  cr_assert_eq(sx_try("disk tape", 2, "", true), 0);
  cr_expect(ck_str_is(sx_answer.hits[0].message_id, "rare"));
  cr_expect(ck_str_is(sx_answer.hits[1].message_id, "common"));
}

Test(store_search, what_is_no_cursor_is_seen) {
  static const char *const bad[] = {
      "x",        "n",        "n 1",       "n 1 2",
      "n 1 2 ",   "n 1 2 0 ", "n 1 2 0x",  "r 1 2 0",
      " n 1 2 0", "n  1 2 0", "n +1 2 0",  "n 1 2 -1",
      "9205a16d", "n 1 2 +1", "n 1 2 0 1", "n 99999999999999999999 1 0"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    cr_expect_not(search_cursor_ok(ck_str_of(bad[i]), false), "%s", bad[i]);
  cr_expect(search_cursor_ok(CK_LIT("n 1 2 3"), false));
  cr_expect(search_cursor_ok(CK_LIT("n -1 2 0"), false));
  cr_expect(search_cursor_ok(CK_LIT("r 1 2 0"), true));
  cr_expect_not(search_cursor_ok(CK_LIT("n 1 2 3"), true));
  cr_expect(search_cursor_ok(CK_LIT(""), true));
}
