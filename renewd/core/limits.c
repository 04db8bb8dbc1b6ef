/* The limits of accounts: what is known of each, and how it is taken.
 *
 *   reached ──► limited ──► its end ──► one delivery ──► done: over; reached again: limited
 *
 * One without an end is ended by a person: by UNLIMIT, with a job by hand, or by going on in one of
 * the account's conversations, which then gets an answer. Then, too, one delivery goes first.
 *
 * A time that is told is taken as it is for the first limit of a series. Whoever tells another one
 * each time that it ends is asked again sooner if it is long, and later if it is short; whoever
 * tells none, or one that is past, after a while that doubles. The store keeps all of it, so a
 * restart changes nothing. */
#include "renewd/core/limits.h"

#include <stdlib.h>

#include "renewd/core/inner.h"

/* A limit within this time after the one before has ended belongs to the same series, if
 * nothing has arrived since. */
#define SERIES_MS INT64_C(3600000)
/* The wait without a time: the first, and the longest. */
#define UNTOLD_FIRST INT64_C(900000)
#define UNTOLD_LONGEST INT64_C(14400000)
/* The longest wait for a time that has slid, for the first time; it doubles. */
#define SLID_FIRST INT64_C(3600000)
/* The shortest wait for a time that is told again though nothing has arrived; it doubles. */
#define AGAIN_FIRST INT64_C(60000)
#define AGAIN_LONGEST INT64_C(3600000)
/* A series of fewer limits is never hopeless, however long they are. */
#define HOPELESS_TIMES 6
/* A job by hand that is due so soon after it was made is one for now. */
#define AT_ONCE INT64_C(5000)
/* The longest of all: the weekly limits' length, and a day. */
#define LONGEST (8 * 24 * INT64_C(3600000))

static int64_t doubled(int64_t first, int64_t longest, int64_t times) {
  int64_t most = first;
  for (int64_t i = 1; i < times && most < longest; i++) most *= 2;
  return most < longest ? most : longest;
}

/* Who takes a delivery and then tells a time works as it says: after that each limit is the first
 * of a series. */
static bool is_in_series(const struct renew_limited *l, int64_t now) {
  return l->times > 0 && !l->over && now - l->until < SERIES_MS && l->until - now < LONGEST;
}

/* What is learned later has a later time. */
static void touched_at(struct renew_limited *l, int64_t now) {
  l->at = l->at < now ? now : l->at + 1;
}

/* Of a time to come that is told within a series. again: while the limit lasts. */
static int64_t wait_in_series(const struct renew_limited *l, int64_t wait, bool again,
                              int64_t now) {
  int64_t least = doubled(AGAIN_FIRST, AGAIN_LONGEST, l->times - 1);
  if (again && l->until - now < least) least = l->until - now;
  if (wait < least) return least;
  if (!again && wait > SLID_FIRST) return doubled(SLID_FIRST, wait, l->times - 1);
  return wait;
}

bool renew_limit_lasts(const struct renew_limited *l) {
  return l->times > 0 && !l->over && l->until == 0;
}

void renew_limit_take_lasting(struct renew_limited *l, int64_t now) {
  if (!is_in_series(l, now)) *l = (struct renew_limited){.since = now, .at = l->at};
  l->times++;
  l->until = 0;
  l->over = false;
  touched_at(l, now);
}

bool renew_limit_is_hopeless(const struct renew_limited *l, int64_t give_up, int64_t now) {
  return l->times >= HOPELESS_TIMES && now - l->since >= give_up;
}

void renew_limit_take(struct renew_limited *l, int64_t told, int64_t now) {
  bool in_series = is_in_series(l, now);
  bool again = in_series && now < l->until; /* of a delivery that began before it */
  if (!in_series) *l = (struct renew_limited){.since = now, .at = l->at};
  if (!again) l->times++;
  int64_t wait = told - now;
  if (told <= now)
    wait = again ? l->until - now : doubled(UNTOLD_FIRST, UNTOLD_LONGEST, l->times);
  else if (l->times > 1)
    wait = wait_in_series(l, wait, again, now);
  l->until = now + (wait < LONGEST ? wait : LONGEST);
  l->over = false;
  touched_at(l, now);
}

