/* convkeep restore FILE: stages a copy of FILE in the data folder, and has a store put it in place
 * at its start (store/database/restore.h). */
#include "cli/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "proto/file.h"
#include "proto/lock.h"

/* As store/database/restore.h names it. */
#define STAGED "artifact.db.restore"
#define STAGING STAGED ".tmp"
#define PIECE (1u << 20)
#define HEAD "SQLite format 3"

/* ---- nobody may be at work in the folder ---- */

static int held(struct cli *c, const char *lock) {
  if (ck_lock_is_free(lock)) return CLI_GO_ON;
  cli_error(c, c->dir, "the ring is up there (%s is locked): end it first", lock);
  return CLI_FAILED;
}

static int nobody_at_work(struct cli *c) {
  static const char *const locks[] = {"run/up.pid", "run/store.pid", "run/ingest.pid",
                                      "run/renewd.pid"};
  int rc = CLI_GO_ON;
  for (size_t i = 0; i < sizeof locks / sizeof *locks && rc == CLI_GO_ON; ++i)
    rc = held(c, locks[i]);
  for (int k = 0; k < 64 && rc == CLI_GO_ON; ++k) {
    char lock[64];
    snprintf(lock, sizeof lock, "run/syncd-%d.pid", k);
    rc = held(c, lock);
  }
  if (rc == CLI_GO_ON && strncmp(cli_store_place(c), "ipc://", 6) != 0) {
    cli_error(c, cli_store_place(c),
              "the store's door is not of this machine alone: restore where the store is, with "
              "--set door.snapshot=ipc://run/snapshot");
    rc = CLI_FAILED;
  }
  return rc;
}

/* ---- staging ---- */

/* What can be seen without SQLite; the store looks at the rest. */
static int check_file(struct cli *c, const char *file, int fd, off_t *size) {
  struct stat st, wal;
  char head[sizeof HEAD] = {0};
  char *beside = ck_sprintf("%s-wal", file);
  bool unfinished = stat(beside, &wal) == 0 && wal.st_size > 0;
  free(beside);
  if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
      pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head ||
      memcmp(head, HEAD, sizeof head) != 0) {
    cli_error(c, file, "it is no SQLite file: name one that convkeep backup made");
    return CLI_FAILED;
  }
  if (unfinished) {
    cli_error(c, file,
              "a part of it is in %s-wal beside it: put it in with sqlite3 FILE 'PRAGMA "
              "journal_mode = DELETE', or name one that convkeep backup made",
              file);
    return CLI_FAILED;
  }
  *size = st.st_size;
  return CLI_GO_ON;
}

static int write_all(int fd, const char *bytes, size_t n) {
  while (n) {
    ssize_t k = write(fd, bytes, n);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return -1;
    bytes += k;
    n -= (size_t)k;
  }
  return 0;
}

static int copy_bytes(int from, int to, off_t size) {
  char *piece = ck_alloc(PIECE);
  ssize_t n;
  off_t at = 0;
  while ((n = pread(from, piece, PIECE, at)) > 0 && write_all(to, piece, (size_t)n) == 0) {
    at += n;
    cli_progress("copying", (uint64_t)at, (uint64_t)size);
  }
  free(piece);
  return n == 0 ? 0 : -1;
}

/* From the rename on it is decided: whichever store starts next puts it in place. */
static int stage_durably(int from, off_t size) {
  int to = ck_open_file(AT_FDCWD, STAGING, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, NULL);
  if (to < 0) return -1;
  int rc = copy_bytes(from, to, size) || fsync(to) ? -1 : 0;
  if (close(to)) rc = -1;
  if (rc == 0 && rename(STAGING, STAGED)) rc = -1;
  int why = errno;
  if (rc) unlink(STAGING);
  int dir = rc ? -1 : open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0 && fsync(dir)) rc = -1;
  if (dir >= 0) close(dir);
  errno = why;
  return rc;
}

static int stage(struct cli *c, const char *file) {
  off_t size;
  struct ck_err err;
  int from = ck_open_file(AT_FDCWD, file, O_RDONLY, &err);
  if (from < 0) {
    cli_error(c, file, "%s", err.text);
    return CLI_FAILED;
  }
  int rc = check_file(c, file, from, &size);
  if (rc == CLI_GO_ON && stage_durably(from, size)) {
    cli_error(c, c->dir, "the copy could not be written there: %s; nothing was changed",
              strerror(errno));
    rc = CLI_FAILED;
  }
  cli_progress_clear();
  close(from);
  return rc;
}

