/* A follow-up that a person makes, as `convkeep renew` does:
 *
 *   conversation ─► has its last message one? ─► where it goes ─► changeset ─► receipt ─► row */
#include "webd/ask/change.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/log.h"
#include "proto/random.h"

struct act {
  struct web_change as;
  struct web_renewd *renewd;
  char *payload, *conversation, *message;
  int64_t at, max_attempts;
};

static void forget(void *self) {
  struct act *a = self;
  free(a->payload);
  free(a->conversation);
  free(a->message);
}

static const char *text(const json_t *row, const char *name) {
  const char *value = json_string_value(json_object_get(row, name));
  return value ? value : "";
}

/* ---- the changeset ---- */

static void put_job(struct act *a, const char *snapshot) {
  char random[33], job_id[sizeof CK_JOB_BY_HAND + 32];
  struct ck_buf mutations = {0};
  struct ck_row row = {.table = CK_JOBS};
  ck_random_id(random);
  snprintf(job_id, sizeof job_id, CK_JOB_BY_HAND "%s", random);
  row.v[CK_JOBS_JOB_ID] = ck_textz(job_id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(a->conversation);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(a->message);
  row.v[CK_JOBS_PAYLOAD] = ck_textz(a->payload);
  row.v[CK_JOBS_PAYLOAD_KIND] = ck_textz("text");
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(snapshot);
  row.v[CK_JOBS_MAX_ATTEMPTS] = ck_int(a->max_attempts);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(a->at);
  ck_put_array(&mutations, 1);
  ck_mutation_row(&mutations, CK_OP_PUT, &row);
  free(a->as.id);
  a->as.list = "renewal_jobs";
  a->as.column = "job_id";
  a->as.id = ck_strdup(job_id);
  web_change_write(&a->as, ck_buf_view(&mutations));
  ck_buf_free(&mutations);
}

/* A target that is known, but takes nothing yet, lets the job wait. */
static void got_target(void *self, json_t *result, const char *reason) {
  struct act *a = self;
  const char *snapshot = text(result, "snapshot"), *missing = text(result, "missing");
  if (*snapshot) {
    put_job(a, snapshot);
    return;
  }
  char *why = ck_sprintf("it has nowhere to go: %s", *missing ? missing : reason);
  web_change_finish(&a->as, WEB_DENIED, why);
  free(why);
}

/* ---- what is there ---- */

static void got_job(void *self, bool there, json_t *job) {
  static const struct web_renewd_ops ops = {NULL, got_target};
  struct act *a = self;
  const char *const words[] = {"target", a->conversation, NULL};
  if (!there) {
    web_change_finish(&a->as, WEB_SILENCE, "");
  } else if (job) {
    char *why =
        ck_sprintf("its last message has a follow-up already, which is %s", text(job, "status"));
    web_change_finish(&a->as, WEB_DENIED, why);
    free(why);
  } else {
    web_renewd_ask(a->renewd, words, a->as.ms, &ops, a);
  }
}

static void got_conversation(void *self, bool there, json_t *row) {
  struct act *a = self;
  if (!web_change_got(&a->as, there, row, "there is no conversation of that id")) return;
  a->message = ck_strdup(text(row, "last_message_id"));
  if (!*a->message)
    web_change_finish(&a->as, WEB_DENIED, "it has no last message to follow up");
  else
    web_row(a->as.store.ask, "renewal_jobs", "message_id", ck_str_of(a->message), a->as.ms, got_job,
            a);
}

void web_renew(const struct web_store *s, struct web_renewd *renewd, struct ck_str id,
               const struct web_renew_wish *wish, int ms, web_changed_fn *done, void *self) {
  struct act *a = ck_zalloc(sizeof *a);
  *a = (struct act){.as = {*s, ms, done, self, "local_conversations", "local_conversation_id",
                           ck_str_dup(id), NULL, forget},
                    .renewd = renewd,
                    .payload = ck_strdup(wish->payload),
                    .conversation = ck_str_dup(id),
                    .at = wish->at,
                    .max_attempts = wish->max_attempts};
  web_change_begin(&a->as, got_conversation);
}
