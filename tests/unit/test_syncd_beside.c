/* What a worker runs beside itself: one task after another. Here it is this program, which does not
 * know the words, and ends. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>

#include "syncd/beside.h"

static void must(int rc, const struct ck_err *err) { cr_assert_eq(rc, 0, "%s", err->text); }

/* What is asked for while one runs is not lost, even if that one was about to end. */
Test(syncd_beside, the_last_one_asked_for_follows) {
  struct sync_beside b = {0};
  struct ck_err err;
  must(sync_beside_start(&b, CK_LIT("one"), &err), &err);
  pid_t first = b.pid;
  cr_assert(first > 0);
  must(sync_beside_start(&b, CK_LIT("two"), &err), &err);
  must(sync_beside_start(&b, CK_LIT("three words more"), &err), &err);
  cr_assert_eq(b.pid, first);
  cr_assert_str_eq(b.next, "three words more");
  while (b.pid == first) {
    must(sync_beside_look(&b, &err), &err);
    poll(NULL, 0, 1);
  }
  cr_assert(b.pid > 0, "nothing follows");
  cr_assert_null(b.next);
  while (b.pid) {
    must(sync_beside_look(&b, &err), &err);
    poll(NULL, 0, 1);
  }
}

Test(syncd_beside, none_follows_an_end) {
  struct sync_beside b = {0};
  struct ck_err err;
  must(sync_beside_start(&b, CK_LIT("one"), &err), &err);
  must(sync_beside_start(&b, CK_LIT("two"), &err), &err);
  sync_beside_end(&b);
  must(sync_beside_look(&b, &err), &err);
  cr_assert_eq(b.pid, 0);
}
