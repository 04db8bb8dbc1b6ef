/* convkeep restore FILE: stages a copy of FILE in the data folder, then starts a store, which
 * checks it and puts it in place (store/format/restore.h). Then the attachments that are missing
 * are copied from beside FILE. */
#include "cli/task.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/forgotten_file.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "proto/attachment.h"
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
  glob_t workers;
  int rc = held(c, CLI_UP_LOCK, "convkeep up");
  for (int i = 0; i < CLI_PARTS && rc == CLI_GO_ON; ++i)
    if (cli_part_places[i]) rc = held(c, cli_part_places[i], cli_part_names[i]);
  if (glob(CK_PLACE_PID("syncd-*"), GLOB_NOSORT, NULL, &workers) == 0) {
    for (size_t k = 0; k < workers.gl_pathc && rc == CLI_GO_ON; ++k)
      rc = held(c, workers.gl_pathv[k], cli_part_names[CLI_SYNCD]);
    globfree(&workers);
  }
  if (rc == CLI_GO_ON && strncmp(cli_store_place(c), "ipc://", 6) != 0) {
    cli_error(c, cli_store_place(c),
              "the store may be on another machine; restore where the store is, with --set "
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
    cli_error(c, file, "not an SQLite file; name one made by convkeep backup");
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

static int copy_bytes(int from, int to, off_t size) {
  char *piece = ck_alloc(PIECE);
  ssize_t n;
  off_t at = 0;
  while ((n = pread(from, piece, PIECE, at)) > 0 &&
         ck_write_all(to, (struct ck_str){piece, (size_t)n}) == 0) {
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
  json_t *line;             /* what the store says of the restore; NULL: nothing yet */
  uint64_t copied, missing; /* attachments */
  struct ck_err first;      /* of the missing ones, why */
};

/* ---- attachments ---- */

/* Copies one that is missing from the folder of attachments beside FILE. */
static void copy_attachment(struct outcome *o, int from, int to, const json_t *row) {
  struct ck_err err = {{0}};
  struct ck_str hash = ck_str_of(cli_member(row, "hash"));
  uint64_t bytes = (uint64_t)cli_member_int(row, "bytes", 0);
  enum ck_attachment_state state = CK_ATTACHMENT_MISSING;
  if (ck_attachment_there(to, hash, bytes)) return; /* it had another name, too */
  if (from >= 0) state = ck_attachment_copy(from, to, hash, bytes, NULL, NULL, &err);
  o->copied += state == CK_ATTACHMENT_SOUND;
  if (state == CK_ATTACHMENT_SOUND || o->missing++) return;
  ck_fail(&o->first, "%s: %s", cli_member(row, "name"),
          state == CK_ATTACHMENT_MISSING   ? "it is not there"
          : state == CK_ATTACHMENT_DAMAGED ? "it is damaged there"
                                           : err.text);
}

static int open_beside(const char *file) {
  char *folder = ck_str_dup((struct ck_str){file, (size_t)(strrchr(file, '/') - file) + 1});
  int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int fd = dir < 0 ? -1 : ck_attachments_open(dir, false);
  if (dir >= 0) close(dir);
  free(folder);
  return fd;
}

/* Of those that the restored database lists. */
static int copy_attachments(struct outcome *o) {
  json_t *rows, *row;
  size_t i;
  int rc = cli_query_all(o->c, "attachments", NULL, 0, &rows);
  if (rc != CLI_GO_ON) return rc;
  int from = open_beside(o->file), to = ck_attachments_open(AT_FDCWD, true);
  json_array_foreach(rows, i, row) {
    cli_progress("attachments", i, json_array_size(rows));
    if (to >= 0 && !cli_member_int(row, "there", 0)) copy_attachment(o, from, to, row);
  }
  cli_progress_clear();
  json_decref(rows);
  if (from >= 0) close(from);
  if (to >= 0) close(to);
  return CLI_GO_ON;
}

/* ---- the report ---- */

static void restored(void *self, const json_t *line) {
  ((struct outcome *)self)->line = json_deep_copy(line);
}

/* file: relative to the data folder, or absolute. */
static void add_path(struct ck_buf *b, const char *what, const struct cli *c, const char *file,
                     const char *end) {
  bool relative = file[0] != '/';
  ck_buf_printf(b, "the previous %s is %s%s%s%s\n", what, relative ? c->dir : "",
                relative ? "/" : "", file, end);
}

static void report_json(const struct outcome *o) {
  json_t *whole = json_pack("{s:s}", "file", o->file);
  json_object_update(whole, o->line);
  json_object_set_new(whole, "attachments", json_integer((json_int_t)o->copied));
  json_object_set_new(whole, "attachments_missing", json_integer((json_int_t)o->missing));
  cli_json_line(whole);
  json_decref(whole);
}

static void report(const struct outcome *o) {
  const json_t *line = o->line;
  struct ck_buf text = {0};
  cli_safe_text(&text, ck_str_of(o->file), false);
  ck_buf_printf(&text, ": restored, the backup was at version %lld\n",
                (long long)cli_member_int(line, "backup_version", 0));
  if (*cli_member(line, "before"))
    add_path(&text, "database", o->c, cli_member(line, "before"), "");
  if (*cli_member(line, "mirror_before"))
    add_path(&text, "mirror", o->c, cli_member(line, "mirror_before"), "; a new one is made");
  if (o->copied)
    ck_buf_printf(&text, "%llu %s copied back\n", (unsigned long long)o->copied,
                  ck_noun(o->copied, "attachment was", "attachments were"));
  int64_t paused = cli_member_int(line, "paused", 0);
  if (paused)
    ck_buf_printf(&text,
                  "%lld conversation%s paused: follow-ups due there may have been delivered since "
                  "the backup; look at convkeep list jobs, then convkeep resume --all\n",
                  (long long)paused, ck_noun((uint64_t)paused, " is", "s are"));
  cli_print(&text);
  ck_buf_free(&text);
}

/* The backup may be from before something was forgotten. */
static int tell_forgotten(struct cli *c) {
  json_t *list;
  struct ck_buf damaged = {0};
  int rc = cli_forgotten_missing(c, &list);
  if (rc != CLI_GO_ON) return rc;
  if (cli_forgotten_damaged(&damaged))
    cli_warn(c, NULL, "%s: " CLI_FORGOTTEN_ADVICE, ck_buf_cstr(&damaged));
  ck_buf_free(&damaged);
  size_t n = json_array_size(list);
  if (n)
    cli_warn(c, NULL,
             "%zu %s forgotten after this backup was made, and may be in it; `convkeep forget"
             " --again` forgets %s again",
             n, ck_noun(n, "conversation or message was", "conversations or messages were"),
             ck_noun(n, "it", "them"));
  json_decref(list);
  return cli_forgotten_note_again(c); /* the backup may be another folder's */
}

/* What is restored is restored, also if something of it is damaged or missing; but that is said. */
static int tell(struct outcome *o) {
  if (!o->line) return CLI_DONE;
  int64_t damaged = cli_member_int(o->line, "damaged", 0);
  if (o->c->json)
    report_json(o);
  else
    report(o);
  json_decref(o->line);
  fflush(stdout);
  if (damaged)
    cli_error(
        o->c, o->file,
        "%lld %s: the copy was damaged, or another program made it; convkeep doctor says what "
        "to do",
        (long long)damaged,
        ck_noun((uint64_t)damaged, "page is not as convkeep wrote it",
                "pages are not as convkeep wrote them"));
  if (o->missing)
    cli_error(o->c, o->file,
              "%llu %s missing: not in the folder attachments beside it (the first: %s); copy that "
              "folder to %s, or import the exports again",
              (unsigned long long)o->missing,
              ck_noun(o->missing, "attachment is", "attachments are"), o->first.text, o->c->dir);
  return damaged || o->missing ? CLI_FAILED : CLI_DONE;
}

static int put_in_place(struct cli *c, const char *file) {
  struct ck_err err;
  struct outcome outcome = {.c = c, .file = file};
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
  if (rc == CLI_GO_ON) rc = copy_attachments(&outcome);
  if (rc == CLI_GO_ON) rc = tell_forgotten(c);
  if (rc == CLI_GO_ON) rc = tell(&outcome);
  cli_disconnect(c);
  cli_ring_end(&ring);
  return rc;
}

static int run(struct cli *c, int argc, char **argv) {
  int rc = cli_options(c, &argc, argv, NULL);
  if (rc != CLI_GO_ON) return rc;
  char *file = cli_path(c, argv[1]);
  rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, true);
  if (rc == CLI_GO_ON) rc = nobody_at_work(c);
  if (rc == CLI_GO_ON) rc = stage(c, file);
  if (rc == CLI_GO_ON) rc = put_in_place(c, file);
  free(file);
  return rc;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("FILE", CLI_FILE, 0), {0}};

const struct cli_command cli_restore = {
    "restore",
    CLI_TO_KEEP,
    "replace the database by a backup; the ring must be down",
    arguments,
    NULL,
    "FILE is checked first; if it is damaged, not convkeep's, or newer than this program,\n"
    "nothing is changed. The present database is kept as artifact.db.before-TIME, the embedded\n"
    "mirror as mirror.db.before-TIME. Attachments that are missing are copied from the folder\n"
    "attachments beside FILE.\n\n"
    "The restored database is a store of its own: readable files and mirror are made again from\n"
    "it. Conversations that could send a follow-up automatically are paused, because follow-ups\n"
    "due in FILE may have been delivered since.\n\n"
    "Once FILE has been copied, the next store that starts completes an interrupted restore.",
    run,
    NULL};
