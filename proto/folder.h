/* The data folder: where it is, whether it may be trusted, and making it the working directory.
 *
 * The folder says which programs run (renew.exec.NAME) and where data goes, so whoever can write
 * into it can do all that its user can. As sshd does with its files: it, the folders in it and the
 * files that are read for settings and secrets must belong to the caller or to root, and nobody
 * else may write to them (ck_check_owner in file.h). On the way to it, symbolic links of the
 * caller's and of root's are followed, those of other users are refused. The folders above it are
 * not looked at otherwise: who can replace one of them can only lead to another folder, and that
 * is checked itself, by its descriptor. */
#ifndef CK_PROTO_FOLDER_H
#define CK_PROTO_FOLDER_H

#include "proto/error.h"

/* Where it is: the flag (may be NULL), else CONVKEEP_DATA, else XDG_DATA_HOME/convkeep (if that is
 * an absolute path), else ~/.local/share/convkeep. On the heap; the caller frees. NULL with the
 * reason: HOME is not set, or not an absolute path. */
char *ck_data_dir(const char *flag, struct ck_err *err);

/* Makes the folder and its run/, logs/, keys/, spool/, web/, artifacts/ and attachments/ where
 * they are missing, mode 0700, and makes it the working directory. 0; or -1 with the reason, which
 * names the folder. */
int ck_data_enter(const char *dir, struct ck_err *err);

/* The same without making anything. 1: there is no such folder, and the working directory is as it
 * was. */
int ck_data_visit(const char *dir, struct ck_err *err);

#endif
