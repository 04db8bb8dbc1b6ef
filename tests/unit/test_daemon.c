/* The flags that every daemon takes, through a daemon that does nothing but a task. */
#include "proto/daemon.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define SETS 200

static int64_t batch, cache;

static int note_settings(const struct ck_settings *s, int argc, char **argv) {
  (void)argv;
  cr_assert_eq(argc, 1);
  batch = ck_set_int(s, CK_SET_STORE_BATCH);
  cache = ck_set_int(s, CK_SET_STORE_CACHE);
  return 0;
}

static const struct ck_daemon daemon_of_tests = {.name = "nothing", .task = note_settings};

/* Runs it with so many --set flags. The first sets the cache, each later one another batch; `last`
 * takes the place of the last value. */
static int run_with(size_t sets, char *last) {
  char folder[] = "/tmp/ck-daemon-XXXXXX";
  cr_assert(mkdtemp(folder));
  char set[] = "--set", task[] = "task", name[] = "nothing", data[] = "--data";
  char *argv[3 + 2 * SETS + 2] = {name, data, folder}, batches[SETS][32];
  int argc = 3;
  for (size_t i = 0; i < sets; ++i) {
    snprintf(batches[i], sizeof batches[i], i ? "store.batch=%zu" : "store.cache=7", i);
    argv[argc++] = set;
    argv[argc++] = batches[i];
  }
  if (last) argv[argc - 1] = last;
  argv[argc++] = task;
  return ck_daemon_main(argc, argv, &daemon_of_tests);
}

Test(daemon, every_set_flag_counts_however_many_there_are) {
  cr_assert_eq(run_with(SETS, NULL), 0);
  cr_assert_eq(cache, 7);
  cr_assert_eq(batch, SETS - 1);
}

Test(daemon, a_bad_value_is_refused_in_the_last_of_many_set_flags) {
  char bad[] = "store.batch=none";
  cr_assert_eq(run_with(SETS, bad), 2);
  cr_assert_eq(batch, 0, "the task must not have run");
}
