/* Which rows `list` and `show` know, how they are filtered, and how they are printed. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/client.h"
#include "proto/records.h"

/* A list that `list` knows: the six tables, accounts, attachments, dead letters and refusals. */
struct cli_kind {
  const char *word;  /* on the command line */
  const char *table; /* in a QUERY; its filters are in proto/filters.h */
  const struct cli_column *columns;
  const struct cli_option *filters; /* each as an option; its `at` has no meaning */
};

/* By the command-line word or the table's name; NULL if unknown. */
const struct cli_kind *cli_kind_named(const char *word);
extern const struct cli_kind cli_kinds[];
#define CLI_KINDS 10
/* The words of all kinds. */
#define CLI_KIND_WORDS \
  "conversations|messages|executions|sessions|links|jobs|accounts|attachments|dead-letters|" \
  "refusals"
/* Appends each kind with its filters, for the help of `list`. */
void cli_help_filters(struct ck_buf *b);

/* Makes a query filter of one option, such as "next-attempt-at-max" or "next_attempt_at_max", and
 * checks its value. now: for relative times, in ms. 0, or -1 with the reason in err. filter points
 * to value, so value must outlive it. */
int cli_filter_parse(const struct cli_kind *kind, const char *name, const char *value, int64_t now,
                     struct cli_filter *filter, struct ck_err *err);

/* The table of which a filter takes an id; CK_TABLES: it takes something else. */
enum ck_table cli_filter_table(const struct cli_kind *kind, const char *filter);

/* Gives rows of conversations what the list shows of them, such as the time by which it is sorted
 * (one of CK_SORTS). */
void cli_rows_of_conversations(json_t *rows, const char *sort);
/* Shows the ids in the rows as short as they are alone: conversations and jobs among all that there
 * are, others in the list. Returns CLI_GO_ON, or the exit code after reporting the error. */
int cli_rows_shorten(struct cli *c, const struct cli_kind *kind, json_t *rows);
/* Prints the rows as a table, in the order given; prints nothing if there are none. whole: nothing
 * is cut but a conversation's title, however long the lines become. */
void cli_rows_print(const struct cli_kind *kind, const json_t *rows, bool whole, int64_t now);
/* Prints one record: each mirrored column that has a value, long texts last. */
void cli_record_print(enum ck_table table, const json_t *row, int64_t now);
/* Appends what is said of a conversation's follow-ups (proto/renewal.h). */
void cli_follow_ups_text(struct ck_buf *b, const json_t *row);
/* Prints the record as one line of JSON (ck_record_json). */
void cli_record_line(enum ck_table table, const json_t *row);
/* The row of an object of the store's answers: the columns that it has. Text is borrowed. */
void cli_row_of(struct ck_row *row, enum ck_table table, const json_t *object);
/* Prints a value as one line of JSON. */
void cli_json_line(const json_t *value);

#endif
