/* What a reader of session logs remembers of the lines before: a table from names to what they
 * stand for, which lasts as long as the file is read. A line refers to lines far above it, so this
 * grows with the file; it holds no text of messages. */
#ifndef INGEST_SOURCES_SESSION_H
#define INGEST_SOURCES_SESSION_H

#include "proto/text.h"

#define SESSION_KEY 16

struct session_slot {
  unsigned char key[SESSION_KEY];
  void *value; /* NULL: free */
};

/* Zero-initialise; free with session_table_free. */
struct session_table {
  struct session_slot *slots;
  size_t count, room; /* room: a power of two */
};

/* kind tells names of different things apart; scope is what the name is unique in. */
void *session_get(const struct session_table *t, char kind, struct ck_str scope,
                  struct ck_str name);
/* value is borrowed, and not NULL. A name that is there gets the new value. */
void session_set(struct session_table *t, char kind, struct ck_str scope, struct ck_str name,
                 void *value);
void session_table_free(struct session_table *t);

#endif
