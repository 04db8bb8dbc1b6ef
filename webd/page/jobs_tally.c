/* How many jobs of one state there are; see jobs.h.
 *
 *   waiting                   the store's count of those that are pending, less the stopped
 *   failed, superseded, done  the store's count
 *   all others                a walk, batch by batch */
#include "webd/page/jobs.h"

#include "proto/map.h"

#define BATCH 1000

static void walked_stopped(void *self, bool failed) {
  struct page_tally *t = self;
  if (failed) {
    t->done(t->self, true);
    return;
  }
  t->stopped += t->walk.count;
  if (t->walk.more) {
    page_walk_on(&t->walk);
    return;
  }
  t->count = t->count > t->stopped ? t->count - t->stopped : 0;
  t->done(t->self, false);
}

static void walked_one_by_one(void *self, bool failed) {
  struct page_tally *t = self;
  if (!failed) t->count += t->walk.count;
  if (!failed && t->walk.more)
    page_walk_on(&t->walk);
  else
    t->done(t->self, failed);
}

static void begin_walk(struct page_tally *t, void (*done)(void *self, bool failed)) {
  t->walk.batch = BATCH;
  t->walk.want = 1;
  t->walk.done = done;
  t->walk.self = t;
  page_walk(&t->walk);
}

static void gave_up(void *self) {
  struct page_tally *t = self;
  t->done(t->self, true);
}

static void heard_count(void *self, const struct web_said *said) {
  struct page_tally *t = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(t->walk.r, said, &rows, gave_up, t)) return;
  if (page_next_row(&rows, &map)) t->count = ck_map_uint(map, "jobs", 0);
  if (t->walk.state != PAGE_WAITING) {
    t->done(t->self, false);
    return;
  }
  t->walk.state = PAGE_STOPPED;
  begin_walk(t, walked_stopped);
}

void page_tally(struct page_tally *t) {
  if (!page_walk_lists(t->walk.state) || *t->walk.filter.account) {
    begin_walk(t, walked_one_by_one);
    return;
  }
  struct ck_buf filters = {0};
  page_walk_filters(&filters, &t->walk);
  const struct ck_query query = {
      .table = CK_LIT("job_count"), .filters = ck_buf_view(&filters), .limit = 1};
  bool asked = page_ask(t->walk.w, t->walk.r, &query, heard_count, t);
  ck_buf_free(&filters);
  if (!asked) gave_up(t);
}
