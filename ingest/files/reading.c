/* See reading.h: the tally, what the reader finds, the originals, and the questions about them. */
#include "ingest/files/reading.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"
#include "proto/clock.h"

#define FAILURES_TOLD 100 /* in IMPORTED; the rest are only counted */
#define FAILURE_TEXT 512
#define FORGOTTEN_NOTE "message that was forgotten, and stays away"
#define ANSWER_MS 3000 /* how long an answer is waited for */

struct ingest_sent {
  uint64_t number;
  unsigned observations; /* that are counted with it */
};

/* ---- the tally ---- */

void ingest_reading_failed(struct ingest_reading *r, struct ck_str place, struct ck_str reason) {
  ++r->failed;
  if (r->failures_kept == FAILURES_TOLD) return;
  ++r->failures_kept;
  char in_place[FAILURE_TEXT], in_reason[FAILURE_TEXT];
  const struct ck_failure failure = {ingest_clean(in_place, sizeof in_place, place),
                                     ingest_clean(in_reason, sizeof in_reason, reason)};
  ck_failure_encode(&r->failures, &failure);
}

void ingest_reading_sent(struct ingest_reading *r, uint64_t number, unsigned observations) {
  r->taken += observations;
  if (r->sent_first == r->sent_end) r->sent_first = r->sent_end = 0;
  if (r->sent_first > r->sent_room / 2) {
    memmove(r->sent, r->sent + r->sent_first, (r->sent_end - r->sent_first) * sizeof *r->sent);
    r->sent_end -= r->sent_first;
    r->sent_first = 0;
  }
  if (r->sent_end == r->sent_room)
    r->sent = ck_realloc(r->sent,
                         (r->sent_room = r->sent_room ? r->sent_room * 2 : 64) * sizeof *r->sent);
  r->sent[r->sent_end++] = (struct ingest_sent){number, observations};
}

/* Receipts come in the order of the numbers, so it can only be the first one's. */
static bool is_next(const struct ingest_reading *r, uint64_t number) {
  return r->sent_first < r->sent_end && r->sent[r->sent_first].number == number;
}

static void on_refused(void *self, const char *place, struct ck_str reason) {
  ingest_reading_failed(self, ck_str_of(place), reason);
}

static void on_note(void *self, const char *kind, uint64_t n) {
  struct ingest_reading *r = self;
  ingest_notes_add(&r->notes, ck_str_of(kind), n);
  ingest_notes_add(&r->all->acceptor->notes, ck_str_of(kind), n);
}

/* The observations of one changeset. Without counts, all have gone the same way. */
static void count(struct ingest_reading *r, unsigned n, char result,
                  const struct ck_counts *counts) {
  if (counts && counts->forgotten) on_note(r, FORGOTTEN_NOTE, counts->forgotten);
  if (counts) {
    r->added += counts->added;
    r->updated += counts->updated;
    r->unchanged += counts->unchanged;
  } else if (result == 'n') {
    r->added += n;
  } else if (result == '=') {
    r->unchanged += n;
  } else {
    r->updated += n; /* also if the store has forgotten the result: it had been applied */
  }
}

void ingest_readings_receipt(struct ingest_readings *all, uint64_t number, char result,
                             struct ck_str reason, const struct ck_counts *counts) {
  struct ingest_reading *r = all->head;
  while (r && !is_next(r, number)) r = r->next;
  if (result == 'r') ingest_refused(all->acceptor, number, reason, r ? on_refused : NULL, r);
  if (!r) return;
  unsigned n = r->sent[r->sent_first++].observations;
  r->receipted += n;
  if (result != 'r') count(r, n, result, counts);
}

void ingest_readings_renumbered(struct ingest_readings *all, uint64_t from, uint64_t by) {
  for (struct ingest_reading *r = all->head; r; r = r->next)
    for (size_t k = r->sent_first; k < r->sent_end; ++k)
      if (r->sent[k].number >= from) r->sent[k].number += by;
}

/* ---- the file ---- */

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  struct ingest_reading *r = self;
  (void)place;
  r->in_conversation = true;
  if (!c->partly) ingest_blocks_conversation(&r->blocks, c->platform, c->id, c->age);
  ingest_accept_begin(r->all->acceptor, c, ingest_blocks_id(&r->blocks), &r->giver);
}

static void on_end(void *self) {
  struct ingest_reading *r = self;
  r->in_conversation = false;
  ingest_accept_end(r->all->acceptor);
}

static void on_spooled(void *self, uint64_t number, unsigned messages, unsigned executions) {
  struct ingest_reading *r = self;
  ingest_blocks_count(&r->blocks, messages, executions, 0);
  ingest_reading_sent(r, number, messages);
}

static void on_failed(void *self, const char *place, const char *reason) {
  struct ingest_reading *r = self;
  ingest_blocks_count(&r->blocks, 0, 0, 1);
  ingest_reading_failed(r, ck_str_of(place), ck_str_of(reason));
}

/* An observation that stands alone. An execution of a message that is told elsewhere is not counted
 * by its original: so that is read again each time. */
static void take_alone(struct ingest_reading *r, const struct ingest_observation *o,
                       const char *place) {
  struct ingest_acceptor *a = r->all->acceptor;
  struct ck_err err;
  uint64_t number;
  if (ingest_accept(a, o, r->name, place, ingest_blocks_id(&r->blocks), 0, &number, &err)) {
    on_failed(r, place, err.text);
    return;
  }
  ingest_blocks_count(&r->blocks, a->alone.messages, a->alone.executions, !a->alone.messages);
  ingest_reading_sent(r, number, 1);
}

