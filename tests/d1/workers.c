/* Several workers on one door: none loses anything, none writes old versions, and together they
 * keep to one rate. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_workers, zombies_change_nothing_and_nothing_is_lost, 3000) {
  story_zombies_change_nothing_and_nothing_is_lost(&mirror_d1);
}

/* Batches that an ending worker has not sent are leased to the next worker at once, not only when
 * the lease has expired. */
T_STORY(d1_workers, a_worker_that_ends_returns_what_it_has_not_sent, 60) {
  d1_start();
  d1_schema();
  t_set("sync.batch", "20000");
  json_decref(d1_control("settings", "{'latency_ms':1000}"));
  t_daemon("store", NULL);
  mirror_write_together(t_producer("test"), 0, 100, 0);
  struct t_process *one = t_daemon_try("syncd", NULL);
  T_UNTIL(20000, t_status_int(t_sync("in_flight"), 0) >= 2 && d1_stat("in_flight") == 1,
          "it does not hold two batches");
  t_signal(one, SIGTERM);
  T_CHECK(t_wait_end(one, 20000) == 0, "it does not end when asked");
  /* Its last outcome may still be on its way into the database; a lease would last 10 s. */
  T_UNTIL(8000, t_status_int(t_sync("in_flight"), -1) == 0,
          "batches are still leased to a worker that has ended");
  json_decref(d1_control("settings", "{'latency_ms':0}"));
  t_daemon("syncd", NULL);
  d1_same(5000);
  T_CHECK(t_status_int(t_sync("dead_letters"), -1) == 0, "nothing is dead");
  d1_stop();
}

/* 2 requests a second for all of them together; a single one saves up no more than three. */
T_STORY(d1_workers, one_rate_for_all, 60) {
  struct t_process *w[3];
  d1_start();
  d1_schema();
  t_set("d1.rate", "600");
  t_set("sync.batch", "5000");
  int64_t store_began = ck_boot_ms();
  t_daemon("store", NULL);
  mirror_write_together(t_producer("test"), 0, 200, 0);
  int64_t before = d1_stat("requests"), began = ck_boot_ms();
  mirror_workers(w, 3);
  t_pause(8000);
  int64_t requests = d1_stat("requests") - before,
          most = 2 * (ck_boot_ms() - store_began) / 1000 + 3;
  t_note("%lld requests of 3 workers in %lld ms, at 2 a second", (long long)requests,
         (long long)(ck_boot_ms() - began));
  T_CHECK(requests <= most, "%lld requests, not more than %lld", (long long)requests,
          (long long)most);
  T_CHECK(requests >= 10, "only %lld requests", (long long)requests);
  json_t *s = t_status(1000);
  T_CHECK(t_int_at(s, t_sync("rate.limit"), 0) == 600 &&
              t_int_at(s, t_sync("rate.used"), 0) >= requests - 3,
          "the status says %lld of %lld requests", (long long)t_int_at(s, t_sync("rate.used"), 0),
          (long long)t_int_at(s, t_sync("rate.limit"), 0));
  json_decref(s);
  mirror_end_workers(w, 3);
  d1_stop();
}

/* If one worker gets a 429, all of them stop: the peer blocks the token for 4 s, as Cloudflare does
 * for 5 minutes. */
T_STORY(d1_workers, a_429_holds_all_of_them_back, 60) {
  struct t_process *w[3];
  d1_start();
  d1_schema();
  t_set("d1.rate", "100000");
  t_set("sync.batch", "5000");
  json_decref(d1_control("settings", "{'rate':{'requests':30,'window_ms':5000,'block_ms':4000}}"));
  t_daemon("store", NULL);
  mirror_workers(w, 3);
  mirror_write_together(t_producer("test"), 0, 150, 0);
  d1_same(40000);
  int64_t refused = d1_stat("rate_limited");
  t_note("%lld requests, %lld of them refused", (long long)d1_stat("requests"), (long long)refused);
  T_CHECK(refused <= 6, "%lld requests were sent past the limit", (long long)refused);
  mirror_none_dead();
  mirror_end_workers(w, 3);
  d1_stop();
}

