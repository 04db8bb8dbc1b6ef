/* Does an answer wait for its owner? Pure. */
#ifndef RENEWD_CORE_SENTENCE_H
#define RENEWD_CORE_SENTENCE_H

#include "proto/text.h"

/* True if the last sentence of the text is a question. What stands after it and is no sentence does
 * not count: quotation marks, brackets, Markdown's marks, emoji, and the lines of a list, which are
 * what may be answered. Nor does a question that has one of the phrases `ok`, which are separated
 * by commas and compared without regard to upper and lower case: "Shall I continue?". */
bool renew_is_question(struct ck_str text, struct ck_str ok);

#endif
