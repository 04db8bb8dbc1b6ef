/* Sockets as the ring uses them: options, limits and CURVE in one place. All endpoints are relative
 * to the data folder, which every process has as its working directory, so that the length of its
 * path does not matter to ipc.
 *
 * tcp doors use CURVE (keys/store.key_secret for whoever binds, keys/client.key_secret for whoever
 * connects, keys/clients/ with the public certificates that may connect). A tcp door without CURVE
 * on anything but loopback is refused. Source of the option values: docs/wire.md.
 */
#ifndef CK_PROTO_DOORS_H
#define CK_PROTO_DOORS_H

#include "proto/error.h"
#include "proto/settings.h"
#include <zmq.h>

enum ck_door { CK_DOOR_INTAKE, CK_DOOR_FEED, CK_DOOR_WORK, CK_DOOR_SNAPSHOT, CK_DOOR_OBSERVE };

/* The process's one ZeroMQ context. Made at the first call, which must be after the last fork. */
void *ck_context(void);
void ck_context_end(void);

/* The binding half (PULL, XPUB, ROUTER, ROUTER, ROUTER). NULL with the reason. Close with
 * ck_door_close. */
void *ck_door_bind(const struct ck_settings *s, enum ck_door door, struct ck_err *err);
/* The connecting half (PUSH, SUB without subscription, DEALER, DEALER, DEALER). The peer need not
 * be there yet. */
void *ck_door_connect(const struct ck_settings *s, enum ck_door door, struct ck_err *err);
/* linger_ms: how long what is queued may still go out. */
void ck_door_close(void **socket, int linger_ms);
/* Removes what ipc left in the file system for a door that this process bound. */
void ck_door_unlink(const struct ck_settings *s, enum ck_door door);
void ck_subscribe(void *sub, const char *topic);

/* Non-blocking. ck_send: 0, or -1 with errno (EAGAIN: full; EMSGSIZE: above CK_FRAME_MAX). ck_recv:
 * frame initialised and filled; 0, or -1 with EAGAIN. */
int ck_send(void *socket, struct ck_str bytes);
int ck_send_topic(void *socket, const char *topic, struct ck_str bytes);
/* The same without copying: the bytes are ZeroMQ's now, whatever comes of it, and the buffer is
 * empty. */
int ck_send_topic_owned(void *socket, const char *topic, struct ck_buf *bytes);
int ck_recv(void *socket, zmq_msg_t *frame);
/* A two-part message (topic or peer identity, then body). Further or missing parts are drained and
 * -1 with EPROTO comes back. */
int ck_recv2(void *socket, zmq_msg_t *first, zmq_msg_t *body);
/* To one peer of a ROUTER. EAGAIN: it does not read; EHOSTUNREACH: it has gone. */
int ck_send_to(void *router, struct ck_str identity, struct ck_str bytes);
struct ck_str ck_frame(zmq_msg_t *frame);

/* A blocking question to a door that answers (snapshot, observe, work): sends the request, waits
 * for the answer with the same request number, skips others. -1: nobody answered in timeout_ms, or
 * a PROBLEM (then err has its reason). frame is initialised and owned by the caller (zmq_msg_close)
 * in case of 0; answer points into it. */
struct ck_message;
int ck_ask(void *dealer, struct ck_message *request, struct ck_message *answer, zmq_msg_t *frame,
           int timeout_ms, struct ck_err *err);

#endif
