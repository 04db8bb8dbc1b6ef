/* The secret that opens the mirror is on no command line and in no log, status, output, database or
 * error; whether it is good, wrong or expired, in a file or in the environment. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/secret.h"
#include "tests/mirror/stories.h"

static void is_stopped(const char *why) {
  T_UNTIL(10000, strcmp(mirror_state(), "stopped") == 0 && strstr(mirror_last_error(), why),
          "it is %s, its last error is '%s'", mirror_state(), mirror_last_error());
  T_UNTIL(20000, t_status_int(t_sync("hold.until"), 0) > 0, "the hold is not shown");
}

static void give(const struct mirror_secret *s, bool in_file, const char *secret) {
  if (in_file) {
    unsetenv(s->environment);
    t_set(s->file_setting, s->file);
    t_write_text(s->file, secret);
  } else {
    t_set(s->file_setting, "");
    t_set(s->setting, secret);
  }
}

static void looked_at(const struct mirror_secret *s) {
  t_secret_ask_all();
  t_secret_in_no_environment(s->good, MIRROR_WRONG_SECRET);
}

/* Everything is looked at while it is refused, while it is expired, and while it works. */
static void in_all_states(const struct mirror *m, const struct mirror_secret *s, bool in_file) {
  give(s, in_file, MIRROR_WRONG_SECRET);
  t_up();
  mirror_write(t_producer("test"), 0, 3, 0);
  is_stopped(s->refused);
  looked_at(s);
  t_down();
  give(s, in_file, s->good);
  s->expire();
  t_up();
  is_stopped(s->expired);
  looked_at(s);
  s->renew();
  mirror_same(m, 40000);
  looked_at(s);
  t_down();
}

void story_a_secret_is_told_by_nobody(const struct mirror *m, const struct mirror_secret *s,
                                      bool in_file) {
  const char *const except[] = {s->file, s->own, NULL};
  mirror_start(m);
  mirror_schema(m);
  t_set("sync.backoff_max", "500ms");
  t_set("log.level", "debug");
  t_secret_watch(s->good, MIRROR_WRONG_SECRET);
  in_all_states(m, s, in_file);
  t_secret_unwatched();
  mirror_stop(m);
  t_secret_nowhere(s->good, MIRROR_WRONG_SECRET, except);
}
