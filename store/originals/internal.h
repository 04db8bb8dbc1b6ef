/* Shared by the files of this folder. For no other file. */
#ifndef CK_STORE_ORIGINALS_INTERNAL_H
#define CK_STORE_ORIGINALS_INTERNAL_H

#include "store/originals/originals.h"

#define ORIGINAL_KEY (CK_ORIGINAL_ID / 2) /* bytes of originals.id */

/* The bytes of an id, which must be one. */
void original_key(struct ck_str id, unsigned char key[ORIGINAL_KEY]);

/* What stands for a conversation in originals.conversation; 0 for none. */
int64_t original_conversation(struct ck_str platform, struct ck_str conversation);

/* Resets s and binds the key to its parameter 1. */
void original_bind(sqlite3_stmt *s, const unsigned char key[ORIGINAL_KEY]);

#endif
