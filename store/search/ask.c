/* From a question to its answer: the filter, the first of all hits, their records. */
#include "store/search/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "store/search/ask_internal.h"
#include "store/search/index.h"
#include "store/search/source.h"

/* A question ends after so long, and what it has not looked at counts as more: soon if it is longer
 * than what a person types. */
#define ASK_MS 1000
#define ASK_LONG_MS 35
#define LONG_BYTES 1024
/* After how many instructions of its virtual machine SQLite looks at the clock. FTS5 takes few for
 * a page of its lists, so this is every few pages. */
#define STEPS_A_LOOK 64
/* So many hits more than wanted are picked, since some may have no record any more. */
#define SPARE 32

struct search_asker {
  sqlite3 *database, *index;
  const _Atomic bool *stop;
  struct search_source *source;
  struct ask_texts texts; /* on the index as it is open */
  sqlite3_stmt *message, *conversation, *link;
  dev_t device;
  ino_t inode;
  int64_t deadline; /* ck_boot_ms */
  struct search_hit *hits;
  size_t hit_count;
  struct ck_arena arena;
  struct ck_buf tool;
};

/* ---- the index's file ---- */

static bool is_over(void *self) {
  const struct search_asker *a = self;
  return atomic_load(a->stop) || ck_boot_ms() >= a->deadline;
}

static int interrupt(void *self) { return is_over(self); }

/* Opens the file that has the name now: the index may have been made again. 1: there is none. */
static int open_index(struct search_asker *a, struct ck_err *err) {
  struct stat st = {0};
  int rc = 0;
  if (stat(SEARCH_FILE, &st))
    rc = errno == ENOENT ? 1 : ck_fail(err, SEARCH_FILE ": %s", strerror(errno));
  else if (a->index && st.st_dev == a->device && st.st_ino == a->inode)
    return 0;
  ask_texts_close(&a->texts);
  db_close(&a->index);
  if (rc == 0) rc = search_index_reader(&a->index, err);
  if (rc == 0) rc = ask_texts_open(&a->texts, a->database, a->index, a->source, err);
  a->device = st.st_dev;
  a->inode = st.st_ino;
  if (rc) ask_texts_close(&a->texts);
  if (rc) db_close(&a->index);
  return rc;
}

/* ---- the records of hits ---- */

static int prepare(struct search_asker *a, struct ck_err *err) {
  if (a->source) return 0;
  if (!(a->source = search_source_new(a->database, err))) return -1;
  a->message = db_prepare(a->database,
                          "SELECT id, platform, conversation_id, role, raw_text, observed_at,"
                          " details"
                          " FROM messages WHERE version = ?1" ASK_STAYS,
                          err);
  if (a->message)
    a->link = db_prepare(a->database,
                         "SELECT l.local_conversation_id, c.title FROM conversation_links l"
                         " LEFT JOIN local_conversations c USING (local_conversation_id)"
                         " WHERE l.platform = ?1 AND l.remote_conversation_id = ?2",
                         err);
  if (a->link)
    a->conversation = db_prepare(a->database,
                                 "SELECT platform, title, last_message_at FROM local_conversations"
                                 " WHERE local_conversation_id = ?1",
                                 err);
  if (a->conversation) return 0;
  search_source_free(&a->source);
  return -1;
}

static struct ck_str keep(struct search_asker *a, struct ck_str text) {
  return ck_arena_copy(&a->arena, text);
}

/* 1: a row; 0: none; -1. */
static int step(struct search_asker *a, sqlite3_stmt *s, struct ck_err *err) {
  int rc = sqlite3_step(s);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_fail(a->database, "search", err);
}

static int read_link(struct search_asker *a, struct ck_str platform, struct ck_str conversation,
                     struct search_hit *h, struct ck_err *err) {
  db_bind_str(a->link, 1, platform);
  db_bind_str(a->link, 2, conversation);
  int rc = step(a, a->link, err);
  if (rc > 0) {
    h->local_conversation_id = keep(a, db_str(a->link, 0));
    h->title = keep(a, db_str(a->link, 1));
  }
  sqlite3_reset(a->link);
  return rc < 0 ? -1 : 0;
}

static int read_tools(struct search_asker *a, struct search_hit *h, struct ck_err *err) {
  if (search_source_tools(a->source, h->message_id, h->tool, &a->tool, err)) return -1;
  h->tool = keep(a, ck_buf_view(&a->tool));
  return 0;
}

/* 1; 0: it is gone, or has changed and is not in the index yet; -1. */
static int read_message(struct search_asker *a, const struct ask_entry *e, struct search_hit *h,
                        struct ck_err *err) {
  sqlite3_bind_int64(a->message, 1, e->version);
  int rc = step(a, a->message, err);
  if (rc > 0) {
    *h = (struct search_hit){.message_id = keep(a, db_str(a->message, 0)),
                             .platform = keep(a, db_str(a->message, 1)),
                             .role = keep(a, db_str(a->message, 3)),
                             .at = sqlite3_column_int64(a->message, 5),
                             .is_dated = true};
    struct ck_str text = keep(a, db_str(a->message, 4));
    if (search_source_is_tools(a->source, h->role, db_str(a->message, 6)))
      h->tool = text;
    else
      h->text = text;
    if (read_link(a, h->platform, db_str(a->message, 2), h, err)) rc = -1;
  }
  sqlite3_reset(a->message);
  return rc > 0 && read_tools(a, h, err) ? -1 : rc;
}

