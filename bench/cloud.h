/* Runs the D1 peer of tests/d1/peer for a measurement: workerd's D1 behind the paths of
 * Cloudflare's API. One at a time. */
#ifndef BENCH_CLOUD_H
#define BENCH_CLOUD_H

#include "bench/common.h"

/* Starts it in the working directory. false: its packages are not installed and cannot be; this is
 * reported on standard error. */
bool cloud_start(void);
void cloud_stop(void);

/* Creates a database with the mirror's schema, and sets the settings of daemons started from now on
 * to it: sink d1, d1.rate `rate` (0: no limit). */
void cloud_use(const char *database, int rate);

/* Sends one request, as a plain client. Fails unless D1 reports success. */
void cloud_send(struct ck_str body);

/* The peer's own endpoints. body: NULL for GET. */
void cloud_control(const char *path, const char *body);
int64_t cloud_stat(const char *name);

/* The number of rows in `messages` of the current database, as a reader of its file sees it now. */
int64_t cloud_rows(void);

#endif
