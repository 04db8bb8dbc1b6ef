/* The style sheet of a page, one line of CSS after another. */
#ifndef CK_PROTO_RENDER_HTML_STYLE_H
#define CK_PROTO_RENDER_HTML_STYLE_H

extern const char render_html_style[];

#endif
