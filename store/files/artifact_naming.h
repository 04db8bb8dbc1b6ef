/* The names of conversations' files. Names are recorded (names.h) after the files got them. If a
 * kill or a power cut comes between, the JSON, which is written and renamed first, says whose they
 * are.
 *
 * Functions return -1 after artifacts_trouble, and are called again later. */
#ifndef CK_STORE_ARTIFACT_NAMING_H
#define CK_STORE_ARTIFACT_NAMING_H

#include "store/files/artifact_form.h"

/* Sets *name to that of the loaded conversation's files: the one that it has, if that is still
 * right; else a new one, and the files that it has are renamed. */
int artifact_naming_find(struct artifacts *a, struct ck_str id, struct ck_buf *name);

/* Records the names of files that nothing is known of, as those of the conversations that they say
 * they are of. Once the names are open. */
int artifact_naming_adopt(struct artifacts *a);

/* artifacts_trouble with the names. If they are damaged, they are made again, and all files. */
int artifact_naming_trouble(struct artifacts *a, const struct ck_err *err);

#endif
