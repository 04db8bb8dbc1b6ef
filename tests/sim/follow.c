/* What renewd follows: the store's changes as they come, and everything there is at its start. */
#include "tests/sim/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the store publishes ---- */

/* One change, as its row was then. */
struct change {
  char row;
  int id;
  uint64_t version;
  enum renew_automation automation;
  enum status status;
  bool failed;
  int last, account, text, target;
  int64_t updated_at;
  char renewal[128]; /* of a conversation */
  int64_t cooldown_until, next, attempts, last_attempt_at;
};

static struct change *log_; /* a queue: from the first to the last */
static size_t log_first, log_n, log_room;

void sim_publish(char row, int id, uint64_t version) {
  if (!renewd.up) return; /* it reads everything when it starts */
  if (log_n == log_room) {
    log_room = log_room ? 2 * log_room : 1024;
    log_ = ck_realloc(log_, log_room * sizeof *log_);
  }
  struct change *x = &log_[log_n++];
  *x = (struct change){.row = row, .id = id, .version = version};
  if (row == 'c') {
    x->automation = world.c[id].automation;
    x->last = world.c[id].last;
    x->account = world.c[id].account;
    x->cooldown_until = world.c[id].cooldown_until;
    x->updated_at = world.c[id].updated_at;
    memcpy(x->renewal, world.c[id].renewal, sizeof x->renewal);
  } else if (row == 'm') {
    x->text = world.m[id].text;
  } else if (row == 'j') {
    const struct job *j = &world.j[id];
    x->status = j->status;
    x->failed = j->failed;
    x->next = j->next;
    x->attempts = j->attempts;
    x->last_attempt_at = j->last_attempt_at;
    x->target = j->target;
    x->updated_at = j->updated_at;
  }
}

/* What one commit has changed may come in several frames. */
void sim_feed(void) {
  if (!renewd.connected || !log_n || log_[log_n - 1].version <= renewd.cursor) return;
  int64_t behind = (int64_t)(store.version - renewd.cursor);
  bool apart = behind > 1 && one_in(4);
  if (apart)
    sim_between(FEED, 1 + chance(4))->version = store.version - 1 - (uint64_t)chance(behind - 2);
  sim_between(FEED, 1 + chance(apart ? 8 : 4))->version = store.version;
}

/* ---- rows ---- */

