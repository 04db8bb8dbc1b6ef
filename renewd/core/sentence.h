/* Does an answer wait for its owner? Pure. */
#ifndef RENEWD_CORE_SENTENCE_H
#define RENEWD_CORE_SENTENCE_H

#include "proto/text.h"

/* True if the last sentence of the text is a question: it ends with a question mark of any script,
 * with a particle that asks, or with a choice, "Delete all [y/N]". What stands after it and is no
 * sentence does not count: quotation marks, brackets, Markdown's marks, tags, emoji; nor the list,
 * table or block of code at the end, which is what it is about.
 *
 * False for a question for yes or no that has one of the phrases `ok`, which are separated by
 * commas and compared without regard to upper and lower case: "Shall I continue?". One that asks
 * which, how or the like ("How shall I continue?") is for its owner. */
bool renew_is_question(struct ck_str text, struct ck_str ok);

#endif
