/* Answers for people: aligned tables, colour where a terminal shows it, and text of unknown origin
 * made harmless.
 *
 * Everything that came from outside goes through cli_safe_text: a message's text may hold control
 * sequences that would command the terminal.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdio.h>
#include <jansson.h>
#include "proto/text.h"

enum cli_style { CLI_PLAIN, CLI_DIM, CLI_BOLD, CLI_GREEN, CLI_YELLOW, CLI_RED };

/* Appends s without control characters: folded to single blanks, or, with lines set, line breaks
 * and tabs kept. What is not UTF-8 becomes U+FFFD. */
void cli_safe_text(struct ck_buf *b, struct ck_str s, bool lines);

/* Columns of a terminal that s takes. s is UTF-8 without control characters. */
size_t cli_width(struct ck_str s);

/* "12,345" */
void cli_count_text(struct ck_buf *b, uint64_t n);

/* Appends text in that style; only the text when colour is false. */
void cli_paint(struct ck_buf *b, bool colour, enum cli_style style, struct ck_str text);

/* A table that is filled cell by cell, row by row. A title that starts with '>' aligns its column
 * to the right. Titles NULL: none are shown. */
struct cli_table;
struct cli_table *cli_table_new(int columns, const char *const *titles);
void cli_table_cell(struct cli_table *t, enum cli_style style, struct ck_str text);
void cli_table_free(struct cli_table **t);
/* Appends the lines. width: the last column is cut where a line would be longer; 0 for never. */
void cli_table_render(const struct cli_table *t, struct ck_buf *out, size_t width, bool colour);

/* What standard output is: its width (0 when it is no terminal) and whether colour is wanted. */
size_t cli_terminal_width(void);
bool cli_colour(void);
/* Renders to standard output and frees the table. */
void cli_table_print(struct cli_table **t);
void cli_print(struct ck_buf *b); /* writes and clears it */

/* A column's value as text for a cell: NULL and missing give "", integers their digits. Appends. */
void cli_json_text(struct ck_buf *b, const json_t *value);
/* The member's text or "" (not for keeping beyond the object's life). */
const char *cli_member(const json_t *object, const char *name);
int64_t cli_member_int(const json_t *object, const char *name, int64_t otherwise);

#endif
