/* renewd: gives each new assistant message in a conversation on auto one follow-up.
 *
 *   renewd                      the daemon, which runs until it is told to end
 *   renewd target CONVERSATION  says where its follow-ups go, then exits (task.c)
 *
 * Settings: renew.* and door.* (proto/settings.h). Sockets: a follower (feed, snapshot), a producer
 * (intake, feed, snapshot), queries (snapshot), and those that its channels open.
 *
 * The daemon: it starts the parts (renewd.h), runs them in each turn of the loop, and says what to
 * wait for. */
#include "renewd/renewd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/doors.h"
#include "proto/hostname.h"
#include "proto/log.h"

#define REPORT_MS 1000
#define STOP_MS 3000
#define WRITE_MS 1000 /* for an end to be written after its command has ended */
/* While a job waits for the wall clock, a step of that clock is noticed within this time. */
#define CLOCK_LOOK_MS 500

/* ---- what the follower says ---- */

static void followed(void *self, uint64_t version, const struct ck_row *row) {
  struct renewd *r = self;
  (void)version;
  if (row->table == CK_JOBS) renew_ended_row(r, row);
  renew_state_row(&r->state, row, renew_now());
  renew_resolve_row(r, row);
  r->offers.changed = true;
  if (row->table != CK_JOBS) return;
  renew_offer_row(r, row);
  renew_recover_row(r, row);
}

static void followed_upto(void *self, const char *store_id, uint64_t version, bool live) {
  (void)store_id;
  (void)version;
  struct renewd *r = self;
  r->offers.changed = true;
  if (!live || r->recovered) return;
  renew_recover_all(r);
  r->ended.look = true;
}

static void followed_reset(void *self, const char *store_id) {
  struct renewd *r = self;
  ck_log(CK_WARN, store_id, "another_history", "%s", "");
  renew_state_reset(&r->state);
  renew_resolve_reset(r);
  renew_offers_reset(r);
  renew_delivery_reset(r);
  r->recovered = false;
}

/* ---- start and end ---- */

static struct renew_rules rules_of(const struct ck_settings *s) {
  return (struct renew_rules){.max_age = ck_set_int(s, CK_SET_RENEW_MAX_AGE),
                              .cooldown = ck_set_int(s, CK_SET_RENEW_COOLDOWN),
                              .backoff = ck_set_int(s, CK_SET_RENEW_BACKOFF),
                              .backoff_max = ck_set_int(s, CK_SET_RENEW_BACKOFF_MAX),
                              .max_attempts = ck_set_int(s, CK_SET_RENEW_MAX_ATTEMPTS),
                              .give_up = ck_set_int(s, CK_SET_RENEW_GIVE_UP),
                              .in_a_row = ck_set_int(s, CK_SET_RENEW_IN_A_ROW)};
}

static void seed(struct ck_random *random) {
  char id[33];
  ck_random_id(id);
  id[16] = '\0';
  random->state = strtoull(id, NULL, 16);
}

static void end(void *self) {
  struct renewd *r = self;
  renew_abandon(r);
  renew_channels_close(&r->channels);
  renew_launcher_end(&r->launcher);
  ck_follow_free(&r->follow);
  renew_outcomes_free(&r->outcomes);
  renew_queries_free(&r->queries);
  renew_waiters_free(&r->waiters);
  renew_resolve_free(r);
  renew_offers_free(r);
  renew_state_free(&r->state);
  ck_buf_free(&r->held);
  free(r);
}

static int start(void **self, const struct ck_settings *s, struct ck_err *err) {
  struct renewd *r = ck_zalloc(sizeof *r);
  if (ck_set_has_exec(s) && !(r->launcher = renew_launcher_start(s, err))) {
    free(r);
    return -1;
  }
  r->settings = s;
  r->rules = rules_of(s);
  r->state.pace.spacing = ck_set_int(s, CK_SET_RENEW_SPACING);
  r->state.delay = ck_set_int(s, CK_SET_RENEW_DELAY);
  seed(&r->random);
  const struct ck_follow_ops ops = {r, followed, followed_upto, followed_reset};
  r->outcomes = renew_outcomes_new(s, err);
  r->queries = r->outcomes ? renew_queries_new(s, err) : NULL;
  r->follow = r->queries
                  ? ck_follow_new(s, &ops, 1u << CK_CONVERSATIONS | 1u << CK_JOBS, "", 0, err)
                  : NULL;
  if (!r->follow) {
    end(r);
    return -1;
  }
  ck_follow_also(r->follow, 1u << CK_LINKS | 1u << CK_MESSAGES);
  r->channels.env = (struct renew_channel_env){s, r->launcher};
  *self = r;
  return 0;
}

/* ---- the turn ---- */

static bool connected(const struct renewd *r) {
  return ck_follow_live(r->follow) && ck_push_streaming(renew_outcomes_push(r->outcomes));
}

static void report(struct renewd *r) {
  struct ck_push *push = renew_outcomes_push(r->outcomes);
  struct ck_buf info = {0};
  renew_put_report(r, connected(r), &info);
  ck_push_report(push, &(struct ck_report){CK_LIT("renewd"), ck_str_of(ck_push_producer(push)),
                                           ck_str_of(ck_hostname()), getpid(), ck_up_since(),
                                           ck_buf_view(&info)});
  ck_buf_free(&info);
  r->report_at = ck_boot_ms() + REPORT_MS;
}

