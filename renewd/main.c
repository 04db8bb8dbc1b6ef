/* renewd: gives each new assistant message in a conversation on auto one follow-up.
 *
 *   renewd                      the daemon, which runs until it is told to end
 *   renewd target CONVERSATION  says where its follow-ups go, then exits (task.c)
 *   renewd plan UNTIL           says what would be sent by then, then exits (plan.c)
 *
 * Settings: renew.* and door.* (proto/settings.h). Sockets: a follower (feed, snapshot), a producer
 * (intake, feed, snapshot), queries (snapshot), and those that its channels open.
 *
 * The daemon: in each turn of the loop it tells the core what has happened, does what follows
 * (renewd.h), and says what to wait for. */
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
#include "renewd/notify.h"
#include "renewd/pauses.h"

#define REPORT_MS 1000
#define EARLY_MS 100 /* a wake-up this close before the core's own time serves for it */
#define STOP_MS 3000
#define WRITE_MS 1000 /* for an end to be written after its command has ended */

void renew_happens(struct renewd *r, const struct renew_event *event) {
  struct renew_now now = renew_now();
  now.wall += r->ahead;
  now.boot += r->ahead;
  renew_step(&r->core, event, now, &r->effects);
}

static void happens(struct renewd *r, enum renew_event_kind kind) {
  renew_happens(r, &(struct renew_event){.kind = kind});
}

/* ---- what the follower and the store say ---- */

static void followed(void *self, uint64_t version, const struct ck_row *row) {
  struct renewd *r = self;
  (void)version;
  if (row->table == CK_JOBS) renew_log_look(r->log);
  if (row->table == CK_JOBS) renew_notify_look(r->notify);
  bool gone = row->table == CK_FORGOTTEN &&
              ck_str_is(ck_row_text(row, CK_FORGOTTEN_TABLE_NAME), ck_tables[CK_JOBS].name);
  if (gone) renew_log_forget(r->log, ck_row_text(row, CK_FORGOTTEN_RECORD_KEY));
  if (row->table == CK_FORGOTTEN) renew_notify_forgotten(r->notify, row);
  renew_happens(r, &(struct renew_event){.kind = RENEW_ROW, .as.row = row});
}

static void tell_followed(struct renewd *r, uint64_t version, bool live) {
  r->live = live;
  renew_happens(r, &(struct renew_event){.kind = RENEW_FOLLOWED, .as.followed = {version, live}});
}

static void followed_upto(void *self, const char *store_id, uint64_t version, bool live) {
  (void)store_id;
  tell_followed(self, version, live);
}

static void followed_reset(void *self, const char *store_id) {
  ck_log(CK_WARN, store_id, "another_history", "%s", "");
  renew_paused_reset(((struct renewd *)self)->paused);
  happens(self, RENEW_RESET);
}

static void beat(void *self, const struct ck_beat *b) {
  renew_paused_beat(((struct renewd *)self)->paused, b->pauses);
}

static void receipted(void *self, uint64_t ticket, char result, struct ck_str reason,
                      uint64_t version, const struct ck_claimed *claimed) {
  struct renewd *r = self;
  struct renew_answer answer;
  if (claimed) answer = renew_answer_of_claim(claimed, version);
  renew_log_look(r->log);
  renew_happens(
      r, &(struct renew_event){RENEW_RECEIPT,
                               ticket,
                               {.receipt = {result, reason, version, claimed ? &answer : NULL}}});
}

/* ---- start and end ---- */

static uint64_t seed(void) {
  char id[33];
  ck_random_id(id);
  id[16] = '\0';
  return strtoull(id, NULL, 16);
}

