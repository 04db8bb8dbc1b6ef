/* The feed: publishes changes to followers, receipts to producers, offers to clients, and
 * heartbeats to all. Each message is encoded once; changes only if somebody subscribes to them. */
#ifndef CK_STORE_FEED_H
#define CK_STORE_FEED_H

#include "proto/settings.h"
#include "proto/wire.h"
#include "store/write/cache.h"

struct feed;

/* Binds door.feed. store_id is borrowed. NULL with the reason. */
struct feed *feed_open(const struct ck_settings *s, const char *store_id, struct ck_err *err);
void feed_close(struct feed **f);
void *feed_socket(struct feed *f);
/* Reads new and ended subscriptions. */
void feed_turn(struct feed *f);

/* Publishes a commit's changes, versions (after, upto], in frames of up to 128 KiB. A larger record
 * is not published, nor what follows it: followers see the next heartbeat and ask. */
void feed_changes(struct feed *f, struct entry **changes, size_t n, uint64_t after, uint64_t upto);
void feed_receipt(struct feed *f, const struct ck_receipt *r);
void feed_delivery(struct feed *f, const struct ck_delivery *d);
/* pauses: apply_pauses. */
void feed_heartbeat(struct feed *f, uint64_t head, uint64_t pauses);
/* Frees the buffer that busy times have filled. */
void feed_idle(struct feed *f);

#endif
