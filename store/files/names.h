/* Which file each conversation has, and which records are in it: artifacts/.names, a database. A
 * title that changes gives a conversation another name, so the former one has to be known, and no
 * two have the same, also where upper and lower case are one. A message that moves to another
 * conversation leaves a file that has to be written again. Nothing is lost with the database: it
 * and the files are made again. Its pages have seals (proto/sqlite_pages.h), and one that is not as
 * it was written cannot be read.
 *
 * Functions that return int return -1 with the reason in err. */
#ifndef CK_STORE_NAMES_H
#define CK_STORE_NAMES_H

#include "store/database/db.h"

#define NAMES_FILE "artifacts/.names"

struct names;

/* Opens it for writing, in the working directory; makes it if it is missing or damaged. *fresh: it
 * was made. NULL with the reason. */
struct names *names_open(bool *fresh, struct ck_err *err);
/* The same for reading alone; NULL also if there is none. */
struct names *names_reader(struct ck_err *err);
void names_close(struct names **n);
/* Deletes it; it must be closed. */
int names_drop(struct ck_err *err);

/* Sets *name to the name of the conversation's files, without their endings. 1; 0: it has none. */
int names_find(struct names *n, struct ck_str conversation, struct ck_buf *name,
               struct ck_err *err);
/* 1: another conversation has this name; 0: none has. */
int names_taken(struct names *n, struct ck_str conversation, struct ck_str name,
                struct ck_err *err);
/* The conversation has this name from now on. Committed by names_commit. */
int names_set(struct names *n, struct ck_str conversation, struct ck_str name, struct ck_err *err);
/* The record belongs to this conversation from now on; empty: to none. 1: before, it belonged to
 * another one, *former; 0: it did not. */
int names_move(struct names *n, const struct ck_row *record, struct ck_str conversation,
               struct ck_buf *former, struct ck_err *err);
/* The conversation is forgotten, and its name, which *name is set to. 1; 0: it had none. */
int names_drop_conversation(struct names *n, struct ck_str conversation, struct ck_buf *name,
                            struct ck_err *err);
/* Sets *conversation to one that a record has left and that was not written since (names_written);
 * *place: 0, then what the last call left there. 1; 0: that was all. */
int names_stale(struct names *n, int64_t *place, struct ck_buf *conversation, struct ck_err *err);
/* The conversation's files are written as it is. md: the CRC-32C of its .md, which cannot be made
 * again byte for byte elsewhere, because its times are in the zone of who wrote it. Committed by
 * names_commit. */
int names_written(struct names *n, struct ck_str conversation, uint32_t md, struct ck_err *err);
/* 1: that of its .md, as it was written last; 0: it is not known. */
int names_md(struct names *n, struct ck_str conversation, uint32_t *md, struct ck_err *err);
/* Sets *name to any name, and forgets it; 0: there is none. */
int names_take_any(struct names *n, struct ck_buf *name, struct ck_err *err);
int names_commit(struct names *n, struct ck_err *err);
/* What was deleted leaves the file's WAL too, unless somebody reads it: -1, to be tried again. */
int names_empty_wal(struct names *n, struct ck_err *err);
/* Reads all of it. 0: it is sound; -1 with the reason. */
int names_check(struct names *n, struct ck_err *err);
/* True after a failure because of what is in the file: it has to be deleted. */
bool names_damaged(const struct names *n);

#endif