static const char *alarm_now(void) {
  static char text[40];
  json_t *s = t_status(2000);
  const char *said = t_text_at(s, t_sync("alarm"));
  snprintf(text, sizeof text, "%s", said ? said : "");
  json_decref(s);
  return text;
}

/* Checks that the status has each thing that a person may look for. */
static void says_all(void) {
  static const char *const members[] = {
      "sink",          "cursor",       "pending",    "behind_ms",    "in_flight",      "workers",
      "rate.limit",    "rate.used",    "rate.left",  "rate.held_ms", "today.requests", "today.rows",
      "today.written", "dead_letters", "last_error", "paused",       "alarm",          "version"};
  json_t *lines = t_lines(0, "sync", "status");
  for (size_t i = 0; i < sizeof members / sizeof *members; ++i)
    T_CHECK(t_at(json_array_get(lines, 0), members[i]) != NULL,
            "sync status --json does not say %s", members[i]);
  json_decref(lines);
  static const char *const words[] = {"mirror", "rate", "today", "batches in hand",
                                      "rows written in"};
  struct t_result r = t_convkeep("sync", "status");
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
    T_CHECK(strstr(r.out, words[i]), "sync status does not say %s: %s", words[i], r.out);
  t_result_free(&r);
}

T_STORY(d1_workers, the_status_says_what_it_costs_and_when_nothing_gets_on, 90) {
  d1_start();
  t_set("sync.backoff_max", "30s");
  t_set("d1.rate", "1050");
  d1_schema();
  int64_t before = d1_stat("rows_written");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, 10, 0);
  d1_same(10000);
  int64_t written = d1_stat("rows_written") - before;
  T_UNTIL(20000, t_status_int(t_sync("today.written"), -1) == written,
          "today's cost is %lld rows, D1 says %lld",
          (long long)t_status_int(t_sync("today.written"), -1), (long long)written);
  T_CHECK(*alarm_now() == '\0', "an alarm without a reason: %s", alarm_now());
  says_all();
  /* D1 is gone for longer than any short wait: the alarm comes, and ends once D1 is back. */
  d1_kill();
  mirror_write(p, 10, 10, 0);
  T_UNTIL(10000, strcmp(alarm_now(), "stalled") == 0, "D1 is gone, and the alarm is '%s'",
          alarm_now());
  T_CHECK(t_status_int(t_sync("behind_ms"), 0) >= 5000, "behind for %lld ms",
          (long long)t_status_int(t_sync("behind_ms"), 0));
  struct t_result r = t_convkeep("sync", "status");
  T_CHECK(strstr(r.out, "nothing gets into the mirror") && strstr(r.out, "curl 7"),
          "sync status says %s", r.out);
  t_result_free(&r);
  t_pause(6000);
  d1_again();
  mirror_settle(2500);
  T_CHECK(*alarm_now() == '\0', "the alarm is still %s", alarm_now());
  json_decref(d1_sql("ALTER TABLE sessions RENAME TO hidden"));
  mirror_write(p, 20, 2, 0);
  T_UNTIL(10000, strcmp(alarm_now(), "table") == 0, "a table is missing, and the alarm is '%s'",
          alarm_now());
  r = t_convkeep("sync", "status");
  T_CHECK(strstr(r.out, "paused") && strstr(r.out, "sessions"), "sync status says %s", r.out);
  t_result_free(&r);
  d1_stop();
}

/* D1's error for one row is unknown, so that row waits, and the cursor with it: an alarm, though
 * everything else gets in. */
