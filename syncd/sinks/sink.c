/* The sinks by name, and the texts of answers (sink.h). */
#include "syncd/sinks/sink.h"

#include <string.h>

static const struct sync_sink *const sinks[] = {&sync_sink_sqlite, &sync_sink_d1,
                                                &sync_sink_postgres, &sync_sink_null};

const struct sync_sink *sync_sink_named(const char *name) {
  for (size_t i = 0; i < sizeof sinks / sizeof *sinks; ++i)
    if (strcmp(sinks[i]->name, name) == 0) return sinks[i];
  return NULL;
}

void sync_text_copy(char out[SYNC_TEXT], const char *text) {
  struct ck_str cut = {text, strnlen(text, SYNC_TEXT - 1)};
  bool whole = cut.n < SYNC_TEXT - 1;
  for (int i = 0; i < 3 && !whole && !ck_utf8_ok(cut); ++i) --cut.n;
  if (cut.n) memcpy(out, cut.s, cut.n);
  out[cut.n] = '\0';
  if (ck_utf8_ok(cut)) return;
  for (char *p = out; *p; ++p)
    if ((unsigned char)*p >= 0x80) *p = '?';
}

bool sync_answer_text(struct sync_answer *a, enum sync_class class, const char *text) {
  a->class = class;
  sync_text_copy(a->text, text);
  return true;
}
