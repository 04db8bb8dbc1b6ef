/* The artifact folder as a disk: files that appear whole, the cursor that says which of them
 * outlive a power cut, and whether the folder is still the same.
 *
 * artifacts/.cursor holds one line, "STORE_ID VERSION": the files of all records up to that version
 * are on the disk. It is written after syncfs() of the folder's file system, and itself fsynced
 * before the rename; the files before it are never fsynced one by one, which would cost more than
 * making all of them again.
 */
#ifndef CK_STORE_ARTIFACT_FOLDER_H
#define CK_STORE_ARTIFACT_FOLDER_H

#include <sys/types.h>

#include "proto/error.h"
#include "proto/text.h"

#define ARTIFACT_FOLDER "artifacts"
#define ARTIFACT_INDEX_TEXT "session/latest.txt"
#define ARTIFACT_INDEX_JSON "session/latest.json"

struct artifact_folder {
  int fd; /* -1: not open */
  dev_t device;
  ino_t inode;
  bool indexed;  /* the session index stands in it */
  bool marked;   /* the cursor stands in it */
  bool spare;    /* what was replaced last may lie in it, to be written over */
  bool nameless; /* files can be made without a name, and be given one when they are whole */
};

/* Where the cursor stands without opening the folder; 0: there is none of this store's. */
uint64_t artifact_folder_saved_cursor(const char *store_id);

/* Opens the folder, makes it if need be. *version: where its cursor stands; 0, and no cursor in the
 * folder any more, where it had none of this store's or has lost its files. -1 with the reason and
 * errno. */
int artifact_folder_open(struct artifact_folder *f, const char *store_id, uint64_t *version,
                         struct ck_err *err);
void artifact_folder_close(struct artifact_folder *f);

/* False once somebody has deleted or replaced the folder, what is in it, or the cursor. */
bool artifact_folder_same(const struct artifact_folder *f);

/* Puts a file at a path below the folder, whole or not at all; missing folders are made. -1 with
 * the reason and errno. */
int artifact_folder_put(struct artifact_folder *f, const char *path, struct ck_str contents,
                        struct ck_err *err);

/* Takes the cursor away, so that the next run begins at the start too, should this one not get to
 * its first mark. -1 with the reason and errno. */
int artifact_folder_drop_cursor(struct artifact_folder *f, struct ck_err *err);

/* Makes what was put durable, then the cursor. -1 with the reason and errno: what was put since the
 * last mark may be lost. */
int artifact_folder_save_cursor(struct artifact_folder *f, const char *store_id, uint64_t version,
                                struct ck_err *err);

#endif
