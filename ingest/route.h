/* A page's address → platform, route and remote conversation id, by one table of hosts and
 * patterns. Pure. */
#ifndef INGEST_ROUTE_H
#define INGEST_ROUTE_H

#include "proto/text.h"

enum ingest_route_kind {
  INGEST_ROUTE_CONVERSATION, /* id is the platform's own */
  INGEST_ROUTE_PAGE,         /* a page that stands for itself: a share, a project */
  INGEST_ROUTE_NOWHERE /* where any new conversation begins, or one whose id is provisional: never
                          an identity */
};

#define INGEST_ROUTE_PARAMS 4

struct ingest_route {
  enum ingest_route_kind kind;
  const char *platform;
  const char *pattern; /* with the classes of its ids; NULL: the host is known, the page is not */
  struct ck_str path;  /* without query and fragment, as it stands in the address */
  struct ck_str id;    /* of a CONVERSATION, else empty */
  struct {
    struct ck_str name, value;
  } params[INGEST_ROUTE_PARAMS];
  int param_count;
};

/* False: not an https address of a host that the table knows. Views point into url. */
bool ingest_route(struct ck_str url, struct ingest_route *r);

/* The pattern as people write it: /c/{id}. Nothing where the page is not known. */
void ingest_route_pattern(struct ck_buf *out, const struct ingest_route *r);

/* The params as one JSON object; "{}" when there are none. */
void ingest_route_params(struct ck_buf *json, const struct ingest_route *r);

/* True for ids that a page has only until the server gave the real one (`WEB:…`, also as %3A). */
bool ingest_provisional(struct ck_str id);

#endif
