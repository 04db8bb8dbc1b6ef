/* The file `forgotten` of the data folder: what was forgotten, by the ids that were named, outside
 * the database. A database from before, which is put back, does not know it. */
#ifndef CLI_FORGOTTEN_FILE_H
#define CLI_FORGOTTEN_FILE_H

#include "cli/client.h"

/* Notes that it is forgotten; back: that it may come again. CLI_GO_ON, or the exit code after
 * reporting the error. */
int cli_forgotten_note(struct cli *c, bool conversation, const char *id, bool back);

/* *list: what the file says is forgotten and the store does not, as objects {kind, id} in an array
 * that the caller decrefs. As above. */
int cli_forgotten_missing(struct cli *c, json_t **list);

/* *list: what the store says is forgotten and the file does not, as objects {kind, id}; as above.
 * The file has lost it. */
int cli_forgotten_unnoted(struct cli *c, json_t **list);
/* Notes that in the file again. */
int cli_forgotten_note_again(struct cli *c);

/* False: each of the file's lines is as it was written. Else appends what is wrong. A line that is
 * not is left out by the others here. */
bool cli_forgotten_damaged(struct ck_buf *text);

/* What may come back then, and what to do, for people. */
#define CLI_FORGOTTEN_ADVICE \
  "check the disk. What such a line names would come back with a backup from before: if you know " \
  "it, `convkeep forget` it again; then delete the line"

#endif
