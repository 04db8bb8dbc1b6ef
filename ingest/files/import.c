/* Imports: the tally of each, its pieces, and the answers to its peer. The file itself is read by
 * reader.c. */
#include "ingest/files/import.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/files/blocks.h"
#include "ingest/parse/json.h"
#include "ingest/files/reader.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"

#define FAILURES_TOLD 100 /* in IMPORTED; the rest are only counted */
#define FAILURE_TEXT 512
#define TELL_MS 500 /* between two MORE, at most */
/* Bytes that may wait for the store's answer before the next piece is wanted. */
#define WAITING_MAX (4u << 20)
#define ANSWER_MS 3000 /* how long an answer is waited for */
#define PAUSE_MS 100   /* without a piece: what is gathered of a log goes in */

/* A changeset without a receipt. */
struct sent {
  uint64_t number;
  unsigned observations; /* that are counted with it */
};

struct ingest_import {
  struct ingest_import *next;
  struct ingest_imports *all;
  char *name;
  char *peer; /* its ZeroMQ identity, peer_n bytes */
  size_t peer_n;
  uint64_t request;
  struct ingest_reader *reader;
  struct ingest_blocks blocks;
  uint64_t question; /* that the store has not answered; 0: none */
  int64_t asked_at;  /* ck_boot_ms() */
  int64_t piece_at;  /* likewise, of the last piece */
  uint64_t piece;    /* number of the last piece received */
  bool wait;         /* the peer wants every receipt */
  bool attaches;     /* attachments come, not a file */
  bool begun;        /* a piece was received */
  bool ended;        /* no more pieces are read */
  bool in_conversation;
  bool over;       /* IMPORTED was sent, or the peer is gone: to be freed */
  bool owed;       /* the last piece has not been answered with MORE */
  int64_t told_at; /* ck_boot_ms() of the last answer */
  uint64_t taken, receipted, added, updated, unchanged, failed;
  struct sent *sent; /* ascending: from sent_first to sent_end */
  size_t sent_first, sent_end, sent_room;
  struct ingest_giver giver;
  struct ingest_notes notes;
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

static void add_number(struct ingest_import *i, uint64_t number, unsigned observations) {
  i->taken += observations;
  if (i->sent_first == i->sent_end) i->sent_first = i->sent_end = 0;
  if (i->sent_first > i->sent_room / 2) {
    memmove(i->sent, i->sent + i->sent_first, (i->sent_end - i->sent_first) * sizeof *i->sent);
    i->sent_end -= i->sent_first;
    i->sent_first = 0;
  }
  if (i->sent_end == i->sent_room)
    i->sent = ck_realloc(i->sent,
                         (i->sent_room = i->sent_room ? i->sent_room * 2 : 64) * sizeof *i->sent);
  i->sent[i->sent_end++] = (struct sent){number, observations};
}

/* Receipts come in the order of the numbers, so it can only be the first one's. */
static bool is_next(const struct ingest_import *i, uint64_t number) {
  return i->sent_first < i->sent_end && i->sent[i->sent_first].number == number;
}

static void on_refused(void *self, const char *place, struct ck_str reason) {
  add_failure(self, ck_str_of(place), reason);
}

/* The observations of one changeset. Without counts, all have gone the same way. */
static void count(struct ingest_import *i, unsigned n, char result,
                  const struct ck_counts *counts) {
  if (counts) {
    i->added += counts->added;
    i->updated += counts->updated;
    i->unchanged += counts->unchanged;
  } else if (result == 'n') {
    i->added += n;
  } else if (result == '=') {
    i->unchanged += n;
  } else {
    i->updated += n; /* also if the store has forgotten the result: it had been applied */
  }
}

void ingest_imports_receipt(struct ingest_imports *all, uint64_t number, char result,
                            struct ck_str reason, const struct ck_counts *counts) {
  struct ingest_import *i = all->head;
  while (i && !is_next(i, number)) i = i->next;
  if (result == 'r') ingest_refused(all->acceptor, number, reason, i ? on_refused : NULL, i);
  if (!i) return;
  unsigned n = i->sent[i->sent_first++].observations;
  i->receipted += n;
  if (result != 'r') count(i, n, result, counts);
}

void ingest_imports_renumbered(struct ingest_imports *all, uint64_t from, uint64_t by) {
  for (struct ingest_import *i = all->head; i; i = i->next)
    for (size_t k = i->sent_first; k < i->sent_end; ++k)
      if (i->sent[k].number >= from) i->sent[k].number += by;
}

/* ---- the file ---- */

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  struct ingest_import *i = self;
  (void)place;
  i->in_conversation = true;
  if (!c->partly) ingest_blocks_conversation(&i->blocks, c->platform, c->id, c->age);
  ingest_accept_begin(i->all->acceptor, c, ingest_blocks_id(&i->blocks), &i->giver);
}

