/* convkeep restore FILE: stages a copy of FILE in the data folder, then starts a store, which
 * checks it and puts it in place (store/format/restore.h). */
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
#include "proto/places.h"

#define STAGING CK_PLACE_STAGED ".tmp"
#define PIECE (1u << 20)
#define HEAD "SQLite format 3"

/* ---- the ring must be down ---- */

static int held(struct cli *c, const char *lock, const char *who) {
  if (ck_lock_is_free(lock)) return CLI_GO_ON;
  cli_error(c, c->dir, "the ring is up there (%s runs): stop it first", who);
  return CLI_FAILED;
}

static int nobody_at_work(struct cli *c) {
  char number[CK_PLACE_MAX];
  int rc = held(c, CLI_UP_LOCK, "convkeep up");
  for (int i = 0; i < CLI_PARTS && rc == CLI_GO_ON; ++i)
    if (cli_part_places[i]) rc = held(c, cli_part_places[i], cli_part_names[i]);
  for (int k = 0; k < CK_INSTANCES_MAX && rc == CLI_GO_ON; ++k) {
    ck_place_pid(number, cli_part_names[CLI_SYNCD], k);
    rc = held(c, number, cli_part_names[CLI_SYNCD]);
  }
  if (rc == CLI_GO_ON && strncmp(cli_store_place(c), "ipc://", 6) != 0) {
    cli_error(c, cli_store_place(c),
              "the store may be on another machine: restore where the store is, with --set "
              "door.snapshot=ipc://run/snapshot");
    rc = CLI_FAILED;
  }
  return rc;
}

/* ---- staging ---- */

/* Checks what can be checked without SQLite; the store checks the rest. */
static int check_file(struct cli *c, const char *file, int fd, off_t *size) {
  struct stat st, wal;
  char head[sizeof HEAD] = {0};
  char *beside = ck_sprintf("%s-wal", file);
  bool unfinished = stat(beside, &wal) == 0 && wal.st_size > 0;
  free(beside);
  if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
      pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head ||
      memcmp(head, HEAD, sizeof head) != 0) {
    cli_error(c, file, "not an SQLite file: name one made by convkeep backup");
    return CLI_FAILED;
  }
  if (unfinished) {
    cli_error(c, file,
              "part of it is in %s-wal: merge that with sqlite3 FILE 'PRAGMA journal_mode = "
              "DELETE', or name a file made by convkeep backup",
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

/* The rename decides: from then on, the next store that starts puts the copy in place. */
static int stage_durably(int from, off_t size) {
  int to = ck_open_file(AT_FDCWD, STAGING, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, NULL);
  if (to < 0) return -1;
  int rc = copy_bytes(from, to, size) || fsync(to) ? -1 : 0;
  if (close(to)) rc = -1;
  if (rc == 0 && rename(STAGING, CK_PLACE_STAGED)) rc = -1;
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
    cli_error(c, c->dir, "cannot write the copy there: %s; nothing was changed", strerror(errno));
    rc = CLI_FAILED;
  }
  cli_progress_clear();
  close(from);
  return rc;
}

/* ---- putting it in place ---- */

/* Waits without a limit: the store checks the whole copy before it is ready. */
static int await(struct cli *c, struct cli_ring *ring) {
  struct ck_err err;
  for (;;) {
    struct pollfd fds[CLI_RING_FDS];
    int wait = cli_ring_step(ring);
    if (cli_ring_ready(ring)) break;
    if (cli_ring_elsewhere(ring)) return CLI_GO_ON; /* a ring that came up meanwhile restores it */
    if (cli_ring_failed(ring, &err)) {
      cli_progress_clear();
      cli_error(c, c->dir, "%s", err.text);
      return CLI_FAILED;
    }
    cli_progress("checking", 0, 0);
    poll(fds, (nfds_t)cli_ring_fds(ring, fds), wait < 0 ? 1000 : wait);
  }
  cli_progress_clear();
  return CLI_GO_ON;
}

struct outcome {
  struct cli *c;
  const char *file;
};

/* file: relative to the data folder, or absolute. */
static void add_path(struct ck_buf *b, const char *what, const struct cli *c, const char *file,
                     const char *end) {
  bool relative = file[0] != '/';
  ck_buf_printf(b, "the previous %s is %s%s%s%s\n", what, relative ? c->dir : "",
                relative ? "/" : "", file, end);
}

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
  ck_buf_printf(&text, ": restored, the backup was at version %lld\n",
                (long long)cli_member_int(line, "backup_version", 0));
  if (*cli_member(line, "before"))
    add_path(&text, "database", o->c, cli_member(line, "before"), "");
  if (*cli_member(line, "mirror_before"))
    add_path(&text, "mirror", o->c, cli_member(line, "mirror_before"), "; a new one is made");
  int64_t paused = cli_member_int(line, "paused", 0);
  if (paused)
    ck_buf_printf(&text,
                  "%lld conversation%s paused: follow-ups due there may have been delivered since "
                  "the backup; look at convkeep list jobs, then convkeep resume\n",
                  (long long)paused, ck_noun((uint64_t)paused, " is", "s are"));
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
  int rc = cli_options(c, &argc, argv, (struct cli_syntax){.least = 1, .most = 1});
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
    "restore", "FILE", "replace the database by a backup; the ring must be down",
    "FILE is checked first; if it is damaged, not convkeep's, or newer than this program,\n"
    "nothing is changed. The present database is kept as artifact.db.before-TIME, the embedded\n"
    "mirror as mirror.db.before-TIME.\n\n"
    "The restored database is a store of its own: readable files and mirror are made again from\n"
    "it. Conversations that could send a follow-up automatically are paused, because follow-ups\n"
    "due in FILE may have been delivered since.\n\n"
    "Once FILE has been copied, the next store that starts completes an interrupted restore.",
    run};
