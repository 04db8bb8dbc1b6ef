/* The store daemon: makes all writes to the database and publishes them. This file starts the
 * parts, runs the main thread's loop and stops them. The main thread is the only writer; the
 * threads snapshot, work, artifacts and search read. README.md in this folder is the map. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/sqlite_pages.h"
#include "store/files/artifacts.h"
#include "store/originals/originals.h"
#include "store/tasks/task.h"
#include "store/database/checkpoint.h"
#include "store/database/backup_copy.h"
#include "store/database/names.h"
#include "store/write/intake.h"
#include "store/mirror/mirrors.h"
#include "store/format/migrations.h"
#include "store/database/moment.h"
#include "store/format/restore.h"
#include "store/format/witness.h"
#include "store/read/snapshot.h"
#include "store/search/indexer.h"
#include "store/database/wal_guard.h"
#include "store/database/wal_mend.h"
#include "store/mirror/work.h"

#define HEARTBEAT_MS 200
#define IDLE_MS 2000 /* without a new version: the store is idle */
#define GREETINGS_A_TURN 32
#define LOOK_MS 5    /* until it looks again whether it is ready */
#define SOON_MS 2    /* until the backup copy's next turn, if BACKUP_COPY_SOON */
#define READY_MS 300 /* ready after so long at the latest */
#define ALARM_MS (INT64_C(7) * 24 * 3600 * 1000) /* for how long an alarm is shown */
#define NAMES_MS 1000 /* how often it looks at the names, and notes how far it is */
#define FILES_MS 5000

struct store {
  const struct ck_settings *settings;
  struct context context;
  struct restored restored;
  sqlite3 *db;
  struct names *names;
  struct witness witness;
  struct checkpoint *checkpoint;
  struct system_tables *system;
  struct reports *reports;
  struct apply *apply;
  struct feed *feed;
  struct intake *intake;
  struct snapshot *snapshot;
  struct work *work;
  struct artifacts *artifacts;
  struct indexer *indexer;
  struct packing *packing;
  bool packs;      /* it wants its next turn soon */
  uint64_t pauses; /* as the last heartbeat said */
  int64_t heartbeat_at, retry_at, piece_at, names_at, files_at, ready_by; /* ck_boot_ms */
  bool sealing; /* the WAL is to be empty for that */
  enum wal_decision wal;
  bool more; /* the intake has more */
  enum backup_copy_next backup_copy_next;
  int64_t idle_at;    /* when the store is idle, if the head does not change; INT64_MAX: it is */
  uint64_t idle_head; /* the head that idle_at is for */
  struct ck_buf answer;
};

/* ---- start and end ---- */

/* Not higher than what is durable. */
static void note_version(struct store *s) {
  uint64_t head = atomic_load(&s->context.head);
  if (head <= s->witness.version) return;
  s->witness.version = head;
  witness_overwrite(&s->witness);
}

static int read_identity(struct store *s, struct ck_err *err) {
  sqlite3_stmt *q = db_prepare(
      s->db, "SELECT store_id, runs, CASE WHEN alarm_at >= ?1 THEN alarm ELSE '' END FROM store",
      err);
  if (!q) return -1;
  sqlite3_bind_int64(q, 1, ck_now_ms() - ALARM_MS);
  int rc = sqlite3_step(q) == SQLITE_ROW ? 0 : db_fail(s->db, "store", err);
  if (rc == 0) {
    struct ck_str id = db_str(q, 0);
    for (size_t i = 0; i < id.n && i < 32; ++i) s->context.store_id[i] = id.s[i];
    s->context.run = (uint64_t)sqlite3_column_int64(q, 1);
    struct ck_str alarm = db_str(q, 2);
    snprintf(s->context.alarm.text, sizeof s->context.alarm.text, "%.*s", (int)alarm.n, alarm.s);
  }
  sqlite3_finalize(q);
  return rc;
}

/* The witness is durable before anything is committed: a database that is older than it was is
 * noticed by the number of its runs. */
static int begin_run(struct store *s, uint64_t head, struct ck_err *err) {
  s->context.witness_damaged = witness_is_damaged();
  s->witness = (struct witness){.run = s->context.run, .version = head};
  snprintf(s->witness.store_id, sizeof s->witness.store_id, "%s", s->context.store_id);
  s->names = names_new(err);
  return s->names ? witness_save(&s->witness, err) : -1;
}

