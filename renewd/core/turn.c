/* Turns: how long a conversation's last message has been unchanged, and what becomes of it.
 *
 *               CHANGED    SETTLED    HAS_JOB   ANSWERED                      RECEIPTED
 *   QUIET       unsettle              -
 *   UNSETTLED   unsettle   ASSESSED   QUIET
 *   ASSESSED    unsettle              QUIET     wanted: MAKING
 *                                               declined, or its turn
 *                                               goes on: QUIET
 *                                               no answer: unsettle, from
 *                                               the beginning
 *   MAKING      -                     -                                       unsettle
 *
 * unsettle: UNSETTLED if the conversation is on auto and its last message has not been judged; else
 * QUIET. What was asked for is not waited for any more. */
#include "renewd/core/inner.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/account.h"
#include "proto/crc32c.h"
#include "renewd/core/limit.h"

#define ASSESSED_AT_ONCE 32

typedef void rule(struct renew_core *core, struct renew_conversation *c,
                  const struct renew_event *e);

static struct renew_conversation *of_last(struct renew_node *n) {
  return (struct renew_conversation *)((char *)n - offsetof(struct renew_conversation, last));
}

static struct renew_conversation *of_unsettled(struct ck_timer *t) {
  return (struct renew_conversation *)((char *)t - offsetof(struct renew_conversation, unsettled));
}

static bool is_assessing(const struct renew_conversation *c) {
  return c->turn == RENEW_ASSESSED || c->turn == RENEW_MAKING;
}

/* Waits for nothing yet. */
static void become(struct renew_core *core, struct renew_conversation *c, enum renew_turn next) {
  core->assessing -= is_assessing(c);
  c->turn = next;
  core->assessing += is_assessing(c);
  renew_ticket_drop(&core->tickets, &c->turn_ticket);
  if (next != RENEW_MAKING) {
    free(c->made_for);
    c->made_for = NULL;
  }
  if (next == RENEW_UNSETTLED) /* what is made is due at the end of the rest */
    ck_heap_set(&core->unsettled, &c->unsettled, c->unsure ? RENEW_NEVER : c->settled);
  else
    ck_heap_drop(&core->unsettled, &c->unsettled);
}

/* ---- the last message ---- */

static uint32_t id_hash(struct ck_str id) { return ck_crc32c(0, id.s, id.n); }

/* Never 0. */
static uint64_t text_hash(struct ck_str text) {
  return (uint64_t)text.n << 32 | ck_crc32c(0, text.s, text.n) | 1;
}

static void set_declined(struct renew_core *core, struct renew_conversation *c,
                         enum renew_decline d) {
  core->declined -= renew_decline_is_told(c->declined);
  core->declined += renew_decline_is_told(d);
  c->declined = d;
}

/* Of several conversations with the same last message, which no source makes, the index has one. */
static bool is_indexed(const struct renew_core *core, const struct renew_conversation *c) {
  return c->last.id && renew_index_find(&core->lasts, ck_str_of(c->last.id)) == &c->last;
}

static void set_last(struct renew_core *core, struct renew_conversation *c, struct ck_str id) {
  if (is_indexed(core, c)) renew_index_remove(&core->lasts, &c->last);
  free(c->last.id);
  c->last.id = id.n ? ck_str_dup(id) : NULL;
  c->judged = false;
  set_declined(core, c, RENEW_NOT_DECLINED);
  if (!c->last.id) return;
  if (!renew_index_find(&core->lasts, id)) renew_index_add(&core->lasts, &c->last);
  c->last_text = core->seen.id == id_hash(id) ? core->seen.text : 0;
}

enum renew_automation renew_automation_of(struct ck_str word) {
  return ck_str_is(word, "auto")     ? RENEW_AUTO
         : ck_str_is(word, "paused") ? RENEW_PAUSED
                                     : RENEW_MANUAL;
}

void renew_turn_conversation_row(struct renew_core *core, struct renew_conversation *c,
                                 const struct ck_row *row) {
  struct ck_str last = ck_row_text(row, CK_CONVERSATIONS_LAST_MESSAGE_ID);
  enum renew_automation automation =
      renew_automation_of(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS));
  bool turns = automation != c->automation,
       changes = c->last.id ? !ck_str_is(last, c->last.id) : last.n > 0;
  c->automation = automation;
  if (changes) {
    set_last(core, c, last);
    c->settled = core->now.boot + core->set.delay;
  }
  if (changes || turns) renew_turn_step(core, c, RENEW_TURN_CHANGED, NULL);
}

