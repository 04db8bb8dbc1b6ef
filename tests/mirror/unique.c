/* Unique values pass from record to record. A batch has only newest states, so the record that took
 * a value may come long before the one that released it; and of two that swapped values, neither
 * can come first. */
#include <stdio.h>

#include "tests/mirror/stories.h"

#define LINKS 40

/* Each is newer than the one before. */
static void link_to(struct t_producer *p, int i, const char *remote) {
  static int at = 9000;
  t_taken(p, 'u', "conversation_links",
          "{'link_id':'l%d','local_conversation_id':'c%d','platform':'p',"
          "'remote_conversation_id':'%s','observed_at':%d}",
          i, i, remote, at++);
}

static void link_to_nth(struct t_producer *p, int i, int n) {
  char remote[16];
  snprintf(remote, sizeof remote, "r%d", n);
  link_to(p, i, remote);
}

static void swap_remotes(struct t_producer *p, int a, int b) {
  link_to(p, a, "between");
  link_to_nth(p, b, a);
  link_to_nth(p, a, b);
}

void story_what_is_unique_changes_hands_across_a_backlog(const struct mirror *m) {
  struct t_process *w[1];
  mirror_start(m);
  mirror_schema(m);
  t_set("sync.batch", "4000");
  t_daemon("store", NULL);
  mirror_workers(w, 1);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, LINKS, 0);
  mirror_settle(20000);
  mirror_end_workers(w, 1);
  swap_remotes(p, 1, 2);
  link_to(p, 3, "of its own");
  link_to(p, 4, "r3");
  link_to(p, 10, "first");
  for (int i = 11; i < 20; ++i) link_to_nth(p, i, i - 1);
  mirror_write(p, LINKS + 1, LINKS, 0);
  /* A record that released a value changes again, so its newest state is at the other end of the
   * backlog. */
  link_to(p, 3, "and another");
  swap_remotes(p, 5, 6);
  int64_t began = ck_boot_ms();
  mirror_workers(w, 1);
  mirror_settle(20000);
  t_note("%d links, settled after %lld ms", 2 * LINKS, (long long)(ck_boot_ms() - began));
  mirror_none_dead();
  mirror_same(m, 20000);
  mirror_end_workers(w, 1);
  mirror_stop(m);
}
