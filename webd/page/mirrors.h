/* The page at /m, as HTML. */
#ifndef WEBD_PAGE_MIRRORS_H
#define WEBD_PAGE_MIRRORS_H

#include "webd/page/page.h"

#define PAGE_LETTERS 100 /* dead letters that are shown */

/* info: the store's answer to STATUS; letters: rows of dead_letters. */
void page_mirrors_html(struct ck_buf *b, const struct web_request *r, const json_t *info,
                       const json_t *letters, int64_t now);

#endif
