/* Reads chunks of records, and puts them and the new cursor into the index in one transaction.
 * Paced, so that it slows nothing else down. */
#include "store/search/indexer.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "store/search/index.h"
#include "store/search/source.h"

/* Once the index has caught up, the next chunk begins at least PACE_MS after the last one, so that
 * many messages share a transaction. While the head moves there is a pause of REST times what a
 * chunk took after each. When it has not moved for QUIET_MS: as many as possible. */
#define PACE_MS 200
#define PACE_MAX_MS 500
#define REST 4
#define QUIET_MS 100
#define CHUNKS_MAX 8 /* that share a transaction then */
#define LOOK_MS 50   /* how often the thread checks during a pause whether the store stops */
#define SAME_MS 1000 /* how often it checks whether the file is still there */
#define STOP_MS 500  /* for what is still to be read at a stop */
#define RETRY_MS 100
#define LATER_MS 200
#define RETRY_MAX_MS 5000
#define NICENESS 10

static const char forgotten_sql[] =
    "SELECT EXISTS (SELECT 1 FROM forgotten WHERE version > ?1 AND NOT taken_back),"
    " EXISTS (SELECT 1 FROM forgetting)";

struct indexer {
  struct context *context;
  pthread_t thread;
  sqlite3 *db; /* the database */
  struct search_source *source;
  sqlite3_stmt *forgotten;
  struct search_index *index; /* NULL: closed */

  uint64_t cursor;                 /* all records up to this version are in the index */
  bool behind;                     /* the last chunk ended before the last record */
  int64_t began, next_at, same_at; /* ck_boot_ms; began: the last chunk */
  uint64_t since;                  /* what was forgotten up to this version was never in it */
  uint64_t seen;                   /* the head when it was last looked at … */
  int64_t moved_at;                /* … and when it was last seen to have moved */
  int64_t end_at;                  /* when to give up, once a stop has been seen */

  bool troubled;
  int64_t retry_at, retry_ms;
};

static bool stopping(const struct indexer *x) { return atomic_load(&x->context->stop); }

/* As with the readable files: a store that runs only for one import indexes that import. */
static bool out_of_time(struct indexer *x) {
  if (!stopping(x)) return false;
  if (!x->end_at) x->end_at = ck_boot_ms() + STOP_MS;
  return ck_boot_ms() >= x->end_at;
}

/* ---- trouble: logged once, and retried for ever ---- */

static int trouble(struct indexer *x, const struct ck_err *err) {
  if (!x->troubled)
    ck_log(CK_ERROR, SEARCH_FILE, "search_stuck", "reason=%s", ck_quotedz(err->text));
  context_trouble(x->context, TROUBLE_SEARCH, err->text);
  x->troubled = true;
  x->retry_ms = x->retry_ms ? x->retry_ms * 2 : RETRY_MS;
  if (x->retry_ms > RETRY_MAX_MS) x->retry_ms = RETRY_MAX_MS;
  x->retry_at = ck_boot_ms() + x->retry_ms;
  return -1;
}

static void all_is_well(struct indexer *x) {
  if (x->troubled) {
    ck_log(CK_INFO, SEARCH_FILE, "search_goes_on", "version=%llu", (unsigned long long)x->cursor);
    context_trouble(x->context, TROUBLE_SEARCH, NULL);
  }
  x->troubled = false;
  x->retry_ms = x->retry_at = 0;
}

/* ---- the file ---- */

static int begin_again(struct indexer *x, const char *why);

/* What functions here return besides 0 and -1. LATER: not in this turn. AGAIN: there is no
 * transaction, the index is made again. ENOUGH: what comes next cannot be read; the first chunk of
 * the next turn says why. */
enum { LATER = 1, AGAIN, ENOUGH };

/* After a failure to write. What is damaged is made again. Returns -1. */
static int failed(struct indexer *x, const struct ck_err *err) {
  bool damaged = search_index_damaged(x->index);
  search_index_rollback(x->index);
  if (damaged) ck_log(CK_WARN, SEARCH_FILE, "search_damaged", "reason=%s", ck_quotedz(err->text));
  if (damaged) begin_again(x, "damaged");
  return trouble(x, err);
}

