/* What a follow-up says: a text, a JSON document, or a template, which is filled in when the
 * follow-up is made.
 *
 *   {title}   the conversation's title; "untitled" if it has none
 *   {last}    the message that is followed up; of a longer one its last CK_PAYLOAD_LAST bytes
 *   {count}   the number of this follow-up: 1 for the conversation's first one
 *   {date}    the day on which it is made, 2026-11-30, and
 *   {time}    the time, 07:05, by the clocks of a time zone
 *   {{        a brace
 *
 * What is filled in is never looked at for placeholders again. Pure. */
#ifndef CK_PROTO_PAYLOAD_H
#define CK_PROTO_PAYLOAD_H

#include <stdint.h>

#include "proto/error.h"
#include "proto/text.h"

/* In the order of CK_PAYLOAD_KINDS. */
enum ck_payload_kind { CK_PAYLOAD_TEXT, CK_PAYLOAD_JSON, CK_PAYLOAD_TEMPLATE };
#define CK_PAYLOAD_KINDS "text|json|template"
#define CK_PAYLOAD_LAST 2000

/* The kind of that name; -1: there is none. */
int ck_payload_kind(struct ck_str name);
const char *ck_payload_kind_name(enum ck_payload_kind kind);

/* 0; or -1 with the reason: it is blank, is no JSON, or has a placeholder that is not known. */
int ck_payload_check(struct ck_str payload, enum ck_payload_kind kind, struct ck_err *err);

struct ck_payload_facts {
  struct ck_str title, last;
  int64_t count;
  int64_t shown; /* what the clocks show, as seconds since 1970-01-01 */
};

/* Appends the template, filled in. A placeholder that is not known stays as it is. */
void ck_payload_fill(struct ck_buf *b, struct ck_str template,
                     const struct ck_payload_facts *facts);

#endif
