/* Attachments on the disk, in the data folder and beside a backup: each is a file that is named by
 * the SHA-256 of its bytes and never changes.
 *
 *   attachments/ab/abcd…    (all 64 digits; no ending) a whole attachment
 *   attachments/abcd….part  what is there so far of one that is coming
 *
 * No name that an export gives is part of a path. `folder` is a descriptor of the folder; a hash is
 * text of 64 digits, and any other is treated as one that is not there. */
#ifndef CK_PROTO_ATTACHMENT_H
#define CK_PROTO_ATTACHMENT_H

#include "proto/error.h"
#include "proto/places.h"
#include "proto/text.h"

#define CK_ATTACHMENT_PART_END ".part"
/* "ab/" and the hash, or the hash and CK_ATTACHMENT_PART_END; terminated. */
#define CK_ATTACHMENT_PATH 72

/* The path below the folder: that of the whole one, or of its parts. */
void ck_attachment_path(char path[CK_ATTACHMENT_PATH], struct ck_str hash, bool whole);

/* Opens CK_PLACE_ATTACHMENTS below dir (or AT_FDCWD), which must be no symbolic link. make: makes
 * it if it is missing. -1 with errno. */
int ck_attachments_open(int dir, bool make);

/* True if a file with so many bytes is at its place. */
bool ck_attachment_there(int folder, struct ck_str hash, uint64_t bytes);

enum ck_attachment_state {
  CK_ATTACHMENT_SOUND,
  CK_ATTACHMENT_MISSING,
  CK_ATTACHMENT_DAMAGED, /* it has another hash or size, or is no file */
  CK_ATTACHMENT_UNREAD   /* with the reason; also if it was cancelled */
};

/* Reads it whole. cancelled: asked now and then, and ends it; NULL: nobody asks. */
enum ck_attachment_state ck_attachment_verify(int folder, struct ck_str hash, uint64_t bytes,
                                              bool (*cancelled)(void *self), void *self,
                                              struct ck_err *err);

/* Copies it from one folder to another, durably; it gets its name there only if it is sound. What
 * it says is about the source; UNREAD also if it cannot be written. */
enum ck_attachment_state ck_attachment_copy(int from, int to, struct ck_str hash, uint64_t bytes,
                                            bool (*cancelled)(void *self), void *self,
                                            struct ck_err *err);

/* Moves a whole one from its parts' file to its place. *in: its folder, which the caller closes and
 * syncs; -1: none. -1 with errno. */
int ck_attachment_place(int folder, struct ck_str hash, int *in);

#endif
