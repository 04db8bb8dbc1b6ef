/* How doctor reads the database. A check that reads all of it needs one read transaction, and while
 * that is open the WAL cannot start over. If so much is written meanwhile that the WAL would exceed
 * its limit, the check gives way (store/database/wal_guard.h) and is run again on a copy, which the
 * writer makes as for a backup.
 */
#include "store/tasks/doctor_internal.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "proto/clock.h"
#include "store/database/wal_guard.h"

#define COPY ".artifact.db.doctor.tmp"
#define CACHE "PRAGMA cache_size = -16384"
#define STEPS_A_LOOK 10000
#define MIB (UINT64_C(1) << 20)
/* The WAL starts over all the time; a transaction waits up to MOMENT_MS for a moment in which it is
 * no larger than this. */
#define WAL_TO_BEGIN (16 * MIB)
#define MOMENT_MS 1000
#define PIECE_US 20000
#define REST_MAX_MS 50
#define FREE_AFTER (64 * MIB) /* a copy must leave this free, and a quarter of its own size */

static uint64_t wal_bytes(const struct doctor *d) {
  struct wal_view v;
  wal_guard_look(d->task->context->wal, &v);
  return v.bytes;
}

int doctor_reader_open(struct doctor *d, struct ck_err *err) {
  if (db_open_reader(&d->live, err) || db_exec(d->live, CACHE, err)) return -1;
  sqlite3_progress_handler(d->live, STEPS_A_LOOK, task_cancelled_handler, d->task);
  d->db = d->live;
  return 0;
}

void doctor_reader_close(struct doctor *d) {
  if (d->copy) {
    db_close(&d->copy);
    backup_remove(COPY);
  }
  db_close(&d->live);
  d->db = NULL;
}

int doctor_reader_begin(struct doctor *d, struct ck_err *err) {
  d->db = d->copy ? d->copy : d->live;
  for (int64_t until = ck_boot_ms() + MOMENT_MS;
       !d->copy && wal_bytes(d) > WAL_TO_BEGIN && ck_boot_ms() < until && !task_cancelled(d->task);)
    task_pause(1);
  if (!d->copy) wal_guard_read(d->task->context->wal, d->live);
  return db_exec(d->db, "BEGIN", err);
}

bool doctor_reader_crowded(const struct doctor *d) {
  return !d->copy && wal_guard_interrupted(d->task->context->wal);
}

int doctor_reader_end(struct doctor *d, struct ck_err *err) {
  wal_guard_read_end(d->task->context->wal);
  int rc = d->db && !sqlite3_get_autocommit(d->db) ? db_exec(d->db, "COMMIT", err) : 0;
  d->db = d->live;
  return rc;
}

bool doctor_piece_over(int64_t began) { return ck_mono_us() - began > PIECE_US; }

void doctor_piece_rest(int64_t began) {
  int64_t took = (ck_mono_us() - began) / 1000 + 1;
  task_pause(took < REST_MAX_MS ? (long)took : REST_MAX_MS);
}

static int has_room(struct ck_err *err) {
  struct stat st;
  struct statvfs disk;
  if (stat(DB_FILE, &st) || statvfs(".", &disk))
    return ck_fail(err, "the free room on the disk cannot be determined");
  uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize,
           needed = (uint64_t)st.st_size * 5 / 4 + FREE_AFTER;
  return free_bytes >= needed ? 0
                              : ck_fail(err, "there is no room for a copy, which needs %llu MiB",
                                        (unsigned long long)(needed / MIB));
}

int doctor_reader_copy(struct doctor *d, struct ck_err *err) {
  if (has_room(err) || backup_make(d->task, COPY, &d->copy, err) || db_exec(d->copy, CACHE, err)) {
    db_close(&d->copy);
    backup_remove(COPY);
    return -1;
  }
  sqlite3_progress_handler(d->copy, STEPS_A_LOOK, task_cancelled_handler, d->task);
  return 0;
}
