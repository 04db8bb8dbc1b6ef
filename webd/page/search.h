/* The page at /s: what is on it, and how it is written. */
#ifndef WEBD_PAGE_SEARCH_H
#define WEBD_PAGE_SEARCH_H

#include "proto/hit.h"
#include "webd/page/page.h"

#define PAGE_SEARCH_ARGS "q in platform role since until by next"

/* Hits of one conversation. Text is borrowed. */
struct page_found {
  struct ck_str id, title, question, platform;
  struct ck_hit *hits; /* at most PAGE_SHOWN */
  size_t shown, count;
};
#define PAGE_SHOWN 3

struct page_search {
  struct web_request *request;
  const char *query;
  struct page_found *found; /* in the order of their first hits */
  size_t count;
  bool asked; /* false: nothing was asked */
  uint64_t total, behind;
  bool more, cut, timed_out;
  struct ck_str next; /* cursor; empty: there are no more */
};

void page_search_write(struct ck_buf *b, const struct page_search *page);

#endif
