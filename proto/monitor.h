/* Whether the other side of a connecting socket is there: told by the connection itself, not by how
 * long it is silent. A process that is killed loses its connections at once; one that is stopped or
 * has long work keeps them. On tcp the kernel's keepalive finds a cut within some 11 s, unless
 * bytes are on their way: then it goes on sending them. */
#ifndef CK_PROTO_MONITOR_H
#define CK_PROTO_MONITOR_H

#include "proto/error.h"
#include <stdbool.h>

/* Zero-initialise. */
struct ck_monitor {
  bool connected; /* the handshake is done, and the connection not lost since */
  unsigned lost;  /* connections that were lost */
  void *events;   /* readable (ZMQ_POLLIN) when there is news for ck_monitor_look */
};

/* Watches the socket, which must not be connected yet (ck_door_connect_watched does this). 0, or -1
 * with the reason in err. */
int ck_monitor_open(struct ck_monitor *m, void *socket, struct ck_err *err);
/* Takes the news. All frames that came over a connection that is lost by then can be received. */
void ck_monitor_look(struct ck_monitor *m);
/* Before the socket is closed. Sets *m to zero. */
void ck_monitor_close(struct ck_monitor *m, void *socket);

#endif
