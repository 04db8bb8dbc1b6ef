/* What is known of a request when its head has come: whether it may be, whose it is, and which
 * route it has. */
#include "webd/http/internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/clock.h"

/* ---- the parts of the path, and the arguments ---- */

static int hex_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False: a "%" that is not followed by two digits, NUL, or no UTF-8. */
static bool decode(struct ck_buf *b, struct ck_str s, bool plus) {
  for (size_t i = 0; i < s.n; ++i) {
    char c = s.s[i];
    if (c == '%') {
      int high = i + 2 < s.n ? hex_of(s.s[i + 1]) : -1, low = high < 0 ? -1 : hex_of(s.s[i + 2]);
      if (low < 0) return false;
      c = (char)(high * 16 + low);
      i += 2;
    } else if (plus && c == '+') {
      c = ' ';
    }
    if (c == '\0') return false;
    ck_buf_add(b, &c, 1);
  }
  return ck_utf8_ok(ck_buf_view(b));
}

static bool take_path(struct web_request *r, const char *path) {
  if (!path || *path != '/') return false;
  while (*path == '/') {
    struct ck_buf part = {0};
    size_t n = strcspn(++path, "/");
    bool ok = r->path_n < WEB_PARTS && decode(&part, (struct ck_str){path, n}, false);
    if (ok) r->path[r->path_n++] = ck_arena_copy(&r->texts, ck_buf_view(&part));
    ck_buf_free(&part);
    if (!ok) return false;
    path += n;
  }
  return true;
}

/* libmicrohttpd has decoded them. */
static enum MHD_Result check_argument(void *cls, enum MHD_ValueKind kind, const char *name,
                                      size_t name_n, const char *value, size_t value_n) {
  bool *ok = cls;
  (void)kind;
  *ok = strlen(name) == name_n && ck_utf8_ok((struct ck_str){name, name_n}) &&
        (!value || (strlen(value) == value_n && ck_utf8_ok((struct ck_str){value, value_n})));
  return *ok ? MHD_YES : MHD_NO;
}

static bool arguments_ok(const struct web_request *r) {
  bool ok = true;
  MHD_get_connection_values_n(r->mhd, MHD_GET_ARGUMENT_KIND, check_argument, &ok);
  return ok;
}

/* ---- headers ---- */

struct single {
  const char *name, *value;
  int n;
};

static enum MHD_Result count(void *cls, enum MHD_ValueKind kind, const char *name,
                             const char *value) {
  struct single *s = cls;
  (void)kind;
  if (strcasecmp(name, s->name) != 0) return MHD_YES;
  s->value = value;
  ++s->n;
  return MHD_YES;
}

/* How often it is there; *value: of the last. */
static int header_count(const struct web_request *r, const char *name, struct ck_str *value) {
  struct single s = {name, NULL, 0};
  MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, count, &s);
  *value = ck_str_of(s.value);
  return s.n;
}

/* ---- whose it is ---- */

/* One for each port: a browser has one jar for all of them. */
void web_session_cookie(const struct web_request *r, char name[WEB_COOKIE_NAME]) {
  const struct web_http *h = r->http;
  if (h->at.proxy) {
    snprintf(name, WEB_COOKIE_NAME, "__Host-convkeep");
    return;
  }
  const char *port = strrchr(web_names_address(h->names), ':');
  snprintf(name, WEB_COOKIE_NAME, "convkeep-%s", port ? port + 1 : "");
}

static void find_whose(struct web_request *r) {
  static const char bearer[] = "Bearer ";
  struct web_http *h = r->http;
  const char *given = web_header(r, "Authorization");
  char name[WEB_COOKIE_NAME];
  web_access_glance(h->access);
  if (given && strncasecmp(given, bearer, sizeof bearer - 1) == 0) {
    struct ck_str secret = ck_trim(ck_str_of(given + sizeof bearer - 1));
    web_access_token(h->access, secret, ck_now_ms(), &r->who);
    return;
  }
  web_session_cookie(r, name);
  const char *cookie = MHD_lookup_connection_value(r->mhd, MHD_COOKIE_KIND, name);
  if (!cookie || strlen(cookie) >= sizeof r->cookie) return;
  if (!web_access_session(h->access, ck_str_of(cookie), ck_now_ms(), &r->who)) return;
  snprintf(r->cookie, sizeof r->cookie, "%s", cookie);
}

static bool is_extension(struct ck_str origin) {
  return ck_str_starts(origin, "chrome-extension://") ||
         ck_str_starts(origin, "moz-extension://") ||
         ck_str_starts(origin, "safari-web-extension://");
}

/* ---- may it be? Each of these refuses it, and returns false, if not. ---- */

static bool host_ok(struct web_request *r) {
  struct ck_str host;
  int n = header_count(r, "Host", &host);
  if (n == 1 && web_names_host(r->http->names, host)) return true;
  web_refuse(r, WEB_REFUSED_HOST, "Host must be %s",
             strstr(web_names_address(r->http->names), "//") + 2);
  return false;
}

