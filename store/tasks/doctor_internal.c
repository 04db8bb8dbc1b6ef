/* How a check reports (doctor_internal.h). */
#include "store/tasks/doctor_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/map.h"

void doctor_say(struct doctor *d, const char *check, enum ck_finding found, const char *advice,
                const char *fmt, ...) {
  char text[600];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  const char *const pairs[][2] = {
      {"check", check}, {"result", ck_finding_word(found)}, {"text", text}, {"advice", advice}};
  struct ck_buf line = {0};
  struct ck_map m = ck_map_open(&line);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i) {
    struct ck_str value = ck_str_of(pairs[i][1]);
    ck_pair_str(&m, pairs[i][0], ck_utf8_ok(value) ? value : CK_LIT("(not UTF-8)"));
  }
  ck_map_close(&m);
  task_line(d->task, ck_buf_view(&line));
  ck_buf_free(&line);
}
