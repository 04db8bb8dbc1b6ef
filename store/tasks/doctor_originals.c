/* doctor's check `originals`: does every block unpack, has every original the bytes that came, and
 * is every original there that a record names? */
#include "store/tasks/doctor_internal.h"

#include <stdio.h>

#include "proto/clock.h"
#include "store/originals/originals.h"

#define DAMAGED_ADVICE \
  "the records are not affected. Restore a backup that has it, or, with the ring down: " \
  "sqlite3 artifact.db \"DELETE FROM originals WHERE id = x'ID'\", convkeep rebuild seals, and " \
  "import its file again"
#define MISSING_ADVICE \
  "the records are not affected: import the files that they came from again, or restore a backup"
#define ON_ITS_WAY "SELECT count(*) FROM blocks WHERE state = 'coming'"
/* An original comes a moment after the rows that name it. */
#define LOOKS 10
#define LOOK_MS 500

struct found {
  struct doctor *d;
  unsigned damaged, missing;
  char first_damaged[200], first_missing[40];
  int64_t began; /* of the piece, ck_mono_us */
};

static void damaged(void *self, const char *what) {
  struct found *f = self;
  if (f->damaged++ == 0) snprintf(f->first_damaged, sizeof f->first_damaged, "%s", what);
}

static void missing(void *self, const char *id) {
  struct found *f = self;
  if (f->missing++ == 0) snprintf(f->first_missing, sizeof f->first_missing, "%s", id);
}

static bool goes_on(void *self) {
  struct found *f = self;
  if (doctor_piece_over(f->began)) {
    doctor_piece_rest(f->began);
    f->began = ck_mono_us();
  }
  return !task_cancelled(f->d->task);
}

/* count: as for originals_check. */
static int look(struct found *f, uint64_t *count, struct ck_err *err) {
  const struct originals_check ops = {
      .self = f, .damaged = damaged, .missing = missing, .goes_on = goes_on};
  f->began = ck_mono_us();
  return originals_check(f->d->live, &ops, count, err);
}

/* Looks again at what is missing, until it has come or is not on its way. */
static int look_again(struct found *f, struct ck_err *err) {
  for (int i = 0; i < LOOKS && f->missing && !task_cancelled(f->d->task); ++i) {
    task_pause(LOOK_MS);
    f->missing = 0;
    if (look(f, NULL, err)) return -1;
  }
  return 0;
}

static int say_missing(struct found *f, uint64_t head, struct ck_err *err) {
  int64_t coming;
  if (db_int(f->d->live, ON_ITS_WAY, 0, &coming, err)) return -1;
  if (coming || atomic_load(&f->d->task->context->head) != head)
    doctor_say(f->d, "originals", CK_FOUND_NOTE, "try again when nothing is imported",
               "%u are not there yet; the first is %s", f->missing, f->first_missing);
  else
    doctor_say(f->d, "originals", CK_FOUND_WRONG, MISSING_ADVICE,
               "records name %u that %s missing; the first is %s", f->missing,
               f->missing == 1 ? "is" : "are", f->first_missing);
  return 0;
}

int doctor_originals(struct doctor *d, struct ck_err *err) {
  struct found f = {.d = d};
  uint64_t count = 0, head = atomic_load(&d->task->context->head);
  if (look(&f, &count, err) || look_again(&f, err)) return -1;
  if (f.damaged)
    doctor_say(d, "originals", CK_FOUND_WRONG, DAMAGED_ADVICE,
               "%u of %llu damaged; the first is %s", f.damaged, (unsigned long long)count,
               f.first_damaged);
  if (f.missing && say_missing(&f, head, err)) return -1;
  if (!f.damaged && !f.missing)
    doctor_say(d, "originals", CK_FOUND_OK, "", "%llu, each as it came", (unsigned long long)count);
  return 0;
}
