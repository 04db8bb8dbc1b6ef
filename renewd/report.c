/* What renewd reports of itself every second, for `convkeep status` and `jobs why`. */
#include "renewd/renewd.h"

#include <string.h>

#include "proto/clock.h"
#include "proto/map.h"
#include "renewd/notify.h"

/* Of a list, the first so many are named, in about so many bytes; its count is always whole. The
 * store takes 320 KiB in all. */
#define NAMED_MAX 100
#define NAMED_BYTES 24000
#define HELD_BYTES 250000

struct listing {
  struct ck_buf *b;
  size_t begin;
  uint32_t n;
};

static bool is_full(const struct listing *all) {
  return all->n == NAMED_MAX || all->b->len - all->begin > NAMED_BYTES;
}

static void put_declined(void *self, struct renew_node *node) {
  struct listing *all = self;
  const struct renew_conversation *c = (const struct renew_conversation *)node;
  if (!renew_decline_is_told(c->declined) || is_full(all)) return;
  all->n++;
  struct ck_map one = ck_map_open(all->b);
  ck_pair_text(&one, "local_conversation_id", c->node.id);
  ck_pair_text(&one, "message_id", c->last.id);
  ck_pair_text(&one, "reason", renew_decline_reason(c->declined));
  ck_map_close(&one);
}

/* The conversations whose last message gets no follow-up because it is not new. */
static void put_all_declined(struct ck_map *m, struct renew_core *core) {
  struct listing all = {.b = m->b};
  ck_pair_uint(m, "declined_count", core->declined);
  ck_pair_name(m, "declined");
  size_t open = ck_open_array(m->b);
  all.begin = m->b->len;
  if (core->declined) renew_index_each(&core->conversations, put_declined, &all);
  ck_close_array(m->b, open, all.n);
}

static void put_limit(void *self, struct renew_node *node) {
  struct listing *all = self;
  const struct renew_account *a = (const struct renew_account *)node;
  if (!a->counted || is_full(all)) return;
  all->n++;
  struct ck_map one = ck_map_open(all->b);
  ck_pair_text(&one, "account", node->id);
  if (renew_limit_lasts(&a->limit))
    ck_pair_nil(&one, "until");
  else
    ck_pair_int(&one, "until", a->limit.until);
  ck_pair_text(&one, "reason", a->reason);
  ck_map_close(&one);
}

/* The accounts whose limit is not known to be over. */
static void put_all_limits(struct ck_map *m, struct renew_core *core) {
  struct listing all = {.b = m->b};
  ck_pair_name(m, "limits");
  size_t open = ck_open_array(m->b);
  all.begin = m->b->len;
  renew_index_each(&core->accounts, put_limit, &all);
  ck_close_array(m->b, open, all.n);
}

struct holding {
  struct listing all; /* the list's bytes */
  struct renewd *r;
  struct renew_now now;
  uint64_t stopped, soon, count;
};

static void put_held(void *self, struct renew_node *node) {
  struct holding *l = self;
  struct renew_held h;
  const struct renew_job *j = (const struct renew_job *)node;
  l->soon += renew_goes_soon(&l->r->core, j, l->now);
  if (!renew_is_held(&h, &l->r->core, j, l->now)) return;
  l->count++;
  renew_notify_held(l->r->notify, j, &h);
  l->stopped += strcmp(h.state, "stopped") == 0;
  if (l->all.b->len > HELD_BYTES) return;
  l->all.n++;
  struct ck_map m = ck_map_open(l->all.b);
  ck_pair_text(&m, "job_id", node->id);
  ck_pair_text(&m, "state", h.state);
  ck_pair_text_or_nil(&m, "reason", h.reason ? h.reason : "");
  if (h.until == RENEW_NEVER)
    ck_pair_nil(&m, "until");
  else
    ck_pair_int(&m, "until", l->now.wall + (h.until - l->now.boot));
  ck_map_close(&m);
}

static void tell_limit(void *self, struct renew_node *node) {
  renew_notify_limit(self, (const struct renew_account *)node);
}

/* Looks at all jobs, so the more there are, the less often: this takes a hundredth of the time. */
static void look_at_held(struct renewd *r, struct renew_now now) {
  if (now.boot < r->held_at) return;
  struct ck_buf jobs = {0};
  struct holding l = {.all = {.b = &jobs}, .r = r, .now = now};
  renew_index_each(&r->core.jobs, put_held, &l);
  renew_index_each(&r->core.accounts, tell_limit, r->notify);
  renew_notify_looked(r->notify);
  ck_buf_clear(&r->held);
  struct ck_map m = ck_map_open(&r->held);
  ck_pair_uint(&m, "count", l.count);
  ck_pair_uint(&m, "stopped", l.stopped);
  ck_pair_uint(&m, "soon", l.soon);
  ck_pair_name(&m, "jobs");
  ck_put_array(&r->held, l.all.n);
  ck_buf_str(&r->held, ck_buf_view(&jobs));
  ck_map_close(&m);
  ck_buf_free(&jobs);
  r->held_at = now.boot + 100 * (ck_boot_ms() - now.boot);
}

void renew_put_report(struct renewd *r, bool live, struct ck_buf *b) {
  struct renew_now now = renew_now();
  int64_t due = renew_core_due(&r->core);
  struct ck_map m = ck_map_open(b);
  ck_pair_bool(&m, "live", live);
  ck_pair_uint(&m, "cursor", ck_follow_cursor(r->follow));
  ck_pair_uint(&m, "in_flight", r->core.pace.ours);
  if (due == RENEW_NEVER)
    ck_pair_nil(&m, "next_due_at");
  else
    ck_pair_int(&m, "next_due_at", now.wall + (due - now.boot));
  ck_pair_uint(&m, "undecided", renew_core_undecided(&r->core));
  const char *log = renew_log_problem(r->log);
  ck_pair_text_or_nil(&m, "last_error", *log ? log : r->core.last_error);
  struct ck_map times = ck_pair_map(&m, "times");
  ck_pair_histogram(&times, "delivery", &r->deliveries);
  ck_pair_histogram(&times, "late", &r->lateness);
  ck_map_close(&times);
  renew_notify_report(r->notify, &m);
  put_all_declined(&m, &r->core);
  put_all_limits(&m, &r->core);
  look_at_held(r, now);
  ck_pair_name(&m, "held");
  ck_buf_str(b, ck_buf_view(&r->held));
  ck_map_close(&m);
}
