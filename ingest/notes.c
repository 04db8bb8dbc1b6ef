/* See notes.h. */
#include "ingest/notes.h"

#include <stdlib.h>

#include "ingest/parse/json.h"

#define KIND_MAX 200

void ingest_notes_add(struct ingest_notes *notes, struct ck_str kind, uint64_t n) {
  char shown[KIND_MAX + 1];
  kind = ingest_clean(shown, sizeof shown, kind);
  unsigned i = 0;
  while (i < notes->kinds && !ck_str_is(kind, notes->list[i].kind)) ++i;
  if (i == CK_NOTES_MAX) {
    notes->others += n;
    return;
  }
  if (i == notes->kinds) notes->list[notes->kinds++] = (struct ingest_note){ck_str_dup(kind), 0};
  notes->list[i].count += n;
}

void ingest_notes_encode(struct ck_buf *b, const struct ingest_notes *notes) {
  ck_put_map(b, notes->kinds + (notes->others > 0));
  for (unsigned i = 0; i < notes->kinds; ++i) {
    ck_put_text(b, notes->list[i].kind);
    ck_put_uint(b, notes->list[i].count);
  }
  if (!notes->others) return;
  ck_put_text(b, CK_NOTES_OTHER);
  ck_put_uint(b, notes->others);
}

void ingest_notes_free(struct ingest_notes *notes) {
  for (unsigned i = 0; i < notes->kinds; ++i) free(notes->list[i].kind);
  *notes = (struct ingest_notes){0};
}
