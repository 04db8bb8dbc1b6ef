/* How conversations begin: what is shown of those that have no title. */
#ifndef CLI_READING_QUESTION_H
#define CLI_READING_QUESTION_H

#include "cli/client.h"

/* Gives each object without a title the member `first_question`, the beginning of its first user's
 * message, if the store has one. rows: an array of objects with local_conversation_id and title;
 * one may come several times. It asks the store only if one has no title. An exit code after an
 * error was reported. */
int cli_first_questions(struct cli *c, json_t *rows);
/* The same for one object. */
int cli_first_question(struct cli *c, json_t *row);

#endif