static bool origin_ok(struct web_request *r) {
  struct ck_str origin;
  int n = header_count(r, "Origin", &origin);
  struct web_http *h = r->http;
  if (n == 0) return true;
  if (n == 1 && web_names_origin(h->names, origin)) return true;
  r->extension = n == 1 && web_access_paired(h->access, origin);
  r->pairing = n == 1 && is_extension(origin) && web_access_pairing(h->access, ck_now_ms()) &&
               r->path_n == 2 && ck_str_is(r->path[0], "v1") && ck_str_is(r->path[1], "pair");
  if (r->extension || r->pairing) return true;
  web_refuse(r, WEB_REFUSED_ORIGIN,
             "this page may not ask here; an extension is paired with convkeep browser pair");
  return false;
}

static void answer_preflight(struct web_request *r) {
  struct ck_buf none = {0};
  web_answer_header(r, "Access-Control-Allow-Methods", "GET, POST");
  web_answer_header(r, "Access-Control-Allow-Headers",
                    "Authorization, Content-Type, Last-Event-ID");
  web_answer_header(r, "Access-Control-Allow-Private-Network", "true");
  web_answer_header(r, "Access-Control-Max-Age", "600");
  web_answer(r, MHD_HTTP_NO_CONTENT, NULL, &none);
}

static bool method_of(struct web_request *r, const char *method) {
  r->head_only = strcmp(method, "HEAD") == 0;
  if (r->head_only) method = "GET";
  for (int i = 0; i < WEB_METHODS; ++i)
    if (strcmp(method, web_method_names[i]) == 0) {
      r->method = (enum web_method)i;
      return true;
    }
  return false;
}

static bool route_ok(struct web_request *r, const char *method) {
  unsigned methods = 0;
  struct ck_buf allowed = {0};
  bool known = method_of(r, method);
  r->route = web_route_find(r->http, r, &methods);
  if (!known || (r->route && r->head_only && r->route->flags & WEB_NO_HEAD)) r->route = NULL;
  if (r->route) return true;
  for (int i = 0; i < WEB_METHODS; ++i)
    if (methods & 1u << i)
      ck_buf_printf(&allowed, "%s%s", allowed.len ? ", " : "", web_method_names[i]);
  if (methods) {
    web_answer_header(r, "Allow", ck_buf_cstr(&allowed));
    web_refuse(r, WEB_REFUSED_METHOD, "this path has %s", ck_buf_cstr(&allowed));
  } else {
    web_refuse(r, WEB_REFUSED_PATH, "there is nothing here");
  }
  ck_buf_free(&allowed);
  return false;
}

static bool scope_ok(struct web_request *r) {
  const char *trouble = web_access_trouble(r->http->access);
  if (r->route->flags & WEB_OPEN || r->who.scopes & r->route->scopes) return true;
  if (trouble) {
    web_refuse(r, WEB_REFUSED_FAILED, "%s", trouble);
    return false;
  }
  if (r->who.scopes == 0) {
    web_answer_header(r, "WWW-Authenticate", "Bearer");
    web_refuse(r, WEB_REFUSED_TOKEN, "%s",
               web_wants_page(r) ? "not signed in: convkeep open gives a link that signs in"
                                 : "convkeep web token add NAME --scope … makes a token");
    return false;
  }
  struct ck_buf words = {0};
  ck_scopes_text(&words, r->route->scopes);
  web_refuse(r, WEB_REFUSED_SCOPE, "the token %s has none of the scopes %s", r->who.name,
             ck_buf_cstr(&words));
  ck_buf_free(&words);
  return false;
}

static bool rate_ok(struct web_request *r) {
  struct ck_str name = r->who.scopes ? ck_str_of(r->who.hash) : CK_LIT("-");
  if (web_rate_take(r->http->rate, name, ck_boot_ms())) return true;
  web_refuse_for(r, WEB_REFUSED_RATE, 1, "more than %lld requests in a second (web.rate)",
                 (long long)ck_set_int(r->http->settings, CK_SET_WEB_RATE));
  return false;
}

static bool body_ok(struct web_request *r) {
  const char *length = web_header(r, "Content-Length");
  unsigned long long n = length ? strtoull(length, NULL, 10) : 0;
  if (n <= r->route->body) return true;
  web_refuse(r, WEB_REFUSED_BODY, "the body has %llu bytes; at most %zu are taken", n,
             r->route->body);
  return false;
}

static void look(struct web_request *r, const char *method) {
  bool path = take_path(r, r->on->path);
  const char *accept = web_header(r, "Accept");
  r->for_page =
      accept && strstr(accept, "text/html") && !(r->path_n > 0 && ck_str_is(r->path[0], "v1"));
  find_whose(r);
  if (!host_ok(r) || !origin_ok(r)) return;
  if (!path || !arguments_ok(r)) {
    web_refuse(r, WEB_REFUSED_SYNTAX, "the path and its arguments must be UTF-8 without NUL");
    return;
  }
  if (strcmp(method, "OPTIONS") == 0 && (r->extension || r->pairing)) {
    answer_preflight(r);
    return;
  }
  if (route_ok(r, method) && scope_ok(r) && rate_ok(r)) body_ok(r);
}