/* No run before this one goes on. */
static int end_runs(struct store *s, uint64_t head, struct ck_err *err) {
  char *sql =
      ck_sprintf("UPDATE runs SET last = %llu WHERE last IS NULL", (unsigned long long)head);
  int rc = db_exec(s->db, sql, err);
  free(sql);
  return rc;
}

/* A store that was killed may have left there what was forgotten. */
static int empty_wal(sqlite3 *db, struct ck_err *err) {
  int64_t any = 0;
  if (db_int(db, "SELECT EXISTS (SELECT 1 FROM forgotten)", 0, &any, err)) return -1;
  if (any && db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", err)) return -1;
  if (any) sqlite3_db_release_memory(db);
  return 0;
}

static int open_database(struct store *s, struct ck_err *err) {
  uint64_t head;
  /* SQLite's memory statistics are not used, and cost a lock at every allocation. */
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  struct ck_err lost = {{0}};
  ck_sqlite_pages_time(DB_FILE, &s->context.sync_database, &s->context.sync_wal);
  wal_mend(&lost);
  if (db_open_writer(&s->db, store_migrations, (int)ck_set_int(s->settings, CK_SET_STORE_CACHE),
                     err) ||
      moment_begin(s->db, ck_boot_id(), err) || empty_wal(s->db, err) || db_grow_wal(s->db, err) ||
      restore_rewound(s->db, lost.text, &s->restored, err) || read_identity(s, err) ||
      db_head(s->db, &head, err) || begin_run(s, head, err) || end_runs(s, head, err))
    return -1;
  if (!(s->checkpoint = checkpoint_new(s->db, CHECKPOINT_PAGES, err)) ||
      checkpoint_start(s->checkpoint, err) || !(s->system = system_new(s->db, err)) ||
      !(s->context.mirrors = mirrors_open(s->db, s->settings, head, err)))
    return -1;
  atomic_store(&s->context.head, head);
  s->reports = reports_new();
  s->apply = apply_new(s->db, s->system, s->context.mirrors, head, err);
  if (s->apply) apply_watch_schema(s->apply, store_migrations);
  return s->apply ? 0 : -1;
}

static int open_doors(struct store *s, struct ck_err *err) {
  s->feed = feed_open(s->settings, s->context.store_id, err);
  const struct intake_parts parts = {.context = &s->context,
                                     .system = s->system,
                                     .apply = s->apply,
                                     .feed = s->feed,
                                     .reports = s->reports};
  if (s->feed) s->intake = intake_open(&parts, err);
  if (s->intake) s->snapshot = snapshot_start(&s->context, s->reports, err);
  if (s->snapshot) s->work = work_start(&s->context, err);
  if (s->work) s->artifacts = artifacts_start(&s->context, err);
  if (s->artifacts) s->indexer = indexer_start(&s->context, err);
  if (s->indexer) s->packing = packing_start(s->db, &s->context.stop, err);
  return s->packing ? 0 : -1;
}

/* Whatever ends the store: if a name was lost, what it has committed is not left in a file that has
 * none. */
static void leave(struct store *s) {
  struct ck_err what = {{0}}, err = {{0}};
  char copy[96];
  if (!s->names) return;
  note_version(s);
  enum names_lost lost = names_look(s->names, &what);
  if (lost == NAMES_KEPT) return;
  int rc = names_rescue(s->names, lost, s->db, copy, &err);
  struct ck_buf text = {0};
  ck_buf_printf(&text, "%s while the store had it open, so it has ended; ", what.text);
  if (rc)
    ck_buf_printf(&text, "what it held could not be saved: %s", err.text);
  else if (copy[0])
    ck_buf_printf(&text, "all of it is in %s: put it back with `convkeep restore %s`", copy, copy);
  else
    ck_buf_text(&text, "all of it is in " DB_FILE);
  ck_daemon_failed("name_lost", ck_buf_cstr(&text));
  ck_buf_free(&text);
}

static void end(void *self) {
  struct store *s = self;
  atomic_store(&s->context.stop, true);
  context_wake(&s->context);
  artifacts_stop(&s->artifacts);
  indexer_stop(&s->indexer);
  packing_stop(&s->packing);
  work_stop(&s->work);
  snapshot_stop(&s->snapshot);
  backup_copy_close(s->context.backup_copy);
  tasks_free(&s->context.tasks);
  backup_copy_free(&s->context.backup_copy);
  intake_close(&s->intake);
  feed_close(&s->feed);
  apply_free(&s->apply);
  mirrors_free(&s->context.mirrors);
  wal_guard_free(&s->context.wal);
  reports_free(&s->reports);
  system_free(&s->system);
  checkpoint_free(&s->checkpoint);
  leave(s);
  names_free(&s->names);
  db_close(&s->db);
  for (int d = CK_DOOR_INTAKE; d <= CK_DOOR_SNAPSHOT; ++d)
    ck_door_unlink(s->settings, (enum ck_door)d);
  context_close(&s->context);
  ck_buf_free(&s->answer);
  free(s);
}

/* What a thread has freed is there for the others, too. */
static void tune_memory(void) {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 64 << 10);
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
}

