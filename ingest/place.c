/* See place.h. */
#include "ingest/place.h"

#include <stdio.h>

void ingest_place_text(char out[INGEST_PLACE_TEXT], const struct ingest_place *place,
                       const char *element, struct ck_str id) {
  const char *what = element ? element : place->lines ? "line" : "element";
  unsigned long long n = !element && place->lines ? place->line : place->index;
  struct ck_str shown = ck_utf8_cut(id, 200);
  if (shown.n)
    snprintf(out, INGEST_PLACE_TEXT, "%s %llu (id %.*s)", what, n, (int)shown.n, shown.s);
  else
    snprintf(out, INGEST_PLACE_TEXT, "%s %llu", what, n);
}
