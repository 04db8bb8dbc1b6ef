/* Pauses as states, which the store keeps in its table `pauses`.
 *
 * Functions returning an int return CLI_GO_ON or the exit code after reporting the error, unless
 * they say otherwise. */
#ifndef CLI_PAUSES_H
#define CLI_PAUSES_H

#include "cli/client.h"

/* *rows: those that hold now, the oldest first: {kind, name, at, until}; until is null if nobody
 * said. The caller json_decrefs it. */
int cli_pauses(struct cli *c, json_t **rows);
/* The one of them that holds for the job of that conversation, which is charged to that account
 * (cli/accounts.h), and lasts longest; NULL: none. Borrowed from rows. */
const json_t *cli_pause_of(const json_t *rows, const json_t *job, const json_t *conversation,
                           const char *account);
/* Appends what is paused: "everything", "the platform x"; and until when, if that is known. */
void cli_pause_text(struct ck_buf *b, const json_t *row);
/* Appends the command that ends the pause, for a shell. */
void cli_resume_text(struct ck_buf *b, const char *kind, const char *name);

/* Begins a pause, or moves its end. until: 0: it has none. name: "" of everything. */
int cli_pause_begin(struct cli *c, const char *kind, const char *name, int64_t until);
/* Ends it. *was: whether there was one that had not ended by itself. */
int cli_pause_end(struct cli *c, const char *kind, const char *name, bool *was);

#endif
