/* A conversation on auto whose last message has settled: does it get a follow-up? Five queries at
 * once, one decision, at most one job. */
#include "renewd/renewd.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/map.h"
#include "renewd/attempts.h"

#define CONSIDERED_AT_ONCE 32

struct considered {
  struct renew_waiter waiter; /* first */
  struct renewd *r;
  char *conversation_id, *message_id;
  struct renew_facts facts;
  char *role;
  struct ck_buf snapshot;
};

static void considered_free(struct renew_waiter *w) {
  struct considered *c = (struct considered *)w;
  free(c->conversation_id);
  free(c->message_id);
  free(c->role);
  ck_buf_free(&c->snapshot);
  free(c);
}

/* judged: the verdict counts, and the message is not asked about again. */
static void over(struct considered *c, bool judged, enum renew_decline verdict) {
  c->r->considering--;
  renew_state_considered(&c->r->state, ck_str_of(c->conversation_id), judged, verdict, renew_now());
  renew_waiter_remove(&c->waiter);
  considered_free(&c->waiter);
}

static void made(void *self, char result, struct ck_str reason, uint64_t version) {
  (void)version;
  struct considered *c = self;
  char id[37];
  ck_job_id(id, ck_str_of(c->message_id));
  if (result == 'r')
    ck_log(CK_INFO, id, "not_made", "message=%s reason=%s", ck_quotedz(c->message_id),
           ck_quoted(reason));
  else
    ck_log(CK_INFO, id, "made", "conversation=%s message=%s", ck_quotedz(c->conversation_id),
           ck_quotedz(c->message_id));
  over(c, true, RENEW_NOT_DECLINED);
}

static void make(struct considered *c, const struct renew_conversation *of) {
  struct renewd *r = c->r;
  struct ck_row row = {.table = CK_JOBS};
  char id[37], path[RENEW_LOG_PATH];
  ck_job_id(id, ck_str_of(c->message_id));
  renew_log_path(path, ck_now_ms());
  row.v[CK_JOBS_JOB_ID] = ck_textz(id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(c->conversation_id);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(c->message_id);
  row.v[CK_JOBS_PAYLOAD] = ck_textz(ck_set_text(r->settings, CK_SET_RENEW_PAYLOAD));
  row.v[CK_JOBS_PAYLOAD_KIND] = ck_textz("text");
  /* Without a target it waits for one (resolve.h). */
  if (c->snapshot.len) row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_text(ck_buf_view(&c->snapshot));
  row.v[CK_JOBS_MAX_ATTEMPTS] = ck_int(r->rules.max_attempts);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(renew_first_due(ck_now_ms(), of->cooldown_until));
  row.v[CK_JOBS_LOG_PATH] = ck_textz(path);
  renew_outcomes_row(r->outcomes, CK_OP_PUT, &row, made, c);
}

static void decide(void *self, const char *problem) {
  struct considered *c = self;
  const struct renew_conversation *of =
      renew_state_conversation(&c->r->state, ck_str_of(c->conversation_id));
  if (problem) renew_outcomes_error(c->r->outcomes, problem);
  if (problem || !renew_state_is_current(of, ck_str_of(c->message_id))) {
    over(c, false, RENEW_NOT_DECLINED);
    return;
  }
  c->facts.role = ck_str_of(c->role);
  enum renew_decline declined = renew_declined(&c->r->rules, &c->facts);
  if (declined == RENEW_NOT_DECLINED) {
    make(c, of);
    return;
  }
  ck_log(renew_decline_is_told(declined) ? CK_INFO : CK_DEBUG, c->conversation_id, "declined",
         "message=%s reason=%s", ck_quotedz(c->message_id),
         ck_quotedz(renew_decline_reason(declined)));
  over(c, true, declined);
}

static void message_came(void *self, const struct renew_reply *reply) {
  struct considered *c = self;
  c->facts.found = reply->rows > 0;
  c->role = ck_str_dup(ck_map_str(reply->first, "role"));
  c->facts.created_at = ck_map_int(reply->first, "created_at", 0);
  c->facts.observed_at = ck_map_int(reply->first, "observed_at", 0);
  c->facts.live = ck_map_int(reply->first, "live", 0);
}

static void conversation_came(void *self, const struct renew_reply *reply) {
  struct considered *c = self;
  c->facts.last_message_at = ck_map_int(reply->first, "last_message_at", 0);
}

static void automation_came(void *self, const struct renew_reply *reply) {
  struct considered *c = self;
  c->facts.since = ck_map_int(reply->first, "since", 0);
}

static void job_came(void *self, const struct renew_reply *reply) {
  struct considered *c = self;
  c->facts.has_job = reply->rows > 0;
}

static void link_came(void *self, const struct renew_reply *reply) {
  struct considered *c = self;
  renew_resolve_link(c->r->settings, reply->first, &c->snapshot, NULL);
}

static void query_about(struct renewd *r, const struct renew_conversation *of) {
  struct considered *c = ck_zalloc(sizeof *c);
  c->r = r;
  c->conversation_id = ck_strdup(of->node.id);
  c->message_id = ck_strdup(of->last.id);
  renew_waiter_add(&r->waiters, &c->waiter, considered_free);
  r->considering++;
  struct ck_value conversation = ck_textz(c->conversation_id), message = ck_textz(c->message_id);
  const struct renew_query queries[] = {
      {"messages", {{"id", message}}, message_came},
      {"local_conversations", {{"local_conversation_id", conversation}}, conversation_came},
      {"automation", {{"local_conversation_id", conversation}}, automation_came},
      {"renewal_jobs", {{"message_id", message}}, job_came},
      renew_link_query(c->conversation_id, link_came),
  };
  renew_query_all(r->queries, queries, 5, decide, c);
}

void renew_consider(struct renewd *r) {
  while (r->considering < CONSIDERED_AT_ONCE) {
    const struct renew_conversation *c = renew_state_consider(&r->state, renew_now());
    if (!c) return;
    query_about(r, c);
  }
}
