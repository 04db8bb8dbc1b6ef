/* The artifact thread: reads a chunk of records, gives them to the form that writes their files
 * (artifact_form.h), and saves the cursor from time to time. Paced, so that it slows nothing else
 * down. */
#include "store/files/artifacts.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "store/files/artifact_form.h"
#include "store/files/names.h"

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
/* While the head moves, only so many messages and executions a second are taken as the form says.
 * When it has not moved for QUIET_MS: as many as possible. */
#define QUIET_MS 100
/* How often the cursor is saved. Every commit has to wait for its syncfs, which therefore takes at
 * most one part in SAVE_SHARE of the time. */
#define SAVE_MS 10000
#define SAVE_SHARE 20
#define SAVE_AT_STOP_MS 250 /* saved at a stop if the last time took less than this */
#define STOP_MS 500         /* for files that are still to be written at a stop */
#define RETRY_MS 100
#define RETRY_MAX_MS 1000
#define NICENESS 5

struct artifact_thread {
  pthread_t thread;
  struct scan *scan;

  uint64_t read;                      /* the form has all records up to this version … */
  uint64_t cursor;                    /* … and up to this one they have their files … */
  uint64_t saved;                     /* … and up to this one the files survive a power cut */
  bool behind;                        /* the last chunk ended before the last record */
  int64_t began, scan_from, saved_at; /* ck_boot_ms; began: the last chunk */
  uint64_t seen;                      /* the head when it was last looked at … */
  int64_t moved_at;                   /* … and when it was last seen to have moved */
  int64_t save_took;                  /* ms; the last save of the cursor */
  int64_t end_at;                     /* when to give up, once a stop has been seen */
  bool unsure; /* the last save of the cursor failed: nothing is well before one succeeds */

  int trouble; /* the kind that was logged last; 0: all is well */
  int64_t retry_at, retry_ms;

  struct ck_row rows[CHUNK_RECORDS];
  uint64_t versions[CHUNK_RECORDS];
  struct ck_arena kept; /* the chunk's text */
};

static bool stopping(const struct artifacts *a) { return atomic_load(&a->context->stop); }

/* A stop leaves some time, so that a store that runs only for one import does not leave that
 * import's files to the next run. */
bool artifacts_out_of_time(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  if (!stopping(a)) return false;
  if (!t->end_at) t->end_at = ck_boot_ms() + STOP_MS;
  return ck_boot_ms() >= t->end_at;
}

/* ---- trouble: each kind is logged once, and retried for ever ---- */

int artifacts_trouble(struct artifacts *a, int kind, struct ck_str id, const struct ck_err *err) {
  struct artifact_thread *t = a->own;
  if (kind != t->trouble) {
    char *name = ck_str_dup(id);
    ck_log(CK_ERROR, name, "artifacts_stuck", "reason=%s", ck_quotedz(err->text));
    free(name);
  }
  context_trouble(a->context, TROUBLE_FILES, err->text);
  t->trouble = kind;
  t->retry_ms = t->retry_ms ? t->retry_ms * 2 : RETRY_MS;
  if (t->retry_ms > RETRY_MAX_MS) t->retry_ms = RETRY_MAX_MS;
  t->retry_at = ck_boot_ms() + t->retry_ms;
  return -1;
}

int artifacts_put_failed(struct artifacts *a, struct ck_str id, const struct ck_err *err) {
  int kind = errno;
  a->own->behind = true;
  if (kind == ENOENT && !artifact_folder_same(&a->folder)) return -1;
  return artifacts_trouble(a, kind, id, err);
}

static void all_is_well(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  if (t->unsure) return;
  if (t->trouble)
    ck_log(CK_INFO, "-", "artifacts_go_on", "version=%llu", (unsigned long long)t->cursor);
  if (t->trouble) context_trouble(a->context, TROUBLE_FILES, NULL);
  t->trouble = 0;
  t->retry_ms = t->retry_at = 0;
}

/* ---- the folder ---- */

const struct artifact_form *artifact_form_of(const struct ck_settings *settings) {
  static const struct artifact_form *const forms[] = {&artifact_records, &artifact_conversations,
                                                      &artifact_none};
  const char *name = ck_set_text(settings, CK_SET_ARTIFACTS_FORM);
  size_t i = 0;
  while (i < sizeof forms / sizeof *forms - 1 && strcmp(forms[i]->name, name) != 0) ++i;
  return forms[i];
}

