/* One value of an observation: parsed JSON, or MessagePack as the door received it. observation.c
 * need not tell them apart, and equal values give equal records: MessagePack that is not plain text
 * or an integer is converted by way of JSON, in which docs/cli.md describes observations. */
#ifndef INGEST_VALUE_H
#define INGEST_VALUE_H

#include <jansson.h>
#include "proto/error.h"
#include "proto/pack.h"

enum ingest_type {
  INGEST_MISSING,
  INGEST_NULL,
  INGEST_TEXT,
  INGEST_INTEGER,
  INGEST_FRACTION, /* also an integer beyond 64 bits */
  INGEST_TRUE,
  INGEST_FALSE,
  INGEST_OBJECT,
  INGEST_ARRAY,
  INGEST_NOT_UTF8 /* text, but not UTF-8 */
};

/* Borrows from the JSON or MessagePack it was made from. */
struct ingest_value {
  enum ingest_type type;
  struct ck_str text; /* of INGEST_TEXT */
  int64_t integer;    /* of INGEST_INTEGER */
  double number;      /* of INGEST_INTEGER and INGEST_FRACTION */
  const json_t *json; /* NULL: it is MessagePack */
  struct ck_str packed;
};

/* json may be NULL: missing. */
struct ingest_value ingest_value_json(const json_t *json);
/* packed: exactly one value, already checked by ck_scan. The arena holds converted text. */
struct ingest_value ingest_value_packed(struct ck_str packed, struct ck_arena *arena);

/* "an object", "text", "null", … */
const char *ingest_value_type(const struct ingest_value *value);

/* Converts a value to text: text as it is, null and missing to empty text, anything else to compact
 * JSON in the arena. -1: it cannot be written as JSON. */
int ingest_value_any(const struct ingest_value *value, struct ck_str *text, struct ck_arena *arena,
                     struct ck_err *err);

/* Iterates over the members of an object, in any order. A duplicate name comes up twice in
 * MessagePack, and once, with its last value, in JSON. */
struct ingest_members {
  json_t *json; /* NULL: it is MessagePack */
  void *next;
  const json_t *value;
  struct ck_reader reader;
  uint32_t left;
  struct ck_str packed;
};

struct ingest_members ingest_members_of(const struct ingest_value *object);
/* Advances to the next member. False: there are no more. name is empty if it is not text. */
bool ingest_members_next(struct ingest_members *m, struct ck_str *name);
/* The value of the current member. */
struct ingest_value ingest_members_value(const struct ingest_members *m, struct ck_arena *arena);

#endif
