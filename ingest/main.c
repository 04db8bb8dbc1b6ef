/* ingest: accepts observations and files at the door `observe`, keeps their changesets durable in
 * the spool, and pushes them to the store until each has its receipt. This file wires the parts
 * together; turn() is the whole loop. */
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/parse/breath.h"
#include "ingest/files/door.h"
#include "ingest/files/import.h"
#include "ingest/parse/json.h"
#include "ingest/forgotten.h"
#include "ingest/gather.h"
#include "ingest/spool/spool.h"
#include "ingest/accept.h"
#include "ingest/watch/watch.h"
#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/hostname.h"
#include "proto/log.h"
#include "proto/map.h"

#define REPORT_MS 1000
/* A store that was not heard for so long is away. `up` starts one that died again sooner. */
#define AWAY_MS 5000
/* A store that was not heard for so long is not asked; its beat comes every 200 ms. */
#define SILENT_MS 1000
/* With so many bytes in the spool, too, an import waits for the store, unless that is away. */
#define SPOOL_BYTES (UINT64_C(256) << 20)

struct ingest {
  const struct ck_settings *settings;
  struct ingest_spool *spool;
  struct ingest_acceptor acceptor;
  struct ingest_readings readings;
  struct ingest_imports imports;
  struct ingest_door *door;
  struct ingest_watch *watch;
  struct ck_push *push;
  struct ingest_gather gather;
  struct ingest_lookup *lookup;
  int push_wait;
  bool more; /* the door has frames left to read */
  struct ingest_forgotten forgotten;
  uint64_t last;     /* the last number in the spool when that was last reported */
  int64_t report_at; /* ck_boot_ms() of the next REPORT */
};

static void on_receipt(void *self, uint64_t number, char result, struct ck_str reason,
                       const struct ck_counts *counts) {
  struct ingest *g = self;
  if (counts && counts->forgotten) ingest_forgotten_note(&g->forgotten, g->spool, number);
  ingest_readings_receipt(&g->readings, number, result, reason, counts);
}

static void on_renumbered(void *self, uint64_t from, uint64_t by) {
  ingest_readings_renumbered(&((struct ingest *)self)->readings, from, by);
}

static void info(void *self, struct ck_buf *out) {
  const struct ingest *g = self;
  struct ck_map m = ck_map_open(out);
  ck_pair_uint(&m, "spool_pending", ingest_spool_pending(g->spool));
  ck_pair_uint(&m, "refused", g->acceptor.refused_count);
  ck_pair_uint(&m, "rejected", g->acceptor.rejected_count);
  ck_pair_uint(&m, "unknown_names", g->acceptor.unknown_count);
  ck_pair_uint(&m, "imports", g->imports.count);
  ck_pair_uint(&m, "last_error_at", (uint64_t)g->acceptor.last_error_at);
  ck_pair_text(&m, "producer", ingest_spool_producer(g->spool));
  ck_pair_bool(&m, "disk_full", g->acceptor.full);
  ck_pair_text(&m, "last_error", g->acceptor.last_error);
  struct ck_map times = ck_pair_map(&m, "times");
  ck_pair_histogram(&times, "fsync", ingest_spool_syncs(g->spool));
  ck_map_close(&times);
  ck_pair_name(&m, "notes");
  ingest_notes_encode(out, &g->acceptor.notes);
  ck_pair_name(&m, "watch");
  ingest_watch_encode(out, g->watch);
  ck_map_close(&m);
}

static void report(struct ingest *g) {
  struct ck_buf map = {0};
  info(g, &map);
  struct ck_report r = {CK_LIT("ingest"),
                        ck_str_of(ingest_spool_producer(g->spool)),
                        ck_str_of(ck_hostname()),
                        getpid(),
                        ck_up_since(),
                        ck_buf_view(&map)};
  ck_push_report(g->push, &r);
  ck_buf_free(&map);
  ingest_spool_note(g->spool);
  ingest_forgotten_clean(&g->forgotten);
  if (g->last == ingest_spool_durable(g->spool)) ingest_spool_rest(g->spool);
  g->last = ingest_spool_durable(g->spool);
  g->report_at = ck_boot_ms() + REPORT_MS;
}

/* Conversations are large and short-lived: fixed thresholds, which glibc does not adapt, give freed
 * memory back to the system. */
static void tune_memory(void) {
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  mallopt(M_ARENA_MAX, 2);
  ingest_json_setup();
}

static void end(void *self) {
  struct ingest *g = self;
  ingest_door_close(&g->door);
  ck_push_free(&g->push);
  ingest_lookup_free(&g->lookup);
  ingest_breath_set(NULL, NULL);
  ingest_imports_free(&g->imports);
  ingest_watch_free(&g->watch);
  ingest_readings_end(&g->readings);
  ingest_accept_free(&g->acceptor);
  if (g->spool) ingest_spool_rest(g->spool);
  ingest_forgotten_clean(&g->forgotten);
  ingest_forgotten_free(&g->forgotten);
  ingest_spool_close(&g->spool);
  free(g);
}

/* A large element takes a while: those who wait hear that it goes on. */
static void breathe(void *self) {
  struct ingest *g = self;
  ingest_imports_tell(&g->imports, ingest_door_socket(g->door));
  if (ck_boot_ms() >= g->report_at) report(g);
}