T_STORY(d1_workers, what_does_not_get_in_while_others_do_is_an_alarm, 90) {
  d1_start();
  d1_ring();
  json_decref(d1_sql("%s", "CREATE TRIGGER bad BEFORE INSERT ON messages WHEN NEW.id = 'm7-1' "
                           "BEGIN SELECT json('none'); END"));
  struct t_producer *p = t_producer("test");
  mirror_write(p, 5, 5, 0);
  int64_t began = ck_boot_ms();
  for (int i = 0; strcmp(alarm_now(), "stuck") != 0; ++i) {
    T_CHECK(ck_boot_ms() < began + 15000 * T_SLOWER, "after 15 s the alarm is '%s'", alarm_now());
    mirror_write(p, 100 + i % 50, 1, i);
    t_pause(50);
  }
  T_CHECK(ck_boot_ms() >= began + 10000, "it is said too soon");
  struct t_result r = t_convkeep("sync", "status");
  T_CHECK(strstr(r.out, "some changes do not get into the mirror") &&
              strstr(r.out, "malformed JSON"),
          "sync status says %s", r.out);
  t_result_free(&r);
  json_decref(d1_sql("DROP TRIGGER bad"));
  d1_same(15000);
  T_CHECK(*alarm_now() == '\0', "the alarm is still %s", alarm_now());
  d1_stop();
}

/* ---- who is given the token ---- */

static int said_port(struct t_process *server) {
  char *text = t_read_file(server->out, NULL);
  const char *at = text ? strstr(text, "ACCEPT ") : NULL, *colon = at ? strrchr(at, ':') : NULL;
  int port = colon ? atoi(colon + 1) : 0;
  free(text);
  return port;
}

/* A server with an untrusted certificate gets nothing, and certainly not the token. */
T_STORY(d1_workers, a_certificate_that_does_not_verify_is_refused, 60) {
  char key[4096], certificate[4096], fifo[4096];
  snprintf(key, sizeof key, "%s/out/key.pem", t_folder());
  snprintf(certificate, sizeof certificate, "%s/out/certificate.pem", t_folder());
  struct t_result r = t_run(
      "openssl", NULL, 20000,
      (const char *[]){"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                       "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                       "-keyout", key, "-out", certificate, NULL});
  T_CHECK(r.code == 0, "openssl makes no certificate: %s", r.err);
  t_result_free(&r);
  /* It exits when its standard input ends. */
  snprintf(fifo, sizeof fifo, "%s/out/commands", t_folder());
  T_CHECK(mkfifo(fifo, 0600) == 0, "cannot make %s", fifo);
  int commands = open(fifo, O_RDWR | O_CLOEXEC);
  struct t_process *server =
      t_start("s_server", fifo, false,
              (const char *[]){"/usr/bin/openssl", "s_server", "-accept", "127.0.0.1:0", "-key",
                               key, "-cert", certificate, NULL});
  T_UNTIL(20000, said_port(server) > 0, "the server does not say where it listens");
  t_set("sync.sinks", "d1");
  t_set("d1.account", "account");
  t_set("d1.database", "db-test");
  t_set("d1.token", "very-secret-token");
  t_setf("d1.endpoint", "https://127.0.0.1:%d/client/v4", said_port(server));
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 0, 1, 0);
  T_UNTIL(10000, strcmp(mirror_state(), "stopped") == 0, "it is %s, not stopped", mirror_state());
  T_CHECK(strstr(mirror_last_error(), "curl 60"), "its last error is '%s'", mirror_last_error());
  T_CHECK(strcmp(alarm_now(), "stopped") == 0, "the alarm is '%s'", alarm_now());
  for (int i = 0; i < 2; ++i) {
    r = i ? t_convkeep("config") : t_convkeep("sync", "status", "--json");
    T_CHECK(!strstr(r.out, "very-secret") && !strstr(r.err, "very-secret"),
            "the token is shown: %s", r.out);
    t_result_free(&r);
  }
  t_down();
  close(commands);
  t_signal(server, SIGTERM);
  t_wait_end(server, 20000);
  r = t_run("grep", NULL, 5000,
            (const char *[]){"/bin/grep", "-rl", "very-secret", t_folder(), NULL});
  T_CHECK(r.code == 1, "the token is in %s", r.out);
  t_result_free(&r);
}
