/* What is searched: messages with what tools were told and said, and titles of conversations, as
 * the database has them. On a connection of one thread, inside its read transactions. */
#ifndef CK_STORE_SEARCH_SOURCE_H
#define CK_STORE_SEARCH_SOURCE_H

#include "store/search/index.h"

/* Of what the tools of one message were told and said, so many bytes are searched. */
#define SEARCH_TOOL_MAX (1u << 20)

struct search_source;

struct search_source *search_source_new(sqlite3 *db, struct ck_err *err);
void search_source_free(struct search_source **s);

/* Reads the messages and titles that have changed after the version `after`, a chunk of them: in a
 * short transaction of its own. *upto: with them, all records up to this version are read. *more:
 * there are more. The items live until the next call. Returns how many, or -1. */
int search_source_chunk(struct search_source *s, uint64_t after, const struct search_item **items,
                        uint64_t *upto, bool *more, struct ck_err *err);

/* True if a tool was told, or said, what the message says: its role is `tool`, or its details name
 * it a call or a result. Then its text is searched as what its tools say. */
bool search_source_is_tools(struct search_source *s, struct ck_str role, struct ck_str details);

/* Makes *out what the tools of a message were told and said: `own`, which the message itself says
 * of it, then its executions, of these at most SEARCH_TOOL_MAX bytes. What is JSON is decoded
 * (decode.h). 0 or -1. */
int search_source_tools(struct search_source *s, struct ck_str message_id, struct ck_str own,
                        struct ck_buf *out, struct ck_err *err);

#endif