static int start(void **self, const struct ck_settings *settings, struct ck_err *err) {
  struct store *s = ck_zalloc(sizeof *s);
  tune_memory();
  s->settings = s->context.settings = settings;
  s->ready_by = ck_boot_ms() + READY_MS;
  s->context.backup_copy = backup_copy_new();
  s->context.wal = wal_guard_new((unsigned)ck_set_int(settings, CK_SET_STORE_WAL_LIMIT));
  s->context.tasks = tasks_new(&s->context, &s->restored);
  int rc = context_open(&s->context, err) ||
                   restore_pending(settings, ck_daemon_lock(), &s->restored, err)
               ? -1
               : 0;
  if (rc == 0 &&
      (restore_new(settings, ck_daemon_lock(), &s->restored, err) || witness_refuse(settings, err)))
    rc = CK_STAY_DOWN;
  if (rc == 0) rc = open_database(s, err) || open_doors(s, err) ? -1 : 0;
  if (rc) {
    end(s);
    return rc;
  }
  ck_log(CK_INFO, s->context.store_id, "opened", "version=%llu run=%llu",
         (unsigned long long)atomic_load(&s->context.head), (unsigned long long)s->context.run);
  *self = s;
  return 0;
}

/* ---- the loop ---- */

/* Answers HELLO and LAST. Each may cost an fsync, so only so many between two intake turns. */
static void answer_greetings(struct store *s) {
  void *pair = snapshot_writer_end(s->snapshot);
  zmq_msg_t peer, frame;
  for (int i = 0; i < GREETINGS_A_TURN && ck_recv2(pair, &peer, &frame) == 0; ++i) {
    struct ck_message m;
    struct ck_err err;
    struct ck_str bytes = ck_frame(&frame);
    if (ck_message_decode(&m, bytes.s, bytes.n, &err) == 0) {
      ck_buf_clear(&s->answer);
      intake_answer(s->intake, &m, &s->answer);
      ck_send_to(pair, ck_frame(&peer), ck_buf_view(&s->answer));
    }
    zmq_msg_close(&peer);
    zmq_msg_close(&frame);
  }
}

static void heartbeat(struct store *s) {
  int64_t now = ck_boot_ms();
  uint64_t pauses = apply_pauses(s->apply);
  if (now < s->heartbeat_at && pauses == s->pauses) return;
  feed_heartbeat(s->feed, atomic_load(&s->context.head), pauses);
  s->pauses = pauses;
  s->heartbeat_at = now + HEARTBEAT_MS;
}

/* When nothing has changed for a while, gives back memory that busy times have filled. */
static void idle(struct store *s) {
  uint64_t head = atomic_load(&s->context.head);
  int64_t now = ck_boot_ms();
  if (head != s->idle_head) {
    s->idle_head = head;
    s->idle_at = now + IDLE_MS;
  }
  if (now < s->idle_at) return;
  s->idle_at = INT64_MAX;
  apply_idle(s->apply);
  feed_idle(s->feed);
  malloc_trim(0);
}

/* False: a name was lost; nothing is to be committed any more. */
static bool names_kept(struct store *s) {
  struct ck_err ignored;
  int64_t now = ck_boot_ms();
  if (now < s->names_at) return true;
  s->names_at = now + NAMES_MS;
  note_version(s);
  return names_look(s->names, &ignored) == NAMES_KEPT;
}

/* Are files of forgotten attachments still there? */
static bool files_left(struct store *s) {
  struct ck_err err;
  if (ck_boot_ms() < s->files_at) return s->files_at != INT64_MAX;
  s->files_at = INT64_MAX;
  if (apply_delete_files(s->apply, &err) == 0) return false;
  ck_log(CK_ERROR, "attachments", "not_deleted", "reason=%s", ck_quotedz(err.text));
  s->files_at = ck_boot_ms() + FILES_MS;
  return true;
}