static void close_folder(struct artifacts *a) {
  if (a->form->close) a->form->close(a);
  artifact_folder_close(&a->folder);
}

/* From the first record. */
static int begin_again(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  struct ck_err err;
  if (artifact_folder_drop_cursor(&a->folder, &err))
    return artifacts_trouble(a, errno, CK_LIT(ARTIFACT_FOLDER), &err);
  t->read = t->cursor = t->saved = 0;
  t->behind = true;
  atomic_store(&a->context->artifacts_cursor, 0);
  return artifact_others_begin(a);
}

/* What fails here is tried again when the folder is opened. */
static int restart_form(struct artifacts *a) {
  a->version = a->own->read + 1;
  int fresh = a->form->restart ? a->form->restart(a) : 0;
  if (fresh < 0) return close_folder(a), -1;
  return fresh ? begin_again(a) : 0;
}

/* Makes all files again. */
static int restart(struct artifacts *a) { return begin_again(a) || restart_form(a) ? -1 : 0; }

static int open_form(struct artifacts *a) {
  a->version = a->own->read + 1;
  int fresh = a->form->open ? a->form->open(a) : 0;
  if (fresh < 0 || artifact_others_begin(a)) return -1;
  return fresh ? begin_again(a) : 0;
}

static int open_folder(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  struct ck_err err;
  if (a->folder.fd >= 0) return 0;
  if (artifact_folder_open(&a->folder, a->context->store_id, a->form->name, a->form->mark,
                           &t->saved, &t->cursor, &err))
    return artifacts_trouble(a, errno, CK_LIT(ARTIFACT_FOLDER), &err);
  t->read = t->cursor;
  t->behind = true;
  if (open_form(a)) return close_folder(a), -1;
  atomic_store(&a->context->artifacts_cursor, t->cursor);
  return 0;
}

/* A person may ask for all files again (`convkeep rebuild artifacts`). */
static int restart_if_asked(struct artifacts *a) {
  if (!atomic_load(&a->context->artifacts_again)) return 0;
  if (restart(a)) return -1;
  atomic_store(&a->context->artifacts_again, false);
  return 0;
}

/* Files have names of which nothing is known, or records are in files that do not know of it:
 * everything since the saved cursor is read again. */
static int restart_if_lost(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  if (!a->names_lost) return 0;
  t->read = t->cursor = t->saved;
  t->behind = true;
  if (restart_form(a)) return -1;
  a->names_lost = false;
  return 0;
}

/* Somebody may have deleted the folder. */
static int check_folder(struct artifacts *a) {
  if (artifact_folder_same(&a->folder)) return 0;
  ck_log(CK_WARN, ARTIFACT_FOLDER, "artifacts_gone", "version=%llu",
         (unsigned long long)a->own->cursor);
  close_folder(a);
  return open_folder(a) || restart(a) ? -1 : 0;
}

/* ---- a chunk of records ---- */

static size_t bytes_of(const struct ck_row *row) {
  size_t n = 0;
  for (int c = 0; c < ck_tables[row->table].columns; c++)
    n += row->v[c].state == CK_TEXT ? row->v[c].as.s.n : 0;
  return n;
}

/* Reads rows up to a chunk's bounds; sets `behind` if there are more. Returns how many, or -1. */
static int read_rows(struct artifact_thread *t, struct ck_err *err) {
  int64_t began = ck_mono_us();
  size_t bytes = 0;
  int rc = 1, count = 0;
  t->behind = true;
  while (count < CHUNK_RECORDS && bytes < CHUNK_BYTES &&
         (count == 0 || ck_mono_us() - began < CHUNK_US)) {
    struct ck_row row = {0};
    rc = scan_next(t->scan, &t->versions[count], &row, err);
    if (rc <= 0) break;
    artifact_row_copy(&t->rows[count++], &row, &t->kept);
    bytes += bytes_of(&row);
  }
  if (rc == 0) t->behind = false;
  return rc < 0 ? -1 : count;
}

/* Reads the next rows. *upto: the version that is read, once they are taken. Returns how many, or
 * -1. */
static int read_chunk(struct artifacts *a, uint64_t *upto) {
  struct artifact_thread *t = a->own;
  struct ck_err err;
  uint64_t durable = atomic_load(&a->context->head), head;
  ck_arena_reset(&t->kept);
  if (!a->form->take && !a->others) return t->behind = false, *upto = durable, 0;
  if (scan_begin(t->scan, t->read, a->form->tables, &head, &err))
    return artifacts_trouble(a, SQL_TROUBLE, CK_LIT(DB_FILE), &err);
  int count = read_rows(t, &err);
  scan_end(t->scan);
  if (count < 0) return artifacts_trouble(a, SQL_TROUBLE, CK_LIT(DB_FILE), &err);
  *upto = head > durable ? head : durable;
  if (t->behind) *upto = count ? t->versions[count - 1] : t->read;
  return count;
}

