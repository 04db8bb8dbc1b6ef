/* Imports: the pieces of each, and the answers to its peer. The rest is in reading.c. */
#include "ingest/files/import.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"

#define TELL_MS 500 /* between two MORE, at most */
/* Bytes that may wait for the store's answer before the next piece is wanted. */
#define WAITING_MAX (4u << 20)
#define PAUSE_MS 100 /* without a piece: what is gathered of a log goes in */

struct ingest_import {
  struct ingest_import *next;
  struct ingest_reading *reading;
  char *peer; /* its ZeroMQ identity, peer_n bytes */
  size_t peer_n;
  uint64_t request;
  int64_t piece_at; /* ck_boot_ms() of the last piece */
  uint64_t piece;   /* number of the last piece received */
  bool wait;        /* the peer wants every receipt */
  bool attaches;    /* attachments come, not a file */
  bool begun;       /* a piece was received */
  bool ended;       /* no more pieces are read */
  bool over;        /* IMPORTED was sent, or the peer is gone: to be freed */
  bool owed;        /* the last piece has not been answered with MORE */
  int64_t told_at;  /* ck_boot_ms() of the last answer */
  struct ck_err error;
};

struct ingest_import *ingest_import_open(struct ingest_imports *all, struct ck_str peer,
                                         const struct ck_open *open, struct ck_err *err) {
  if (all->count == INGEST_IMPORTS_MAX) {
    ck_fail(err, "%u imports are already running", all->count);
    return NULL;
  }
  struct ingest_import *i = ck_zalloc(sizeof *i);
  i->reading =
      ingest_reading_new(all->readings, ck_utf8_cut(open->name, 4096), open->again, open->first);
  i->peer = ck_str_dup(peer);
  i->peer_n = peer.n;
  i->request = open->request;
  i->wait = open->wait;
  i->told_at = ck_boot_ms();
  i->next = all->head;
  all->head = i;
  ++all->count;
  ck_log(CK_INFO, "-", "import_opened", "file=%s", ck_quotedz(i->reading->name));
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

/* False: no piece is wanted, or this one is out of order. */
static bool take_piece(struct ingest_import *i, uint64_t piece) {
  if (i->ended) return false;
  bool in_order = i->begun ? piece == i->piece + 1 : piece <= 1;
  i->begun = true;
  if (!in_order) {
    ck_fail(&i->error, "piece %llu came after piece %llu", (unsigned long long)piece,
            (unsigned long long)i->piece);
    i->ended = true;
    return false;
  }
  i->piece = piece;
  i->owed = true;
  i->piece_at = ck_boot_ms();
  return true;
}

void ingest_import_piece(struct ingest_import *i, uint64_t piece, struct ck_str bytes, bool last) {
  if (!take_piece(i, piece)) return;
  bool more = ingest_reader_feed(i->reading->reader, bytes.s, bytes.n);
  if (!last && more) return;
  ingest_reader_end(i->reading->reader);
  i->ended = true;
}

void ingest_import_attach(struct ingest_import *i, uint64_t piece, struct ck_str attachments,
                          bool last) {
  struct ck_reader r = ck_reader_of(attachments);
  struct ck_str one;
  uint32_t n = 0;
  if (!take_piece(i, piece)) return;
  i->attaches = true;
  i->ended = last;
  if (ck_read_array(&r, &n)) {
    ck_fail(&i->error, "attachments: expected an array");
    i->ended = true;
  }
  for (; n && ck_read_raw(&r, &one) == 0; --n) {
    struct ck_err err;
    uint64_t number;
    bool whole;
    if (ingest_accept_attachment(i->reading->all->acceptor, one, &number, &whole, &err))
      ingest_reading_failed(i->reading, CK_LIT("attachment"), ck_str_of(err.text));
    else
      ingest_reading_sent(i->reading, number, whole); /* of its parts the last one counts */
  }
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
    ck_log(CK_WARN, "-", "importer_gone", "file=%s taken=%llu", ck_quotedz(i->reading->name),
           (unsigned long long)i->reading->taken);
    i->over = true;
  }
  return rc;
}

static void say_more(struct ingest_import *i, void *router, uint64_t piece) {
  struct ck_message m = {.kind = CK_MSG_MORE};
  m.as.more = (struct ck_more){i->request, piece, i->reading->taken, i->reading->receipted};
  if (say(i, router, &m) == 0 && piece) i->owed = false;
}

