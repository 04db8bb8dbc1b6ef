/* What is under way with each job, seen from outside of the core: what it has said, and what it was
 * told since. A conversation has one delivery at a time, a target some slots, and one delivery of
 * it at a time is before its first byte. */
#include "tests/sim/accounts.h"

static int slots, recovering;
static unsigned of_run; /* these, and: */
static int *following, following_n, following_room;
static int64_t recovered_at;
static int answered; /* the job of which something was answered in this step; -1: none */

static void begin_run(void) {
  if (of_run == renewd.run) return;
  of_run = renewd.run;
  slots = recovering = following_n = 0;
  answered = -1;
}

struct target *sim_target(int id) {
  struct target *t = &world.t[id];
  if (t->run == renewd.run) return t;
  t->run = renewd.run;
  t->before = t->sending = 0;
  t->calm_since = world.boot;
  return t;
}

static struct job *job_of(int id) {
  struct job *j = &world.j[id];
  begin_run();
  if (j->stage_run == renewd.run) return j;
  j->stage_run = renewd.run;
  j->stage = STAGE_NONE;
  j->slot = -1;
  j->answered = j->sent = j->may_go = j->has_result = j->told_over = j->ours = false;
  j->released = 0;
  return j;
}

enum stage sim_stage(const struct job *j) {
  return j->stage_run == renewd.run ? j->stage : STAGE_NONE;
}

int sim_slots(void) {
  begin_run();
  return slots;
}

bool sim_recovers(int64_t *last) {
  begin_run();
  *last = recovered_at;
  return recovering > 0;
}

static bool is_recovering(const struct job *j) {
  return j->stage == STAGE_LOOKING || (j->stage == STAGE_ENDING && j->slot < 0);
}

/* Adds what the job counts for, or takes it away. */
static void count(const struct job *j, int one) {
  struct conversation *c = sim_told_conversation(j->conversation);
  if (j->stage != STAGE_NONE && !is_recovering(j)) c->under += one;
  if (is_recovering(j)) {
    recovering += one;
    recovered_at = world.boot;
  }
  /* A delivery that is over has left its slot, though its attempt is not followed yet. */
  if (j->slot < 0 || j->stage == STAGE_ENDING || j->stage == STAGE_FOLLOWING) return;
  sim_account_count(j, one);
  struct target *t = sim_target(j->slot);
  slots += one;
  if (j->sent)
    t->sending += one;
  else
    t->before += one;
  t->calm_since = world.boot;
}

static void has_slot(const struct job *j) {
  SIM_CHECK(recovering == 0, "job %s has its turn before it is known what runs", j->name);
  const struct target *t = sim_target(j->slot);
  SIM_CHECK(t->before == 1, "target %d has two deliveries that have not begun", j->slot);
  SIM_CHECK(t->before + t->sending <= RENEW_SLOTS_OF_A_TARGET, "target %d has too many deliveries",
            j->slot);
  SIM_CHECK(slots <= RENEW_SLOTS || t->before + t->sending == 1, "%d deliveries at once", slots);
}

/* Of the accounts that it may have, one is known when its past is. */
static void asks(struct job *j) {
  j->slot = j->told_run == renewd.run && j->told_target >= 0 ? j->told_target : j->target;
  j->told_over = j->ours = false;
  j->maybe[0] = world.c[j->conversation].account;
  j->maybe[1] = world.t[j->slot].account;
}

