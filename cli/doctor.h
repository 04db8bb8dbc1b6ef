/* What the checks of `doctor` that the command line makes itself share. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/client.h"

enum cli_finding { CLI_OK, CLI_NOTE, CLI_WRONG };

struct cli_doctor {
  struct cli *c;
  int wrong; /* so many checks found something */
};

/* Says how a check ended. advice: what to do, "" for nothing. */
void cli_found(struct cli_doctor *d, const char *check, enum cli_finding found, const char *advice, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Who may read keys and settings. In the data folder. */
void cli_check_permissions(struct cli_doctor *d);

/* What the spool holds, as its names say it (ingest/spool.h). */
struct cli_spool {
  char producer[64]; /* "": none */
  uint64_t released; /* the last number with a receipt, as far as was noted */
  uint64_t first;    /* the first number of the first segment; 0: no segment */
  struct ck_err odd; /* what lies there in place of a file, "": nothing */
};
void cli_spool_read(struct cli_spool *s);
/* …against what the store has applied of that producer. status: a STATUS answer that is younger. */
void cli_check_spool(struct cli_doctor *d, const struct cli_spool *s, const json_t *status);

#endif
