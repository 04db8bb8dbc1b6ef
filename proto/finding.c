/* The words of findings. */
#include "proto/finding.h"

#include <string.h>

static const char *const words[] = {
    [CK_FOUND_OK] = "ok", [CK_FOUND_NOTE] = "note", [CK_FOUND_WRONG] = "wrong"};

const char *ck_finding_word(enum ck_finding found) { return words[found]; }

enum ck_finding ck_finding_named(const char *word) {
  int found = CK_FOUND_OK;
  while (found < CK_FOUND_WRONG && strcmp(words[found], word) != 0) ++found;
  return (enum ck_finding)found;
}