/* Gives the chunk's rows to the form. Returns how many it has taken, or -1. */
static int take_rows(struct artifacts *a, int count) {
  struct artifact_thread *t = a->own;
  for (int i = 0; i < count; i++) {
    if (artifacts_out_of_time(a)) return t->behind = true, -1;
    bool enough = i && (pace_enough(&a->context->pace, t->began, ck_boot_ms()) ||
                        (a->form->has_room && !a->form->has_room(a)));
    if (enough) return t->behind = true, i;
    a->version = t->versions[i];
    if (t->rows[i].table == CK_FORGOTTEN) a->forgot = a->version;
    if (artifact_others_take(a, &t->rows[i])) return -1;
    if (a->form->take && a->form->take(a, &t->rows[i])) return -1;
    t->read = t->versions[i];
  }
  return count;
}

/* Sets when the next chunk may start, after one of `count` records. */
static void rest(struct artifacts *a, int count) {
  struct artifact_thread *t = a->own;
  int64_t took = (ck_boot_ms() - t->began) * (REST + 1);
  int paced = 0;
  for (int i = 0; i < count; i++) paced += t->rows[i].table != CK_SESSIONS;
  if (t->behind) took = (int64_t)paced * 1000 / a->form->a_second;
  if (!t->behind && took < PACE_MS) took = PACE_MS;
  t->scan_from = t->began + (took > PACE_MAX_MS ? PACE_MAX_MS : took);
}

static int make_chunk(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  uint64_t upto;
  t->began = ck_boot_ms();
  if (check_folder(a)) return -1;
  int count = read_chunk(a, &upto);
  if (count < 0) return -1;
  if (upto < t->read) { /* somebody has put back an older copy of the same database */
    ck_log(CK_WARN, ARTIFACT_FOLDER, "artifacts_ahead", "cursor=%llu head=%llu",
           (unsigned long long)t->read, (unsigned long long)upto);
    return restart(a);
  }
  int taken = take_rows(a, count);
  if (taken < 0) return -1;
  if (taken == count) t->read = upto;
  rest(a, taken);
  if (t->behind) return 0;
  ck_arena_free(&t->kept);
  return artifact_others_end(a);
}

/* ---- the cursor ---- */

static int save_cursor(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  struct ck_err err;
  int64_t began = ck_boot_ms();
  int rc = artifact_folder_save_cursor(&a->folder, a->context->store_id, t->cursor, &err);
  int kind = errno;
  t->saved_at = ck_boot_ms();
  t->save_took = t->saved_at - began;
  t->unsure = rc != 0;
  if (rc) {
    /* The kernel reports a failed write once, and not of which file: write all files since the last
     * saved cursor again. */
    t->read = t->cursor = t->saved;
    if (restart_form(a)) return -1;
    errno = kind;
    return artifacts_put_failed(a, CK_LIT(".cursor"), &err);
  }
  t->saved = t->cursor;
  return 0;
}

static void move_cursor(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  t->cursor = a->form->upto ? a->form->upto(a, t->read) : t->read;
}

/* The files without it are written: that which was replaced last may still have it. */
static int drop_forgotten(struct artifacts *a) {
  struct ck_err err;
  uint64_t upto = a->form->upto ? a->form->upto(a, a->own->read) : a->own->read;
  if (!a->forgot || upto < a->forgot || a->own->behind) return 0;
  if (artifact_folder_drop_spare(&a->folder, &err))
    return artifacts_put_failed(a, CK_LIT(".spare"), &err);
  if (a->names && names_empty_wal(a->names, &err))
    return artifacts_trouble(a, SQL_TROUBLE, CK_LIT(NAMES_FILE), &err);
  a->forgot = 0;
  return 0;
}

/* ---- the loop ---- */

static int64_t save_at(const struct artifact_thread *t) {
  int64_t pause = t->save_took * SAVE_SHARE;
  return t->saved_at + (pause > SAVE_MS ? pause : SAVE_MS);
}

static void look_at_head(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  uint64_t head = atomic_load(&a->context->head);
  if (head != t->seen) t->moved_at = ck_boot_ms();
  t->seen = head;
  a->quiet_at = t->moved_at + QUIET_MS;
}

