/* See monitor.h. ZeroMQ tells what happens to a socket over a PAIR. */
#include "proto/monitor.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/doors.h"

int ck_monitor_open(struct ck_monitor *m, void *socket, struct ck_err *err) {
  static unsigned monitors;
  char address[48];
  int none = 0;
  *m = (struct ck_monitor){0};
  snprintf(address, sizeof address, "inproc://monitor-%u", ++monitors);
  m->events = zmq_socket(ck_context(), ZMQ_PAIR);
  if (m->events) zmq_setsockopt(m->events, ZMQ_LINGER, &none, sizeof none);
  if (m->events &&
      zmq_socket_monitor(socket, address, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) ==
          0 &&
      zmq_connect(m->events, address) == 0)
    return 0;
  ck_fail(err, "cannot watch a connection: %s", zmq_strerror(errno));
  ck_monitor_close(m, socket);
  return -1;
}

/* A connection attempt whose handshake fails is disconnected too: nothing is lost by that. */
static void take(struct ck_monitor *m, struct ck_str event) {
  uint16_t number;
  if (event.n < sizeof number) return;
  memcpy(&number, event.s, sizeof number);
  if (number == ZMQ_EVENT_DISCONNECTED && m->connected) ++m->lost;
  m->connected = number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
}

void ck_monitor_look(struct ck_monitor *m) {
  zmq_msg_t event, address;
  while (m->events && ck_recv2(m->events, &event, &address) == 0) {
    take(m, ck_frame(&event));
    zmq_msg_close(&event);
    zmq_msg_close(&address);
  }
}

/* The events end first: ZeroMQ would wait for a PAIR that has gone. */
void ck_monitor_close(struct ck_monitor *m, void *socket) {
  if (!m->events) return;
  zmq_socket_monitor(socket, NULL, 0);
  zmq_close(m->events);
  *m = (struct ck_monitor){0};
}
