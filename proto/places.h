/* Names of files, relative to the data folder, that more than one program uses. */
#ifndef CK_PROTO_PLACES_H
#define CK_PROTO_PLACES_H

/* The database; and the copy that `convkeep restore` stages for the store's next start. */
#define CK_PLACE_DATABASE "artifact.db"
#define CK_PLACE_STAGED CK_PLACE_DATABASE ".restore"

/* The index of the search, made from the database; the store deletes it as it likes. */
#define CK_PLACE_SEARCH "search.db"

/* A file that `convkeep up --new-store` leaves for the store's next start: it may begin a new store
 * here. And the store's own note of how far it has come (store/format/witness.h). */
#define CK_PLACE_NEW_STORE CK_PLACE_DATABASE ".new"
#define CK_PLACE_WITNESS "witness"

/* What is moved out of the way of another one, or saved, gets one of these and a time after its
 * name (ck_place_time). */
#define CK_PLACE_BEFORE ".before-"
#define CK_PLACE_SAVED ".saved-"
#define CK_PLACE_TIME_MAX 24

/* The present time as a part of a name, 20261122T200200Z; some seconds later if a database that was
 * moved or saved has that time in its name already. */
void ck_place_time(char out[CK_PLACE_TIME_MAX]);

/* The settings, unless another file is named. In the folder, it is no symbolic link. */
#define CK_PLACE_SETTINGS "convkeep.conf"

/* The attachments, and beside a backup those of all backups in that folder
 * (store/files/attachments.h). */
#define CK_PLACE_ATTACHMENTS "attachments"

/* What was forgotten, noted beside the database (cli/forgotten_file.h). */
#define CK_PLACE_FORGOTTEN "forgotten"

/* The folders of ingest's unacked changesets and of renewd's attempts. */
#define CK_PLACE_SPOOL "spool"
#define CK_PLACE_ATTEMPTS "logs/renewal"

/* The folder of those who may use webd (proto/access.h), which webd locks while it runs; and the
 * file in which it says where it listens, as an address for a browser. */
#define CK_PLACE_WEB "web"
#define CK_PLACE_WEB_ADDRESS "run/web"

/* The file with the pid of the running process of that name. */
#define CK_PLACE_PID(NAME) "run/" NAME ".pid"

/* Instances of one daemon on one data folder, at most. */
#define CK_INSTANCES_MAX 1000

/* The same for a name known only at run time. k: the instance, below CK_INSTANCES_MAX, of a daemon
 * that may have several; or -1. The names of daemons are short enough for CK_PLACE_MAX. */
#define CK_PLACE_MAX 64
void ck_place_pid(char out[CK_PLACE_MAX], const char *name, int k);

/* The file that a process locks in turn (proto/lock.h) while it opens, writes or closes the
 * embedded mirror, `file`. On the heap; the caller frees. */
char *ck_place_mirror_lock(const char *file);

#endif
