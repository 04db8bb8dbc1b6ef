/* Starts a task's thread, answers with its state, and has the two tasks that are small. */
#include "store/tasks/task.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/map.h"
#include "store/tasks/task_internal.h"

#define NICENESS 5
#define ID_MAX 64
#define REBUILD_LOOK_MS 20
#define REBUILD_STUCK_MS 30000

static const struct kind {
  const char *name;
  int (*run)(struct task *t, struct ck_err *err);
} kinds[] = {{"backup", task_backup},
             {"backup_check", task_backup_check},
             {"doctor", task_doctor},
             {"rebuild", task_rebuild},
             {"rebuild_search", task_rebuild_search},
             {"rebuild_seals", task_rebuild_seals},
             {"restored", task_restored}};

struct tasks {
  struct context *context;
  const struct restored *restored;
  const struct kind *kind;
  struct task *task; /* the current or the last one; NULL before the first */
  pthread_t thread;
  bool started;       /* the thread must be joined */
  _Atomic bool ended; /* it has ended; before that, rc and err are the thread's own */
  int rc;
  struct ck_err err;
};

/* ---- one task ---- */

static struct task *task_new(struct tasks *tasks, const struct ck_task *t) {
  struct task *task = ck_zalloc(sizeof *task);
  task->context = tasks->context;
  task->restored = tasks->restored;
  task->name = ck_str_dup(t->task);
  task->id = ck_str_dup(t->id);
  ck_buf_str(&task->options, t->options);
  atomic_store(&task->asked_at, ck_boot_ms());
  pthread_mutex_init(&task->lock, NULL);
  return task;
}

static void task_free(struct task *t) {
  if (!t) return;
  pthread_mutex_destroy(&t->lock);
  free(t->name);
  free(t->id);
  ck_buf_free(&t->options);
  ck_buf_free(&t->lines);
  free(t);
}

/* With a lower priority, so that commits go first; on Linux that applies to this thread only. */
static void *run(void *self) {
  struct tasks *tasks = self;
  setpriority(PRIO_PROCESS, 0, NICENESS);
  int64_t began = ck_boot_ms();
  tasks->rc = tasks->kind->run(tasks->task, &tasks->err);
  if (tasks->rc)
    ck_log(CK_WARN, tasks->task->id, "task_failed", "task=%s ms=%lld reason=%s", tasks->task->name,
           (long long)(ck_boot_ms() - began), ck_quotedz(tasks->err.text));
  else
    ck_log(CK_INFO, tasks->task->id, "task_done", "task=%s ms=%lld", tasks->task->name,
           (long long)(ck_boot_ms() - began));
  atomic_store(&tasks->ended, true);
  return NULL;
}

static void join(struct tasks *tasks) {
  if (tasks->started) pthread_join(tasks->thread, NULL);
  tasks->started = false;
}

/* With all signals blocked: the main thread handles them. */
static int start_thread(struct tasks *tasks, struct ck_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int rc = pthread_create(&tasks->thread, NULL, run, tasks);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  tasks->started = rc == 0;
  return rc ? ck_fail(err, "no thread: %s", strerror(rc)) : 0;
}

static const struct kind *kind_named(struct ck_str name) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if (ck_str_is(name, kinds[i].name)) return &kinds[i];
  return NULL;
}

static int begin(struct tasks *tasks, const struct ck_task *t, const char **code,
                 struct ck_err *err) {
  const struct kind *kind = kind_named(t->task);
  *code = "bad_request";
  if (!kind) return ck_fail(err, "task.task: this store knows no task %s", ck_quoted(t->task));
  if (t->id.n == 0 || t->id.n > ID_MAX) return ck_fail(err, "task.id: 1 to %d bytes", ID_MAX);
  *code = "busy";
  if (tasks->started && !atomic_load(&tasks->ended))
    return ck_fail(err, "a %s is under way: try again when it has ended", tasks->task->name);
  join(tasks);
  task_free(tasks->task);
  tasks->task = task_new(tasks, t);
  tasks->kind = kind;
  tasks->err = (struct ck_err){{0}};
  atomic_store(&tasks->ended, false);
  if (start_thread(tasks, err) == 0) return 0;
  task_free(tasks->task);
  tasks->task = NULL;
  return -1;
}

/* ---- asking ---- */

