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
#include "store/read/scan.h"
#include "store/files/static_path.h"

#define TABLES (1u << CK_MESSAGES | 1u << CK_EXECUTIONS | 1u << CK_SESSIONS)

/* One read transaction: short, because no checkpoint gets past it, and small, because its rows are
 * copied. */
#define CHUNK_RECORDS 512
#define CHUNK_BYTES (1u << 20)
#define CHUNK_US 20000

/* What else the machine does goes before. Having caught up, the next scan waits until this long
 * after the last, and REST times what that one took: a session's file, which shows 200 messages, is
 * then written once for many of them. */
#define PACE_MS 20
#define PACE_MAX_MS 500
#define REST 4
#define REST_LOOK_MS 50 /* meanwhile it looks so often whether the store ends */
/* While the head moves, so many messages and executions a second; in quiet moments as many as can
 * be. */
#define BUSY_RECORDS 2400
#define QUIET_MS 100
#define INDEX_MS 200
#define MARK_MS 10000
#define MARK_SHARE \
  20 /* syncfs, which every commit has to wait for, takes at most one part in this many of the \
        time */
#define MARK_AT_STOP_MS 250 /* a stop waits for a disk that was faster than this */
#define STOP_MS 500         /* for what is still to be written when a stop comes */
#define RETRY_MS 100
#define RETRY_MAX_MS 5000
#define SESSION_MESSAGES 200
#define NICENESS 5
#define SQL_TROUBLE (-1) /* beside errno, the kinds of trouble */

struct artifacts {
  struct context *context;
  pthread_t thread;
  sqlite3 *db;
  struct scan *scan;
  struct artifact_index *index;
  struct artifact_folder folder;

  uint64_t cursor; /* files stand for all up to here */
  uint64_t marked; /* … and outlive a power cut up to here */
  bool behind;     /* the last chunk ended before the last record */
  bool index_due;
  int64_t scan_from, indexed_at, marked_at; /* ck_boot_ms */
  uint64_t seen;                            /* the head, … */
  int64_t moved_at;                         /* … and when it was seen to have moved */
  int64_t mark_took;
  int64_t end_at; /* once a stop has been seen */
  bool unsure;    /* the last mark failed: only the next one says that all is well again */

  int trouble; /* the kind that was logged last, 0 when all is well */
  int64_t retry_at, retry_ms;

  struct ck_row rows[CHUNK_RECORDS];
  uint64_t versions[CHUNK_RECORDS];
  struct ck_row messages[SESSION_MESSAGES];
  struct ck_arena kept;  /* the chunk's text */
  struct ck_arena arena; /* one file's */
  struct ck_buf text, path;
};

static bool stopping(const struct artifacts *a) { return atomic_load(&a->context->stop); }

/* A stop leaves some time, so that a store that runs for one import only does not leave its files
 * to the next one. */
static bool out_of_time(struct artifacts *a) {
  if (!stopping(a)) return false;
  if (!a->end_at) a->end_at = ck_boot_ms() + STOP_MS;
  return ck_boot_ms() >= a->end_at;
}

/* ---- trouble: said once a kind, tried again for ever ---- */

/* id: the record, or what else was under way. Returns -1. */
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

static void well(struct artifacts *a) {
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
  if (artifact_folder_open(&a->folder, a->context->store_id, &a->cursor, &err))
    return trouble(a, errno, CK_LIT(ARTIFACT_FOLDER), &err);
  a->marked = a->cursor;
  atomic_store(&a->context->artifacts_cursor, a->cursor);
  a->behind = a->index_due = true; /* the index was perhaps being written when the last run ended */
  return 0;
}

/* Everything again, from the first record. */
static int from_the_start(struct artifacts *a) {
  struct ck_err err;
  if (artifact_folder_drop_cursor(&a->folder, &err))
    return trouble(a, errno, CK_LIT(ARTIFACT_FOLDER), &err);
  a->cursor = a->marked = 0;
  a->behind = a->index_due = true;
  atomic_store(&a->context->artifacts_cursor, 0);
  return 0;
}

