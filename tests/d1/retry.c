/* sync retry: what the mirror refused is sent again. */
#include "tests/d1/d1.h"

#include <string.h>

static void refuse(const char *what) {
  json_decref(d1_sql("CREATE TRIGGER bad BEFORE INSERT ON messages WHEN %s BEGIN SELECT raise(ABORT, 'CHECK constraint failed: bad'); END", what));
}

static int64_t dead(void) { return t_status_int("sync.dead", -1); }

T_STORY(d1_retry, dead_letters_are_sent_again, 60) {
  d1_start();
  d1_schema(false);
  refuse("NEW.id LIKE 'm7-%%'");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, 20, 0);
  d1_settle(10000);
  T_CHECK(dead() == 3, "%lld dead letters, not 3", (long long)dead());
  /* Nothing was mended: they are refused again. */
  json_decref(t_lines(0, "sync", "retry"));
  d1_settle(10000);
  T_CHECK(dead() == 3, "%lld dead letters after a retry in vain", (long long)dead());
  json_decref(d1_sql("DROP TRIGGER bad"));
  int64_t version = t_status_int("version", -1);
  json_decref(t_lines(0, "sync", "retry", "m7-1"));
  T_CHECK(t_status_int("version", -1) == version + 1, "one record is one version");
  d1_settle(10000);
  T_CHECK(dead() == 2, "%lld dead letters, not 2", (long long)dead());
  json_t *lines = t_lines(0, "sync", "retry");
  T_CHECK(t_int_at(lines, "0.retried", -1) == 2, "it does not say that it sends 2");
  json_decref(lines);
  d1_same(10000);
  T_CHECK(dead() == 0, "%lld dead letters are left", (long long)dead());
  json_decref(t_lines(0, "sync", "retry"));
  t_do(1, "sync", "retry", "m7-1");
  d1_stop();
}

/* A record that was written again has nothing left to be sent again. */
T_STORY(d1_retry, a_later_version_takes_the_dead_letters_place, 60) {
  d1_start();
  d1_schema(false);
  refuse("NEW.raw_text = 'bad'");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  t_taken(p, 'n', "messages", "{'id':'a','platform':'p','role':'user','raw_text':'bad','observed_at':1}");
  d1_settle(10000);
  T_CHECK(dead() == 1, "%lld dead letters, not 1", (long long)dead());
  json_t *lines = t_lines(0, "sync", "verify");
  T_CHECK(t_int_at(lines, "0.set_aside", -1) == 1, "what was set aside is taken for missing");
  json_decref(lines);
  t_taken(p, 'u', "messages", "{'id':'a','platform':'p','role':'user','raw_text':'good','observed_at':2}");
  d1_same(10000);
  t_taken(p, 'n', "messages", "{'id':'b','platform':'p','role':'user','raw_text':'good','observed_at':1}");
  d1_same(10000);
  T_CHECK(dead() == 0, "the dead letter outlives its version");
  d1_stop();
}
