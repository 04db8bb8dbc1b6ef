/* The page at /: what is on it, and how it is written. */
#ifndef WEBD_PAGE_TIMELINE_H
#define WEBD_PAGE_TIMELINE_H

#include "webd/page/page.h"

#define PAGE_TIMELINE_ARGS "title platform since until status next"

/* A conversation. Text is borrowed. */
struct page_entry {
  struct ck_str id, platform, title, question, status;
  int64_t at;      /* of its last message */
  int64_t came_at; /* when that came here */
  uint64_t messages;
};

struct page_timeline {
  struct web_request *request;
  struct page_entry *entries; /* the newest first */
  size_t count;
  struct ck_str older;  /* cursor; empty: there are no more */
  int64_t now, seen_at; /* seen_at: until when this browser was here before; 0: unknown */
  bool counted;         /* false: there may be more messages than were counted */
};

void page_timeline_write(struct ck_buf *b, const struct page_timeline *page);

/* Until when this browser was here before, 0 if that is not known; and remembers that it is here
 * now. Before the answer. */
int64_t page_visit(struct web_request *r, int64_t now);

#endif
