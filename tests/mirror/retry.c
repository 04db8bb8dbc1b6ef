/* sync retry: dead letters are sent again. */
#include <string.h>

#include "tests/mirror/stories.h"

static void start(const struct mirror *m, const char *refused) {
  mirror_start(m);
  mirror_schema(m);
  m->refuse(refused);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
}

void story_dead_letters_are_sent_again(const struct mirror *m) {
  start(m, "id LIKE 'm7-%'");
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 20, 0);
  mirror_settle(10000);
  T_CHECK(mirror_dead() == 3, "%lld dead letters, not 3", (long long)mirror_dead());
  /* The cause is still there, so they are refused again. */
  json_decref(t_lines(0, "sync", "retry"));
  mirror_settle(10000);
  T_CHECK(mirror_dead() == 3, "%lld dead letters after a retry in vain", (long long)mirror_dead());
  m->accept();
  int64_t version = t_status_int("version", -1);
  json_decref(t_lines(0, "sync", "retry", "m7-1"));
  T_CHECK(t_status_int("version", -1) == version + 1, "one record is one version");
  mirror_settle(10000);
  T_CHECK(mirror_dead() == 2, "%lld dead letters, not 2", (long long)mirror_dead());
  json_t *lines = t_lines(0, "sync", "retry");
  T_CHECK(t_int_at(lines, "0.retried", -1) == 2, "it does not say that it sends 2");
  json_decref(lines);
  mirror_same(m, 10000);
  mirror_none_dead();
  json_decref(t_lines(0, "sync", "retry"));
  t_do(1, "sync", "retry", "m7-1");
  mirror_stop(m);
}

/* A record that was written again has nothing left to retry. */
void story_a_later_version_takes_the_dead_letters_place(const struct mirror *m) {
  start(m, "raw_text = 'bad'");
  struct t_producer *p = t_producer("test");
  t_taken(p, 'n', "messages",
          "{'id':'a','platform':'p','role':'user','raw_text':'bad','observed_at':1}");
  mirror_settle(10000);
  T_CHECK(mirror_dead() == 1, "%lld dead letters, not 1", (long long)mirror_dead());
  json_t *lines = t_lines(0, "sync", "verify");
  T_CHECK(t_int_at(lines, "0.dead_letters", -1) == 1, "a dead letter is taken for missing");
  json_decref(lines);
  t_taken(p, 'u', "messages",
          "{'id':'a','platform':'p','role':'user','raw_text':'good','observed_at':2}");
  mirror_same(m, 10000);
  t_taken(p, 'n', "messages",
          "{'id':'b','platform':'p','role':'user','raw_text':'good','observed_at':1}");
  mirror_same(m, 10000);
  mirror_none_dead();
  mirror_stop(m);
}
