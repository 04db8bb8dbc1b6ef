/* A pager between standard output and the terminal. */
#ifndef CLI_PAGER_H
#define CLI_PAGER_H

#include <sys/types.h>

struct cli_pager {
  pid_t pid; /* 0: there is none */
  int terminal;
};

/* Starts $PAGER, or `less -R`, if standard output is a terminal; until cli_pager_end() everything
 * that is printed goes through it. If it cannot be started, or $PAGER is empty or "cat", nothing
 * changes. ^C is left to it. */
void cli_pager_begin(struct cli_pager *pager);
/* Waits until the reader has ended it. */
void cli_pager_end(struct cli_pager *pager);

#endif
