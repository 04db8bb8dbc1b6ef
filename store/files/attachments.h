/* The attachments in the data folder (proto/attachment.h): parts that come in changesets become
 * files, each whole or not at all.
 *
 * A part is durable before the commit of its changeset, and so before its receipt. The file gets
 * its name before the commit that says that it is there: at any moment what the database knows is
 * whole; a file that it does not know may be left, and is taken when the attachment comes again. */
#ifndef CK_STORE_ATTACHMENTS_H
#define CK_STORE_ATTACHMENTS_H

#include <sqlite3.h>

#include "proto/attachment.h"
#include "proto/wire.h"

/* Gives a connection the SQL function attachment_there(hash, bytes), 0 or 1. 0, or -1 with the
 * reason. */
int attachment_sql(sqlite3 *db, struct ck_err *err);

/* ---- the writer's: parts become files ---- */

struct attachments;
struct attachments *attachments_new(void);
void attachments_free(struct attachments **a);

enum attachment_put {
  ATTACHMENT_TAKEN,   /* and more parts follow */
  ATTACHMENT_WHOLE,   /* it was the last one, and the hash is right */
  ATTACHMENT_MISSING, /* parts before this one are not there */
  ATTACHMENT_OTHER,   /* the bytes have another hash; they are deleted */
  ATTACHMENT_FAILED   /* the disk says no; with the reason */
};

/* Takes a part that ck_attachment_check has passed, with its data. */
enum attachment_put attachments_put(struct attachments *a, const struct ck_attachment *m,
                                    struct ck_str data, struct ck_err *err);
/* Makes what was put since the last call durable, and gives whole ones their names. -1 with the
 * reason: the parts have to be put again. */
int attachments_sync(struct attachments *a, struct ck_err *err);
/* Deletes the file of this hash, and what is there of its parts. 0, also if there is none; or -1
 * with the reason. */
int attachments_delete(struct attachments *a, struct ck_str hash, struct ck_err *err);
/* What was put since attachments_sync will be put again. */
void attachments_abandon(struct attachments *a);

#endif
