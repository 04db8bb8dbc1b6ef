/* The artifact thread: reads a chunk of records, writes their files, then the session index, and
 * saves the cursor from time to time. Paced, so that it slows nothing else down. */
#include "store/files/artifacts.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "store/files/artifact_folder.h"
#include "store/files/artifact_index.h"
#include "store/database/scan.h"
#include "store/files/static_path.h"

#define TABLES (1u << CK_MESSAGES | 1u << CK_EXECUTIONS | 1u << CK_SESSIONS)

/* The bounds of one read transaction. It is short, because no checkpoint gets past it, and small,
 * because its rows are copied. */
#define CHUNK_RECORDS 512
#define CHUNK_BYTES (1u << 20)
#define CHUNK_US 20000

/* Everything else on the machine goes first. Once the files have caught up, the next scan starts at
 * least PACE_MS after the last one started, and after a pause of REST times what that one took, but
 * at most PACE_MAX_MS after it. So a session's file, which shows 200 messages, is written once for
 * many of them. */
#define PACE_MS 20
#define PACE_MAX_MS 500
#define REST 4
#define REST_LOOK_MS 50 /* how often the thread checks during a pause whether the store stops */
/* While the head moves: this many messages and executions a second. When it has not moved for
 * QUIET_MS: as many as possible. */
#define BUSY_RECORDS 2400
#define QUIET_MS 100
#define INDEX_MS 200
/* How often the cursor is saved. Every commit has to wait for its syncfs, which therefore takes at
 * most one part in SAVE_SHARE of the time. */
#define SAVE_MS 10000
#define SAVE_SHARE 20
#define SAVE_AT_STOP_MS 250 /* saved at a stop if the last time took less than this */
#define STOP_MS 500         /* for files that are still to be written at a stop */
#define RETRY_MS 100
#define RETRY_MAX_MS 1000
#define SESSION_MESSAGES 200
#define NICENESS 5
#define SQL_TROUBLE (-1) /* a kind of trouble; the others are values of errno */

struct artifacts {
  struct context *context;
  pthread_t thread;
  sqlite3 *db;
  struct scan *scan;
  struct artifact_index *index;
  struct artifact_folder folder;

  uint64_t cursor; /* all records up to this version have their files … */
  uint64_t saved;  /* … and up to this one the files survive a power cut */
  bool behind;     /* the last chunk ended before the last record */
  bool index_due;
  int64_t began, scan_from, indexed_at, saved_at; /* ck_boot_ms; began: the last chunk */
  uint64_t seen;                                  /* the head when it was last looked at … */
  int64_t moved_at;                               /* … and when it was last seen to have moved */
  int64_t save_took;                              /* ms; the last save of the cursor */
  int64_t end_at;                                 /* when to give up, once a stop has been seen */
  bool unsure; /* the last save of the cursor failed: nothing is well before one succeeds */

  int trouble; /* the kind that was logged last; 0: all is well */
  int64_t retry_at, retry_ms;

  struct ck_row rows[CHUNK_RECORDS];
  uint64_t versions[CHUNK_RECORDS];
  struct artifact_message messages[SESSION_MESSAGES];
  struct ck_arena kept;  /* the chunk's text */
  struct ck_arena arena; /* one file's */
  struct ck_buf text, path;
};

static bool stopping(const struct artifacts *a) { return atomic_load(&a->context->stop); }

/* A stop leaves some time, so that a store that runs only for one import does not leave that
 * import's files to the next run. */
static bool out_of_time(struct artifacts *a) {
  if (!stopping(a)) return false;
  if (!a->end_at) a->end_at = ck_boot_ms() + STOP_MS;
  return ck_boot_ms() >= a->end_at;
}

/* ---- trouble: each kind is logged once, and retried for ever ---- */