/* ---- the accounts that have had one ---- */

struct renew_account *renew_account_known(const struct renew_core *core, struct ck_str name) {
  return name.n ? (struct renew_account *)renew_index_find(&core->accounts, name) : NULL;
}

bool renew_core_limited(const struct renew_core *core, struct ck_str account) {
  const struct renew_account *a = renew_account_known(core, account);
  return a && a->counted;
}

static struct renew_account *account_get(struct renew_core *core, struct ck_str name) {
  struct renew_account *a = renew_account_known(core, name);
  if (a) return a;
  a = ck_zalloc(sizeof *a);
  a->node.id = ck_str_dup(name);
  renew_index_add(&core->accounts, &a->node);
  return a;
}

static void set_reason(struct renew_account *a, struct ck_str reason) {
  free(a->reason);
  free(a->why);
  a->reason = ck_str_dup(ck_utf8_cut(ck_trim(reason), 300));
  a->why = ck_sprintf("%s: %s", a->node.id, a->reason);
}

struct ck_str renew_lane_account(const struct renew_lane *l) {
  const struct renew_gate *g = l->gates[RENEW_GATE_ACCOUNT];
  return ck_str_of(g ? g->node.id : NULL);
}

const struct renew_account *renew_job_limit(const struct renew_core *core,
                                            const struct renew_job *j) {
  const struct renew_account *a = renew_account_known(core, renew_lane_account(j->lane));
  return a && a->limit.times && !a->limit.over ? a : NULL;
}

bool renew_job_is_limited(const struct renew_core *core, const struct renew_job *j) {
  const struct renew_account *a = renew_job_limit(core, j);
  return a && a->until > core->now.boot;
}

void renew_account_joined(struct renew_core *core, const struct renew_lane *l) {
  const struct renew_account *a = renew_account_known(core, renew_lane_account(l));
  if (a) renew_pace_limit(&core->pace, renew_lane_account(l), !a->limit.over, a->until);
}

/* Offers of the account are withdrawn. What it holds up may be charged elsewhere. */
static void touch(void *self, struct renew_node *n) {
  struct renew_core *core = self;
  struct renew_job *j = (struct renew_job *)n;
  if (j->phase == RENEW_OPEN && renew_job_is_limited(core, j))
    renew_conversation_touch(core, j->of);
  if (!j->of->account_known && renew_job_limit(core, j)) renew_address_account(core, j->of);
}

/* left: milliseconds until its end. */
static void apply(struct renew_core *core, struct renew_account *a, int64_t left) {
  bool counts = a->limit.times && !a->limit.over;
  int64_t known = renew_rebase(a->limit.at, core->now);
  a->counted = counts;
  a->known = known < core->now.boot ? known : core->now.boot; /* ahead: the clock was wrong then */
  if (left > LONGEST) left = LONGEST;                         /* more is a clock's fault */
  a->until = renew_limit_lasts(&a->limit) ? RENEW_NEVER : core->now.boot + left;
  renew_pace_limit(&core->pace, ck_str_of(a->node.id), counts, a->until);
  if (counts) renew_index_each(&core->jobs, touch, core);
}

static struct ck_mutation tell(const struct renew_account *a) {
  struct ck_mutation m = {.kind = CK_OP_LIMIT};
  m.as.limit = (struct ck_limit){.account = ck_str_of(a->node.id),
                                 .until = a->limit.until,
                                 .since = a->limit.since,
                                 .times = a->limit.times,
                                 .over = a->limit.over,
                                 .reason = ck_str_of(a->reason),
                                 .at = a->limit.at};
  return m;
}