static void say_imported(struct ingest_import *i, void *router) {
  const struct ingest_reading *r = i->reading;
  struct ck_message m = {.kind = CK_MSG_IMPORTED};
  struct ck_buf failures = {0}, notes = {0};
  const char *error = i->error.text[0] ? i->error.text : ingest_reader_error(r->reader);
  bool skipped = !i->error.text[0] && ingest_reader_without_messages(r->reader);
  const char *format = i->attaches ? "attachments" : ingest_reader_format(r->reader);
  ck_put_array(&failures, r->failures_kept);
  ck_buf_str(&failures, ck_buf_view(&r->failures));
  ingest_notes_encode(&notes, &r->notes);
  m.as.imported = (struct ck_imported){.request = i->request,
                                       .format = ck_str_of(format),
                                       .added = r->added,
                                       .updated = r->updated,
                                       .unchanged = r->unchanged,
                                       .failed = r->failed + (*error && !skipped),
                                       .failures = ck_buf_view(&failures),
                                       .error = ck_str_of(error),
                                       .waiting = r->taken - r->receipted,
                                       .skipped = skipped,
                                       .notes = ck_buf_view(&notes)};
  if (say(i, router, &m) == 0) {
    i->over = true;
    ck_log(CK_INFO, "-", "imported",
           "file=%s format=%s new=%llu updated=%llu unchanged=%llu failed=%llu waiting=%llu "
           "replaced=%u error=%s",
           ck_quotedz(i->reading->name), ck_quotedz(format), (unsigned long long)r->added,
           (unsigned long long)r->updated, (unsigned long long)r->unchanged,
           (unsigned long long)m.as.imported.failed, (unsigned long long)m.as.imported.waiting,
           ingest_reader_replaced(r->reader), ck_quotedz(error));
  }
  ck_buf_free(&failures);
  ck_buf_free(&notes);
}

static bool is_late(const struct ingest_import *i) { return ck_boot_ms() - i->told_at >= TELL_MS; }

void ingest_imports_tell(struct ingest_imports *all, void *router) {
  for (struct ingest_import *i = all->head; i; i = i->next)
    if (!i->over && is_late(i)) say_more(i, router, 0);
}

/* Reads on; and when nothing has come for a while, what is gathered of a log, too. */
static void advance(struct ingest_import *i, struct ingest_lookup *lookup) {
  struct ingest_reader *reader = i->reading->reader;
  if (i->ended) ingest_reader_end(reader); /* also if a piece is missing */
  if (!i->owed && !i->ended && ck_boot_ms() - i->piece_at >= PAUSE_MS) ingest_reader_pause(reader);
  ingest_reading_go(i->reading, lookup);
  if (i->ended && ingest_reader_done(reader)) ingest_blocks_flush(&i->reading->blocks);
}

static void answer_one(struct ingest_import *i, void *router, bool room, bool away) {
  const struct ingest_acceptor *acceptor = i->reading->all->acceptor;
  const struct ingest_reader *reader = i->reading->reader;
  bool spooled = ingest_spool_unsynced(acceptor->spool) == 0;
  if (i->wait) away = false;
  if (away) room = !acceptor->full;
  bool receipted = ingest_reading_receipted(i->reading),
       done = i->ended && ingest_reader_done(reader);
  if (done && (receipted || (away && spooled)))
    say_imported(i, router);
  else if (i->owed && !i->ended && room && ingest_reader_waiting(reader) < WAITING_MAX)
    say_more(i, router, i->piece);
  else if (is_late(i))
    say_more(i, router, 0);
}

static void import_free(struct ingest_import *i) {
  ingest_reading_free(&i->reading);
  free(i->peer);
  free(i);
}

void ingest_imports_answer(struct ingest_imports *all, void *router, struct ingest_lookup *lookup,
                           bool room, bool away) {
  for (struct ingest_import **link = &all->head; *link;) {
    struct ingest_import *i = *link;
    if (!i->over) advance(i, lookup);
    if (!i->over) answer_one(i, router, room, away);
    if (i->over) {
      ingest_blocks_flush(&i->reading->blocks); /* of a peer that is gone */
      *link = i->next;
      import_free(i);
      --all->count;
      malloc_trim(0);
    } else {
      link = &i->next;
    }
  }
}

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t ingest_imports_until(const struct ingest_imports *all) {
  int64_t until = INT64_MAX;
  for (const struct ingest_import *i = all->head; i; i = i->next) {
    until = sooner(until, i->told_at + TELL_MS);
    until = sooner(until, ingest_reading_until(i->reading));
    if (ingest_reader_gathers(i->reading->reader)) until = sooner(until, i->piece_at + PAUSE_MS);
  }
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
