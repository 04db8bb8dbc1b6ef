/* A lost connection is known, and only a lost connection. */
#include "proto/monitor.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/doors.h"

#define WAIT_MS 20000

/* Binds a ROUTER to a free port of the loopback, or to that of address. */
static void *bind_router(char address[64]) {
  void *router = zmq_socket(ck_context(), ZMQ_ROUTER);
  size_t n = 64;
  cr_assert_eq(zmq_bind(router, address[0] ? address : "tcp://127.0.0.1:*"), 0, "%s",
               zmq_strerror(errno));
  zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, address, &n);
  return router;
}

static void *connect_dealer(struct ck_monitor *m, const char *address) {
  struct ck_err err;
  void *dealer = zmq_socket(ck_context(), ZMQ_DEALER);
  cr_assert_eq(ck_monitor_open(m, dealer, &err), 0, "%s", err.text);
  cr_assert_eq(zmq_connect(dealer, address), 0);
  return dealer;
}

static void close_dealer(struct ck_monitor *m, void *dealer) {
  ck_monitor_close(m, dealer);
  cr_expect_null(m->events);
  ck_door_close(&dealer, 0);
}

static void wait_until(struct ck_monitor *m, bool connected, unsigned lost) {
  for (int64_t until = ck_boot_ms() + WAIT_MS;
       (m->connected != connected || m->lost != lost) && ck_boot_ms() < until;) {
    zmq_pollitem_t item = {m->events, 0, ZMQ_POLLIN, 0};
    zmq_poll(&item, 1, 100);
    ck_monitor_look(m);
  }
  cr_expect_eq(m->connected, connected);
  cr_expect_eq(m->lost, lost);
}

Test(monitor, knows_a_loss_and_what_came_before_it) {
  char address[64] = "";
  struct ck_monitor m;
  void *router = bind_router(address), *dealer = connect_dealer(&m, address);
  zmq_msg_t peer, frame;
  wait_until(&m, true, 0);
  cr_assert_eq(ck_send(dealer, CK_LIT("question")), 0);
  zmq_pollitem_t item = {router, 0, ZMQ_POLLIN, 0};
  cr_assert_eq(zmq_poll(&item, 1, WAIT_MS), 1);
  cr_assert_eq(ck_recv2(router, &peer, &frame), 0);
  cr_assert_eq(ck_send_to(router, ck_frame(&peer), CK_LIT("answer")), 0);
  zmq_msg_close(&peer);
  zmq_msg_close(&frame);
  ck_door_close(&router, WAIT_MS);
  wait_until(&m, false, 1);
  cr_assert_eq(ck_recv(dealer, &frame), 0, "the answer came before the loss");
  zmq_msg_close(&frame);
  router = bind_router(address);
  wait_until(&m, true, 1);
  close_dealer(&m, dealer);
  ck_door_close(&router, 0);
  ck_context_end();
}

/* Somebody who takes the connection, says nothing of ZeroMQ, and hangs up. */
Test(monitor, loses_nothing_by_a_connection_that_never_was) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof at;
  char address[64];
  struct ck_monitor m;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert_eq(bind(listener, (struct sockaddr *)&at, n), 0);
  cr_assert_eq(listen(listener, 4), 0);
  getsockname(listener, (struct sockaddr *)&at, &n);
  snprintf(address, sizeof address, "tcp://127.0.0.1:%d", ntohs(at.sin_port));
  void *dealer = connect_dealer(&m, address);
  for (int i = 0; i < 2; ++i) {
    int fd = accept(listener, NULL, NULL);
    cr_assert(fd >= 0);
    close(fd);
    ck_monitor_look(&m);
  }
  cr_expect(!m.connected && m.lost == 0);
  close_dealer(&m, dealer);
  close(listener);
  ck_context_end();
}
