/* The stored format of the originals, and what their columns hold. */
#include <string.h>

#include "proto/sha256.h"
#include "store/originals/internal.h"

/* blocks: id: the first half of the SHA-256 of the data, in hexadecimal digits; bytes: of what is
 * in it, uncompressed. state: coming  some parts are there whole   all are gone    its originals
 * are in another block now; its parts are deleted one after another
 *
 * originals: id: the first half of the SHA-256 of the original, 16 bytes; conversation: a hash of
 * platform and conversation, 0 for none or several. Both are short because there may be as many
 * originals as conversations, times the exports of each. log: which log's run it is, if its lines
 * depend on those of the runs before it, in the order of age; 0 for none. lines, window, chain,
 * chain_end: of such a run, as in struct ck_original. The same lines may be several runs of logs,
 * at several places.
 *
 * originals_grown: conversations that have several originals, to be packed together. logs_grown:
 * logs that have several runs, to be joined: how many came since that was last done; and the window
 * up to which it is done.
 *
 * forgotten_originals, forgotten_logs: what is kept out, because of what was forgotten.
 *
 * An index on `original` alone would have an entry for each record that no original gave. */
const char originals_schema[] =
    "CREATE TABLE blocks (block INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " bytes INTEGER NOT NULL, parts INTEGER NOT NULL, state TEXT NOT NULL) STRICT;"
    "CREATE INDEX blocks_gone ON blocks (block) WHERE state = 'gone';"
    "CREATE TABLE block_parts (block INTEGER NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY (block, part)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE originals (original INTEGER PRIMARY KEY, id BLOB NOT NULL,"
    " block INTEGER NOT NULL, at INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " conversation INTEGER NOT NULL, age INTEGER NOT NULL, reader TEXT NOT NULL,"
    " messages INTEGER NOT NULL, executions INTEGER NOT NULL, log INTEGER NOT NULL,"
    " lines INTEGER NOT NULL, window INTEGER NOT NULL, chain BLOB NOT NULL,"
    " chain_end BLOB NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX originals_id ON originals (" ORIGINALS_UNIQUE ");"
    "CREATE INDEX originals_block ON originals (block);"
    "CREATE INDEX originals_conversation ON originals (conversation, age) WHERE conversation <> 0;"
    "CREATE INDEX originals_log ON originals (log, window) WHERE log <> 0;"
    "CREATE TABLE originals_grown (conversation INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE logs_grown (log INTEGER PRIMARY KEY, runs INTEGER NOT NULL,"
    " upto INTEGER NOT NULL) STRICT;"
    "CREATE TABLE forgotten_originals (id BLOB NOT NULL, forgotten_with TEXT NOT NULL,"
    " PRIMARY KEY (id, forgotten_with)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE forgotten_logs (log INTEGER NOT NULL, forgotten_with TEXT NOT NULL,"
    " PRIMARY KEY (log, forgotten_with)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX messages_original ON messages (original) WHERE original IS NOT NULL;"
    "CREATE INDEX executions_original ON executions (original) WHERE original IS NOT NULL;";

static unsigned digit(char c) { return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10); }

void original_key(struct ck_str id, unsigned char key[ORIGINAL_KEY]) {
  for (size_t i = 0; i < ORIGINAL_KEY; ++i)
    key[i] = (unsigned char)(digit(id.s[2 * i]) << 4 | digit(id.s[2 * i + 1]));
}

int64_t original_conversation(struct ck_str platform, struct ck_str conversation) {
  unsigned char hash[CK_SHA256_BYTES];
  struct ck_sha256 h;
  int64_t value;
  if (conversation.n == 0) return 0;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, platform);
  ck_sha256_add(&h, (struct ck_str){"", 1}); /* a NUL between the two */
  ck_sha256_add(&h, conversation);
  ck_sha256_end(&h, hash);
  memcpy(&value, hash, sizeof value);
  return value ? value : 1;
}

void original_bind(sqlite3_stmt *s, const unsigned char key[ORIGINAL_KEY]) {
  sqlite3_reset(s);
  sqlite3_bind_blob(s, 1, key, ORIGINAL_KEY, SQLITE_STATIC);
}
