/* Shared by the files of this folder. For no other file. */
#ifndef CK_STORE_ORIGINALS_INTERNAL_H
#define CK_STORE_ORIGINALS_INTERNAL_H

#include "store/originals/originals.h"
#include "store/originals/unpack.h"

#define ORIGINAL_KEY (CK_ORIGINAL_ID / 2) /* bytes of originals.id */

/* Of what there is one original each: its bytes; of a run of a log also its place there, and what
 * is before it. */
#define ORIGINALS_UNIQUE "id, log, iif(log = 0, 0, age), chain"

/* The bytes of an id, which must be one. */
void original_key(struct ck_str id, unsigned char key[ORIGINAL_KEY]);

/* What stands for a conversation in originals.conversation; 0 for none. */
int64_t original_conversation(struct ck_str platform, struct ck_str conversation);

/* Resets s and binds the key to its parameter 1. */
void original_bind(sqlite3_stmt *s, const unsigned char key[ORIGINAL_KEY]);

/* ---- what a reader asks ---- */

/* Whole originals, as o. */
#define ORIGINALS_THERE " FROM originals o JOIN blocks b ON b.block = o.block AND b.state = 'whole'"

/* What was forgotten is not shown while it is being deleted. */
#define ORIGINALS_STAYS " AND o.id NOT IN (SELECT id FROM forgotten_originals)"

/* S(NAME, sql). INCOMPLETE: a conversation that has no link to a conversation here, or fewer
 * messages in its sessions than there are. The count of a session is never taken back, so it may be
 * greater. */
#define ORIGINALS_READ_LIST(S) \
  S(GET, "SELECT o.messages, o.executions, o.reader, o.conversation, o.age" ORIGINALS_THERE \
         " WHERE o.id = ?1") \
  S(COUNT, "SELECT (SELECT count(*) FROM messages WHERE original = ?1)," \
           " (SELECT count(*) FROM executions WHERE original = ?1)") \
  S(INCOMPLETE, \
    "SELECT 1 FROM (SELECT DISTINCT platform AS p, conversation_id AS c FROM" \
    " (SELECT platform, conversation_id FROM messages WHERE original = ?1 LIMIT ?2))" \
    " WHERE c IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM conversation_links l" \
    " JOIN local_conversations USING (local_conversation_id)" \
    " WHERE l.platform = p AND l.remote_conversation_id = c)" \
    " OR (SELECT coalesce(sum(message_count), 0) FROM sessions WHERE conversation_id = c)" \
    " < (SELECT count(*) FROM messages WHERE conversation_id = c))") \
  S(BETWEEN, "SELECT o.id, o.block, o.at, o.bytes" ORIGINALS_THERE \
             " WHERE o.id BETWEEN ?1 AND ?2" ORIGINALS_STAYS " GROUP BY o.id LIMIT 2") \
  S(NEWEST, "SELECT o.id, o.block, o.at, o.bytes" ORIGINALS_THERE \
            " WHERE o.conversation = ?1 AND o.conversation <> 0" ORIGINALS_STAYS \
            " ORDER BY o.age DESC, o.id DESC LIMIT 1")

enum originals_read {
#define ORIGINALS_READ_NAME(NAME, sql) READ_##NAME,
  ORIGINALS_READ_LIST(ORIGINALS_READ_NAME)
#undef ORIGINALS_READ_NAME
      READ_STATEMENTS
};

struct originals_reader {
  sqlite3 *db;
  sqlite3_stmt *s[READ_STATEMENTS];
  struct unpack *unpack;
};

/* Resets the statement after an error of the database. Returns -1. */
int originals_read_failed(struct originals_reader *r, enum originals_read name, struct ck_err *err);

#endif