/* A piece of what is forgotten goes, after a batch of changesets. */
static void forget_piece(struct store *s) {
  int retry_in;
  if (!intake_forgets(s->intake) || s->wal != WAL_GO || ck_boot_ms() < s->piece_at) return;
  intake_forget_piece(s->intake, &retry_in);
  if (retry_in >= 0) s->piece_at = ck_boot_ms() + retry_in;
}

/* What was forgotten leaves the disk. */
static void forget_on_disk(struct store *s) {
  if (intake_forgot(s->intake)) {
    checkpoint_empty(s->checkpoint);
    s->files_at = 0;
  }
  s->wal = wal_guard_turn(s->context.wal, s->checkpoint, ck_boot_ms());
  bool left = files_left(s);
  atomic_store(&s->context.forgetting, left || checkpoint_emptying(s->checkpoint));
}

/* Directly after checkpoint_turn has emptied the WAL: nothing is committed in between. A failure is
 * in the log, and the task that asked gives up. */
static void seal_pages(struct store *s) {
  struct ck_err err;
  uint64_t changed;
  bool asked = atomic_load(&s->context.sealing),
       ready = s->sealing && asked && !checkpoint_emptying(s->checkpoint);
  if (asked && !s->sealing) checkpoint_empty(s->checkpoint);
  s->sealing = asked && !ready;
  if (!ready) return;
  if (ck_sqlite_pages_accept(s->db, &changed, &err)) {
    ck_log(CK_ERROR, DB_FILE, "not_sealed", "reason=%s", ck_quotedz(err.text));
    return;
  }
  sqlite3_db_release_memory(s->db);
  ck_log(CK_WARN, DB_FILE, "sealed", "pages=%llu", (unsigned long long)changed);
  atomic_store(&s->context.sealed, changed);
  atomic_store(&s->context.sealing, false);
}

static int turn(void *self) {
  struct store *s = self;
  int retry_in = -1;
  if (!names_kept(s)) return CK_STAY_DOWN;
  feed_turn(s->feed);
  answer_greetings(s);
  if (s->wal != WAL_WAIT)
    s->more = ck_boot_ms() >= s->retry_at && intake_turn(s->intake, s->wal == WAL_HOLD, &retry_in);
  if (retry_in >= 0) s->retry_at = ck_boot_ms() + retry_in;
  forget_piece(s);
  forget_on_disk(s);
  seal_pages(s);
  s->backup_copy_next =
      backup_copy_turn(s->context.backup_copy, s->db, atomic_load(&s->context.head));
  if (s->wal != WAL_WAIT) s->packs = packing_turn(s->packing, ck_boot_ms());
  heartbeat(s);
  idle(s);
  return 0;
}

/* Waits for the readable files to be looked at once, so that `status` of a store that has just
 * started does not report them all missing; but not longer than READY_MS. */
static bool ready(void *self) {
  struct store *s = self;
  return atomic_load(&s->context.artifacts_looked) || ck_boot_ms() >= s->ready_by;
}

static void wait_for(void *self, struct ck_wait *w) {
  struct store *s = self;
  ck_wait_for(w, feed_socket(s->feed), 0, ZMQ_POLLIN);
  ck_wait_for(w, snapshot_writer_end(s->snapshot), 0, ZMQ_POLLIN);
  if (ck_boot_ms() >= s->retry_at)
    ck_wait_for(w, intake_socket(s->intake), 0, ZMQ_POLLIN);
  else
    ck_wait_until(w, s->retry_at);
  ck_wait_until(w, s->more || s->wal == WAL_WAIT || s->backup_copy_next == BACKUP_COPY_NOW
                       ? 0
                       : s->heartbeat_at);
  if (intake_forgets(s->intake) && s->wal == WAL_GO) ck_wait_until(w, s->piece_at);
  if (s->backup_copy_next == BACKUP_COPY_SOON || s->packs) ck_wait_within(w, SOON_MS);
  if (!ready(s)) ck_wait_within(w, LOOK_MS);
}

/* At once: what is still in the intake has no receipt, so its producers send it again. */
static bool stop(void *self) {
  (void)self;
  return true;
}

int main(int argc, char **argv) {
  static const struct ck_daemon store = {.name = "store",
                                         .locks_file = DB_FILE,
                                         .start = start,
                                         .wait = wait_for,
                                         .turn = turn,
                                         .ready = ready,
                                         .stop = stop,
                                         .end = end};
  return ck_daemon_main(argc, argv, &store);
}
