/* The classes' names, and the texts of answers (answer.h). */
#include "syncd/batches/answer.h"

#include <string.h>

static const char *const names[SYNC_CLASSES] = {
    [SYNC_DONE] = "done",       [SYNC_UNKNOWN] = "unknown", [SYNC_NOT_APPLIED] = "not_applied",
    [SYNC_LESS] = "less",       [SYNC_SPLIT] = "split",     [SYNC_WAIT] = "wait",
    [SYNC_QUOTA] = "quota",     [SYNC_STOP] = "stop",       [SYNC_TABLE] = "table",
    [SYNC_EARLY] = "early",     [SYNC_ROW] = "row",         [SYNC_ODD] = "odd",
    [SYNC_WITNESS] = "witness",
};

const char *sync_class_name(enum sync_class c) {
  return c >= 0 && c < SYNC_CLASSES ? names[c] : "?";
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
