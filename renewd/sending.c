/* The deliveries that are with their channels. */
#include "renewd/renewd.h"

#include <stdlib.h>

struct renew_sending {
  struct renew_sending *next;
  uint64_t ticket;
  const struct renew_channel *channel;
  void *delivery;
  int64_t began; /* ck_mono_us */
};

static void has_result(struct renewd *r, uint64_t ticket, int64_t began,
                       const struct renew_result *result) {
  ck_histogram_note(&r->deliveries, ck_mono_us() - began);
  renew_happens(r, &(struct renew_event){RENEW_RESULT, ticket, {.result = result}});
}

/* The delivery; NULL: it was over at once, and *result is filled. */
static void *start(struct renewd *r, const struct renew_channel *c,
                   const struct renew_parcel *parcel, struct renew_result *result) {
  struct ck_err err;
  void *open = renew_channel_open(&r->channels, c, &err);
  if (open) return c->start(open, parcel, result);
  renew_result_set(result, RENEW_FAILED, "%s", err.text);
  return NULL;
}

void renew_sending_begin(struct renewd *r, const struct renew_effect *send) {
  struct renew_target target;
  struct renew_result result;
  int64_t began = ck_mono_us();
  char *job_id = ck_str_dup(send->as.send.job_id);
  renew_target_parse(&target, send->as.send.snapshot, NULL);
  const struct renew_channel *c = renew_channel_of(&target); /* it is served, so there is one */
  void *delivery = start(
      r, c, &(struct renew_parcel){job_id, &target, send->as.send.letter, send->as.send.payload},
      &result);
  if (delivery) {
    struct renew_sending *s = ck_zalloc(sizeof *s);
    *s = (struct renew_sending){r->sending, send->ticket, c, delivery, began};
    r->sending = s;
  } else {
    has_result(r, send->ticket, began, &result);
  }
  renew_target_free(&target);
  free(job_id);
}

void renew_sending_step(struct renewd *r) {
  const struct renew_channel *c;
  void *open;
  for (int i = 0; renew_channel_at(&r->channels, i, &c, &open); i++)
    if (open) c->pump(open);
  for (struct renew_sending **at = &r->sending, *s; (s = *at);) {
    struct renew_result result;
    if (!s->channel->over(s->delivery, &result)) {
      at = &s->next;
      continue;
    }
    *at = s->next;
    has_result(r, s->ticket, s->began, &result);
    free(s);
  }
}

void renew_sending_cancel(struct renewd *r, uint64_t ticket) {
  struct renew_sending *s = r->sending;
  while (s && s->ticket != ticket) s = s->next;
  if (s && s->channel->cancel) s->channel->cancel(s->delivery);
}

void renew_sending_abandon(struct renewd *r, uint64_t ticket) {
  struct renew_sending **at = &r->sending, *s;
  while ((s = *at) && s->ticket != ticket) at = &s->next;
  if (!s) return;
  *at = s->next;
  s->channel->abandon(s->delivery);
  free(s);
}

void renew_sending_end(struct renewd *r) {
  while (r->sending) renew_sending_abandon(r, r->sending->ticket);
  renew_channels_close(&r->channels);
}
