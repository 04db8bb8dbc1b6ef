/* What every page says of the ring: which follow-ups there are, and what pauses them. It is asked
 * for before a view is made (web_page_first) and kept with the request. */
#ifndef WEBD_PAGE_STATE_H
#define WEBD_PAGE_STATE_H

#include "webd/page/page.h"

/* A pause that holds now (proto/wire.h, PAUSE). */
struct page_pause {
  struct ck_str kind, name;
  int64_t at, until; /* until: 0: it has no end */
};

struct page_state {
  bool known;         /* false: the store has not answered, and the rest is empty */
  int64_t now;        /* wall time in ms */
  struct ck_str info; /* the store's answer to STATUS, a map */
  struct page_pause *pauses;
  size_t pause_count; /* the oldest first */
};

/* Asks the store, lets r keep the answers, and calls then. What r has kept before is freed. */
void page_state_ask(struct webd *w, struct web_request *r,
                    void (*then)(void *self, struct web_request *r), void *self);
/* What r keeps; never NULL. Valid until its answer. */
const struct page_state *page_state(const struct web_request *r);

/* How many jobs are so, as the store says: pending, due, running, unknown, failed, superseded,
 * done.
 */
uint64_t page_jobs_count(const struct page_state *s, const char *what);
/* What renewd reports of itself, a map; empty: it does not run. And of the jobs that it holds. */
struct ck_str page_renewd(const struct page_state *s);
struct ck_str page_held(const struct page_state *s);
/* Calls each for the jobs that are held, each a map {job_id, state, reason, until}, until it
 * returns false. */
void page_held_each(const struct page_state *s, bool (*each)(void *self, struct ck_str map),
                    void *self);
/* The pause of that kind and name; NULL: there is none. */
const struct page_pause *page_pause_of(const struct page_state *s, const char *kind,
                                       struct ck_str name);

/* ---- HTML ---- */

/* "everything", "the platform x", and since and until when. */
void page_pause_text(struct ck_buf *b, const struct page_pause *p, int64_t now);
/* The switch of every page's frame. */
void page_switch(struct ck_buf *b, const struct web_request *r);
/* Hidden fields of a form: the token, and where it leads back to: this page. */
void page_form_fields(struct ck_buf *b, const struct web_request *r);
void page_hidden(struct ck_buf *b, const char *name, struct ck_str value);
/* A form with one button that begins or ends a pause. */
void page_pause_form(struct ck_buf *b, const struct web_request *r, bool pause, const char *kind,
                     struct ck_str name, const char *words);

#endif
