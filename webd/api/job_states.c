/* The state of each job of a list, and why it waits, as the command line has them.
 *
 *   STATUS ─► what renewd holds up ─► leases, for those that run ─► unreached, for those that wait
 */
#include "webd/api/api.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/job_state.h"
#include "proto/json.h"
#include "proto/map.h"

#define ROWS_MOST 1000

static const char *const lists[] = {"leases", "unreached"};

struct asking {
  struct web_ask *store;
  json_t *jobs;
  json_t *info, *held; /* held: by job_id */
  json_t *rows;        /* of these lists, by job_id */
  size_t list;         /* that is asked for */
  void (*done)(void *self, const struct web_said *trouble);
  void *self;
};

static void finish(struct asking *a, const struct web_said *trouble) {
  a->done(a->self, trouble);
  json_decref(a->jobs);
  json_decref(a->info);
  json_decref(a->held);
  json_decref(a->rows);
  free(a);
}

static const char *id_of(const json_t *job) {
  return json_string_value(json_object_get(job, "job_id"));
}

static void put_states(struct asking *a) {
  json_t *job;
  size_t i;
  int64_t now = ck_now_ms();
  json_array_foreach(a->jobs, i, job) {
    const json_t *held = json_object_get(a->held, id_of(job)),
                 *row = json_object_get(a->rows, id_of(job));
    json_t *reason = ck_job_reason(job, held);
    ck_job_put_state(job, ck_job_is_explained(a->info, job, held, now),
                     ck_job_state(job, held, row), reason);
    json_decref(reason);
  }
  finish(a, NULL);
}

static void ask(struct asking *a, struct ck_str cursor);

static void heard_rows(void *self, const struct web_said *said) {
  struct asking *a = self;
  json_t *row;
  size_t i;
  if (!said->answer || said->answer->kind != CK_MSG_ROWS) {
    finish(a, said);
    return;
  }
  json_t *rows = ck_json_of(said->answer->as.rows.rows);
  json_array_foreach(rows, i, row) json_object_set(a->rows, id_of(row), row);
  json_decref(rows);
  if (!said->answer->as.rows.cursor.n) ++a->list;
  ask(a, said->answer->as.rows.cursor);
}

/* Those whose states depend on the list. */
static uint32_t put_ids(struct ck_buf *b, const struct asking *a) {
  json_t *job;
  size_t i;
  uint32_t n = 0;
  size_t open = ck_open_array(b);
  json_array_foreach(a->jobs, i, job) {
    const char *list = ck_job_state_list(job, json_object_get(a->held, id_of(job)));
    if (!list || strcmp(list, lists[a->list]) != 0) continue;
    ck_put_str(b, ck_str_of(id_of(job)));
    ++n;
  }
  ck_close_array(b, open, n);
  return n;
}

/* 0: the question is on its way. */
static int ask_list(struct asking *a, struct ck_str cursor) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  struct ck_message request = {.kind = CK_MSG_QUERY};
  ck_pair_name(&m, "job_id");
  uint32_t n = put_ids(&filters, a);
  ck_map_close(&m);
  request.as.query = (struct ck_query){.table = ck_str_of(lists[a->list]),
                                       .filters = ck_buf_view(&filters),
                                       .limit = ROWS_MOST,
                                       .cursor = cursor};
  int rc = n ? web_ask(a->store, &request, WEB_ANSWER_MS, heard_rows, a) : -1;
  ck_buf_free(&filters);
  return rc;
}

/* Ids that are too long for a question are too long for a row. */
static void ask(struct asking *a, struct ck_str cursor) {
  for (; a->list < sizeof lists / sizeof *lists; ++a->list)
    if (ask_list(a, cursor) == 0) return;
  put_states(a);
}

static void heard_status(void *self, const struct web_said *said) {
  struct asking *a = self;
  if (!said->answer || said->answer->kind != CK_MSG_INFO) {
    finish(a, said);
    return;
  }
  a->info = ck_json_of(said->answer->as.info.info);
  a->held = ck_jobs_held(a->info);
  ask(a, (struct ck_str){0});
}

void web_job_states(struct webd *w, json_t *jobs,
                    void (*done)(void *self, const struct web_said *trouble), void *self) {
  struct asking *a = ck_zalloc(sizeof *a);
  struct ck_message m = {.kind = CK_MSG_STATUS};
  *a = (struct asking){.store = w->store,
                       .jobs = json_incref(jobs),
                       .rows = json_object(),
                       .done = done,
                       .self = self};
  if (json_array_size(jobs) == 0)
    finish(a, NULL);
  else
    web_ask(w->store, &m, WEB_ANSWER_MS, heard_status, a);
}
