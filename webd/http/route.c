/* Which route a path has, and which arguments. */
#include "webd/http/internal.h"

const char *const web_method_names[WEB_METHODS] = {"GET", "POST"};

/* Takes the next part of a route's path. */
static struct ck_str next_part(const char **at) {
  const char *s = *at + 1;
  size_t n = strcspn(s, "/");
  *at = s + n;
  return (struct ck_str){s, n};
}

/* A browser resolves a part that is "." or "..", however it is encoded; so these two have a "~"
 * before them, and one more, what would look like that. */
static struct ck_str unguarded(struct ck_str part) {
  size_t n = 0;
  while (n < part.n && part.s[n] == '~') ++n;
  struct ck_str rest = {part.s + n, part.n - n};
  if (n && (ck_str_is(rest, ".") || ck_str_is(rest, "..")))
    return (struct ck_str){part.s + 1, part.n - 1};
  return part;
}

static bool fits(const char *pattern, struct web_request *r) {
  int i = 0, n = 0;
  for (; *pattern && i < r->path_n; ++i) {
    struct ck_str want = next_part(&pattern), have = r->path[i];
    bool any = want.n && want.s[0] == '{';
    if (any ? have.n == 0 : !ck_str_eq(want, have)) return false;
    if (any) r->parts[n++] = unguarded(have);
  }
  return !*pattern && i == r->path_n;
}

const struct web_route *web_route_find(const struct web_http *h, struct web_request *r,
                                       unsigned *methods) {
  *methods = 0;
  for (const struct web_route *const *table = h->ops.routes; *table; ++table)
    for (const struct web_route *route = *table; route->path; ++route) {
      if (!fits(route->path, r)) continue;
      *methods |= 1u << route->method;
      if (route->method == r->method) return route;
    }
  return NULL;
}

/* ---- arguments ---- */

struct known {
  const char *names, *unknown;
};

static bool is_among(const char *names, const char *name) {
  size_t n = strlen(name);
  for (const char *at = names; *at; at += strcspn(at, " "), at += *at == ' ')
    if (strncmp(at, name, n) == 0 && strcspn(at, " ") == n) return true;
  return false;
}

static bool check_name(void *self, const char *name, const char *value) {
  struct known *k = self;
  (void)value;
  if (is_among(k->names, name)) return true;
  k->unknown = name;
  return false;
}

bool web_args_known(struct web_request *r, const char *names) {
  struct known k = {names, NULL};
  if (web_args(r, check_name, &k)) return true;
  web_refuse(r, WEB_REFUSED_ARGUMENT, "%.100s: there is no such argument here; there %s %s",
             k.unknown, *names ? "are" : "is", *names ? names : "none");
  return false;
}
