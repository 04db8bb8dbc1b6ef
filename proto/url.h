/* The parts of an http or https address, as libcurl reads them, because it is libcurl that goes
 * there. */
#ifndef CK_PROTO_URL_H
#define CK_PROTO_URL_H

#include <stdbool.h>

struct ck_url {
  void *handle;
  char *scheme, *host, *zone, *port, *path, *query; /* zone, query: NULL if it has none */
  bool user;                                        /* it names a user or a password */
};

/* 0; or -1 when it is no http or https address, or has a backslash, which some take for a slash.
 * Either way the caller frees it. */
int ck_url_parse(struct ck_url *u, const char *text);
void ck_url_free(struct ck_url *u);

#endif