static int64_t earlier(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t later(int64_t x, int64_t y) { return x > y ? x : y; }

static int64_t scan_at(const struct artifacts *a) {
  const struct artifact_thread *t = a->own;
  bool due = t->behind || atomic_load(&a->context->head) > t->read;
  if (a->folder.fd >= 0 && a->form->has_room && !a->form->has_room(a)) due = false;
  int64_t at = t->behind ? earlier(t->scan_from, a->quiet_at) : t->scan_from;
  return due ? later(at, pace_next(&a->context->pace, t->began)) : INT64_MAX;
}

static int64_t act_at(const struct artifacts *a) {
  return a->folder.fd >= 0 && a->form->next_at ? a->form->next_at(a) : INT64_MAX;
}

/* When there is something to do next; INT64_MAX: nothing. */
static int64_t next_at(const struct artifacts *a) {
  const struct artifact_thread *t = a->own;
  int64_t at = earlier(scan_at(a), act_at(a));
  if (t->cursor != t->saved) at = earlier(at, save_at(t));
  return later(at, t->retry_at);
}

static bool is_marked(const struct artifacts *a) { return !a->form->mark || a->folder.marked; }

/* Does what is due. */
static int turn(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  look_at_head(a);
  if (ck_boot_ms() < t->retry_at) return 0;
  if (open_folder(a) || restart_if_asked(a) || restart_if_lost(a)) return -1;
  if (scan_at(a) <= ck_boot_ms() && make_chunk(a)) return -1;
  if (act_at(a) <= ck_boot_ms() && (check_folder(a) || a->form->act(a))) return -1;
  if (drop_forgotten(a)) return -1;
  move_cursor(a);
  if (t->cursor != t->saved && is_marked(a) && save_at(t) <= ck_boot_ms() && save_cursor(a))
    return -1;
  if (!a->index_due) atomic_store(&a->context->artifacts_cursor, t->cursor);
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

/* All records are taken first. False: that is all, or it failed. */
static bool make_more(struct artifacts *a) {
  if (scan_at(a) != INT64_MAX) return make_chunk(a) == 0;
  return act_at(a) != INT64_MAX && a->form->act(a) == 0;
}

/* Completes the files as far as the time and the disk allow; the next run makes the rest. */
static void finish(struct artifacts *a) {
  struct artifact_thread *t = a->own;
  if (t->trouble || open_folder(a)) return;
  while (!artifacts_out_of_time(a) && make_more(a)) continue;
  if (t->trouble || a->folder.fd < 0 || !artifact_folder_same(&a->folder)) return;
  move_cursor(a);
  if (a->index_due && a->form->act(a)) return;
  atomic_store(&a->context->artifacts_cursor, t->cursor);
  if (t->cursor != t->saved && t->save_took < SAVE_AT_STOP_MS) save_cursor(a);
  if (t->cursor == t->saved || t->unsure) return;
  struct ck_err err;
  if (artifact_folder_note_written(&a->folder, a->context->store_id, t->saved, t->cursor, &err))
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
  close_folder(a);
  scan_free(&a->own->scan);
  db_close(&a->db);
  ck_arena_free(&a->own->kept);
  ck_arena_free(&a->arena);
  ck_buf_free(&a->text);
  ck_buf_free(&a->path);
  free(a->own);
  free(a);
}

/* With all signals blocked: the main thread handles them. */
static int start_thread(struct artifacts *a, struct ck_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int rc = pthread_create(&a->own->thread, NULL, run, a);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rc ? ck_fail(err, "artifacts: no thread: %s", strerror(rc)) : 0;
}

struct artifacts *artifacts_start(struct context *context, struct ck_err *err) {
  struct artifacts *a = ck_zalloc(sizeof *a);
  a->own = ck_zalloc(sizeof *a->own);
  a->context = context;
  a->form = artifact_form_of(context->settings);
  a->folder.fd = -1;
  a->own->save_took = SAVE_AT_STOP_MS; /* not known yet: no save at a stop */
  if (db_open_maker(&a->db, err) == 0 && (a->own->scan = scan_new(a->db, err)) &&
      start_thread(a, err) == 0)
    return a;
  release(a);
  return NULL;
}

void artifacts_stop(struct artifacts **a) {
  if (!*a) return;
  pthread_join((*a)->own->thread, NULL);
  release(*a);
  *a = NULL;
}
