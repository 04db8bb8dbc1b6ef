/* What a run before this one has begun within the spacing: its targets and accounts are to be left
 * alone for the rest of that. Nothing is claimed before it is known. The newest attempts are asked
 * for, until one is older. */
#include "renewd/core/inner.h"

#include <stdlib.h>

/* Of attempts before another start of the machine the wall clock tells the age, and if that has
 * gone back since, all of them are new. So many of those are asked for. */
#define NEW_MOST 1000

static int64_t spacing_of(const struct renew_core *core) {
  const struct renew_pace *p = &core->pace;
  return p->spacing > p->account_spacing ? p->spacing : p->account_spacing;
}

void renew_begun_load(struct renew_core *core) {
  struct renew_begun *b = &core->begun;
  int64_t spacing = spacing_of(core);
  if (spacing == 0) b->loaded = true;
  if (b->loaded || b->ticket.number || !core->recovered || core->now.boot < b->at) return;
  renew_query(core->out, renew_ticket_take(&core->tickets, &b->ticket, RENEW_OF_BEGUN),
              &(struct renew_question){.parts = RENEW_ABOUT_BEGUN, .cursor = ck_str_of(b->cursor)});
}

void renew_begun_page(struct renew_core *core, const struct renew_answer *a) {
  struct renew_begun *b = &core->begun;
  if (a->problem) {
    renew_core_error(core, a->problem);
    b->at = core->now.boot + RENEW_AGAIN_MS;
    return;
  }
  bool older = false;
  for (size_t i = 0; i < a->n; i++) {
    int64_t age = a->jobs[i].age;
    older |= age >= spacing_of(core);
    b->news += age == 0;
    renew_job_begun(core, &a->jobs[i].row, age);
  }
  renew_keep_cursor(&b->cursor, older || b->news >= NEW_MOST ? (struct ck_str){0} : a->cursor);
  b->loaded = !b->cursor;
}

void renew_begun_reset(struct renew_core *core) {
  renew_ticket_drop(&core->tickets, &core->begun.ticket);
  free(core->begun.cursor);
  core->begun = (struct renew_begun){0};
}
