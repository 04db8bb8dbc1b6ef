/* The names by which the server may be called. */
#include "webd/guard/guard.h"

#include <stdlib.h>
#include <strings.h>

#define NAMES 4

struct web_names {
  char *hosts[NAMES]; /* as in Host: NAME or NAME:PORT */
  int n;
  char *proxy_origin; /* https://NAME; NULL: there is no proxy */
  char *address;
};

struct web_names *web_names_new(const struct ck_web *at, unsigned port) {
  static const char *const local[] = {"127.0.0.1", "localhost", "[::1]"};
  struct web_names *n = ck_zalloc(sizeof *n);
  for (size_t i = 0; i < sizeof local / sizeof *local; ++i)
    n->hosts[n->n++] = ck_sprintf("%s:%u", local[i], port);
  if (at->proxy) n->hosts[n->n++] = ck_strdup(at->proxy);
  if (at->proxy) n->proxy_origin = ck_sprintf("https://%s", at->proxy);
  n->address = at->proxy ? ck_strdup(n->proxy_origin)
                         : ck_sprintf("http://%s", n->hosts[at->at.ss_family == AF_INET6 ? 2 : 0]);
  return n;
}

void web_names_free(struct web_names **names) {
  struct web_names *n = *names;
  if (!n) return;
  for (int i = 0; i < n->n; ++i) free(n->hosts[i]);
  free(n->proxy_origin);
  free(n->address);
  free(n);
  *names = NULL;
}

static bool is(struct ck_str a, const char *b) {
  return a.n == strlen(b) && strncasecmp(a.s, b, a.n) == 0;
}

bool web_names_host(const struct web_names *n, struct ck_str host) {
  for (int i = 0; i < n->n; ++i)
    if (is(host, n->hosts[i])) return true;
  return false;
}

bool web_names_origin(const struct web_names *n, struct ck_str origin) {
  static const char http[] = "http://";
  size_t k = sizeof http - 1;
  if (n->proxy_origin && is(origin, n->proxy_origin)) return true;
  if (!ck_str_starts(origin, http)) return false;
  struct ck_str host = {origin.s + k, origin.n - k};
  return web_names_host(n, host) && !(n->proxy_origin && is(host, n->hosts[n->n - 1]));
}

const char *web_names_address(const struct web_names *n) { return n->address; }
