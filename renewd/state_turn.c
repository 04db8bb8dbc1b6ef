/* Turns: how long a conversation's last message has been unchanged, what became of it, and which
 * jobs it supersedes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/crc32c.h"
#include "renewd/state_internal.h"

static const unsigned may_become[] = {
    [RENEW_QUIET] = TO(RENEW_SETTLING),
    [RENEW_SETTLING] = TO(RENEW_SETTLING) | TO(RENEW_QUERIED) | TO(RENEW_QUIET),
    [RENEW_QUERIED] = TO(RENEW_QUERIED_AGAIN) | TO(RENEW_QUIET),
    [RENEW_QUERIED_AGAIN] =
        TO(RENEW_QUERIED_AGAIN) | TO(RENEW_SETTLING) | TO(RENEW_QUIET) | TO(RENEW_QUERIED),
};

static void become(struct renew_state *st, struct renew_conversation *c, enum renew_querying next) {
  assert(may_become[c->querying] & TO(next));
  c->querying = next;
  if (next == RENEW_SETTLING)
    ck_heap_set(&st->settling, &c->settling, c->settled);
  else
    ck_heap_drop(&st->settling, &c->settling);
}

static struct renew_conversation *of_last(struct renew_node *n) {
  return (struct renew_conversation *)((char *)n - offsetof(struct renew_conversation, last));
}

static struct renew_conversation *of_settling(struct ck_timer *t) {
  return (struct renew_conversation *)((char *)t - offsetof(struct renew_conversation, settling));
}

/* ---- the last message ---- */

static uint32_t id_hash(struct ck_str id) { return ck_crc32c(0, id.s, id.n); }

/* Never 0. */
static uint64_t text_hash(struct ck_str text) {
  return (uint64_t)text.n << 32 | ck_crc32c(0, text.s, text.n) | 1;
}

static void set_declined(struct renew_state *st, struct renew_conversation *c,
                         enum renew_decline d) {
  st->declined -= renew_decline_is_told(c->declined);
  st->declined += renew_decline_is_told(d);
  c->declined = d;
}

/* Of several conversations with the same last message, which no source makes, the index has one. */
static bool is_indexed(const struct renew_state *st, const struct renew_conversation *c) {
  return c->last.id && renew_index_find(&st->lasts, ck_str_of(c->last.id)) == &c->last;
}

static void set_last(struct renew_state *st, struct renew_conversation *c, struct ck_str id) {
  if (is_indexed(st, c)) renew_index_remove(&st->lasts, &c->last);
  free(c->last.id);
  c->last.id = id.n ? ck_str_dup(id) : NULL;
  c->last_job_id[0] = '\0';
  c->judged = false;
  set_declined(st, c, RENEW_NOT_DECLINED);
  if (!c->last.id) return;
  ck_job_id(c->last_job_id, id);
  if (!renew_index_find(&st->lasts, id)) renew_index_add(&st->lasts, &c->last);
  c->last_text = st->seen.id == id_hash(id) ? st->seen.text : 0;
}

/* The last message is new or has changed, or the conversation has come to be on auto. */
static void settle(struct renew_state *st, struct renew_conversation *c) {
  bool asked = c->querying == RENEW_QUERIED || c->querying == RENEW_QUERIED_AGAIN;
  bool judges = c->automation == RENEW_AUTO && c->last.id && !c->judged;
  if (asked)
    become(st, c, RENEW_QUERIED_AGAIN);
  else if (judges)
    become(st, c, RENEW_SETTLING);
  else if (c->querying == RENEW_SETTLING)
    become(st, c, RENEW_QUIET);
}

enum renew_automation renew_automation_of(struct ck_str word) {
  return ck_str_is(word, "auto")     ? RENEW_AUTO
         : ck_str_is(word, "paused") ? RENEW_PAUSED
                                     : RENEW_MANUAL;
}

void renew_state_turn_row(struct renew_state *st, struct renew_conversation *c,
                          const struct ck_row *row, struct renew_now now) {
  struct ck_str last = ck_row_text(row, CK_CONVERSATIONS_LAST_MESSAGE_ID);
  enum renew_automation automation =
      renew_automation_of(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS));
  bool turns = automation != c->automation,
       changes = c->last.id ? !ck_str_is(last, c->last.id) : last.n > 0;
  c->automation = automation;
  if (changes) {
    set_last(st, c, last);
    c->settled = now.boot + st->delay;
  }
  if (changes || turns) settle(st, c);
  renew_state_check(st, c);
}

