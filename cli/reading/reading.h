/* A conversation's messages in reading order (proto/reading.h), fetched from the store.
 *
 * The order is made from the messages' places alone. The messages themselves are fetched a batch at
 * a time, so that memory does not grow with what the conversation says.
 *
 * Functions returning an int return CLI_GO_ON, or the exit code after reporting the error. */
#ifndef CLI_READING_READING_H
#define CLI_READING_READING_H

#include "cli/client.h"
#include "proto/reading.h"

struct cli_reading {
  const struct ck_step *steps;
  size_t count;
  const struct ck_branch *branches;
  size_t branch_count;
  bool has_tree;
  /* Which conversation a step is of: objects with `platform` and `conversation_id` (remote). The
   * first is the one that is read, and has `page_url` if it was loaded by its links. The others are
   * those that it was forked from, and have `local_conversation_id` and `title` if they are known
   * here. */
  json_t *conversations;
  size_t own; /* so many of them, the first, are the one that is read: it may have several links */

  struct ck_reading *order;
  int64_t *versions; /* of the rows that were added to it */
  size_t rows, room;
};

/* Loads the order of a conversation, a row of local_conversations. */
int cli_reading_load(struct cli *c, const json_t *conversation, struct cli_reading *r);
/* The same by the platform's id of it; last: its last_message_id, "" if it is not known. */
int cli_reading_remote(struct cli *c, const char *platform, const char *remote, const char *last,
                       struct cli_reading *r);
/* The same of all messages that belong to no conversation of a platform. */
int cli_reading_loose(struct cli *c, struct cli_reading *r);
void cli_reading_free(struct cli_reading *r);

/* What the option --branch says: N, or all, which is 0. text NULL: it was not given, and *branch
 * stays. */
int cli_reading_branch(const struct cli *c, const char *text, size_t *branch);
/* Reports a branch that the conversation does not have. One without messages has any. */
int cli_reading_has_branch(const struct cli *c, const json_t *conversation,
                           const struct cli_reading *r, size_t branch);

/* All steps; reverse: each branch from its end. The caller frees *chosen. Returns how many. */
size_t cli_reading_all(const struct cli_reading *r, bool reverse, size_t **chosen);
/* Turns the order of so many around. */
void cli_reading_turn(size_t *steps, size_t count);

/* Takes one message: a row of `messages` with its executions in the member `executions`. False ends
 * the walk. */
typedef bool cli_message_taker(void *self, const struct ck_step *step, json_t *message);

/* Fetches the messages of these steps and gives them to `take`, in the order of `chosen`. A message
 * that is gone by then is left out. */
int cli_reading_walk(struct cli *c, const struct cli_reading *r, const size_t *chosen, size_t count,
                     cli_message_taker *take, void *self);
/* The same, and appends the messages to an array. */
int cli_reading_rows(struct cli *c, const struct cli_reading *r, const size_t *chosen, size_t count,
                     json_t *rows);

/* ---- what a reader is told ---- */

/* Appends that from this step on messages are those of another conversation, or of this one again.
 * before: the step read before, or NULL. False: they are not. */
bool cli_reading_say_conversation(struct ck_buf *b, const struct cli_reading *r,
                                  const struct ck_step *before, const struct ck_step *step);
/* Appends how many messages before the branch are not here. False: none, or it is not known. */
bool cli_reading_say_missing(struct ck_buf *b, const struct ck_branch *branch);

#endif
