/* What `convkeep doctor` has found when it last ran: it is run when a person wants it, beside webd,
 * because it may take minutes. */
#ifndef WEBD_ASK_DOCTOR_H
#define WEBD_ASK_DOCTOR_H

#include "webd/ask/command.h"

struct web_doctor;

/* commands must last. */
struct web_doctor *web_doctor_new(struct web_commands *commands);
/* After the commands. Sets *d to NULL; *d may be NULL. */
void web_doctor_free(struct web_doctor **d);

/* Runs it, unless it runs. 0, or -1 with the reason. */
int web_doctor_run(struct web_doctor *d, struct ck_err *err);

/* How it stands; valid until the next step. */
struct web_examination {
  bool runs;
  int64_t began_at, ended_at; /* wall; 0: it has not */
  const json_t *lines;        /* docs/cli.md, doctor */
  const char *error;          /* why it did not come to its end; "" */
};
struct web_examination web_doctor_said(const struct web_doctor *d);

#endif
