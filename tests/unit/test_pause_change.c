/* Whom a pause holds, and which of two lasts longer (proto/pause_change.h). */
#include <criterion/criterion.h>

#include "proto/pause_change.h"

static bool holds(const char *kind, const char *name) {
  const struct ck_pausable job = {CK_LIT("x"), CK_LIT("work"), CK_LIT("x:c"), CK_LIT("j")};
  return ck_pause_holds(ck_str_of(kind), ck_str_of(name), &job);
}

Test(pause_change, of_each_kind) {
  cr_expect(holds("everything", ""));
  cr_expect(holds("platform", "x") && !holds("platform", "y"));
  cr_expect(holds("account", "work") && !holds("account", "x"));
  cr_expect(holds("conversation", "x:c") && !holds("conversation", "x"));
  cr_expect(holds("job", "j") && !holds("job", "x:c"));
  cr_expect(!holds("another", "x"));
}

Test(pause_change, of_what_has_no_name) {
  const struct ck_pausable none = {0};
  cr_expect(!ck_pause_holds(CK_LIT("account"), CK_LIT(""), &none));
  cr_expect(ck_pause_holds(CK_LIT("everything"), CK_LIT(""), &none));
}

Test(pause_change, without_an_end_it_lasts_longest) {
  cr_expect(ck_pause_outlasts(0, 5) && !ck_pause_outlasts(5, 0) && !ck_pause_outlasts(0, 0));
  cr_expect(ck_pause_outlasts(6, 5) && !ck_pause_outlasts(5, 5) && !ck_pause_outlasts(4, 5));
}
