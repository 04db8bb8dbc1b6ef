/* What a run before this one has begun within the spacing: its targets and accounts are to be left
 * alone for the rest of that. Nothing is claimed before it is known. What lies ahead of the clock,
 * which was set back, may have begun just now; of that the newest pages are enough. */
#include "renewd/core/inner.h"

#include <stdlib.h>

#define PAGES_MAX 10

void renew_begun_load(struct renew_core *core) {
  struct renew_begun *b = &core->begun;
  const struct renew_pace *p = &core->pace;
  int64_t spacing = p->spacing > p->account_spacing ? p->spacing : p->account_spacing;
  if (spacing == 0) b->loaded = true;
  if (b->loaded || b->ticket.number || !core->recovered || core->now.boot < b->at) return;
  renew_query(core->out, renew_ticket_take(&core->tickets, &b->ticket, RENEW_OF_BEGUN),
              &(struct renew_question){.parts = RENEW_ABOUT_BEGUN,
                                       .since = core->now.wall - spacing,
                                       .cursor = ck_str_of(b->cursor)});
}

void renew_begun_page(struct renew_core *core, const struct renew_answer *a) {
  struct renew_begun *b = &core->begun;
  if (a->problem) {
    renew_core_error(core, a->problem);
    b->at = core->now.boot + RENEW_AGAIN_MS;
    return;
  }
  for (size_t i = 0; i < a->n; i++) renew_job_begun(core, &a->jobs[i].row);
  renew_keep_cursor(&b->cursor, a->cursor);
  b->loaded = !b->cursor || ++b->pages == PAGES_MAX;
}

void renew_begun_reset(struct renew_core *core) {
  renew_ticket_drop(&core->tickets, &core->begun.ticket);
  free(core->begun.cursor);
  core->begun = (struct renew_begun){0};
}
