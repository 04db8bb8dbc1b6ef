/* The times in the words of a limit. Pure. */
#ifndef RENEWD_CORE_LIMIT_TIME_H
#define RENEWD_CORE_LIMIT_TIME_H

#include "renewd/core/limit.h"

/* Takes the words from the beginning of *s, whatever the case of their ASCII letters, if it begins
 * with them and no letter or digit follows a last one that is one. A blank stands for any white
 * space, an apostrophe also for the curly one. */
bool renew_take_words(struct ck_str *s, const char *words);
/* Takes white space. */
void renew_take_space(struct ck_str *s);

/* Takes a time from the beginning of *s: "3pm (Europe/Berlin)", "at 7:58 PM", "Oct 9, 10am",
 * "Sep 3rd, 2026 7:58 PM", "tomorrow at 3pm", "in 3 hours 5 minutes", seconds since the epoch.
 * One that names no second is at the end of its minute, so that it is not too early. A time of the
 * day is the next one after said_at, or one that has just passed. False: there is none, and *s is
 * as it was. */
bool renew_take_time(struct ck_str *s, int64_t said_at, const struct renew_clocks *clocks,
                     int64_t *until);

#endif
