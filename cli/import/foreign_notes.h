/* What is noted of a foreign database before its rows are handed over, in a temporary database of
 * our own, which goes to the disk where it is large: by which link a conversation is reached, and
 * which conversations the messages are of that executions name. */
#ifndef CLI_IMPORT_FOREIGN_NOTES_H
#define CLI_IMPORT_FOREIGN_NOTES_H

#include "proto/error.h"
#include "proto/text.h"

struct foreign_notes;

/* NULL with the reason. A note that cannot be made later is left out. */
struct foreign_notes *foreign_notes_new(struct ck_err *err);
void foreign_notes_free(struct foreign_notes **n);

/* A link of the conversation; the newest one counts. */
void foreign_notes_link(struct foreign_notes *n, struct ck_str conversation, struct ck_str platform,
                        struct ck_str remote, int64_t observed_at);
/* An execution names this message; when the message comes, its conversation is noted. */
void foreign_notes_wanted(struct foreign_notes *n, struct ck_str message);
void foreign_notes_message(struct foreign_notes *n, struct ck_str message, struct ck_str platform,
                           struct ck_str remote);

/* What was noted; both empty: nothing. Valid until the next call. */
void foreign_notes_of_conversation(struct foreign_notes *n, struct ck_str conversation,
                                   struct ck_str *platform, struct ck_str *remote);
void foreign_notes_of_message(struct foreign_notes *n, struct ck_str message,
                              struct ck_str *platform, struct ck_str *remote);

#endif
