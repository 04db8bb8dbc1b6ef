/* What the daemons last reported of themselves, for `status`. Shared by the writer and the snapshot
 * thread; locked inside. Also: the frames that nobody could read. */
#ifndef CK_STORE_REPORTS_H
#define CK_STORE_REPORTS_H

#include "proto/wire.h"

/* A daemon that has not reported for this long is not shown. */
#define REPORT_FRESH_MS 5000

struct reports;

struct reports *reports_new(void);
void reports_free(struct reports **r);
/* Keeps it in place of the daemon's former one. One that is too large is logged and dropped. */
void reports_take(struct reports *r, const struct ck_report *report);

struct report_view {
  struct ck_str name, id, host, info;
  int64_t pid, up_since, seen_at; /* seen_at: wall clock */
};
/* Calls back for each fresh one, under the lock. */
void reports_each(struct reports *r, void (*each)(void *self, const struct report_view *v),
                  void *self);
/* Sync workers that reported within REPORT_FRESH_MS. */
unsigned reports_workers(struct reports *r);

/* Keeps a frame that is refused whole in logs/rejected.jsonl: door, reason, size and its first 4
 * KiB in hexadecimal. Above 16 MiB the file is moved to .1. */
void rejected_keep(const char *door, struct ck_str frame, const char *reason);

#endif