static int read_title(struct search_asker *a, struct ck_str id, struct search_hit *h,
                      struct ck_err *err) {
  sqlite3_stmt *s = a->conversation;
  db_bind_str(s, 1, id);
  int rc = step(a, s, err);
  if (rc > 0)
    *h = (struct search_hit){.is_title = true,
                             .local_conversation_id = keep(a, id),
                             .platform = keep(a, db_str(s, 0)),
                             .title = keep(a, db_str(s, 1)),
                             .at = sqlite3_column_int64(s, 2),
                             .is_dated = sqlite3_column_type(s, 2) != SQLITE_NULL};
  if (rc > 0) h->text = h->title;
  sqlite3_reset(s);
  return rc;
}

/* A conversation changes with each of its messages, so it is found by its id. */
static int read_hit(struct search_asker *a, const struct ask_entry *e, struct search_hit *h,
                    struct ck_err *err) {
  if (!e->is_title) return read_message(a, e, h, err);
  sqlite3_stmt *s = db_prepare(a->index, "SELECT conversation FROM places WHERE place = ?1", err);
  if (!s) return -1;
  sqlite3_bind_int64(s, 1, e->place);
  int rc = sqlite3_step(s) == SQLITE_ROW ? read_title(a, db_str(s, 0), h, err) : 0;
  sqlite3_finalize(s);
  return rc;
}

/* ---- the cursor: "KIND KEY ENTRY FOUND" ---- */

/* Where a page ends. */
struct place {
  struct ask_entry last;
  uint64_t found; /* so many hits are up to there, if they were counted one by one; else 0 */
};

static void write_cursor(bool rank, const struct place *p, char out[64]) {
  snprintf(out, 64, "%c %lld %lld %llu", rank ? 'r' : 'n', (long long)p->last.key,
           (long long)p->last.entry, (unsigned long long)p->found);
}

/* One that is written back is the same, or it is none. */
static bool read_cursor(struct ck_str cursor, bool rank, struct place *after) {
  char text[64] = "", same[64];
  long long key, entry;
  unsigned long long found;
  *after = (struct place){.last = {.key = INT64_MAX, .entry = INT64_MAX}};
  if (cursor.n == 0) return true;
  if (cursor.n >= sizeof text) return false;
  memcpy(text, cursor.s, cursor.n);
  if (sscanf(text, "%*c %lld %lld %llu", &key, &entry, &found) != 3) return false;
  *after = (struct place){.last = {.key = key, .entry = entry}, .found = found};
  write_cursor(rank, after, same);
  return ck_str_is(cursor, same);
}

bool search_cursor_ok(struct ck_str cursor, bool rank) {
  struct place after;
  return read_cursor(cursor, rank, &after);
}

/* ---- a question ---- */

struct asking {
  const struct search_question *q;
  struct search_chosen chosen;
  struct ask_pick p;
  struct place after, upto; /* upto: as far as it was looked for hits; of no hit if entry is 0 */
};

/* The best come first, as far as that can be told. */
static bool is_ranked(const struct asking *k) {
  return k->q->rank && k->chosen.choice == SEARCH_CHOICE_THOSE;
}

/* The texts were read to find them. */
static bool was_read(const struct asking *k) { return k->chosen.loose && !is_ranked(k); }

/* What is not known to come next is left to the next page, which begins behind what is; if nothing
 * is, all that was found is shown, and no page follows. */
static void leave_unknown(struct asking *k, struct search_answer *out) {
  size_t known = ask_pick_known(&k->p);
  out->timed_out = k->p.cut && known == 0;
  if (k->p.cut && known) k->p.count = known;
}

/* Reads the records of the first hits that have one. */
static int read_hits(struct search_asker *a, struct asking *k, struct search_answer *out,
                     struct ck_err *err) {
  struct ask_pick *p = &k->p;
  size_t i = 0;
  ask_pick_sort(p);
  leave_unknown(k, out);
  for (; i < p->count && a->hit_count < k->q->limit; ++i) {
    int rc = read_hit(a, &p->at[i], &a->hits[a->hit_count], err);
    if (rc < 0) return -1;
    a->hit_count += (size_t)rc;
  }
  struct place last = {.found = was_read(k) ? k->after.found + i : 0};
  if (i) last.last = p->at[i - 1];
  if (i == p->count && k->upto.last.entry) last = k->upto;
  if (out->timed_out) return 0;
  if (last.last.entry && (i < p->count || p->left)) write_cursor(k->q->rank, &last, out->cursor);
  return 0;
}