/* ---- the store that puts it in place ---- */

/* It looks through the whole copy before it is ready: that takes as long as it takes. */
static int await(struct cli *c, struct cli_ring *ring) {
  struct ck_err err;
  for (;;) {
    struct pollfd fds[CLI_RING_FDS];
    int wait = cli_ring_step(ring);
    if (cli_ring_ready(ring)) break;
    if (cli_ring_elsewhere(ring)) return CLI_GO_ON; /* a ring that came up meanwhile does it */
    if (cli_ring_failed(ring, &err)) {
      cli_progress_clear();
      cli_error(c, c->dir, "%s", err.text);
      return CLI_FAILED;
    }
    cli_progress("looking it through", 0, 0);
    poll(fds, (nfds_t)cli_ring_fds(ring, fds), wait < 0 ? 1000 : wait);
  }
  cli_progress_clear();
  return CLI_GO_ON;
}

struct outcome {
  struct cli *c;
  const char *file;
};

static void restored(void *self, const json_t *line) {
  const struct outcome *o = self;
  if (o->c->json) {
    json_t *whole = json_pack("{s:s}", "file", o->file);
    json_object_update(whole, (json_t *)(uintptr_t)line);
    cli_json_line(whole);
    json_decref(whole);
    return;
  }
  struct ck_buf text = {0};
  cli_safe_text(&text, ck_str_of(o->file), false);
  ck_buf_printf(&text, ": restored, it was at version %lld\n",
                (long long)cli_member_int(line, "backup_version", 0));
  if (*cli_member(line, "before"))
    ck_buf_printf(&text, "the former database is %s/%s\n", o->c->dir, cli_member(line, "before"));
  if (*cli_member(line, "mirror_before"))
    ck_buf_printf(&text, "the former mirror is %s; a new one is made\n",
                  cli_member(line, "mirror_before"));
  int64_t paused = cli_member_int(line, "paused", 0);
  if (paused)
    ck_buf_printf(&text,
                  "%lld conversation%s paused: what is due there may have been delivered since the "
                  "backup; look at convkeep list jobs, then convkeep resume\n",
                  (long long)paused, paused == 1 ? " is" : "s are");
  cli_print(&text);
  ck_buf_free(&text);
}

static int put_in_place(struct cli *c, const char *file) {
  struct ck_err err;
  struct outcome outcome = {c, file};
  struct cli_task task = {
      .name = "restored", .label = "restore", .line = restored, .self = &outcome, .subject = file};
  struct cli_ring *ring = cli_ring_new(c, CLI_PART(CLI_STORE), SIGTERM, false, &err);
  if (!ring) {
    cli_error(c, c->dir, "%s", err.text);
    return CLI_FAILED;
  }
  int rc = await(c, ring);
  if (rc == CLI_GO_ON) rc = cli_connect(c, true, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = cli_task_run(c, &task);
  cli_disconnect(c);
  cli_ring_end(&ring);
  return rc;
}

static int run(struct cli *c, int argc, char **argv) {
  int rc = cli_options(c, &argc, argv, NULL, NULL, 1, 1);
  if (rc != CLI_GO_ON) return rc;
  char *file = cli_path(c, argv[1]);
  rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, true);
  if (rc == CLI_GO_ON) rc = nobody_at_work(c);
  if (rc == CLI_GO_ON) rc = stage(c, file);
  if (rc == CLI_GO_ON) rc = put_in_place(c, file);
  free(file);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

const struct cli_command cli_restore = {
    "restore", "FILE", "put a backup in the place of the database; the ring has to be down",
    "FILE is looked through first; one that is damaged, no database of convkeep's, or newer than "
    "this program changes nothing. The present database\n"
    "(and the embedded mirror) is kept as artifact.db.before-TIME. The restored one is a store of "
    "its own: files and mirror are made anew from it, and\n"
    "conversations that could send a follow-up by themselves are paused, because what is due in "
    "FILE may have been delivered since.\n\n"
    "An interrupted restore is completed when a store next starts, as soon as FILE has been "
    "copied.",
    run};
