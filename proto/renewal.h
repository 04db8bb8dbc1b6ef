/* What an owner has said of a conversation's follow-ups, beside `auto`: when they end, and what
 * they say. It is the JSON object in local_conversations.renewal, of which every member may be
 * missing; then the settings count.
 *
 *   {"until": 1796000000000, "in_a_row": 5, "alike": 2, "per_day": 20, "cost_per_day": 2.5,
 *    "tokens_per_day": 500000, "question": false, "text": "/DONE$/", "quiet": "23:00-07:00",
 *    "payload": "go on", "payload_kind": "text", "account": "work"}
 *
 * Pure. */
#ifndef CK_PROTO_RENEWAL_H
#define CK_PROTO_RENEWAL_H

#include <stdint.h>

#include "proto/payload.h"

enum ck_wished { CK_AS_SET, CK_WISHED, CK_UNWISHED };

struct ck_renewal {
  int64_t until;                     /* wall time in milliseconds; 0: without an end */
  int64_t in_a_row;                  /* 0: renew.in_a_row */
  int64_t alike, per_day;            /* negative: as the settings say; 0: does not count */
  int64_t cost_per_day;              /* likewise; in millionths (cost.h) */
  int64_t tokens_per_day;            /* likewise */
  enum ck_wished question;           /* stop at a question that waits for the owner */
  char *text;                        /* NULL: renew.stop_text; empty: none */
  char *quiet;                       /* NULL: renew.quiet; empty: none */
  char *payload;                     /* NULL: renew.payload */
  enum ck_payload_kind payload_kind; /* of the payload */
  char *account;                     /* account.h; NULL: as its target says */
};
#define CK_RENEWAL_NUMBER_MAX 1000
#define CK_RENEWAL_TOKENS_MAX INT64_C(1000000000000)

/* Reads it; empty text: nothing was said. 0; or -1 with the reason, which names the first member
 * that is wrong: such a member counts as missing, the others are read. Either way the caller frees
 * it. */
int ck_renewal_read(struct ck_renewal *r, struct ck_str json, struct ck_err *err);
/* Appends the object; nothing if nothing is said. */
void ck_renewal_json(struct ck_buf *b, const struct ck_renewal *r);
void ck_renewal_free(struct ck_renewal *r);

/* Appends it as a person would say it: "until 2026-11-30 07:00:00, 5 in a row". Nothing if nothing
 * is said. */
void ck_renewal_text(struct ck_buf *b, const struct ck_renewal *r);

#endif
