/* What a person has done with a follow-up job.
 *
 *   row ─► lease, if it runs ─► changeset ─► receipt ─► row as it is then */
#include "webd/ask/change.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/job_change.h"

struct act {
  struct web_change as;
  struct web_job_wish wish;
  json_t *lease;
};

static void forget(void *self) {
  struct act *a = self;
  json_decref(a->lease);
}

static const char *text(const json_t *row, const char *name) {
  const char *value = json_string_value(json_object_get(row, name));
  return value ? value : "";
}

static struct ck_job_now now_of(const struct act *a) {
  bool unknown = strcmp(text(a->lease, "state"), "unknown") == 0;
  return (struct ck_job_now){ck_str_of(a->as.id),
                             ck_str_of(unknown ? "unknown" : text(a->as.row, "status")),
                             (uint64_t)json_integer_value(json_object_get(a->lease, "attempt")),
                             ck_str_of(text(a->lease, "token"))};
}

static enum ck_job_change change(struct act *a, struct ck_buf *mutations, struct ck_err *err) {
  const struct ck_job_now job = now_of(a);
  switch (a->wish.verb) {
  case WEB_JOB_RETRY:
    return ck_job_retry(mutations, &job, a->wish.anyway, ck_now_ms(), err);
  case WEB_JOB_CANCEL:
    return ck_job_cancel(mutations, &job, ck_now_ms(), err);
  case WEB_JOB_SNOOZE:
    return ck_job_snooze(mutations, &job, a->wish.anyway, a->wish.until, err);
  case WEB_JOB_ARRIVED:
    return ck_job_arrived(mutations, &job, ck_now_ms(), err);
  }
  return CK_JOB_SAME;
}

static void act(struct act *a) {
  struct ck_buf mutations = {0};
  struct ck_err err;
  enum ck_job_change rc = change(a, &mutations, &err);
  if (rc == CK_JOB_REFUSED)
    web_change_finish(&a->as, WEB_DENIED, err.text);
  else if (rc == CK_JOB_SAME)
    web_change_finish(&a->as, WEB_DONE, "");
  else
    web_change_write(&a->as, ck_buf_view(&mutations));
  ck_buf_free(&mutations);
}

static void got_lease(void *self, bool there, json_t *lease) {
  struct act *a = self;
  a->lease = json_incref(lease);
  if (there)
    act(a);
  else
    web_change_finish(&a->as, WEB_SILENCE, "");
}

static void got_job(void *self, bool there, json_t *row) {
  struct act *a = self;
  if (!web_change_got(&a->as, there, row, "there is no job of that id")) return;
  if (strcmp(text(row, "status"), "running") == 0)
    web_row(a->as.store.ask, "leases", "job_id", ck_str_of(a->as.id), a->as.ms, got_lease, a);
  else
    act(a);
}

void web_change_job(const struct web_store *s, struct ck_str id, const struct web_job_wish *wish,
                    int ms, web_changed_fn *done, void *self) {
  struct act *a = ck_zalloc(sizeof *a);
  *a = (struct act){
      {*s, ms, done, self, "renewal_jobs", "job_id", ck_str_dup(id), NULL, forget}, *wish, NULL};
  web_change_begin(&a->as, got_job);
}
