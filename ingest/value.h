/* A value of an observation: JSON that jansson has parsed, or MessagePack as it came through the
 * door. The rules in observation.c see no difference, and neither does what becomes of it:
 * MessagePack that is not plain text or an integer goes through the JSON that docs/cli.md speaks
 * of. */
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
  INGEST_NO_TEXT /* text that is not UTF-8 */
};

/* Borrows from what it was made of. */
struct ingest_value {
  enum ingest_type type;
  struct ck_str text; /* of INGEST_TEXT */
  int64_t integer;    /* of INGEST_INTEGER */
  const json_t *json; /* NULL: it is MessagePack */
  struct ck_str packed;
};

/* json may be NULL: missing. */
struct ingest_value ingest_value_json(const json_t *json);
/* packed: exactly one value that ck_scan has passed. The arena holds what had to be made. */
struct ingest_value ingest_value_packed(struct ck_str packed, struct ck_arena *arena);

/* "an object", "text", "null", … */
const char *ingest_value_type(const struct ingest_value *value);

/* As text: text as it is, null and missing empty, anything else as compact JSON in the arena. -1:
 * it cannot be written as JSON. */
int ingest_value_any(const struct ingest_value *value, struct ck_str *text, struct ck_arena *arena,
                     struct ck_err *err);

/* The members of an object, in any order. A name that is given twice comes twice where it is
 * MessagePack, and once, with the last value, where it is JSON. */
struct ingest_members {
  json_t *json; /* NULL: it is MessagePack */
  void *next;
  const json_t *value;
  struct ck_reader reader;
  uint32_t left;
  struct ck_str packed;
};

struct ingest_members ingest_members_of(const struct ingest_value *object);
/* False: there are no more. name is empty for a name that is no text. */
bool ingest_members_next(struct ingest_members *m, struct ck_str *name);
/* The value of the member that was last given. */
struct ingest_value ingest_members_value(const struct ingest_members *m, struct ck_arena *arena);

#endif
