/* Reads a page's address: which platform it is, which kind of page, and the platform's id of the
 * conversation. All knowledge is in two tables, hosts and patterns (route.c). Pure. */
#ifndef INGEST_ROUTE_H
#define INGEST_ROUTE_H

#include "proto/text.h"

enum ingest_route_kind {
  INGEST_ROUTE_CONVERSATION, /* id is the platform's own */
  INGEST_ROUTE_PAGE,         /* a share, a project; any page of a known host that is not in
                                the table */
  INGEST_ROUTE_NOWHERE       /* where new conversations begin, or a provisional id: the address
                                identifies nothing */
};

#define INGEST_ROUTE_PARAMS 4

struct ingest_route {
  enum ingest_route_kind kind;
  const char *platform;
  const char *pattern; /* as in the table, with id classes; NULL: a known host, an unknown page */
  struct ck_str path;  /* as in the address, without query and fragment */
  struct ck_str id;    /* of a CONVERSATION, else empty */
  struct {
    struct ck_str name, value;
  } params[INGEST_ROUTE_PARAMS];
  int param_count;
};

/* False: not an https address of a known host. The views in r point into url. */
bool ingest_route(struct ck_str url, struct ingest_route *r);

/* Appends the pattern without id classes, as /c/{id}; nothing if the page is unknown. */
void ingest_route_pattern(struct ck_buf *out, const struct ingest_route *r);

/* Appends the params as one JSON object, "{}" if there are none. */
void ingest_route_params(struct ck_buf *json, const struct ingest_route *r);

/* True for an id that a page uses only until the server assigns the real one: `WEB:…`, also with
 * %3A. */
bool ingest_provisional(struct ck_str id);

/* Can the id be the last part of an address as it is? False also for "" and "..". */
bool ingest_route_fits(struct ck_str id);

#endif