void renew_turn_rests(struct renew_core *core, struct renew_conversation *c) {
  bool judges = c->turn == RENEW_UNSETTLED || (c->turn == RENEW_ASSESSED && c->unsure);
  if (judges) renew_turn_step(core, c, RENEW_TURN_CHANGED, NULL);
}

/* A message that is observed again without having grown has not changed; but what its owner is
 * asked may have been answered, and its turn may have ended. What the store is being asked about it
 * may be older than that. */
void renew_turn_message_row(struct renew_core *core, const struct ck_row *row) {
  struct ck_str id = ck_row_key(row);
  core->seen.id = id_hash(id);
  core->seen.text = text_hash(ck_row_text(row, CK_MESSAGES_RAW_TEXT));
  struct renew_node *n = renew_index_find(&core->lasts, id);
  if (!n) return;
  struct renew_conversation *c = of_last(n);
  bool braked = c->braked.brake != RENEW_FREELY;
  renew_conversation_unbrake(c); /* it may not wait for its owner any more */
  if (braked) renew_conversation_touch(core, c);
  bool grown = c->last_text != core->seen.text, open = c->declined == RENEW_TURN_OPEN;
  if (!grown && !open && c->turn != RENEW_ASSESSED) return;
  c->last_text = core->seen.text;
  if (grown || open) c->settled = core->now.boot + core->set.delay;
  if (open) set_declined(core, c, RENEW_NOT_DECLINED);
  renew_turn_step(core, c, RENEW_TURN_CHANGED, NULL);
  renew_conversation_touch(core, c);
}

void renew_turn_forget(struct renew_core *core, struct renew_conversation *c) {
  set_last(core, c, (struct ck_str){0});
  c->automation = RENEW_MANUAL;
  become(core, c, RENEW_QUIET);
}

/* ---- the rules ---- */

static void nothing(struct renew_core *core, struct renew_conversation *c,
                    const struct renew_event *e) {
  (void)core, (void)c, (void)e;
}

static void unsettle(struct renew_core *core, struct renew_conversation *c,
                     const struct renew_event *e) {
  (void)e;
  bool judges = c->automation == RENEW_AUTO && c->last.id && !c->judged;
  become(core, c, judges ? RENEW_UNSETTLED : RENEW_QUIET);
}

static void quiet(struct renew_core *core, struct renew_conversation *c,
                  const struct renew_event *e) {
  (void)e;
  become(core, c, RENEW_QUIET);
}

static void assess(struct renew_core *core, struct renew_conversation *c,
                   const struct renew_event *e) {
  (void)e;
  become(core, c, RENEW_ASSESSED);
  renew_query(core->out, renew_ticket_take(&core->tickets, &c->turn_ticket, RENEW_OF_TURN),
              &(struct renew_question){.parts = RENEW_ABOUT_MESSAGE | RENEW_ABOUT_CONVERSATION |
                                                RENEW_ABOUT_AUTOMATION |
                                                RENEW_ABOUT_JOB_OF_MESSAGE | RENEW_ABOUT_LINK,
                                       .conversation_id = ck_str_of(c->node.id),
                                       .message_id = ck_str_of(c->last.id)});
}

/* What the follow-up says: what the conversation's owner says of it, else the setting. A template
 * is filled in, and the job has the text, so that each attempt says the same. */
