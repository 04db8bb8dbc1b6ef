/* The newest report of each daemon, in an array. */
#include "store/read/reports.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"

/* More daemons than anybody runs. A flood of invented names pushes out the oldest reports, rather
 * than fill the memory. */
#define REPORTS_MAX 64
#define INFO_MAX 327680 /* bytes of a report's info map */
#define STATUS_LEVELS 4 /* containers around it, at most */

struct kept {
  char *name, *id, *host;
  struct ck_buf info;
  int64_t pid, up_since, seen_at; /* up_since, seen_at: wall clock */
  int64_t seen_boot;              /* seen_at as ck_boot_ms */
};

struct reports {
  pthread_mutex_t lock;
  struct kept list[REPORTS_MAX];
  size_t count;
};

struct reports *reports_new(void) {
  struct reports *r = ck_zalloc(sizeof *r);
  pthread_mutex_init(&r->lock, NULL);
  return r;
}

static void forget(struct kept *k) {
  free(k->name);
  free(k->id);
  free(k->host);
  ck_buf_free(&k->info);
  memset(k, 0, sizeof *k);
}

void reports_free(struct reports **r) {
  if (!*r) return;
  for (size_t i = 0; i < (*r)->count; ++i) forget(&(*r)->list[i]);
  pthread_mutex_destroy(&(*r)->lock);
  free(*r);
  *r = NULL;
}

static struct kept *place_for(struct reports *r, const struct ck_report *m) {
  struct kept *oldest = &r->list[0];
  for (size_t i = 0; i < r->count; ++i) {
    struct kept *k = &r->list[i];
    if (ck_str_is(m->id, k->id) && ck_str_is(m->name, k->name)) return k;
    if (k->seen_boot < oldest->seen_boot) oldest = k;
  }
  return r->count < REPORTS_MAX ? &r->list[r->count++] : oldest;
}

/* STATUS holds it, some levels deep, and is shown as JSON: what cannot be shown must not take the
 * rest along. */
static bool can_be_shown(struct ck_str info) {
  struct ck_buf within = {0}, json = {0};
  for (int i = 0; i < STATUS_LEVELS; ++i) ck_put_array(&within, 1);
  ck_put_raw(&within, info);
  struct ck_reader r = ck_reader_of(ck_buf_view(&within));
  bool ok = ck_read_json(&r, &json) == 0;
  ck_buf_free(&within);
  ck_buf_free(&json);
  return ok;
}

void reports_take(struct reports *r, const struct ck_report *m) {
  if (m->info.n > INFO_MAX || m->id.n > 200 || m->name.n > 40 || m->host.n > 255) {
    ck_log(CK_WARN, ck_quoted(m->id), "report_refused", "reason=too_large");
    return;
  }
  bool shown = m->info.n && can_be_shown(m->info);
  if (m->info.n && !shown)
    ck_log(CK_WARN, ck_quoted(m->id), "report_without_info", "reason=no_json");
  pthread_mutex_lock(&r->lock);
  struct kept *k = place_for(r, m);
  forget(k);
  k->name = ck_str_dup(m->name);
  k->id = ck_str_dup(m->id);
  k->host = ck_str_dup(m->host);
  if (shown) ck_buf_str(&k->info, m->info);
  k->pid = m->pid;
  k->up_since = m->up_since;
  k->seen_at = ck_now_ms();
  k->seen_boot = ck_boot_ms();
  pthread_mutex_unlock(&r->lock);
}

void reports_each(struct reports *r, void (*each)(void *self, const struct report_view *v),
                  void *self) {
  int64_t now = ck_boot_ms();
  pthread_mutex_lock(&r->lock);
  for (size_t i = 0; i < r->count; ++i) {
    const struct kept *k = &r->list[i];
    if (now - k->seen_boot > REPORT_FRESH_MS) continue;
    struct report_view v = {
        ck_str_of(k->name), ck_str_of(k->id), ck_str_of(k->host), ck_buf_view(&k->info), k->pid,
        k->up_since,        k->seen_at};
    each(self, &v);
  }
  pthread_mutex_unlock(&r->lock);
}
