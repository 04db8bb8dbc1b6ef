/* Doors, and the check at a start; see check.h. */
#include "proto/check.h"

#include <string.h>

#include "proto/doors.h"

static const struct {
  const char *name;
  unsigned bit, binds, connects; /* doors, as bits 1 << enum ck_door */
} programs[] = {
#define D(DOOR) (1u << CK_DOOR_##DOOR)
    {"store", CK_CHECK_STORE, D(INTAKE) | D(FEED) | D(WORK) | D(SNAPSHOT), 0},
    {"ingest", CK_CHECK_INGEST, D(OBSERVE), D(INTAKE) | D(FEED) | D(SNAPSHOT)},
    {"renewd", CK_CHECK_RENEWD, 0, D(INTAKE) | D(FEED) | D(SNAPSHOT)},
    {"syncd", CK_CHECK_SYNCD, 0, D(INTAKE) | D(FEED) | D(WORK) | D(SNAPSHOT)},
    {"webd", CK_CHECK_WEBD, 0, D(INTAKE) | D(FEED) | D(SNAPSHOT) | D(OBSERVE)},
#undef D
};
#define PROGRAMS (sizeof programs / sizeof *programs)

unsigned ck_check_program(const char *name) {
  for (size_t i = 0; i < PROGRAMS; ++i)
    if (strcmp(programs[i].name, name) == 0) return programs[i].bit;
  return 0;
}

/* ---- doors ---- */

void ck_check_doors(const struct ck_check *k, unsigned which) {
  unsigned binds = 0, connects = 0;
  struct ck_err err;
  for (size_t i = 0; i < PROGRAMS; ++i) {
    if (!(which & programs[i].bit)) continue;
    binds |= programs[i].binds;
    connects |= programs[i].connects;
  }
  for (int d = CK_DOOR_INTAKE; d <= CK_DOOR_OBSERVE; ++d) {
    enum ck_door door = (enum ck_door)d;
    bool wrong = binds & 1u << d && ck_door_check(k->s, door, true, &err);
    if (!wrong) wrong = connects & 1u << d && ck_door_check(k->s, door, false, &err);
    if (wrong) ck_check_stops(k, ck_door_setting(door), &err);
  }
}

/* ---- at a start ---- */

struct start {
  const struct ck_settings *s;
  struct ck_err *err;
  bool stopped;
};

static void at_start(void *self, enum ck_setting which, bool starts, const char *why) {
  struct start *t = self;
  struct ck_setting_view v;
  if (starts || t->stopped) return;
  t->stopped = true;
  ck_settings_view(t->s, (int)which, &v);
  if (strncmp(why, v.name, strlen(v.name)) == 0)
    ck_fail(t->err, "%s", why);
  else
    ck_fail(t->err, "%s: %s", v.name, why);
}

int ck_check_start(const struct ck_settings *s, const char *program, ck_check_fn *own,
                   struct ck_err *err) {
  struct start t = {s, err, false};
  const struct ck_check k = {s, at_start, &t};
  ck_check_doors(&k, ck_check_program(program));
  if (own) own(&k);
  return t.stopped ? -1 : 0;
}
