/* What D1 answered: pure. */
#ifndef SYNCD_D1_ANSWER_H
#define SYNCD_D1_ANSWER_H

#include <jansson.h>

#include "syncd/batches/plan.h"
#include "syncd/sinks/sink.h"

/* Reads an answer's JSON. NULL where it is no success; a says then what it is. The caller decrefs.
 */
json_t *sync_d1_success(struct sync_answer *a, long http, struct ck_str body);

/* Reads the answer of a request made of these statements. Orphans that it names are marked
 * SYNC_ROW_EARLY in the slice. */
void sync_d1_answer(struct sync_answer *a, long http, struct ck_str body, struct sync_slice *slice,
                    const struct sync_statement *st, size_t n);

#endif
