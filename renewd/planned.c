/* See planned.h. */
#include "renewd/planned.h"

#include <stdlib.h>

struct job {
  struct renew_node node;
  bool made; /* else of the texts only the snapshot is there */
  char *conversation_id, *message_id, *payload, *payload_kind, *snapshot;
};

static struct job *find(const struct renew_planned *p, struct ck_str job_id) {
  return (struct job *)renew_index_find(&p->jobs, job_id);
}

static struct job *get(struct renew_planned *p, struct ck_str job_id) {
  struct job *j = find(p, job_id);
  if (j) return j;
  j = ck_zalloc(sizeof *j);
  j->node.id = ck_str_dup(job_id);
  renew_index_add(&p->jobs, &j->node);
  return j;
}

static char *text_of(const struct ck_row *row, int column) {
  return ck_str_dup(ck_row_text(row, column));
}

/* The core makes a job once. */
void renew_planned_make(struct renew_planned *p, const struct ck_row *job) {
  struct job *j = get(p, ck_row_key(job));
  j->made = true;
  j->conversation_id = text_of(job, CK_JOBS_LOCAL_CONVERSATION_ID);
  j->message_id = text_of(job, CK_JOBS_MESSAGE_ID);
  j->payload = text_of(job, CK_JOBS_PAYLOAD);
  j->payload_kind = text_of(job, CK_JOBS_PAYLOAD_KIND);
  j->snapshot = text_of(job, CK_JOBS_TARGET_SNAPSHOT);
}

void renew_planned_address(struct renew_planned *p, struct ck_str job_id, struct ck_str snapshot) {
  struct job *j = get(p, job_id);
  free(j->snapshot);
  j->snapshot = ck_str_dup(snapshot);
}

bool renew_planned_is_made(const struct renew_planned *p, struct ck_str job_id) {
  const struct job *j = find(p, job_id);
  return j && j->made;
}

void renew_planned_give(const struct renew_planned *p, struct ck_str job_id,
                        struct renew_answer *a) {
  const struct job *j = find(p, job_id);
  if (!j) return;
  if (j->made)
    a->job = (struct renew_row){.head = a->head,
                                .conversation_id = ck_str_of(j->conversation_id),
                                .message_id = ck_str_of(j->message_id),
                                .payload = ck_str_of(j->payload),
                                .payload_kind = ck_str_of(j->payload_kind),
                                .max_attempts = 1};
  a->job.snapshot = ck_str_of(j->snapshot);
}

static void forget(void *self, struct renew_node *node) {
  struct renew_planned *p = self;
  struct job *j = (struct job *)node;
  renew_index_remove(&p->jobs, node);
  free(node->id);
  free(j->conversation_id);
  free(j->message_id);
  free(j->payload);
  free(j->payload_kind);
  free(j->snapshot);
  free(j);
}

void renew_planned_free(struct renew_planned *p) {
  renew_index_each(&p->jobs, forget, p);
  renew_index_free(&p->jobs);
}
