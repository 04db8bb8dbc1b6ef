/* The command line that a delivery to a target of kind `exec` becomes: the words, environment and
 * folder of renew.exec.NAME, in which {placeholders} stand for what the delivery says. Pure.
 *
 * A placeholder is {name}: delivery_id, local_conversation_id, or a member of the target's payload,
 * a text or an integer. Braces around anything else are text. The payload came with an observation,
 * so a value must not begin with `-`, which could be an option, and must have no control characters
 * and at most 4096 bytes; and paths with one in them are listed, for a look at whose they are.
 */
#ifndef RENEWD_COMMAND_H
#define RENEWD_COMMAND_H

#include "proto/error.h"
#include "proto/settings.h"

/* NULL-terminated lists on the heap. */
struct renew_command {
  char **argv;
  char **env;   /* what its environment has besides, or instead */
  char *folder; /* NULL: none is set */
  char **given; /* absolute paths, among folder and the values of env, that placeholders gave */
};

/* delivery: the letter (target.h). payload: what it says, which becomes the last argument if the
 * settings say so. 0; or -1 with the reason: a placeholder has no value that may stand there, the
 * folder is not absolute, or the payload cannot be an argument. Either way the caller frees. */
int renew_command_make(struct renew_command *c, const struct ck_exec *exec, struct ck_str delivery,
                       struct ck_str payload, struct ck_err *err);
void renew_command_free(struct renew_command *c);

/* 0 if a delivery to a target with this payload (JSON; may be empty) has a value for every
 * placeholder; -1 with what is missing. */
int renew_command_serves(const struct ck_exec *exec, struct ck_str target_payload,
                         struct ck_err *err);

#endif
