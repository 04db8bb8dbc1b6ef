/* What task.c and the tasks share. */
#ifndef CK_STORE_TASK_INTERNAL_H
#define CK_STORE_TASK_INTERNAL_H

#include "store/context.h"
#include "store/database/db.h"
#include "store/format/restore.h"

struct task {
  struct context *context;
  const struct restored *restored;
  char *name, *id;
  struct ck_buf options;        /* an encoded map */
  _Atomic uint64_t done, total; /* progress, in units of the task's own; total 0: not known */
  _Atomic int64_t asked_at;     /* ck_boot_ms; when somebody last asked about it */
  pthread_mutex_t lock;         /* of the lines */
  struct ck_buf lines;          /* encoded maps */
  uint32_t line_count;
};

/* True if the task should end early: the store stops, or nobody has asked about the task for a
 * minute. */
bool task_cancelled(const struct task *t);
/* The same as a callback for sqlite3_progress_handler, which then interrupts the statement. */
int task_cancelled_handler(void *task);
/* Sleeps for that many milliseconds. */
void task_pause(long ms);
/* Adds a line to the answer: one encoded map. */
void task_line(struct task *t, struct ck_str map);
/* Options of the request. *value: valid as long as the task. false: no such option, or (bool) it is
 * false. */
bool task_option_text(const struct task *t, const char *name, struct ck_str *value);
bool task_option_bool(const struct task *t, const char *name);

/* Has the writer copy the database into a file, replacing what is there. *to: the open copy, which
 * the caller closes; the caller also removes the file with backup_remove. -1 with the reason. */
int backup_make(struct task *t, const char *file, sqlite3 **to, struct ck_err *err);
/* What became of the attachments of a copy. */
struct backup_attachments {
  uint64_t copied, bad; /* bad: missing or damaged */
  struct ck_err first;  /* of the bad ones, what is wrong */
};
/* Copies the attachments that this copy of the database lists into CK_PLACE_ATTACHMENTS in
 * `folder`, beside the copy, unless they are there. -1 with the reason. */
int backup_attachments(struct task *t, sqlite3 *copy, const char *folder,
                       struct backup_attachments *made, struct ck_err *err);
/* Deletes a copy and its -journal, -wal and -shm. NULL: nothing. */
void backup_remove(const char *file);

/* The tasks. Each runs to its end in the task's thread. 0, or -1 with the reason. */
int task_backup(struct task *t, struct ck_err *err);
int task_backup_check(struct task *t, struct ck_err *err);
int task_doctor(struct task *t, struct ck_err *err);
int task_rebuild(struct task *t, struct ck_err *err);
int task_rebuild_search(struct task *t, struct ck_err *err);
int task_rebuild_seals(struct task *t, struct ck_err *err);
int task_restored(struct task *t, struct ck_err *err);

#endif
