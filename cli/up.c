/* convkeep up: runs the ring (ring.h) in the foreground and shows the daemons' errors (tail.h). */
#include "cli/client.h"
#include "cli/ring.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "cli/out.h"
#include "cli/presence.h"
#include "cli/tail.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/lock.h"
#include "proto/log.h"

/* --once: how often to ask for the status, and how long to wait for the answer. */
#define LOOK_MS 200
#define ANSWER_MS 500
/* --once ends when nothing has been left to do for this long: longer than the time between two
 * reports of a daemon. */
#define QUIET_MS 1500
/* --once fails when only readable files have been left for this long, with an error: longer than
 * the 5 s within which the store retries them. */
#define STUCK_MS 10000

struct up {
  struct cli *c;
  struct cli_ring *ring;
  struct cli_tail *tail;
  bool once, said_ready;
  unsigned noted; /* cli_ring_changes() of the last note */
  void *snapshot; /* --once: the connection to the store */
  int64_t look_at, idle_since, stuck_since;
};

/* ---- --once: is anything left to do? ---- */

static const json_t *daemon_named(const json_t *info, const char *name) {
  size_t i;
  const json_t *daemon;
  json_array_foreach(json_object_get(info, "daemons"), i,
                     daemon) if (strcmp(cli_member(daemon, "name"), name) == 0) return daemon;
  return NULL;
}

/* The daemon of this run has reported, not one of an earlier run. */
static bool reported(const struct up *u, const json_t *info, enum cli_part which) {
  const json_t *daemon = daemon_named(info, cli_part_names[which]);
  int64_t started = cli_ring_started(u->ring, which);
  return daemon && started && cli_member_int(daemon, "up_since", 0) >= started;
}

enum left { LEFT_SOMETHING, LEFT_FILES, LEFT_NOTHING };

static enum left what_is_left(const struct up *u, const json_t *info) {
  const json_t *sync = json_object_get(info, "sync"), *jobs = json_object_get(info, "jobs");
  const json_t *renewd = json_object_get(daemon_named(info, "renewd"), "info");
  int64_t now = cli_member_int(info, "at", ck_now_ms()),
          due = cli_member_int(jobs, "next_due_at", INT64_MAX);
  int64_t version = cli_member_int(info, "version", 0);
  for (int i = 0; i < CLI_PARTS; ++i)
    if (!reported(u, info, (enum cli_part)i)) return LEFT_SOMETHING;
  bool stored = cli_member_int(json_object_get(info, "spool"), "pending", 0) == 0;
  bool mirrored =
      cli_member_int(sync, "pending", 0) == 0 && cli_member_int(sync, "in_flight", 0) == 0;
  bool delivered = cli_member_int(jobs, "running", 0) == 0 && due > now &&
                   cli_member_int(renewd, "in_flight", 0) == 0;
  bool seen = cli_member_int(renewd, "cursor", 0) >= version;
  bool readable = cli_member_int(json_object_get(info, "artifacts"), "cursor", 0) >= version;
  return !stored || !mirrored || !delivered || !seen ? LEFT_SOMETHING
         : readable                                  ? LEFT_NOTHING
                                                     : LEFT_FILES;
}

/* Keeps in *since the time since which `so` has been true; 0 while it is false. */
static void note(int64_t *since, bool so) {
  if (!so)
    *since = 0;
  else if (!*since)
    *since = ck_boot_ms();
}

static bool for_ms(int64_t since, int64_t ms) { return since && ck_boot_ms() - since >= ms; }

/* If only readable files are left, the store's last error is the reason. */
static int judge(struct up *u, const json_t *info) {
  enum left left = info ? what_is_left(u, info) : LEFT_SOMETHING;
  const char *reason =
      cli_member(json_object_get(daemon_named(info, "store"), "info"), "last_error");
  note(&u->idle_since, left == LEFT_NOTHING);
  note(&u->stuck_since, left == LEFT_FILES && reason[0]);
  if (for_ms(u->idle_since, QUIET_MS)) return CLI_DONE;
  if (!for_ms(u->stuck_since, STUCK_MS)) return CLI_GO_ON;
  cli_error(u->c, u->c->dir, "the readable files cannot be written, everything else is done: %s",
            reason);
  return CLI_FAILED;
}

/* CLI_DONE if nothing has been left for a while, CLI_FAILED if what is left cannot be done, else
 * CLI_GO_ON. */
