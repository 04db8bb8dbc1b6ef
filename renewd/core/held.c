/* The reasons, the one that lasts longest first. */
#include "renewd/core/inner.h"

#include <string.h>

static bool by_conversation(struct renew_held *h, const struct renew_job *j, struct renew_now now) {
  const struct renew_conversation *c = j->of;
  bool renewds = j->automatic && !j->anyway;
  if (renew_job_is_braked(j) && c->braked.until > now.boot)
    *h = (struct renew_held){"stopped", c->braked.why, c->braked.until};
  else if (j->automatic && c->rest > now.boot)
    *h = (struct renew_held){"resting", NULL, c->rest};
  else if (renewds && c->settled > now.boot)
    *h = (struct renew_held){"settling", NULL, c->settled};
  else if (renew_conversation_is_busy(c) || c->next != j)
    *h = (struct renew_held){"busy", NULL, RENEW_NEVER};
  else
    return false;
  return true;
}

/* While a delivery tries whether a limit is over, its end is past. */
static bool by_limit(struct renew_held *h, const struct renew_core *core, const struct renew_job *j,
                     struct renew_now now) {
  const struct renew_account *a = renew_job_limit(core, j);
  const struct renew_gate *g = j->lane->gates[RENEW_GATE_ACCOUNT];
  if (!a || (a->until <= now.boot && g->ours + j->lane->theirs == 0)) return false;
  *h = (struct renew_held){"limited", a->why, a->until};
  return true;
}

static bool by_pace(struct renew_held *h, const struct renew_core *core, const struct renew_job *j,
                    struct renew_now now) {
  const struct renew_gate *target = j->lane->gates[RENEW_GATE_TARGET],
                          *account = j->lane->gates[RENEW_GATE_ACCOUNT],
                          *full = renew_pace_full(&core->pace, j->lane), *later = target;
  if (!full && target->ours && core->pace.ours >= RENEW_SLOTS) full = target;
  if (account && account->open_at > later->open_at) later = account;
  if (full)
    *h = (struct renew_held){full == account ? "account_slots" : "slots", full->node.id,
                             RENEW_NEVER};
  else if (later->open_at > now.boot)
    *h = (struct renew_held){later == account ? "account_spacing" : "spacing", later->node.id,
                             later->open_at};
  else
    return false;
  return true;
}

int64_t renew_job_due(const struct renew_job *j, struct renew_now now) {
  return j->calendar ? renew_rebase(j->next_attempt_at, now) : j->due;
}

static bool is_due(const struct renew_job *j, struct renew_now now) {
  return j->status == RENEW_PENDING && j->phase == RENEW_WAITS &&
         renew_job_due(j, now) <= now.boot && !renew_job_is_superseded(j);
}

static bool is_offered(const struct renew_job *j) {
  return j->phase == RENEW_READING || j->phase == RENEW_OFFERING || j->phase == RENEW_OPEN ||
         j->phase == RENEW_WITHDRAWING;
}

bool renew_is_held(struct renew_held *h, const struct renew_core *core, const struct renew_job *j,
                   struct renew_now now) {
  if (is_offered(j) && j->status == RENEW_PENDING) {
    *h = (struct renew_held){"offered", j->client, RENEW_NEVER};
    return true;
  }
  if (!is_due(j, now)) return false;
  if (j->of->automation == RENEW_PAUSED) {
    *h = (struct renew_held){"paused", NULL, RENEW_NEVER};
    return true;
  }
  const struct renew_pause *pause = renew_job_pause(core, j);
  if (pause) {
    *h = (struct renew_held){"paused", pause->why, renew_rebase(pause->until, now)};
    return true;
  }
  if (j->no_target) {
    *h = (struct renew_held){"no_target", j->no_target, RENEW_NEVER};
    return true;
  }
  if (by_conversation(h, j, now) || by_limit(h, core, j, now)) return true;
  return by_pace(h, core, j, now);
}

bool renew_goes_soon(const struct renew_core *core, const struct renew_job *j,
                     struct renew_now now) {
  struct renew_held h;
  return is_due(j, now) &&
         (!renew_is_held(&h, core, j, now) || strcmp(h.state, "settling") == 0 ||
          strcmp(h.state, "spacing") == 0 || strcmp(h.state, "account_spacing") == 0);
}
