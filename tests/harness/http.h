/* A web server that records what it is asked and answers as it is told, on a port of 127.0.0.1 that
 * the system picked.
 *
 * Its script is words, one for each request in the order they come; the last repeats: 200, 503 (a
 * status) · 200+300 (after 300 ms) · 429/7 (with Retry-After: 7) · close (reads the request, ends
 * the connection without an answer) · hang (never answers).
 */
#ifndef CK_TESTS_HARNESS_HTTP_H
#define CK_TESTS_HARNESS_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct t_http;

struct t_request {
  char method[12], path[256];
  char *head; /* the header lines as they came */
  char *body;
  int64_t at; /* ck_now_ms() when it was whole */
};

/* Freed by t_http_stop. url: "http://127.0.0.1:PORT/". */
struct t_http *t_http_start(const char *script);
const char *t_http_url(const struct t_http *h);
void t_http_script(struct t_http *h, const char *script); /* from the next request on */
void t_http_refuse(struct t_http *h); /* closes the listening socket: connections are refused */
void t_http_listen(struct t_http *h); /* the same port again */
int t_http_count(struct t_http *h);
/* The i-th request, from 0; fails when there is none. Valid until t_http_stop. */
const struct t_request *t_http_request(struct t_http *h, int i);
bool t_http_header(const struct t_request *r, const char *name, char out[256]);
json_t *
t_http_json(const struct t_request *r); /* its body; fails when it is none. The caller decrefs. */
void t_http_stop(struct t_http **h);

#endif
