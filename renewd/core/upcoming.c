/* Jobs by hand that were not tried yet, of which there may be very many: those that are due are
 * held, and the next ones up to a horizon. The others are in the store, and are asked for page by
 * page, in the order in which they are due.
 *
 * All of them that are due before the horizon are held, whatever comes, and of those that are due
 * at it what the last page has; of those beyond it none has to be. So a row of one beyond it may be
 * left out, and the horizon may come nearer at any time. */
#include "renewd/core/inner.h"

#include <stdlib.h>

/* Pages are asked for so long before the horizon is reached. */
#define MARGIN_MS 60000

bool renew_upcoming_is(const struct renew_job *j) {
  return j->status == RENEW_PENDING && !j->automatic && !j->tried;
}

void renew_upcoming_count(struct renew_core *core, struct renew_job *j, bool counts) {
  if (counts && !j->upcoming) core->upcoming.held++;
  if (!counts && j->upcoming) core->upcoming.held--;
  j->upcoming = counts;
}

static void ends_at(struct renew_upcoming *u, int64_t horizon, struct ck_str cursor) {
  u->horizon = horizon;
  renew_keep_cursor(&u->cursor, cursor);
}

void renew_upcoming_init(struct renew_upcoming *u) { u->horizon = RENEW_NO_HORIZON; }

/* ---- rows ---- */

/* A page that may have jobs that are not held. */
static bool is_asked(const struct renew_core *core) {
  return core->upcoming.ticket.number || core->offers.ticket.number;
}

bool renew_upcoming_is_far(struct renew_core *core, int64_t due) {
  struct renew_upcoming *u = &core->upcoming;
  if (due == RENEW_NEVER) return true;
  if (is_asked(core)) return false; /* the page may not have it */
  bool many = u->held >= 2 * core->set.ahead && due > core->now.wall + MARGIN_MS;
  if (many && due <= u->horizon) ends_at(u, due - 1, (struct ck_str){0});
  return due > u->horizon;
}

static void forget(void *self, struct renew_node *n) {
  struct renew_upcoming *u = self;
  renew_index_remove(&u->over, n);
  free(n->id);
  free(n);
}

void renew_upcoming_over(struct renew_core *core, struct ck_str job_id, bool over) {
  struct renew_upcoming *u = &core->upcoming;
  struct renew_node *n = renew_index_find(&u->over, job_id);
  if (n && !over) forget(u, n);
  if (n || !over || !is_asked(core)) return;
  n = ck_zalloc(sizeof *n);
  n->id = ck_str_dup(job_id);
  renew_index_add(&u->over, n);
}

/* ---- pages ---- */

/* The time (boot) at which the next page is to be asked for, as far as is known now. */
static int64_t asks_at(const struct renew_core *core) {
  const struct renew_upcoming *u = &core->upcoming;
  if (!core->recovered || u->ticket.number || u->horizon == RENEW_NEVER) return RENEW_NEVER;
  if (u->held < core->set.ahead || u->horizon == RENEW_NO_HORIZON) return u->at;
  int64_t near = renew_rebase(u->horizon - MARGIN_MS, core->now);
  return near > u->at ? near : u->at;
}

void renew_upcoming_step(struct renew_core *core) {
  struct renew_upcoming *u = &core->upcoming;
  if (asks_at(core) > core->now.boot) return;
  renew_query(core->out, renew_ticket_take(&core->tickets, &u->ticket, RENEW_OF_UPCOMING),
              &(struct renew_question){.parts = RENEW_ABOUT_UPCOMING,
                                       .since = u->horizon,
                                       .cursor = ck_str_of(u->cursor)});
}

/* A step of the wall clock is noticed as for other jobs that wait for that clock. */
bool renew_upcoming_waits(const struct renew_core *core, int64_t *at) {
  const struct renew_upcoming *u = &core->upcoming;
  *at = asks_at(core);
  return core->recovered && u->horizon != RENEW_NEVER;
}

struct renew_job *renew_upcoming_take(struct renew_core *core, const struct renew_job_row *r) {
  struct renew_upcoming *u = &core->upcoming;
  struct ck_str id = ck_row_key(&r->row);
  bool stale = r->version > core->version || renew_index_find(&u->over, id);
  const struct renew_job *known = renew_core_job(core, id);
  /* One that is over here is of another history: what was under way then goes on to its end. */
  if (!stale && (!known || known->status == RENEW_OVER)) renew_job_take(core, &r->row);
  return renew_core_job(core, id);
}

void renew_upcoming_page(struct renew_core *core, const struct renew_answer *a) {
  struct renew_upcoming *u = &core->upcoming;
  if (a->problem) {
    renew_core_error(core, a->problem);
    u->at = core->now.boot + RENEW_AGAIN_MS;
    return;
  }
  int64_t horizon = RENEW_NEVER;
  if (a->cursor.n && a->n)
    horizon = renew_clamp(ck_row_int(&a->jobs[a->n - 1].row, CK_JOBS_NEXT_ATTEMPT_AT, 0));
  ends_at(u, horizon, a->cursor);
  for (size_t i = 0; i < a->n; i++) renew_upcoming_take(core, &a->jobs[i]);
  if (!is_asked(core)) renew_index_each(&u->over, forget, u);
  u->ready = u->ready || horizon > core->now.wall;
}

void renew_upcoming_reset(struct renew_core *core) {
  struct renew_upcoming *u = &core->upcoming;
  size_t held = u->held; /* those whose attempts go on */
  renew_ticket_drop(&core->tickets, &u->ticket);
  renew_index_each(&u->over, forget, u);
  renew_index_free(&u->over);
  free(u->cursor);
  *u = (struct renew_upcoming){.horizon = RENEW_NO_HORIZON, .held = held};
}
