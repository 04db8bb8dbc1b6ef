/* The daemon: batches from the work door, through the sink, to outcomes on intake. */
#ifndef SYNCD_WORKER_H
#define SYNCD_WORKER_H

#include "proto/daemon.h"

extern const struct ck_daemon sync_daemon;

#endif
