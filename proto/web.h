/* Where webd listens, and by which names it is reached: what web.listen and web.behind_proxy say.
 * No name is resolved. */
#ifndef CK_PROTO_WEB_H
#define CK_PROTO_WEB_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "proto/settings.h"

struct ck_web {
  struct sockaddr_storage at;
  socklen_t at_n;
  bool loopback;     /* only this machine reaches it */
  const char *proxy; /* NAME or NAME:PORT of web.behind_proxy; NULL: there is none. Belongs to the
                      * settings. */
};

/* Reads both settings. *which: the one that is wrong. 0; or -1 with the reason: no address, or one
 * that others reach without TLS. */
int ck_web_read(struct ck_web *w, const struct ck_settings *s, enum ck_setting *which,
                struct ck_err *err);

#endif
