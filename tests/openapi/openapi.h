/* docs/openapi.yaml as JSON, and whether a value is as a schema of it has it. */
#ifndef CK_TESTS_OPENAPI_H
#define CK_TESTS_OPENAPI_H

#include <jansson.h>

/* The file as JSON, which the caller json_decrefs. NULL: it is not there, or is no YAML; *why, on
 * the heap, says what is wrong, or is NULL if it is not there. */
json_t *t_openapi_read(const char *path, char **why);

/* What `at` is, or what it refers to with $ref; borrowed. */
const json_t *t_openapi_of(const json_t *doc, const json_t *at);

/* Calls each for each operation, in the file's order. */
void t_openapi_each(const json_t *doc,
                    void (*each)(void *self, const char *method, const char *path,
                                 const json_t *operation),
                    void *self);

/* What is wrong with the value, and where, on the heap; NULL: nothing. A member that the schema
 * does not have is wrong, unless its additionalProperties say something else. Of the schemas it
 * knows what docs/openapi.yaml uses. */
char *t_openapi_wrong(const json_t *doc, const json_t *schema, const json_t *value);

#endif
