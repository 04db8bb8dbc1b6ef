/* The forms that readable files have (the setting artifacts.form), and what the thread that makes
 * them shares with these. Included only by the files of the thread.
 *
 *   records        a .txt and a .json for each message, execution and session
 *   conversations  a .md and a .json for each conversation
 *   none           no files
 *
 * The thread reads the records in the order of their versions and gives each to the form. The files
 * of the other forms are deleted meanwhile: so once the thread has read all records in one form,
 * there are only files of that form. */
#ifndef CK_STORE_ARTIFACT_FORM_H
#define CK_STORE_ARTIFACT_FORM_H

#include "store/context.h"
#include "store/database/scan.h"
#include "store/files/artifact_folder.h"
#include "store/files/artifact_index.h"

#define SESSION_MESSAGES 200
#define SQL_TROUBLE (-1) /* a kind of trouble; the others are values of errno */

struct artifacts;

/* Functions that return int return -1 after artifacts_trouble or artifacts_put_failed, and are
 * called again later. */
struct artifact_form {
  const char *name; /* in the setting, and in the cursor */
  const char *mark; /* see artifact_folder.h */
  unsigned tables;  /* bit mask: the records that it is given */
  int a_second;     /* so many messages and executions, while more comes */
  /* What it keeps; NULL: nothing. The folder is open. 1: all files are to be made again. */
  int (*open)(struct artifacts *a);
  void (*close)(struct artifacts *a);
  /* The next record, at a->version. NULL: it needs none. */
  int (*take)(struct artifacts *a, const struct ck_row *row);
  /* The records from a->version on are read again. 1: all files are to be made again. */
  int (*restart)(struct artifacts *a);
  /* When it has something to do besides; INT64_MAX: nothing. And does it. NULL: never. */
  int64_t (*next_at)(const struct artifacts *a);
  int (*act)(struct artifacts *a);
  /* The version up to which all records have their files, when those up to `read` were taken. */
  uint64_t (*upto)(const struct artifacts *a, uint64_t read);
  /* False: no more records are taken before `act` was called. */
  bool (*has_room)(const struct artifacts *a);
};

extern const struct artifact_form artifact_records, artifact_conversations, artifact_none;

/* The form that the settings say. */
const struct artifact_form *artifact_form_of(const struct ck_settings *settings);

struct artifacts {
  struct context *context;
  const struct artifact_form *form;
  sqlite3 *db;
  struct artifact_folder folder;
  uint64_t version; /* of the record that is taken, or of the next one */
  int64_t quiet_at; /* ck_boot_ms; when nothing will have been committed for a moment, if nothing
                       more comes */
  bool others;      /* there may be files of another form: each record's are deleted */
  uint64_t forgot;  /* the version of what was last seen to be forgotten: what it was may be left in
                       .spare; 0: it is not */
  bool names_lost;  /* what was noted of names since they were committed is lost */
  struct artifact_thread *own; /* what only artifacts.c uses */

  /* of records */
  struct artifact_index *index;
  bool index_due;
  int64_t indexed_at; /* ck_boot_ms */
  struct artifact_message messages[SESSION_MESSAGES];
  struct ck_arena arena; /* one file's */
  struct ck_buf text, path;

  /* of conversations */
  struct conversation *conversation;
  struct names *names;
  struct dirty *dirty;
  sqlite3_stmt *by_remote, *by_message;
  int64_t wrote_at, write_from; /* ck_boot_ms: when some were written last, and may be next */
};

/* Notes what keeps the thread from going on; kind: errno, or SQL_TROUBLE; id: of the record, or
 * whatever else was being written. Returns -1. */
int artifacts_trouble(struct artifacts *a, int kind, struct ck_str id, const struct ck_err *err);
/* The same after a write that set errno. If it failed because the folder is gone, that is no
 * trouble: the next turn notices it. */
int artifacts_put_failed(struct artifacts *a, struct ck_str id, const struct ck_err *err);
/* True if the store has to end now. */
bool artifacts_out_of_time(struct artifacts *a);

/* Sets *path to that of a record's file in the form `records`; ending: ".txt" or ".json". */
void artifact_record_path(struct ck_buf *path, const struct ck_row *row, const char *ending);

/* ---- files of other forms: artifact_others.c ---- */

/* Looks whether there are any; deletes those of conversations. */
int artifact_others_begin(struct artifacts *a);
/* Deletes those of the record. */
int artifact_others_take(struct artifacts *a, const struct ck_row *row);
/* Deletes the files of a record that was forgotten, if it had any in the form `records`. */
int artifact_remove_forgotten(struct artifacts *a, const struct ck_row *row);
/* Deletes the files of a conversation, by their name. */
int artifact_remove_conversation(struct artifacts *a, struct ck_str name);
/* All records were taken: deletes what belonged to none. */
int artifact_others_end(struct artifacts *a);

#endif
