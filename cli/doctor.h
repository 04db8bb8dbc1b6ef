/* What the files of `convkeep doctor` share. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/cli.h"
#include "proto/finding.h"

struct cli_doctor {
  struct cli *c;
  int wrong; /* the number of checks that ended with CK_FOUND_WRONG */
};

/* Reports the result of a check. advice: what to do; "" for nothing. */
void cli_doctor_found(struct cli_doctor *d, const char *check, enum ck_finding how,
                      const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* The checks `curve` and `forgotten`, and of `spool` the files for people: small files that only
 * the command line knows. They are shown only if the files are there, or if they are wrong. */
void cli_doctor_files(struct cli_doctor *d);

/* The rest of the check `forgotten`, on a connection to the store: is all in the file that the
 * database knows? Says only what is not. CLI_GO_ON, or the exit code after reporting the error. */
int cli_doctor_unnoted(struct cli_doctor *d);

#endif
