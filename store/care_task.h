/* What a task sees of the care that runs it, and the tasks. */
#ifndef CK_STORE_CARE_TASK_H
#define CK_STORE_CARE_TASK_H

#include "store/care.h"
#include "store/db.h"

struct care_task {
  struct shared *shared;
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
bool care_ends(const struct care_task *t);
/* As sqlite3_progress_handler has it. */
int care_ends_handler(void *task);
/* Stands still for so many milliseconds. */
void care_pause(long ms);
/* Adds a line to the answer: one encoded map. */
void care_line(struct care_task *t, struct ck_str map);
/* An option: its text into *value. False when it is not there. */
bool care_option_text(const struct care_task *t, const char *name, struct ck_str *value);
bool care_option_bool(const struct care_task *t, const char *name);

/* The writer copies the database into a file, which is made anew and must not be needed. *to: the copy, open; the caller's, and so is backup_remove. */
int backup_copy(struct care_task *t, const char *file, sqlite3 **to, struct ck_err *err);
void backup_remove(const char *file);

/* Each runs in the task's thread to its end. 0, or -1 with the reason. */
int care_backup(struct care_task *t, struct ck_err *err);
int care_doctor(struct care_task *t, struct ck_err *err);
int care_rebuild(struct care_task *t, struct ck_err *err);
int care_restored(struct care_task *t, struct ck_err *err);

#endif
