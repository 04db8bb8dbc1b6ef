/* The channel `null`: every follow-up counts as delivered, and nothing is sent. For tests. */
#include "renewd/channel.h"

static int something;

static int null_serves(const struct ck_settings *s, const struct renew_target *target,
                       struct ck_err *err) {
  (void)s;
  (void)target;
  (void)err;
  return 0;
}
static void *null_open(const struct renew_channel_env *env, struct ck_err *err) {
  (void)env;
  (void)err;
  return &something;
}
static void null_nothing(void *channel) { (void)channel; }
static int null_fd(void *channel) {
  (void)channel;
  return -1;
}
static int64_t null_until(void *channel) {
  (void)channel;
  return INT64_MAX;
}
static void *null_start(void *channel, const struct renew_parcel *parcel,
                        struct renew_result *result) {
  (void)channel;
  (void)parcel;
  renew_result_set(result, RENEW_DONE, "%s", "");
  return NULL;
}
static bool null_over(void *delivery, struct renew_result *result) {
  (void)delivery;
  renew_result_set(result, RENEW_DONE, "%s", "");
  return true;
}
static bool null_repeatable(const struct ck_settings *s, const struct renew_target *target) {
  (void)s;
  (void)target;
  return true;
}

const struct renew_channel renew_channel_null = {
    .kind = "null",
    .serves = null_serves,
    .open = null_open,
    .close = null_nothing,
    .fd = null_fd,
    .until = null_until,
    .pump = null_nothing,
    .start = null_start,
    .over = null_over,
    .abandon = null_nothing,
    .repeatable = null_repeatable,
};
