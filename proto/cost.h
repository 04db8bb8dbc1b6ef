/* What something costs, as a person writes it: "2.5", in whatever currency; kept in millionths.
 * Pure. */
#ifndef CK_PROTO_COST_H
#define CK_PROTO_COST_H

#include <stdint.h>

#include "proto/error.h"
#include "proto/text.h"

#define CK_COST_ONE INT64_C(1000000)
#define CK_COST_MAX (1000000 * CK_COST_ONE)

/* A number from 0 to a million, with up to 6 decimals after a point. 0 or -1. */
int ck_cost_parse(struct ck_str text, int64_t *millionths, struct ck_err *err);
/* The millionths nearest to that; 0 of what is negative or no number; CK_COST_MAX of more. */
int64_t ck_cost_of(double cost);
/* Appends it in the same form, without zeros at its end. */
void ck_cost_text(struct ck_buf *b, int64_t millionths);

#endif
