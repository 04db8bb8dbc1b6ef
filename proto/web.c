/* See web.h. */
#include "proto/web.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "proto/check.h"
#include "proto/loopback.h"

#define HTTPS "https://"

/* "HOST:PORT", "[HOST]:PORT". The port: 0 to 65535; -1: there is none. */
static int split(const char *text, char host[INET6_ADDRSTRLEN + 1]) {
  const char *colon = strrchr(text, ':');
  size_t n = colon ? (size_t)(colon - text) : 0;
  if (!colon || n == 0) return -1;
  if (*text == '[' && text[n - 1] == ']') ++text, n -= 2;
  if (n > INET6_ADDRSTRLEN || strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1] ||
      strlen(colon + 1) > 5)
    return -1;
  memcpy(host, text, n);
  host[n] = '\0';
  int port = atoi(colon + 1);
  return port <= 65535 ? port : -1;
}

static int read_address(struct ck_web *w, const char *text, struct ck_err *err) {
  char host[INET6_ADDRSTRLEN + 1];
  struct sockaddr_in *v4 = (struct sockaddr_in *)&w->at;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&w->at;
  int port = split(text, host);
  bool is_name = port >= 0 && strcasecmp(host, "localhost") == 0;
  if (is_name) strcpy(host, "127.0.0.1");
  if (port >= 0 && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    w->at_n = sizeof *v4;
  } else if (port >= 0 && *text == '[' && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    w->at_n = sizeof *v6;
  } else {
    return ck_fail(err, "no address and port, as 127.0.0.1:7411 or [::1]:7411: %.100s", text);
  }
  w->loopback = ck_is_loopback(ck_str_of(host));
  return 0;
}

static int read_proxy(struct ck_web *w, const char *text, struct ck_err *err) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-:";
  size_t n = strlen(HTTPS);
  w->proxy = NULL;
  if (!*text) return 0;
  if (strncmp(text, HTTPS, n) != 0 || !text[n] || strspn(text + n, allowed) != strlen(text + n))
    return ck_fail(err, "must be https://NAME, in small letters and without a path: %.100s", text);
  w->proxy = text + n;
  return 0;
}

int ck_web_read(struct ck_web *w, const struct ck_settings *s, enum ck_setting *which,
                struct ck_err *err) {
  memset(w, 0, sizeof *w);
  *which = CK_SET_WEB_BEHIND_PROXY;
  if (read_proxy(w, ck_set_text(s, CK_SET_WEB_BEHIND_PROXY), err)) return -1;
  *which = CK_SET_WEB_LISTEN;
  if (read_address(w, ck_set_text(s, CK_SET_WEB_LISTEN), err)) return -1;
  bool published = strcmp(ck_set_text(s, CK_SET_WEB_PUBLISHED_ON_LOOPBACK), "on") == 0;
  if (w->loopback || w->proxy || published) return 0;
  return ck_fail(err, "others would reach it without TLS: name the proxy in front of it with "
                      "web.behind_proxy, or listen on 127.0.0.1");
}

void ck_check_web(const struct ck_check *k) {
  struct ck_web w;
  struct ck_err err;
  enum ck_setting which;
  if (ck_web_read(&w, k->s, &which, &err)) ck_check_stops(k, which, &err);
}
