/* Where a follow-up goes, as a job's target_snapshot has it, and the letter that goes there. Pure.
 */
#ifndef RENEWD_TARGET_H
#define RENEWD_TARGET_H

#include "proto/error.h"
#include "proto/text.h"

/* The snapshot's parts; NULL for what it does not have. */
struct renew_target {
  char *kind, *id, *client_id, *platform, *remote_conversation_id;
  char *payload; /* JSON text */
};

/* What a link says, views of its row; all may be empty. */
struct renew_link {
  struct ck_str target_kind, target_id, target_payload, client_id, platform, remote_conversation_id;
};
/* Appends the snapshot: {kind, id, payload, client_id, platform, remote_conversation_id}, what is
 * not there left out. Without a kind it is `feed` where there is a client. */
void renew_snapshot(struct ck_buf *json, const struct renew_link *link);
/* … of a row of conversation_links as the wire has it (query.h), which may be empty. */
void renew_snapshot_row(struct ck_buf *json, struct ck_str row);

/* Reads a snapshot; free it with renew_target_free in either case. -1: it is not an object of that
 * form. */
int renew_target_parse(struct renew_target *t, struct ck_str snapshot, struct ck_err *err);
void renew_target_free(struct renew_target *t);
/* payload.url on the heap, the caller frees; NULL when there is none. */
char *renew_target_url(const struct renew_target *t);

struct renew_letter {
  struct ck_str job_id, conversation_id, payload, payload_kind;
  int64_t attempt;
  const struct renew_target *target;
  struct ck_str lease_token; /* empty: not told */
};
/* Appends the delivery of docs/cli.md as one JSON object without line breaks. -1: the payload is
 * said to be JSON and is not. */
int renew_letter_json(struct ck_buf *json, const struct renew_letter *l, struct ck_err *err);

#endif