struct web_request *web_request_new(struct web_http *h, struct MHD_Connection *c,
                                    const char *method) {
  struct web_request *r = ck_zalloc(sizeof *r);
  r->http = h;
  r->mhd = c;
  r->on = web_connection_of(c);
  r->on->request = r;
  r->begun = ck_mono_us();
  look(r, method);
  r->handled = r->reply.response != NULL;
  return r;
}

void web_request_free(struct web_request *r) {
  r->http->counts.bodies -= r->counted;
  r->on->request = NULL;
  for (struct header *next; r->headers; r->headers = next) {
    next = r->headers->next;
    free(r->headers->name);
    free(r->headers->value);
    free(r->headers);
  }
  if (r->reply.response) MHD_destroy_response(r->reply.response); /* it never went out */
  explicit_bzero(r->cookie, sizeof r->cookie);
  if (r->free_kept) r->free_kept(r->kept);
  web_upload_free(r);
  ck_buf_free(&r->body);
  ck_arena_free(&r->texts);
  free(r);
}

void web_request_forget_path(struct web_request *r) {
  ck_arena_free(&r->texts);
  memset(r->parts, 0, sizeof r->parts);
  r->path_n = 0;
}

/* ---- what handlers ask ---- */

enum web_method web_method(const struct web_request *r) { return r->method; }

struct ck_str web_part(const struct web_request *r, int n) {
  return r->parts[n];
}
const char *web_arg(const struct web_request *r, const char *name) {
  return MHD_lookup_connection_value(r->mhd, MHD_GET_ARGUMENT_KIND, name);
}
const char *web_header(const struct web_request *r, const char *name) {
  return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}
struct ck_str web_body(const struct web_request *r) {
  return ck_buf_view(&r->body);
}
const struct web_who *web_whose(const struct web_request *r) { return &r->who; }
struct ck_str web_cookie(const struct web_request *r) {
  return ck_str_of(r->cookie);
}
const char *web_path(const struct web_request *r) { return r->on->path; }
bool web_wants_page(const struct web_request *r) { return r->for_page; }

struct ck_str web_origin(const struct web_request *r) {
  return ck_str_of(web_header(r, "Origin"));
}

struct arguments {
  bool (*each)(void *self, const char *name, const char *value);
  void *self;
  bool ok;
};

static enum MHD_Result each_argument(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value) {
  struct arguments *a = cls;
  (void)kind;
  a->ok = a->each(a->self, name, value ? value : "");
  return a->ok ? MHD_YES : MHD_NO;
}

bool web_args(const struct web_request *r,
              bool (*each)(void *self, const char *name, const char *value), void *self) {
  struct arguments a = {each, self, true};
  MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, each_argument, &a);
  return a.ok;
}

char *web_field(const struct web_request *r, const char *name) {
  struct ck_str rest = web_body(r);
  while (rest.n) {
    const char *end = memchr(rest.s, '&', rest.n);
    struct ck_str pair = {rest.s, end ? (size_t)(end - rest.s) : rest.n};
    const char *equals = memchr(pair.s, '=', pair.n);
    size_t n = equals ? (size_t)(equals - pair.s) : pair.n;
    struct ck_buf key = {0}, value = {0};
    struct ck_str after = {equals ? equals + 1 : pair.s + pair.n, equals ? pair.n - n - 1 : 0};
    bool fits = decode(&key, (struct ck_str){pair.s, n}, true) &&
                ck_str_is(ck_buf_view(&key), name) && decode(&value, after, true);
    char *found = fits ? ck_str_dup(ck_buf_view(&value)) : NULL;
    ck_buf_free(&key);
    ck_buf_free(&value);
    if (found) return found;
    rest.n -= pair.n + (end != NULL);
    rest.s += pair.n + (end != NULL);
  }
  return NULL;
}

bool web_form_fits(const struct web_request *r) {
  char wanted[CK_SHA256_HEX + 1];
  if (r->method == WEB_GET || !r->cookie[0] || r->route->flags & WEB_NO_FORM) return true;
  web_form_secret(wanted, web_cookie(r));
  const char *header = web_header(r, WEB_FORM_HEADER);
  if (header) return web_same_secret(ck_str_of(header), ck_str_of(wanted));
  if (r->route->flags & WEB_UPLOAD) return web_same_secret(web_upload_secret(r), ck_str_of(wanted));
  char *field = web_field(r, WEB_FORM_FIELD);
  bool fits = web_same_secret(ck_str_of(field), ck_str_of(wanted));
  free(field);
  return fits;
}
