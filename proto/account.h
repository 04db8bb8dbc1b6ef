/* The account that a conversation's follow-ups are charged to: a home of Claude Code or Codex, an
 * organization, a browser on one site. What two conversations of one account have in common is its
 * name, a text. Pure. */
#ifndef CK_PROTO_ACCOUNT_H
#define CK_PROTO_ACCOUNT_H

#include "proto/text.h"

/* What is known of a conversation: what its owner says (renewal.h), and its link or a job's target.
 * payload: JSON, which may be in a text. known: what its messages, an export or a log say of whose
 * it is; a link has it from the store (`account` of its row), and a job from the link. Empty: not
 * said. */
struct ck_account_facts {
  struct ck_str own;
  struct ck_str platform, kind, id, client_id, payload, known;
};

/* Appends its name: what its owner says; else the member `account` of the target's payload; else
 * PLATFORM:HOME or PLATFORM:ORGANIZATION, from its members `home` and `organization_id`; else
 * PLATFORM:KNOWN; else client:PLATFORM:CLIENT_ID, or client:PLATFORM:ID, if the target is of no
 * kind or of a client's. Without a platform the name does without. Nothing if it has none. A name
 * has at most CK_ACCOUNT_MAX bytes (wire.h); of a longer one that is its beginning, a colon, and
 * the SHA-256 of the whole. */
void ck_account_name(struct ck_buf *b, const struct ck_account_facts *f);

#endif
