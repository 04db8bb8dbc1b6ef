/* The rows of attempts: what the log of attempts and `jobs why` are made from. A row is written in
 * the transaction of the claim and of each end, with the version that the job's row gets then. */
#include "store/write/apply_internal.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "proto/calendar.h"
#include "proto/map.h"

/* How long attempts are kept. */
#define KEPT_MS (365 * CK_DAY_MS)
/* The most bytes of a text, so that a page of rows fits a frame; QUERY `attempts` cuts the ids. */
#define TEXT_MAX 400

/* ---- the target ---- */

static struct ck_str member(const json_t *o, const char *name) {
  const json_t *v = json_object_get(o, name);
  return json_is_string(v) ? (struct ck_str){json_string_value(v), json_string_length(v)}
                           : (struct ck_str){0};
}

/* The client, the webhook's address, or else the id. */
static struct ck_str where(const json_t *target) {
  struct ck_str id = member(target, "id"), client = member(target, "client_id"),
                url = member(json_object_get(target, "payload"), "url");
  if (ck_kind_is_clients(member(target, "kind"))) return client.n ? client : id;
  return url.n ? url : id;
}

int attempt_begins(struct apply *a, const struct ck_row *job, const struct ck_claim *m, int64_t at,
                   struct ck_err *err) {
  struct ck_str snapshot = ck_row_text(job, CK_JOBS_TARGET_SNAPSHOT);
  json_t *target = json_loadb(snapshot.n ? snapshot.s : "", snapshot.n, 0, NULL);
  bool pruned = a->pruned;
  a->pruned = true;
  int rc = (!pruned && system_run(a->system, SYSTEM_ATTEMPTS_PRUNE, err, "i", KEPT_MS)) ||
           system_run(a->system, SYSTEM_ATTEMPT_BEGINS, err, "isissssssi", (int64_t)(a->head + 1),
                      m->job_id, ck_row_int(job, CK_JOBS_ATTEMPT_COUNT, 0), m->token, m->client,
                      ck_row_text(job, CK_JOBS_LOCAL_CONVERSATION_ID),
                      ck_row_text(job, CK_JOBS_MESSAGE_ID),
                      ck_utf8_cut(member(target, "kind"), TEXT_MAX),
                      ck_utf8_cut(where(target), TEXT_MAX), at);
  json_decref(target);
  return rc ? apply_failed(a) : 0;
}

/* ---- the end ---- */

/* NaN: it does not say a cost. */
static double cost_in(struct ck_str result) {
  struct ck_reader r;
  struct ck_item item;
  double cost = NAN;
  if (!ck_map_find(result, "cost", &r) || ck_read(&r, &item)) return cost;
  if (item.type == CK_T_FLOAT) cost = item.as.f;
  if (item.type == CK_T_INT) cost = (double)item.as.i;
  return isfinite(cost) && cost >= 0 ? cost : NAN;
}

/* 0, or -1: it is not UTF-8. Empty: it says none. */
static int text_in(struct ck_str result, const char *name, struct ck_str *text,
                   struct ck_err *err) {
  *text = ck_map_str(result, name);
  if (!ck_utf8_ok(*text)) return ck_fail(err, "end.result.%s: is not UTF-8", name);
  *text = ck_utf8_cut(*text, TEXT_MAX);
  return 0;
}

/* What follows, if whoever ends it does not say. */
static struct ck_str why_of(struct ck_str outcome) {
  static const struct {
    const char *outcome, *why;
  } all[] = {{"done", "it was delivered"},
             {"released", "nothing was sent; not charged"},
             {"unknown", "it may have arrived; waits for a person"}};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
    if (ck_str_is(outcome, all[i].outcome)) return ck_str_of(all[i].why);
  return (struct ck_str){0};
}

int attempt_ends(struct apply *a, const struct ck_end *end, struct ck_str outcome, bool charged,
                 bool known, struct ck_err *err) {
  struct ck_str result = end->result, text, why;
  if (text_in(result, "text", &text, err) || text_in(result, "why", &why, err)) return -1;
  if (!why.n) why = why_of(outcome);
  if (apply_savepoint(a, err)) return -1;
  return system_run(a->system, SYSTEM_ATTEMPT_ENDS, err, "siisiiisdisiiissi", end->job_id,
                    (int64_t)(a->head + 1), end->at, outcome, (int64_t)charged,
                    ck_map_int(result, "http_status", 0), ck_map_int(result, "exit", -1),
                    ck_utf8_cut(ck_trim(end->error), TEXT_MAX), cost_in(result),
                    ck_map_int(result, "tokens", -1), text, ck_map_int(result, "took_ms", -1),
                    end->next_attempt_at, end->cooldown_until,
                    ck_utf8_cut(end->message_id, TEXT_MAX), why, (int64_t)known)
             ? apply_failed(a)
             : 0;
}

int attempt_taken(struct apply *a, struct ck_str job_id, struct ck_err *err) {
  return system_run(a->system, SYSTEM_ATTEMPT_TAKEN, err, "siis", job_id, (int64_t)(a->head + 1),
                    a->now, CK_LIT("the job was changed while it ran; it may have arrived"))
             ? apply_failed(a)
             : 0;
}
