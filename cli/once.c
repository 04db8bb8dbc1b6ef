/* What is left, from the store's status; see once.h. */
#include "cli/once.h"

#include <string.h>
#include "cli/out.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/json.h"

#define ANSWER_MS 500
/* The end, when nothing has been left to do for this long: longer than the time between two reports
 * of a daemon. */
#define QUIET_MS 1500
/* Failure, when only readable files have been left for this long, with an error: longer than the
 * 5 s within which the store retries them. */
#define STUCK_MS 10000
/* Failure, when something is left and nothing has moved for this long: longer than the longest wait
 * between two tries (sync.backoff_max). */
#define NO_PROGRESS_MS 60000

/* ---- what is left ---- */

static const json_t *daemon_named(const json_t *info, const char *name) {
  size_t i;
  const json_t *daemon;
  json_array_foreach(json_object_get(info, "daemons"), i,
                     daemon) if (strcmp(cli_member(daemon, "name"), name) == 0) return daemon;
  return NULL;
}

/* The daemon of this run has reported, not one of an earlier run. */
static bool reported(const struct cli_once *o, const json_t *info, int which) {
  const char *name = cli_part_names[cli_daemon_part(which)],
             *sink = cli_daemon_sink(o->c->settings, which);
  int64_t started = cli_ring_started(o->ring, which);
  size_t i;
  const json_t *daemon;
  json_array_foreach(json_object_get(info, "daemons"), i, daemon) {
    if (strcmp(cli_member(daemon, "name"), name) == 0 &&
        (!sink || strcmp(cli_member(json_object_get(daemon, "info"), "sink"), sink) == 0) &&
        started && cli_member_int(daemon, "up_since", 0) >= started)
      return true;
  }
  return false;
}

/* The sum of a number over all mirrors. */
static int64_t of_mirrors(const json_t *info, const char *name) {
  int64_t sum = 0;
  const char *sink;
  json_t *mirror, *all = json_object_get(info, "sync");
  json_object_foreach(all, sink, mirror) sum += cli_member_int(mirror, name, 0);
  return sum;
}

/* Each false while something of that kind is left to do. */
struct done {
  bool there; /* the store answers, and each daemon has reported */
  bool stored, mirrored, delivered, seen, readable;
  bool acts; /* renewd delivers, or waits for a turn to end: that is over by itself */
};

static struct done what_is_done(const struct cli_once *o, const json_t *info) {
  const json_t *jobs = json_object_get(info, "jobs");
  const json_t *renewd = json_object_get(daemon_named(info, "renewd"), "info");
  int64_t now = cli_member_int(info, "at", ck_now_ms()),
          due = cli_member_int(jobs, "next_due_at", INT64_MAX),
          version = cli_member_int(info, "version", 0);
  struct done d = {.there = info != NULL};
  for (int i = 0; i < cli_daemons(o->c->settings); ++i) d.there &= reported(o, info, i);
  d.stored = cli_member_int(json_object_get(info, "spool"), "pending", 0) == 0;
  d.mirrored = of_mirrors(info, "pending") == 0 && of_mirrors(info, "in_flight") == 0;
  d.acts = cli_member_int(jobs, "running", 0) != 0 || cli_member_int(renewd, "in_flight", 0) != 0 ||
           cli_member_int(renewd, "undecided", 0) != 0;
  bool goes = cli_member_int(json_object_get(renewd, "held"), "soon", 0) != 0;
  d.delivered = !d.acts && !(due <= now && goes);
  d.seen = cli_member_int(renewd, "cursor", 0) >= version;
  d.readable = cli_member_int(json_object_get(info, "artifacts"), "cursor", 0) >= version;
  return d;
}

static bool only_files_left(const struct done *d) {
  return d->there && d->stored && d->mirrored && d->delivered && d->seen && !d->readable;
}

static bool nothing_left(const struct done *d) {
  return d->there && d->stored && d->mirrored && d->delivered && d->seen && d->readable;
}

/* ---- in words ---- */

static void add_left(struct ck_buf *b, bool left, const char *what) {
  if (!left) return;
  if (b->len) ck_buf_text(b, "; ");
  ck_buf_text(b, what);
}

static void add_mirror(struct ck_buf *b, const char *sink, const json_t *mirror) {
  const char *reason = cli_member(mirror, "last_error");
  long long records = cli_member_int(mirror, "pending", 0);
  if (!records && !cli_member_int(mirror, "in_flight", 0)) return;
  add_left(b, true, "");
  ck_buf_printf(b, "%lld %s not mirrored in %s", records,
                ck_noun((uint64_t)records, "record is", "records are"), sink);
  if (reason[0]) ck_buf_printf(b, " (%s)", reason);
}