/* id: the record, or whatever else was being written. Returns -1. */
static int trouble(struct artifacts *a, int kind, struct ck_str id, const struct ck_err *err) {
  if (kind != a->trouble) {
    char *name = ck_str_dup(id);
    ck_log(CK_ERROR, name, "artifacts_stuck", "reason=%s", ck_quotedz(err->text));
    free(name);
  }
  context_trouble(a->context, TROUBLE_FILES, err->text);
  a->trouble = kind;
  a->retry_ms = a->retry_ms ? a->retry_ms * 2 : RETRY_MS;
  if (a->retry_ms > RETRY_MAX_MS) a->retry_ms = RETRY_MAX_MS;
  a->retry_at = ck_boot_ms() + a->retry_ms;
  return -1;
}

static void all_is_well(struct artifacts *a) {
  if (a->unsure) return;
  if (a->trouble)
    ck_log(CK_INFO, "-", "artifacts_go_on", "version=%llu", (unsigned long long)a->cursor);
  if (a->trouble) context_trouble(a->context, TROUBLE_FILES, NULL);
  a->trouble = 0;
  a->retry_ms = a->retry_at = 0;
}

/* ---- the folder ---- */

static int open_folder(struct artifacts *a) {
  struct ck_err err;
  if (a->folder.fd >= 0) return 0;
  if (artifact_folder_open(&a->folder, a->context->store_id, &a->saved, &a->cursor, &err))
    return trouble(a, errno, CK_LIT(ARTIFACT_FOLDER), &err);
  atomic_store(&a->context->artifacts_cursor, a->cursor);
  a->behind = a->index_due = true; /* the last run may have ended while it wrote the index */
  return 0;
}

/* Makes all files again, from the first record. */
static int restart(struct artifacts *a) {
  struct ck_err err;
  if (artifact_folder_drop_cursor(&a->folder, &err))
    return trouble(a, errno, CK_LIT(ARTIFACT_FOLDER), &err);
  a->cursor = a->saved = 0;
  a->behind = a->index_due = true;
  atomic_store(&a->context->artifacts_cursor, 0);
  return 0;
}

/* A person may ask for all files again (`convkeep rebuild artifacts`). */
static int restart_if_asked(struct artifacts *a) {
  if (!atomic_load(&a->context->artifacts_again)) return 0;
  if (restart(a)) return -1;
  atomic_store(&a->context->artifacts_again, false);
  return 0;
}

/* Somebody may have deleted the folder. */
static int check_folder(struct artifacts *a) {
  if (artifact_folder_same(&a->folder)) return 0;
  ck_log(CK_WARN, ARTIFACT_FOLDER, "artifacts_gone", "version=%llu", (unsigned long long)a->cursor);
  artifact_folder_close(&a->folder);
  return open_folder(a) || restart(a) ? -1 : 0;
}

/* If the write failed because the folder is gone, that is no trouble: the next turn notices it. */
static int put_failed(struct artifacts *a, struct ck_str id, const struct ck_err *err) {
  int kind = errno;
  a->behind = true;
  if (kind == ENOENT && !artifact_folder_same(&a->folder)) return -1;
  return trouble(a, kind, id, err);
}

/* ---- one record's files ---- */

/* A buffer grows with the largest record; frees what only a rare large one needed. */
static void trim(struct ck_buf *b) {
  if (b->cap > CHUNK_BYTES) ck_buf_free(b);
  ck_buf_clear(b);
}

static int put_file(struct artifacts *a, const struct ck_row *row, const char *ending,
                    struct ck_err *err) {
  struct ck_str path = ck_row_text(row, ck_tables[row->table].path);
  struct ck_buf own = {0};
  if (!static_path_ok(row->table, path,
                      ck_row_key(row))) { /* this program did not write that row */
    static_path_make(&own, row->table, row);
    path = ck_buf_view(&own);
  }
  ck_buf_clear(&a->path);
  static_path_file(&a->path, path, ending);
  int rc = artifact_folder_put(&a->folder, ck_buf_cstr(&a->path), ck_buf_view(&a->text), err);
  int why = errno;
  ck_buf_free(&own);
  errno = why;
  return rc;
}

