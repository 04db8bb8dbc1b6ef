/* What a task sees: its options, its lines, and whether it is cancelled. */
#include "store/tasks/task_internal.h"

#include <time.h>

#include "proto/clock.h"
#include "proto/map.h"

#define FORGOTTEN_MS 60000 /* a task that nobody has asked about for this long is cancelled */

bool task_cancelled(const struct task *t) {
  return atomic_load(&t->context->stop) || ck_boot_ms() - atomic_load(&t->asked_at) > FORGOTTEN_MS;
}

int task_cancelled_handler(void *task) { return task_cancelled(task); }

void task_line(struct task *t, struct ck_str map) {
  pthread_mutex_lock(&t->lock);
  ck_buf_str(&t->lines, map);
  ++t->line_count;
  pthread_mutex_unlock(&t->lock);
}

bool task_option_text(const struct task *t, const char *name, struct ck_str *value) {
  struct ck_reader r;
  return ck_map_find(ck_buf_view(&t->options), name, &r) && ck_read_str(&r, value) == 0;
}

bool task_option_bool(const struct task *t, const char *name) {
  return ck_map_bool(ck_buf_view(&t->options), name);
}

void task_pause(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}
