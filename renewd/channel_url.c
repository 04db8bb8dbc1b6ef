/* Which addresses a webhook may reach. Targets come in with observations, so only addresses that
 * the settings allow are reached. They are parsed by libcurl, because it is libcurl that goes
 * there. */
#include "renewd/channel.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

struct address {
  CURLU *u;
  char *scheme, *host, *zone, *port, *path, *query;
};

static void address_free(struct address *a) {
  curl_free(a->scheme);
  curl_free(a->host);
  curl_free(a->zone);
  curl_free(a->port);
  curl_free(a->path);
  curl_free(a->query);
  curl_url_cleanup(a->u);
}

/* 0; or -1 when it is not an http or https address, or names a user. Either way the caller frees
 * a. */
static int address_parse(struct address *a, const char *url) {
  memset(a, 0, sizeof *a);
  a->u = curl_url();
  if (!a->u || strchr(url, '\\') ||
      curl_url_set(a->u, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK)
    return -1;
  curl_url_get(a->u, CURLUPART_SCHEME, &a->scheme, 0);
  curl_url_get(a->u, CURLUPART_HOST, &a->host, 0);
  curl_url_get(a->u, CURLUPART_ZONEID, &a->zone, 0);
  curl_url_get(a->u, CURLUPART_PORT, &a->port, CURLU_DEFAULT_PORT);
  curl_url_get(a->u, CURLUPART_PATH, &a->path, 0);
  curl_url_get(a->u, CURLUPART_QUERY, &a->query, 0);
  if (!a->scheme || !a->host || !a->port || !a->path) return -1;
  return strcmp(a->scheme, "http") == 0 || strcmp(a->scheme, "https") == 0 ? 0 : -1;
}

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

static bool same_zone(const struct address *a, const struct address *b) {
  return a->zone && b->zone ? strcmp(a->zone, b->zone) == 0 : a->zone == b->zone;
}

static bool below(const struct address *prefix, const struct address *a) {
  return strcmp(prefix->scheme, a->scheme) == 0 && strcasecmp(prefix->host, a->host) == 0 &&
         same_zone(prefix, a) && strcmp(prefix->port, a->port) == 0 &&
         path_below(prefix->path, a->path);
}

bool renew_url_below(const char *prefix, const char *url) {
  struct address p, a;
  int bad = address_parse(&p, prefix);
  bool is = !address_parse(&a, url) && !bad && below(&p, &a);
  address_free(&p);
  address_free(&a);
  return is;
}

bool renew_url_allowed(const struct ck_settings *s, enum ck_setting prefixes, const char *url) {
  const char *prefix;
  for (int i = 0; (prefix = ck_set_word(s, prefixes, i)); i++)
    if (renew_url_below(prefix, url)) return true;
  return false;
}

int renew_url_check(const struct ck_settings *s, enum ck_setting prefixes, struct ck_err *err) {
  const char *prefix;
  for (int i = 0; (prefix = ck_set_word(s, prefixes, i)); i++) {
    struct address p;
    bool bad = address_parse(&p, prefix) || p.query;
    address_free(&p);
    if (bad)
      return ck_fail(err, "%s: not an http or https address without user and query: %s",
                     prefixes == CK_SET_RENEW_WEBHOOK_ALLOW ? "renew.webhook.allow"
                                                            : "renew.webhook.idempotent",
                     prefix);
  }
  return 0;
}
