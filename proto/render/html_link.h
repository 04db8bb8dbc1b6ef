/* Text, attributes and addresses in HTML that is made of texts from outside: what is not in
 * render.h. */
#ifndef CK_PROTO_RENDER_HTML_LINK_H
#define CK_PROTO_RENDER_HTML_LINK_H

#include "proto/render/render.h"

/* Appends text with its character references resolved: those with numbers, and the few names that
 * addresses are disguised with. Any other stays as it is. */
void render_html_resolve(struct ck_buf *b, struct ck_str reference);

#endif
