/* A store with so much in it that its size could be felt: a million messages, 100,000 follow-ups in
 * 10,000 conversations, and one conversation that is long. */
#ifndef BENCH_LARGE_H
#define BENCH_LARGE_H

#include <stddef.h>

#define BENCH_LARGE_JOBS 100000
#define BENCH_LARGE_CHATS 10000
#define BENCH_LARGE_LONG 2000 /* messages of the conversation chat:long */

/* BENCH_VIEWS, else 1,000,000. */
size_t bench_large_messages(void);
/* Fills the working directory's database, which no daemon has open, with so many messages and all
 * else. Of 20 follow-ups 12 are done, 5 pending (of one in five of some the time has come, and they
 * have no target), 2 failed, 1 superseded. One conversation in 100 is of the platform "rare". */
void bench_large_fill(size_t messages);
/* Waits until the store has made the index of the search, which it does after its start. */
void bench_large_calm(void);

#endif
