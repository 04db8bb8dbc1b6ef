/* The campaign's ledger: what was said in which conversation, and when everybody could know. */
#ifndef CK_FLOW_RENEWAL_CAMPAIGN_H
#define CK_FLOW_RENEWAL_CAMPAIGN_H

#include "tests/harness/base.h"
#include "tests/harness/client.h"
#include "tests/harness/http.h"

/* One message, by whoever. Its id is "cCHAT-N". */
struct said {
  bool human;
  int64_t seen; /* ck_now_ms() when the follower brought it, so the store has it; 0: not yet */
};

struct chat {
  struct said *said; /* in order; each is observed later than the one before */
  size_t count;
  int64_t last_at; /* when the last one was observed */
  int64_t next_at; /* boot: when the next one is said */
  bool human_next; /* by whom */
};

struct ledger {
  struct chat *chats;
  size_t chat_count;
  struct t_http *web;
  const char *taken; /* the folder to which the command writes what it got, a file each, which is
                        called MICROSECONDS.PID */
  struct t_client *client;
};

/* Chat and number of a message's id; false for those of the imported history. */
bool campaign_place(const char *message_id, size_t *chat, size_t *number);

/* Nothing is left to do. Fails unless
 *
 *   - what a job brought was received once, or its end is listed: unknown (at most once), failed or
 *     superseded (not at all);
 *   - nothing was received whose message was no longer the conversation's last one when the attempt
 *     was claimed, whoever had said the next one;
 *   - no human's message, and nothing of the history, has a job;
 *   - a last message by the assistant has one. */
void campaign_check(const struct ledger *l);

#endif
