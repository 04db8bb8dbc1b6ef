/* The settings file's language: a small part of ZPL (ZeroMQ RFC 4), read in one pass.
 *
 *   # a comment, also after an item
 *   d1.account = acc1               a dotted name and its value
 *   d1                              a name alone opens a section:
 *       database = "a value # 1"    four blanks a level, so this is d1.database
 *
 * A value goes to the end of its line or the next `#`, without the blanks around it; or it stands
 * in "…" or '…', and is then all that is between them, for nothing is escaped. Names have letters,
 * digits, `_`, `-` and `.`. A line has at most 1000 bytes and is UTF-8.
 */
#ifndef CK_PROTO_ZPL_H
#define CK_PROTO_ZPL_H

#include "proto/error.h"
#include "proto/text.h"

struct ck_zpl_item {
  int line;          /* from 1 */
  const char *name;  /* the whole one, its sections' names in front: "d1.database" */
  const char *value; /* NULL: a name alone */
};

/* Calls item() for each item of the text, in its order, until one call returns -1 (err is then the
 * caller's own). 0, or -1; what is wrong with the text itself is said as "PATH:LINE: reason". */
int ck_zpl_read(const char *path, struct ck_str text,
                int (*item)(void *self, const struct ck_zpl_item *item, struct ck_err *err),
                void *self, struct ck_err *err);

#endif