static void add_payload(struct renew_core *core, const struct ck_renewal *own,
                        const struct renew_answer *a, struct ck_row *row, struct ck_buf *filled) {
  struct ck_err err;
  const char *payload = own->payload ? own->payload : core->set.payload;
  enum ck_payload_kind kind = own->payload ? own->payload_kind : core->set.payload_kind;
  const struct renew_stop_rules *rules = &core->set.stops;
  row->v[CK_JOBS_PAYLOAD_KIND] =
      ck_textz(kind == CK_PAYLOAD_TEMPLATE ? "text" : ck_payload_kind_name(kind));
  row->v[CK_JOBS_PAYLOAD] = ck_textz(payload);
  if (kind != CK_PAYLOAD_TEMPLATE) return;
  const struct ck_zone *zone = rules->zone(rules->zones, CK_LIT(""), &err);
  int64_t now = core->now.wall / 1000;
  ck_payload_fill(
      filled, ck_str_of(payload),
      &(struct ck_payload_facts){.title = a->title,
                                 .last = a->text,
                                 .count = a->delivered + 1,
                                 .shown = now + (zone ? ck_zone_offset(zone, now) : 0)});
  row->v[CK_JOBS_PAYLOAD] = ck_text(ck_buf_view(filled));
}

/* The account of the job that is made. */
static void account_of(const struct renew_answer *a, const struct ck_renewal *own,
                       struct ck_buf *name) {
  const struct renew_link *l = &a->link;
  struct ck_account_facts f = {.own = ck_str_of(own->account)};
  if (a->has_link)
    f = (struct ck_account_facts){f.own,        l->platform,       l->target_kind, l->target_id,
                                  l->client_id, l->target_payload, l->account};
  ck_account_name(name, &f);
}

/* The answer says that a limit is reached, so the job waits for its end: with all others of its
 * account, or by itself if it has none. Another answer may show that one is over. True: *m is what
 * the store is told of the account. */
static bool take_limit(struct renew_core *core, const struct renew_answer *a,
                       const struct renew_limit *l, struct ck_str account, int64_t *due,
                       struct ck_mutation *m) {
  if (l->kind == RENEW_NO_LIMIT)
    return !a->facts.failed && renew_account_answered(core, account, a->facts.created_at, m);
  if (account.n) return renew_account_limited(core, account, l, a->text, m);
  if (l->kind == RENEW_LIMIT_LASTS) return false; /* stop.c */
  struct renew_limited own = {0};
  renew_limit_take(&own, l->until, core->now.wall);
  *due = own.until > *due ? own.until : *due;
  return false;
}

