/* The conversations whose files are to be written again, and when. Pure: the time is an argument,
 * ck_boot_ms.
 *
 * One that has changed is written when nothing has changed for a moment, at the latest
 * DIRTY_MOST_MS after its first change. Then it rests DIRTY_REST times as long as writing it took,
 * DIRTY_REST_MAX at most: so one that grows all the time costs little, however long it is. */
#ifndef CK_STORE_DIRTY_H
#define CK_STORE_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

#define DIRTY_MOST_MS 3000
#define DIRTY_REST 10
#define DIRTY_REST_MAX 30000
/* More than so many do not wait: then the oldest are written at once, and until there is room no
 * more is read. Of those that are written, as many are remembered, the last ones. */
#define DIRTY_FULL 10000

struct dirty;

struct dirty *dirty_new(void);
void dirty_free(struct dirty **d);
void dirty_clear(struct dirty *d);

/* The conversation has changed, at this version. Versions grow. */
void dirty_add(struct dirty *d, struct ck_str conversation, uint64_t version, int64_t now);
bool dirty_full(const struct dirty *d);
/* The least version of those that wait; 0: none waits. */
uint64_t dirty_least(const struct dirty *d);
/* When the next one is to be written; INT64_MAX: there is none. quiet: nothing has changed for a
 * moment, or the store ends. *conversation: that one, valid until the next call of any other
 * function. */
int64_t dirty_next(const struct dirty *d, bool quiet, struct ck_str *conversation);
/* It is written with all changes up to this version, and that took so many ms. Changes up to it
 * that are added later are ignored, as long as it is remembered. */
void dirty_written(struct dirty *d, struct ck_str conversation, uint64_t upto, int64_t took,
                   int64_t now);
/* Forgets what was written first, as far as it has rested and changes up to this version were
 * added. */
void dirty_tidy(struct dirty *d, uint64_t upto, int64_t now);
/* How many entries all the calls have looked at, which says what they cost. */
uint64_t dirty_looked(const struct dirty *d);

#endif
