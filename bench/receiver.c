/* See receiver.h. */
#include "bench/receiver.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/common.h"

#define REQUEST_MAX 8192
#define EVENTS 64

struct came {
  int64_t at;
  size_t number;
};

struct connection {
  int fd;
  size_t len;
  char request[REQUEST_MAX];
};

struct bench_receiver {
  int listener, epoll, port;
  pthread_t thread;
  _Atomic bool stop;
  _Atomic size_t count;
  size_t most;
  struct came *came;
};

static int64_t wall_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void note(struct bench_receiver *r, const char *request) {
  size_t n = atomic_load(&r->count);
  if (n == r->most) bench_fail("more than %zu requests came", n);
  const char *end = strstr(request, " HTTP/");
  const char *mark = end ? memchr(request, '?', (size_t)(end - request)) : NULL;
  if (!mark) bench_fail("a request without a number came");
  r->came[n] = (struct came){wall_us(), strtoul(mark + 1, NULL, 10)};
  atomic_store(&r->count, n + 1);
}

/* The length of the request that the connection has whole; 0: not yet. */
static size_t whole(const struct connection *c) {
  const char *body = strstr(c->request, "\r\n\r\n");
  const char *length = strcasestr(c->request, "\r\nContent-Length:");
  if (!body || !length || length > body) return 0;
  size_t n = (size_t)(body + 4 - c->request) + strtoul(length + 17, NULL, 10);
  return n <= c->len ? n : 0;
}

static void answer(struct bench_receiver *r, struct connection *c) {
  static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  size_t n = whole(c);
  if (!n) return;
  note(r, c->request);
  if (send(c->fd, text, sizeof text - 1, MSG_NOSIGNAL) != (ssize_t)sizeof text - 1)
    bench_fail("an answer could not be sent");
  c->len -= n;
  memmove(c->request, c->request + n, c->len + 1);
}

/* A process that is being started may have its descriptor for a moment, and closing would not take
 * it out then. */
static void shut(struct bench_receiver *r, struct connection *c) {
  epoll_ctl(r->epoll, EPOLL_CTL_DEL, c->fd, NULL);
  close(c->fd);
  free(c);
}

static void read_more(struct bench_receiver *r, struct connection *c) {
  ssize_t n = recv(c->fd, c->request + c->len, sizeof c->request - 1 - c->len, MSG_DONTWAIT);
  if (n <= 0) {
    shut(r, c);
    return;
  }
  c->len += (size_t)n;
  c->request[c->len] = '\0';
  answer(r, c);
}

static void take(struct bench_receiver *r) {
  int fd;
  while ((fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
    struct connection *c = ck_zalloc(sizeof *c);
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.ptr = c}}))
      bench_fail("epoll");
  }
}

static void *serve(void *self) {
  struct bench_receiver *r = self;
  struct epoll_event events[EVENTS];
  while (!atomic_load(&r->stop)) {
    int n = epoll_wait(r->epoll, events, EVENTS, 100);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.ptr)
        read_more(r, events[i].data.ptr);
      else
        take(r);
    }
  }
  return NULL;
}

struct bench_receiver *bench_receiver_start(size_t most) {
  struct bench_receiver *r = ck_zalloc(sizeof *r);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof at;
  r->most = most;
  r->came = ck_zalloc(most * sizeof *r->came);
  r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  r->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (r->listener < 0 || r->epoll < 0 || bind(r->listener, (struct sockaddr *)&at, n) ||
      listen(r->listener, 1024) || getsockname(r->listener, (struct sockaddr *)&at, &n) ||
      epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener,
                &(struct epoll_event){EPOLLIN, {.ptr = NULL}}) ||
      pthread_create(&r->thread, NULL, serve, r))
    bench_fail("no web server");
  r->port = ntohs(at.sin_port);
  return r;
}

void bench_receiver_stop(struct bench_receiver **receiver) {
  struct bench_receiver *r = *receiver;
  atomic_store(&r->stop, true);
  pthread_join(r->thread, NULL);
  close(r->listener);
  close(r->epoll);
  free(r->came);
  free(r);
  *receiver = NULL;
}

int bench_receiver_port(const struct bench_receiver *r) { return r->port; }
size_t bench_receiver_count(const struct bench_receiver *r) { return atomic_load(&r->count); }

int64_t bench_receiver_at(const struct bench_receiver *r, size_t n, size_t *number) {
  *number = r->came[n].number;
  return r->came[n].at;
}

void bench_receiver_clear(struct bench_receiver *r) { atomic_store(&r->count, 0); }
