/* libcurl inside a daemon's loop. All its sockets are in one epoll, so the daemon waits for one
 * descriptor and one time, whatever libcurl has under way, and an idle daemon does not poll.
 *
 *   wait:  ck_curl_wait(l, w); in a loop of another kind, ck_curl_fd and ck_curl_until
 *   turn:  ck_curl_turn(l); then ck_curl_done(l, …) until it returns false
 */
#ifndef CK_PROTO_CURL_LOOP_H
#define CK_PROTO_CURL_LOOP_H

#include <curl/curl.h>

#include "proto/daemon.h"

struct ck_curl_loop;

/* Calls curl_global_init; freeing it calls curl_global_cleanup. NULL with the reason: libcurl or
 * the epoll cannot be set up. */
struct ck_curl_loop *ck_curl_loop_new(struct ck_err *err);
/* All transfers must have been removed. Sets *l to NULL; *l may be NULL. */
void ck_curl_loop_free(struct ck_curl_loop **l);

/* Begins a transfer; the handle stays the caller's. 0, or -1 when libcurl refuses it. */
int ck_curl_add(struct ck_curl_loop *l, CURL *easy);
/* Removes a transfer that has ended, or ends it early. The handle can be added again. */
void ck_curl_remove(struct ck_curl_loop *l, CURL *easy);

/* A descriptor that is readable when a turn has something to do. */
int ck_curl_fd(const struct ck_curl_loop *l);
/* The ck_boot_ms() at which a turn is due even so; INT64_MAX: never. */
int64_t ck_curl_until(const struct ck_curl_loop *l);
/* Adds both to w. */
void ck_curl_wait(const struct ck_curl_loop *l, struct ck_wait *w);

/* Does what can be done without waiting. */
void ck_curl_turn(struct ck_curl_loop *l);
/* The next transfer that has ended, and its result; the caller still removes it. False: no more. */
bool ck_curl_done(struct ck_curl_loop *l, CURL **easy, CURLcode *code);

#endif