static int put_record(struct artifacts *a, const struct ck_row *row) {
  struct ck_err err;
  int count = 0;
  ck_arena_reset(&a->arena);
  if (row->table == CK_SESSIONS)
    count = artifact_index_messages(a->index, row, a->messages, SESSION_MESSAGES, &a->arena, &err);
  if (count < 0) return trouble(a, SQL_TROUBLE, ck_row_key(row), &err);
  ck_buf_clear(&a->text);
  artifact_text(&a->text, row, a->messages, count, SESSION_MESSAGES);
  if (put_file(a, row, ".txt", &err)) return put_failed(a, ck_row_key(row), &err);
  ck_buf_clear(&a->text);
  artifact_json(&a->text, row);
  if (put_file(a, row, ".json", &err)) return put_failed(a, ck_row_key(row), &err);
  trim(&a->text);
  return 0;
}

/* ---- a chunk of records ---- */

static size_t bytes_of(const struct ck_row *row) {
  size_t n = 0;
  for (int c = 0; c < ck_tables[row->table].columns; c++)
    n += row->v[c].state == CK_TEXT ? row->v[c].as.s.n : 0;
  return n;
}

/* Reads rows up to a chunk's bounds; sets `behind` if there are more. Returns how many, or -1. */
static int read_rows(struct artifacts *a, struct ck_err *err) {
  int64_t began = ck_mono_us();
  size_t bytes = 0;
  int rc = 1, count = 0;
  a->behind = true;
  while (count < CHUNK_RECORDS && bytes < CHUNK_BYTES &&
         (count == 0 || ck_mono_us() - began < CHUNK_US)) {
    struct ck_row row = {0};
    rc = scan_next(a->scan, &a->versions[count], &row, err);
    if (rc <= 0) break;
    artifact_row_copy(&a->rows[count++], &row, &a->kept);
    bytes += bytes_of(&row);
  }
  if (rc == 0) a->behind = false;
  return rc < 0 ? -1 : count;
}

/* Reads the next rows. *upto: the cursor, once they have their files. Returns how many, or -1. */
static int read_chunk(struct artifacts *a, uint64_t *upto) {
  struct ck_err err;
  uint64_t durable = atomic_load(&a->context->head), head;
  ck_arena_reset(&a->kept);
  if (scan_begin(a->scan, a->cursor, TABLES, &head, &err))
    return trouble(a, SQL_TROUBLE, CK_LIT(DB_FILE), &err);
  int count = read_rows(a, &err);
  scan_end(a->scan);
  if (count < 0) return trouble(a, SQL_TROUBLE, CK_LIT(DB_FILE), &err);
  *upto = head > durable ? head : durable;
  if (a->behind) *upto = count ? a->versions[count - 1] : a->cursor;
  return count;
}

/* Makes the files of the chunk's rows. Returns how many have theirs, or -1. */
static int put_rows(struct artifacts *a, int count) {
  for (int i = 0; i < count; i++) {
    if (out_of_time(a)) return a->behind = true, -1;
    if (i && pace_enough(&a->context->pace, a->began, ck_boot_ms())) return a->behind = true, i;
    if (put_record(a, &a->rows[i])) return -1;
    a->cursor = a->versions[i];
    if (a->rows[i].table != CK_EXECUTIONS) a->index_due = true;
  }
  return count;
}

/* Sets when the next chunk may start, after one of `count` records. */
static void rest(struct artifacts *a, int count) {
  int64_t took = (ck_boot_ms() - a->began) * (REST + 1);
  int paced = 0;
  for (int i = 0; i < count; i++) paced += a->rows[i].table != CK_SESSIONS;
  if (a->behind) took = (int64_t)paced * 1000 / BUSY_RECORDS;
  if (!a->behind && took < PACE_MS) took = PACE_MS;
  a->scan_from = a->began + (took > PACE_MAX_MS ? PACE_MAX_MS : took);
}

