/* What FTS5 does not know: whether the pieces of a run that an entry has, and the words beside it,
 * stand there as they are asked for. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/test_store_search_help.h"

TestSuite(store_search_runs, .init = sx_enter, .fini = sx_leave, .timeout = 60);

Test(store_search_runs, are_found_where_they_stand) {
  sx_start();
  sx_put("whole", "c", "user", 1, "全国人民银行");
  sx_put("pieces", "c", "user", 2, "国人，人民");
  sx_put("other", "c", "user", 3, "国人");
  sx_reached();
  FINDS("国人民", "whole");
  FINDS("国人", "other pieces whole");
  FINDS("国人 人民", "pieces whole");
  FINDS("国人，人民", "pieces");
  FINDS("-国人民", "other pieces");
  FINDS("国人 -国人民", "other pieces");
  FINDS("国人 -人民", "other");
  FINDS("国人民 -银行", "");
  FINDS("国人民 -银行家", "whole");
  FINDS("-国人民 -人", "");
}

Test(store_search_runs, and_words_beside_them) {
  sx_start();
  sx_put("beside", "c", "user", 1, "我用Python写脚本");
  sx_put("apart", "c", "user", 2, "Python，我用它写脚本");
  sx_put("across", "c", "user", 3, "a 好 b");
  sx_put("along", "c", "user", 4, "好 a b");
  sx_reached();
  FINDS("用python写", "beside");
  FINDS("python 写脚本", "apart beside");
  FINDS("python 脚本 -用它", "beside");
  FINDS("用pyt*", "beside");
  FINDS("\"a b\"", "along");
  FINDS("\"好 a b\"", "along");
  FINDS("好 -\"a b\"", "across");
  FINDS("a 好", "along across");
  FINDS("脚* -b", "apart beside");
}

Test(store_search_runs, of_tools_and_titles_are_apart) {
  sx_start();
  sx_put_conversation("loc1", "c1", "全国人民银行", 7);
  sx_put_conversation("loc2", "c2", "国人，人民", 8);
  sx_put("a", "c1", "assistant", 1, "你好");
  sx_put("b", "c2", "assistant", 2, "你好");
  sx_put_tool("x", "a", "全国人民", "好");
  sx_put_tool("y", "b", "国人，人民", "");
  sx_reached();
  FINDS("国人", "title:loc2 title:loc1");
  FINDS("国人民", "title:loc1");
  FINDS("tool:国人民", "a");
  FINDS("tool:国人", "b a");
  FINDS("is:tool 全国人", "a");
  FINDS("你好 -tool:国人民", "b");
  FINDS("title:国人民", "title:loc1");
  FINDS("title:国人民 你好", "a");
  FINDS("title:国人 你好", "b a");
  FINDS("-title:国人民 你好", "b");
  FINDS("-title:人民 你好", "");
  FINDS("title:你好", "");
}

/* Most of what FTS5 finds is not wanted, and more than is picked at once. */
Test(store_search_runs, pages_follow_each_other) {
  enum { OTHERS = 2500, WANTED = 40, A_PAGE = 7 };
  char id[16], cursor[64] = "";
  int seen[WANTED] = {0}, pages = 0, all = 0;
  sx_start();
  sx_sql("BEGIN");
  for (int i = 0; i < OTHERS + WANTED; ++i) {
    bool wanted = i % 60 == 30 && i / 60 < WANTED;
    snprintf(id, sizeof id, "%c%d", wanted ? 'w' : 'o', i / 60);
    if (!wanted) snprintf(id, sizeof id, "o%d", i);
    sx_put(id, "c", "user", 1000 + i, wanted ? "全国人民" : "国人，人民");
  }
  sx_sql("COMMIT");
  sx_reached();
  do {
    cr_assert_eq(sx_try("国人民", A_PAGE, cursor, false), 0);
    for (size_t i = 0; i < sx_answer.hit_count; ++i, ++all) {
      cr_expect_eq(*sx_answer.hits[i].message_id.s, 'w');
      ++seen[atoi(sx_answer.hits[i].message_id.s + 1)];
    }
    cr_expect_geq(sx_answer.count, (unsigned)all);
    cr_expect_leq(sx_answer.count, WANTED);
    cr_expect(sx_answer.more || sx_answer.count == WANTED);
    snprintf(cursor, sizeof cursor, "%s", sx_answer.cursor);
  } while (++pages < 20 && *cursor);
  cr_expect_eq(all, WANTED);
  cr_expect_not(sx_answer.more);
  for (int i = 0; i < WANTED; ++i) cr_expect_eq(seen[i], 1, "w%d was seen %d times", i, seen[i]);
}

/* What is only unwanted has no best: it is found by reading, as without --rank. */
Test(store_search_runs, of_what_is_only_unwanted_all_are_counted_on_each_page) {
  char id[16], cursor[64] = "";
  sx_start();
  for (int i = 0; i < 6; ++i) {
    snprintf(id, sizeof id, "m%d", i);
    sx_put(id, "c", "user", 10 + i, i % 2 ? "全国人民" : "国人，人民");
  }
  sx_reached();
  for (int page = 0; page < 3; ++page) {
    snprintf(id, sizeof id, "m%d", 4 - 2 * page);
    cr_assert_eq(sx_try("-国人民", 1, cursor, true), 0);
    cr_assert_eq(sx_answer.hit_count, 1);
    cr_expect(ck_str_is(sx_answer.hits[0].message_id, id));
    cr_expect_eq(sx_answer.count, 3, "page %d says %llu", page,
                 (unsigned long long)sx_answer.count);
    snprintf(cursor, sizeof cursor, "%s", sx_answer.cursor);
    cr_expect_eq(*cursor != '\0', page < 2);
  }
}

Test(store_search_runs, the_best_first) {
  sx_start();
  sx_put("long", "c", "user", 9,
         "全国人民 and then a long text in which that is only one of very many words, so many that "
         "nobody would read all of them to the end");
  sx_put("often", "c", "user", 1, "全国人民，全国人民");
  sx_put("pieces", "c", "user", 5, "国人，人民");
  sx_reached();
  cr_assert_eq(sx_try("国人民", 20, "", true), 0);
  cr_assert_eq(sx_answer.hit_count, 2);
  cr_expect_eq(sx_answer.count, 2);
  cr_expect_not(sx_answer.more);
  cr_expect(ck_str_is(sx_answer.hits[0].message_id, "often"));
  cr_expect(ck_str_is(sx_answer.hits[1].message_id, "long"));
}
