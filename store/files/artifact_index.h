/* What the files of sessions are made from: a session's messages, and the sessions last active.
 * Reads on the artifacts' own connection. */
#ifndef CK_STORE_ARTIFACT_INDEX_H
#define CK_STORE_ARTIFACT_INDEX_H

#include "store/files/artifact_text.h"
#include "store/database/db.h"

#define LATEST_SESSIONS 20
#define LATEST_MESSAGES 5

struct artifact_index;

struct artifact_index *artifact_index_new(sqlite3 *db, struct ck_err *err);
void artifact_index_free(struct artifact_index **x);

/* The session's newest messages, newest first, at most `most`, into rows. They are those of its
 * conversation (or, where it has none, of its platform outside conversations) on the UTC day that
 * the session's id ends with (@YYYY-MM-DD), else between its start and its last activity. Text
 * lives in arena. The count, or -1 with the reason. */
int artifact_index_messages(struct artifact_index *x, const struct ck_row *session,
                            struct ck_row *rows, int most, struct ck_arena *arena,
                            struct ck_err *err);

/* The sessions last active with their newest messages, of one view of the database, all in arena.
 * The count, or -1 with the reason. */
int artifact_index_latest(struct artifact_index *x,
                          struct artifact_session sessions[LATEST_SESSIONS], struct ck_arena *arena,
                          struct ck_err *err);

/* Copies the row's text into arena. */
void artifact_row_keep(struct ck_row *to, const struct ck_row *row, struct ck_arena *arena);

#endif
