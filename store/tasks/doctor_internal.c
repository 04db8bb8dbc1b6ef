/* How a check reports (doctor_internal.h). */
#include "store/tasks/doctor_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/map.h"
#include "proto/sqlite_pages.h"

#define PAGES_SHOWN 5

#define LOST_ADVICE \
  "nothing before the database is right again (see its lines, and history): this is made from " \
  "it, " \
  "and may have what it lost"
#define UNSEEN_ADVICE \
  "nothing before the database was examined (see database): this is made from it, and may have " \
  "what it lost"
#define DAMAGED_ADVICE "it may come of the damage: see database first"

static bool is_one_of(const char *check, const char *const *list, size_t n) {
  for (size_t i = 0; i < n; ++i)
    if (strcmp(check, list[i]) == 0) return true;
  return false;
}

/* A fault is no reason for what it can have come of: a page of the database, or its rows. */
static const char *advise(struct doctor *d, const char *check, const char *advice) {
  static const char *const made[] = {"artifacts", "search", "mirror"},
                           *const rows[] = {"references", "keys",       "versions", "counts",
                                            "leases",     "automation", "originals"};
  bool lost = d->damaged || d->lost || d->task->context->alarm.text[0];
  if (is_one_of(check, made, sizeof made / sizeof *made))
    return lost ? LOST_ADVICE : d->unseen ? UNSEEN_ADVICE : advice;
  if (is_one_of(check, rows, sizeof rows / sizeof *rows) && d->damaged) return DAMAGED_ADVICE;
  d->lost |= is_one_of(check, rows, 4);
  return advice;
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
  if (found == CK_FOUND_WRONG) advice = advise(d, check, advice);
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
