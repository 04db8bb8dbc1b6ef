/* What the stories of `search` share: messages and titles to be found, and asking for them. */
#ifndef CK_TESTS_FLOW_SEARCH_HELP_H
#define CK_TESTS_FLOW_SEARCH_HELP_H

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define AT(second) (1767348000000 + (second)*1000ll) /* 2026-01-02 10:00:00Z */

/* A message of the conversation of platform x; text may be any UTF-8. more: further columns, each
 * after a comma, with ' instead of ". Fails unless the store's answer is `result`. */
void say(struct t_producer *p, char result, const char *conversation, const char *id,
         const char *role, const char *text, int second, const char *more);
/* The conversation x:NAME with this title, and its link. */
void converse(struct t_producer *p, char result, const char *name, const char *title, int second);

/* Asks the door once: *q is completed by the defaults, limit 0 being 100. The answer as an object
 * {hits, count, more, cursor, behind, cut} that the caller decrefs. */
json_t *ask_door(struct ck_search q);
/* The same, once everything is in the index that is stored. */
json_t *ask_when_indexed(struct ck_search q);
#define t_search(...) ask_when_indexed((struct ck_search){__VA_ARGS__})

/* The message_ids of the answer's hits with blanks between them, "-" for a title, in the order in
 * which they came, or sorted. The caller frees it, and the answer is decrefed. */
char *ids_of(json_t *answer, bool sorted);
/* Fails unless the query finds these ids, in this order. */
void finds(const char *query, const char *want);

#endif