static int pick(struct search_asker *a, struct asking *k, const struct ask_filter *f,
                struct ck_err *err) {
  const struct ask_reading reading = {.query = k->q->query,
                                      .chosen = &k->chosen,
                                      .filter = f,
                                      .index = a->index,
                                      .texts = &a->texts,
                                      .is_over = is_over,
                                      .self = a};
  if (is_ranked(k)) return ask_read_best(&k->p, &reading, err);
  if (!k->chosen.loose) return ask_pick_newest(&k->p, a->index, &k->chosen, f, err);
  k->p.found = k->after.found;
  int rc = ask_read_newest(&k->p, &reading, &k->upto.last, err);
  k->upto.found = k->p.found;
  return rc;
}

static int pick_wanted(struct search_asker *a, struct asking *k, struct ck_err *err) {
  struct ask_filter f;
  int rc = ask_filter_make(&f, a->index, a->database, k->q, &a->texts, err);
  if (rc == 0) rc = pick(a, k, &f, err);
  ask_filter_free(&f);
  return rc;
}

static int find(struct search_asker *a, const struct search_question *q, struct search_answer *out,
                struct ck_err *err) {
  struct asking k = {.q = q, .p = {.most = q->limit + SPARE}};
  search_query_entries(q->query, &k.chosen);
  read_cursor(q->cursor, q->rank, &k.after);
  k.p.after = k.after.last;
  k.p.at = ck_alloc(k.p.most * sizeof *k.p.at);
  int rc = k.chosen.choice == SEARCH_CHOICE_NONE ? 0 : pick_wanted(a, &k, err);
  if (rc && is_over(a)) {
    rc = 0;
    ask_pick_cut(&k.p);
  }
  ask_texts_end(&a->texts);
  a->deadline = INT64_MAX; /* what was found is read in any case */
  if (rc == 0) rc = read_hits(a, &k, out, err);
  out->count = k.p.found;
  out->more = k.p.more;
  free(k.p.at);
  search_chosen_free(&k.chosen);
  return rc;
}

static bool is_long(const struct search_query *q) {
  size_t bytes = 0;
  for (size_t i = 0; i < q->term_count; ++i) bytes += q->terms[i].text.n;
  for (size_t i = 0; i < q->filter_count; ++i) bytes += q->filters[i].value.n;
  return q->cut || bytes > LONG_BYTES;
}

/* fn NULL: no more. */
static void watch_time(struct search_asker *a, int (*fn)(void *)) {
  sqlite3_progress_handler(a->index, STEPS_A_LOOK, fn, a);
  sqlite3_progress_handler(a->database, STEPS_A_LOOK, fn, a);
}

/* The index's cursor and everything else are of one moment. */
static int ask_in_transaction(struct search_asker *a, const struct search_question *q,
                              struct search_answer *out, struct ck_err *err) {
  int64_t cursor = 0;
  if (db_exec(a->index, "BEGIN", err)) return -1;
  a->deadline = ck_boot_ms() + (is_long(q->query) ? ASK_LONG_MS : ASK_MS);
  watch_time(a, interrupt);
  int rc =
      db_int(a->index, "SELECT cursor FROM search_state", 0, &cursor, err) || find(a, q, out, err)
          ? -1
          : 0;
  watch_time(a, NULL);
  sqlite3_exec(a->index, "ROLLBACK", NULL, NULL, NULL);
  out->indexed = (uint64_t)cursor;
  return rc;
}

/* What is damaged is thrown away; the thread that makes the index notices that it is gone. */
static int drop_damaged(struct search_asker *a, struct ck_err *err) {
  struct ck_err ignored;
  int kind = sqlite3_errcode(a->index) & 0xff;
  if (kind != SQLITE_CORRUPT && kind != SQLITE_NOTADB) return -1;
  ck_log(CK_WARN, SEARCH_FILE, "search_damaged", "reason=%s", ck_quotedz(err->text));
  ask_texts_close(&a->texts);
  db_close(&a->index);
  search_index_drop(&ignored);
  return ck_fail_in(err, SEARCH_FILE " is damaged, and is made again: ask again later");
}

int search_ask(struct search_asker *a, const struct search_question *q, struct search_answer *out,
               struct ck_err *err) {
  *out = (struct search_answer){0};
  a->hit_count = 0;
  ck_arena_reset(&a->arena);
  a->hits = ck_realloc(a->hits, (q->limit + 1) * sizeof *a->hits);
  out->hits = a->hits;
  int missing = prepare(a, err) ? -1 : open_index(a, err);
  if (missing < 0) return -1;
  if (missing) return 0; /* as one that has nothing yet */
  if (ask_in_transaction(a, q, out, err)) return drop_damaged(a, err);
  out->hit_count = a->hit_count;
  return 0;
}

struct search_asker *search_asker_new(sqlite3 *database, const _Atomic bool *stop) {
  struct search_asker *a = ck_zalloc(sizeof *a);
  a->database = database;
  a->stop = stop;
  return a;
}

void search_asker_free(struct search_asker **asker) {
  struct search_asker *a = *asker;
  if (!a) return;
  ask_texts_close(&a->texts);
  db_close(&a->index);
  search_source_free(&a->source);
  sqlite3_finalize(a->message);
  sqlite3_finalize(a->link);
  sqlite3_finalize(a->conversation);
  ck_arena_free(&a->arena);
  ck_buf_free(&a->tool);
  free(a->hits);
  free(a);
  *asker = NULL;
}
