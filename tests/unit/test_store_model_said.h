/* What the tests of the store's model say when something differs. */
#ifndef CK_TEST_STORE_MODEL_SAID_H
#define CK_TEST_STORE_MODEL_SAID_H

#include "test_store_help.h"
#include "test_store_model.h"

/* A value, for people; the caller does not free it. */
const char *m_said(const struct m_value *v);
/* A column of a row that the store has. */
struct m_value m_stored(sqlite3_stmt *q, int c);
/* Of a changeset, each mutation by its kind, its table and its key. Valid until the next call. */
const char *m_named(const struct m_mutation *list, int n);
/* How a row of `leases` (job, attempt, token, state, at), or of `automation` (conversation, since),
 * is not as the model has it: a sentence that the caller frees; NULL: it is. */
char *m_lease_differs(const struct m_state *s, sqlite3_stmt *row);
char *m_automation_differs(const struct m_state *s, sqlite3_stmt *row);
/* How a row of `forgotten` (id, table, key, with, platform, conversation, path, at, taken_back,
 * version) is not as the model has it: a sentence that the caller frees; NULL: it is. */
char *m_gone_differs(const struct m_state *s, sqlite3_stmt *row);

#endif
