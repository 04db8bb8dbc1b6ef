/* How long what the rows say is to be waited for.
 *
 * A row has a deadline by the wall clock. What that stands for is known of a wait that this run has
 * begun. Of all others it is not: the row may be of long ago, and the clock may have been stepped
 * since; and a calendar time looks like any other. So the store is asked. What it does not name is
 * over.
 *
 * At a start, or if very many rows have come at once, it is asked for all waits that last and for
 * the calendar times, page by page: a round. Else it is asked for one after the other, each of
 * which is a round by itself. */
#include "renewd/core/inner.h"

#include <stdlib.h>

/* Of more rows than this all waits are asked for. */
#define ONE_BY_ONE RENEW_PAGE

/* Rounds are counted without 0, and begin again at the end. */
static uint32_t after(uint32_t round) { return round + 1 ? round + 1 : 1; }

uint32_t renew_wait_unsure(struct renew_core *core, struct renew_conversation *c) {
  struct renew_queue *q = &core->waits.queue;
  if (!c->asked) {
    c->asked = true;
    c->next_asked = NULL;
    if (q->head)
      q->tail->next_asked = c;
    else
      q->head = c;
    q->tail = c;
    core->waits.asked++;
  }
  core->waits.wanted = true;
  core->waits.rows++;
  return after(core->waits.round); /* the one that is under way may be older than the row */
}

void renew_waits_lost(struct renew_core *core) {
  struct renew_waits *w = &core->waits;
  renew_ticket_drop(&core->tickets, &w->ticket);
  w->wanted |= w->more || w->one;
  w->more = false;
  renew_waits_forget(core);
}

void renew_waits_forget(struct renew_core *core) {
  free(core->waits.one);
  core->waits.one = NULL;
}

/* Asks for it alone: a conversation's rest, or a job. */
static void query_one(struct renew_core *core, bool of_job, const char *id) {
  struct renew_waits *w = &core->waits;
  struct ck_str name = ck_str_of(id), none = {0};
  w->round = after(w->round);
  w->of_job = of_job;
  w->one = ck_strdup(id);
  renew_query(core->out, renew_ticket_take(&core->tickets, &w->ticket, RENEW_OF_WAITS),
              &(struct renew_question){.parts = RENEW_ABOUT_WAITS,
                                       .job_id = of_job ? name : none,
                                       .conversation_id = of_job ? none : name});
}

static struct renew_conversation *take_first(struct renew_waits *w) {
  struct renew_conversation *c = w->queue.head;
  w->queue.head = c->next_asked;
  w->asked--;
  c->asked = false;
  return c;
}

/* A conversation of which nothing is left to be asked may go on. */
static void query_next(struct renew_core *core) {
  struct renew_waits *w = &core->waits;
  while (w->queue.head) {
    struct renew_conversation *c = w->queue.head;
    const struct renew_job *j = c->jobs;
    while (j && !j->unsure) j = j->next;
    if (c->unsure || j) {
      query_one(core, !c->unsure, c->unsure ? c->node.id : j->node.id);
      return;
    }
    renew_conversation_drop(core, take_first(w));
  }
  w->wanted = false;
  w->rows = 0;
}

bool renew_waits_look(const struct renew_core *core) {
  const struct renew_waits *w = &core->waits;
  return core->recovered && (w->wanted || w->more) && !w->ticket.number;
}

void renew_waits_load(struct renew_core *core) {
  struct renew_waits *w = &core->waits;
  w->started |= core->recovered && !w->wanted && !w->more;
  if (!renew_waits_look(core) || core->now.boot < w->at) return;
  if (!w->more && w->started && w->rows <= ONE_BY_ONE) {
    query_next(core);
    return;
  }
  if (!w->more) {
    w->more = true;
    w->wanted = false;
    w->number = 0;
    w->round = after(w->round);
  }
  renew_query(core->out, renew_ticket_take(&core->tickets, &w->ticket, RENEW_OF_WAITS),
              &(struct renew_question){.parts = RENEW_ABOUT_WAITS, .number = w->number});
}

/* Boot. */
static int64_t over_at(const struct renew_core *core, const struct renew_wait_row *row) {
  return core->now.boot + (row->left < RENEW_TIME_LIMIT ? row->left : RENEW_TIME_LIMIT);
}

static void take_job(struct renew_core *core, const struct renew_wait_row *row) {
  struct renew_job *j = renew_core_job(core, row->id);
  if (!j || !j->unsure || j->next_attempt_at != renew_clamp(row->until)) return;
  j->unsure = 0;
  j->calendar = row->calendar;
  j->due = row->calendar ? renew_rebase(j->next_attempt_at, core->now) : over_at(core, row);
}

static void take_rest(struct renew_core *core, const struct renew_wait_row *row) {
  struct renew_conversation *c = renew_core_conversation(core, row->id);
  int64_t until = renew_clamp(row->until);
  bool left_out = c && !c->cooldown_until; /* its row, as it is on manual */
  if (!c || !c->unsure || (!left_out && c->cooldown_until != until)) return;
  c->unsure = 0;
  c->cooldown_until = until;
  c->rest = over_at(core, row);
}

/* What the store has not named is over; which was so first, the wall clock tells. */
static void settle_one(const struct renew_core *core, uint32_t *unsure, int64_t *until) {
  if (!*unsure || *unsure == after(core->waits.round)) return;
  *unsure = 0;
  if (*until > core->now.boot) *until = core->now.boot;
}

/* In the order in which they came. One of which a row has come meanwhile is asked about again. */
static void settle(struct renew_core *core) {
  core->waits.rows = 0;
  for (size_t n = core->waits.asked; n; n--) {
    struct renew_conversation *c = take_first(&core->waits);
    settle_one(core, &c->unsure, &c->rest);
    if (c->unsure) renew_wait_unsure(core, c);
    for (struct renew_job *j = c->jobs; j; j = j->next) {
      settle_one(core, &j->unsure, &j->due);
      if (j->unsure) renew_wait_unsure(core, c);
    }
    renew_turn_rests(core, c);
    renew_conversation_touch(core, c);
    renew_conversation_drop(core, c);
  }
}

/* It may be gone by now. */
static void settle_asked(struct renew_core *core) {
  struct renew_waits *w = &core->waits;
  struct ck_str id = ck_str_of(w->one);
  struct renew_job *j = w->of_job ? renew_core_job(core, id) : NULL;
  struct renew_conversation *c = j ? j->of : w->of_job ? NULL : renew_core_conversation(core, id);
  if (j) settle_one(core, &j->unsure, &j->due);
  if (c && !j) settle_one(core, &c->unsure, &c->rest);
  renew_waits_forget(core);
  if (w->rows) w->rows--;
  if (!c) return;
  renew_turn_rests(core, c);
  renew_conversation_touch(core, c);
}

void renew_waits_page(struct renew_core *core, const struct renew_answer *a) {
  struct renew_waits *w = &core->waits;
  if (a->problem) {
    renew_core_error(core, a->problem);
    w->at = core->now.boot + RENEW_AGAIN_MS;
    renew_waits_forget(core);
    return;
  }
  for (size_t i = 0; i < a->n; i++) {
    if (a->waits[i].of_job)
      take_job(core, &a->waits[i]);
    else
      take_rest(core, &a->waits[i]);
    w->number = a->waits[i].number + 1;
  }
  if (w->one) {
    settle_asked(core);
    return;
  }
  if (a->n == RENEW_PAGE) return;
  w->more = false;
  w->started = true;
  settle(core);
}
