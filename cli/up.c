/* convkeep up: runs the ring (ring.h) in the foreground and shows the daemons' errors (tail.h). */
#include "cli/client.h"
#include "cli/ring.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/once.h"
#include "cli/out.h"
#include "cli/presence.h"
#include "cli/tail.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/file.h"
#include "proto/lock.h"
#include "proto/log.h"

/* How often up looks whether the data folder is still where it was. */
#define FOLDER_MS 500
#define LOCK_TRIES 3
#define LOCK_RETRY_MS 20

struct up {
  struct cli *c;
  struct ck_lock lock; /* the data folder's */
  struct cli_ring *ring;
  struct cli_tail *tail;
  bool once, new_store, said_ready;
  int64_t folder_at;    /* when to look at the folder again, boot clock */
  unsigned noted;       /* cli_ring_changes() of the last note */
  struct cli_once todo; /* --once */
};

static void wait_for_news(struct up *u, int timeout) {
  struct pollfd fds[CLI_RING_FDS + 1];
  int n = cli_ring_fds(u->ring, fds);
  fds[n++] = (struct pollfd){cli_tail_fd(u->tail), POLLIN, 0};
  int most = u->once && u->said_ready ? CLI_ONCE_LOOK_MS : FOLDER_MS;
  if (timeout < 0 || timeout > most) timeout = most;
  poll(fds, (nfds_t)n, timeout);
}

/* For status, which must know what becomes of a daemon that does not run. */
static void note_changes(struct up *u) {
  unsigned changes = cli_ring_changes(u->ring);
  if (changes != u->noted) cli_presence_note(u->ring);
  u->noted = changes;
}

/* Another ring could start on what has the folder's name now. */
static int look_at_folder(struct up *u) {
  struct stat mine, there;
  if (ck_boot_ms() < u->folder_at) return CLI_GO_ON;
  u->folder_at = ck_boot_ms() + FOLDER_MS;
  if (fstat(u->lock.fd, &mine) == 0 && stat(u->c->dir, &there) == 0 &&
      mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
    return CLI_GO_ON;
  cli_error(u->c, u->c->dir, "the data folder was removed, renamed or replaced; the ring ends");
  return CLI_FAILED;
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
    int rc = look_at_folder(u);
    if (rc == CLI_GO_ON && u->once && u->said_ready) rc = cli_once_look(&u->todo);
    if (rc != CLI_GO_ON) return rc;
    wait_for_news(u, timeout);
  }
}

static int hold(struct up *u) {
  struct ck_err err;
  u->tail = cli_tail_new(cli_part_names, CLI_PARTS, &err);
  if (u->tail) u->ring = cli_ring_new(u->c, ~0u, SIGKILL, true, &err);
  if (!u->ring) cli_error(u->c, u->c->dir, "%s", err.text);
  u->todo = (struct cli_once){.c = u->c, .ring = u->ring};
  int rc = u->ring ? loop(u) : CLI_FAILED;
  cli_once_end(&u->todo);
  ck_context_end();
  cli_ring_end(&u->ring);
  cli_presence_forget();
  if (u->tail) cli_tail_step(u->tail);
  cli_tail_free(&u->tail);
  return rc;
}

/* The store finds the file when it starts, and removes it (store/format/restore.h). */
static int ask_for_new_store(struct cli *c) {
  struct ck_err err;
  int fd = ck_open_file(AT_FDCWD, CK_PLACE_NEW_STORE, O_WRONLY | O_CREAT | O_NOFOLLOW, &err);
  if (fd >= 0) {
    close(fd);
    return CLI_GO_ON;
  }
  cli_error(c, CK_PLACE_NEW_STORE, "%s", err.text);
  return CLI_FAILED;
}

/* A command that looks whether `up` runs takes its lock for a moment, so a single failure to lock
 * means nothing. */
static int take_lock(struct cli *c, struct ck_lock *lock) {
  struct ck_err err;
  int rc, tries = LOCK_TRIES;
  while ((rc = ck_lock_folder(lock, CLI_UP_LOCK, &err)) > 0 && --tries)
    poll(NULL, 0, LOCK_RETRY_MS);
  if (rc == 0) rc = ck_pid_write(CLI_UP_PID, &err);
  if (rc == 0) return CLI_GO_ON;
  if (rc < 0)
    cli_error(c, c->dir, "%s", err.text);
  else
    cli_error(c, c->dir,
              "a convkeep up already runs on this folder; stop it first, or use another --data");
  return CLI_FAILED;
}

/* Prepares the data folder, writes the first settings file, and takes the lock of `up`. */
static int prepare(struct cli *c, struct ck_lock *lock) {
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
  return take_lock(c, lock);
}

static int run(struct cli *c, int argc, char **argv) {
  struct up u = {.c = c, .lock = {.fd = -1}};
  int rc = cli_options(c, &argc, argv, &u);
  if (rc == CLI_GO_ON) rc = prepare(c, &u.lock);
  if (rc != CLI_GO_ON) return rc;
  cli_presence_forget();
  if (u.new_store) rc = ask_for_new_store(c);
  if (rc == CLI_GO_ON) rc = hold(&u);
  if (u.new_store) unlink(CK_PLACE_NEW_STORE); /* if no store has seen it */
  unlink(CLI_UP_PID);
  ck_lock_end(&u.lock);
  return rc;
}

static const struct cli_option options[] = {
    CLI_FLAG("once", struct up, once,
             "ends when there is nothing left to do: everything is stored, mirrored and readable, "
             "and no follow-up is due; fails if only readable files are left and they cannot be "
             "written, or if something is left and nothing has moved for 60 s"),
    CLI_FLAG("new-store", struct up, new_store,
             "begins a new store in a folder whose database is missing; its other files get other "
             "names (….before-TIME), and its spool goes into the new store"),
    {0}};

const struct cli_command cli_up = {
    "up",
    CLI_TO_RUN,
    "run the ring here, in the foreground",
    NULL,
    options,
    "Starts store, ingest, renewd, webd and syncd on the data folder, prints `ready` when each of\n"
    "them is ready, and restarts what dies. Creates the folder if it is missing, with a "
    "convkeep.conf\n"
    "that lists every setting. ^C or SIGTERM stops everything within 5 s; nothing is lost.\n"
    "The daemons write to DIR/logs/NAME.log; their errors are shown here too.",
    run,
    NULL};
