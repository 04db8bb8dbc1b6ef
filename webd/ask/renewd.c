/* Questions to renewd's own code: see ask.h. */
#include "webd/ask/ask.h"

#include <stdlib.h>
#include <string.h>

#define RUN_MOST 4 /* at a time; more wait for their turn */

struct question {
  struct question *next;
  struct web_renewd *renewd;
  char **words;
  struct web_renewd_ops ops;
  void *self;
  int ms;
  json_t *result;
  char *error;
};

struct web_renewd {
  struct web_commands *commands;
  struct question *waiting; /* in the order in which they came */
  int running;
};

struct web_renewd *web_renewd_new(struct web_commands *commands) {
  struct web_renewd *r = ck_zalloc(sizeof *r);
  r->commands = commands;
  return r;
}

static void finish(struct question *q, const char *why) {
  const char *reason = q->error ? q->error : why ? why : "renewd ended before it was done";
  q->ops.done(q->self, q->error || why ? NULL : q->result, reason);
  json_decref(q->result);
  for (char **word = q->words; *word; ++word) free(*word);
  free(q->words);
  free(q->error);
  free(q);
}

static void take_line(void *self, json_t *line, bool error) {
  struct question *q = self;
  const char *name;
  json_t *value;
  (void)error;
  json_object_foreach(line, name, value) {
    if (strcmp(name, "error") == 0) {
      free(q->error);
      q->error = ck_strdup(json_is_string(value) ? json_string_value(value) : "it has failed");
    } else if (strcmp(name, "result") == 0) {
      json_decref(q->result);
      q->result = json_incref(value);
    } else if (q->ops.line) {
      q->ops.line(q->self, name, value);
    }
  }
}

static void begin_next(struct web_renewd *r);

static void ended(void *self, int code) {
  struct question *q = self;
  struct web_renewd *r = q->renewd;
  --r->running;
  finish(q, code == WEB_COMMAND_LATE ? "it takes too long; try again later" : NULL);
  begin_next(r);
}

static void begin_next(struct web_renewd *r) {
  while (r->waiting && r->running < RUN_MOST) {
    struct question *q = r->waiting;
    struct ck_err err;
    const struct web_command_wish wish = {.program = WEB_RENEWD,
                                          .words = (const char *const *)q->words,
                                          .ms = q->ms,
                                          .line = take_line,
                                          .ended = ended,
                                          .self = q};
    r->waiting = q->next;
    if (web_command(r->commands, &wish, &err) == 0)
      ++r->running;
    else
      finish(q, err.text);
  }
}

void web_renewd_ask(struct web_renewd *r, const char *const words[], int ms,
                    const struct web_renewd_ops *ops, void *self) {
  struct question *q = ck_zalloc(sizeof *q), **last = &r->waiting;
  size_t n = 0;
  while (words[n]) ++n;
  *q = (struct question){.renewd = r,
                         .words = ck_zalloc((n + 1) * sizeof *q->words),
                         .ops = *ops,
                         .self = self,
                         .ms = ms};
  for (size_t i = 0; i < n; ++i) q->words[i] = ck_strdup(words[i]);
  while (*last) last = &(*last)->next;
  *last = q;
  begin_next(r);
}

void web_renewd_free(struct web_renewd **renewd) {
  free(*renewd);
  *renewd = NULL;
}
