/* See forgotten.h. */
#include "ingest/forgotten.h"

#include <stdlib.h>

#include "proto/log.h"

static void add(struct ingest_forgotten *f, struct ck_str id) {
  if (!id.n) return;
  f->ids = ck_realloc(f->ids, (f->n + 1) * sizeof *f->ids);
  f->ids[f->n++] = ck_arena_copy(&f->arena, id);
}

static struct ck_str row_of(const struct ck_mutation *m) {
  bool put = m->kind == CK_OP_PUT && ck_table_named(m->as.put.table) == CK_MESSAGES;
  bool adopt = m->kind == CK_OP_ADOPT && ck_table_named(m->as.adopt.table) == CK_MESSAGES;
  return put                     ? m->as.put.row
         : adopt                 ? m->as.adopt.row
         : m->kind == CK_OP_COPY ? m->as.copy.row
                                 : (struct ck_str){0};
}

void ingest_forgotten_note(struct ingest_forgotten *f, struct ingest_spool *spool,
                           uint64_t number) {
  struct ck_str mutations;
  struct ck_mutation m;
  uint32_t n;
  if (!ingest_spool_get(spool, number, &mutations)) return;
  struct ck_reader r = ck_reader_of(mutations);
  if (ck_read_array(&r, &n)) return;
  for (; n && ck_mutation_decode(&m, &r, NULL) == 0; --n) {
    struct ck_str row = row_of(&m);
    if (row.n) add(f, ck_row_key_in(CK_MESSAGES, row));
  }
}

void ingest_forgotten_clean(struct ingest_forgotten *f) {
  struct ck_err err;
  if (!f->n) return;
  if (ck_quarantine_forget(CK_PLACE_UNKNOWN, f->ids, f->n, &err) ||
      ck_quarantine_forget(CK_PLACE_REFUSED, f->ids, f->n, &err)) {
    ck_log(CK_WARN, "-", "not_forgotten", "reason=%s", ck_quotedz(err.text));
    return;
  }
  ingest_forgotten_free(f);
}

void ingest_forgotten_free(struct ingest_forgotten *f) {
  free(f->ids);
  ck_arena_free(&f->arena);
  *f = (struct ingest_forgotten){0};
}
