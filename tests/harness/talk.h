/* Speaking to the doors as a part of the ring would, and as none ever should. */
#ifndef CK_TESTS_HARNESS_TALK_H
#define CK_TESTS_HARNESS_TALK_H

#include <jansson.h>
#include "proto/doors.h"
#include "proto/wire.h"

/* ---- questions to the snapshot door ---- */

/* Rows of a table as an array of objects; filters is JSON (' for "), NULL for none. Fails when
 * refused or not answered. The caller decrefs. */
json_t *t_query(const char *table, const char *filters, unsigned limit, unsigned offset);
/* The same where a refusal is expected: its code into code[64], and its reason. Fails when it is
 * answered. */
void t_query_refused(const char *table, const char *filters, unsigned limit, unsigned offset,
                     char code[64], struct ck_err *reason);
/* A question of one's own on a socket of its own; 0 and answer and frame as ck_ask gives them, or
 * -1. */
int t_ask(enum ck_door door, struct ck_message *request, struct ck_message *answer,
          zmq_msg_t *frame, int ms, struct ck_err *err);
json_t *t_json_of(struct ck_str packed); /* a MessagePack value as JSON */

/* JSON as MessagePack. */
void t_pack(struct ck_buf *b, const json_t *value);

/* ---- a producer that waits for each receipt ---- */

struct t_producer;
struct t_producer *t_producer(const char *id); /* lives until t_talk_forget */
/* Adds to the changeset that t_commit sends. row is JSON with ' for ". */
void t_put(struct t_producer *p, const char *table, const char *row);
void t_update(struct t_producer *p, const char *table, const char *row);
void t_mutate(struct t_producer *p, const struct ck_mutation *m);
void t_mutate_raw(struct t_producer *p,
                  struct ck_str mutation); /* already encoded, right or wrong */
/* Sends, waits for the receipt: n u = or r. Fails after 10 s. */
char t_commit(struct t_producer *p);
const char *t_refusal(const struct t_producer *p); /* the reason of the last r, else "" */

/* One row, one changeset. */
char t_write(struct t_producer *p, const char *table, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* …that must be refused with a reason that has this in it. */
void t_refused(struct t_producer *p, const char *part, const char *table, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* …or must be taken with this result. */
void t_taken(struct t_producer *p, char result, const char *table, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* …as an UPDATE. result 'r': the reason must have part in it. */
void t_updated(struct t_producer *p, char result, const char *part, const char *table,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- observations to ingest's own door ---- */

/* TAKEN's number, or 0 with the PROBLEM's reason in err. observation is JSON with ' for ". */
uint64_t t_observe(const char *observation, struct ck_err *err);

/* ---- raw ---- */

/* A socket of this type connected to the door's endpoint with none of the project's care; HWM 1000,
 * no limit of size, LINGER 200 ms. */
void *t_raw_socket(enum ck_door door, int type);
void t_raw_send(void *socket, const void *bytes, size_t n); /* waits up to 2 s for room */
/* One message's last frame into b; false after ms. */
bool t_raw_recv(void *socket, struct ck_buf *b, int ms);
void t_raw_close(void *socket);
/* A changeset of one message under this producer's id, epoch and number, right or wrong, to a PUSH
 * socket at the intake. The row is as in t_write. */
void t_raw_message(void *intake, const char *id, uint64_t epoch, uint64_t number, const char *fmt,
                   ...) __attribute__((format(printf, 5, 6)));
/* A plain connection to an ipc:// or tcp:// door, below ZeroMQ. -1: refused. */
int t_plain_connect(enum ck_door door);

/* Closes every socket the test has open, and the context. */
void t_talk_forget(void);

#endif
