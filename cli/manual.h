/* What `make install` puts beside the programs: manual pages, and completions for shells. Both are
 * made from the tables of commands, options and settings. */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include "cli/rows.h"

/* Prints a page as roff source: "convkeep.1", or "convkeep.conf.5", whose defaults are those of
 * this program, unless the environment sets some. Returns an exit code. */
int cli_manual(struct cli *c, const char *page);

/* Prints the script that makes a shell ask `convkeep complete` for what may come next. Returns an
 * exit code. */
int cli_completion(struct cli *c, const char *shell);

/* Prints what the last of the words that follow "convkeep" on a command line may become, a line
 * each: the whole word, and after a tab what it is. The line ":files" or ":folders" says that names
 * of those may stand there, too. Nothing is printed if that cannot be told, and no error is: the
 * person is typing. Titles and ids are asked of the store. Returns CLI_DONE. */
int cli_complete(struct cli *c, int count, char **words);

#endif
