/* Talks to the doors: as a part of the ring does, and in ways that no part ever should. */
#ifndef CK_TESTS_HARNESS_TALK_H
#define CK_TESTS_HARNESS_TALK_H

#include <jansson.h>
#include "proto/doors.h"
#include "proto/wire.h"

/* ---- queries to the snapshot door ---- */

/* Rows of a table, as an array of objects that the caller decrefs. filters: JSON with ' instead of
 * ", NULL for none. Fails if refused or not answered. */
json_t *t_query(const char *table, const char *filters, unsigned limit, unsigned offset);
/* The same for a query that should be refused; stores the refusal's code and reason. Fails if it is
 * answered. */
void t_query_refused(const char *table, const char *filters, unsigned limit, unsigned offset,
                     char code[64], struct ck_err *reason);
/* Sends any request to a door and waits for the answer; arguments and result as for ck_ask. */
int t_ask(enum ck_door door, struct ck_message *request, struct ck_message *answer,
          zmq_msg_t *frame, int ms, struct ck_err *err);
json_t *t_json_of(struct ck_str packed); /* a MessagePack value as JSON; the caller decrefs */

/* Appends JSON as MessagePack. */
void t_pack(struct ck_buf *b, const json_t *value);

/* ---- a producer that waits for each receipt ----
 *
 * Rows are JSON with ' instead of ". */

struct t_producer;
struct t_producer *t_producer(const char *id); /* lives until t_talk_forget */
/* These add a mutation to the changeset that t_commit sends. */
void t_put(struct t_producer *p, const char *table, const char *row);
void t_update(struct t_producer *p, const char *table, const char *row);
void t_mutate(struct t_producer *p, const struct ck_mutation *m);
void t_mutate_raw(struct t_producer *p, struct ck_str mutation); /* already encoded, valid or not */
/* Sends the changeset and waits for its receipt: n, u, = or r. Fails after 10 s. */
char t_commit(struct t_producer *p);
const char *
t_refusal(const struct t_producer *p); /* the last receipt's reason if it was r, else "" */

/* Sends a changeset of one PUT. Returns its receipt. */
char t_write(struct t_producer *p, const char *table, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same; fails unless it is refused with a reason that contains part. */
void t_refused(struct t_producer *p, const char *part, const char *table, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same; fails unless the receipt is `result`. */
void t_taken(struct t_producer *p, char result, const char *table, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with an UPDATE. If result is 'r', the reason must contain part. */
void t_updated(struct t_producer *p, char result, const char *part, const char *table,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- observations to ingest's door ---- */

/* Sends an observation to ingest, written as JSON with ' instead of ". Returns the number in TAKEN,
 * or 0 with the PROBLEM's reason in err. */
uint64_t t_observe(const char *observation, struct ck_err *err);

/* ---- raw ---- */

/* A socket of this ZeroMQ type, connected to the door's endpoint. It has ZeroMQ's defaults instead
 * of the project's options (HWM 1000, no size limit), and LINGER 5 s. */
void *t_raw_socket(enum ck_door door, int type);
void t_raw_send(void *socket, const void *bytes,
                size_t n); /* waits up to 2 s for room; then fails */
/* Receives a message and stores its last frame in b; false after ms. */
bool t_raw_recv(void *socket, struct ck_buf *b, int ms);
void t_raw_close(void *socket);
/* Sends a changeset of one PUT into messages to the intake (a raw PUSH socket), under any producer
 * id, epoch and number, valid or not. The row is as in t_write. */
void t_raw_message(void *intake, const char *id, uint64_t epoch, uint64_t number, const char *fmt,
                   ...) __attribute__((format(printf, 5, 6)));
/* A plain Unix or TCP connection to a door, without ZeroMQ. Returns the descriptor; -1: refused. */
int t_plain_connect(enum ck_door door);

/* Frees the producers and closes every socket that the test has open. */
void t_talk_forget(void);

#endif
