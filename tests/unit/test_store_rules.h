/* What the tests of the rules share. */
#ifndef CK_TEST_STORE_RULES_H
#define CK_TEST_STORE_RULES_H

#include "test_store_help.h"

#include "store/write/rules.h"

/* For each table a record, as JSON, that gives what is required and nothing else. */
extern const char *const rules_least[CK_TABLES];

#endif