/* Somebody asked for it. */
static int again(struct artifacts *a) {
  if (!atomic_load(&a->context->artifacts_again)) return 0;
  if (from_the_start(a)) return -1;
  atomic_store(&a->context->artifacts_again, false);
  return 0;
}

/* Somebody may have deleted it. */
static int check_folder(struct artifacts *a) {
  if (artifact_folder_same(&a->folder)) return 0;
  ck_log(CK_WARN, ARTIFACT_FOLDER, "artifacts_gone", "version=%llu", (unsigned long long)a->cursor);
  artifact_folder_close(&a->folder);
  return open_folder(a) || from_the_start(a) ? -1 : 0;
}

/* A write that failed because the folder went away under it is no trouble: the next turn sees that
 * it is gone. */
static int put_failed(struct artifacts *a, struct ck_str id, const struct ck_err *err) {
  int kind = errno;
  a->behind = true;
  if (kind == ENOENT && !artifact_folder_same(&a->folder)) return -1;
  return trouble(a, kind, id, err);
}

/* ---- one record's files ---- */

/* The buffers grow with the largest record; what a rare one needed is given back. */
static void trim(struct ck_buf *b) {
  if (b->cap > CHUNK_BYTES) ck_buf_free(b);
  ck_buf_clear(b);
}

static int put_beside(struct artifacts *a, const struct ck_row *row, const char *ending,
                      struct ck_err *err) {
  struct ck_str path = ck_row_text(row, ck_tables[row->table].path);
  struct ck_buf own = {0};
  if (!static_path_ok(row->table, path)) { /* a row that this program did not write */
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
  if (put_beside(a, row, ".txt", &err)) return put_failed(a, ck_row_key(row), &err);
  ck_buf_clear(&a->text);
  artifact_json(&a->text, row);
  if (put_beside(a, row, ".json", &err)) return put_failed(a, ck_row_key(row), &err);
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

/* Reads up to a chunk's bounds. The count, or -1. behind: there is more. */
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
    artifact_row_keep(&a->rows[count++], &row, &a->kept);
    bytes += bytes_of(&row);
  }
  if (rc == 0) a->behind = false;
  return rc < 0 ? -1 : count;
}

/* Reads the next rows. *upto: where the cursor stands once they have their files. The count, or -1.
 */
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

static int put_rows(struct artifacts *a, int count) {
  for (int i = 0; i < count; i++) {
    if (out_of_time(a)) return a->behind = true, -1;
    if (put_record(a, &a->rows[i])) return -1;
    a->cursor = a->versions[i];
    if (a->rows[i].table != CK_EXECUTIONS) a->index_due = true;
  }
  return 0;
}

/* When the next chunk's turn is: of how many records was this one? */
static void pace(struct artifacts *a, int64_t began, int count) {
  int64_t now = ck_boot_ms(), took = (now - began) * (REST + 1);
  int paced = 0;
  for (int i = 0; i < count; i++) paced += a->rows[i].table != CK_SESSIONS;
  if (a->behind) took = (int64_t)paced * 1000 / BUSY_RECORDS;
  if (!a->behind && took < PACE_MS) took = PACE_MS;
  a->scan_from = began + (took > PACE_MAX_MS ? PACE_MAX_MS : took);
}

static int chunk(struct artifacts *a) {
  uint64_t upto;
  int64_t began = ck_boot_ms();
  if (check_folder(a)) return -1;
  int count = read_chunk(a, &upto);
  if (count < 0) return -1;
  if (upto < a->cursor) { /* an older copy of the database, put back with its id */
    ck_log(CK_WARN, ARTIFACT_FOLDER, "artifacts_ahead", "cursor=%llu head=%llu",
           (unsigned long long)a->cursor, (unsigned long long)upto);
    return from_the_start(a);
  }
  if (put_rows(a, count)) return -1;
  a->cursor = upto;
  pace(a, began, count);
  if (!a->behind) ck_arena_free(&a->kept);
  return 0;
}

/* ---- the session index, and the mark ---- */

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
  a->indexed_at = ck_boot_ms(); /* not before: what failed is due at once when it is tried again */
  a->folder.indexed = true;
  a->index_due = false;
  return 0;
}

