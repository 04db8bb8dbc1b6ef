/* GET /j: asks for what is on it; see jobs.h. */
#include "webd/page/jobs.h"

#include <stdlib.h>

#include "proto/map.h"

#define PAGE_JOBS 50
#define LOOKED_AT 200 /* at a time, where only some are meant */

const char *const page_jobs_words[PAGE_JOBS_STATES] = {
    [PAGE_UNKNOWN] = "unknown", [PAGE_RUNNING] = "running", [PAGE_STOPPED] = "stopped",
    [PAGE_WAITING] = "waiting", [PAGE_FAILED] = "failed",   [PAGE_SUPERSEDED] = "superseded",
    [PAGE_DONE] = "done"};

enum page_jobs_of page_jobs_named(const char *word) {
  int state = 0;
  while (state < PAGE_JOBS_STATES && strcmp(word, page_jobs_words[state]) != 0) ++state;
  return (enum page_jobs_of)state;
}

uint64_t page_jobs_in(const struct page_state *s, enum page_jobs_of state) {
  uint64_t stopped = ck_map_uint(page_held(s), "stopped", 0),
           pending = page_jobs_count(s, "pending");
  if (state == PAGE_STOPPED) return stopped;
  if (state == PAGE_WAITING) return pending > stopped ? pending - stopped : 0;
  return page_jobs_count(s, page_jobs_words[state]);
}

bool page_jobs_filtered(const struct page_jobs_filter *f) {
  return *f->platform || *f->account || *f->conversation;
}

/* ---- the arguments ---- */

static const char *argument(const struct web_request *r, const char *name) {
  const char *value = web_arg(r, name);
  return value ? value : "";
}

bool page_jobs_read(struct web_request *r, const char *names, struct page_jobs_filter *f,
                    enum page_jobs_of *state) {
  const char *status = argument(r, "status");
  if (!web_args_known(r, names)) return false;
  *f = (struct page_jobs_filter){argument(r, "platform"), argument(r, "account"),
                                 argument(r, "conversation")};
  *state = *status ? page_jobs_named(status) : PAGE_JOBS_STATES;
  if (!*status || *state < PAGE_JOBS_STATES) return true;
  web_refuse(r, WEB_REFUSED_ARGUMENT,
             "status: it is unknown, running, stopped, waiting, failed, superseded or done");
  return false;
}

/* ---- the walks, one after the other ---- */

struct asking {
  struct page_jobs page;
  int at; /* the walk's state */
};

static void finish(struct asking *a) {
  for (int i = 0; i < PAGE_JOBS_STATES; ++i) page_walk_free(&a->page.walks[i]);
  free(a);
}

static void answer(struct asking *a) {
  struct ck_buf b = {0};
  page_jobs_write(&b, &a->page);
  web_answer(a->page.request, 200, WEB_HTML, &b);
  finish(a);
}

static void next_walk(struct asking *a);

static void walked(void *self, bool failed) {
  struct asking *a = self;
  if (failed) {
    finish(a);
    return;
  }
  ++a->at;
  next_walk(a);
}

/* Of the overview: how many of each are shown; of none there is only a link. */
static const size_t shown[PAGE_JOBS_STATES] = {[PAGE_UNKNOWN] = PAGE_JOBS,
                                               [PAGE_RUNNING] = 20,
                                               [PAGE_STOPPED] = 20,
                                               [PAGE_WAITING] = 30,
                                               [PAGE_FAILED] = 10};

static bool is_looked_at(const struct asking *a, int state) {
  return a->page.only == PAGE_JOBS_STATES ? shown[state] > 0 : (int)a->page.only == state;
}

static void next_walk(struct asking *a) {
  while (a->at < PAGE_JOBS_STATES && !is_looked_at(a, a->at)) ++a->at;
  if (a->at == PAGE_JOBS_STATES) {
    answer(a);
    return;
  }
  struct page_walk *walk = &a->page.walks[a->at];
  bool some = a->at <= PAGE_RUNNING || *a->page.filter.account;
  walk->want = a->page.only == PAGE_JOBS_STATES ? shown[a->at] : PAGE_JOBS;
  walk->batch = some ? LOOKED_AT : (unsigned)walk->want;
  page_walk(walk);
}

void page_jobs(void *self, struct web_request *r) {
  struct page_jobs_filter filter;
  enum page_jobs_of only;
  if (!page_jobs_read(r, "status platform account conversation next", &filter, &only)) return;
  struct asking *a = ck_zalloc(sizeof *a);
  a->page = (struct page_jobs){.request = r, .filter = filter, .only = only};
  for (int i = 0; i < PAGE_JOBS_STATES; ++i)
    a->page.walks[i] = (struct page_walk){.w = self,
                                          .r = r,
                                          .state = (enum page_jobs_of)i,
                                          .filter = filter,
                                          .titles = true,
                                          .done = walked,
                                          .self = a};
  if (only < PAGE_JOBS_STATES && *argument(r, "next"))
    a->page.walks[only].next = ck_strdup(argument(r, "next"));
  next_walk(a);
}
