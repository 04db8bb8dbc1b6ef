/* A reader of an answer without an end: its events, one after another. */
#ifndef CK_TESTS_WEB_STREAM_H
#define CK_TESTS_WEB_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct t_stream;

/* One event; valid until the next. */
struct t_event {
  char event[32];   /* its kind */
  char id[120];     /* of it, or of one before */
  uint64_t version; /* that the id begins with */
  json_t *data;
};

/* Asks for the path, and reads the head; fails unless the answer is 200. last: Last-Event-ID; NULL:
 * none. */
struct t_stream *t_stream(const char *path, const char *token, const char *last);
/* The next event within ms; NULL: there was none, or (t_stream_ended) the stream has ended. */
const struct t_event *t_stream_next(struct t_stream *s, int ms);
bool t_stream_ended(const struct t_stream *s);
/* The last id that came, also without an event. */
const char *t_stream_id(const struct t_stream *s);
/* The next event; fails unless it is of that kind. */
const struct t_event *t_stream_must(struct t_stream *s, const char *event);
void t_stream_close(struct t_stream **s);

#endif
