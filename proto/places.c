/* Names that are made at run time. */
#include "proto/places.h"

#include <stdio.h>

#include "proto/text.h"

void ck_place_pid(char out[CK_PLACE_MAX], const char *name, int k) {
  if (k < 0)
    snprintf(out, CK_PLACE_MAX, CK_PLACE_PID("%s"), name);
  else
    snprintf(out, CK_PLACE_MAX, CK_PLACE_PID("%s-%d"), name, k);
}

char *ck_place_mirror_lock(const char *file) { return ck_sprintf("%s-lock", file); }
