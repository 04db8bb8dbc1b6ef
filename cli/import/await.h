/* What follows after all was sent: the store still has work that a private one would be stopped in.
 */
#ifndef CLI_IMPORT_AWAIT_H
#define CLI_IMPORT_AWAIT_H

#include "cli/client.h"

/* Waits until a private store has written the readable files of what was sent, and packed its
 * originals. Returns CLI_DONE, or the exit code after reporting the error. */
int cli_await_files(struct cli *c);

#endif
