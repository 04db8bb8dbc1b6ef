/* The pages at /i and /i/ID, as HTML. */
#ifndef WEBD_PAGE_IMPORT_H
#define WEBD_PAGE_IMPORT_H

#include "webd/page/page.h"

/* The form, and what was imported lately. */
void page_import_html(struct ck_buf *b, const struct web_request *r,
                      const struct web_uploads *uploads, int64_t now);
/* One upload: how far it is, or its report. */
void page_imported_html(struct ck_buf *b, const struct web_request *r, const struct web_upload *u,
                        int64_t now);

#endif
