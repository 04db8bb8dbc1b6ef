/* libcurl's socket and timer callbacks, turned into one epoll and one time. */
#include "proto/curl_loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proto/clock.h"

#define EVENTS 32 /* in one turn at most */

struct ck_curl_loop {
  CURLM *multi;
  int epoll;
  int64_t until; /* ck_boot_ms() */
};

/* ---- what libcurl asks for ---- */

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *self, void *known) {
  (void)easy;
  struct ck_curl_loop *l = self;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
    return 0;
  }
  struct epoll_event e = {.data.fd = fd};
  if (what & CURL_POLL_IN) e.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) e.events |= EPOLLOUT;
  epoll_ctl(l->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
  curl_multi_assign(l->multi, fd, l);
  return 0;
}

static int timer_changed(CURLM *multi, long ms, void *self) {
  (void)multi;
  ((struct ck_curl_loop *)self)->until = ms < 0 ? INT64_MAX : ck_boot_ms() + ms;
  return 0;
}

/* ---- the loop as a whole ---- */

struct ck_curl_loop *ck_curl_loop_new(struct ck_err *err) {
  struct ck_curl_loop *l = ck_zalloc(sizeof *l);
  l->until = INT64_MAX;
  l->epoll = epoll_create1(EPOLL_CLOEXEC);
  l->multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
  if (l->epoll < 0 || !l->multi) {
    ck_fail(err, "libcurl cannot be started");
    ck_curl_loop_free(&l);
    return NULL;
  }
  curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
  curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
  curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
  curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
  return l;
}

void ck_curl_loop_free(struct ck_curl_loop **l) {
  if (!*l) return;
  if ((*l)->multi) curl_multi_cleanup((*l)->multi);
  if ((*l)->epoll >= 0) close((*l)->epoll);
  free(*l);
  *l = NULL;
  curl_global_cleanup();
}

int ck_curl_add(struct ck_curl_loop *l, CURL *easy) {
  return curl_multi_add_handle(l->multi, easy) == CURLM_OK ? 0 : -1;
}

void ck_curl_remove(struct ck_curl_loop *l, CURL *easy) {
  curl_multi_remove_handle(l->multi, easy);
}

int ck_curl_fd(const struct ck_curl_loop *l) { return l->epoll; }

int64_t ck_curl_until(const struct ck_curl_loop *l) { return l->until; }

void ck_curl_wait(const struct ck_curl_loop *l, struct ck_wait *w) {
  ck_wait_for(w, NULL, l->epoll, ZMQ_POLLIN);
  ck_wait_until(w, l->until);
}

/* ---- a turn ---- */

static int select_bits(uint32_t events) {
  int what = 0;
  if (events & EPOLLIN) what |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) what |= CURL_CSELECT_OUT;
  if (events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
  return what;
}

void ck_curl_turn(struct ck_curl_loop *l) {
  struct epoll_event events[EVENTS];
  int running, n = epoll_wait(l->epoll, events, EVENTS, 0);
  for (int i = 0; i < n; i++)
    curl_multi_socket_action(l->multi, events[i].data.fd, select_bits(events[i].events), &running);
  if (l->until > ck_boot_ms()) return;
  l->until = INT64_MAX;
  curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

bool ck_curl_done(struct ck_curl_loop *l, CURL **easy, CURLcode *code) {
  int left;
  for (CURLMsg *m; (m = curl_multi_info_read(l->multi, &left));) {
    if (m->msg != CURLMSG_DONE) continue;
    *easy = m->easy_handle;
    *code = m->data.result;
    return true;
  }
  return false;
}