/* A message that is observed again without having grown has not changed. */
void renew_state_message_row(struct renew_state *st, const struct ck_row *row,
                             struct renew_now now) {
  struct ck_str id = ck_row_key(row);
  st->seen.id = id_hash(id);
  st->seen.text = text_hash(ck_row_text(row, CK_MESSAGES_RAW_TEXT));
  struct renew_node *n = renew_index_find(&st->lasts, id);
  if (!n || of_last(n)->last_text == st->seen.text) return;
  struct renew_conversation *c = of_last(n);
  c->last_text = st->seen.text;
  c->settled = now.boot + st->delay;
  settle(st, c);
  renew_state_place(st, c, now);
}

void renew_state_turn_job(struct renew_state *st, struct renew_conversation *c,
                          struct ck_str message_id) {
  if (!c->last.id || !ck_str_is(message_id, c->last.id)) return;
  c->judged = true;
  set_declined(st, c, RENEW_NOT_DECLINED);
  if (c->querying == RENEW_SETTLING) become(st, c, RENEW_QUIET);
}

void renew_state_turn_forget(struct renew_state *st, struct renew_conversation *c) {
  set_last(st, c, (struct ck_str){0});
  c->automation = RENEW_MANUAL;
  if (c->querying == RENEW_SETTLING) become(st, c, RENEW_QUIET);
  if (c->querying == RENEW_QUERIED_AGAIN) become(st, c, RENEW_QUERIED);
}

/* ---- considering ---- */

struct renew_conversation *renew_state_consider(struct renew_state *st, struct renew_now now) {
  struct ck_timer *t = ck_heap_top(&st->settling);
  if (!t || t->at > now.boot) return NULL;
  struct renew_conversation *c = of_settling(t);
  become(st, c, RENEW_QUERIED);
  return c;
}

int64_t renew_state_settles(const struct renew_state *st) {
  const struct ck_timer *t = ck_heap_top(&st->settling);
  return t ? t->at : RENEW_NEVER;
}

void renew_state_considered(struct renew_state *st, struct ck_str conversation_id, bool judged,
                            enum renew_decline verdict, struct renew_now now) {
  struct renew_conversation *c = renew_state_conversation(st, conversation_id);
  assert(c); /* it is kept until its queries are answered */
  bool again = c->querying == RENEW_QUERIED_AGAIN;
  become(st, c, RENEW_QUIET);
  if (!again && judged && !c->judged) {
    c->judged = true;
    set_declined(st, c, verdict);
  } else if (!again && !judged) {
    c->settled = now.boot + st->delay;
  }
  settle(st, c);
  renew_state_drop_unneeded(st, c);
}

bool renew_state_is_current(const struct renew_conversation *c, struct ck_str message_id) {
  return c && c->automation == RENEW_AUTO && c->querying == RENEW_QUERIED && c->last.id &&
         ck_str_is(message_id, c->last.id);
}

/* ---- superseded jobs ---- */

bool renew_state_is_superseded(const struct renew_job *j) {
  const struct renew_conversation *c = j->of;
  if (!j->automatic || j->anyway) return false;
  return c->automation == RENEW_MANUAL || (c->last.id && strcmp(j->node.id, c->last_job_id) != 0);
}

void renew_state_check(struct renew_state *st, struct renew_conversation *c) {
  if (c->checking || !c->jobs) return;
  c->checking = true;
  c->next_checked = NULL;
  if (!st->checks) st->checks_end = &st->checks;
  *st->checks_end = c;
  st->checks_end = &c->next_checked;
}

static struct renew_job *superseded_job(const struct renew_conversation *c) {
  for (struct renew_job *j = c->jobs; j; j = j->next)
    if (j->state == RENEW_JOB_FREE && !j->running && !j->proposed && renew_state_is_superseded(j))
      return j;
  return NULL;
}

struct renew_job *renew_state_supersede(struct renew_state *st) {
  while (st->checks) {
    struct renew_conversation *c = st->checks;
    struct renew_job *j = superseded_job(c);
    if (j) {
      j->proposed = true;
      return j;
    }
    st->checks = c->next_checked;
    c->checking = false;
    renew_state_drop_unneeded(st, c);
  }
  return NULL;
}

void renew_state_superseded(struct renew_state *st, struct ck_str job_id, bool anyway,
                            struct renew_now now) {
  struct renew_job *j = renew_state_job(st, job_id);
  if (!j) return;
  j->proposed = false;
  j->anyway = anyway;
  renew_state_place(st, j->of, now);
}
