/* What ingest reads in a file, as text: every conversation, message, execution, note and failure
 * that the visitor gets, whole. */
#ifndef CK_TESTS_GOLDEN_SOURCES_H
#define CK_TESTS_GOLDEN_SOURCES_H

#include "proto/text.h"

/* Appends the reading of the file's bytes. name: decides like a file's name. */
void sources_read(struct ck_buf *text, const char *name, struct ck_str bytes);

/* Appends the bytes of a file below the sources' folder. False: it is not there. */
bool sources_load(struct ck_buf *bytes, const char *path);
/* The same below ../shared/inputs, files of others that need not be there. */
bool sources_load_input(struct ck_buf *bytes, const char *path);

#endif
