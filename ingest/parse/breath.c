/* See breath.h. One for the process, because the work is far below those who wait. */
#include "ingest/parse/breath.h"

#include <stddef.h>

static void (*draw_breath)(void *self);
static void *breather;

void ingest_breath_set(void (*draw)(void *self), void *self) {
  draw_breath = draw;
  breather = self;
}

void ingest_breathe(void) {
  if (draw_breath) draw_breath(breather);
}
