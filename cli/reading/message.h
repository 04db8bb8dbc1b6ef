/* One message as it is read: for people and as JSON. Pure.
 *
 * A message is a row of `messages` with its executions in the member `executions`, as
 * cli_reading_walk() gives it. Its column `details` is JSON text (docs/formats.md says what is in
 * it). All text is from outside: what would command the terminal or change the order of characters
 * is shown by its code. */
#ifndef CLI_READING_MESSAGE_H
#define CLI_READING_MESSAGE_H

#include <jansson.h>
#include "proto/reading.h"
#include "proto/text.h"

struct cli_message_style {
  bool full; /* thinking, tools and hidden messages are shown whole, not as one line */
  bool colour;
  size_t width;  /* of the lines that something is folded to, in columns */
  bool has_tree; /* a message whose place is unknown is marked */
};

/* The parsed details, an object that the caller json_decrefs; empty if there are none. */
json_t *cli_message_details(const json_t *message);

/* True for a message that no person was meant to read: instructions, set-up, empty ones of the
 * system. */
bool cli_message_is_hidden(const json_t *message, const json_t *details);

/* True for what is said to a tool and by it, and for thoughts: they are lines without a head. */
bool cli_message_is_folded(const json_t *details, const struct cli_message_style *style);

/* Appends the message: a line that says who and when, its text, what was thought and executed. */
void cli_message_text(struct ck_buf *b, const struct ck_step *step, const json_t *message,
                      const json_t *details, const struct cli_message_style *style);

/* Appends one dim line "▸ …", cut to the width. */
void cli_folded_line(struct ck_buf *b, const struct cli_message_style *style, struct ck_str text);

/* The message as an object of `read --json`, which the caller json_decrefs. branches: how many the
 * conversation has. */
json_t *cli_message_json(const struct ck_step *step, size_t branches, const json_t *message,
                         const json_t *details);

/* Appends text in which each citation's marker is replaced by what is cited. Sets used[i] for each
 * citation, an element of the array, that has a marker; NULL: nobody wants to know. */
void cli_cited_text(struct ck_buf *b, struct ck_str text, const json_t *citations, bool *used);

#endif