static void on_end(void *self) {
  struct ingest_import *i = self;
  i->in_conversation = false;
  ingest_accept_end(i->all->acceptor);
}

static void on_spooled(void *self, uint64_t number, unsigned messages, unsigned executions) {
  struct ingest_import *i = self;
  ingest_blocks_count(&i->blocks, messages, executions, 0);
  add_number(i, number, messages);
}

static void on_failed(void *self, const char *place, const char *reason) {
  struct ingest_import *i = self;
  ingest_blocks_count(&i->blocks, 0, 0, 1);
  add_failure(i, ck_str_of(place), ck_str_of(reason));
}

/* An observation that stands alone. An execution of a message that is told elsewhere is not counted
 * by its original: so that is read again each time. */
static void take_alone(struct ingest_import *i, const struct ingest_observation *o,
                       const char *place) {
  struct ingest_acceptor *a = i->all->acceptor;
  struct ck_err err;
  uint64_t number;
  if (ingest_accept(a, o, i->name, place, ingest_blocks_id(&i->blocks), 0, &number, &err)) {
    on_failed(i, place, err.text);
    return;
  }
  ingest_blocks_count(&i->blocks, a->alone.messages, a->alone.executions, !a->alone.messages);
  add_number(i, number, 1);
}

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct ingest_import *i = self;
  if (i->in_conversation)
    ingest_accept_message(i->all->acceptor, o, place);
  else
    take_alone(i, o, place);
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  struct ingest_import *i = self;
  ingest_reject(i->all->acceptor, i->name, place, reason, raw);
  on_failed(self, place, reason);
}

static void on_note(void *self, const char *kind, uint64_t n) {
  struct ingest_import *i = self;
  ingest_notes_add(&i->notes, ck_str_of(kind), n);
  ingest_notes_add(&i->all->acceptor->notes, ck_str_of(kind), n);
}

/* The other store's export says less of the conversation than what it was read from there: among
 * its originals it is the oldest. */
static void on_rows(void *self, const struct ingest_rows *rows, const char *place) {
  struct ingest_import *i = self;
  ingest_blocks_conversation(&i->blocks, rows->platform, rows->conversation, 0);
  ingest_accept_rows(i->all->acceptor, rows, ingest_blocks_id(&i->blocks), &i->giver, place);
}

/* ---- originals ---- */

static void begin_original(void *self, const char *id, struct ck_str bytes, bool kept,
                           const char *reader, uint64_t first, uint64_t log) {
  struct ingest_import *i = self;
  ingest_blocks_begin(&i->blocks, id, bytes, kept, reader, (int64_t)first);
  ingest_blocks_log(&i->blocks, log);
}

static void end_original(void *self) { ingest_blocks_end(&((struct ingest_import *)self)->blocks); }

static void whole_original(void *self, uint64_t messages) {
  struct ingest_import *i = self;
  i->taken += messages;
  i->receipted += messages;
  i->unchanged += messages;
}

static void send_block(void *self, struct ck_str mutations) {
  struct ingest_import *i = self;
  uint64_t number;
  ingest_accept_block(i->all->acceptor, mutations, &number);
  add_number(i, number, 0);
}

/* An answer that is late, or cannot be had, is taken for "nothing". */
static void told(struct ingest_import *i, struct ck_str had) {
  i->question = 0;
  ingest_reader_told(i->reader, had);
}

void ingest_imports_had(struct ingest_imports *all, uint64_t question, struct ck_str had) {
  for (struct ingest_import *i = all->head; i; i = i->next)
    if (i->question == question) told(i, had);
}

static void ask(struct ingest_import *i, struct ingest_lookup *lookup) {
  struct ck_buf ids = {0};
  char reader[INGEST_READER_NAME];
  if (ingest_reader_ask(i->reader, &ids, reader)) {
    i->question = ingest_lookup_ask(lookup, reader, ck_buf_view(&ids));
    i->asked_at = ck_boot_ms();
    if (!i->question) told(i, (struct ck_str){0});
  }
  ck_buf_free(&ids);
}

/* Reads what can be read, and asks about the rest. */
static void advance(struct ingest_import *i, struct ingest_lookup *lookup) {
  int64_t now = ck_boot_ms();
  if (i->question && (!lookup || now - i->asked_at >= ANSWER_MS)) told(i, (struct ck_str){0});
  if (i->ended) ingest_reader_end(i->reader); /* also if a piece is missing */
  if (!i->owed && !i->ended && now - i->piece_at >= PAUSE_MS) ingest_reader_pause(i->reader);
  ingest_reader_go(i->reader, lookup != NULL);
  if (lookup && !i->question) ask(i, lookup);
  if (i->ended && ingest_reader_done(i->reader)) ingest_blocks_flush(&i->blocks);
}

