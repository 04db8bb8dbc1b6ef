/* The ways a follow-up can go: one file each, one table of operations. Nothing here waits; what a
 * channel waits for is behind one file descriptor and one time.
 */
#ifndef RENEWD_CHANNEL_H
#define RENEWD_CHANNEL_H

#include "proto/settings.h"
#include "renewd/due.h"
#include "renewd/outcomes.h"
#include "renewd/target.h"

/* What the channels need of their surroundings. */
struct renew_channel_env {
  const struct ck_settings *settings;
  struct renew_outcomes *outcomes; /* the feed channel publishes through the store */
};

/* What is to be delivered. Everything is valid until the delivery is over. */
struct renew_parcel {
  const char *job_id; /* the delivery's own id, the same at every attempt */
  const struct renew_target *target;
  struct ck_str body; /* one JSON object without line breaks */
};

struct renew_channel {
  const char *kind; /* target.kind */
  bool tells_lease; /* the body has the lease's token: whoever gets it may end the job */

  /* The channel as a whole: made when it is first used, NULL with the reason. */
  void *(*open)(const struct renew_channel_env *env, struct ck_err *err);
  void (*close)(void *channel); /* after the last delivery */
  int (*fd)(void *channel);     /* readable when pump has something to do; -1: never */
  int64_t (*until)(
      void *channel); /* ck_boot_ms() at which pump has something to do; INT64_MAX: never */
  void (*pump)(void *channel);

  /* One delivery. NULL: it was over at once, and result is filled. */
  void *(*start)(void *channel, const struct renew_parcel *parcel, struct renew_result *result);
  bool (*over)(void *delivery,
               struct renew_result *result); /* true: result is filled, delivery is freed */
  void (*ended)(
      void *delivery,
      struct ck_str status); /* the job's row says that it is not running any more. May be NULL */
  void (*abandon)(void *delivery); /* freed, whatever becomes of it */

  /* May an attempt with an unknown end be sent again? */
  bool (*repeatable)(const struct ck_settings *s, const struct renew_target *target);
};

extern const struct renew_channel renew_channel_webhook, renew_channel_exec, renew_channel_feed,
    renew_channel_null;

/* NULL when there is no channel of that kind. */
const struct renew_channel *renew_channel_named(const char *kind);

#define RENEW_CHANNELS 4
/* The open channels. Zero-initialise, then set env. */
struct renew_channels {
  struct renew_channel_env env;
  void *open[RENEW_CHANNELS];
};
void *renew_channel_open(struct renew_channels *all, const struct renew_channel *c,
                         struct ck_err *err);
/* Walks the open ones; false behind the last. */
bool renew_channel_at(const struct renew_channels *all, int i, const struct renew_channel **c,
                      void **open);
void renew_channels_close(struct renew_channels *all);

/* Fills the result. */
void renew_result_set(struct renew_result *r, enum renew_outcome outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A target's own words, made fit for a log line and a TEXT column: UTF-8, without control
 * characters or blanks at its ends, at most 300 bytes. Terminated. */
#define RENEW_WORDS 304
void renew_words(char out[RENEW_WORDS], struct ck_str bytes);

/* ---- what channel_url.c says of addresses ---- */

/* True when url is http or https without user information and below one of the setting's prefixes:
 * same scheme, host and port, path from the prefix's on at the border of a segment. */
bool renew_url_allowed(const struct ck_settings *s, enum ck_setting prefixes, const char *url);
/* The same with one prefix. */
bool renew_url_below(const char *prefix, const char *url);
/* Every word of the setting is a prefix that could match. -1: err names the one that is not. */
int renew_url_check(const struct ck_settings *s, enum ck_setting prefixes, struct ck_err *err);

#endif
