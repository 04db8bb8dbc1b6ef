/* See check.h: doors, the mirror, follow-ups. */
#include "proto/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/doors.h"
#include "proto/file.h"
#include "proto/loopback.h"
#include "proto/places.h"
#include "proto/url.h"

static const struct {
  const char *name;
  unsigned bit, binds, connects; /* doors, as bits 1 << enum ck_door */
} programs[] = {
#define D(DOOR) (1u << CK_DOOR_##DOOR)
    {"store", CK_CHECK_STORE, D(INTAKE) | D(FEED) | D(WORK) | D(SNAPSHOT), 0},
    {"ingest", CK_CHECK_INGEST, D(OBSERVE), D(INTAKE) | D(FEED) | D(SNAPSHOT)},
    {"renewd", CK_CHECK_RENEWD, 0, D(INTAKE) | D(FEED) | D(SNAPSHOT)},
    {"syncd", CK_CHECK_SYNCD, 0, D(INTAKE) | D(FEED) | D(WORK) | D(SNAPSHOT)},
#undef D
};
#define PROGRAMS (sizeof programs / sizeof *programs)

struct check {
  const struct ck_settings *s;
  ck_wrong_fn *wrong;
  void *self;
};

unsigned ck_check_program(const char *name) {
  for (size_t i = 0; i < PROGRAMS; ++i)
    if (strcmp(programs[i].name, name) == 0) return programs[i].bit;
  return 0;
}

static void stops(const struct check *k, enum ck_setting which, const struct ck_err *err) {
  k->wrong(k->self, which, false, err->text);
}

static void waits(const struct check *k, enum ck_setting which, const struct ck_err *err) {
  k->wrong(k->self, which, true, err->text);
}

/* ---- doors ---- */

static void check_doors(const struct check *k, unsigned which) {
  unsigned binds = 0, connects = 0;
  struct ck_err err;
  for (size_t i = 0; i < PROGRAMS; ++i) {
    if (!(which & programs[i].bit)) continue;
    binds |= programs[i].binds;
    connects |= programs[i].connects;
  }
  for (int d = CK_DOOR_INTAKE; d <= CK_DOOR_OBSERVE; ++d) {
    enum ck_door door = (enum ck_door)d;
    bool wrong = binds & 1u << d && ck_door_check(k->s, door, true, &err);
    if (!wrong) wrong = connects & 1u << d && ck_door_check(k->s, door, false, &err);
    if (wrong) stops(k, ck_door_setting(door), &err);
  }
}

/* ---- the mirror ---- */

int ck_check_is_set(const struct ck_settings *s, enum ck_setting which, struct ck_err *err) {
  struct ck_setting_view v;
  if (*ck_set_text(s, which)) return 0;
  ck_settings_view(s, (int)which, &v);
  return ck_fail(err,
                 "%s is not set: it belongs in convkeep.conf, because sync.sink is %s;"
                 " then start the ring again",
                 v.name, ck_set_text(s, CK_SET_SYNC_SINK));
}

static void check_is_set(const struct check *k, enum ck_setting which) {
  struct ck_err err;
  if (ck_check_is_set(k->s, which, &err)) waits(k, which, &err);
}

static void wipe(char *secret) {
  if (secret) explicit_bzero(secret, strlen(secret));
  free(secret);
}

/* Every request carries the token: never in clear text, unless it stays on this machine. */
int ck_check_d1_endpoint(const struct ck_settings *s, bool *clear, struct ck_err *err) {
  const char *endpoint = ck_set_text(s, CK_SET_D1_ENDPOINT);
  struct ck_url u;
  int rc = 0;
  *clear = false;
  if (ck_url_parse(&u, endpoint))
    rc = ck_fail(err, "d1.endpoint: %s: must be https, and is no http or https address", endpoint);
  else if (u.user)
    rc = ck_fail(err, "d1.endpoint: must not hold a user name or password");
  else if (strcmp(u.scheme, "http") == 0 && !ck_is_loopback_in_url(ck_str_of(u.host)))
    rc = ck_fail(err,
                 "d1.endpoint: %s: must be https, because the token goes there (http only on"
                 " loopback)",
                 endpoint);
  else
    *clear = strcmp(u.scheme, "http") == 0;
  ck_url_free(&u);
  return rc;
}

static void check_d1(const struct check *k) {
  struct ck_err err;
  bool clear;
  check_is_set(k, CK_SET_D1_ACCOUNT);
  check_is_set(k, CK_SET_D1_DATABASE);
  if (ck_check_d1_endpoint(k->s, &clear, &err)) stops(k, CK_SET_D1_ENDPOINT, &err);
  char *token = ck_settings_d1_token(k->s, &err);
  if (!token) waits(k, CK_SET_D1_TOKEN_FILE, &err);
  wipe(token);
}

