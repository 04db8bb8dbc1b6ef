/* JSON text, MessagePack values and records as jansson's values, and back. */
#ifndef CK_PROTO_JSON_H
#define CK_PROTO_JSON_H

#include <jansson.h>

#include "proto/pack.h"
#include "proto/records.h"

/* The value of JSON text: what json_loadb with JSON_DECODE_ANY and JSON_ALLOW_NUL gives, also after
 * a byte order mark, and several times as fast. NULL, and *error is filled: it is not valid. The
 * caller json_decrefs it. */
json_t *ck_json_parse(struct ck_str text, json_error_t *error);

/* A MessagePack value as JSON, or NULL if it is malformed. The caller json_decrefs it. */
json_t *ck_json_of(struct ck_str value);

/* Appends JSON as MessagePack. -1: it is nested deeper than CK_DEPTH_MAX; b is then as it was. */
int ck_put_json(struct ck_buf *b, const json_t *value);

/* A row as it is shown to others: the columns of the six tables that are mirrored, and of a
 * conversation what it says of its follow-ups, as an object in `renewal`. The caller json_decrefs
 * it. */
json_t *ck_record_json(enum ck_table which, const json_t *row);

#endif
