/* What the files of the page share. */
#ifndef WEBD_PAGE_H
#define WEBD_PAGE_H

#include "webd/webd.h"

/* ---- HTML ---- */

/* Appends text with what HTML would take for its own escaped; also right within an attribute in
 * double quotes. Control characters, which HTML has no place for, are left out. */
void page_text(struct ck_buf *b, struct ck_str text);
/* Appends the beginning and the end of a page. title: escaped here. */
void page_begin(struct ck_buf *b, const char *title);
void page_end(struct ck_buf *b);
/* Appends the field that each form must have that changes something. */
void page_form_field(struct ck_buf *b, const struct web_request *r);

/* ---- embedded files: webd/page/static/, made into an object by make ---- */

struct page_file {
  const char *name; /* "style.css" */
  const char *type;
  const unsigned char *bytes;
  unsigned n;
};
extern const struct page_file page_files[]; /* ends with one without a name */

/* ---- handlers ---- */

void page_timeline(void *self, struct web_request *r);
void page_open(void *self, struct web_request *r);
void page_leave(void *self, struct web_request *r);
void page_static(void *self, struct web_request *r);

#endif
