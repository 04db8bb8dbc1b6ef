/* Is what was said the text of a follow-up, as the page or the log shows it? Pure. */
#ifndef CK_STORE_ECHO_H
#define CK_STORE_ECHO_H

#include <stdbool.h>

#include "proto/text.h"

/* Both say the same, apart from white space: some of it is as good as any other, and that at the
 * ends does not count. */
bool echo_same(struct ck_str a, struct ck_str b);

/* The text is the payload, or a text anywhere in it if it is JSON (kind `json`). An empty text is
 * none. */
bool echo_of(struct ck_str payload, struct ck_str kind, struct ck_str text);

#endif
