/* The worker: asks the store for batches, sends their slices to the sink and tells the store the
 * outcomes. These are the steps of struct ck_daemon (proto/daemon.h); `self` is what start made. */
#ifndef SYNCD_WORKER_H
#define SYNCD_WORKER_H

#include "proto/daemon.h"

int sync_worker_start(void **self, const struct ck_settings *s, struct ck_err *err);
void sync_worker_wait(void *self, struct ck_wait *wait);
int sync_worker_turn(void *self);
bool sync_worker_stop(void *self);
void sync_worker_end(void *self);

#endif
