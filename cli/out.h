/* Output for people: aligned tables, colour on terminals, and safe printing of untrusted text.
 *
 * All text from outside goes through cli_safe_text: a message may contain control sequences that
 * would command the terminal. Functions taking a ck_buf append to it.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdio.h>
#include <jansson.h>
#include "proto/text.h"

enum cli_style { CLI_PLAIN, CLI_DIM, CLI_BOLD, CLI_GREEN, CLI_YELLOW, CLI_RED };

/* Appends s made safe to print: what a terminal would obey (control characters, marks that change
 * the order of characters) is shown by its code, as by ck_visible_text(); white space is folded to
 * single blanks. lines: line breaks, tabs and blanks are kept. */
void cli_safe_text(struct ck_buf *b, struct ck_str s, bool lines);

/* Appends text as one word for a shell, quoted. */
void cli_shell_quoted(struct ck_buf *b, const char *text);
/* The same, quoted only if it has to be. */
void cli_shell_word(struct ck_buf *b, const char *text);

/* Appends text in this style; plain if colour is false. */
void cli_paint(struct ck_buf *b, bool colour, enum cli_style style, struct ck_str text);

/* A table, filled cell by cell, row by row. A title that starts with '>' right-aligns its column;
 * the column whose title starts with '~' (else the last) is cut when lines are too long, then those
 * whose titles do not start with '='. titles NULL: no title line. Cells are copied and go through
 * cli_safe_text. */
struct cli_table;
struct cli_table *cli_table_new(int columns, const char *const *titles);
void cli_table_cell(struct cli_table *t, enum cli_style style, struct ck_str text);
/* A line of a table of two columns: what it is about, and the text, which is cleared. */
void cli_line(struct cli_table *t, const char *what, enum cli_style style, struct ck_buf *text);
/* Nothing is cut in it, however long its lines are. */
void cli_table_whole(struct cli_table *t);
void cli_table_free(struct cli_table **t);
/* Appends the table. width: what lines are cut to; 0: no limit. */
void cli_table_render(const struct cli_table *t, struct ck_buf *out, size_t width, bool colour);

/* Whether standard output is a terminal, or was before a pager was started; its width and height (0
 * if it is none), and whether to use colour. */
bool cli_on_terminal(void);
size_t cli_terminal_width(void);
size_t cli_terminal_height(void);
bool cli_colour(void);
/* Prints the table to standard output and frees it. */
void cli_table_print(struct cli_table **t);
void cli_print(struct ck_buf *b); /* prints b and clears it */

/* Appends a value as text: strings as they are, integers as digits, null and missing as "". */
void cli_json_text(struct ck_buf *b, const json_t *value);
/* A member's text, or "" if it is missing or no string. Valid as long as the object. */
const char *cli_member(const json_t *object, const char *name);
/* A member's integer, or `otherwise`. */
int64_t cli_member_int(const json_t *object, const char *name, int64_t otherwise);

#endif
