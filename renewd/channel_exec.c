/* The kind `exec`: the launcher runs the program that the settings name (launcher.h). What comes of
 * it is the result that it prints last, its own or that of Claude Code or Codex; or else its exit
 * code: 0 done, 75 try again, else failed.
 * A program that is ended by a signal, or made to end, may have delivered: unknown, unless it has
 * printed its result before. */
#include "renewd/channel.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "renewd/command.h"
#include "renewd/launcher.h"
#include "renewd/program_end.h"
#include "renewd/result_line.h"

#define EXIT_TRY_AGAIN 75 /* EX_TEMPFAIL */

struct run {
  struct exec *exec;
  struct run *next;
  uint64_t id;
  int64_t timeout; /* milliseconds */
  bool is_over;
  struct renew_result result;
};

struct exec {
  const struct ck_settings *settings;
  struct renew_launcher *launcher;
  uint64_t last_id;
  struct run *all;
};

static void *exec_open(const struct renew_channel_env *env, struct ck_err *err) {
  if (!env->launcher) {
    ck_fail(err, "there is no launcher");
    return NULL;
  }
  struct exec *x = ck_zalloc(sizeof *x);
  x->settings = env->settings;
  x->launcher = env->launcher;
  return x;
}

static void run_free(struct run *r) {
  struct run **at = &r->exec->all;
  while (*at != r) at = &(*at)->next;
  *at = r->next;
  free(r);
}

static void exec_abandon(void *delivery) {
  struct run *r = delivery;
  if (!r->is_over) renew_launcher_kill(r->exec->launcher, r->id);
  run_free(r);
}

static void exec_cancel(void *delivery) {
  struct run *r = delivery;
  if (!r->is_over) renew_launcher_cancel(r->exec->launcher, r->id);
}

static void exec_close(void *channel) {
  struct exec *x = channel;
  while (x->all) exec_abandon(x->all);
  free(x);
}

static int exec_fd(void *channel) { return renew_launcher_fd(((struct exec *)channel)->launcher); }

static int64_t exec_until(void *channel) {
  (void)channel;
  return INT64_MAX; /* the launcher keeps the time */
}

static void exec_stop(void *channel) { renew_launcher_stop(((struct exec *)channel)->launcher); }

/* ---- ends ---- */

static void judge_exit(struct renew_result *result, int code, const char *words) {
  enum renew_outcome outcome = code == 0                ? RENEW_DONE
                               : code == EXIT_TRY_AGAIN ? RENEW_RETRY
                                                        : RENEW_FAILED;
  if (outcome == RENEW_DONE)
    renew_result_set(result, outcome, "%s", "");
  else
    renew_result_set(result, outcome, "exit %d%s%s", code, words[0] ? ": " : "", words);
}

static void judge_end(struct run *r, const struct renew_launched *e) {
  char words[RENEW_WORDS];
  renew_words(words, e->said);
  const char *colon = words[0] ? ": " : "";
  switch (e->end) {
  case RENEW_COMMAND_NOT_RUN:
    renew_result_set(&r->result, e->never_will ? RENEW_FAILED : RENEW_UNREACHED, "%s", words);
    break;
  case RENEW_COMMAND_EXITED:
    judge_exit(&r->result, e->code, words);
    break;
  case RENEW_COMMAND_SIGNALLED:
    renew_result_set(&r->result, RENEW_UNKNOWN, "ended by signal %d%s%s", e->code, colon, words);
    break;
  case RENEW_COMMAND_TIMED_OUT:
    renew_result_set(&r->result, RENEW_UNKNOWN, "no end within %lld ms, so it was stopped",
                     (long long)r->timeout);
    break;
  case RENEW_COMMAND_CANCELLED:
    renew_result_set(&r->result, RENEW_UNKNOWN, "cancelled, so it was stopped%s%s", colon, words);
    break;
  case RENEW_COMMAND_STOPPED:
    renew_result_set(&r->result, RENEW_UNKNOWN, "renewd was stopped, and so was it%s%s", colon,
                     words);
    break;
  }
}

static void judge(struct run *r, const struct renew_launched *e) {
  r->is_over = true;
  int64_t now = ck_now_ms();
  bool exited = e->end == RENEW_COMMAND_EXITED;
  const struct renew_printed printed = {.last = e->last,
                                        .alone = e->alone && exited,
                                        .said = e->said,
                                        .refusal = e->refusal,
                                        .failed = exited && e->code != 0};
  if (!renew_result_line(&r->result, e->last, now) && !renew_program_end(&r->result, &printed, now))
    judge_end(r, e);
  if (exited) r->result.exit_code = e->code;
}

static struct run *run_of(struct exec *x, uint64_t id) {
  struct run *r = x->all;
  while (r && r->id != id) r = r->next;
  return r;
}

static void all_lost(struct exec *x) {
  for (struct run *r = x->all; r; r = r->next) {
    if (r->is_over) continue;
    r->is_over = true;
    renew_result_set(&r->result, RENEW_UNKNOWN, "the process that runs commands has ended");
  }
}

static void exec_pump(void *channel) {
  struct exec *x = channel;
  struct renew_launched ended;
  while (renew_launcher_ended(x->launcher, &ended)) {
    struct run *r = run_of(x, ended.id);
    if (r) judge(r, &ended);
  }
  if (renew_launcher_is_lost(x->launcher)) all_lost(x);
}

/* ---- one delivery ---- */

static int exec_serves(const struct ck_settings *s, const struct renew_target *target,
                       struct ck_err *err) {
  struct ck_exec exec;
  if (!target->id) return ck_fail(err, "its target, of kind exec, has no id");
  if (!ck_set_exec(s, target->id, &exec))
    return ck_fail(err, "there is no setting renew.exec.%.100s", target->id);
  if (renew_command_serves(&exec, ck_str_of(target->payload), err) == 0) return 0;
  return ck_fail_in(err, "renew.exec.%.100s", target->id);
}

static void *exec_start(void *channel, const struct renew_parcel *parcel,
                        struct renew_result *result) {
  struct exec *x = channel;
  struct ck_exec exec;
  struct ck_err err;
  bool is_served = ck_set_exec(x->settings, parcel->target->id, &exec);
  assert(is_served);
  struct run *r = ck_zalloc(sizeof *r);
  *r = (struct run){.exec = x, .id = ++x->last_id, .timeout = exec.timeout, .next = x->all};
  x->all = r;
  if (renew_launcher_run(x->launcher, r->id, parcel->target->id, parcel->body, parcel->payload,
                         &err) == 0)
    return r;
  renew_result_set(result, RENEW_UNREACHED, "%s", err.text);
  run_free(r);
  return NULL;
}

static bool exec_over(void *delivery, struct renew_result *result) {
  struct run *r = delivery;
  if (!r->is_over) return false;
  *result = r->result;
  run_free(r);
  return true;
}

static bool exec_repeatable(const struct ck_settings *s, const struct renew_target *target) {
  (void)s;
  (void)target;
  return false;
}

const struct renew_channel renew_channel_exec = {
    .kind = "exec",
    .serves = exec_serves,
    .open = exec_open,
    .close = exec_close,
    .fd = exec_fd,
    .until = exec_until,
    .pump = exec_pump,
    .start = exec_start,
    .over = exec_over,
    .cancel = exec_cancel,
    .abandon = exec_abandon,
    .stop = exec_stop,
    .repeatable = exec_repeatable,
};
