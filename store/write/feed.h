/* The feed: what followers, producers and browsers are told. Everything is encoded once, changes
 * only when somebody listens to them. */
#ifndef CK_STORE_FEED_H
#define CK_STORE_FEED_H

#include "proto/settings.h"
#include "proto/wire.h"
#include "store/write/cache.h"

struct feed;

struct feed *feed_open(const struct ck_settings *s, const char *store_id, struct ck_err *err);
void feed_close(struct feed **f);
void *feed_socket(struct feed *f);
/* Reads who came and went. */
void feed_turn(struct feed *f);

/* A commit's changes: (after, upto], as many messages of 1 MiB as it takes. */
void feed_changes(struct feed *f, struct entry **changes, size_t n, uint64_t after, uint64_t upto);
void feed_receipt(struct feed *f, const struct ck_receipt *r);
void feed_delivery(struct feed *f, struct ck_str client_id, struct ck_str body);
void feed_beat(struct feed *f, uint64_t head);
/* Lets go of the buffers that a busy time has filled. */
void feed_rest(struct feed *f);

#endif
