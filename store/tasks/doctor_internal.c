/* How a check reports (doctor_internal.h). */
#include "store/tasks/doctor_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/map.h"
#include "proto/sqlite_pages.h"

#define PAGES_SHOWN 5

#define DAMAGED_ADVICE \
  "nothing before the database is right again (see database, history): this is made from it, and " \
  "may have what it lost"

static bool made_of(const char *check) {
  static const char *const made[] = {"artifacts", "search", "mirror"};
  for (size_t i = 0; i < sizeof made / sizeof *made; ++i)
    if (strcmp(check, made[i]) == 0) return true;
  return false;
}

void doctor_pages(struct doctor *d, const char *name, const char *what, struct ck_buf *text) {
  struct ck_sqlite_pages seen;
  if (!ck_sqlite_pages_seen(d->db, name, &seen)) return;
  if (!seen.sealed)
    ck_buf_printf(text,
                  "%s: its pages have no seals: another program made it, or its head is "
                  "damaged",
                  what);
  if (seen.sealed && seen.count)
    ck_buf_printf(text, "%s: %s not as written: ", what,
                  ck_noun(seen.count, "a page is", "pages are"));
  for (unsigned i = 0; i < seen.count && i < PAGES_SHOWN; ++i)
    ck_buf_printf(text, "%s%u", i ? ", " : "", seen.pages[i]);
  if (seen.count > PAGES_SHOWN)
    ck_buf_printf(text, " and %u more%s", seen.count - PAGES_SHOWN,
                  seen.count == CK_SQLITE_PAGES_KEPT ? " at least" : "");
}

void doctor_say(struct doctor *d, const char *check, enum ck_finding found, const char *advice,
                const char *fmt, ...) {
  char text[600];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  bool lost = d->damaged || d->task->context->alarm.text[0];
  if (lost && found == CK_FOUND_WRONG && made_of(check)) advice = DAMAGED_ADVICE;
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
