/* Where a follow-up goes, which is a job's target_snapshot, and the letter that is sent there.
 * Pure. */
#ifndef RENEWD_CORE_TARGET_H
#define RENEWD_CORE_TARGET_H

#include "proto/error.h"
#include "proto/text.h"

/* The parts of a snapshot, on the heap; NULL for those that it does not have. */
struct renew_target {
  char *kind, *id, *client_id, *platform, *remote_conversation_id;
  char *account; /* whose the conversation is, as far as is known (proto/account.h) */
  char *payload; /* JSON text */
  char *url;     /* the payload's member `url` */
  /* Of a client's target: the page that it has open. */
  char *page_url, *page_title, *route_path, *route_pattern;
  char *route_params; /* JSON text */
};

/* A link, as views of its row; all may be empty. */
struct renew_link {
  struct ck_str target_kind, target_id, target_payload, client_id, platform, remote_conversation_id;
  struct ck_str page_url, page_title, route_path, route_pattern, route_params;
  struct ck_str account;
};
/* Appends the snapshot of a link, one JSON object: kind, id, payload, client_id, platform,
 * remote_conversation_id, account, for a client also page_url, page_title, route_path,
 * route_pattern, route_params, without those that are empty. A link without a kind but with a
 * client is of kind `feed`. */
void renew_snapshot(struct ck_buf *json, const struct renew_link *link);

/* Reads a snapshot. 0; or -1 with the reason: it is not a JSON object. Either way the caller frees
 * it with renew_target_free. */
int renew_target_parse(struct renew_target *t, struct ck_str snapshot, struct ck_err *err);
/* Frees the parts; t is empty then. */
void renew_target_free(struct renew_target *t);
/* True for the kinds whose deliveries a client takes: `feed`, and all that begin with `browser.` */
bool renew_target_of_client(const struct renew_target *t);
/* True for `exec`. */
bool renew_target_is_command(const struct renew_target *t);
/* That client: client_id, else id. NULL when the target names none, or is of another kind. */
const char *renew_target_client(const struct renew_target *t);

/* Appends what tells this target from others, for its lane (pace.h): the kind with a webhook's
 * address up to its query, a command's name, or a client; nothing without a kind. */
void renew_target_key(struct ck_buf *key, const struct renew_target *t);

/* The contents of a letter. */
struct renew_letter {
  struct ck_str job_id, conversation_id, payload, payload_kind;
  int64_t attempt;
  const struct renew_target *target;
  struct ck_str message_id, last_message_id; /* only for a client; may be empty */
};
/* Appends the letter, the delivery of docs/cli.md, as one JSON object without line breaks; to a
 * command also its target, and to a client what it needs to find the page. 0; or -1 with the
 * reason: payload_kind is json, but the payload is not JSON. */
int renew_letter_json(struct ck_buf *json, const struct renew_letter *l, struct ck_err *err);

#endif
