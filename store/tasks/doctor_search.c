/* doctor's check `search`: is the index sound, and are all messages and titles in it? */
#include "proto/clock.h"
#include "store/search/check.h"
#include "store/tasks/doctor_internal.h"

#define ADVICE "convkeep rebuild search; nothing is lost: it is made from the database"

struct looking {
  struct doctor *d;
  int64_t began; /* of the piece, ck_mono_us */
};

static bool goes_on(void *self) {
  struct looking *l = self;
  if (doctor_piece_over(l->began)) {
    doctor_piece_rest(l->began);
    l->began = ck_mono_us();
  }
  return !task_cancelled(l->d->task);
}

static void say_found(struct doctor *d, const struct search_checked *c, uint64_t head) {
  struct ck_buf all = {0};
  ck_buf_printf(&all, "%llu %s and %llu %s can be found", (unsigned long long)c->messages,
                ck_noun(c->messages, "message", "messages"), (unsigned long long)c->titles,
                ck_noun(c->titles, "title", "titles"));
  if (c->cursor < head)
    doctor_say(d, "search", CK_FOUND_NOTE,
               "the index is being made; convkeep status shows its progress",
               "%s, up to version %llu of %llu", ck_buf_cstr(&all), (unsigned long long)c->cursor,
               (unsigned long long)head);
  else
    doctor_say(d, "search", CK_FOUND_OK, "", "%s", ck_buf_cstr(&all));
  ck_buf_free(&all);
}

int doctor_search(struct doctor *d, struct ck_err *err) {
  struct looking l = {.d = d, .began = ck_mono_us()};
  struct search_checked c;
  struct ck_err why = {{0}};
  uint64_t head = atomic_load(&d->task->context->head);
  int rc = search_check(d->live, goes_on, &l, &c, &why);
  if (task_cancelled(d->task)) return ck_fail(err, "cancelled");
  if (rc)
    doctor_say(d, "search", CK_FOUND_WRONG, ADVICE, "%s", why.text);
  else if (c.missing)
    doctor_say(d, "search", CK_FOUND_WRONG, ADVICE,
               "%llu %s not in the index, the first: version %lld", (unsigned long long)c.missing,
               ck_noun(c.missing, "record is", "records are"), (long long)c.first_missing);
  else
    say_found(d, &c, head);
  return 0;
}
