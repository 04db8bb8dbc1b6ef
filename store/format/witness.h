/* clang-format off */
/* What in the data folder, outside the database, knows how far a store has come here. So a database
 * that is missing, or older than it was, is noticed.
 *
 *   witness             the store's own note, one line: STORE_ID RUN VERSION CHECKSUM. Durable at
 *                       each start; from then on the version is written once a second, without a
 *                       sync, so that it outlives the process, but not always the machine
 *   artifacts/.cursor   the readable files' note, and the files themselves
 *   spool/released      the last number for which ingest has a receipt
 *   mirror.db           the embedded mirror's rows
 *   artifact.db-wal, artifact.db.before-TIME, artifact.db.saved-TIME and other files of that kind
 *
 * None of them says more than what was committed.
 */
/* clang-format on */
#ifndef CK_STORE_WITNESS_H
#define CK_STORE_WITNESS_H

#include "store/database/db.h"
#include "proto/settings.h"

/* ---- the store's own note ---- */

struct witness {
  char store_id[33]; /* "": there is no note, or it is damaged */
  bool damaged;      /* it is there, and not as it was written */
  uint64_t run, version;
};

void witness_read(struct witness *w);
/* True, and logged, if there is one that is not as it was written. */
bool witness_is_damaged(void);
/* Replaces the note, durably. 0, or -1 with the reason. */
int witness_save(const struct witness *w, struct ck_err *err);
/* Overwrites it in place, without a sync. A failure says nothing: it is tried again. */
void witness_overwrite(const struct witness *w);

/* ---- a database that is older than it was ---- */

/* Compares the open database with the witnesses; call it on the writer's connection, when this run
 * has been counted. 1: the database is older, or another store's, and why says which witness knows
 * it; *highest is the highest version that is known. 0: it is not. -1 with the reason. */
int witness_older(sqlite3 *db, uint64_t *highest, struct ck_err *why, struct ck_err *err);

/* Notes the last receipt in this folder's spool: a database that is older on purpose lacks what has
 * one, so up to there the spool is no witness against it. 0, or -1 with the reason. */
int witness_accept_spool(sqlite3 *db, struct ck_err *err);

/* ---- a database that is missing ---- */

struct remains {
  bool there;            /* the database is: it is not missing, empty or without tables */
  char what[120];        /* else the witnesses by name, for people; "": there is none */
  char copy[64];         /* a copy of the database among them, the newest by its name; "": none */
  uint64_t run, version; /* the highest that they know */
};

/* Looks whether there is a database, and for witnesses if there is none. Call it before SQLite
 * opens the file. */
void witness_remains(const struct ck_settings *s, struct remains *r);

/* 0 unless there are witnesses without a database; then -1, and err names what was found and what
 * can be done. */
int witness_refuse(const struct ck_settings *s, struct ck_err *err);

#endif
