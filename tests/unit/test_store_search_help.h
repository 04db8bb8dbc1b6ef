/* The index of the search, made by its thread from a database in a folder of its own, and asked. */
#ifndef TEST_STORE_SEARCH_HELP_H
#define TEST_STORE_SEARCH_HELP_H

#include <criterion/criterion.h>

#include "store/context.h"
#include "store/search/ask.h"
#include "tests/unit/test_store_help.h"

extern struct context sx_context;
extern sqlite3 *sx_reader;             /* of the database */
extern struct search_answer sx_answer; /* the last one */

/* Before and after a test. */
void sx_enter(void);
void sx_leave(void);
/* Starts the thread that makes the index; stops it, with what is written indexed. */
void sx_start(void);
void sx_stop(void);
/* Waits until the index has all that is written. */
void sx_reached(void);

/* On the database. */
void sx_sql(const char *text);
/* Replaces the message of this id, if there is one. conversation NULL: none. */
void sx_put(const char *id, const char *conversation, const char *role, int64_t at,
            const char *text);
void sx_put_tool(const char *id, const char *message, const char *params, const char *result);
void sx_put_conversation(const char *id, const char *remote, const char *title, int64_t at);

/* The answer is in sx_answer. 0; -1: the index cannot be asked. */
int sx_try(const char *text, size_t limit, const char *cursor, bool rank);
/* The ids of the newest 20 hits, which must be all; of a title "title:" and the conversation's. */
const char *sx_ask(const char *text);

#define FINDS(query, ids) \
  do { \
    const char *got_ = sx_ask(query); \
    cr_expect_str_eq(got_, ids, "%s finds %s", query, got_); \
  } while (0)

#endif
