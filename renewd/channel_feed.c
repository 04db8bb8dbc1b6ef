/* The kinds `feed` and `browser.…`: to the client that holds the browser. The delivery is published
 * on the feed once the store has it durably, and is over when that client has told the store how
 * the job ended. */
#include "renewd/channel.h"

#include <stdlib.h>

#include "proto/clock.h"

struct sending {
  struct feed *feed;
  struct sending *next;
  bool receipted, abandoned, is_over;
  int64_t until; /* boot: the end of its time; INT64_MAX until it is published */
  struct renew_result result;
};

struct feed {
  const struct renew_channel_env *env;
  struct sending *all;
};

static int feed_serves(const struct ck_settings *s, const struct renew_target *target,
                       struct ck_err *err) {
  (void)s;
  if (renew_target_client(target)) return 0;
  return ck_fail(err, "its target, of kind %.100s, has neither client_id nor id", target->kind);
}

static void *feed_open(const struct renew_channel_env *env, struct ck_err *err) {
  (void)err;
  struct feed *f = ck_zalloc(sizeof *f);
  f->env = env;
  return f;
}

static void sending_free(struct sending *s) {
  struct sending **at = &s->feed->all;
  while (*at != s) at = &(*at)->next;
  *at = s->next;
  free(s);
}

static void feed_close(void *channel) {
  struct feed *f = channel;
  while (f->all) sending_free(f->all);
  free(f);
}

static int feed_fd(void *channel) {
  (void)channel;
  return -1;
}

static int64_t feed_until(void *channel) {
  int64_t until = INT64_MAX;
  for (const struct sending *s = ((struct feed *)channel)->all; s; s = s->next)
    if (!s->is_over && s->until < until) until = s->until;
  return until;
}

static void feed_pump(void *channel) {
  int64_t now = ck_boot_ms();
  for (struct sending *s = ((struct feed *)channel)->all; s; s = s->next) {
    if (s->is_over || now < s->until) continue;
    s->is_over = true;
    renew_result_set(&s->result, RENEW_UNKNOWN, "published, but no browser has confirmed it");
  }
}

static void published(void *self, char result, struct ck_str reason, uint64_t version) {
  (void)version;
  struct sending *s = self;
  s->receipted = true;
  if (s->abandoned) {
    sending_free(s);
    return;
  }
  s->until = ck_boot_after(ck_set_int(s->feed->env->settings, CK_SET_RENEW_TIMEOUT));
  if (result != 'r' || s->is_over) return;
  s->is_over = true;
  renew_result_set(&s->result, RENEW_FAILED, "not published: %.*s",
                   (int)(reason.n < 300 ? reason.n : 300), reason.s ? reason.s : "");
}

static void *feed_start(void *channel, const struct renew_parcel *parcel,
                        struct renew_result *result) {
  struct feed *f = channel;
  (void)result;
  struct sending *s = ck_zalloc(sizeof *s);
  s->feed = f;
  s->until = INT64_MAX;
  s->next = f->all;
  f->all = s;
  struct ck_mutation m = {.kind = CK_OP_PUBLISH};
  m.as.publish = (struct ck_publish){ck_str_of(renew_target_client(parcel->target)), parcel->body};
  renew_outcomes_add(f->env->outcomes, &m, published, s);
  return s;
}

static void feed_abandon(void *delivery) {
  struct sending *s = delivery;
  s->abandoned = true;
  s->until = INT64_MAX;
  if (s->receipted) sending_free(s);
}

static bool feed_over(void *delivery, struct renew_result *result) {
  struct sending *s = delivery;
  if (!s->is_over) return false;
  *result = s->result;
  feed_abandon(s);
  return true;
}

static void feed_ended(void *delivery, struct ck_str status) {
  struct sending *s = delivery;
  if (s->is_over) return;
  s->is_over = true;
  enum renew_outcome o = ck_str_is(status, "done")     ? RENEW_DONE
                         : ck_str_is(status, "failed") ? RENEW_FAILED
                                                       : RENEW_RETRY;
  renew_result_set(&s->result, o, "%s", o == RENEW_DONE ? "" : "the browser said so");
  s->result.elsewhere = true;
}

static bool feed_repeatable(const struct ck_settings *s, const struct renew_target *target) {
  (void)s;
  (void)target;
  return false;
}

const struct renew_channel renew_channel_feed = {
    .kind = "feed",
    .tells_lease = true,
    .serves = feed_serves,
    .open = feed_open,
    .close = feed_close,
    .fd = feed_fd,
    .until = feed_until,
    .pump = feed_pump,
    .start = feed_start,
    .over = feed_over,
    .ended = feed_ended,
    .abandon = feed_abandon,
    .repeatable = feed_repeatable,
};
