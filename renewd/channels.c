/* The table of channels (exec, webhook, null), and the code that they share: opening,
 * results, and words made safe to print. See channel.h. */
#include "renewd/channel.h"

#include <string.h>

static const struct renew_channel *const channels[RENEW_CHANNELS] = {
    &renew_channel_webhook, &renew_channel_exec, &renew_channel_null};

const struct renew_channel *renew_channel_of(const struct renew_target *target) {
  const char *kind = target->kind;
  for (int i = 0; kind && i < RENEW_CHANNELS; i++)
    if (strcmp(kind, channels[i]->kind) == 0) return channels[i];
  return NULL;
}

int renew_channels_serve(const void *s, const struct renew_target *target, struct ck_err *err) {
  const struct renew_channel *c = renew_channel_of(target);
  return c ? c->serves(s, target, err)
           : ck_fail(err, "no channel serves a target of kind %.100s", target->kind);
}

bool renew_channels_repeat(const void *s, const struct renew_target *target) {
  const struct renew_channel *c = renew_channel_of(target);
  return c && c->repeatable(s, target);
}

void *renew_channel_open(struct renew_channels *all, const struct renew_channel *c,
                         struct ck_err *err) {
  int i = 0;
  while (channels[i] != c) i++;
  if (!all->open[i]) all->open[i] = c->open(&all->env, err);
  return all->open[i];
}

bool renew_channel_at(const struct renew_channels *all, int i, const struct renew_channel **c,
                      void **open) {
  if (i >= RENEW_CHANNELS) return false;
  *c = channels[i];
  *open = all->open[i];
  return true;
}

void renew_channels_stop(struct renew_channels *all) {
  for (int i = 0; i < RENEW_CHANNELS; i++)
    if (all->open[i] && channels[i]->stop) channels[i]->stop(all->open[i]);
}

void renew_channels_close(struct renew_channels *all) {
  for (int i = 0; i < RENEW_CHANNELS; i++) {
    if (all->open[i]) channels[i]->close(all->open[i]);
    all->open[i] = NULL;
  }
}
