/* What the readers' questions share: HAVE (have.c) and FETCH (fetch.c). */
#include <stdlib.h>

#include "store/originals/internal.h"

static const char *const texts[] = {
#define TEXT_OF(NAME, sql) sql,
    ORIGINALS_READ_LIST(TEXT_OF)
#undef TEXT_OF
};

struct originals_reader *originals_reader_new(sqlite3 *db, struct ck_err *err) {
  struct originals_reader *r = ck_zalloc(sizeof *r);
  r->db = db;
  bool ok = (r->unpack = unpack_new(db, err)) != NULL;
  for (int i = 0; ok && i < READ_STATEMENTS; ++i)
    ok = (r->s[i] = db_prepare(db, texts[i], err)) != NULL;
  if (!ok) originals_reader_free(&r);
  return r;
}

void originals_reader_free(struct originals_reader **reader) {
  struct originals_reader *r = *reader;
  if (!r) return;
  for (int i = 0; i < READ_STATEMENTS; ++i) sqlite3_finalize(r->s[i]);
  unpack_free(&r->unpack);
  free(r);
  *reader = NULL;
}

int originals_read_failed(struct originals_reader *r, enum originals_read name,
                          struct ck_err *err) {
  db_fail(r->db, texts[name], err);
  sqlite3_reset(r->s[name]);
  return -1;
}

bool originals_reader_continues(const struct originals_reader *r) {
  return unpack_continues(r->unpack);
}

void originals_reader_rest(struct originals_reader *r) { unpack_rest(r->unpack); }
