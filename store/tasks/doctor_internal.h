/* What the checks of `doctor` share. Each looks at one thing and says one line; none changes
 * anything. */
#ifndef CK_STORE_DOCTOR_H
#define CK_STORE_DOCTOR_H

#include "store/tasks/task_internal.h"
#include "store/database/db.h"

/* note: not as usual, but nothing has to be done. */
enum finding { FOUND_OK, FOUND_NOTE, FOUND_WRONG };

struct doctor {
  struct task *task;
  sqlite3 *db;          /* what a check reads, read-only: one of the next two */
  sqlite3 *live, *copy; /* copy: NULL until it is needed */
  bool unseen;          /* … and no copy could be made */
  bool differs;         /* from its readable files */
};

int doctor_reader_open(struct doctor *d, struct ck_err *err);
void doctor_reader_close(struct doctor *d);
/* One read transaction for one check, until the end. */
int doctor_reader_begin(struct doctor *d, struct ck_err *err);
/* Whether it had to give way, because too much is written meanwhile: a check that failed is to be
 * made again, on a copy. */
bool doctor_reader_crowded(const struct doctor *d);
int doctor_reader_end(struct doctor *d, struct ck_err *err);
/* Outside a view: makes a copy, which the next ones are of. */
int doctor_reader_copy(struct doctor *d, struct ck_err *err);

/* For what reads in pieces, each one statement: it stops where its time is over, and then the WAL
 * has a moment to begin anew in. began: ck_mono_us. */
bool doctor_piece_over(int64_t began);
void doctor_piece_rest(int64_t began);

/* Says how a check ended: a line {check, result: ok | note | wrong, text, advice}. advice: what to
 * do, "" where nothing is. */
void doctor_say(struct doctor *d, const char *check, enum finding found, const char *advice,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Each says its line or lines and returns 0; -1: it could not be carried out, with the reason. */
int doctor_artifacts(struct doctor *d, struct ck_err *err);
int doctor_mirror(struct doctor *d, struct ck_err *err);

#endif