static void say_limited(struct renew_core *core, const struct renew_account *a) {
  struct renew_line *l = renew_say(core->out, RENEW_SAY_WARN, a->node.id, "limited");
  if (renew_limit_lasts(&a->limit))
    renew_say_word(core->out, l, "until", "resumed");
  else
    renew_say_number(l, "wait_ms", a->limit.until - core->now.wall);
  renew_say_number(l, "times", a->limit.times);
  renew_say_text(core->out, l, "reason", ck_str_of(a->reason));
}

/* When it ends is known by the boot clock; after a step of the wall clock its times are others. */
static void rebase(struct renew_account *a, struct renew_now now) {
  if (!a->limit.times || renew_limit_lasts(&a->limit)) return;
  int64_t moved = now.wall + (a->until - now.boot) - a->limit.until;
  a->limit.until += moved;
  a->limit.since += moved;
}

bool renew_account_limited(struct renew_core *core, struct ck_str name,
                           const struct renew_limit *limit, struct ck_str reason,
                           struct ck_mutation *m) {
  struct renew_account *a = account_get(core, name);
  int64_t now = core->now.wall;
  char *again = NULL;
  /* A delivery that began before one without an end was known says nothing new; to tell that again
   * could undo what a person has done meanwhile. */
  if (renew_limit_lasts(&a->limit)) return false;
  rebase(a, core->now);
  if (limit->kind == RENEW_LIMIT_LASTS)
    renew_limit_take_lasting(&a->limit, now);
  else
    renew_limit_take(&a->limit, limit->until, now);
  if (a->limit.until && renew_limit_is_hopeless(&a->limit, core->set.rules.give_up, now)) {
    again = ck_sprintf("reached again and again: %.*s", (int)ck_utf8_cut(reason, 250).n, reason.s);
    a->limit.until = 0;
  }
  set_reason(a, again ? ck_str_of(again) : reason);
  free(again);
  apply(core, a, a->limit.until - now);
  say_limited(core, a);
  *m = tell(a);
  return true;
}

/* A limit without an end is tried by one delivery. */
static struct ck_mutation try_again(struct renew_core *core, struct renew_account *a) {
  a->limit.until = core->now.wall;
  touched_at(&a->limit, core->now.wall);
  apply(core, a, 0);
  renew_say(core->out, RENEW_SAY_INFO, a->node.id, "limit_tried");
  return tell(a);
}

/* What is ahead of the clock came before that was set back, but when is not known. */
bool renew_account_answered(struct renew_core *core, struct ck_str name, int64_t at,
                            struct ck_mutation *m) {
  struct renew_account *a = renew_account_known(core, name);
  bool later = a && renew_rebase(at, core->now) > a->known && at - CK_AHEAD_MS <= core->now.wall;
  if (!a || !renew_limit_lasts(&a->limit) || !later) return false;
  *m = try_again(core, a);
  return true;
}

/* What was made for later is no wish when its time has come, nor is what waits for something else.
 */
static bool is_wish(const struct renew_core *core, const struct renew_job *j) {
  return !j->automatic && j->attempt_count == 0 && j->next_attempt_at <= core->now.wall &&
         j->next_attempt_at <= j->created_at + AT_ONCE && j->of->automation != RENEW_PAUSED &&
         !renew_job_pause(core, j);
}

void renew_account_wished(struct renew_core *core, const struct renew_job *j) {
  struct ck_mutation m;
  if (!j->of->account_known) {
    if (renew_job_limit(core, j)) renew_address_account(core, j->of);
    return;
  }
  if (is_wish(core, j) &&
      renew_account_answered(core, renew_lane_account(j->lane), j->created_at, &m))
    renew_tell(core->out, 0, &m);
}

bool renew_account_worked(struct renew_core *core, struct ck_str name, int64_t began,
                          struct ck_mutation *m) {
  struct renew_account *a = renew_account_known(core, name);
  if (!a || !a->counted || began < a->until) return false;
  a->limit.over = true;
  touched_at(&a->limit, core->now.wall);
  apply(core, a, a->until - core->now.boot);
  renew_say(core->out, RENEW_SAY_INFO, a->node.id, "limit_over");
  *m = tell(a);
  return true;
}