static void row_of_message(const struct change *x) {
  char name[32], said[32];
  const struct message *m = &world.m[x->id];
  sim_message_name(name, x->id);
  snprintf(said, sizeof said, "as far as %d", x->text);
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = ck_textz(name);
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz(said);
  sim_tells_message(m->conversation, x->id);
  sim_step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void row_of_conversation(const struct change *x) {
  static const char *const words[] = {"manual", "auto", "paused"};
  char name[24], last[32], platform[8];
  sim_conversation_name(name, x->id);
  sim_platform_name(platform, sim_platform_of(x->id));
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(name);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(words[x->automation]);
  if (x->last >= 0) {
    sim_message_name(last, x->last);
    row.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(last);
  }
  row.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] =
      x->cooldown_until ? ck_int(x->cooldown_until) : ck_null();
  row.v[CK_CONVERSATIONS_UPDATED_AT] = ck_int(x->updated_at);
  row.v[CK_CONVERSATIONS_PLATFORM] = ck_textz(platform);
  row.v[CK_CONVERSATIONS_RENEWAL] = ck_textz(x->renewal);
  sim_tells_conversation(x->id, x->version, x->automation, x->last, x->account, x->cooldown_until);
  sim_step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

/* Those that renewd needs at its start, as SINCE has them; it asks for the others. */
static bool is_brief(const struct change *x) {
  return x->status == RUNNING ||
         (x->status == PENDING && (x->last_attempt_at || world.j[x->id].automatic));
}

static void row_of_job(const struct change *x, bool brief) {
  static const char *const words[] = {"pending", "running", "done"};
  char conversation[24], of[32];
  const char *status = x->status == OVER && x->failed ? "failed" : words[x->status];
  const struct job *j = &world.j[x->id];
  sim_conversation_name(conversation, j->conversation);
  sim_message_name(of, j->message);
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(j->name);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(of);
  row.v[CK_JOBS_STATUS] = ck_textz(status);
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(x->attempts);
  if (x->status != OVER) row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(x->next);
  row.v[CK_JOBS_CREATED_AT] = ck_int(j->created_at);
  if (x->last_attempt_at) row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(x->last_attempt_at);
  if (x->target >= 0) row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(world.t[x->target].snapshot);
  row.v[CK_JOBS_UPDATED_AT] = ck_int(x->updated_at);
  sim_tells_job(x->id, x->version, x->status, x->next, x->target);
  if (brief && !is_brief(x)) return;
  sim_step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void row_of_link(const struct change *x) {
  char name[24];
  sim_conversation_name(name, x->id);
  struct ck_row row = {.table = CK_LINKS};
  row.v[CK_LINKS_LOCAL_CONVERSATION_ID] = ck_textz(name);
  sim_held(x->id, 0);
  sim_step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void row_of(const struct change *x) {
  if (x->row == 'c') row_of_conversation(x);
  if (x->row == 'm') row_of_message(x);
  if (x->row == 'j') row_of_job(x, false);
  if (x->row == 'l') row_of_link(x);
}

static void followed(uint64_t version, bool live) {
  renewd.cursor = version;
  sim_followed();
  sim_step(&(struct renew_event){.kind = RENEW_FOLLOWED, .as.followed = {version, live}});
}

static bool is_current(const struct change *x) {
  return x->version == (x->row == 'c'   ? world.c[x->id].version
                        : x->row == 'm' ? world.m[x->id].version
                        : x->row == 'j' ? world.j[x->id].version
                                        : x->version);
}

/* current: only rows that are so still, as a reader of the database finds them. */
void sim_follow(uint64_t upto, bool current) {
  while (log_first < log_n && log_[log_first].version <= upto) {
    const struct change x = log_[log_first++];
    if (x.version > renewd.cursor && (!current || is_current(&x))) row_of(&x);
  }
  if (log_first == log_n) log_first = log_n = 0;
  followed(upto, true);
}

/* Everything that there is, conversation by conversation. */
void sim_follow_all(void) {
  bool pages = one_in(3);
  renewd.began_offset = world.offset;
  for (int id = 0; id < world.conversations_n; id++) {
    const struct conversation *c = &world.c[id];
    struct change of_c = {.row = 'c',
                          .id = id,
                          .version = c->version,
                          .automation = c->automation,
                          .last = c->last,
                          .account = c->account,
                          .cooldown_until = c->cooldown_until,
                          .updated_at = c->updated_at};
    memcpy(of_c.renewal, c->renewal, sizeof of_c.renewal);
    bool last = c->newest >= 0 && world.j[c->newest].version < c->version;
    if (!last) row_of_conversation(&of_c);
    for (int job = c->newest; job >= 0 && (job >= c->oldest || job == c->newest);
         job = world.j[job].older) {
      const struct job *j = &world.j[job];
      if (j->status == OVER && job != c->newest) continue;
      row_of_job(&(struct change){.row = 'j',
                                  .id = job,
                                  .version = j->version,
                                  .status = j->status,
                                  .failed = j->failed,
                                  .target = j->target,
                                  .next = j->next,
                                  .attempts = j->attempts,
                                  .last_attempt_at = j->last_attempt_at,
                                  .updated_at = j->updated_at},
                 true);
    }
    if (last) row_of_conversation(&of_c);
    if (pages && id == world.conversations_n / 2) followed(1, false);
  }
  log_first = log_n = 0;
  followed(store.version, true);
}

void sim_follow_begin(void) { log_first = log_n = 0; }

void sim_follow_free(void) {
  free(log_);
  log_ = NULL;
  log_first = log_n = log_room = 0;
}
