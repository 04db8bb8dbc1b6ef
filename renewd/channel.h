/* The channels by which a follow-up can be delivered: each is one file, channel_KIND.c, and one
 * table of operations.
 *
 * A channel never waits: it tells the loop one file descriptor and one time (fd, until), and works
 * in pump. A delivery begins with start, and ends when over returns true, or with abandon.
 */
#ifndef RENEWD_CHANNEL_H
#define RENEWD_CHANNEL_H

#include "proto/settings.h"
#include "renewd/core/core.h"
#include "renewd/launcher.h"

/* The resources that channels may use. */
struct renew_channel_env {
  const struct ck_settings *settings;
  struct renew_launcher *launcher; /* NULL: nothing can be run */
};

/* One delivery. Valid until it is over. */
struct renew_parcel {
  const char *job_id; /* also the delivery's id, the same at every attempt */
  const struct renew_target *target;
  struct ck_str body;    /* one JSON object without line breaks */
  struct ck_str payload; /* what it says: the payload of the job */
};

struct renew_channel {
  const char *kind; /* target.kind */

  /* 0 when the settings let a delivery go to this target; -1 with what is missing. */
  int (*serves)(const struct ck_settings *s, const struct renew_target *target, struct ck_err *err);
  /* Opens the channel when it is first used. NULL with the reason. */
  void *(*open)(const struct renew_channel_env *env, struct ck_err *err);
  /* Closes it and abandons what is left. */
  void (*close)(void *channel);
  /* Readable when pump has something to do; -1: never. */
  int (*fd)(void *channel);
  /* The ck_boot_ms() at which pump has something to do; INT64_MAX: never. */
  int64_t (*until)(void *channel);
  /* Does what can be done without waiting. */
  void (*pump)(void *channel);

  /* Begins a delivery to a target that it serves. NULL: it was over at once, and *result is filled.
   */
  void *(*start)(void *channel, const struct renew_parcel *parcel, struct renew_result *result);
  /* True: the delivery is over, *result is filled, and the delivery is freed. */
  bool (*over)(void *delivery, struct renew_result *result);
  /* Makes it be over soon; it may have arrived. NULL: it always is. */
  void (*cancel)(void *delivery);
  /* Gives the delivery up and frees it; it may still arrive. */
  void (*abandon)(void *delivery);

  /* renewd is going to stop: what is under way is to end soon. NULL: it ends by itself. */
  void (*stop)(void *channel);

  /* May an attempt with an unknown end be sent again? */
  bool (*repeatable)(const struct ck_settings *s, const struct renew_target *target);
};

extern const struct renew_channel renew_channel_webhook, renew_channel_exec, renew_channel_null;

/* What the settings say of a target, for renew_settings (core/state.h); s: struct ck_settings. */
int renew_channels_serve(const void *s, const struct renew_target *target, struct ck_err *err);
bool renew_channels_repeat(const void *s, const struct renew_target *target);

/* The channel of the target's kind; NULL when there is none. */
const struct renew_channel *renew_channel_of(const struct renew_target *target);

#define RENEW_CHANNELS 3
/* The open channels. Zero-initialise, then set env. */
struct renew_channels {
  struct renew_channel_env env;
  void *open[RENEW_CHANNELS];
};
/* Returns the channel's handle, and opens the channel first if it is closed. NULL with the reason
 * in err. */
void *renew_channel_open(struct renew_channels *all, const struct renew_channel *c,
                         struct ck_err *err);
/* For walking through all channels: sets *c to channel number i, from 0, and *open to its handle,
 * or NULL if it is not open. False if there is no channel i. */
bool renew_channel_at(const struct renew_channels *all, int i, const struct renew_channel **c,
                      void **open);
/* Tells every open channel that renewd is going to stop. */
void renew_channels_stop(struct renew_channels *all);
/* Closes every open channel. */
void renew_channels_close(struct renew_channels *all);

/* ---- channel_url.c: which addresses a webhook may reach ---- */

/* True when url is http or https, names no user, and is below one of the setting's prefixes: the
 * same scheme, host and port, and a path that begins with whole segments of the prefix's and goes
 * on with nothing that a server may read in another way. */
bool renew_url_allowed(const struct ck_settings *s, enum ck_setting prefixes, const char *url);
/* The same for one prefix. */
bool renew_url_below(const char *prefix, const char *url);

#endif