struct ingest_import *ingest_import_open(struct ingest_imports *all, struct ck_str peer,
                                         const struct ck_open *open, struct ck_err *err) {
  if (all->count == INGEST_IMPORTS_MAX) {
    ck_fail(err, "%u imports are already running", all->count);
    return NULL;
  }
  struct ingest_import *i = ck_zalloc(sizeof *i);
  struct ingest_visitor visitor = {i,          on_begin, on_end, on_observation,
                                   on_failure, on_note,  on_rows};
  i->all = all;
  i->name = ck_str_dup(ck_utf8_cut(open->name, 4096));
  i->giver = (struct ingest_giver){i, i->name, on_spooled, on_failed, on_note};
  i->peer = ck_str_dup(peer);
  i->peer_n = peer.n;
  i->request = open->request;
  i->wait = open->wait;
  i->reader = ingest_reader_new(i->name, &visitor);
  i->blocks.send = send_block;
  i->blocks.self = i;
  const struct ingest_originals_ops originals = {i, begin_original, end_original, whole_original};
  ingest_reader_originals(i->reader, &originals, open->again, open->first);
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
  bool more = ingest_reader_feed(i->reader, bytes.s, bytes.n);
  if (!last && more) return;
  ingest_reader_end(i->reader);
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
    if (ingest_accept_attachment(i->all->acceptor, one, &number, &whole, &err))
      add_failure(i, CK_LIT("attachment"), ck_str_of(err.text));
    else
      add_number(i, number, whole); /* of its parts the last one counts */
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
  struct ck_buf failures = {0}, notes = {0};
  const char *error = i->error.text[0] ? i->error.text : ingest_reader_error(i->reader);
  bool skipped = !i->error.text[0] && ingest_reader_without_messages(i->reader);
  const char *format = i->attaches ? "attachments" : ingest_reader_format(i->reader);
  ck_put_array(&failures, i->failures_kept);
  ck_buf_str(&failures, ck_buf_view(&i->failures));
  ingest_notes_encode(&notes, &i->notes);
  m.as.imported = (struct ck_imported){.request = i->request,
                                       .format = ck_str_of(format),
                                       .added = i->added,
                                       .updated = i->updated,
                                       .unchanged = i->unchanged,
                                       .failed = i->failed + (*error && !skipped),
                                       .failures = ck_buf_view(&failures),
                                       .error = ck_str_of(error),
                                       .waiting = i->taken - i->receipted,
                                       .skipped = skipped,
                                       .notes = ck_buf_view(&notes)};
  if (say(i, router, &m) == 0) {
    i->over = true;
    ck_log(CK_INFO, "-", "imported",
           "file=%s format=%s new=%llu updated=%llu unchanged=%llu failed=%llu waiting=%llu "
           "replaced=%u error=%s",
           ck_quotedz(i->name), ck_quotedz(format), (unsigned long long)i->added,
           (unsigned long long)i->updated, (unsigned long long)i->unchanged,
           (unsigned long long)m.as.imported.failed, (unsigned long long)m.as.imported.waiting,
           ingest_reader_replaced(i->reader), ck_quotedz(error));
  }
  ck_buf_free(&failures);
  ck_buf_free(&notes);
}

static bool is_late(const struct ingest_import *i) { return ck_boot_ms() - i->told_at >= TELL_MS; }

void ingest_imports_tell(struct ingest_imports *all, void *router) {
  for (struct ingest_import *i = all->head; i; i = i->next)
    if (!i->over && is_late(i)) say_more(i, router, 0);
}

static void answer_one(struct ingest_import *i, void *router, bool room, bool away) {
  const struct ingest_acceptor *acceptor = i->all->acceptor;
  bool spooled = ingest_spool_unsynced(acceptor->spool) == 0;
  if (i->wait) away = false;
  if (away) room = !acceptor->full;
  bool receipted = i->sent_first == i->sent_end, done = i->ended && ingest_reader_done(i->reader);
  if (done && (receipted || (away && spooled)))
    say_imported(i, router);
  else if (i->owed && !i->ended && room && ingest_reader_waiting(i->reader) < WAITING_MAX)
    say_more(i, router, i->piece);
  else if (is_late(i))
    say_more(i, router, 0);
}

static void import_free(struct ingest_import *i) {
  ingest_reader_free(&i->reader);
  ingest_blocks_free(&i->blocks);
  ck_buf_free(&i->failures);
  free(i->sent);
  ingest_notes_free(&i->notes);
  free(i->name);
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
      ingest_blocks_flush(&i->blocks); /* of a peer that is gone */
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
    if (i->question) until = sooner(until, i->asked_at + ANSWER_MS);
    if (ingest_reader_gathers(i->reader)) until = sooner(until, i->piece_at + PAUSE_MS);
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