/* Follows the folders that the settings name. */
static void again(void *self, const struct ck_settings *s) {
  struct ingest *g = self;
  struct ck_watched *list;
  size_t n = ck_watched_list(s, &list);
  bool on = strcmp(ck_set_text(s, CK_SET_INGEST_WATCH), "on") == 0;
  ingest_watch_follow(g->watch, list, on ? n : 0);
  ck_watched_free(list, n);
}

static int start(void **self, const struct ck_settings *s, struct ck_err *err) {
  struct ingest *g = ck_zalloc(sizeof *g);
  const struct ingest_spool_ops ops = {g, on_receipt, on_renumbered};
  tune_memory();
  g->settings = s;
  g->spool = ingest_spool_open(CK_PLACE_SPOOL, &ops, err);
  ingest_accept_init(&g->acceptor, g->spool, CK_PLACE_SPOOL);
  g->readings.acceptor = &g->acceptor;
  g->imports.readings = &g->readings;
  g->watch = ingest_watch_new(&g->readings, CK_PLACE_SPOOL);
  if (g->spool) {
    struct ck_unacked unacked = ingest_spool_unacked(g->spool);
    g->push = ck_push_new(s, ingest_spool_producer(g->spool), &unacked,
                          (unsigned)ck_set_int(s, CK_SET_INGEST_WINDOW), err);
  }
  const struct ingest_door_ops door = {&g->acceptor, &g->imports, info, g};
  if (g->push) g->lookup = ingest_lookup_new(s, err);
  if (g->lookup) g->door = ingest_door_open(s, &door, err);
  if (!g->door) {
    end(g);
    return -1;
  }
  ingest_breath_set(breathe, g);
  again(g, s);
  *self = g;
  return 0;
}

/* What imports have given in this turn is synced and pushed in the next one. */
static bool has_unsynced(const struct ingest *g) {
  return !g->acceptor.full && ingest_spool_unsynced(g->spool) > 0;
}

static void wait(void *self, struct ck_wait *w) {
  struct ingest *g = self;
  zmq_pollitem_t items[2];
  int n = ck_push_items(g->push, items);
  for (int i = 0; i < n; ++i) ck_wait_for(w, items[i].socket, items[i].fd, items[i].events);
  ck_wait_for(w, ingest_door_socket(g->door), 0, ZMQ_POLLIN);
  ck_wait_for(w, ingest_lookup_socket(g->lookup), 0, ZMQ_POLLIN);
  ck_wait_within(w, g->push_wait);
  ck_wait_until(w, ingest_gather_until(&g->gather));
  ck_wait_until(w, g->report_at);
  ck_wait_until(w, ingest_imports_until(&g->imports));
  if (ingest_watch_fd(g->watch) >= 0) ck_wait_for(w, NULL, ingest_watch_fd(g->watch), ZMQ_POLLIN);
  ck_wait_until(w, ingest_watch_until(g->watch));
  if (g->acceptor.full) ck_wait_until(w, g->acceptor.retry_at);
  if (g->more || has_unsynced(g)) ck_wait_within(w, 0);
}

static bool has_room(const struct ingest *g) {
  return !g->acceptor.full && ingest_spool_bytes(g->spool) <= SPOOL_BYTES &&
         ingest_spool_pending(g->spool) <= (uint64_t)ck_set_int(g->settings, CK_SET_INGEST_BACKLOG);
}

/* Gives the producer id up and ends the process; the next start takes a new id. */
static int renounce(struct ingest *g) {
  struct ck_err err;
  if (ingest_spool_renounce(g->spool, &err))
    ck_log(CK_ERROR, ingest_spool_producer(g->spool), "not_renounced", "reason=%s",
           ck_quotedz(err.text));
  return -1;
}

static void take_answers(struct ingest *g) {
  uint64_t question;
  struct ck_str had;
  while (ingest_lookup_next(g->lookup, &question, &had))
    ingest_readings_had(&g->readings, question, had);
}

static int turn(void *self) {
  struct ingest *g = self;
  ck_push_step(g->push);
  take_answers(g);
  g->more = ingest_door_read(g->door);
  int64_t silent = ck_push_silent_ms(g->push);
  struct ingest_lookup *lookup = silent < SILENT_MS ? g->lookup : NULL;
  ingest_watch_step(g->watch, ck_push_store(g->push), lookup, has_room(g));
  ingest_door_answer(g->door, ingest_accept_sync(&g->acceptor));
  ck_push_upto(g->push,
               ingest_gather_upto(&g->gather, ingest_spool_durable(g->spool), ck_boot_ms()));
  g->push_wait = ck_push_step(g->push);
  ingest_imports_answer(&g->imports, ingest_door_socket(g->door), lookup, has_room(g),
                        silent >= AWAY_MS);
  if (ck_boot_ms() >= g->report_at) report(g);
  if (ck_push_usurped(g->push)) return renounce(g);
  return g->acceptor.broken || ingest_spool_broken(g->spool) ? -1 : 0;
}

static bool ready(void *self) {
  (void)self;
  return true;
}

static bool stop(void *self) { return ingest_spool_unsynced(((struct ingest *)self)->spool) == 0; }

int main(int argc, char **argv) {
  static const struct ck_daemon daemon = {.name = "ingest",
                                          .locks_folder = CK_PLACE_SPOOL,
                                          .start = start,
                                          .wait = wait,
                                          .turn = turn,
                                          .ready = ready,
                                          .stop = stop,
                                          .again = again,
                                          .end = end};
  return ck_daemon_main(argc, argv, &daemon);
}
