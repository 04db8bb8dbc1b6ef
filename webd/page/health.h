/* The page at /h, as HTML. */
#ifndef WEBD_PAGE_HEALTH_H
#define WEBD_PAGE_HEALTH_H

#include "webd/page/page.h"

struct page_health {
  const struct web_request *request;
  const json_t *info;    /* what `convkeep status --json` says; NULL: nothing */
  const char *error;     /* why it says less; "" */
  const json_t *sources; /* rows of the list `sources`; NULL: unknown */
  struct web_examination doctor;
  uint64_t disk_free, disk_all, database; /* bytes */
  int64_t now;
};

void page_health_html(struct ck_buf *b, const struct page_health *h);

#endif
