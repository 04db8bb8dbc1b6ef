/* A task that the worker runs beside itself, because the store has asked for it: this program once
 * more, with its own flags and the task's words. It tells the store itself how it has ended. */
#ifndef SYNCD_BESIDE_H
#define SYNCD_BESIDE_H

#include <sys/types.h>

#include "proto/error.h"
#include "proto/text.h"

/* Zero-initialise. */
struct sync_beside {
  pid_t pid;  /* 0: none runs */
  char *next; /* the words of the one that is to follow it; NULL: none */
};

/* Starts it; if one runs, once that has ended, and then only the last one that was asked for.
 * words: separated by blanks. -1 with the reason. */
int sync_beside_start(struct sync_beside *b, struct ck_str words, struct ck_err *err);
/* Takes note of the end of one, and starts the next. -1 with the reason: it cannot be started. */
int sync_beside_look(struct sync_beside *b, struct ck_err *err);
/* Ends it, and forgets the next. */
void sync_beside_end(struct sync_beside *b);

#endif
