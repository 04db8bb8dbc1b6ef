/* What a task sees of the care that runs it, and the tasks. */
#ifndef CK_STORE_TASK_INTERNAL_H
#define CK_STORE_TASK_INTERNAL_H

#include "store/tasks/task.h"
#include "store/database/db.h"

struct task {
  struct context *context;
  const struct restored *restored;
  char *name, *id;
  struct ck_buf options;        /* an encoded map */
  _Atomic uint64_t done, total; /* of what, the task knows; total 0: not known */
  _Atomic int64_t asked_at;     /* ck_boot_ms */
  pthread_mutex_t lock;         /* of the lines */
  struct ck_buf lines;          /* encoded maps */
  uint32_t line_count;
};

/* The store ends, or nobody wants it any more: give up. */
bool task_cancelled(const struct task *t);
/* As sqlite3_progress_handler has it. */
int task_cancelled_handler(void *task);
/* Stands still for so many milliseconds. */
void task_pause(long ms);
/* Adds a line to the answer: one encoded map. */
void task_line(struct task *t, struct ck_str map);
/* An option: its text into *value. False when it is not there. */
bool task_option_text(const struct task *t, const char *name, struct ck_str *value);
bool task_option_bool(const struct task *t, const char *name);

/* The writer copies the database into a file, which is made anew and must not be needed. *to: the
 * copy, open; the caller's, and so is backup_remove. */
int backup_make(struct task *t, const char *file, sqlite3 **to, struct ck_err *err);
void backup_remove(const char *file);

/* Each runs in the task's thread to its end. 0, or -1 with the reason. */
int task_backup(struct task *t, struct ck_err *err);
int task_doctor(struct task *t, struct ck_err *err);
int task_rebuild(struct task *t, struct ck_err *err);
int task_restored(struct task *t, struct ck_err *err);

#endif
