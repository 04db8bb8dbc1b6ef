/* The store's pauses: the heartbeats say when they have changed, and then all are asked for. */
#include "renewd/pauses.h"

#include <stdlib.h>

#include "proto/map.h"

#define PAGE 1000 /* a QUERY gives no more */

struct renew_paused {
  struct renewd *r;
  uint64_t said, asked; /* numbers of heartbeats: the last one, and that of what is known */
  bool asking, known;
  struct ck_arena arena;
  struct renew_pause_row *rows; /* those of the pages that have come */
  size_t n;
};

struct renew_paused *renew_paused_new(struct renewd *r) {
  struct renew_paused *p = ck_zalloc(sizeof *p);
  p->r = r;
  return p;
}

void renew_paused_free(struct renew_paused **paused) {
  struct renew_paused *p = *paused;
  if (!p) return;
  ck_arena_free(&p->arena);
  free(p->rows);
  free(p);
  *paused = NULL;
}

static void take(void *self, const struct renew_reply *reply) {
  struct renew_paused *p = self;
  struct ck_reader r = ck_reader_of(reply->all);
  struct ck_str row;
  uint32_t n = 0;
  if (reply->problem || ck_read_array(&r, &n)) n = 0;
  if (n) p->rows = ck_realloc(p->rows, (p->n + n) * sizeof *p->rows);
  for (; n && ck_read_raw(&r, &row) == 0; n--)
    p->rows[p->n++] = (struct renew_pause_row){ck_arena_copy(&p->arena, ck_map_str(row, "kind")),
                                               ck_arena_copy(&p->arena, ck_map_str(row, "name")),
                                               ck_map_int(row, "until", RENEW_NEVER)};
}

static void query_page(struct renew_paused *p);

static void forget_rows(struct renew_paused *p) {
  ck_arena_reset(&p->arena);
  p->n = 0;
}

static void decide(void *self, const char *problem) {
  struct renew_paused *p = self;
  p->asking = false;
  if (!problem && p->n && p->n % PAGE == 0) {
    query_page(p); /* there may be more */
    return;
  }
  if (!problem) {
    p->known = true;
    renew_happens(p->r, &(struct renew_event){.kind = RENEW_PAUSES, .as.pauses = {p->rows, p->n}});
  } else {
    p->asked = 0;
  }
  forget_rows(p);
}

/* The next page. What changes in between is said by another heartbeat. */
static void query_page(struct renew_paused *p) {
  const struct renew_query query = {.table = "pauses", .limit = PAGE, .offset = p->n, .take = take};
  p->asking = true;
  renew_query_all(p->r->queries, &query, 1, decide, NULL, p);
}

void renew_paused_step(struct renew_paused *p) {
  if (p->asking || (p->known && p->asked == p->said)) return;
  p->asked = p->said;
  forget_rows(p);
  query_page(p);
}

void renew_paused_beat(struct renew_paused *p, uint64_t number) { p->said = number; }
void renew_paused_reset(struct renew_paused *p) { p->known = false; }
bool renew_paused_known(const struct renew_paused *p) { return p->known; }