static void end(void *self) {
  struct renewd *r = self;
  happens(r, RENEW_END);
  renew_do_effects(r);
  renew_notify_free(&r->notify);
  renew_sending_end(r);
  renew_launcher_end(&r->launcher);
  ck_follow_free(&r->follow);
  renew_outcomes_free(&r->outcomes);
  renew_queries_free(&r->queries);
  renew_paused_free(&r->paused);
  renew_log_free(&r->log);
  renew_core_free(&r->core);
  renew_effects_free(&r->effects);
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
  r->paused = renew_paused_new(r);
  const struct renew_settings set = renew_settings_of(s);
  renew_core_init(&r->core, &set, seed());
  const struct ck_follow_ops ops = {r, followed, followed_upto, followed_reset, beat};
  r->outcomes = renew_outcomes_new(s, receipted, r, err);
  r->queries = r->outcomes ? renew_queries_new(s, err) : NULL;
  if (r->queries) r->log = renew_log_new(r->queries);
  if (r->queries) r->notify = renew_notify_new(r);
  r->follow = r->queries ? ck_follow_new(s, &ops, RENEW_FOLLOWS, "", 0, err) : NULL;
  if (!r->follow) {
    end(r);
    return -1;
  }
  ck_follow_also(r->follow, 1u << CK_LINKS | 1u << CK_MESSAGES);
  ck_follow_brief(r->follow);
  r->channels.env = (struct renew_channel_env){s, r->launcher};
  *self = r;
  return 0;
}

/* ---- the turn ---- */

static bool is_connected(const struct renewd *r) {
  return ck_follow_live(r->follow) && ck_push_streaming(renew_outcomes_push(r->outcomes)) &&
         renew_paused_known(r->paused);
}

static void report(struct renewd *r) {
  struct ck_push *push = renew_outcomes_push(r->outcomes);
  struct ck_buf info = {0};
  renew_put_report(r, r->connected, &info);
  ck_push_report(push, &(struct ck_report){CK_LIT("renewd"), ck_str_of(ck_push_producer(push)),
                                           ck_str_of(ck_hostname()), getpid(), ck_up_since(),
                                           ck_buf_view(&info)});
  ck_buf_free(&info);
  r->report_at = ck_boot_ms() + REPORT_MS;
}

/* The follower and the producer say when they are connected, not when they no longer are. */
static void notice_connection(struct renewd *r) {
  bool live = ck_follow_live(r->follow);
  if (live != r->live) tell_followed(r, ck_follow_cursor(r->follow), live);
  if (is_connected(r) == r->connected) return;
  r->connected = !r->connected;
  happens(r, r->connected ? RENEW_CONNECTED : RENEW_LOST);
}

/* What is done may bring the next event, so this repeats until nothing is. */
static void work(struct renewd *r) {
  do {
    r->follow_wait = ck_follow_step(r->follow);
    r->outcomes_wait = renew_outcomes_step(r->outcomes, ck_follow_cursor(r->follow));
    renew_paused_step(r->paused);
    r->queries_wait = renew_queries_step(r->queries);
    renew_sending_step(r);
    if (r->live) renew_log_step(r->log);
    if (r->live) renew_notify_step(r->notify);
    notice_connection(r);
    if (renew_core_wakes(&r->core) <= ck_boot_ms() + EARLY_MS) happens(r, RENEW_TICK);
  } while (renew_do_effects(r));
}

/* ---- the end ---- */

/* How long it waits for the ends of deliveries under way: those of commands are made to end. */
static int64_t stop_ms(const struct ck_settings *s) {
  int64_t grace = ck_set_int(s, CK_SET_RENEW_STOP_GRACE) + WRITE_MS;
  return grace > STOP_MS ? grace : STOP_MS;
}

static void begin_to_stop(struct renewd *r) {
  if (r->stop_by) return;
  r->stop_by = ck_boot_ms() + stop_ms(r->settings);
  happens(r, RENEW_STOP);
  renew_channels_stop(&r->channels);
}

static bool has_stopped(const struct renewd *r) {
  return ck_boot_ms() >= r->stop_by ||
         (!renew_core_unfinished(&r->core) && renew_outcomes_pending(r->outcomes) == 0 &&
          (!r->live || renew_log_is_whole(r->log)));
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
  ck_wait_lazily(w, r->report_at);
  if (r->live) ck_wait_until(w, renew_log_until(r->log));
  if (r->live) ck_wait_until(w, renew_notify_until(r->notify));
  wait_for_channels(r, w);
  ck_wait_until(w, renew_core_wakes(&r->core));
}

static bool ready(void *self) {
  const struct renewd *r = self;
  return r->connected && r->core.recovered;
}

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
