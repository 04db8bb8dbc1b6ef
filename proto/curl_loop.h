/* libcurl in a loop of one's own: its sockets are in an epoll, so that the daemon waits for one
 * descriptor and one time, whatever libcurl has under way, and nothing is asked in turns at rest.
 *
 *   wait:  ck_curl_wait(l, w), or ck_curl_fd and ck_curl_until for a loop of another kind
 *   turn:  ck_curl_turn(l); then, for each transfer that has ended, ck_curl_done(l, …)
 */
#ifndef CK_PROTO_CURL_LOOP_H
#define CK_PROTO_CURL_LOOP_H

#include <curl/curl.h>

#include "proto/daemon.h"

struct ck_curl_loop;

/* NULL: libcurl or the kernel gives no means, err says so. One call of curl_global_init each. */
struct ck_curl_loop *ck_curl_loop_new(struct ck_err *err);
/* Its transfers must have been removed before. Sets *l to NULL. */
void ck_curl_loop_free(struct ck_curl_loop **l);

/* Begins a transfer; the handle stays the caller's. 0, or -1 where libcurl takes no more. */
int ck_curl_add(struct ck_curl_loop *l, CURL *easy);
/* Ends it, at any time. The handle can be added again. */
void ck_curl_remove(struct ck_curl_loop *l, CURL *easy);

/* Readable when a turn has something to do. */
int ck_curl_fd(const struct ck_curl_loop *l);
/* ck_boot_ms() at which a turn has something to do all the same; INT64_MAX: never. */
int64_t ck_curl_until(const struct ck_curl_loop *l);
void ck_curl_wait(const struct ck_curl_loop *l, struct ck_wait *w);

/* Does what can be done without waiting. */
void ck_curl_turn(struct ck_curl_loop *l);
/* The next transfer that has ended, and how; it still has to be removed. False: no more. */
bool ck_curl_done(struct ck_curl_loop *l, CURL **easy, CURLcode *code);

#endif
