/* The page at /j: follow-ups by their state, and what can be done with them.
 *
 *   state (page/state.h) ─► walk: a batch of jobs ─► their conversations ─► … enough ─► HTML
 *
 * A state is what people are told, which is more than a job's status: jobs are found by it in the
 * store's lists where these know it, else in the leases, or in what renewd reports. */
#ifndef WEBD_PAGE_JOBS_H
#define WEBD_PAGE_JOBS_H

#include "webd/page/act.h"

enum page_jobs_of {
  PAGE_UNKNOWN,    /* it may have arrived */
  PAGE_RUNNING,    /* under way */
  PAGE_STOPPED,    /* it waits for a person, or for a reason that renewd gives */
  PAGE_WAITING,    /* every other that waits */
  PAGE_FAILED,     /* for good, and somebody may want it */
  PAGE_SUPERSEDED, /* nobody wanted it any more */
  PAGE_DONE,
  PAGE_JOBS_STATES
};
extern const char *const page_jobs_words[PAGE_JOBS_STATES]; /* "unknown", … */
/* PAGE_JOBS_STATES: there is none of that name. */
enum page_jobs_of page_jobs_named(const char *word);
/* How many there are, whatever is filtered. */
uint64_t page_jobs_in(const struct page_state *s, enum page_jobs_of state);

/* What narrows a list down; empty: nothing. */
struct page_jobs_filter {
  const char *platform, *account, *conversation;
};
bool page_jobs_filtered(const struct page_jobs_filter *f);

struct page_job_entry {
  struct ck_row row; /* of renewal_jobs */
  enum page_jobs_of state;
  struct ck_str held, reason; /* what renewd says of it; empty: nothing */
  int64_t until;              /* of that; 0: unknown */
  int64_t since;              /* of a lease: when it was claimed, or became unknown */
  struct ck_str client;       /* of a lease */
  struct ck_str account;
  struct ck_row conversation; /* nothing in it: it is gone */
  struct ck_str question;     /* what that begins with, if it has no title */
};

/* ---- a walk through the jobs of one state ---- */

struct page_walk {
  /* set by who begins it */
  struct webd *w;
  struct web_request *r;
  enum page_jobs_of state;
  struct page_jobs_filter filter;
  unsigned batch; /* how many are asked for at a time, 1,000 at most */
  size_t want;    /* it ends when there are as many, or no more */
  bool titles;    /* conversations are wanted, too */
  char *next; /* on the heap: from where on; NULL: from the beginning, or, at the end, no more */
  /* Called at its end. failed: the store has not answered, and r was refused. */
  void (*done)(void *self, bool failed);
  void *self;
  /* what it has found; text is in the arena */
  struct page_job_entry *jobs;
  size_t count, room;
  struct ck_arena arena;
  /* its own */
  size_t fresh; /* the first of the batch */
  int batches;
  bool more;
};
#define PAGE_WALK_BATCHES 20 /* after so many it ends with fewer than are wanted */

void page_walk(struct page_walk *walk);
/* Goes on: forgets what was found. */
void page_walk_on(struct page_walk *walk);
void page_walk_free(struct page_walk *walk);
/* Jobs of these states are rows that the store lists; those of the others are found by their ids.
 */
bool page_walk_lists(enum page_jobs_of state);
/* Appends the store's filters for those. */
void page_walk_filters(struct ck_buf *b, const struct page_walk *walk);

/* ---- how many jobs of one state there are ---- */

struct page_tally {
  struct page_walk walk; /* w, r, state and filter are set by who begins it */
  /* Called at its end. failed: the store has not answered, and r was refused. */
  void (*done)(void *self, bool failed);
  void *self;
  uint64_t count;
  /* its own */
  uint64_t stopped;
};

/* The store counts those that it lists; else a walk finds each, as it does with an account, which
 * only each job's target says. */
void page_tally(struct page_tally *tally);

/* ---- HTML ---- */

struct page_jobs {
  struct web_request *request;
  struct page_jobs_filter filter;
  enum page_jobs_of only; /* PAGE_JOBS_STATES: an overview of all */
  struct page_walk walks[PAGE_JOBS_STATES];
};
void page_jobs_head(struct ck_buf *b, const struct page_jobs *page);
/* "Waiting". */
const char *page_jobs_title(enum page_jobs_of state);
/* How long something waits, as options of a <select>. */
#define PAGE_UNTIL_CHOICES \
  "<option value=\"+1h\">1 hour</option><option value=\"+3h\">3 hours</option>" \
  "<option value=\"+12h\">12 hours</option><option value=\"+1d\">a day</option>" \
  "<option value=\"+7d\">a week</option>"
void page_jobs_write(struct ck_buf *b, const struct page_jobs *page);
/* Appends an address with the filter; what: "/j", or "/j/all" with verb. state: PAGE_JOBS_STATES:
 * none. */
void page_jobs_path(struct ck_buf *b, const char *path, const struct page_jobs_filter *f,
                    enum page_jobs_of state, const char *verb, const char *next);
/* "waiting follow-ups of the platform x". */
void page_jobs_what(struct ck_buf *b, enum page_jobs_of state, const struct page_jobs_filter *f,
                    uint64_t n);
/* What is done with those of that state: words of verbs, up to NULL. */
const char *const *page_jobs_verbs(enum page_jobs_of state);
/* Appends a title that leads to its conversation, at the message. */
void page_job_title(struct ck_buf *b, const struct page_job_entry *e);
/* The filters of the request's query. False: it was refused. more: further arguments. */
bool page_jobs_read(struct web_request *r, const char *names, struct page_jobs_filter *f,
                    enum page_jobs_of *state);

#endif
