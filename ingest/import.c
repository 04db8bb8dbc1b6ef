/* Imports: the tally of each, its pieces, and the answers to its peer. The file itself is read by
 * reader.c. */
#include "ingest/import.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/json.h"
#include "ingest/reader.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"

#define FAILURES_TOLD 100 /* in IMPORTED; the rest are only counted */
#define FAILURE_TEXT 512
#define TELL_MS 500 /* between two MORE, at most */

/* Consecutive changeset numbers of one import. When several imports run at once, their numbers
 * interleave. */
struct run {
  uint64_t first, last;
};

struct ingest_import {
  struct ingest_import *next;
  struct ingest_imports *all;
  char *name;
  char *peer; /* its ZeroMQ identity, peer_n bytes */
  size_t peer_n;
  uint64_t request;
  struct ingest_reader *reader;
  uint64_t piece;  /* number of the last piece received */
  bool wait;       /* the peer wants every receipt */
  bool begun;      /* a piece was received */
  bool ended;      /* no more pieces are read */
  bool over;       /* IMPORTED was sent, or the peer is gone: to be freed */
  bool owed;       /* the last piece has not been answered with MORE */
  int64_t told_at; /* ck_boot_ms() of the last answer */
  uint64_t taken, receipted, added, updated, unchanged, failed;
  struct run *runs;
  size_t run_first, run_count, run_room;
  struct ck_buf failures; /* packed entries of struct ck_failure */
  uint32_t failures_kept;
  struct ck_err error;
};

/* ---- the tally ---- */

static void add_failure(struct ingest_import *i, struct ck_str place, struct ck_str reason) {
  ++i->failed;
  if (i->failures_kept == FAILURES_TOLD) return;
  ++i->failures_kept;
  char in_place[FAILURE_TEXT], in_reason[FAILURE_TEXT];
  const struct ck_failure failure = {ingest_clean(in_place, sizeof in_place, place),
                                     ingest_clean(in_reason, sizeof in_reason, reason)};
  ck_failure_encode(&i->failures, &failure);
}

static void add_number(struct ingest_import *i, uint64_t number) {
  ++i->taken;
  if (i->run_count > i->run_first && i->runs[i->run_count - 1].last + 1 == number) {
    i->runs[i->run_count - 1].last = number;
    return;
  }
  if (i->run_first == i->run_count) i->run_first = i->run_count = 0;
  if (i->run_count == i->run_room)
    i->runs =
        ck_realloc(i->runs, (i->run_room = i->run_room ? i->run_room * 2 : 8) * sizeof *i->runs);
  i->runs[i->run_count++] = (struct run){number, number};
}

/* Receipts arrive in order, so the number can only be in the first run. */
static bool take_number(struct ingest_import *i, uint64_t number) {
  if (i->run_first == i->run_count || number < i->runs[i->run_first].first ||
      number > i->runs[i->run_first].last)
    return false;
  if (number == i->runs[i->run_first].last) ++i->run_first;
  return true;
}

void ingest_imports_receipt(struct ingest_imports *all, uint64_t number, char result,
                            struct ck_str refused_place, struct ck_str reason) {
  struct ingest_import *i = all->head;
  while (i && !take_number(i, number)) i = i->next;
  if (!i) return;
  ++i->receipted;
  if (result == 'n')
    ++i->added;
  else if (result == '=')
    ++i->unchanged;
  else if (result == 'r')
    add_failure(i, refused_place, reason);
  else
    ++i->updated; /* also if the store has forgotten the result: the changeset had been applied */
}

void ingest_imports_renumbered(struct ingest_imports *all, uint64_t from, uint64_t by) {
  for (struct ingest_import *i = all->head; i; i = i->next)
    for (size_t r = i->run_first; r < i->run_count; ++r) {
      struct run *run = &i->runs[r];
      if (run->last < from) continue;
      /* Numbers of the run below `from` already have their receipts. */
      run->first = (run->first < from ? from : run->first) + by;
      run->last += by;
    }
}

/* ---- the file ---- */

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct ingest_import *i = self;
  struct ck_err err;
  uint64_t number;
  if (ingest_accept(i->all->acceptor, o, i->name, place, &number, &err))
    add_failure(i, ck_str_of(place), ck_str_of(err.text));
  else
    add_number(i, number);
}

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  (void)self;
  (void)c;
  (void)place;
}

static void on_end(void *self) { (void)self; }

static void on_note(void *self, const char *kind) {
  (void)self;
  (void)kind;
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  struct ingest_import *i = self;
  ingest_reject(i->all->acceptor, i->name, place, reason, raw);
  add_failure(i, ck_str_of(place), ck_str_of(reason));
}

struct ingest_import *ingest_import_open(struct ingest_imports *all, struct ck_str peer,
                                         const struct ck_open *open, struct ck_err *err) {
  if (all->count == INGEST_IMPORTS_MAX) {
    ck_fail(err, "%u imports are already running", all->count);
    return NULL;
  }
  struct ingest_import *i = ck_zalloc(sizeof *i);
  struct ingest_visitor visitor = {i, on_begin, on_end, on_observation, on_failure, on_note};
  i->all = all;
  i->name = ck_str_dup(ck_utf8_cut(open->name, 4096));
  i->peer = ck_str_dup(peer);
  i->peer_n = peer.n;
  i->request = open->request;
  i->wait = open->wait;
  i->reader = ingest_reader_new(i->name, &visitor);
  i->told_at = ck_boot_ms();
  i->next = all->head;
  all->head = i;
  ++all->count;
  ck_log(CK_INFO, "-", "import_opened", "file=%s", ck_quotedz(i->name));
  return i;
}

