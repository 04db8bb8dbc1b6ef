/* Jobs without a target: see resolve.h.
 *
 *                        job or link came    its turn        answered             reset
 *   no resolution        QUEUED
 *   QUEUED               QUEUED              QUERIED                              freed
 *   QUERIED              QUERIED_AGAIN                       acted on and freed   QUERIED_AGAIN
 *   QUERIED_AGAIN        QUERIED_AGAIN                       QUEUED               QUERIED_AGAIN */
#include "renewd/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "renewd/renewd.h"

#define RESOLVED_AT_ONCE 32
#define NOT_YET "its target is looked for"

/* ---- the decision ---- */

static int served(const struct ck_settings *s, const struct renew_target *t, struct ck_err *err) {
  const struct renew_channel *c = renew_channel_of(t);
  if (renew_target_of_client(t))
    return renew_target_client(t) ? 0
                                  : ck_fail(err,
                                            "its target, of kind %.100s, has neither client_id nor "
                                            "id",
                                            t->kind);
  if (!t->kind)
    return ck_fail(err, "its active link names no target: import an observation of it with "
                        "`target` or `client_id`");
  return c ? c->serves(s, t, err)
           : ck_fail(err, "no channel serves a target of kind %.100s", t->kind);
}

int renew_resolve_snapshot(const struct ck_settings *s, struct ck_str snapshot,
                           struct ck_err *err) {
  struct renew_target t;
  int rc = renew_target_parse(&t, snapshot, err);
  if (rc == 0) rc = served(s, &t, err);
  renew_target_free(&t);
  return rc;
}

int renew_resolve_link(const struct ck_settings *s, struct ck_str row, struct ck_buf *snapshot,
                       struct ck_err *err) {
  if (!row.n)
    return ck_fail(err, "it has no active link: import an observation of it with `target` or "
                        "`client_id`");
  size_t from = snapshot->len;
  renew_snapshot_row(snapshot, row);
  struct ck_str appended = {snapshot->data + from, snapshot->len - from};
  struct renew_target t;
  int rc = renew_target_parse(&t, appended, err);
  if (rc == 0) rc = served(s, &t, err);
  if (!t.kind) snapshot->len = from;
  renew_target_free(&t);
  return rc;
}

/* The store lists links by observed_at, newest first, and a query takes the first. */
struct renew_query renew_link_query(const char *conversation_id,
                                    void (*take)(void *self, const struct renew_reply *reply)) {
  return (struct renew_query){
      "conversation_links",
      {{"local_conversation_id", ck_textz(conversation_id)}, {"is_active", ck_int(1)}},
      take};
}

/* ---- the conversations whose links are queried ---- */

struct renew_resolution {
  struct renew_node node; /* its id is local_conversation_id; first */
  struct renewd *r;
  struct renew_resolution *next;
  enum { QUEUED, QUERIED, QUERIED_AGAIN } state;
  struct ck_buf snapshot; /* the answer: where to, or what is missing */
  struct ck_err missing;
};

static void enqueue(struct renew_resolving *all, struct renew_resolution *x) {
  x->state = QUEUED;
  x->next = NULL;
  if (!all->queue) all->queue_end = &all->queue;
  *all->queue_end = x;
  all->queue_end = &x->next;
}

static void resolve_later(struct renewd *r, const char *conversation_id) {
  struct renew_resolution *x =
      (struct renew_resolution *)renew_index_find(&r->resolving.all, ck_str_of(conversation_id));
  if (x) {
    if (x->state == QUERIED) x->state = QUERIED_AGAIN;
    return;
  }
  x = ck_zalloc(sizeof *x);
  x->r = r;
  x->node.id = ck_strdup(conversation_id);
  renew_index_add(&r->resolving.all, &x->node);
  enqueue(&r->resolving, x);
}

static void resolution_free(struct renew_resolution *x) {
  renew_index_remove(&x->r->resolving.all, &x->node);
  free(x->node.id);
  ck_buf_free(&x->snapshot);
  free(x);
}

/* ---- what the rows say ---- */