/* Everything that a dead run has left is known, and has been dealt with. */
static bool may_claim(const struct renewd *r) {
  return r->recovered && !r->recovering && r->offers.loaded;
}

/* An answer or receipt may make the next step possible, so this repeats until none comes. */
static void work(struct renewd *r) {
  uint64_t before, after = renew_outcomes_told(r->outcomes) + renew_queries_answered(r->queries);
  do {
    before = after;
    r->follow_wait = ck_follow_step(r->follow);
    renew_deliver(r);
    if (connected(r) && !r->stopping) {
      renew_offers_load(r);
      renew_offers_step(r);
      renew_ended_step(r);
      if (may_claim(r)) renew_claim(r);
      renew_consider(r);
      renew_resolve(r);
      renew_supersede(r);
    }
    r->outcomes_wait = renew_outcomes_step(r->outcomes);
    r->queries_wait = renew_queries_step(r->queries);
    after = renew_outcomes_told(r->outcomes) + renew_queries_answered(r->queries);
  } while (before != after);
}

/* ---- the end ---- */

/* How long it waits for the ends of deliveries under way: those of commands are made to end. */
static int64_t stop_ms(const struct ck_settings *s) {
  int64_t grace = ck_set_int(s, CK_SET_RENEW_STOP_GRACE) + WRITE_MS;
  return grace > STOP_MS ? grace : STOP_MS;
}

static void begin_to_stop(struct renewd *r) {
  if (r->stopping) return;
  r->stopping = true;
  r->stop_by = ck_boot_ms() + stop_ms(r->settings);
  renew_channels_stop(&r->channels);
}

static bool has_stopped(const struct renewd *r) {
  return ck_boot_ms() >= r->stop_by ||
         (!renew_unfinished(r) && renew_outcomes_pending(r->outcomes) == 0);
}

/* Without its launcher renewd ends, once the ends of all attempts are written: its next run has
 * another one. */
static bool has_lost_launcher(struct renewd *r) {
  if (!r->launcher || !renew_launcher_is_lost(r->launcher)) return false;
  begin_to_stop(r);
  return has_stopped(r);
}

static int turn(void *self) {
  struct renewd *r = self;
  work(r);
  if (ck_boot_ms() >= r->report_at) report(r);
  bool usurped = ck_push_usurped(renew_outcomes_push(r->outcomes));
  if (!usurped && !has_lost_launcher(r)) return 0;
  ck_log(CK_ERROR, "-", usurped ? "usurped" : "launcher_lost", "reason=%s",
         ck_quotedz(usurped ? "another renewd uses this data folder's store"
                            : "the process that runs commands has ended"));
  return -1;
}

static void wait_for_channels(struct renewd *r, struct ck_wait *w) {
  const struct renew_channel *c;
  void *open;
  for (int i = 0; renew_channel_at(&r->channels, i, &c, &open); i++) {
    if (!open) continue;
    if (c->fd(open) >= 0) ck_wait_for(w, NULL, c->fd(open), ZMQ_POLLIN);
    ck_wait_until(w, c->until(open));
  }
}

static void wait_for(void *self, struct ck_wait *w) {
  struct renewd *r = self;
  zmq_pollitem_t items[2];
  for (int i = 0, n = ck_push_items(renew_outcomes_push(r->outcomes), items); i < n; i++)
    ck_wait_for(w, items[i].socket, 0, ZMQ_POLLIN);
  for (int i = 0, n = ck_follow_items(r->follow, items); i < n; i++)
    ck_wait_for(w, items[i].socket, 0, ZMQ_POLLIN);
  ck_wait_for(w, renew_queries_socket(r->queries), 0, ZMQ_POLLIN);
  ck_wait_within(w, r->follow_wait);
  ck_wait_within(w, r->outcomes_wait);
  ck_wait_within(w, r->queries_wait);
  ck_wait_until(w, r->report_at);
  wait_for_channels(r, w);
  if (r->state.calendars) ck_wait_within(w, CLOCK_LOOK_MS);
  if (connected(r) && !r->stopping) ck_wait_until(w, renew_state_settles(&r->state));
  if (connected(r) && !r->stopping) ck_wait_until(w, r->offers.at);
  if (connected(r) && !r->stopping && may_claim(r))
    ck_wait_until(w, renew_state_due(&r->state, renew_now()));
}

static bool ready(void *self) { return connected(self) && ((struct renewd *)self)->recovered; }

static bool stop(void *self) {
  begin_to_stop(self);
  return has_stopped(self);
}

static const struct ck_daemon renewd_daemon = {.name = "renewd",
                                               .check = ck_check_renewal,
                                               .locks_folder = CK_PLACE_ATTEMPTS,
                                               .start = start,
                                               .wait = wait_for,
                                               .turn = turn,
                                               .ready = ready,
                                               .stop = stop,
                                               .stop_ms = stop_ms,
                                               .end = end,
                                               .task = renew_task_main};

int main(int argc, char **argv) { return ck_daemon_main(argc, argv, &renewd_daemon); }
