/* See mirrors.h. */
#include "store/mirror/mirrors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/text.h"
#include "proto/wire.h"

/* Requests that the meter allows (d1.rate); 0: no limit. Only D1 has one. */
static unsigned requests_allowed(const struct ck_settings *s, const char *sink) {
  return strcmp(sink, "d1") == 0 ? (unsigned)ck_set_int(s, CK_SET_D1_RATE) : 0;
}

/* What the database says of a mirror. */
struct stored {
  uint64_t cursor, goal; /* goal: where a backfill ends; 0: none was begun */
  bool set_back;
};

static int read_stored(sqlite3 *db, const char *name, struct stored *out, struct ck_err *err) {
  static const char text[] =
      "SELECT coalesce((SELECT cursor FROM sinks WHERE name = ?1), 0),"
      " coalesce((SELECT version FROM cursors WHERE follower = 'backfill ' || ?1), 0),"
      " coalesce((SELECT alarm GLOB 'set_back:*' FROM sinks WHERE name = ?1), 0)";
  sqlite3_stmt *s = db_prepare(db, text, err);
  if (!s) return -1;
  db_bind_str(s, 1, ck_str_of(name));
  int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(db, "sinks", err);
  if (rc == 0)
    *out = (struct stored){(uint64_t)sqlite3_column_int64(s, 0),
                           (uint64_t)sqlite3_column_int64(s, 1), sqlite3_column_int(s, 2) != 0};
  sqlite3_finalize(s);
  return rc;
}

static int read_identity(sqlite3 *db, struct mirrors *m, uint64_t *runs, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, "SELECT store_id, runs FROM store", err);
  if (!s) return -1;
  int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(db, "store", err);
  if (rc == 0) {
    struct ck_str id = db_str(s, 0);
    snprintf(m->store_id, sizeof m->store_id, "%.*s", (int)id.n, id.s);
    *runs = (uint64_t)sqlite3_column_int64(s, 1);
  }
  sqlite3_finalize(s);
  return rc;
}

static int open_one(sqlite3 *db, const struct ck_settings *settings, struct mirror *one,
                    const char *run, uint64_t runs, uint64_t head, struct ck_err *err) {
  struct stored stored;
  int64_t now = ck_boot_ms();
  one->name = ck_settings_mirror(settings, one->sink);
  if (read_stored(db, one->name, &stored, err)) return -1;
  one->leases = leases_new(stored.cursor, runs);
  if (stored.cursor < stored.goal) leases_add_backlog(one->leases, head); /* a backfill continues */
  one->meter = meter_new(requests_allowed(settings, one->sink), now);
  one->lag = lag_new(head, now);
  one->fit = fit_new(strcmp(one->sink, "null") == 0 ? "" : run, stored.set_back);
  return 0;
}

struct mirrors *mirrors_open(sqlite3 *db, const struct ck_settings *s, uint64_t head,
                             struct ck_err *err) {
  struct mirrors *m = ck_zalloc(sizeof *m);
  char run[33];
  const char *sink;
  uint64_t runs = 0;
  ck_random_id(run);
  run[FIT_RUN - 1] = '\0';
  int rc = read_identity(db, m, &runs, err);
  while (rc == 0 && m->n < CK_SINKS_MAX && (sink = ck_set_word(s, CK_SET_SYNC_SINKS, (int)m->n))) {
    struct mirror *one = &m->at[m->n++];
    snprintf(one->sink, sizeof one->sink, "%s", sink);
    rc = open_one(db, s, one, run, runs, head, err);
  }
  if (rc) mirrors_free(&m);
  return m;
}

void mirrors_free(struct mirrors **mirrors) {
  struct mirrors *m = *mirrors;
  if (!m) return;
  for (size_t i = 0; i < m->n; ++i) {
    struct mirror *one = &m->at[i];
    leases_free(&one->leases);
    meter_free(&one->meter);
    lag_free(&one->lag);
    fit_free(&one->fit);
    free(one->name);
  }
  free(m);
  *mirrors = NULL;
}

struct mirror *mirrors_in(struct mirrors *m, struct ck_str sink) {
  for (size_t i = 0; i < m->n; ++i)
    if (ck_str_is(sink, m->at[i].sink)) return &m->at[i];
  return NULL;
}

char *mirrors_names(const struct mirrors *m) {
  struct ck_buf text = {0};
  for (size_t i = 0; i < m->n; ++i) ck_buf_printf(&text, "%s%s", i ? ", " : "", m->at[i].sink);
  char *names = ck_strdup(ck_buf_cstr(&text));
  ck_buf_free(&text);
  return names;
}

const struct mirror *mirrors_set_back(const struct mirrors *m) {
  for (size_t i = 0; i < m->n; ++i)
    if (fit_set_back(m->at[i].fit)) return &m->at[i];
  return NULL;
}
