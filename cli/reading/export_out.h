/* Where an export goes: standard output, a file, a folder of files or a zip. What it is called
 * exists only once all of it is written: until then it has a name of its own beside it, which
 * nothing that fails leaves behind.
 *
 * Functions returning an int return 0, or -1 with the reason in err, without the name. */
#ifndef CLI_READING_EXPORT_OUT_H
#define CLI_READING_EXPORT_OUT_H

#include <stdio.h>
#include "proto/error.h"
#include "proto/text.h"

enum export_place { EXPORT_STDOUT, EXPORT_FILE, EXPORT_FOLDER, EXPORT_ZIP };

struct export_out;

/* path: of the file, folder or zip, relative to the folder `dir` (a descriptor). force: a file or
 * zip that exists is replaced; a folder that exists must be empty. NULL with the reason. */
struct export_out *export_out_new(enum export_place place, int dir, const char *path, bool force,
                                  struct ck_err *err);
/* Removes what was not finished. */
void export_out_free(struct export_out **out);

/* Begins a document. In a folder or zip it is the file `name` with this ending, or, if another
 * document has that name already, also where upper and lower case are one, "name (2)". at: its
 * time, in ms; 0: none. */
int export_out_begin(struct export_out *out, const char *name, const char *ending, int64_t at,
                     struct ck_err *err);
int export_out_write(struct export_out *out, struct ck_str bytes, struct ck_err *err);
int export_out_end(struct export_out *out, struct ck_err *err);

/* Text that is gathered until it is worth writing. The caller frees `text`. */
struct export_text {
  struct export_out *out;
  struct ck_err *err;
  struct ck_buf text;
  bool failed; /* it could not be written; err says why */
};
/* Writes what is gathered: if it is much, or in any case if it is to be all. Returns whether all
 * that was written so far could be. */
bool export_text_write(struct export_text *t, bool all);

/* All is written: it gets its name. */
int export_out_finish(struct export_out *out, struct ck_err *err);

#endif