static int mark(struct artifacts *a) {
  struct ck_err err;
  int64_t began = ck_boot_ms();
  int rc = artifact_folder_save_cursor(&a->folder, a->context->store_id, a->cursor, &err);
  int kind = errno;
  a->marked_at = ck_boot_ms();
  a->mark_took = a->marked_at - began;
  a->unsure = rc != 0;
  if (rc) { /* the kernel says once that it could not write, and not what: all since the last mark
               again */
    a->cursor = a->marked;
    errno = kind;
    return put_failed(a, CK_LIT(".cursor"), &err);
  }
  a->marked = a->cursor;
  return 0;
}

/* ---- the loop ---- */

static int64_t index_at(const struct artifacts *a) { return a->indexed_at + INDEX_MS; }

static int64_t mark_at(const struct artifacts *a) {
  int64_t pause = a->mark_took * MARK_SHARE;
  return a->marked_at + (pause > MARK_MS ? pause : MARK_MS);
}

static void look_at_head(struct artifacts *a) {
  uint64_t head = atomic_load(&a->context->head);
  if (head != a->seen) a->moved_at = ck_boot_ms();
  a->seen = head;
}

static int64_t scan_at(const struct artifacts *a) {
  int64_t quiet_from = a->moved_at + QUIET_MS;
  if (a->behind) return a->scan_from < quiet_from ? a->scan_from : quiet_from;
  return atomic_load(&a->context->head) > a->cursor ? a->scan_from : INT64_MAX;
}

/* The time at which there is something to do, INT64_MAX for none. */
static int64_t next_at(const struct artifacts *a) {
  int64_t at = scan_at(a);
  if (a->index_due && index_at(a) < at) at = index_at(a);
  if (a->cursor != a->marked && mark_at(a) < at) at = mark_at(a);
  return at < a->retry_at ? a->retry_at : at;
}

/* Does what is due. */
static int turn(struct artifacts *a) {
  look_at_head(a);
  if (ck_boot_ms() < a->retry_at) return 0;
  if (open_folder(a) || again(a)) return -1;
  if (scan_at(a) <= ck_boot_ms() && chunk(a)) return -1;
  if (a->index_due && index_at(a) <= ck_boot_ms() && put_index(a)) return -1;
  if (a->cursor != a->marked && a->folder.indexed && mark_at(a) <= ck_boot_ms() && mark(a))
    return -1;
  if (!a->index_due) atomic_store(&a->context->artifacts_cursor, a->cursor);
  well(a);
  return 0;
}

/* While a scan waits for its turn, a commit is no news: a thousand of them a second are no reason
 * to wake up as often. */
static void wait_for_work(struct artifacts *a) {
  int64_t at = next_at(a), now = ck_boot_ms();
  if (at <= now) return;
  bool resting = scan_at(a) != INT64_MAX;
  int64_t most = resting ? REST_LOOK_MS : RETRY_MAX_MS;
  int ms = at == INT64_MAX ? -1 : at - now > most ? (int)most : (int)(at - now);
  struct pollfd wake = {.fd = a->context->wake[WAKE_ARTIFACTS], .events = POLLIN};
  poll(&wake, resting ? 0 : 1, ms);
}

/* Leaves the folder as whole as the time and the disk allow; what is missing the next run makes. */
static void finish(struct artifacts *a) {
  if (a->trouble || open_folder(a)) return;
  while (scan_at(a) != INT64_MAX && !out_of_time(a))
    if (chunk(a)) break;
  if (a->trouble || !artifact_folder_same(&a->folder)) return;
  if (a->index_due && put_index(a)) return;
  atomic_store(&a->context->artifacts_cursor, a->cursor);
  if (a->cursor != a->marked && a->mark_took < MARK_AT_STOP_MS) mark(a);
}

static void *run(void *arg) {
  struct artifacts *a = arg;
  pthread_setname_np(pthread_self(), "artifacts");
  setpriority(PRIO_PROCESS, 0,
              NICENESS); /* Linux: this thread's own. Behind the commit, in processor time too. */
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

/* Signals are the main thread's. */
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
  a->mark_took = MARK_AT_STOP_MS; /* not known yet */
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
