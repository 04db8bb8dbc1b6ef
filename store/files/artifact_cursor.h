/* What is in artifacts/.cursor; see artifact_folder.h. */
#ifndef CK_STORE_ARTIFACT_CURSOR_H
#define CK_STORE_ARTIFACT_CURSOR_H

#include "proto/error.h"
#include "proto/text.h"

#define ARTIFACT_FOLDER "artifacts"
#define ARTIFACT_CURSOR ".cursor"

/* The version of the cursor in a folder of readable files, which stays closed; 0: there is no
 * cursor of this store. store_id NULL: of any store. Of any form. */
uint64_t artifact_folder_saved_cursor(const char *folder, const char *store_id);

/* Reads the cursor in the folder that is open as fd. *version, *written: as for
 * artifact_folder_open; 0 if there is no valid one of this store and form (NULL: of any). -1 with
 * errno and the reason. */
int artifact_cursor_read(int fd, const char *store_id, const char *form, uint64_t *version,
                         uint64_t *written, struct ck_err *err);
/* Appends the file's text. written: up to which version files are written in this boot of the
 * machine; 0: that is not said. */
void artifact_cursor_text(struct ck_buf *b, const char *store_id, const char *form,
                          uint64_t version, uint64_t written);

#endif
