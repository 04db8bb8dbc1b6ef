/* One request of docs/openapi.yaml after another, of which each answer is compared with it; and
 * what was taken, to be sent again otherwise. For openapi.c. */
#ifndef CK_TESTS_WEB_OPENAPI_ASK_H
#define CK_TESTS_WEB_OPENAPI_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "tests/openapi/openapi.h"

struct operation {
  const char *method, *path;
  const json_t *as; /* what is documented */
};

/* Reads the file, and frees what is kept of it. */
void o_open(void);
void o_close(void);
const json_t *o_document(void);
/* Whose requests are taken: a token with all scopes. */
void o_use(const char *token);

/* The operation; fails unless it is documented. */
struct operation o_operation(const char *method, const char *path);
/* The schema of its body that is JSON, and of the data of its events; NULL: it has none. */
const json_t *o_body(const struct operation *o);
const json_t *o_events(const struct operation *o);
/* The path with this in place of the part in braces, on the heap. */
char *o_path(const char *of, const char *part);

/* Asks; fails unless the answer has that status (0: any), and status, type, headers and members are
 * documented. The answer, borrowed until the end of the test; NULL: it is no object. */
json_t *o_ask(const struct operation *o, int status, const char *path, const char *token,
              const char *headers, const char *body);
/* The same with the token that all use, of what is taken: its body, JSON with ' for ", must be as
 * documented too, and is kept. */
json_t *o_take(int status, const char *method, const char *of, const char *path, const char *body);
/* What was kept of the operation: [{path, body}]; fails if nothing was. */
const json_t *o_taken(const struct operation *o);
/* The first of them: its path; and its body as text, on the heap, NULL: it has none. */
const char *o_first_path(const struct operation *o);
char *o_first_body(const struct operation *o);

/* The same answer later: sends the first of what was taken, and what comes back is awaited and
 * compared by the second, which returns the status. */
int o_send(const struct operation *o);
int o_receive(const struct operation *o, int fd);

#endif
