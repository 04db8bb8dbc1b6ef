/* The mirror; see check.h. */
#include "proto/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/loopback.h"
#include "proto/places.h"
#include "proto/url.h"

int ck_check_is_set(const struct ck_settings *s, enum ck_setting which, const char *sink,
                    struct ck_err *err) {
  struct ck_setting_view v;
  if (*ck_set_text(s, which)) return 0;
  ck_settings_view(s, (int)which, &v);
  return ck_fail(err,
                 "%s is not set: it belongs in convkeep.conf, because sync.sinks has %s;"
                 " then start the ring again",
                 v.name, sink);
}

static void check_is_set(const struct ck_check *k, enum ck_setting which, const char *sink) {
  struct ck_err err;
  if (ck_check_is_set(k->s, which, sink, &err)) ck_check_waits(k, which, &err);
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

static void check_d1(const struct ck_check *k) {
  struct ck_err err;
  bool clear;
  check_is_set(k, CK_SET_D1_ACCOUNT, "d1");
  check_is_set(k, CK_SET_D1_DATABASE, "d1");
  if (ck_check_d1_endpoint(k->s, &clear, &err)) ck_check_stops(k, CK_SET_D1_ENDPOINT, &err);
  char *token = ck_settings_d1_token(k->s, &err);
  if (!token) ck_check_waits(k, CK_SET_D1_TOKEN_FILE, &err);
  wipe(token);
}

static void check_postgres(const struct ck_check *k) {
  struct ck_err err;
  check_is_set(k, CK_SET_POSTGRES_HOST, "postgres");
  check_is_set(k, CK_SET_POSTGRES_DATABASE, "postgres");
  check_is_set(k, CK_SET_POSTGRES_USER, "postgres");
  char *password = ck_settings_postgres_password(k->s, &err);
  if (!password) ck_check_waits(k, CK_SET_POSTGRES_PASSWORD_FILE, &err);
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
  if (same_file(file, CK_PLACE_SEARCH) || strcmp(file, CK_PLACE_SEARCH) == 0)
    return ck_fail(err, "%s: is the index of the search; name another file", file);
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

void ck_check_mirror(const struct ck_check *k) {
  struct ck_err err;
  if (ck_settings_has_sink(k->s, "d1")) check_d1(k);
  if (ck_settings_has_sink(k->s, "postgres")) check_postgres(k);
  if (ck_settings_has_sink(k->s, "sqlite") && ck_check_sqlite_file(k->s, &err))
    ck_check_stops(k, CK_SET_SYNC_SQLITE_FILE, &err);
}
