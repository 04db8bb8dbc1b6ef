/* A scripted web server with a thread per connection; see http.h. */
#include "tests/harness/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/base.h"

#define MOST 65536
#define WORDS 64

struct t_http {
  pthread_mutex_t lock;
  pthread_t acceptor;
  int listener, port; /* listener: -1 while connections are refused */
  bool stopping;
  int talking; /* connections being served */
  struct t_request *requests[MOST];
  int count, from; /* from: the first request of the current script */
  char script[WORDS][24];
  int words;
  char url[64];
};

static int open_listener(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                          .sin_port = htons((uint16_t)port)};
  T_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0,
          "cannot listen on port %d: %s", port, strerror(errno));
  return fd;
}

/* ---- one connection ---- */

struct talk {
  struct t_http *h;
  int fd;
};

static size_t body_size(const char *head) {
  const char *at = strcasestr(head, "\ncontent-length:");
  return at ? (size_t)strtoull(at + 16, NULL, 10) : 0;
}

/* Reads head and body; false if the peer closed the connection before they were complete. */
static bool read_request(int fd, struct t_request *r) {
  struct ck_buf b = {0};
  size_t head = 0, whole = 0;
  for (;;) {
    if (head == 0 && b.len > 0) {
      const char *end = strstr(ck_buf_cstr(&b), "\r\n\r\n");
      if (end) {
        head = (size_t)(end - b.data) + 4;
        whole = head + body_size(b.data);
        if (strcasestr(b.data, "expect: 100-continue"))
          (void)!write(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
      }
    }
    if (head && b.len >= whole) break;
    ssize_t n = read(fd, ck_buf_room(&b, 65536), 65536);
    if (n <= 0) {
      ck_buf_free(&b);
      return false;
    }
    b.len += (size_t)n;
  }
  r->head = ck_str_dup((struct ck_str){b.data, head});
  r->body = ck_str_dup((struct ck_str){b.data + head, whole - head});
  r->at = ck_now_ms();
  sscanf(r->head, "%11s %255s", r->method, r->path);
  ck_buf_free(&b);
  return true;
}

/* Records the request and copies the script's word for it. */
static void record(struct t_http *h, struct t_request *r, char word[24]) {
  pthread_mutex_lock(&h->lock);
  int i = h->count - h->from;
  snprintf(word, 24, "%s", h->script[i < h->words ? i : h->words - 1]);
  memcpy(r->answer, word, sizeof r->answer);
  if (h->count < MOST) h->requests[h->count++] = r;
  pthread_mutex_unlock(&h->lock);
}

static bool is_stopping(struct t_http *h) {
  pthread_mutex_lock(&h->lock);
  bool yes = h->stopping;
  pthread_mutex_unlock(&h->lock);
  return yes;
}

static void answer(struct t_http *h, int fd, const char *word) {
  if (strcmp(word, "close") == 0) return;
  while (strcmp(word, "hang") == 0 && !is_stopping(h)) t_pause(10);
  char *rest;
  long status = strtol(word, &rest, 10);
  if (*rest == '+')
    for (long left = atol(rest + 1); left > 0 && !is_stopping(h); left -= 10) t_pause(10);
  char extra[64] = "", text[256];
  if (*rest == '/') snprintf(extra, sizeof extra, "Retry-After: %s\r\n", rest + 1);
  int n = snprintf(text, sizeof text,
                   "HTTP/1.1 %ld Said\r\nContent-Type: text/plain\r\n%sContent-Length: "
                   "3\r\nConnection: close\r\n\r\nok\n",
                   status, extra);
  if (status) (void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

static void *serve(void *arg) {
  struct talk *t = arg;
  struct t_http *h = t->h;
  struct t_request *r = ck_zalloc(sizeof *r);
  char word[24];
  if (read_request(t->fd, r)) {
    record(h, r, word);
    answer(h, t->fd, word);
  } else {
    free(r);
  }
  shutdown(t->fd, SHUT_WR);
  close(t->fd);
  free(t);
  pthread_mutex_lock(&h->lock);
  h->talking--;
  pthread_mutex_unlock(&h->lock);
  return NULL;
}

static void begin_talk(struct t_http *h, int fd) {
  struct timeval limit = {10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  struct talk *t = ck_zalloc(sizeof *t);
  *t = (struct talk){h, fd};
  pthread_t thread;
  pthread_mutex_lock(&h->lock);
  h->talking++;
  pthread_mutex_unlock(&h->lock);
  if (pthread_create(&thread, NULL, serve, t) == 0) pthread_detach(thread);
}

static void *accept_all(void *arg) {
  struct t_http *h = arg;
  while (!is_stopping(h)) {
    pthread_mutex_lock(&h->lock);
    struct pollfd item = {h->listener, POLLIN, 0};
    int fd = h->listener >= 0 && poll(&item, 1, 0) > 0
                 ? accept4(h->listener, NULL, NULL, SOCK_CLOEXEC)
                 : -1;
    pthread_mutex_unlock(&h->lock);
    if (fd >= 0)
      begin_talk(h, fd);
    else
      t_pause(2);
  }
  return NULL;
}

/* ---- for tests ---- */

static void set_script(struct t_http *h, const char *script) {
  h->words = 0;
  h->from = h->count;
  for (const char *at = script; *at && h->words < WORDS;) {
    size_t n = strcspn(at, " ");
    snprintf(h->script[h->words++], sizeof h->script[0], "%.*s", (int)n, at);
    at += n + (at[n] == ' ');
  }
}

struct t_http *t_http_start(const char *script) {
  struct t_http *h = ck_zalloc(sizeof *h);
  pthread_mutex_init(&h->lock, NULL);
  h->listener = open_listener(0);
  struct sockaddr_in a;
  socklen_t n = sizeof a;
  getsockname(h->listener, (struct sockaddr *)&a, &n);
  h->port = ntohs(a.sin_port);
  snprintf(h->url, sizeof h->url, "http://127.0.0.1:%d/", h->port);
  set_script(h, script);
  T_CHECK(pthread_create(&h->acceptor, NULL, accept_all, h) == 0, "no thread for the web server");
  return h;
}

const char *t_http_url(const struct t_http *h) { return h->url; }

void t_http_script(struct t_http *h, const char *script) {
  pthread_mutex_lock(&h->lock);
  set_script(h, script);
  pthread_mutex_unlock(&h->lock);
}

void t_http_refuse(struct t_http *h) {
  pthread_mutex_lock(&h->lock);
  close(h->listener);
  h->listener = -1;
  pthread_mutex_unlock(&h->lock);
}

void t_http_listen(struct t_http *h) {
  int fd = open_listener(h->port);
  pthread_mutex_lock(&h->lock);
  h->listener = fd;
  pthread_mutex_unlock(&h->lock);
}

int t_http_count(struct t_http *h) {
  pthread_mutex_lock(&h->lock);
  int n = h->count;
  pthread_mutex_unlock(&h->lock);
  return n;
}

const struct t_request *t_http_request(struct t_http *h, int i) {
  pthread_mutex_lock(&h->lock);
  const struct t_request *r = i < h->count ? h->requests[i] : NULL;
  pthread_mutex_unlock(&h->lock);
  T_CHECK(r != NULL, "the web server had no request number %d", i + 1);
  return r;
}

bool t_http_header(const struct t_request *r, const char *name, char out[256]) {
  for (const char *line = strchr(r->head, '\n'); line; line = strchr(line, '\n')) {
    line++;
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':') continue;
    line += n + 1;
    line += strspn(line, " \t");
    snprintf(out, 256, "%.*s", (int)strcspn(line, "\r\n"), line);
    return true;
  }
  return false;
}

json_t *t_http_json(const struct t_request *r) {
  json_error_t error;
  json_t *value = json_loads(r->body, 0, &error);
  T_CHECK(value != NULL, "a request's body is not JSON (%s): %.300s", error.text, r->body);
  return value;
}

void t_http_stop(struct t_http **http) {
  struct t_http *h = *http;
  pthread_mutex_lock(&h->lock);
  h->stopping = true;
  pthread_mutex_unlock(&h->lock);
  pthread_join(h->acceptor, NULL);
  for (bool busy = true; busy; t_pause(2)) {
    pthread_mutex_lock(&h->lock);
    busy = h->talking > 0;
    pthread_mutex_unlock(&h->lock);
  }
  if (h->listener >= 0) close(h->listener);
  for (int i = 0; i < h->count; i++) {
    free(h->requests[i]->head);
    free(h->requests[i]->body);
    free(h->requests[i]);
  }
  pthread_mutex_destroy(&h->lock);
  free(h);
  *http = NULL;
}
