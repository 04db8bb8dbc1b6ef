/* Which addresses a webhook may reach. Targets come in with observations, so only addresses that
 * the settings allow are reached. They are parsed by libcurl, because it is libcurl that goes
 * there. */
#include "renewd/channel.h"

#include <string.h>
#include <strings.h>

#include "proto/url.h"

/* True for what every server and proxy reads alike. Some decode a second time, drop what follows a
 * semicolon, end a path at %00, or take a backslash for a slash: with these, a path below the
 * prefix can lead elsewhere. So there is a list of what is allowed: unreserved characters, those
 * that mean nothing in a path, and no name of nothing or of dots alone. */
static bool is_plain(const char *path) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~:@=,+!";
  for (const char *p = path; *p; p++) {
    if (*p != '/') return false;
    size_t n = strspn(p + 1, plain), dots = strspn(p + 1, ".");
    bool last = p[1 + n] == '\0';
    if ((n == 0 && !last) || (n && dots == n)) return false;
    p += n;
  }
  return true;
}

/* What follows the prefix's path came with an observation; the prefix itself is a setting. */
static bool path_below(const char *prefix, const char *path) {
  size_t n = strlen(prefix);
  while (n && prefix[n - 1] == '/') n--;
  return strncmp(prefix, path, n) == 0 && is_plain(path + n);
}

static bool same_zone(const struct ck_url *a, const struct ck_url *b) {
  return a->zone && b->zone ? strcmp(a->zone, b->zone) == 0 : a->zone == b->zone;
}

static bool below(const struct ck_url *prefix, const struct ck_url *a) {
  return !prefix->user && !a->user && strcmp(prefix->scheme, a->scheme) == 0 &&
         strcasecmp(prefix->host, a->host) == 0 && same_zone(prefix, a) &&
         strcmp(prefix->port, a->port) == 0 && path_below(prefix->path, a->path);
}

static bool is_below(const char *prefix, const struct ck_url *a) {
  struct ck_url p;
  bool is = !ck_url_parse(&p, prefix) && below(&p, a);
  ck_url_free(&p);
  return is;
}

bool renew_url_below(const char *prefix, const char *url) {
  struct ck_url a;
  bool is = !ck_url_parse(&a, url) && is_below(prefix, &a);
  ck_url_free(&a);
  return is;
}

bool renew_url_allowed(const struct ck_settings *s, enum ck_setting prefixes, const char *url) {
  struct ck_url a;
  const char *prefix = ck_set_word(s, prefixes, 0);
  if (!prefix) return false;
  bool bad = ck_url_parse(&a, url), is = false;
  for (int i = 0; !bad && !is && (prefix = ck_set_word(s, prefixes, i)); i++)
    is = is_below(prefix, &a);
  ck_url_free(&a);
  return is;
}
