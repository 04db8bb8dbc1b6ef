/* What the name of a file in an export says: whether it is an attachment, by which id messages name
 * it, and what is in it. Pure. */
#ifndef CLI_IMPORT_ATTACH_NAME_H
#define CLI_IMPORT_ATTACH_NAME_H

#include "proto/text.h"

enum cli_attach_kind {
  CLI_ATTACH_NEVER,  /* a conversation, a page, an archive, or of an unknown kind */
  CLI_ATTACH_BESIDE, /* an image, document or recording: an attachment if it lies beside
                        conversations */
  CLI_ATTACH_SURE    /* its name has a file's id of ChatGPT's: an attachment wherever it is */
};

/* name: a path, perhaps through archives ("inner.zip: a/b.png"). */
enum cli_attach_kind cli_attach_kind(const char *name);
/* A file of that name, if it is an archive, is opened rather than kept as it is. */
bool cli_attach_opens(const char *name);

/* The id of the file in its name: "file-…" or "file_…" of ChatGPT's, or a UUID at the beginning.
 * Empty if there is none. */
struct ck_str cli_attach_id(const char *name);

/* The type, such as image/png, by the file's first bytes (12 at least, or all of them), else by the
 * name's ending; "" if it is unknown. */
const char *cli_attach_type(const char *name, struct ck_str head);

#endif
