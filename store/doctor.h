/* What the checks of `doctor` share. Each looks at one thing and says one line; none changes anything. */
#ifndef CK_STORE_DOCTOR_H
#define CK_STORE_DOCTOR_H

#include "store/care_task.h"
#include "store/db.h"

/* note: not as usual, but nothing has to be done. */
enum finding { FOUND_OK, FOUND_NOTE, FOUND_WRONG };

struct doctor {
  struct care_task *task;
  sqlite3 *db; /* read-only */
};

/* Says how a check ended: a line {check, result: ok | note | wrong, text, advice}. advice: what to do, "" where nothing is. */
void doctor_say(struct doctor *d, const char *check, enum finding found, const char *advice, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Each says its line or lines and returns 0; -1: it could not be carried out, with the reason. */
int doctor_artifacts(struct doctor *d, struct ck_err *err);
int doctor_mirror(struct doctor *d, struct ck_err *err);

#endif
