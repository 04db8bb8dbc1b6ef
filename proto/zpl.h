/* The settings file's language: a small part of ZPL (ZeroMQ RFC 4), read in one pass.
 *
 *   # a comment, also after an item
 *   d1.account = acc1               a dotted name and its value
 *   d1                              a name alone opens a section:
 *       database = "a value # 1"    four blanks a level, so this is d1.database
 *
 * A value ends at the end of its line or before the next `#`, without the blanks around it. In "…"
 * or '…' it is everything between the quotes; there are no escapes. Names consist of letters,
 * digits, `_`, `-` and `.`. A line is UTF-8 and has at most 1000 bytes.
 */
#ifndef CK_PROTO_ZPL_H
#define CK_PROTO_ZPL_H

#include "proto/error.h"
#include "proto/text.h"

struct ck_zpl_item {
  int line;          /* from 1 */
  const char *name;  /* in full, with the names of its sections: "d1.database" */
  const char *value; /* NULL: a name alone, a section */
};

/* Takes the items. The item's strings are valid during the call. -1 with err set: no more. */
struct ck_zpl_visitor {
  int (*item)(void *self, const struct ck_zpl_item *item, struct ck_err *err);
  void *self;
};

/* Calls the visitor for each item of the text, in order, until it returns -1. 0; or -1, and if the
 * text itself is wrong err says "PATH:LINE: reason". path is only used for that. */
int ck_zpl_read(const char *path, struct ck_str text, const struct ck_zpl_visitor *visitor,
                struct ck_err *err);

#endif
