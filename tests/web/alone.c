/* See alone.h. */
#include "tests/web/alone.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/web/client.h"

static struct {
  struct web_access *access;
  struct web_http *http;
  int64_t later; /* ms that its clock is ahead */
} alone;

static int64_t clock_ahead(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + alone.later;
}

static void page(struct ck_buf *b, const struct web_request *r, unsigned status, const char *word,
                 const char *reason) {
  (void)r;
  ck_buf_printf(b, "%u %s %s", status, word, reason);
}

const char *alone_begin(const struct web_route *routes) {
  static const struct web_route *all[2];
  static struct web_http_ops ops;
  struct ck_err err;
  memset(&alone, 0, sizeof alone);
  ck_clock_replace(NULL, clock_ahead);
  const char *token = t_token("reader", "read");
  all[0] = routes;
  ops = (struct web_http_ops){NULL, all, page, NULL, NULL};
  alone.access = web_access_new();
  alone.http = web_http_new(t_settings(), &ops, alone.access, &err);
  T_CHECK(alone.http, "%s", err.text);
  return token;
}

void alone_end(void) {
  web_http_free(&alone.http);
  web_access_free(&alone.access);
  ck_clock_replace(NULL, NULL);
}

struct web_http *alone_http(void) {
  return alone.http;
}

void alone_run(void) {
  do web_http_step(alone.http);
  while (web_http_again(alone.http));
}

void alone_later(int ms) { alone.later += ms; }

const char *alone_host(void) {
  return strstr(web_names_address(web_http_names(alone.http)), "//") + 2;
}

int alone_connect(void) {
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)atoi(strchr(alone_host(), ':') + 1)),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0, "no connection");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}
