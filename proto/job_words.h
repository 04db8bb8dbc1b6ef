/* What people are told of a follow-up job, on the command line and on the page. Pure. */
#ifndef CK_PROTO_JOB_WORDS_H
#define CK_PROTO_JOB_WORDS_H

#include "proto/text.h"

/* What a job waits for that is in that state of renewd's report (docs/renewal.md): a sentence.
 * NULL: the state says it by its own reason, or is unknown. */
const char *ck_job_held_words(struct ck_str state);

/* Appends where it goes: "webhook https://…", "exec claude", "client ff1". snapshot: JSON, a job's
 * target_snapshot; nothing if it has none. */
void ck_job_place(struct ck_buf *b, struct ck_str snapshot);

#endif
