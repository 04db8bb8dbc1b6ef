/* webd: the only daemon that speaks HTTP. It serves the page and /v1, and is itself a client of the
 * ring: it asks the store (snapshot) and ingest (observe), and sends changesets to the intake. It
 * keeps nothing but who may use it (proto/access.h), so it can die at any time.
 *
 * In each turn of the loop it takes answers, which end requests, and then serves connections. */
#include "webd/webd.h"

#include <stdlib.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/hostname.h"
#include "proto/log.h"
#include "proto/places.h"

#define REPORT_MS 1000

/* ---- start and end ---- */

static void end(void *self) {
  struct webd *w = self;
  web_ask_free(&w->store);
  web_ask_free(&w->ingest);
  web_imports_free(&w->imports);
  web_write_free(&w->write);
  web_commands_free(&w->commands);
  web_renewd_free(&w->renewd);
  web_http_free(&w->http);
  web_uploads_free(&w->uploads);
  web_doctor_free(&w->doctor);
  web_events_free(&w->events);
  web_deliveries_free(&w->deliveries);
  web_access_free(&w->access);
  free(w);
}

static int start(void **self, const struct ck_settings *s, struct ck_err *err) {
  static const struct web_route *const routes[] = {web_api_routes, web_page_routes, NULL};
  struct webd *w = ck_zalloc(sizeof *w);
  w->settings = s;
  w->access = web_access_new();
  w->events = web_events_new(w);
  w->deliveries = web_deliveries_new(w);
  const struct web_http_ops ops = {w, routes, web_page_refusal, web_page_first, web_page_piece};
  w->store = web_ask_new(s, CK_DOOR_SNAPSHOT, err);
  if (w->store) w->ingest = web_ask_new(s, CK_DOOR_OBSERVE, err);
  if (w->ingest) w->imports = web_imports_new(s, err);
  if (w->imports) w->write = web_write_new(s, err);
  if (w->write) w->commands = web_commands_new(err);
  if (w->commands) w->renewd = web_renewd_new(w->commands);
  if (w->commands) w->uploads = web_uploads_new(w->commands, err);
  if (w->uploads) w->doctor = web_doctor_new(w->commands);
  if (w->doctor) w->http = web_http_new(s, &ops, w->access, err);
  if (!w->http) {
    end(w);
    return -1;
  }
  *self = w;
  return 0;
}

/* ---- the turn ---- */

static void report(struct webd *w) {
  struct ck_push *push = web_write_push(w->write);
  struct ck_buf info = {0};
  bool troubled = web_http_trouble(w->http) != NULL;
  if (troubled != (w->trouble_at != 0)) w->trouble_at = troubled ? ck_now_ms() : 0;
  web_put_report(w, &info);
  ck_push_report(push, &(struct ck_report){CK_LIT("webd"), ck_str_of(ck_push_producer(push)),
                                           ck_str_of(ck_hostname()), getpid(), ck_up_since(),
                                           ck_buf_view(&info)});
  ck_buf_free(&info);
  w->report_at = ck_boot_ms() + REPORT_MS;
}

/* A request may be answered by an answer, and an answer makes room for the next request. */
static void work(struct webd *w) {
  do {
    web_ask_take(w->store);
    web_ask_take(w->ingest);
    web_http_step(w->http);
    w->waits[2] = web_imports_step(w->imports);
    w->waits[3] = web_write_step(w->write);
    web_commands_step(w->commands);
    web_events_step(w->events);
    web_deliveries_step(w->deliveries);
    w->waits[0] = web_ask_send(w->store);
    w->waits[1] = web_ask_send(w->ingest);
  } while (web_http_again(w->http));
}

static int turn(void *self) {
  struct webd *w = self;
  work(w);
  if (ck_boot_ms() >= w->report_at) report(w);
  if (!ck_push_usurped(web_write_push(w->write))) return 0;
  ck_log(CK_ERROR, "-", "usurped", "reason=%s",
         ck_quotedz("another process uses this one's producer id"));
  return -1;
}

static void wait_for(void *self, struct ck_wait *w) {
  struct webd *d = self;
  zmq_pollitem_t items[2];
  for (int i = 0, n = ck_push_items(web_write_push(d->write), items); i < n; i++)
    ck_wait_for(w, items[i].socket, 0, ZMQ_POLLIN);
  ck_wait_for(w, web_ask_socket(d->store), 0, ZMQ_POLLIN);
  ck_wait_for(w, web_ask_socket(d->ingest), 0, ZMQ_POLLIN);
  void *imports = web_imports_socket(d->imports);
  if (imports) ck_wait_for(w, imports, 0, ZMQ_POLLIN);
  web_commands_wait(d->commands, w);
  for (size_t i = 0; i < sizeof d->waits / sizeof *d->waits; ++i) ck_wait_within(w, d->waits[i]);
  web_http_wait(d->http, w);
  web_events_wait(d->events, w);
  web_deliveries_wait(d->deliveries, w);
  ck_wait_lazily(w, d->report_at);
}

static bool ready(void *self) {
  const struct webd *w = self;
  return ck_push_streaming(web_write_push(w->write));
}

static bool stop(void *self) {
  struct webd *w = self;
  web_http_stop(w->http);
  web_deliveries_stop(w->deliveries);
  return !web_http_busy(w->http);
}

int main(int argc, char **argv) {
  static const struct ck_daemon daemon = {.name = "webd",
                                          .check = ck_check_web,
                                          .locks_folder = CK_PLACE_WEB,
                                          .start = start,
                                          .wait = wait_for,
                                          .turn = turn,
                                          .ready = ready,
                                          .stop = stop,
                                          .end = end};
  return ck_daemon_main(argc, argv, &daemon);
}