static int make_chunk(struct artifacts *a) {
  uint64_t upto;
  a->began = ck_boot_ms();
  if (check_folder(a)) return -1;
  int count = read_chunk(a, &upto);
  if (count < 0) return -1;
  if (upto < a->cursor) { /* somebody has put back an older copy of the same database */
    ck_log(CK_WARN, ARTIFACT_FOLDER, "artifacts_ahead", "cursor=%llu head=%llu",
           (unsigned long long)a->cursor, (unsigned long long)upto);
    return restart(a);
  }
  int made = put_rows(a, count);
  if (made < 0) return -1;
  if (made == count) a->cursor = upto;
  rest(a, made);
  if (!a->behind) ck_arena_free(&a->kept);
  return 0;
}

/* ---- the session index, and the cursor ---- */

static int put_index_file(struct artifacts *a, const char *path) {
  struct ck_err err;
  return artifact_folder_put(&a->folder, path, ck_buf_view(&a->text), &err)
             ? put_failed(a, ck_str_of(path), &err)
             : 0;
}

static int put_index(struct artifacts *a) {
  struct ck_err err;
  struct artifact_session sessions[LATEST_SESSIONS];
  ck_arena_reset(&a->arena);
  int count = artifact_index_latest(a->index, sessions, &a->arena, &err);
  if (count < 0) return trouble(a, SQL_TROUBLE, CK_LIT(ARTIFACT_INDEX_TEXT), &err);
  ck_buf_clear(&a->text);
  artifact_latest_json(&a->text, sessions, count);
  if (put_index_file(a, ARTIFACT_INDEX_JSON)) return -1;
  ck_buf_clear(&a->text);
  artifact_latest_text(&a->text, sessions, count);
  if (put_index_file(a, ARTIFACT_INDEX_TEXT)) return -1;
  a->indexed_at = ck_boot_ms(); /* only now, so that a retry after a failure is due at once */
  a->folder.indexed = true;
  a->index_due = false;
  return 0;
}

static int save_cursor(struct artifacts *a) {
  struct ck_err err;
  int64_t began = ck_boot_ms();
  int rc = artifact_folder_save_cursor(&a->folder, a->context->store_id, a->cursor, &err);
  int kind = errno;
  a->saved_at = ck_boot_ms();
  a->save_took = a->saved_at - began;
  a->unsure = rc != 0;
  if (rc) {
    /* The kernel reports a failed write once, and not of which file: write all files since the last
     * saved cursor again. */
    a->cursor = a->saved;
    errno = kind;
    return put_failed(a, CK_LIT(".cursor"), &err);
  }
  a->saved = a->cursor;
  return 0;
}

/* ---- the loop ---- */

static int64_t index_at(const struct artifacts *a) { return a->indexed_at + INDEX_MS; }

static int64_t save_at(const struct artifacts *a) {
  int64_t pause = a->save_took * SAVE_SHARE;
  return a->saved_at + (pause > SAVE_MS ? pause : SAVE_MS);
}

static void look_at_head(struct artifacts *a) {
  uint64_t head = atomic_load(&a->context->head);
  if (head != a->seen) a->moved_at = ck_boot_ms();
  a->seen = head;
}

