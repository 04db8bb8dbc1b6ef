/* How rows of the store's tables are shown and asked for. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/client.h"
#include "proto/records.h"

/* A kind of rows that `list` knows: the six tables, and two that tell what went wrong. */
struct cli_kind {
  const char *word;    /* on the command line */
  const char *table;   /* in a QUERY */
  const char *filters; /* a|b|c: the columns that may be asked for */
  const struct cli_column *columns;
};

/* By the command line's word or the table's name; NULL when there is none such. */
const struct cli_kind *cli_kind_named(const char *word);
extern const struct cli_kind cli_kinds[];
#define CLI_KINDS 8

/* "--next-attempt-at-max" or "next_attempt_at_max" → the QUERY's column, with the value checked and
 * read. 0, or -1 with the reason. value must live as long as filter. */
int cli_filter_parse(const struct cli_kind *kind, const char *name, const char *value, int64_t now,
                     struct cli_filter *filter, struct ck_err *err);

/* Prints the rows for people, newest first as they came, nothing when there are none. indent: put
 * in front of each line. */
void cli_rows_print(const struct cli_kind *kind, const json_t *rows, int64_t now);
/* Prints one record, every column with its value, long text last. */
void cli_record_print(enum ck_table table, const json_t *row, int64_t now);
/* Prints a value as one line of JSON. */
void cli_json_line(const json_t *value);

/* Adds lease_state (running | unknown) to the job rows that are running, from the store's leases.
 * CLI_GO_ON or the exit code. */
int cli_add_leases(struct cli *c, json_t *jobs);

#endif
