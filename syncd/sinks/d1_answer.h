/* Reads D1's answers; pure. */
#ifndef SYNCD_D1_ANSWER_H
#define SYNCD_D1_ANSWER_H

#include <jansson.h>

#include "syncd/batches/plan.h"
#include "syncd/sinks/sink.h"

/* Parses an answer. NULL if it is no success; *a then says why. The caller decrefs. */
json_t *sync_d1_success(struct sync_answer *a, long http, struct ck_str body);

/* Reads the answer to a request made of these n statements. Rows that it names as orphans are
 * marked SYNC_ROW_EARLY in the slice. */
void sync_d1_answer(struct sync_answer *a, long http, struct ck_str body, struct sync_slice *slice,
                    const struct sync_statement *st, size_t n);

#endif
