/* A web server in the test's process that records its requests and answers by a script. It listens
 * on 127.0.0.1, on a port chosen by the system.
 *
 * The script is a list of words, one for each request in order of arrival; the last one repeats:
 *
 *   200, 503 …   answers with this status
 *   200+300      answers after 300 ms
 *   429/7        answers with Retry-After: 7
 *   close        reads the request and closes the connection without an answer
 *   hang         never answers
 */
#ifndef CK_TESTS_HARNESS_HTTP_H
#define CK_TESTS_HARNESS_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct t_http;

struct t_request {
  char method[12], path[256];
  char *head; /* the header lines as received */
  char *body;
  char answer[24]; /* the script's word for it */
  int64_t at;      /* ck_now_ms() when it was complete */
};

/* Starts the server. t_http_stop frees it. t_http_url: "http://127.0.0.1:PORT/". */
struct t_http *t_http_start(const char *script);
const char *t_http_url(const struct t_http *h);
void t_http_script(struct t_http *h,
                   const char *script); /* a new script, from the next request on */
void t_http_refuse(struct t_http *h);   /* closes the listening socket: connections are refused */
void t_http_listen(struct t_http *h);   /* listens on the same port again */
int t_http_count(struct t_http *h);
/* The i-th request, from 0; fails if there is none. Valid until t_http_stop. */
const struct t_request *t_http_request(struct t_http *h, int i);
/* Copies the value of a header; false if there is none. */
bool t_http_header(const struct t_request *r, const char *name, char out[256]);
/* The body as JSON, which the caller decrefs; fails if it is not JSON. */
json_t *t_http_json(const struct t_request *r);
void t_http_stop(struct t_http **h);

#endif