static int64_t earlier(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t later(int64_t x, int64_t y) { return x > y ? x : y; }

static int64_t scan_at(const struct artifacts *a) {
  bool due = a->behind || atomic_load(&a->context->head) > a->cursor;
  int64_t at = a->behind ? earlier(a->scan_from, a->moved_at + QUIET_MS) : a->scan_from;
  return due ? later(at, pace_next(&a->context->pace, a->began)) : INT64_MAX;
}

/* When there is something to do next; INT64_MAX: nothing. */
static int64_t next_at(const struct artifacts *a) {
  int64_t at = scan_at(a);
  if (a->index_due && index_at(a) < at) at = index_at(a);
  if (a->cursor != a->saved && save_at(a) < at) at = save_at(a);
  return at < a->retry_at ? a->retry_at : at;
}

/* Does what is due. */
static int turn(struct artifacts *a) {
  look_at_head(a);
  if (ck_boot_ms() < a->retry_at) return 0;
  if (open_folder(a) || restart_if_asked(a)) return -1;
  if (scan_at(a) <= ck_boot_ms() && make_chunk(a)) return -1;
  if (a->index_due && index_at(a) <= ck_boot_ms() && put_index(a)) return -1;
  if (a->cursor != a->saved && a->folder.indexed && save_at(a) <= ck_boot_ms() && save_cursor(a))
    return -1;
  if (!a->index_due) atomic_store(&a->context->artifacts_cursor, a->cursor);
  all_is_well(a);
  return 0;
}

/* While a scan waits for its time, commits do not wake the thread: there may be a thousand a
 * second. */
static void wait_for_work(struct artifacts *a) {
  int64_t at = next_at(a), now = ck_boot_ms();
  if (at <= now) return;
  bool resting = scan_at(a) != INT64_MAX;
  int64_t most = resting ? REST_LOOK_MS : RETRY_MAX_MS;
  int ms = at == INT64_MAX ? -1 : at - now > most ? (int)most : (int)(at - now);
  struct pollfd wake = {.fd = a->context->wake[WAKE_ARTIFACTS], .events = POLLIN};
  poll(&wake, resting ? 0 : 1, ms);
}

/* Completes the files as far as the time and the disk allow; the next run makes the rest. */
static void finish(struct artifacts *a) {
  if (a->trouble || open_folder(a)) return;
  while (scan_at(a) != INT64_MAX && !out_of_time(a))
    if (make_chunk(a)) break;
  if (a->trouble || !artifact_folder_same(&a->folder)) return;
  if (a->index_due && put_index(a)) return;
  atomic_store(&a->context->artifacts_cursor, a->cursor);
  if (a->cursor != a->saved && a->save_took < SAVE_AT_STOP_MS) save_cursor(a);
  if (a->cursor == a->saved || a->unsure) return;
  struct ck_err err;
  if (artifact_folder_note_written(&a->folder, a->context->store_id, a->saved, a->cursor, &err))
    ck_log(CK_WARN, ARTIFACT_FOLDER, "cursor_not_noted", "reason=%s", ck_quotedz(err.text));
}

static void *run(void *arg) {
  struct artifacts *a = arg;
  pthread_setname_np(pthread_self(), "artifacts");
  /* On Linux this applies to this thread only. Commits go first, in processor time too. */
  setpriority(PRIO_PROCESS, 0, NICENESS);
  while (!stopping(a)) {
    context_woken(a->context, WAKE_ARTIFACTS);
    turn(a);
    atomic_store(&a->context->artifacts_looked, true);
    if (!stopping(a)) wait_for_work(a);
  }
  finish(a);
  return NULL;
}

/* ---- start and stop ---- */

static void release(struct artifacts *a) {
  artifact_folder_close(&a->folder);
  artifact_index_free(&a->index);
  scan_free(&a->scan);
  db_close(&a->db);
  ck_arena_free(&a->kept);
  ck_arena_free(&a->arena);
  ck_buf_free(&a->text);
  ck_buf_free(&a->path);
  free(a);
}

/* With all signals blocked: the main thread handles them. */
static int start_thread(struct artifacts *a, struct ck_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int rc = pthread_create(&a->thread, NULL, run, a);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rc ? ck_fail(err, "artifacts: no thread: %s", strerror(rc)) : 0;
}

struct artifacts *artifacts_start(struct context *context, struct ck_err *err) {
  struct artifacts *a = ck_zalloc(sizeof *a);
  a->context = context;
  a->folder.fd = -1;
  a->save_took = SAVE_AT_STOP_MS; /* not known yet: no save at a stop */
  if (db_open_reader(&a->db, err) == 0 && (a->scan = scan_new(a->db, err)) &&
      (a->index = artifact_index_new(a->db, err)) && start_thread(a, err) == 0)
    return a;
  release(a);
  return NULL;
}

void artifacts_stop(struct artifacts **a) {
  if (!*a) return;
  pthread_join((*a)->thread, NULL);
  release(*a);
  *a = NULL;
}
