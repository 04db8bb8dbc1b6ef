/* What the session files are made from: a session's messages, and the sessions last active. Reads
 * on the artifact thread's own connection. */
#ifndef CK_STORE_ARTIFACT_INDEX_H
#define CK_STORE_ARTIFACT_INDEX_H

#include "store/files/artifact_text.h"
#include "store/database/db.h"

#define LATEST_SESSIONS 20
#define LATEST_MESSAGES 5

struct artifact_index;

struct artifact_index *artifact_index_new(sqlite3 *db, struct ck_err *err);
void artifact_index_free(struct artifact_index **x);

/* Reads the session's newest messages, at most `most` of them, and puts them in reading order; what
 * comes before or after them is not looked at. They are
 * the messages of its conversation; if it has none, those of its platform without a conversation.
 * They are from the UTC day that the session's id ends with (@YYYY-MM-DD); if it ends with none,
 * from between its start and its last activity. Text is copied into `arena`. Returns how many, or
 * -1 with the reason. */
int artifact_index_messages(struct artifact_index *x, const struct ck_row *session,
                            struct artifact_message *messages, int most, struct ck_arena *arena,
                            struct ck_err *err);

/* Reads the sessions last active, with their newest messages, in one read transaction; all of it is
 * copied into `arena`. Returns how many, or -1 with the reason. */
int artifact_index_latest(struct artifact_index *x,
                          struct artifact_session sessions[LATEST_SESSIONS], struct ck_arena *arena,
                          struct ck_err *err);

/* Copies the row, and its text into `arena`. */
void artifact_row_copy(struct ck_row *to, const struct ck_row *row, struct ck_arena *arena);

#endif
