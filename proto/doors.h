/* The sockets between the processes: their options, limits and encryption (CURVE) in one place.
 * docs/wire.md explains the values.
 *
 * A door is named by its setting, door.intake and so on: an ipc:// or tcp:// address. Files in ipc
 * addresses are relative to the data folder, which is every process's working directory, so the
 * length of the folder's path does not count against the limit of ipc.
 *
 * A tcp door on anything but loopback must use CURVE, else it is refused. The process that binds
 * uses keys/store.key_secret and admits the public certificates in keys/clients/; a process that
 * connects uses keys/client.key_secret.
 */
#ifndef CK_PROTO_DOORS_H
#define CK_PROTO_DOORS_H

#include "proto/error.h"
#include "proto/monitor.h"
#include "proto/settings.h"
#include <zmq.h>

/* What each carries, and its sockets, binding and connecting:
 *   INTAKE    changesets and reports to the store     PULL, PUSH
 *   FEED      changes, receipts and beats from it     XPUB, SUB
 *   WORK      batches and leases of sync workers      ROUTER, DEALER
 *   SNAPSHOT  questions to the store                  ROUTER, DEALER
 *   OBSERVE   observations and files to ingest        ROUTER, DEALER */
enum ck_door { CK_DOOR_INTAKE, CK_DOOR_FEED, CK_DOOR_WORK, CK_DOOR_SNAPSHOT, CK_DOOR_OBSERVE };

/* The process's one ZeroMQ context. Made at the first call, which must be after the last fork. */
void *ck_context(void);
/* Ends it, and the authenticator; all sockets must be closed. Nothing when there is none. */
void ck_context_end(void);

/* ---- is it one? ---- */

/* 0: the door's address can be bound, or connected to, on this machine. -1 with the reason, which
 * begins with the setting: it is no address, another door has it, it is not of this machine, it
 * would be open to others, a certificate is missing. Whether somebody has it in use is not looked
 * at. */
int ck_door_check(const struct ck_settings *s, enum ck_door door, bool binding, struct ck_err *err);
/* The setting that has the address. */
enum ck_setting ck_door_setting(enum ck_door door);
/* Connections to it are encrypted. */
bool ck_door_wants_curve(const struct ck_settings *s, enum ck_door door);
/* 0: the certificates that CURVE needs on this side are there. -1 with the reason. */
int ck_door_check_keys(bool binding, struct ck_err *err);

/* Binds a door. NULL with the reason: a bad address, a missing certificate, an address in use. The
 * socket file that a killed process left is replaced, one on which a process listens never. Close
 * with ck_door_close. */
void *ck_door_bind(const struct ck_settings *s, enum ck_door door, struct ck_err *err);
/* Connects to a door; the other side need not be there yet. A SUB socket has no subscription yet.
 * NULL with the reason. Close with ck_door_close. */
void *ck_door_connect(const struct ck_settings *s, enum ck_door door, struct ck_err *err);
/* The same, and monitor knows whether it is connected. Close with ck_monitor_close, then
 * ck_door_close. */
void *ck_door_connect_watched(const struct ck_settings *s, enum ck_door door,
                              struct ck_monitor *monitor, struct ck_err *err);
/* Closes the socket and sets *socket to NULL; *socket may be NULL. linger_ms: how long queued
 * frames may still be sent, in the background. */
void ck_door_close(void **socket, int linger_ms);
/* Removes the file of an ipc door: that of this process if it bound the door; else one that a
 * killed process left, on which nobody listens. */
void ck_door_unlink(const struct ck_settings *s, enum ck_door door);
/* Whether the ipc doors that this process bound still have their names, so that others find them.
 * 0; -1: err names one that has not. From the thread that binds. */
int ck_doors_have_names(const struct ck_settings *s, struct ck_err *err);
/* Subscribes a SUB socket to all topics that begin with this one. */
void ck_subscribe(void *sub, const char *topic);

/* ---- frames; none of these blocks ---- */

/* Sends one frame. The bytes are copied. 0; or -1 with errno. EAGAIN: the socket is full. EMSGSIZE:
 * more than CK_FRAME_MAX bytes. */
int ck_send(void *socket, struct ck_str bytes);
/* Sends a topic and a frame. As ck_send. */
int ck_send_topic(void *socket, const char *topic, struct ck_str bytes);
/* The same without copying: ZeroMQ takes the buffer's memory, also when this fails, and the buffer
 * is left empty. */
int ck_send_topic_owned(void *socket, const char *topic, struct ck_buf *bytes);
/* Sends a frame to one peer of a ROUTER. As ck_send; EAGAIN: the peer does not read. EHOSTUNREACH:
 * it is gone. */
int ck_send_to(void *router, struct ck_str identity, struct ck_str bytes);
/* The same without copying, as ck_send_topic_owned. */
int ck_send_to_owned(void *router, struct ck_str identity, struct ck_buf *bytes);

/* Receives a frame of one part. 0, and the caller closes it (zmq_msg_close); or -1 with errno, and
 * there is nothing to close. EAGAIN: there is none. EPROTO: a message with more parts, which has
 * been discarded. */
int ck_recv(void *socket, zmq_msg_t *frame);
/* Receives a message of two parts: topic or peer identity, then the frame. As ck_recv; EPROTO: it
 * does not have two parts. */
int ck_recv2(void *socket, zmq_msg_t *first, zmq_msg_t *body);
/* The frame's bytes, valid until it is closed. */
struct ck_str ck_frame(zmq_msg_t *frame);

/* ---- a blocking question, for the command line and tests ---- */

/* Gives the request a number, sends it to a door that answers (snapshot, work, observe), and waits
 * for the answer with that number; others are discarded. 0: the answer, which points into frame;
 * the caller closes frame. -1 with the reason, and nothing to close: it is not a request, it cannot
 * be sent, no answer came within timeout_ms, or the answer is PROBLEM: err has its reason, and
 * as.problem.code stays until this thread's next question. */
struct ck_message;
int ck_ask(void *dealer, struct ck_message *request, struct ck_message *answer, zmq_msg_t *frame,
           int timeout_ms, struct ck_err *err);

#endif