static void job_row(struct renewd *r, const struct ck_row *row) {
  struct renew_job *j = renew_state_job(&r->state, ck_row_key(row));
  struct ck_err err;
  if (!j || j->running) return;
  struct ck_str snapshot = ck_row_text(row, CK_JOBS_TARGET_SNAPSHOT);
  if (snapshot.n && renew_resolve_snapshot(r->settings, snapshot, &err) == 0) {
    renew_state_target(&r->state, j, NULL, renew_now());
    return;
  }
  if (!j->no_target) renew_state_target(&r->state, j, NOT_YET, renew_now());
  resolve_later(r, j->of->node.id);
}

static void link_row(struct renewd *r, const struct ck_row *row) {
  const struct renew_conversation *c =
      renew_state_conversation(&r->state, ck_row_text(row, CK_LINKS_LOCAL_CONVERSATION_ID));
  for (const struct renew_job *j = c ? c->jobs : NULL; j; j = j->next)
    if (j->no_target) resolve_later(r, c->node.id);
}

void renew_resolve_row(struct renewd *r, const struct ck_row *row) {
  if (row->table == CK_JOBS) job_row(r, row);
  if (row->table == CK_LINKS) link_row(r, row);
}

/* ---- the answer ---- */

static void address(struct renewd *r, const struct renew_job *j, struct ck_str snapshot) {
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(j->node.id);
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_text(snapshot);
  renew_outcomes_row(r->outcomes, CK_OP_UPDATE, &row, NULL, NULL);
}

/* A job whose target is found may be claimed when its row has come. */
static void act(struct renew_resolution *x) {
  struct renewd *r = x->r;
  struct renew_conversation *c = renew_state_conversation(&r->state, ck_str_of(x->node.id));
  bool is_served = !x->missing.text[0];
  for (struct renew_job *j = c ? c->jobs : NULL; j; j = j->next) {
    if (!j->no_target || j->running) continue;
    if (is_served)
      address(r, j, ck_buf_view(&x->snapshot));
    else if (strcmp(j->no_target, x->missing.text) != 0)
      ck_log(CK_WARN, j->node.id, "no_target", "conversation=%s reason=%s", ck_quotedz(x->node.id),
             ck_quotedz(x->missing.text));
    renew_state_target(&r->state, j, is_served ? NOT_YET : x->missing.text, renew_now());
  }
}

static void link_came(void *self, const struct renew_reply *reply) {
  struct renew_resolution *x = self;
  if (!reply->problem) renew_resolve_link(x->r->settings, reply->first, &x->snapshot, &x->missing);
}

static void decide(void *self, const char *problem) {
  struct renew_resolution *x = self;
  x->r->resolving.out--;
  if (x->state == QUERIED_AGAIN) {
    ck_buf_clear(&x->snapshot);
    x->missing.text[0] = '\0';
    enqueue(&x->r->resolving, x);
    return;
  }
  if (problem) {
    ck_fail(&x->missing, "%s", problem);
    renew_outcomes_error(x->r->outcomes, problem);
  }
  act(x);
  resolution_free(x);
}

void renew_resolve(struct renewd *r) {
  while (r->resolving.queue && r->resolving.out < RESOLVED_AT_ONCE) {
    struct renew_resolution *x = r->resolving.queue;
    r->resolving.queue = x->next;
    x->state = QUERIED;
    r->resolving.out++;
    const struct renew_query query = renew_link_query(x->node.id, link_came);
    renew_query_all(r->queries, &query, 1, decide, x);
  }
}

/* ---- all of it ---- */

static void forget(void *self, struct renew_node *n) {
  struct renew_resolution *x = (struct renew_resolution *)n;
  (void)self;
  if (x->state == QUEUED)
    resolution_free(x);
  else
    x->state = QUERIED_AGAIN;
}

void renew_resolve_reset(struct renewd *r) {
  renew_index_each(&r->resolving.all, forget, NULL);
  r->resolving.queue = NULL;
}

static void drop(void *self, struct renew_node *n) {
  (void)self;
  resolution_free((struct renew_resolution *)n);
}

void renew_resolve_free(struct renewd *r) {
  renew_index_each(&r->resolving.all, drop, NULL);
  renew_index_free(&r->resolving.all);
}
