/* Runs `convkeep` on a terminal of its own. */
#ifndef CK_TESTS_HARNESS_TERMINAL_H
#define CK_TESTS_HARNESS_TERMINAL_H

#include "tests/harness/process.h"

/* Runs `convkeep` with these words on the test's data folder, with a pseudo-terminal of so many
 * columns as its standard output and error. What it writes there is `out`, unchanged; `err` is
 * empty. Fails if it has not ended after 60 s. The caller frees with t_result_free. */
struct t_result t_terminal_words(unsigned short columns, const char *const words[]);
#define t_terminal(columns, ...) t_terminal_words(columns, (const char *const[]){__VA_ARGS__, NULL})

#endif