struct ingest_import *ingest_import_find(struct ingest_imports *all, struct ck_str peer,
                                         uint64_t request) {
  struct ingest_import *i = all->head;
  while (i && !(i->request == request && !i->over &&
                ck_str_eq(peer, (struct ck_str){i->peer, i->peer_n})))
    i = i->next;
  return i;
}

void ingest_import_piece(struct ingest_imports *all, struct ingest_import *i, uint64_t piece,
                         struct ck_str bytes, bool last) {
  (void)all;
  if (i->ended) return;
  bool in_order = i->begun ? piece == i->piece + 1 : piece <= 1;
  i->begun = true;
  if (!in_order) {
    ck_fail(&i->error, "piece %llu came after piece %llu", (unsigned long long)piece,
            (unsigned long long)i->piece);
    i->ended = true;
    return;
  }
  i->piece = piece;
  i->owed = true;
  bool more = ingest_reader_feed(i->reader, bytes.s, bytes.n);
  if (!last && more) return;
  ingest_reader_end(i->reader);
  i->ended = true;
}

/* ---- answers ---- */

static int say(struct ingest_import *i, void *router, const struct ck_message *m) {
  struct ck_buf b = {0};
  ck_message_encode(&b, m);
  int rc = ck_send_to(router, (struct ck_str){i->peer, i->peer_n}, ck_buf_view(&b));
  int error = errno;
  ck_buf_free(&b);
  i->told_at = ck_boot_ms();
  if (rc && error == EHOSTUNREACH) {
    ck_log(CK_WARN, "-", "importer_gone", "file=%s taken=%llu", ck_quotedz(i->name),
           (unsigned long long)i->taken);
    i->over = true;
  }
  return rc;
}

static void say_more(struct ingest_import *i, void *router, uint64_t piece) {
  struct ck_message m = {.kind = CK_MSG_MORE};
  m.as.more = (struct ck_more){i->request, piece, i->taken, i->receipted};
  if (say(i, router, &m) == 0 && piece) i->owed = false;
}

static void say_imported(struct ingest_import *i, void *router) {
  struct ck_message m = {.kind = CK_MSG_IMPORTED};
  struct ck_buf failures = {0};
  const char *error = i->error.text[0] ? i->error.text : ingest_reader_error(i->reader);
  bool skipped = !i->error.text[0] && ingest_reader_without_messages(i->reader);
  ck_put_array(&failures, i->failures_kept);
  ck_buf_str(&failures, ck_buf_view(&i->failures));
  m.as.imported = (struct ck_imported){.request = i->request,
                                       .format = ck_str_of(ingest_reader_format(i->reader)),
                                       .added = i->added,
                                       .updated = i->updated,
                                       .unchanged = i->unchanged,
                                       .failed = i->failed + (*error && !skipped),
                                       .failures = ck_buf_view(&failures),
                                       .error = ck_str_of(error),
                                       .waiting = i->taken - i->receipted,
                                       .skipped = skipped};
  if (say(i, router, &m) == 0) {
    i->over = true;
    ck_log(CK_INFO, "-", "imported",
           "file=%s format=%s new=%llu updated=%llu unchanged=%llu failed=%llu waiting=%llu "
           "replaced=%u "
           "error=%s",
           ck_quotedz(i->name), ck_quotedz(ingest_reader_format(i->reader)),
           (unsigned long long)i->added, (unsigned long long)i->updated,
           (unsigned long long)i->unchanged, (unsigned long long)m.as.imported.failed,
           (unsigned long long)m.as.imported.waiting, ingest_reader_replaced(i->reader),
           ck_quotedz(error));
  }
  ck_buf_free(&failures);
}

static void answer_one(struct ingest_import *i, void *router, bool room, bool away) {
  const struct ingest_acceptor *acceptor = i->all->acceptor;
  bool late = ck_boot_ms() - i->told_at >= TELL_MS;
  bool spooled = ingest_spool_unsynced(acceptor->spool) == 0;
  if (i->wait) away = false;
  if (away) room = !acceptor->full;
  if (i->ended && (i->receipted == i->taken || (away && spooled)))
    say_imported(i, router);
  else if (i->owed && !i->ended && room)
    say_more(i, router, i->piece);
  else if (late)
    say_more(i, router, 0);
}

static void import_free(struct ingest_import *i) {
  ingest_reader_free(&i->reader);
  ck_buf_free(&i->failures);
  free(i->runs);
  free(i->name);
  free(i->peer);
  free(i);
}

void ingest_imports_answer(struct ingest_imports *all, void *router, bool room, bool away) {
  for (struct ingest_import **link = &all->head; *link;) {
    struct ingest_import *i = *link;
    if (!i->over) answer_one(i, router, room, away);
    if (i->over) {
      *link = i->next;
      import_free(i);
      --all->count;
      malloc_trim(0);
    } else {
      link = &i->next;
    }
  }
}

int64_t ingest_imports_until(const struct ingest_imports *all) {
  int64_t until = INT64_MAX;
  for (const struct ingest_import *i = all->head; i; i = i->next)
    if (i->told_at + TELL_MS < until) until = i->told_at + TELL_MS;
  return until;
}

void ingest_imports_free(struct ingest_imports *all) {
  while (all->head) {
    struct ingest_import *i = all->head;
    all->head = i->next;
    import_free(i);
  }
  all->count = 0;
}
