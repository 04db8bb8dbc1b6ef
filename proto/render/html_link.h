/* Text, attributes and addresses in HTML that is made of texts from outside. */
#ifndef CK_PROTO_RENDER_HTML_LINK_H
#define CK_PROTO_RENDER_HTML_LINK_H

#include "proto/text.h"

/* Appends text so that it is text, also within the quotes of an attribute. Control characters are
 * shown by their codes. */
void render_html_text(struct ck_buf *b, struct ck_str text);

/* True if a link may lead there: http, https or mailto, without blanks and control characters. url:
 * as a browser gets it, with all character references resolved. */
bool render_is_address(struct ck_str url);
/* Appends "<a …>" to an address that render_is_address(). title: "": none. The caller closes it. */
void render_html_anchor(struct ck_buf *b, struct ck_str url, struct ck_str title);

/* Appends text with its character references resolved: those with numbers, and the few names that
 * addresses are disguised with. Any other stays as it is. */
void render_html_resolve(struct ck_buf *b, struct ck_str reference);

#endif