static int report_left(const struct cli_once *o, const json_t *info, const struct done *d) {
  struct ck_buf left = {0};
  add_left(&left, !info, "the store does not answer");
  add_left(&left, info && !d->there, "a daemon has not reported");
  add_left(&left, info && !d->stored, "observations wait in the spool");
  if (info && !d->mirrored) {
    const char *sink;
    json_t *mirror, *all = json_object_get(info, "sync");
    json_object_foreach(all, sink, mirror) add_mirror(&left, sink, mirror);
  }
  add_left(&left, info && !d->delivered, "follow-ups are due");
  add_left(&left, info && !d->seen, "renewd has not seen every change");
  add_left(&left, info && !d->readable, "readable files are not written");
  cli_error(o->c, o->c->dir, "nothing has moved for %d s: %s", NO_PROGRESS_MS / 1000,
            ck_buf_cstr(&left));
  ck_buf_free(&left);
  return CLI_FAILED;
}

/* ---- is it done? ---- */

/* Keeps in *since the time since which `so` has been true; 0 while it is false. */
static void note(int64_t *since, bool so) {
  if (!so)
    *since = 0;
  else if (!*since)
    *since = ck_boot_ms();
}

static bool for_ms(int64_t since, int64_t ms) { return since && ck_boot_ms() - since >= ms; }

static void add_counts(struct ck_buf *b, const json_t *from, const char *const names[]) {
  for (; *names; ++names) ck_buf_printf(b, "%lld ", (long long)cli_member_int(from, *names, -1));
}

/* Counts that a failed try also changes (in_flight, attempts) are left out. */
static void note_progress(struct cli_once *o, const json_t *info, const struct done *d) {
  struct ck_buf now = {0};
  add_counts(&now, info, (const char *const[]){"version", NULL});
  add_counts(&now, json_object_get(info, "spool"), (const char *const[]){"pending", NULL});
  const char *sink;
  json_t *mirror, *all = json_object_get(info, "sync");
  json_object_foreach(all, sink, mirror) add_counts(
      &now, mirror, (const char *const[]){"cursor", "pending", "backlog", "dead_letters", NULL});
  add_counts(&now, json_object_get(info, "jobs"),
             (const char *const[]){"pending", "done", "failed", "unknown", NULL});
  add_counts(&now, json_object_get(daemon_named(info, "renewd"), "info"),
             (const char *const[]){"cursor", NULL});
  add_counts(&now, json_object_get(info, "artifacts"), (const char *const[]){"cursor", NULL});
  bool moved = info && strcmp(ck_buf_cstr(&now), ck_buf_cstr(&o->progress)) != 0;
  if (moved || d->acts || !o->moved_at) o->moved_at = ck_boot_ms();
  if (moved) {
    ck_buf_clear(&o->progress);
    ck_buf_str(&o->progress, ck_buf_view(&now));
  }
  ck_buf_free(&now);
}

/* If only readable files are left, the store's last error is the reason. */
static int judge(struct cli_once *o, const json_t *info) {
  struct done d = what_is_done(o, info);
  const char *reason =
      cli_member(json_object_get(daemon_named(info, "store"), "info"), "last_error");
  note_progress(o, info, &d);
  note(&o->idle_since, nothing_left(&d));
  note(&o->stuck_since, only_files_left(&d) && reason[0]);
  if (for_ms(o->idle_since, QUIET_MS)) return CLI_DONE;
  if (for_ms(o->stuck_since, STUCK_MS)) {
    cli_error(o->c, o->c->dir, "the readable files cannot be written, everything else is done: %s",
              reason);
    return CLI_FAILED;
  }
  bool left = !nothing_left(&d) && for_ms(o->moved_at, NO_PROGRESS_MS);
  return left ? report_left(o, info, &d) : CLI_GO_ON;
}

int cli_once_look(struct cli_once *o) {
  struct ck_err err;
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer = {0};
  zmq_msg_t frame;
  if (ck_boot_ms() < o->look_at) return CLI_GO_ON;
  o->look_at = ck_boot_ms() + CLI_ONCE_LOOK_MS;
  if (!o->snapshot) o->snapshot = ck_door_connect(o->c->settings, CK_DOOR_SNAPSHOT, &err);
  json_t *info = NULL;
  if (o->snapshot && ck_ask(o->snapshot, &request, &answer, &frame, ANSWER_MS, &err) == 0) {
    info = answer.kind == CK_MSG_INFO ? ck_json_of(answer.as.info.info) : NULL;
    zmq_msg_close(&frame);
  }
  int rc = judge(o, info);
  json_decref(info);
  return rc;
}

void cli_once_end(struct cli_once *o) {
  ck_door_close(&o->snapshot, 0);
  ck_buf_free(&o->progress);
}
