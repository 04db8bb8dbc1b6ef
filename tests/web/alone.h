/* The server by itself, in the test's process, with routes of the test's own; it does something
 * only while the test lets it. Its boot clock can be moved. */
#ifndef CK_TESTS_WEB_ALONE_H
#define CK_TESTS_WEB_ALONE_H

#include <jansson.h>

#include "webd/http/http.h"

/* Begins it. A token with the scope read, valid until the test ends. routes must last. */
const char *alone_begin(const struct web_route *routes);
void alone_end(void);
struct web_http *alone_http(void);

/* Lets it do what is due. */
void alone_run(void);
/* Its clock, and every wait by it, goes on by so many ms at once. */
void alone_later(int ms);

/* "127.0.0.1:PORT". And a connection to it, whose reading does not wait. */
const char *alone_host(void);
int alone_connect(void);

#endif