static enum ingest_seen seen(const struct ingest_reading *r, const struct ingest_observation *o) {
  if (!r->followed) return o->seen;
  bool in_time = o->observed_at >= r->live_since; /* INGEST_NO_TIME is least */
  return ingest_reader_is_live(r->reader) && in_time ? INGEST_SEEN_LIVE : INGEST_SEEN_LATER;
}

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct ingest_reading *r = self;
  struct ingest_observation own = *o;
  own.seen = seen(r, o);
  if (r->in_conversation)
    ingest_accept_message(r->all->acceptor, &own, place);
  else
    take_alone(r, &own, place);
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  struct ingest_reading *r = self;
  ingest_reject(r->all->acceptor, r->name, place, reason, raw);
  on_failed(self, place, reason);
}

/* The other store's export says less of the conversation than what it was read from there: among
 * its originals it is the oldest. */
static void on_rows(void *self, const struct ingest_rows *rows, const char *place) {
  struct ingest_reading *r = self;
  ingest_blocks_conversation(&r->blocks, rows->platform, rows->conversation, 0);
  ingest_accept_rows(r->all->acceptor, rows, ingest_blocks_id(&r->blocks), &r->giver, place);
}

/* ---- originals ---- */

static void begin_original(void *self, const char *id, struct ck_str bytes, bool kept,
                           const char *reader, const struct ck_original *run) {
  struct ingest_reading *r = self;
  ingest_blocks_begin(&r->blocks, id, bytes, kept, reader, run->age);
  ingest_blocks_log(&r->blocks, run);
}

static void end_original(void *self) {
  ingest_blocks_end(&((struct ingest_reading *)self)->blocks);
}

static void whole_original(void *self, uint64_t messages) {
  struct ingest_reading *r = self;
  r->taken += messages;
  r->receipted += messages;
  r->unchanged += messages;
}

static void send_block(void *self, struct ck_str mutations) {
  struct ingest_reading *r = self;
  uint64_t number;
  ingest_accept_block(r->all->acceptor, mutations, &number);
  ingest_reading_sent(r, number, 0);
}

/* An answer that is late, or cannot be had, is taken for "nothing". */
static void told(struct ingest_reading *r, struct ck_str had) {
  r->question = 0;
  ingest_reader_told(r->reader, had);
}

void ingest_readings_had(struct ingest_readings *all, uint64_t question, struct ck_str had) {
  for (struct ingest_reading *r = all->head; r; r = r->next)
    if (r->question == question) told(r, had);
}

static void ask(struct ingest_reading *r, struct ingest_lookup *lookup) {
  struct ck_buf ids = {0};
  char reader[INGEST_READER_NAME];
  if (ingest_reader_ask(r->reader, &ids, reader)) {
    r->question = ingest_lookup_ask(lookup, reader, ck_buf_view(&ids));
    r->asked_at = ck_boot_ms();
    if (!r->question) told(r, (struct ck_str){0});
  }
  ck_buf_free(&ids);
}

void ingest_reading_follow(struct ingest_reading *r, uint64_t history, int64_t since) {
  r->followed = true;
  r->live_since = since;
  ingest_reader_follow(r->reader, history);
}

void ingest_reading_go(struct ingest_reading *r, struct ingest_lookup *lookup) {
  bool late = ck_boot_ms() - r->asked_at >= ANSWER_MS;
  if (r->question && (!lookup || late)) told(r, (struct ck_str){0});
  ingest_reader_go(r->reader, lookup != NULL);
  if (lookup && !r->question) ask(r, lookup);
}

bool ingest_reading_receipted(const struct ingest_reading *r) {
  return r->sent_first == r->sent_end;
}

int64_t ingest_reading_until(const struct ingest_reading *r) {
  return r->question ? r->asked_at + ANSWER_MS : INT64_MAX;
}

size_t ingest_reading_memory(const struct ingest_reading *r) {
  return sizeof *r + ingest_reader_memory(r->reader) + ingest_blocks_memory(&r->blocks) +
         r->failures.cap + r->sent_room * sizeof *r->sent;
}

/* ---- the life of one ---- */

struct ingest_reading *ingest_reading_new(struct ingest_readings *all, struct ck_str name,
                                          bool again, uint64_t first) {
  struct ingest_reading *r = ck_zalloc(sizeof *r);
  const struct ingest_visitor visitor = {r,          on_begin, on_end, on_observation,
                                         on_failure, on_note,  on_rows};
  const struct ingest_originals_ops originals = {r, begin_original, end_original, whole_original};
  r->all = all;
  r->name = ck_str_dup(name);
  r->giver = (struct ingest_giver){r, r->name, on_spooled, on_failed, on_note};
  r->reader = ingest_reader_new(r->name, &visitor);
  r->blocks.send = send_block;
  r->blocks.self = r;
  r->blocks.shared = &all->zstd;
  ingest_reader_originals(r->reader, &originals, again, first);
  r->next = all->head;
  all->head = r;
  return r;
}

void ingest_reading_free(struct ingest_reading **reading) {
  struct ingest_reading *r = *reading;
  if (!r) return;
  struct ingest_reading **link = &r->all->head;
  while (*link != r) link = &(*link)->next;
  *link = r->next;
  ingest_reader_free(&r->reader);
  ingest_blocks_free(&r->blocks);
  ck_buf_free(&r->failures);
  ingest_notes_free(&r->notes);
  free(r->sent);
  free(r->name);
  free(r);
  *reading = NULL;
}

void ingest_readings_end(struct ingest_readings *all) { ingest_blocks_end_shared(&all->zstd); }
