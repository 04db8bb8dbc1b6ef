/* Asking for it; see state.h. */
#include "webd/page/state.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/map.h"

#define PAUSES_MOST 1000

struct kept {
  struct page_state state; /* the first member: what the request keeps */
  struct ck_arena arena;
};

struct asking {
  struct web_request *r;
  struct kept *kept;
  void (*then)(void *self, struct web_request *r);
  void *self;
  int open; /* questions without an answer */
  bool failed;
};

static void kept_free(void *kept) {
  struct kept *k = kept;
  ck_arena_free(&k->arena);
  free(k);
}

static void heard_one(struct asking *a) {
  if (--a->open) return;
  a->kept->state.known = !a->failed;
  a->then(a->self, a->r);
  free(a);
}

static void heard_status(void *self, const struct web_said *said) {
  struct asking *a = self;
  if (said->answer && said->answer->kind == CK_MSG_INFO)
    a->kept->state.info = ck_arena_copy(&a->kept->arena, said->answer->as.info.info);
  else
    a->failed = true;
  heard_one(a);
}

static void heard_pauses(void *self, const struct web_said *said) {
  struct asking *a = self;
  struct page_state *s = &a->kept->state;
  struct page_rows rows;
  struct ck_str map;
  if (page_rows_of(said, &rows)) {
    s->pauses = ck_arena_get(&a->kept->arena, (rows.left + 1) * sizeof *s->pauses);
    while (page_next_row(&rows, &map)) {
      struct page_pause p = {ck_arena_copy(&a->kept->arena, ck_map_str(map, "kind")),
                             ck_arena_copy(&a->kept->arena, ck_map_str(map, "name")),
                             ck_map_int(map, "at", 0), ck_map_int(map, "until", 0)};
      if (!p.until || p.until > s->now) s->pauses[s->pause_count++] = p;
    }
  } else {
    a->failed = true;
  }
  heard_one(a);
}

void page_state_ask(struct webd *w, struct web_request *r,
                    void (*then)(void *self, struct web_request *r), void *self) {
  struct asking *a = ck_zalloc(sizeof *a);
  struct ck_message status = {.kind = CK_MSG_STATUS};
  const struct ck_query pauses = {.table = CK_LIT("pauses"), .limit = PAUSES_MOST};
  *a = (struct asking){r, ck_zalloc(sizeof *a->kept), then, self, 3, false};
  a->kept->state.now = ck_now_ms();
  if (web_kept(r)) kept_free(web_kept(r)); /* as it was before a change */
  web_keep(r, a->kept, kept_free);
  if (web_ask(w->store, &status, WEB_ANSWER_MS, heard_status, a)) --a->open;
  if (!page_ask(w, NULL, &pauses, heard_pauses, a)) --a->open;
  heard_one(a);
}

static void handle(void *self, struct web_request *r) {
  (void)self;
  web_handle(r);
}

void web_page_first(void *self, struct web_request *r) { page_state_ask(self, r, handle, self); }

const struct page_state *page_state(const struct web_request *r) {
  static const struct page_state nothing;
  const struct kept *k = web_kept(r);
  return k ? &k->state : &nothing;
}

/* ---- reading it ---- */

static struct ck_str within(struct ck_str map, const char *name) {
  struct ck_reader r;
  struct ck_str value = {0};
  if (!ck_map_find(map, name, &r) || ck_read_raw(&r, &value)) return (struct ck_str){0};
  return value;
}

uint64_t page_jobs_count(const struct page_state *s, const char *what) {
  return ck_map_uint(within(s->info, "jobs"), what, 0);
}

struct ck_str page_renewd(const struct page_state *s) {
  struct ck_reader r;
  struct ck_str daemon;
  uint32_t n;
  if (!ck_map_find(s->info, "daemons", &r) || ck_read_array(&r, &n)) return (struct ck_str){0};
  while (n-- && ck_read_raw(&r, &daemon) == 0)
    if (ck_str_is(ck_map_str(daemon, "name"), "renewd")) return within(daemon, "info");
  return (struct ck_str){0};
}

struct ck_str page_held(const struct page_state *s) {
  return within(page_renewd(s), "held");
}

void page_held_each(const struct page_state *s, bool (*each)(void *self, struct ck_str map),
                    void *self) {
  struct ck_reader r;
  struct ck_str map;
  uint32_t n;
  if (!ck_map_find(page_held(s), "jobs", &r) || ck_read_array(&r, &n)) return;
  while (n-- && ck_read_raw(&r, &map) == 0)
    if (!each(self, map)) return;
}

const struct page_pause *page_pause_of(const struct page_state *s, const char *kind,
                                       struct ck_str name) {
  for (size_t i = 0; i < s->pause_count; ++i)
    if (ck_str_is(s->pauses[i].kind, kind) && ck_str_eq(s->pauses[i].name, name))
      return &s->pauses[i];
  return NULL;
}
