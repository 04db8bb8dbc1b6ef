/* What the checks of `doctor` share. Each check examines one thing and reports a line or two; none
 * changes anything. */
#ifndef CK_STORE_DOCTOR_INTERNAL_H
#define CK_STORE_DOCTOR_INTERNAL_H

#include "proto/finding.h"
#include "store/tasks/task_internal.h"
#include "store/database/db.h"

struct doctor {
  struct task *task;
  sqlite3 *db;      /* what a check reads, read-only: live or copy */
  sqlite3 *live;    /* the database itself */
  sqlite3 *copy;    /* NULL until it is needed */
  bool unseen;      /* a copy was needed and could not be made */
  bool differs;     /* the database differs from its readable files */
  bool damaged;     /* the database: nothing is to be made again from it */
  bool lost;        /* so it is, for another reason: its rows contradict each other */
  unsigned foreign; /* entries of the schema that are wrong */
};

/* ---- reading: doctor_reader.c; all return -1 with the reason if they fail ---- */

int doctor_reader_open(struct doctor *d, struct ck_err *err);
void doctor_reader_close(struct doctor *d);
/* Begins the read transaction of one check, on the copy if there is one. */
int doctor_reader_begin(struct doctor *d, struct ck_err *err);
/* True if the transaction had to give way because too much is written meanwhile. The check has then
 * failed, and is to be run again on a copy. */
bool doctor_reader_crowded(const struct doctor *d);
int doctor_reader_end(struct doctor *d, struct ck_err *err);
/* Makes the copy, outside a transaction; later transactions are on it. */
int doctor_reader_copy(struct doctor *d, struct ck_err *err);

/* For a check that reads in pieces of one statement each, the rows after the last of the piece
 * before, in the order of their versions. Its SQL says so twice, the second time as `+version >
 * ?1`: SQLite finds the first row by the order of the tree, and if that is damaged, the same rows
 * would come for ever. It stops a piece when doctor_piece_over, then calls doctor_piece_rest, which
 * sleeps a moment so that the WAL can start over. began: when the piece began, ck_mono_us. */
bool doctor_piece_over(int64_t began);
void doctor_piece_rest(int64_t began);

/* How many files there are below the folder `name` of `at`, whose names end so. */
uint64_t doctor_count_files(const struct doctor *d, int at, const char *name,
                            const char *const endings[2]);

/* ---- reporting ---- */

#define DOCTOR_DIFFERENT_ADVICE \
  "one of the two was changed, by hand or by a failing disk; the mirror and a backup tell which. " \
  "If the files: convkeep rebuild artifacts. If the database: check the disk, then " \
  "convkeep restore BACKUP and import again what came since"
#define DOCTOR_CHANGED_ADVICE \
  "check the disk, unless somebody wrote there; convkeep rebuild artifacts"
#define DOCTOR_FOREIGN_ADVICE \
  "from another database, or put there by hand; they can be deleted, " \
  "and so can the folder, which is made again"

/* Reports how a check ended, as a line {check, result: ok | note | wrong, text, advice}. advice:
 * what to do; "": nothing. While the database is damaged, or was not examined, what is made from it
 * is not to be made again, and nothing is to be changed in it: the advice says so. */
void doctor_say(struct doctor *d, const char *check, enum ck_finding found, const char *advice,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Checks in files of their own. They report their lines and return 0; -1 with the reason: the check
 * could not be carried out. */
int doctor_sessions(struct doctor *d, struct ck_err *err);
int doctor_summaries(struct doctor *d, struct ck_err *err);
int doctor_artifacts(struct doctor *d, struct ck_err *err);
int doctor_conversations(struct doctor *d, struct ck_err *err); /* a part of doctor_artifacts */
int doctor_originals(struct doctor *d, struct ck_err *err);
int doctor_attachments(struct doctor *d, struct ck_err *err);
int doctor_search(struct doctor *d, struct ck_err *err);
int doctor_mirror(struct doctor *d, struct ck_err *err);

/* Appends which pages of the attached database `name` are not as they were written, of those that
 * were read, for people; nothing if all are. what: how the file is called. */
void doctor_pages(struct doctor *d, const char *name, const char *what, struct ck_buf *text);

#endif
