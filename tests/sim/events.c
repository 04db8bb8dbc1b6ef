/* The queue of events, the trace, and the end of a run that failed. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event *sim_add(enum kind kind, int64_t in, int id) {
  struct event *e = ck_zalloc(sizeof *e);
  e->kind = kind;
  e->id = id;
  ck_heap_set(&world.events, &e->timer, world.boot + in);
  return e;
}

void sim_event_free(struct event *e) {
  sim_question_free(e->question);
  free(e->outcome);
  free(e->pauses);
  free(e);
}

struct event *sim_take(void) {
  struct ck_timer *first = ck_heap_top(&world.events);
  if (first) ck_heap_drop(&world.events, first);
  return (struct event *)first;
}

/* ---- the trace ---- */

/* FNV-1a. */
static void add(const char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++)
    world.hash = (world.hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
  if (world.trace) fwrite(bytes, 1, n, world.trace);
}

void sim_note(const char *fmt, ...) {
  char line[256];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  add(line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

static void add_number(int64_t number) {
  if (world.trace)
    sim_note(" %lld", (long long)number);
  else
    add((const char *)&number, sizeof number);
}

static void add_text(struct ck_str s) {
  add(" ", 1);
  add(s.n ? s.s : "", s.n);
}

static void note_limit(const struct ck_limit *l) {
  add_text(l->account);
  add_number(l->until);
  add_number(l->since);
  add_number(l->times);
  add_number(l->over);
  add_number(l->at);
}

static void note_mutation(const struct renew_effect *e) {
  const struct ck_mutation *m = &e->as.tell.mutation;
  const struct ck_row *row = e->as.tell.row;
  add_number(m->kind);
  if (row) {
    for (unsigned i = 0; i < CK_COLUMNS_MAX; i++) {
      if (row->v[i].state == CK_INT) add_number(row->v[i].as.i);
      if (row->v[i].state == CK_TEXT) add_text(row->v[i].as.s);
    }
  } else if (m->kind == CK_OP_CLAIM) {
    add_text(m->as.claim.job_id);
    add_text(m->as.claim.token);
    add_number(m->as.claim.at);
  } else if (m->kind == CK_OP_END) {
    add_text(m->as.end.job_id);
    add_text(m->as.end.token);
    add_text(m->as.end.outcome);
    add_text(m->as.end.error);
    add_number((int64_t)m->as.end.attempt);
    add_number(m->as.end.next_attempt_at);
    add_number(m->as.end.cooldown_until);
    add_text(m->as.end.result);
  } else if (m->kind == CK_OP_OFFER) {
    add_text(m->as.offer.job_id);
    add_text(m->as.offer.offer);
    add_text(m->as.offer.body);
  } else if (m->kind == CK_OP_LIMIT) {
    note_limit(&m->as.limit);
  } else {
    add_text(m->as.withdraw.job_id); /* the first member of all the others */
  }
}

void sim_note_effect(const struct renew_effect *e) {
  add("\n  ", 3);
  add_number(e->kind);
  add_number((int64_t)e->ticket);
  if (e->kind == RENEW_QUERY) {
    add_number(e->as.query.parts);
    add_text(e->as.query.job_id);
    add_text(e->as.query.conversation_id);
    add_text(e->as.query.message_id);
  } else if (e->kind == RENEW_TELL) {
    note_mutation(e);
    if (e->as.tell.limit) note_limit(&e->as.tell.limit->as.limit);
  } else if (e->kind == RENEW_SEND) {
    add_text(e->as.send.snapshot);
    add_text(e->as.send.letter);
  } else if (e->kind == RENEW_SAY) {
    add_text(e->as.say.subject);
    add_text(ck_str_of(e->as.say.event));
    for (unsigned i = 0; i < e->as.say.n; i++) {
      add_number(e->as.say.pairs[i].number);
      add_text(e->as.say.pairs[i].text);
    }
  }
}

void sim_fail(const char *fmt, ...) {
  va_list ap;
  fflush(stdout);
  fprintf(stderr, "sim: FAILED after %lld events, at boot %lld, wall %lld: ", world.n.events,
          (long long)world.boot, (long long)now().wall);
  va_start(ap, fmt);
  vfprintf(stderr, fmt, ap);
  va_end(ap);
  fprintf(stderr, "\nsim: again with: --seed %llu --conversations %d --deliveries %lld\n",
          (unsigned long long)world.seed, world.conversations_n, world.deliveries_wanted);
  if (world.trace) fflush(world.trace);
  exit(1);
}
