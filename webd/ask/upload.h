/* Files that came over HTTP to be imported: kept in a folder of their own below web/uploads while
 * they come, given to `convkeep import`, and removed. What it said is kept in memory, for the last
 * few. */
#ifndef WEBD_ASK_UPLOAD_H
#define WEBD_ASK_UPLOAD_H

#include "webd/ask/command.h"

#define WEB_UPLOADS_FOLDER "web/uploads"
#define WEB_UPLOADS_KEPT 20   /* reports, at most */
#define WEB_UPLOADS_AT_ONCE 4 /* that have no end yet, at most */
#define WEB_UPLOAD_ID 33      /* of an upload, terminated */
#define WEB_UPLOAD_FILES 100000

struct web_uploads;

enum web_upload_state {
  WEB_UPLOAD_COMES,   /* from the browser */
  WEB_UPLOAD_WAITS,   /* for one before it */
  WEB_UPLOAD_IS_READ, /* by import */
  WEB_UPLOAD_ENDED
};

struct web_upload {
  struct web_upload *next; /* the one that came before it */
  struct web_uploads *all;
  char id[WEB_UPLOAD_ID];
  char *folder;
  enum web_upload_state state;
  int folder_fd, fd;  /* the file that comes; -1: none */
  char *name;         /* of the file that comes, as the browser has it */
  uint64_t at;        /* bytes of it */
  char *what;         /* the first file or folder, for people */
  size_t files, tops; /* tops: of the files and folders at the top */
  json_t *loose;      /* the names of these, as long as each is a file that may hold conversations
                       * by its name; NULL: not so */
  uint64_t bytes;
  int64_t began_at, ended_at; /* wall */
  json_t *lines, *errors;     /* what import has said (docs/cli.md, import) */
  int code;                   /* its exit code; -1: it was ended */
};

/* Removes what an earlier webd has left. commands must last. NULL with the reason. */
struct web_uploads *web_uploads_new(struct web_commands *commands, struct ck_err *err);
/* After the commands. Sets *all to NULL; *all may be NULL. */
void web_uploads_free(struct web_uploads **all);

/* The newest; NULL: none. And the one of that id. Valid until the next step. */
const struct web_upload *web_uploads_first(const struct web_uploads *all);
const struct web_upload *web_upload_of(const struct web_uploads *all, struct ck_str id);

/* Begins one. NULL with the reason; *busy: there are too many. */
struct web_upload *web_upload_begin(struct web_uploads *all, bool *busy, struct ck_err *err);
/* A file begins, or goes on. Its name may have folders in it; none of it leads out of the upload's
 * folder. 0, or -1 with the reason. */
int web_upload_file(struct web_upload *u, const char *name, struct ck_err *err);
int web_upload_bytes(struct web_upload *u, struct ck_str bytes, struct ck_err *err);
/* All of it is here: it is imported as soon as those before it are. 0, or -1 with the reason. */
int web_upload_whole(struct web_upload *u, struct ck_err *err);
/* One that is not whole is removed; does nothing to others. */
void web_upload_drop(struct web_upload *u);

#endif
