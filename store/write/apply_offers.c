/* Jobs that their clients deliver: offers, claims of them, and what a client may say of its
 * attempt. */
#include "store/write/apply_internal.h"

#include <string.h>

/* ---- offers ---- */

struct offer {
  struct ck_str client, id, body, account; /* of the changeset's arena */
  int64_t rest;
};

/* 1: the job is offered, 0: it is not, -1: the database failed. */
static int offer_get(struct apply *a, struct ck_str job_id, struct offer *o, struct ck_err *err) {
  *o = (struct offer){.rest = 0};
  sqlite3_stmt *s = system_query(a->system, SYSTEM_OFFER_GET, "s", job_id);
  int rc = system_step(a->system, s, err);
  if (rc > 0)
    *o = (struct offer){ck_arena_copy(&a->frame, db_str(s, 0)),
                        ck_arena_copy(&a->frame, db_str(s, 1)),
                        ck_arena_copy(&a->frame, db_str(s, 2)),
                        ck_arena_copy(&a->frame, db_str(s, 4)), sqlite3_column_int64(s, 3)};
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

/* Once the batch is durable. */
static void publish(struct apply *a, const struct ck_offer *m) {
  if (a->published_count == a->published_cap) {
    a->published_cap = a->published_cap ? a->published_cap * 2 : 16;
    a->published = ck_realloc(a->published, a->published_cap * sizeof *a->published);
  }
  a->published[a->published_count++] =
      (struct ck_delivery){ck_arena_copy(&a->batch, m->client), ck_arena_copy(&a->batch, m->job_id),
                           ck_arena_copy(&a->batch, m->offer), ck_arena_copy(&a->batch, m->body)};
}

int mutate_offer(struct apply *a, const struct ck_offer *m, struct ck_err *err) {
  struct offer o;
  const struct entry *e = apply_find_pending(a, m->job_id, err);
  if (!e) return -1;
  if (e->version > m->version) return ck_fail(err, "offer.version: the job has changed since");
  if (!m->client.n || !m->offer.n) return ck_fail(err, "offer: client and offer must not be blank");
  if (m->rest > CK_CLIENT_TIME_MAX_MS) return ck_fail(err, "offer.rest: is too long");
  if (offer_get(a, m->job_id, &o, err) < 0) return -1;
  if (ck_str_eq(o.client, m->client) && ck_str_eq(o.body, m->body) &&
      ck_str_eq(o.account, m->account))
    return 0;
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_OFFER_SAVE, err, "ssssiis", m->job_id, m->client, m->offer,
                 m->body, (int64_t)m->rest, a->now, m->account))
    return apply_failed(a);
  publish(a, m);
  return 0;
}

int offer_withdraw(struct apply *a, struct ck_str job_id, struct ck_err *err) {
  struct offer o;
  int rc = offer_get(a, job_id, &o, err);
  if (rc <= 0) return rc;
  if (apply_savepoint(a, err)) return -1;
  return system_run(a->system, SYSTEM_OFFER_END, err, "s", job_id) ? apply_failed(a) : 0;
}

int mutate_withdraw(struct apply *a, const struct ck_withdraw *m, struct ck_err *err) {
  return offer_withdraw(a, m->job_id, err);
}

static int64_t no_later(int64_t time, int64_t last) { return time < last ? time : last; }

static int64_t lease_end(const struct apply *a, uint64_t lease) {
  if (lease == 0) lease = CK_CLIENT_LEASE_MS;
  return a->now + (int64_t)(lease < CK_CLIENT_LEASE_MAX_MS ? lease : CK_CLIENT_LEASE_MAX_MS);
}

/* The claim changes the job's row, and with that withdraws the offer. */
int offer_claimed(struct apply *a, const struct ck_claim *m, struct client_lease *lease,
                  struct ck_str *account, struct ck_err *err) {
  struct offer o;
  *account = m->account;
  int offered = offer_get(a, m->job_id, &o, err);
  if (offered < 0) return -1;
  if (!offered && !m->client.n) return 0;
  if (!offered || !ck_str_eq(o.client, m->client)) {
    struct ck_str whose = ck_utf8_cut(offered ? o.client : m->client, 100);
    return ck_fail(err, "claim.client: the job is %s %.*s",
                   offered ? "offered to" : "not offered to", (int)whose.n, whose.s);
  }
  if (!ck_str_eq(o.id, m->offer))
    return ck_fail(err, "claim.offer: the job was offered again since; read the new offer");
  *account = o.account;
  *lease =
      (struct client_lease){.client = m->client, .until = lease_end(a, m->lease), .rest = o.rest};
  return 0;
}

/* ---- attempts ---- */

struct held {
  int64_t attempt, age;
  struct ck_str token; /* this and the client are of the changeset's arena */
  struct client_lease client;
  bool unknown;
};

