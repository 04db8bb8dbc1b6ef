/* A conversation as it is in the database, and its two files: Markdown, as `convkeep export --md`
 * writes it, and JSON, as `--json` does, but without the messages of other conversations that it
 * was forked from, and without the ages of values. Memory grows with the number of messages, not
 * with what they say; no read transaction lasts longer than some 20 ms.
 *
 * Functions that return int return -1 with the reason in err. */
#ifndef CK_STORE_CONVERSATION_H
#define CK_STORE_CONVERSATION_H

#include "proto/render/render.h"
#include "store/database/db.h"

struct conversation; /* belongs to one connection */

struct conversation *conversation_new(sqlite3 *db, struct ck_err *err);
void conversation_free(struct conversation **c);

/* Reads what it is and the order of its messages. 1; 0: there is no such conversation. */
int conversation_load(struct conversation *c, struct ck_str id, struct ck_err *err);
/* Appends the name that its files should have, without an ending. */
void conversation_name(const struct conversation *c, struct ck_buf *name);
/* The greatest version of what was read of it since it was loaded. */
uint64_t conversation_newest(const struct conversation *c);

/* Takes some bytes of a file; never inside a read transaction. 0; -1 with the reason: give up. */
typedef int conversation_sink(void *self, struct ck_str bytes, struct ck_err *err);

/* Gives the file's bytes to `sink`. A message that is gone by now is left out. */
int conversation_markdown(struct conversation *c, conversation_sink *sink, void *self,
                          struct ck_err *err);
int conversation_json(struct conversation *c, conversation_sink *sink, void *self,
                      struct ck_err *err);

#endif