static int open_index(struct indexer *x) {
  struct ck_err err;
  if (x->index) return 0;
  x->index = search_index_open(x->context->store_id, &x->cursor, &err);
  if (!x->index) return trouble(x, &err);
  uint64_t head = atomic_load(&x->context->head);
  if (x->cursor == 0 && search_index_set_since(x->index, head, &err)) return failed(x, &err);
  if (search_index_since(x->index, &x->since, &err)) return failed(x, &err);
  atomic_store(&x->context->search_cursor, x->cursor);
  x->same_at = ck_boot_ms() + SAME_MS;
  x->behind = true;
  return 0;
}

/* Throws the index away; the next turn makes it from the first record on. */
static int begin_again(struct indexer *x, const char *why) {
  struct ck_err err;
  ck_log(CK_INFO, SEARCH_FILE, "search_begins_again", "because=%s version=%llu", why,
         (unsigned long long)x->cursor);
  atomic_store(&x->context->search_cursor, 0);
  search_index_close(&x->index);
  if (search_index_drop(&err)) return trouble(x, &err);
  return open_index(x);
}

/* Has something been forgotten that may be in the index? Its words would stay in the lists.
 * *under_way: more of it will be. -1. */
static int has_forgotten(struct indexer *x, bool *under_way) {
  struct ck_err err;
  uint64_t after = x->cursor > x->since ? x->cursor : x->since;
  sqlite3_bind_int64(x->forgotten, 1, (sqlite3_int64)after);
  int rc = sqlite3_step(x->forgotten);
  int64_t any = rc == SQLITE_ROW ? sqlite3_column_int64(x->forgotten, 0) : 0;
  *under_way = rc == SQLITE_ROW && sqlite3_column_int64(x->forgotten, 1);
  if (rc != SQLITE_ROW) db_fail(x->db, "forgotten", &err);
  sqlite3_reset(x->forgotten);
  return rc == SQLITE_ROW ? any != 0 : trouble(x, &err);
}

/* Whether there is a reason to make all of it again: somebody asks for it, or has deleted it; too
 * much of it is dead; something was forgotten. LATER: once all that is being forgotten is; until
 * then it stays as it is, and what is forgotten is no hit (ask.c). */
static int look_at_index(struct indexer *x) {
  if (atomic_load(&x->context->search_again)) {
    if (begin_again(x, "asked")) return -1;
    atomic_store(&x->context->search_again, false);
  }
  if (ck_boot_ms() >= x->same_at) {
    x->same_at = ck_boot_ms() + SAME_MS;
    if (!search_index_same(x->index)) return begin_again(x, "gone");
  }
  bool under_way;
  int forgotten = has_forgotten(x, &under_way);
  if (forgotten > 0 && under_way) x->retry_at = ck_boot_ms() + LATER_MS;
  if (forgotten > 0) return under_way ? LATER : begin_again(x, "forgotten");
  if (forgotten) return -1;
  return search_index_worn(x->index) ? begin_again(x, "worn") : 0;
}

/* ---- a chunk of records ---- */

static int put_all(struct indexer *x, const struct search_item *items, int count) {
  struct ck_err err;
  for (int i = 0; i < count; ++i)
    if (search_index_put(x->index, &items[i], &err)) return failed(x, &err);
  return 0;
}

/* Sets when the next chunk may begin. */
static void rest(struct indexer *x) {
  int64_t now = ck_boot_ms(), ms = (now - x->began) * REST;
  if (ms > PACE_MAX_MS) ms = PACE_MAX_MS;
  x->next_at = now + (x->behind || ms > PACE_MS ? ms : PACE_MS);
}

static void look_at_head(struct indexer *x) {
  uint64_t head = atomic_load(&x->context->head);
  if (head != x->seen) x->moved_at = ck_boot_ms();
  x->seen = head;
}

/* Nobody writes, and there is more to read. */
static bool at_leisure(struct indexer *x) {
  look_at_head(x);
  return x->behind && ck_boot_ms() >= x->moved_at + QUIET_MS && !stopping(x);
}

/* Puts the records after *cursor into the transaction, which it begins if it is the first. AGAIN or
 * ENOUGH: there is none, or no more comes. */
static int make_chunk(struct indexer *x, uint64_t *cursor, bool first) {
  struct ck_err err;
  const struct search_item *items;
  uint64_t durable = atomic_load(&x->context->head), upto;
  int count = search_source_chunk(x->source, *cursor, &items, &upto, &x->behind, &err);
  if (count < 0 && !first) return x->behind = true, ENOUGH;
  if (count < 0) return failed(x, &err);
  if (!x->behind && upto < durable) upto = durable;
  if (upto < *cursor) return begin_again(x, "ahead") ? -1 : AGAIN; /* an older copy was put back */
  if (first && search_index_begin(x->index, &err)) return failed(x, &err);
  *cursor = upto;
  return put_all(x, items, count);
}

