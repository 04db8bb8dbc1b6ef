/* The real D1 of tests/d1/peer (workerd, behind the paths of Cloudflare's API) beside the
 * measurement: started, asked, looked into. One at a time. */
#ifndef BENCH_CLOUD_H
#define BENCH_CLOUD_H

#include "bench/common.h"

/* Starts it on the working directory. false: its packages are not installed and cannot be; said on
 * standard error. */
bool cloud_start(void);
void cloud_stop(void);

/* A fresh database with the mirror's schema. What daemons are started with from now on points
 * there: sink d1, this rate (0: none). */
void cloud_use(const char *database, int rate);

/* One request, of a client that does nothing else. Fails unless D1 says success. */
void cloud_send(struct ck_str body);

/* The peer's own endpoints: body NULL for GET. */
void cloud_control(const char *path, const char *body);
int64_t cloud_stat(const char *name);

/* Rows that were inserted into `messages` of the database in use, as a reader of its file sees them
 * now. */
int64_t cloud_rows(void);

#endif
