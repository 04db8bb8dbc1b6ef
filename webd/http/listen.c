/* The listening socket, and new connections. */
#include "webd/http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"

#define BACKLOG 1024
#define ACCEPTS_A_TURN 64

static int bound(const struct web_http *h) {
  int one = 1;
  int fd = socket(h->at.at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (const struct sockaddr *)&h->at.at, h->at.at_n) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}

static unsigned port_of(int fd) {
  struct sockaddr_storage at;
  socklen_t n = sizeof at;
  if (getsockname(fd, (struct sockaddr *)&at, &n)) return 0;
  return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                        : ((struct sockaddr_in *)&at)->sin_port);
}

/* For `convkeep open`, and for people. */
static void note_address(const struct web_http *h) {
  static const char new[] = CK_PLACE_WEB_ADDRESS ".new";
  struct ck_err err;
  char line[300];
  int n = snprintf(line, sizeof line, "%s\n", web_names_address(h->names));
  int fd = ck_open_file(AT_FDCWD, new, O_WRONLY | O_CREAT | O_TRUNC, &err);
  bool ok = fd >= 0 && ck_write_all(fd, (struct ck_str){line, (size_t)n}) == 0;
  if (fd >= 0) close(fd);
  if (ok && rename(new, CK_PLACE_WEB_ADDRESS) == 0) return;
  ck_log(CK_WARN, "-", "address_not_noted", "reason=%s", ck_quotedz(strerror(errno)));
  unlink(new);
}

int web_listen(struct web_http *h) {
  h->listener = bound(h);
  if (h->listener < 0) {
    char why[sizeof h->trouble];
    snprintf(why, sizeof why, "%s: %s; set web.listen to another address",
             ck_set_text(h->settings, CK_SET_WEB_LISTEN), strerror(errno));
    if (strcmp(why, h->trouble) != 0)
      ck_log(CK_ERROR, "-", "not_listening", "reason=%s", ck_quotedz(why));
    memcpy(h->trouble, why, sizeof why);
    return -1;
  }
  h->trouble[0] = '\0';
  web_names_free(&h->names);
  h->names = web_names_new(&h->at, port_of(h->listener));
  note_address(h);
  ck_log(CK_INFO, "-", "listening", "address=%s", web_names_address(h->names));
  return 0;
}

/* Told in so many words, but not waited for. */
static void turn_away(struct web_http *h, int fd) {
  static const char body[] =
      "{\"error\":\"connections\",\"reason\":\"there are web.connections already\"}\n";
  char answer[400];
  int n = snprintf(answer, sizeof answer,
                   "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                   "Retry-After: 1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                   sizeof body - 1, body);
  ssize_t sent = send(fd, answer, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent;
  web_count_refusal(h, WEB_REFUSED_CONNECTIONS);
  shutdown(fd, SHUT_WR);
  close(fd);
}

/* accept4 makes a socket before it finds that nobody waits, so asking first is cheaper: there is a
 * turn for every few requests. */
static bool someone_waits(const struct web_http *h) {
  struct pollfd listener = {.fd = h->listener, .events = POLLIN};
  return poll(&listener, 1, 0) > 0;
}

void web_accept(struct web_http *h) {
  if (!someone_waits(h)) return;
  for (int i = 0; i < ACCEPTS_A_TURN; ++i) {
    struct sockaddr_storage from;
    socklen_t n = sizeof from;
    int one = 1;
    int fd = accept4(h->listener, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    ++h->counts.connections;
    if (h->counts.open >= h->most) {
      turn_away(h, fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* It closes the descriptor if it fails. */
    h->adding = true;
    if (MHD_add_connection(h->daemon, fd, (struct sockaddr *)&from, n) != MHD_YES)
      web_count_refusal(h, WEB_REFUSED_CONNECTIONS);
    h->adding = false;
  }
  h->again = true;
}
