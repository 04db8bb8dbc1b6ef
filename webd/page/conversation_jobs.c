/* The page at /c/ID: the follow-ups of the conversation; see conversation.h. */
#include "proto/map.h"
#include "webd/page/conversation.h"
#include "webd/page/state.h"

#define ROWS_MOST 1000

static struct page_job *job_named(struct page_reading *p, struct ck_str id) {
  for (size_t i = 0; i < p->job_count; ++i)
    if (ck_str_eq(p->jobs[i].id, id)) return &p->jobs[i];
  return NULL;
}

static void heard_leases(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  while (page_next_row(&rows, &map)) {
    struct page_job *job = job_named(p, ck_map_str(map, "job_id"));
    if (job && ck_str_is(ck_map_str(map, "state"), "unknown")) job->status = CK_LIT("unknown");
  }
  page_reading_begin(p);
}

/* One that is running may have an unknown end, which its lease says. */
static void ask_leases(struct page_reading *p) {
  struct ck_buf filters = {0};
  uint32_t n = 0;
  for (size_t i = 0; i < p->job_count; ++i) n += ck_str_is(p->jobs[i].status, "running");
  if (n == 0) {
    page_reading_begin(p);
    return;
  }
  struct ck_map m = ck_map_open(&filters);
  ck_pair_name(&m, "job_id");
  ck_put_array(&filters, n);
  for (size_t i = 0; i < p->job_count; ++i)
    if (ck_str_is(p->jobs[i].status, "running")) ck_put_str(&filters, p->jobs[i].id);
  ck_map_close(&m);
  p->cursor = (struct ck_str){0};
  page_reading_ask(p, "leases", &filters, ROWS_MOST, heard_leases);
}

/* What renewd says of one that waits. */
static bool note_stopped(void *self, struct ck_str map) {
  struct page_reading *p = self;
  struct page_job *job = job_named(p, ck_map_str(map, "job_id"));
  if (!job || !ck_str_is(ck_map_str(map, "state"), "stopped")) return true;
  job->status = CK_LIT("stopped");
  job->error = page_reading_keep(p, ck_map_str(map, "reason"));
  return true;
}

static void heard_jobs(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  struct ck_row row;
  if (!page_heard_rows(p->request, said, &rows, page_reading_free, p)) return;
  p->jobs = ck_arena_get(&p->arena, (rows.left + 1) * sizeof *p->jobs);
  while (page_next_row(&rows, &map)) {
    page_row_of(&row, CK_JOBS, map);
    p->jobs[p->job_count++] =
        (struct page_job){.id = page_reading_keep(p, ck_row_key(&row)),
                          .message = page_reading_keep(p, ck_row_text(&row, CK_JOBS_MESSAGE_ID)),
                          .status = page_reading_keep(p, ck_row_text(&row, CK_JOBS_STATUS)),
                          .error = page_reading_keep(p, ck_row_text(&row, CK_JOBS_LAST_ERROR)),
                          .attempts = ck_row_int(&row, CK_JOBS_ATTEMPT_COUNT, 0),
                          .max_attempts = ck_row_int(&row, CK_JOBS_MAX_ATTEMPTS, 0),
                          .next_at = ck_row_int(&row, CK_JOBS_NEXT_ATTEMPT_AT, 0),
                          .finished_at = ck_row_int(&row, CK_JOBS_FINISHED_AT, 0)};
  }
  if (p->job_count) page_held_each(page_state(p->request), note_stopped, p);
  ask_leases(p);
}

void page_reading_jobs(struct page_reading *p) {
  page_reading_ask_one(p, "renewal_jobs", "local_conversation_id", p->id, ROWS_MOST, heard_jobs);
}