static int look(struct up *u) {
  struct ck_err err;
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer = {0};
  zmq_msg_t frame;
  u->look_at = ck_boot_ms() + LOOK_MS;
  if (!u->snapshot) u->snapshot = ck_door_connect(u->c->settings, CK_DOOR_SNAPSHOT, &err);
  json_t *info = NULL;
  if (u->snapshot && ck_ask(u->snapshot, &request, &answer, &frame, ANSWER_MS, &err) == 0) {
    info = answer.kind == CK_MSG_INFO ? cli_json_of(answer.as.info.info) : NULL;
    zmq_msg_close(&frame);
  }
  int rc = judge(u, info);
  json_decref(info);
  return rc;
}

/* ---- the loop ---- */

static void wait_for_news(struct up *u, int timeout) {
  struct pollfd fds[CLI_RING_FDS + 1];
  int n = cli_ring_fds(u->ring, fds);
  fds[n++] = (struct pollfd){cli_tail_fd(u->tail), POLLIN, 0};
  if (u->once && u->said_ready && (timeout < 0 || timeout > LOOK_MS)) timeout = LOOK_MS;
  poll(fds, (nfds_t)n, timeout);
}

/* For status, which must know what becomes of a daemon that does not run. */
static void note_changes(struct up *u) {
  unsigned changes = cli_ring_changes(u->ring);
  if (changes != u->noted) cli_presence_note(u->ring);
  u->noted = changes;
}

static int loop(struct up *u) {
  struct ck_err err;
  for (;;) {
    int timeout = cli_ring_step(u->ring);
    note_changes(u);
    cli_tail_step(u->tail);
    if (cli_ring_asked_to_end(u->ring)) return CLI_DONE;
    if (cli_ring_failed(u->ring, &err)) {
      cli_error(u->c, u->c->dir, "%s", err.text);
      return CLI_FAILED;
    }
    if (!u->said_ready && cli_ring_ready(u->ring)) {
      u->said_ready = true;
      puts("ready");
      fflush(stdout);
    }
    int rc = u->once && u->said_ready && ck_boot_ms() >= u->look_at ? look(u) : CLI_GO_ON;
    if (rc != CLI_GO_ON) return rc;
    wait_for_news(u, timeout);
  }
}

static int hold(struct up *u) {
  struct ck_err err;
  const char *const names[] = {"store", "ingest", "renewd", "syncd"};
  u->tail = cli_tail_new(names, CLI_PARTS, &err);
  if (u->tail) u->ring = cli_ring_new(u->c, ~0u, SIGKILL, true, &err);
  if (!u->ring) cli_error(u->c, u->c->dir, "%s", err.text);
  int rc = u->ring ? loop(u) : CLI_FAILED;
  ck_door_close(&u->snapshot, 0);
  ck_context_end();
  cli_ring_end(&u->ring);
  cli_presence_forget();
  if (u->tail) cli_tail_step(u->tail);
  cli_tail_free(&u->tail);
  return rc;
}

/* Prepares the data folder, writes the first settings file, and takes the lock of `up`. */
static int prepare(struct cli *c, int *lock) {
  struct ck_err err;
  int rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, true);
  if (rc != CLI_GO_ON) return rc;
  enum ck_level level;
  ck_log_setup("up", ck_log_level_parse(ck_set_text(c->settings, CK_SET_LOG_LEVEL), &level) == 0
                         ? level
                         : CK_INFO);
  if (ck_settings_write_default(c->config, &err)) {
    cli_error(c, NULL, "%s", err.text);
    return CLI_FAILED;
  }
  if (cli_up_lock(lock, &err) == 0) return CLI_GO_ON;
  cli_error(c, c->dir,
            "a convkeep up already runs on this folder (%s): stop it first, or use another --data",
            err.text);
  return CLI_FAILED;
}

static int run(struct cli *c, int argc, char **argv) {
  struct up u = {.c = c};
  int lock = -1;
  const struct cli_option options[] = {{"once", NULL, &u.once}, {NULL, NULL, NULL}};
  int rc = cli_options(c, &argc, argv, (struct cli_syntax){.options = options});
  if (rc == CLI_GO_ON) rc = prepare(c, &lock);
  if (rc != CLI_GO_ON) return rc;
  cli_presence_forget();
  rc = hold(&u);
  ck_unlock_file(CLI_UP_LOCK, lock);
  return rc;
}

const struct cli_command cli_up = {
    "up", "[--once]", "run the ring here, in the foreground",
    "Starts store, ingest, renewd and syncd on the data folder, prints `ready` when each of them\n"
    "is ready, and restarts what dies. Creates the folder if it is missing, with a convkeep.conf\n"
    "that lists every setting. ^C or SIGTERM stops everything within 5 s; nothing is lost.\n"
    "The daemons write to DIR/logs/NAME.log; their errors are shown here too.\n\n"
    "  --once   ends when there is nothing left to do: everything is stored, mirrored and\n"
    "           readable, and no follow-up is due. Fails if only readable files are left and\n"
    "           they cannot be written",
    run};
