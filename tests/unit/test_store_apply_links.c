/* Changesets with links: found by their remote ids, which pass from one link to another. */
#include "test_store_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void two_links(void) {
  sh_conversation(&s, "c1", "");
  sh_conversation(&s, "c2", "");
  cr_assert_eq(sh_link(&s, "l1", "c1", "r1", ""), 'n');
  cr_assert_eq(sh_link(&s, "l2", "c1", "r2", ""), 'n');
}

/* Each is newer than the one before. */
static void put_link(const char *id, const char *remote, const char *more) {
  static int at = 10;
  char *json = ck_sprintf("{'link_id':'%s','local_conversation_id':'c1','platform':'p','remote_"
                          "conversation_id':%s,'observed_at':%d%s}",
                          id, remote, at++, more);
  sh_put(&s, CK_LINKS, json);
  free(json);
}

Test(apply, a_link_is_found_by_its_remote_id_first) {
  two_links();
  cr_expect_eq(sh_link(&s, "another", "c2", "r1", ",'page_title':'t'"), 'u');
  sh_is(&s, CK_LINKS, "l1", "page_title", "t");
  sh_is(&s, CK_LINKS, "l1", "local_conversation_id", "c2");
  sh_is(&s, CK_LINKS, "another", "page_title", "none");
  cr_expect_eq(sh_link(&s, "l1", "c1", "r2", ",'page_title':'second'"), 'u',
               "r2 is l2's, whatever id comes");
  sh_is(&s, CK_LINKS, "l2", "page_title", "second");
  cr_expect_eq(sh_link(&s, "l1", "c1", "r9", ""), 'u', "nobody has r9: by link_id");
  sh_is(&s, CK_LINKS, "l1", "remote_conversation_id", "r9");
  cr_expect_eq(sh_link(&s, "l3", "c1", "r1", ""), 'n', "r1 is free again");
  cr_expect_eq(sh_write(&s, CK_LINKS,
                        "{'link_id':'q1','local_conversation_id':'c1','platform':'q','remote_"
                        "conversation_id':'r1','observed_at':1}"),
               'n', "of another platform");
}

Test(apply, links_within_one_changeset) {
  sh_conversation(&s, "c1", "");
  put_link("a", "'r1'", "");
  put_link("b", "'r1'", ",'page_title':'t'");
  put_link("a", "'r2'", "");
  put_link("c", "'r1'", "");
  cr_expect_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  sh_is(&s, CK_LINKS, "a", "remote_conversation_id", "r2");
  sh_is(&s, CK_LINKS, "a", "page_title", "t");
  sh_is(&s, CK_LINKS, "c", "remote_conversation_id", "r1");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM conversation_links"), 2);
}

/* Unique keys go round in a ring: no key has two holders at any moment, although in order of
 * version it would. */
Test(apply, links_hand_on_their_remote_ids) {
  two_links();
  for (int together = 0; together < 2; ++together) {
    put_link("l1", "'r3'", "");
    if (!together) cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
    put_link("l2", together ? "'r2'" : "'r1'", "");
    if (!together) cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
    put_link("l1", together ? "'r1'" : "'r2'", "");
    cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
    cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
    sh_is(&s, CK_LINKS, "l1", "remote_conversation_id", together ? "r1" : "r2");
    sh_is(&s, CK_LINKS, "l2", "remote_conversation_id", together ? "r2" : "r1");
  }
  /* the one that gave its key up changes again after the other took it */
  put_link("l1", "'r5'", "");
  put_link("l2", "'r1'", "");
  put_link("l1", "'r5'", ",'page_title':'again'");
  cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  sh_is(&s, CK_LINKS, "l2", "remote_conversation_id", "r1");
  sh_reopen(&s);
  sh_update(&s, CK_LINKS, "{'link_id':'l2','remote_conversation_id':'r1'}");
  sh_update(&s, CK_LINKS, "{'link_id':'l2','remote_conversation_id':null}");
  put_link("l1", "'r1'", "");
  cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  sh_is(&s, CK_LINKS, "l1", "remote_conversation_id", "r1");
}

Test(apply, no_two_links_have_one_remote_id) {
  two_links();
  sh_update(&s, CK_LINKS, "{'link_id':'l2','remote_conversation_id':'r1'}");
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "conversation_links.remote_conversation_id: belongs to another "
                                  "link of this platform (l1)"),
            "%s", s.reason.text);
  sh_write(&s, CK_LINKS,
           "{'link_id':'q1','local_conversation_id':'c1','platform':'q','remote_conversation_id':'"
           "r1','observed_at':1}");
  sh_refused(&s, "conversation_links.remote_conversation_id: belongs to another link", CK_LINKS,
             "{'link_id':'q1','platform':'p','observed_at':2}");
  sh_is(&s, CK_LINKS, "q1", "platform", "q");
}
