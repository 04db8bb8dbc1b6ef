/* The tasks by name, and what each needs to be open when it starts. */
#include <string.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "syncd/tasks/schema.h"
#include "syncd/tasks/verify.h"

enum needs {
  NEEDS_NOTHING,
  NEEDS_A_LOOK, /* at a sink whose schema is not made by opening it */
  NEEDS_SINK,   /* schema may run before there is a store */
  NEEDS_STORE   /* … and the sink */
};

static int open_all(struct sync_task *t, enum needs needs, struct ck_err *err) {
  const char *name = ck_settings_sink(t->settings, err);
  if (!name) return -1;
  t->sink = sync_sink_named(name);
  if (!t->sink) return ck_fail(err, "sync.sinks: %s: there is no such sink", name);
  if (needs == NEEDS_NOTHING || (needs == NEEDS_A_LOOK && t->sink->own_schema)) return 0;
  if (!t->sink->query) return ck_fail(err, "sync.sinks: %s keeps nothing to look at", name);
  if (t->sink->open(&t->sink_self, t->settings, err)) return -1;
  if (!(t->store = ck_door_connect(t->settings, CK_DOOR_SNAPSHOT, err))) return -1;
  if (needs == NEEDS_STORE && t->sink->counted && ck_set_int(t->settings, CK_SET_D1_RATE) > 0 &&
      !(t->work = ck_door_connect(t->settings, CK_DOOR_WORK, err)))
    return -1;
  return 0;
}

static int verify(struct sync_task *t, const char *how, struct ck_err *err) {
  return sync_verify(t, strcmp(how, "deep") == 0, false, err);
}
static int repair(struct sync_task *t, const char *how, struct ck_err *err) {
  return sync_verify(t, strcmp(how, "deep") == 0, true, err);
}
static int schema(struct sync_task *t, const char *how, struct ck_err *err) {
  return sync_schema(t, strcmp(how, "indexes") == 0, err);
}
static int show(struct sync_task *t, const char *how, struct ck_err *err) {
  return sync_schema_show(t, strcmp(how, "indexes") == 0, err);
}
static int print(struct sync_task *t, const char *how, struct ck_err *err) {
  (void)err;
  sync_schema_print(t, strcmp(how, "indexes") == 0);
  return 0;
}

static const struct word {
  const char *name;
  int (*run)(struct sync_task *t, const char *how,
             struct ck_err *err); /* how: the second word, "" if there is none */
  enum needs needs;
} words[] = {{"verify", verify, NEEDS_STORE},
             {"repair", repair, NEEDS_STORE},
             {"schema", schema, NEEDS_SINK},
             {"show", show, NEEDS_A_LOOK},
             {"print", print, NEEDS_NOTHING}};

static const struct word *word_of(const char *name) {
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
    if (strcmp(words[i].name, name) == 0) return &words[i];
  return NULL;
}

int sync_task_main(const struct ck_settings *s, int argc, char **argv) {
  struct sync_task t = {.settings = s, .random = {(uint64_t)ck_mono_us()}};
  struct ck_err err = {{0}};
  const struct word *w = word_of(argv[0]);
  int rc = w ? open_all(&t, w->needs, &err) : ck_fail(&err, "%s: there is no such task", argv[0]);
  if (rc == 0) rc = w->run(&t, argc > 1 ? argv[1] : "", &err);
  if (rc < 0) {
    ck_buf_text(sync_task_line(&t), "{\"error\":");
    sync_task_text(&t.line, ck_str_of(err.text));
    ck_buf_text(&t.line, "}");
    sync_task_say(&t);
  }
  if (t.sink_self) t.sink->close(&t.sink_self);
  ck_door_close(&t.store, 0);
  ck_door_close(&t.work, 0);
  ck_buf_free(&t.line);
  return rc ? 1 : 0;
}