static void tell(struct tasks *tasks, struct ck_buf *info) {
  struct task *t = tasks->task;
  bool ended = atomic_load(&tasks->ended);
  struct ck_map m = ck_map_open(info);
  ck_pair_text(&m, "task", t->name);
  ck_pair_text(&m, "id", t->id);
  ck_pair_text(&m, "state", !ended ? "running" : tasks->rc ? "failed" : "done");
  ck_pair_uint(&m, "done", atomic_load(&t->done));
  ck_pair_uint(&m, "total", atomic_load(&t->total));
  ck_pair_text(&m, "error", ended ? tasks->err.text : "");
  ck_pair_name(&m, "lines");
  pthread_mutex_lock(&t->lock);
  ck_put_array(info, t->line_count);
  ck_buf_str(info, ck_buf_view(&t->lines));
  pthread_mutex_unlock(&t->lock);
  ck_map_close(&m);
}

int tasks_ask(struct tasks *tasks, const struct ck_task *t, struct ck_buf *info, const char **code,
              struct ck_err *err) {
  bool known =
      tasks->task && ck_str_is(t->id, tasks->task->id) && ck_str_is(t->task, tasks->task->name);
  if (!known && begin(tasks, t, code, err)) return -1;
  atomic_store(&tasks->task->asked_at, ck_boot_ms());
  tell(tasks, info);
  return 0;
}

struct tasks *tasks_new(struct context *context, const struct restored *restored) {
  struct tasks *tasks = ck_zalloc(sizeof *tasks);
  tasks->context = context;
  tasks->restored = restored;
  return tasks;
}

void tasks_free(struct tasks **tasks) {
  if (!*tasks) return;
  join(*tasks);
  task_free((*tasks)->task);
  free(*tasks);
  *tasks = NULL;
}

/* ---- the small tasks ---- */

/* What another thread makes from all records. */
struct made {
  const char *what;
  _Atomic bool *again;      /* it clears this as it begins */
  _Atomic uint64_t *cursor; /* how far it is */
  int wake;
};

/* Has all of it made again, and watches the progress. */
static int rebuild(struct task *t, const struct made *m, struct ck_err *err) {
  struct context *s = t->context;
  uint64_t seen = UINT64_MAX, goal = atomic_load(&s->head);
  int64_t moved_at = ck_boot_ms();
  atomic_store(&t->total, goal);
  atomic_store(m->again, true);
  context_wake_one(s, m->wake);
  for (;; task_pause(REBUILD_LOOK_MS)) {
    bool begun = !atomic_load(m->again);
    uint64_t at = begun ? atomic_load(m->cursor) : 0;
    if (at != seen) moved_at = ck_boot_ms();
    seen = at;
    atomic_store(&t->done, at < goal ? at : goal);
    if (begun && at >= goal) return 0;
    if (task_cancelled(t))
      return ck_fail(
          err, "the store ended before all of %s was made; it goes on when it runs again", m->what);
    if (ck_boot_ms() - moved_at > REBUILD_STUCK_MS)
      return ck_fail(err, "%s: nothing was made for %d s: logs/store.log says why", m->what,
                     REBUILD_STUCK_MS / 1000);
  }
}

int task_rebuild(struct task *t, struct ck_err *err) {
  struct context *s = t->context;
  return rebuild(
      t, &(struct made){"the files", &s->artifacts_again, &s->artifacts_cursor, WAKE_ARTIFACTS},
      err);
}

int task_rebuild_search(struct task *t, struct ck_err *err) {
  struct context *s = t->context;
  return rebuild(t, &(struct made){"the index", &s->search_again, &s->search_cursor, WAKE_INDEX},
                 err);
}

/* Says what became of the copy that was to be put in place when this store started. */
int task_restored(struct task *t, struct ck_err *err) {
  const struct restored *r = t->restored;
  if (r->state == RESTORED_NOTHING)
    return ck_fail(err, "nothing was to be restored when this store started");
  if (r->state == RESTORED_REFUSED) return ck_fail(err, "%s", r->reason.text);
  struct ck_buf line = {0};
  struct ck_map m = ck_map_open(&line);
  ck_pair_text(&m, "store_id", t->context->store_id);
  ck_pair_uint(&m, "version", atomic_load(&t->context->head));
  ck_pair_uint(&m, "backup_version", r->backup_version);
  ck_pair_uint(&m, "paused", r->paused);
  ck_pair_uint(&m, "damaged", r->damaged);
  ck_pair_text(&m, "before", r->before);
  ck_pair_text(&m, "mirror_before", r->mirror_before);
  ck_map_close(&m);
  task_line(t, ck_buf_view(&line));
  ck_buf_free(&line);
  return 0;
}