void renew_limit_tell(struct renew_core *core, const struct ck_mutation *limit, uint64_t with) {
  struct renew_account *a = renew_account_known(core, limit->as.limit.account);
  renew_tell_limit(core->out, limit);
  if (a) a->with = with;
}

struct refused {
  struct renew_core *core;
  uint64_t ticket;
};

static void tell_alone(void *self, struct renew_node *n) {
  const struct refused *r = self;
  struct renew_account *a = (struct renew_account *)n;
  if (a->with != r->ticket) return;
  struct ck_mutation m = tell(a);
  a->with = 0;
  renew_tell(r->core->out, 0, &m);
}

void renew_limit_receipted(struct renew_core *core, const struct renew_event *e) {
  struct refused r = {core, e->ticket};
  if (e->as.receipt.result == 'r' || e->as.receipt.result == '?')
    renew_index_each(&core->accounts, tell_alone, &r);
}

/* ---- those that the store has ---- */

bool renew_limits_look(const struct renew_core *core) {
  const struct renew_limits *l = &core->limits;
  return core->recovered && !l->ticket.number && (!l->loaded || l->look || l->more);
}

void renew_limits_load(struct renew_core *core) {
  struct renew_limits *l = &core->limits;
  if (!renew_limits_look(core) || core->now.boot < l->look_at) return;
  if (!l->cursor) l->look = false;
  renew_query(
      core->out, renew_ticket_take(&core->tickets, &l->ticket, RENEW_OF_LIMITS),
      &(struct renew_question){.parts = RENEW_ABOUT_LIMITS, .cursor = ck_str_of(l->cursor)});
}

/* What the core has told is newer than an answer that does not know of it. A person's UNLIMIT
 * changes nothing but the end. */
static void take_row(struct renew_core *core, const struct renew_limit_row *row) {
  struct renew_account *a = account_get(core, row->account);
  bool older = row->limit.at < a->limit.at;
  if (older || (row->limit.at == a->limit.at && row->limit.until == a->limit.until)) return;
  a->limit = row->limit;
  set_reason(a, row->reason);
  apply(core, a, row->left);
}

/* Its row came before the limits did. */
static void note_wish(void *self, struct renew_node *n) {
  const struct renew_job *j = (const struct renew_job *)n;
  if (j->status == RENEW_PENDING) renew_account_wished(self, j);
}

void renew_limits_page(struct renew_core *core, const struct renew_answer *answer) {
  struct renew_limits *l = &core->limits;
  if (answer->problem) {
    renew_core_error(core, answer->problem);
    l->more = true;
    l->look_at = core->now.boot + RENEW_AGAIN_MS;
    return;
  }
  for (size_t i = 0; i < answer->n; i++) take_row(core, &answer->limits[i]);
  renew_keep_cursor(&l->cursor, answer->cursor);
  l->more = l->cursor != NULL;
  if (l->more) return;
  l->loaded = true;
  renew_index_each(&core->jobs, note_wish, core);
}

static void account_free(void *self, struct renew_node *n) {
  struct renew_core *core = self;
  struct renew_account *a = (struct renew_account *)n;
  renew_index_remove(&core->accounts, &a->node);
  free(a->reason);
  free(a->why);
  free(a->node.id);
  free(a);
}

static void forget(void *self, struct renew_node *n) {
  struct renew_core *core = self;
  renew_pace_limit(&core->pace, ck_str_of(n->id), false, 0);
  account_free(self, n);
}

void renew_limits_reset(struct renew_core *core) {
  renew_ticket_drop(&core->tickets, &core->limits.ticket);
  renew_index_each(&core->accounts, forget, core);
  free(core->limits.cursor);
  core->limits = (struct renew_limits){0};
}

void renew_limits_free(struct renew_core *core) {
  renew_index_each(&core->accounts, account_free, core);
  renew_index_free(&core->accounts);
  free(core->limits.cursor);
}