void sim_set_stage(int id, enum stage stage) {
  struct job *j = job_of(id);
  /* What was answered comes first, so by then it is over. */
  if (answered >= 0 && answered != id) sim_stage_settles(answered, renewd.cursor);
  bool keeps = stage == STAGE_CLAIMING || stage == STAGE_LEASING || stage == STAGE_SENDING ||
               stage == STAGE_ENDING || stage == STAGE_FOLLOWING;
  bool begins = stage == STAGE_SENDING || (stage == STAGE_READING && j->slot >= 0);
  if (begins) sim_target(j->slot)->begun_at = world.boot;
  if (begins && j->charged >= 0) sim_account(j->charged)->begun_at = world.boot;
  count(j, -1);
  if (!keeps) j->slot = -1;
  if (stage == STAGE_ASKED) asks(j);
  if (stage == STAGE_SENDING) j->sent = true;
  if (!keeps) j->sent = false;
  j->stage = stage;
  j->answered = false;
  count(j, 1);
  struct conversation *c = sim_told_conversation(j->conversation);
  c->calm_since = world.boot > c->calm_since ? world.boot : c->calm_since;
  SIM_CHECK(c->under <= 1, "conversation %d has two deliveries under way", j->conversation);
  if (stage == STAGE_ASKED) has_slot(j);
  if (stage == STAGE_CLAIMING) sim_check_account_slots(j);
}

void sim_awaits(int id, uint64_t ticket) { job_of(id)->ticket = ticket; }

bool sim_stage_answered(int id, uint64_t ticket) {
  struct job *j = job_of(id);
  if (j->ticket != ticket) return false;
  j->answered = true;
  answered = id;
  return true;
}

void sim_stage_resulted(int id) {
  struct job *j = job_of(id);
  if (!j->told_over) return;
  j->answered = true;
  answered = id;
}

void sim_stage_settles(int id, uint64_t head) {
  struct job *j = job_of(id);
  answered = -1;
  if (!j->answered) return;
  j->answered = false;
  bool cancelled = j->told_over && (j->stage == STAGE_SENDING || j->ours);
  if (cancelled)
    sim_set_stage(id, STAGE_NONE);
  else if (j->stage == STAGE_CLAIMING || j->stage == STAGE_LEASING)
    sim_follows(id, head);
  else if (j->stage == STAGE_ASKED || j->stage == STAGE_READING || j->stage == STAGE_LOOKING)
    sim_set_stage(id, STAGE_NONE);
}

void sim_stage_told(int id, enum status status) {
  struct job *j = job_of(id);
  bool under = j->stage == STAGE_CLAIMING || j->stage == STAGE_LEASING || j->stage == STAGE_SENDING;
  if (under && status == OVER) j->told_over = true;
  bool offered = j->stage == STAGE_READING || j->stage == STAGE_OFFERING || j->stage == STAGE_OPEN;
  bool ends = status == PENDING   ? offered || j->stage == STAGE_LOOKING
              : status == RUNNING ? j->stage == STAGE_OPEN
                                  : j->stage != STAGE_NONE && j->slot < 0;
  if (ends) sim_set_stage(id, STAGE_NONE);
  if (ends) sim_awaits(id, 0);
}

void sim_follows(int id, uint64_t version) {
  struct job *j = job_of(id);
  sim_set_stage(id, STAGE_FOLLOWING);
  j->follows = version;
  if (following_n == following_room) {
    following_room = following_room ? 2 * following_room : 64;
    following = ck_realloc(following, (size_t)following_room * sizeof *following);
  }
  following[following_n++] = id;
  sim_followed();
}

void sim_followed(void) {
  begin_run();
  int kept = 0;
  for (int i = 0; i < following_n; i++) {
    const struct job *j = job_of(following[i]);
    if (j->stage != STAGE_FOLLOWING) continue;
    if (j->follows <= renewd.cursor)
      sim_set_stage(following[i], STAGE_NONE);
    else
      following[kept++] = following[i];
  }
  following_n = kept;
}

/* What has no slot is forgotten; the others go on to their ends. */
void sim_another_history(int id) {
  struct job *j = &world.j[id];
  j->told_run = 0;
  j->released = 0;
  enum stage stage = sim_stage(j);
  if (stage == STAGE_NONE) return;
  if (stage == STAGE_FOLLOWING || j->slot < 0) sim_set_stage(id, STAGE_NONE);
}
