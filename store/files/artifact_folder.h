/* The folder of readable files: writes each file whole or not at all, keeps the cursor that says
 * which files survive a power cut, and notices when somebody has deleted or replaced the folder.
 *
 * artifacts/.cursor holds one line, "STORE_ID VERSION FORM SUM": the files of all records up to
 * that version are on the disk, in that form (artifact_form.h). It is written after syncfs() of the
 * folder's file system, and is itself fsynced before it is renamed into place. The other files are
 * never fsynced one by one: that would cost more than making all of them again.
 *
 * Functions that fail return -1 with the reason in err, and errno, which tells the kind of failure.
 */
#ifndef CK_STORE_ARTIFACT_FOLDER_H
#define CK_STORE_ARTIFACT_FOLDER_H

#include <sys/types.h>

#include "proto/error.h"
#include "proto/text.h"
#include "store/files/artifact_cursor.h"

#define ARTIFACT_FOLDER "artifacts"
#define ARTIFACT_INDEX_TEXT "session/latest.txt"
#define ARTIFACT_INDEX_JSON "session/latest.json"
#define ARTIFACT_CONVERSATIONS "conversations"
/* The endings of a conversation's two files. */
extern const char *const artifact_conversation_endings[2];
/* Sets *path to the file of that name and ending, below the folder. */
void artifact_conversation_path(struct ck_buf *path, struct ck_str name, const char *ending);

struct artifact_folder {
  int fd; /* -1: not open */
  dev_t device;
  ino_t inode;
  const char *form;  /* of the files that are made */
  const char *mark;  /* what is in it as long as its files are; NULL: nothing need be */
  bool marked;       /* that is there */
  bool cursor_saved; /* the cursor is in it */
  bool spare;        /* a replaced file may be in it, as .spare, to be overwritten */
  bool nameless;     /* files can be created without a name, and get one when they are whole */
};

/* Opens the folder, and creates it if need be. form, mark: as above; they must last as long as *f.
 * *version: its cursor's version, up to which the files are durable. *written: up to which they are
 * there, at least *version. If the folder has no cursor of this store and form, or has lost its
 * files, both are 0 and any cursor is deleted. */
int artifact_folder_open(struct artifact_folder *f, const char *store_id, const char *form,
                         const char *mark, uint64_t *version, uint64_t *written,
                         struct ck_err *err);
void artifact_folder_close(struct artifact_folder *f);

/* False if somebody has deleted or replaced the folder, or deleted its mark or cursor. */
bool artifact_folder_same(const struct artifact_folder *f);

/* Writes a file at a path below the folder, whole or not at all. Creates missing folders. */
int artifact_folder_put(struct artifact_folder *f, const char *path, struct ck_str contents,
                        struct ck_err *err);

/* The same piece by piece: begin, any number of writes, then end, which gives the file its name, or
 * abandon. After a failure it is abandoned already. One at a time. */
struct artifact_draft {
  int file;    /* descriptor */
  bool named;  /* its name is .spare; otherwise it has none yet */
  bool fresh;  /* it was empty */
  off_t bytes; /* written so far */
};

int artifact_folder_begin(struct artifact_folder *f, struct artifact_draft *d, struct ck_err *err);
int artifact_folder_write(struct artifact_folder *f, struct artifact_draft *d, struct ck_str bytes,
                          const char *path, struct ck_err *err);
int artifact_folder_end(struct artifact_folder *f, struct artifact_draft *d, const char *path,
                        struct ck_err *err);
void artifact_folder_abandon(struct artifact_folder *f, struct artifact_draft *d);

/* Makes a folder below it. 0 also if there is one; -1 if there is a link to one. */
int artifact_folder_make(struct artifact_folder *f, const char *path, struct ck_err *err);
/* True if there is anything at the path; also if that cannot be known. */
bool artifact_folder_has(const struct artifact_folder *f, const char *path);
/* Gives a file another name in the same folder, if it is there and nothing has that name. */
int artifact_folder_rename(struct artifact_folder *f, const char *path, const char *to,
                           struct ck_err *err);
/* Deletes a file, and the folders that it leaves empty. No file there, or something else: 0. */
int artifact_folder_remove(struct artifact_folder *f, const char *path, struct ck_err *err);

/* Deletes the file that was replaced last. 0 or -1. */
int artifact_folder_drop_spare(struct artifact_folder *f, struct ck_err *err);

/* Deletes the cursor, so that the next run starts at the first record too if this run ends before
 * it saves a cursor. */
int artifact_folder_drop_cursor(struct artifact_folder *f, struct ck_err *err);

/* Notes beside the cursor, whose version is `saved`, up to which version the files are written,
 * though perhaps only into the system's memory. The note counts until the machine is booted again.
 * 0 or -1. */
int artifact_folder_note_written(struct artifact_folder *f, const char *store_id, uint64_t saved,
                                 uint64_t written, struct ck_err *err);

/* Makes all files durable, then writes the cursor. -1: files written since the last cursor may be
 * lost. */
int artifact_folder_save_cursor(struct artifact_folder *f, const char *store_id, uint64_t version,
                                struct ck_err *err);

#endif
