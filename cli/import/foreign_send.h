/* Sends rows of a foreign database to the store, each as a changeset of its own with one ADOPT,
 * some hundred ahead of the last receipt, and counts what came of them by table. Needs a store that
 * answers; the rows that were stored stay stored if it stops doing so. */
#ifndef CLI_IMPORT_FOREIGN_SEND_H
#define CLI_IMPORT_FOREIGN_SEND_H

#include "cli/import/foreign.h"
#include "cli/import/foreign_rows.h"

struct foreign_sender;

/* NULL with the reason: it cannot be connected. */
struct foreign_sender *foreign_sender_new(struct cli *c, struct ck_err *err);
void foreign_sender_free(struct foreign_sender **s);

/* What is sent from now on is of this file, and counts in *into. */
void foreign_sender_begin(struct foreign_sender *s, const char *file,
                          struct cli_foreign_result *into);
/* Sends the row; waits while too many are on the way. These three return 0, or -1: no more can be
 * sent, as foreign_sender_fault says. */
int foreign_sender_row(struct foreign_sender *s, const struct foreign_row *row, const char *place);
/* Does what can be done without waiting. */
int foreign_sender_step(struct foreign_sender *s);
/* Waits for the last receipt. */
int foreign_sender_finish(struct foreign_sender *s);
/* The exit code after reporting why no more can be sent; CLI_GO_ON: nothing is wrong. */
int foreign_sender_fault(const struct foreign_sender *s);

/* Counts and keeps what does not go in: in the result, and in spool/refused.jsonl. */
void foreign_sender_refuse(struct foreign_sender *s, enum ck_table table, const char *place,
                           const char *reason, struct ck_str raw);

#endif
