/* Files of keys (keys/), as czmq writes them. What czmq finds wrong in one it says on standard
 * output, with the rest of the line, which may be a secret key; so it is given only what it reads
 * without a word. */
#ifndef CK_PROTO_KEY_FILE_H
#define CK_PROTO_KEY_FILE_H

#include "proto/error.h"
#include "proto/text.h"

#define CK_KEY_FILE_BYTES 65536 /* such a file has at most */

/* The form is https://rfc.zeromq.org/spec/4/, without what no file of keys has: a value that spans
 * lines. -1 with the line's number, but nothing of what is in it. */
int ck_key_text_check(struct ck_str text, struct ck_err *err);
/* The same of the file; one that is not there is right. -1 also if it cannot be read. */
int ck_key_file_check(const char *path, struct ck_err *err);

#endif
