/* See witness.h: the note, then the comparison with an open database. */
#include "store/format/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/crc32c.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/spool_files.h"
#include "store/files/artifact_folder.h"

#define NOTE_BYTES 90
#define FRESH CK_PLACE_WITNESS ".new"
#define SPOOL "spool"

/* ---- the note ---- */

/* Notes are equally long, so that one overwrites another whole. */
static int note_text(char out[NOTE_BYTES + 1], const struct witness *w) {
  int n = snprintf(out, NOTE_BYTES + 1, "%.32s %020llu %020llu", w->store_id,
                   (unsigned long long)w->run, (unsigned long long)w->version);
  return n + snprintf(out + n, (size_t)(NOTE_BYTES + 1 - n), " %08x\n",
                      (unsigned)ck_crc32c(0, out, (size_t)n));
}

void witness_read(struct witness *w) {
  struct ck_buf line = {0};
  char again[NOTE_BYTES + 1];
  unsigned long long run = 0, version = 0;
  *w = (struct witness){0};
  int rc = ck_read_file(AT_FDCWD, CK_PLACE_WITNESS, O_NOFOLLOW, NOTE_BYTES, &line, NULL);
  bool there = rc == 0 || errno != ENOENT;
  if (sscanf(ck_buf_cstr(&line), "%32s %20llu %20llu", w->store_id, &run, &version) == 3) {
    w->run = run;
    w->version = version;
  }
  note_text(again, w);
  if (!ck_str_is(ck_buf_view(&line), again)) *w = (struct witness){.damaged = there};
  ck_buf_free(&line);
}

bool witness_is_damaged(void) {
  struct witness w;
  witness_read(&w);
  if (w.damaged) ck_log(CK_ERROR, CK_PLACE_WITNESS, "witness_damaged", "will=be_made_again");
  return w.damaged;
}

int witness_save(const struct witness *w, struct ck_err *err) {
  char text[NOTE_BYTES + 1];
  int n = note_text(text, w);
  int fd = ck_open_file(AT_FDCWD, FRESH, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, err);
  if (fd < 0) return ck_fail_in(err, FRESH);
  errno = ENOSPC; /* a short write sets no errno */
  bool ok = write(fd, text, (size_t)n) == n && fsync(fd) == 0;
  if (!ok) ck_fail(err, FRESH ": %s", strerror(errno));
  close(fd);
  if (ok && rename(FRESH, CK_PLACE_WITNESS)) {
    ck_fail(err, CK_PLACE_WITNESS ": %s", strerror(errno));
    ok = false;
  }
  int dir = ok ? open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (ok && (dir < 0 || fsync(dir))) {
    ck_fail(err, CK_PLACE_WITNESS ": %s", strerror(errno));
    ok = false;
  }
  if (dir >= 0) close(dir);
  return ok ? 0 : -1;
}

void witness_overwrite(const struct witness *w) {
  char text[NOTE_BYTES + 1];
  int n = note_text(text, w);
  int fd = ck_open_file(AT_FDCWD, CK_PLACE_WITNESS, O_WRONLY | O_CREAT | O_NOFOLLOW, NULL);
  if (fd < 0) return;
  ssize_t written = pwrite(fd, text, (size_t)n, 0);
  (void)written;
  close(fd);
}

/* ---- the spool ---- */

/* The last number of this folder's spool that has a receipt; 0: none is known. */
static uint64_t spool_receipted(char producer[CK_SPOOL_ID_MAX]) {
  int dir = open(SPOOL, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  producer[0] = '\0';
  if (dir < 0) return 0;
  ck_spool_read_producer(dir, producer);
  uint64_t number = ck_spool_read_number(dir, CK_SPOOL_RELEASED, producer);
  close(dir);
  return number;
}

/* What the database has of the producer; or, if higher, the last receipt when this store began as
 * an older copy, on purpose. */
static int applied_of(sqlite3 *db, const char *producer, int64_t *applied, struct ck_err *err) {
  static const char text[] =
      "SELECT max(spool_receipt, coalesce((SELECT applied FROM producers WHERE id = ?1), 0))"
      " FROM store";
  sqlite3_stmt *s = db_prepare(db, text, err);
  if (!s) return -1;
  db_bind_str(s, 1, ck_str_of(producer));
  int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(db, "producers", err);
  if (rc == 0) *applied = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return rc;
}

int witness_accept_spool(sqlite3 *db, struct ck_err *err) {
  char producer[CK_SPOOL_ID_MAX];
  char *sql = ck_sprintf("UPDATE store SET spool_receipt = %llu",
                         (unsigned long long)spool_receipted(producer));
  int rc = db_exec(db, sql, err);
  free(sql);
  return rc;
}

/* ---- the comparison ---- */

struct compared {
  sqlite3 *db;
  char store_id[33];
  int64_t runs;
  uint64_t head, highest;
  struct ck_err *why;
};

static int identify(struct compared *c, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(c->db, "SELECT store_id, runs FROM store", err);
  if (!s) return -1;
  int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(c->db, "store", err);
  if (rc == 0) {
    snprintf(c->store_id, sizeof c->store_id, "%.*s", (int)db_str(s, 0).n, db_str(s, 0).s);
    c->runs = sqlite3_column_int64(s, 1);
  }
  sqlite3_finalize(s);
  return rc ? rc : db_head(c->db, &c->head, err);
}

static void knows(struct compared *c, uint64_t version) {
  if (version > c->highest) c->highest = version;
}

static int note_says(struct compared *c) {
  struct witness w;
  witness_read(&w);
  if (w.version == 0) return 0;
  knows(c, w.version);
  if (strcmp(w.store_id, c->store_id) != 0)
    return ck_fail(c->why,
                   "it is not the database that was here, which came to version %llu"
                   " (" CK_PLACE_WITNESS ")",
                   (unsigned long long)w.version);
  if (w.version > c->head)
    return ck_fail(c->why, "it ends at version %llu, and had come to %llu (" CK_PLACE_WITNESS ")",
                   (unsigned long long)c->head, (unsigned long long)w.version);
  if ((int64_t)w.run >= c->runs)
    return ck_fail(c->why, "it was started %lld times, and %llu are known (" CK_PLACE_WITNESS ")",
                   (long long)c->runs - 1, (unsigned long long)w.run);
  return 0;
}

static int files_say(struct compared *c) {
  uint64_t version = artifact_folder_saved_cursor(ARTIFACT_FOLDER, c->store_id);
  if (version <= c->head) return 0;
  knows(c, version);
  return ck_fail(c->why,
                 "it ends at version %llu, and " ARTIFACT_FOLDER " has the files up to %llu",
                 (unsigned long long)c->head, (unsigned long long)version);
}

static int spool_says(struct compared *c, struct ck_err *err) {
  char producer[CK_SPOOL_ID_MAX];
  uint64_t receipted = spool_receipted(producer);
  int64_t applied = 0;
  if (receipted && applied_of(c->db, producer, &applied, err)) return -1;
  if (receipted <= (uint64_t)applied) return 0;
  ck_fail(c->why,
          "it has changesets up to %lld of this folder's ingest, and " SPOOL " has receipts"
          " up to %llu",
          (long long)applied, (unsigned long long)receipted);
  return 1;
}

int witness_older(sqlite3 *db, uint64_t *highest, struct ck_err *why, struct ck_err *err) {
  struct compared c = {.db = db, .why = why};
  if (identify(&c, err)) return -1;
  c.highest = c.head;
  bool files = files_say(&c) != 0, note = note_says(&c) != 0;
  *highest = c.highest;
  return files || note ? 1 : spool_says(&c, err);
}