static void check_postgres(const struct check *k) {
  struct ck_err err;
  check_is_set(k, CK_SET_POSTGRES_HOST);
  check_is_set(k, CK_SET_POSTGRES_DATABASE);
  check_is_set(k, CK_SET_POSTGRES_USER);
  char *password = ck_settings_postgres_password(k->s, &err);
  if (!password) waits(k, CK_SET_POSTGRES_PASSWORD_FILE, &err);
  wipe(password);
}

static bool same_file(const char *one, const char *other) {
  struct stat a, b;
  return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int ck_check_sqlite_file(const struct ck_settings *s, struct ck_err *err) {
  const char *file = ck_set_text(s, CK_SET_SYNC_SQLITE_FILE), *slash = strrchr(file, '/');
  if (!*file) return ck_fail(err, "sync.sqlite.file: must name a file");
  if (same_file(file, CK_PLACE_DATABASE) || strcmp(file, CK_PLACE_DATABASE) == 0)
    return ck_fail(err, "%s: is the store's own database; name another file", file);
  if (ck_no_other_kind(AT_FDCWD, file, err)) return ck_fail_in(err, "%s", file);
  char *folder = slash ? ck_str_dup((struct ck_str){file, (size_t)(slash - file) + 1}) : NULL;
  bool there = access(file, F_OK) == 0;
  int rc =
      access(there || !folder ? (there ? file : ".") : folder, there ? R_OK | W_OK : W_OK | X_OK);
  int why = errno;
  free(folder);
  if (rc == 0) return 0;
  ck_fail_write(err, file, why, strerror(why));
  return ck_fail_in(err, "%s", file);
}

static void check_mirror(const struct check *k) {
  const char *sink = ck_set_text(k->s, CK_SET_SYNC_SINK);
  if (strcmp(sink, "d1") == 0) check_d1(k);
  if (strcmp(sink, "postgres") == 0) check_postgres(k);
  struct ck_err err;
  if (strcmp(sink, "sqlite") == 0 && ck_check_sqlite_file(k->s, &err))
    stops(k, CK_SET_SYNC_SQLITE_FILE, &err);
}

/* ---- follow-ups ---- */

static void check_prefixes(const struct check *k, enum ck_setting which) {
  const char *prefix;
  for (int i = 0; (prefix = ck_set_word(k->s, which, i)); ++i) {
    struct ck_url u;
    struct ck_err err;
    if (ck_url_parse(&u, prefix) || u.user || u.query) {
      ck_fail(&err, "not an http or https address without user and query: %s", prefix);
      stops(k, which, &err);
    }
    ck_url_free(&u);
  }
}

static void check_renewal(const struct check *k) {
  struct ck_err err;
  check_prefixes(k, CK_SET_RENEW_WEBHOOK_ALLOW);
  check_prefixes(k, CK_SET_RENEW_WEBHOOK_IDEMPOTENT);
  if (ck_trim(ck_str_of(ck_set_text(k->s, CK_SET_RENEW_PAYLOAD))).n) return;
  ck_fail(&err, "must not be blank");
  stops(k, CK_SET_RENEW_PAYLOAD, &err);
}

/* ---- all ---- */

void ck_check_settings(const struct ck_settings *s, unsigned which, ck_wrong_fn *wrong,
                       void *self) {
  const struct check k = {s, wrong, self};
  check_doors(&k, which);
  if (which & CK_CHECK_SYNCD) check_mirror(&k);
  if (which & CK_CHECK_RENEWD) check_renewal(&k);
}

struct start {
  const struct ck_settings *s;
  struct ck_err *err;
  bool stopped;
};

static void at_start(void *self, enum ck_setting which, bool starts, const char *why) {
  struct start *t = self;
  struct ck_setting_view v;
  if (starts || t->stopped) return;
  t->stopped = true;
  ck_settings_view(t->s, (int)which, &v);
  if (strncmp(why, v.name, strlen(v.name)) == 0)
    ck_fail(t->err, "%s", why);
  else
    ck_fail(t->err, "%s: %s", v.name, why);
}

int ck_check_start(const struct ck_settings *s, const char *program, struct ck_err *err) {
  struct start t = {s, err, false};
  ck_check_settings(s, ck_check_program(program), at_start, &t);
  return t.stopped ? -1 : 0;
}
