/* A client of webd: requests over connections that stay open, one after another on each. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include "bench/common.h"

/* Starts webd on the working directory, at a free port and without a limit on the rate, and waits
 * until it listens. To be called before bench_settings. */
pid_t bench_http_webd(void);
/* The port at which that webd listens. */
int bench_http_port(void);
/* Lines of a head that show who asks: a token with these scopes; a browser that has signed in. The
 * caller frees them. */
char *bench_http_token(const char *scopes);
char *bench_http_session(void);
/* A whole request. who: such lines. body: JSON, or NULL. The caller frees it. */
char *bench_http_request(const char *method, const char *path, const char *who, const char *body);

/* A connection to webd. */
int bench_http_connect(void);
/* Sends each of the n requests once, over so many connections, and waits for every answer. Any that
 * is not 200 ends the program. Returns answers a second. ms: how long each took, or NULL. */
double bench_http_each(char *const *requests, size_t n, unsigned connections,
                       struct bench_series *ms);

#endif
