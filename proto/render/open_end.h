/* What a text of Markdown leaves open at its end: a fence, or a block of raw HTML. */
#ifndef CK_PROTO_RENDER_OPEN_END_H
#define CK_PROTO_RENDER_OPEN_END_H

#include "proto/text.h"

/* Appends the lines that close it; none if nothing is open. False: there are none that would; the
 * text has to be put otherwise. */
bool render_open_end(struct ck_str text, struct ck_buf *close);

#endif