static bool is_cancelled(const struct ck_row *job) {
  const struct ck_str by_a_person = CK_LIT("cancelled ");
  struct ck_str error = ck_row_text(job, CK_JOBS_LAST_ERROR);
  return ck_str_is(ck_row_text(job, CK_JOBS_STATUS), "failed") && error.n >= by_a_person.n &&
         memcmp(error.s, by_a_person.s, by_a_person.n) == 0;
}

/* The lease of the job's running attempt, if it is this one. 0, or -1 with the reason, which begins
 * with `what`. */
static int lease_get(struct apply *a, const struct entry *job, uint64_t attempt, struct held *h,
                     const char *what, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_LEASE_GET, "s", ck_row_key(&job->row));
  int rc = system_step(a->system, s, err);
  if (rc > 0)
    *h = (struct held){sqlite3_column_int64(s, 0),
                       sqlite3_column_int64(s, 6),
                       ck_arena_copy(&a->frame, db_str(s, 1)),
                       {.client = ck_arena_copy(&a->frame, db_str(s, 3)),
                        .left = sqlite3_column_int64(s, 4),
                        .rest = sqlite3_column_int64(s, 5)},
                       ck_str_is(db_str(s, 2), "unknown")};
  system_done(s);
  if (rc < 0) return apply_failed(a);
  if (is_cancelled(&job->row))
    return ck_fail(err, CK_CANCELLED "the job is not to be delivered any more");
  return rc > 0 && (uint64_t)h->attempt == attempt && apply_is_running(&job->row)
             ? 0
             : ck_fail(err, "%s.token: the attempt is not the job's current one", what);
}

int mutate_extend(struct apply *a, const struct ck_extend *m, struct ck_err *err) {
  struct entry *e = apply_find_job(a, m->job_id, err);
  struct held h;
  if (!e || lease_get(a, e, m->attempt, &h, "extend", err)) return -1;
  if (!ck_str_eq(h.token, m->token))
    return ck_fail(err, "extend.token: the attempt is not the job's current one");
  if (!h.client.client.n || h.unknown)
    return ck_fail(err, "extend: the attempt is %s", h.unknown ? "unknown" : "not a client's");
  int64_t end = lease_end(a, m->lease), last = a->now - h.age + CK_CLIENT_ATTEMPT_MAX_MS;
  if (a->now >= last) return ck_fail(err, "extend: the attempt has lasted as long as one may");
  if (apply_savepoint(a, err)) return -1;
  return system_run(a->system, SYSTEM_LEASE_EXTEND, err, "sii", m->job_id, end < last ? end : last,
                    a->now)
             ? apply_failed(a)
             : 0;
}

/* How long a job waits of which its client has sent nothing, in a row. */
static int released_wait(struct apply *a, struct ck_str job_id, int64_t *wait, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_UNREACHED_GET, "s", job_id);
  int rc = system_step(a->system, s, err);
  int64_t before = rc > 0 ? sqlite3_column_int64(s, 0) : 0;
  system_done(s);
  if (rc < 0) return apply_failed(a);
  *wait = CK_CLIENT_WAIT_MS;
  while (before-- > 0 && *wait < CK_CLIENT_WAIT_MAX_MS) *wait *= 2;
  *wait = no_later(*wait, CK_CLIENT_WAIT_MAX_MS);
  return 0;
}

/* The times that a client names have limits. What it released did not reach the target. */
static int client_ends(struct apply *a, struct ck_end *end, const struct client_lease *lease,
                       struct ck_err *err) {
  int64_t last = a->now + CK_CLIENT_TIME_MAX_MS, wait = 0;
  bool done = ck_str_is(end->outcome, "done"), released = ck_str_is(end->outcome, "released");
  if (!done && !released && !ck_str_is(end->outcome, "unknown"))
    return ck_fail(err, "end.outcome: a client ends an attempt as done, released or unknown");
  end->cooldown_until = no_later(end->cooldown_until, last);
  if (done && lease->rest && a->now + lease->rest > end->cooldown_until)
    end->cooldown_until = a->now + lease->rest;
  if (!released) return 0;
  if (released_wait(a, end->job_id, &wait, err)) return -1;
  end->outcome = CK_LIT("unreached");
  end->next_attempt_at = no_later(end->next_attempt_at, last);
  if (a->now + wait > end->next_attempt_at) end->next_attempt_at = a->now + wait;
  return 0;
}

int lease_ends(struct apply *a, const struct entry *job, struct ck_end *end, bool *by_client,
               struct ck_err *err) {
  struct held h;
  if (lease_get(a, job, end->attempt, &h, "end", err)) return -1;
  bool clients = h.client.client.n > 0, nobodys = clients && (h.unknown || h.client.left <= 0);
  if (end->token.n ? !ck_str_eq(end->token, h.token) : !nobodys)
    return ck_fail(err, "end.token: the attempt is not the job's current one");
  *by_client = clients && end->token.n;
  if (!clients) return 0;
  end->at = a->now;
  return end->token.n ? client_ends(a, end, &h.client, err) : 0;
}
