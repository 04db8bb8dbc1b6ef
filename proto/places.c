/* Names that are made at run time. */
#include "proto/places.h"

#include <stdio.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/text.h"

void ck_place_pid(char out[CK_PLACE_MAX], const char *name, int k) {
  if (k < 0)
    snprintf(out, CK_PLACE_MAX, CK_PLACE_PID("%s"), name);
  else
    snprintf(out, CK_PLACE_MAX, CK_PLACE_PID("%s-%d"), name, k);
}

char *ck_place_mirror_lock(const char *file) { return ck_sprintf("%s-lock", file); }

static bool is_taken(const char *time) {
  char before[CK_PLACE_MAX], saved[CK_PLACE_MAX];
  snprintf(before, sizeof before, CK_PLACE_DATABASE CK_PLACE_BEFORE "%s", time);
  snprintf(saved, sizeof saved, CK_PLACE_DATABASE CK_PLACE_SAVED "%s", time);
  return access(before, F_OK) == 0 || access(saved, F_OK) == 0;
}

void ck_place_time(char out[CK_PLACE_TIME_MAX]) {
  for (int64_t at = ck_now_ms();; at += 1000) {
    char text[CK_TIME_TEXT];
    size_t n = 0;
    ck_time_text(text, at);
    for (const char *p = text; *p && *p != '.' && n < CK_PLACE_TIME_MAX - 2; ++p)
      if (*p != '-' && *p != ':') out[n++] = *p;
    out[n++] = 'Z';
    out[n] = '\0';
    if (!is_taken(out)) return;
  }
}
