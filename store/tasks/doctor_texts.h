/* For doctor's check of the readable files of the form `records`: what those should say that are
 * for people. Functions that return int return -1 with the reason in err. */
#ifndef CK_STORE_DOCTOR_TEXTS_H
#define CK_STORE_DOCTOR_TEXTS_H

#include "proto/records.h"
#include "store/database/db.h"
#include "store/tasks/task_internal.h"

struct doctor_texts; /* belongs to one connection */

struct doctor_texts *doctor_texts_new(sqlite3 *db, struct ck_err *err);
void doctor_texts_free(struct doctor_texts **x);

/* Sets *text to the .txt of a message, an execution or a session. */
int doctor_texts_make(struct doctor_texts *x, const struct ck_row *row, struct ck_buf *text,
                      struct ck_err *err);

/* *wrong: a file of the index of sessions, by its path below the open `folder`, that does not say
 * what they say; NULL: none. Waits some seconds for the index to be written. */
int doctor_texts_index(struct doctor_texts *x, struct task *t, int folder, const char **wrong,
                       struct ck_err *err);

#endif
