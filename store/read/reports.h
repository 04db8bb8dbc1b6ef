/* The last REPORT of each daemon, for `status`. The writer records them and the snapshot thread
 * reads them; locked inside. */
#ifndef CK_STORE_REPORTS_H
#define CK_STORE_REPORTS_H

#include "proto/wire.h"

/* A daemon that has not reported for this long is not shown. */
#define REPORT_FRESH_MS 5000

struct reports;

struct reports *reports_new(void);
void reports_free(struct reports **r);
/* Records a report in place of the daemon's last one. Logs and drops one that is too large; of one
 * whose info JSON cannot show, the info. */
void reports_take(struct reports *r, const struct ck_report *report);

struct report_view {
  struct ck_str name, id, host, info;
  int64_t pid, up_since, seen_at; /* seen_at: wall clock */
};
/* Calls `each` for every fresh report, under the lock; the view is valid during the call only. */
void reports_each(struct reports *r, void (*each)(void *self, const struct report_view *v),
                  void *self);

#endif