/* Without a target the job waits for one (address.c). */
static void make(struct renew_core *core, struct renew_conversation *c,
                 const struct renew_answer *a, const struct renew_limit *l) {
  struct ck_row row = {.table = CK_JOBS};
  char job_id[37];
  struct ck_buf snapshot = {0}, filled = {0}, account = {0};
  struct ck_mutation limit;
  struct ck_renewal own;
  struct renew_now now = core->now; /* the wall clock may have been stepped during the rest */
  int64_t due = renew_first_due(now.wall, now.wall + (c->rest - now.boot));
  ck_renewal_read(&own, a->renewal, NULL); /* one that cannot be read stops the job */
  account_of(a, &own, &account);
  bool limited = take_limit(core, a, l, ck_buf_view(&account), &due, &limit);
  renew_resolve_link(&core->set, a->has_link ? &a->link : NULL, &snapshot, NULL);
  ck_job_id(job_id, ck_str_of(c->last.id));
  row.v[CK_JOBS_JOB_ID] = ck_textz(job_id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(c->node.id);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(c->last.id);
  add_payload(core, &own, a, &row, &filled);
  if (snapshot.len) row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_text(ck_buf_view(&snapshot));
  row.v[CK_JOBS_MAX_ATTEMPTS] = ck_int(core->set.rules.max_attempts);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(due);
  c->made = (struct renew_wait){due, now.boot + (due - now.wall)};
  become(core, c, RENEW_MAKING);
  c->made_for = ck_strdup(c->last.id);
  renew_tell_row(core->out, renew_ticket_take(&core->tickets, &c->turn_ticket, RENEW_OF_TURN),
                 CK_OP_PUT, &row);
  if (limited) renew_limit_tell(core, &limit, c->turn_ticket.number);
  ck_buf_free(&snapshot);
  ck_buf_free(&filled);
  ck_buf_free(&account);
  ck_renewal_free(&own);
}

static void decline(struct renew_core *core, struct renew_conversation *c, enum renew_decline d) {
  struct renew_line *l =
      renew_say(core->out, renew_decline_is_told(d) ? RENEW_SAY_INFO : RENEW_SAY_DEBUG, c->node.id,
                "declined");
  renew_say_text(core->out, l, "message", ck_str_of(c->last.id));
  renew_say_text(core->out, l, "reason", ck_str_of(renew_decline_reason(d)));
  c->judged = true;
  set_declined(core, c, d);
  become(core, c, RENEW_QUIET);
}

/* Until the message's next row. */
static void put_off(struct renew_core *core, struct renew_conversation *c) {
  struct renew_line *l = renew_say(core->out, RENEW_SAY_DEBUG, c->node.id, "put_off");
  renew_say_text(core->out, l, "message", ck_str_of(c->last.id));
  renew_say_text(core->out, l, "reason", ck_str_of(renew_decline_reason(RENEW_TURN_OPEN)));
  set_declined(core, c, RENEW_TURN_OPEN);
  become(core, c, RENEW_QUIET);
}

static void judge(struct renew_core *core, struct renew_conversation *c,
                  const struct renew_event *e) {
  const struct renew_answer *a = e->as.answer;
  if (a->problem) {
    renew_core_error(core, a->problem);
    c->settled = core->now.boot + core->set.delay;
    unsettle(core, c, NULL);
    return;
  }
  const struct renew_clocks clocks = {core->set.stops.zone, core->set.stops.zones};
  struct renew_limit limit =
      renew_limit_of(a->text, &a->refusal, a->facts.failed, a->facts.observed_at, &clocks);
  enum renew_decline declined = renew_declined(&core->set.rules, &a->facts);
  if (declined == RENEW_NOT_DECLINED)
    make(core, c, a, &limit);
  else if (declined == RENEW_TURN_OPEN)
    put_off(core, c);
  else
    decline(core, c, declined);
}

/* The message may not be the last one any more. */
static void made(struct renew_core *core, struct renew_conversation *c,
                 const struct renew_event *e) {
  bool refused = e->as.receipt.result == 'r';
  char id[37];
  renew_limit_receipted(core, e);
  ck_job_id(id, ck_str_of(c->made_for));
  struct renew_line *l = renew_say(core->out, RENEW_SAY_INFO, id, refused ? "not_made" : "made");
  if (!refused) renew_say_text(core->out, l, "conversation", ck_str_of(c->node.id));
  renew_say_text(core->out, l, "message", ck_str_of(c->made_for));
  if (refused) renew_say_text(core->out, l, "reason", e->as.receipt.reason);
  if (c->last.id && strcmp(c->last.id, c->made_for) == 0) c->judged = true;
  unsettle(core, c, NULL);
}

static rule *const rules[RENEW_TURNS][RENEW_TURN_EVENTS] = {
    [RENEW_QUIET] = {[RENEW_TURN_CHANGED] = unsettle, [RENEW_TURN_HAS_JOB] = nothing},
    [RENEW_UNSETTLED] = {[RENEW_TURN_CHANGED] = unsettle,
                         [RENEW_TURN_SETTLED] = assess,
                         [RENEW_TURN_HAS_JOB] = quiet},
    [RENEW_ASSESSED] = {[RENEW_TURN_CHANGED] = unsettle,
                        [RENEW_TURN_HAS_JOB] = quiet,
                        [RENEW_TURN_ANSWERED] = judge},
    [RENEW_MAKING] = {[RENEW_TURN_CHANGED] = nothing,
                      [RENEW_TURN_HAS_JOB] = nothing,
                      [RENEW_TURN_RECEIPTED] = made},
};

void renew_turn_step(struct renew_core *core, struct renew_conversation *c,
                     enum renew_turn_event what, const struct renew_event *e) {
  rule *follows = rules[c->turn][what];
  assert(follows); /* else the table has no such event */
  if (what == RENEW_TURN_HAS_JOB) {
    c->judged = true;
    set_declined(core, c, RENEW_NOT_DECLINED);
  }
  follows(core, c, e);
}

bool renew_turns_may_settle(const struct renew_core *core) {
  return core->assessing < ASSESSED_AT_ONCE;
}

void renew_turns_settle(struct renew_core *core) {
  struct ck_timer *t;
  while (renew_turns_may_settle(core) && (t = ck_heap_top(&core->unsettled)) &&
         t->at <= core->now.boot)
    renew_turn_step(core, of_unsettled(t), RENEW_TURN_SETTLED, NULL);
}
