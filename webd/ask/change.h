/* How the changes that a person makes go and end: a changeset ─► receipt ─► the record as it is
 * then. What each changes is in conversation.c, job.c and pause.c. */
#ifndef WEBD_ASK_CHANGE_H
#define WEBD_ASK_CHANGE_H

#include "webd/ask/ask.h"

/* The first member of what each of them keeps, which is freed by web_change_finish. */
struct web_change {
  struct web_store store;
  int ms;
  web_changed_fn *done;
  void *self;
  const char *list, *column; /* where its record is; NULL: it is about none */
  char *id;                  /* of the record */
  json_t *row;               /* the record, as it was heard last */
  void (*free)(void *c);     /* frees what is kept besides; NULL: nothing is */
};

/* Calls done, and frees c. */
void web_change_finish(struct web_change *c, enum web_end end, const char *reason);
/* Asks for the record; got: as of web_row, with c as self. */
void web_change_begin(struct web_change *c, void (*got)(void *self, bool there, json_t *row));
/* Keeps the row. True: it is there; else the change has ended, with that reason if there is no such
 * record. */
bool web_change_got(struct web_change *c, bool there, json_t *row, const char *none);
/* Sends the mutations, an encoded array, and ends with the record as it is then. */
void web_change_write(struct web_change *c, struct ck_str mutations);

#endif
