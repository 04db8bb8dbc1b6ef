/* The states of a slice: the moves in the table of syncd/batches/slice.h are possible, and no
 * others. */
#include <criterion/criterion.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "syncd/batches/slice.h"

/* [class][state]: the states that it may move to, by their first letters; K for STUCK. */
static const char *const drawn[SYNC_CLASSES][SYNC_SLICE_STATES] = {
    [SYNC_DONE] = {"EG", "EG", "EG", "REG", "EG", ""},
    [SYNC_UNKNOWN] = {"K", "K", "K", "K", "K", ""},
    [SYNC_NOT_APPLIED] = {"K", "K", "K", "K", "K", ""},
    [SYNC_LESS] = {"", "", "", "", "", ""},
    [SYNC_SPLIT] = {"K", "K", "K", "K", "K", ""},
    [SYNC_WAIT] = {"", "", "", "", "", ""},
    [SYNC_QUOTA] = {"", "", "", "", "", ""},
    [SYNC_STOP] = {"", "", "", "", "", ""},
    [SYNC_WITNESS] = {"", "", "", "", "", ""},
    [SYNC_TABLE] = {"P", "P", "P", "P", "P", ""},
    [SYNC_EARLY] = {"EG", "EG", "EG", "EG", "EG", ""},
    [SYNC_ROW] = {"SG", "G", "G", "G", "G", ""},
    [SYNC_ODD] = {"K", "K", "K", "K", "K", ""},
};
static const char letters[] = "RSEPKG";

Test(syncd_slice, every_move_that_is_drawn_is_made) {
  unsigned made = 0;
  for (int class = 0; class < SYNC_CLASSES; ++class)
    for (int from = 0; from < SYNC_SLICE_STATES; ++from)
      for (const char *to = drawn[class][from]; *to; ++to) {
        struct sync_slice s = {.state = (enum sync_slice_state)from};
        enum sync_slice_state want = (enum sync_slice_state)(strchr(letters, *to) - letters);
        sync_slice_move(&s, (enum sync_class) class, want);
        cr_expect_eq(s.state, want);
        ++made;
      }
  cr_expect_eq(made, 52, "%u", made);
}

static sigjmp_buf back;
static void on_abort(int number) {
  (void)number;
  siglongjmp(back, 1);
}

static bool aborts(enum sync_class class, enum sync_slice_state from, enum sync_slice_state to) {
  struct sync_slice s = {.state = from};
  if (sigsetjmp(back, 1)) return true;
  sync_slice_move(&s, class, to);
  return false;
}

Test(syncd_slice, every_other_move_aborts) {
  cr_assert(freopen("/dev/null", "w", stderr)); /* assert() prints */
  signal(SIGABRT, on_abort);
  for (int class = 0; class < SYNC_CLASSES; ++class)
    for (int from = 0; from < SYNC_SLICE_STATES; ++from)
      for (int to = 0; to < SYNC_SLICE_STATES; ++to) {
        if (strchr(drawn[class][from], letters[to])) continue;
        cr_expect(
            aborts((enum sync_class) class, (enum sync_slice_state)from, (enum sync_slice_state)to),
            "%s: %c to %c", sync_class_name((enum sync_class) class), letters[from], letters[to]);
      }
}
