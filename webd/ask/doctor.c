/* See doctor.h. */
#include "webd/ask/doctor.h"

#include <stdlib.h>

#include "proto/clock.h"

struct web_doctor {
  struct web_commands *commands;
  bool runs;
  int64_t began_at, ended_at;
  json_t *lines;
  char *error;
};

struct web_doctor *web_doctor_new(struct web_commands *commands) {
  struct web_doctor *d = ck_zalloc(sizeof *d);
  d->commands = commands;
  d->lines = json_array();
  d->error = ck_strdup("");
  return d;
}

void web_doctor_free(struct web_doctor **doctor) {
  struct web_doctor *d = *doctor;
  if (!d) return;
  json_decref(d->lines);
  free(d->error);
  free(d);
  *doctor = NULL;
}

static void set_error(struct web_doctor *d, const char *why) {
  free(d->error);
  d->error = ck_strdup(why);
}

static void heard(void *self, json_t *line, bool error) {
  struct web_doctor *d = self;
  const char *why = json_string_value(json_object_get(line, "error"));
  if (!error)
    json_array_append_new(d->lines, json_deep_copy(line));
  else if (why)
    set_error(d, why);
}

static void ended(void *self, int code) {
  struct web_doctor *d = self;
  d->runs = false;
  d->ended_at = ck_now_ms();
  if (code < 0) set_error(d, "it was ended");
}

int web_doctor_run(struct web_doctor *d, struct ck_err *err) {
  static const char *const words[] = {"doctor", NULL};
  const struct web_command_wish wish = {.words = words, .line = heard, .ended = ended, .self = d};
  if (d->runs) return 0;
  if (web_command(d->commands, &wish, err)) return -1;
  d->runs = true;
  d->began_at = ck_now_ms();
  d->ended_at = 0;
  json_array_clear(d->lines);
  set_error(d, "");
  return 0;
}

struct web_examination web_doctor_said(const struct web_doctor *d) {
  return (struct web_examination){d->runs, d->began_at, d->ended_at, d->lines, d->error};
}
