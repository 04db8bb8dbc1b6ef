/* A message as the store's answers have it, JSON, and as the renderer takes it: rows.
 *
 * A message is a row of `messages` with its executions in the member `executions`, as
 * cli_reading_walk() gives it. */
#ifndef CLI_READING_MESSAGE_H
#define CLI_READING_MESSAGE_H

#include "cli/reading/reading.h"
#include "proto/render/render.h"

struct cli_message {
  struct ck_row row, *executions;
  struct render_message m;
};

/* Borrows from the object; free with cli_message_free(). */
void cli_message_of(struct cli_message *message, const json_t *object, const struct ck_step *step);
void cli_message_free(struct cli_message *message);

/* Begins the document of a conversation, a row of local_conversations, whose order is loaded;
 * messages: how many of it are said to be there. */
void cli_conversation_begin(struct render *render, const json_t *conversation,
                            const struct cli_reading *r, size_t messages);

/* The message as an object of `read --json`, which the caller json_decrefs. branches: how many the
 * conversation has. */
json_t *cli_message_json(const struct ck_step *step, size_t branches, const json_t *object);

/* Takes the messages that nobody was meant to read out of an array of rows. Returns how many. */
size_t cli_messages_take_hidden(json_t *rows);

#endif