static int make_chunks(struct indexer *x) {
  struct ck_err err;
  uint64_t cursor = x->cursor;
  bool under_way;
  x->began = ck_boot_ms();
  for (int n = 0; n == 0 || (n < CHUNKS_MAX && at_leisure(x)); ++n) {
    int rc = make_chunk(x, &cursor, n == 0);
    if (rc == ENOUGH) break;
    if (rc) return rc < 0 ? -1 : 0;
  }
  /* What was forgotten since the turn began is not to be skipped. */
  int forgotten = has_forgotten(x, &under_way);
  if (forgotten) {
    search_index_rollback(x->index);
    return forgotten < 0 ? -1 : LATER;
  }
  if (search_index_commit(x->index, cursor, &err)) return failed(x, &err);
  x->cursor = cursor;
  atomic_store(&x->context->search_cursor, cursor);
  rest(x);
  return 0;
}

/* ---- the loop ---- */

/* When the next chunk is due; INT64_MAX: there is nothing to read. */
static int64_t chunk_at(const struct indexer *x) {
  bool due = x->behind || atomic_load(&x->context->head) > x->cursor;
  int64_t quiet_from = x->moved_at + QUIET_MS, at = x->next_at;
  int64_t pressed = pace_next(&x->context->pace, x->began);
  if (x->behind && quiet_from < at) at = quiet_from;
  return !due ? INT64_MAX : pressed > at ? pressed : at;
}

static int turn(struct indexer *x) {
  look_at_head(x);
  if (ck_boot_ms() < x->retry_at) return 0;
  if (open_index(x)) return -1;
  int rc = look_at_index(x);
  bool due = rc == 0 && chunk_at(x) <= ck_boot_ms();
  if (due) rc = make_chunks(x);
  if (rc) return rc < 0 ? -1 : 0;
  if (due || chunk_at(x) == INT64_MAX) all_is_well(x); /* else what failed was not tried */
  return 0;
}

static int64_t wake_at(const struct indexer *x) {
  int64_t at = chunk_at(x);
  if (at > x->same_at) at = x->same_at;
  return at < x->retry_at ? x->retry_at : at;
}

/* While a chunk waits for its time, commits do not wake the thread. */
static void wait_for_work(struct indexer *x) {
  bool resting = chunk_at(x) != INT64_MAX;
  int64_t left = wake_at(x) - ck_boot_ms();
  if (left <= 0) return;
  if (resting && left > LOOK_MS) left = LOOK_MS;
  struct pollfd wake = {.fd = x->context->wake[WAKE_INDEX], .events = POLLIN};
  poll(&wake, resting ? 0 : 1, (int)left);
}

static void finish(struct indexer *x) {
  if (x->troubled || open_index(x)) return;
  while (chunk_at(x) != INT64_MAX && !out_of_time(x))
    if (make_chunks(x)) return;
}

static void *run(void *self) {
  struct indexer *x = self;
  pthread_setname_np(pthread_self(), "search");
  setpriority(PRIO_PROCESS, 0, NICENESS); /* on Linux: of this thread */
  while (!stopping(x)) {
    context_woken(x->context, WAKE_INDEX);
    turn(x);
    if (!stopping(x)) wait_for_work(x);
  }
  finish(x);
  return NULL;
}

/* ---- start and stop ---- */

static void release(struct indexer *x) {
  search_index_close(&x->index);
  sqlite3_finalize(x->forgotten);
  search_source_free(&x->source);
  db_close(&x->db);
  free(x);
}

/* With all signals blocked: the main thread handles them. */
static int start_thread(struct indexer *x, struct ck_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int rc = pthread_create(&x->thread, NULL, run, x);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rc ? ck_fail(err, "search: no thread: %s", strerror(rc)) : 0;
}

struct indexer *indexer_start(struct context *context, struct ck_err *err) {
  struct indexer *x = ck_zalloc(sizeof *x);
  x->context = context;
  if (db_open_maker(&x->db, err) == 0 && (x->source = search_source_new(x->db, err)) &&
      (x->forgotten = db_prepare(x->db, forgotten_sql, err)) && start_thread(x, err) == 0)
    return x;
  release(x);
  return NULL;
}

void indexer_stop(struct indexer **x) {
  if (!*x) return;
  pthread_join((*x)->thread, NULL);
  release(*x);
  *x = NULL;
}
