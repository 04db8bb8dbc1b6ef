/* The page at /s: asks the store, and groups the hits by conversation. */
#include "webd/page/search.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/map.h"
#include "proto/moment.h"

struct asking {
  struct webd *w;
  struct ck_arena arena;
  struct page_search page;
};

static void finish(void *self) {
  struct asking *a = self;
  ck_arena_free(&a->arena);
  free(a);
}

static void answer(struct asking *a) {
  struct ck_buf b = {0};
  page_search_write(&b, &a->page);
  web_answer(a->page.request, 200, WEB_HTML, &b);
  finish(a);
}

static struct ck_str keep(struct asking *a, struct ck_str text) {
  return ck_arena_copy(&a->arena, text);
}

/* ---- what conversations without a title begin with ---- */

static void heard_questions(void *self, const struct web_said *said) {
  struct asking *a = self;
  struct page_rows rows;
  struct ck_str row;
  if (!page_heard_rows(a->page.request, said, &rows, finish, a)) return;
  while (page_next_row(&rows, &row))
    for (size_t i = 0; i < a->page.count; ++i)
      if (ck_str_eq(a->page.found[i].id, ck_map_str(row, "local_conversation_id")))
        a->page.found[i].question = keep(a, ck_map_str(row, "first_question"));
  answer(a);
}

static void ask_questions(struct asking *a) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  uint32_t untitled = 0;
  for (size_t i = 0; i < a->page.count; ++i) untitled += a->page.found[i].title.n == 0;
  ck_pair_name(&m, "local_conversation_id");
  ck_put_array(&filters, untitled);
  for (size_t i = 0; i < a->page.count; ++i)
    if (a->page.found[i].title.n == 0) ck_put_str(&filters, a->page.found[i].id);
  ck_map_close(&m);
  const struct ck_query query = {
      .table = CK_LIT("questions"), .filters = ck_buf_view(&filters), .limit = CK_SEARCH_MAX * 4};
  if (untitled == 0)
    answer(a);
  else if (!page_ask(a->w, a->page.request, &query, heard_questions, a))
    finish(a);
  ck_buf_free(&filters);
}

/* ---- hits ---- */

static void take_ranges(struct asking *a, struct ck_hit *hit, struct ck_str map) {
  struct ck_reader r;
  uint32_t n, two;
  uint64_t from, to;
  if (!ck_map_find(map, "ranges", &r) || ck_read_array(&r, &n)) return;
  struct ck_span *spans = ck_arena_get(&a->arena, (n + 1) * sizeof *spans);
  hit->ranges = spans;
  for (uint32_t i = 0; i < n; ++i) {
    if (ck_read_array(&r, &two) || two != 2 || ck_read_uint(&r, &from) || ck_read_uint(&r, &to))
      return;
    spans[hit->range_count++] = (struct ck_span){(uint32_t)from, (uint32_t)to};
  }
}

static struct page_found *group_of(struct asking *a, struct ck_str map) {
  struct ck_str id = ck_map_str(map, "local_conversation_id");
  for (size_t i = 0; i < a->page.count && id.n; ++i) /* a message without one is alone */
    if (ck_str_eq(a->page.found[i].id, id)) return &a->page.found[i];
  struct page_found *found = &a->page.found[a->page.count++];
  *found = (struct page_found){.id = keep(a, id),
                               .title = keep(a, ck_map_str(map, "title")),
                               .platform = keep(a, ck_map_str(map, "platform")),
                               .hits = ck_arena_get(&a->arena, PAGE_SHOWN * sizeof *found->hits)};
  return found;
}

static void take_hit(struct asking *a, struct ck_str map) {
  struct page_found *found = group_of(a, map);
  if (found->count++ >= PAGE_SHOWN) return;
  struct ck_hit *hit = &found->hits[found->shown++];
  *hit = (struct ck_hit){.message_id = keep(a, ck_map_str(map, "message_id")),
                         .role = keep(a, ck_map_str(map, "role")),
                         .observed_at = ck_map_int(map, "observed_at", 0),
                         .snippet = keep(a, ck_map_str(map, "snippet"))};
  hit->is_dated = hit->observed_at != 0;
  take_ranges(a, hit, map);
}

static bool take_found(struct asking *a, const struct ck_found *f) {
  struct ck_reader r = ck_reader_of(f->hits);
  struct ck_str map;
  uint32_t n;
  if (ck_read_array(&r, &n)) return false;
  a->page.found = ck_arena_get(&a->arena, (n + 1) * sizeof *a->page.found);
  for (uint32_t i = 0; i < n && ck_read_raw(&r, &map) == 0; ++i) take_hit(a, map);
  a->page.total = f->count > n ? f->count : n;
  a->page.more = f->more;
  a->page.behind = f->behind;
  a->page.cut = f->cut;
  a->page.timed_out = f->timed_out;
  a->page.next = keep(a, f->cursor);
  return true;
}

static void heard_found(void *self, const struct web_said *said) {
  struct asking *a = self;
  if (!said->answer) {
    web_refuse_said(a->page.request, "the store", said);
    finish(a);
  } else if (said->answer->kind != CK_MSG_FOUND || !take_found(a, &said->answer->as.found)) {
    web_refuse_strange(a->page.request, "the store");
    finish(a);
  } else {
    ask_questions(a);
  }
}

static void ask_found(struct asking *a, const struct ck_search *search) {
  struct ck_message request = {.kind = CK_MSG_SEARCH};
  request.as.search = *search;
  if (web_ask(a->w->store, &request, WEB_ANSWER_MS, heard_found, a) == 0) return;
  web_refuse(a->page.request, WEB_REFUSED_ARGUMENT, "q: it is too long");
  finish(a);
}

/* ---- the arguments ---- */

static struct ck_str text_of(struct web_request *r, const char *name) {
  return ck_str_of(web_arg(r, name));
}

static bool read_time(struct web_request *r, const char *name, int64_t *ms) {
  const char *text = web_arg(r, name);
  struct ck_err err;
  *ms = 0;
  if (!text || !*text || ck_moment_parse(text, ck_now_ms(), ms, &err) == 0) return true;
  web_refuse(r, WEB_REFUSED_ARGUMENT, "%s: %s", name, err.text);
  return false;
}

/* /s?q=WORDS and filters; by=best: the best first. */
void page_search(void *self, struct web_request *r) {
  int64_t since, until;
  if (!web_args_known(r, PAGE_SEARCH_ARGS)) return;
  if (!read_time(r, "since", &since) || !read_time(r, "until", &until)) return;
  if (text_of(r, "by").n && !ck_str_is(text_of(r, "by"), "best")) {
    web_refuse(r, WEB_REFUSED_ARGUMENT, "by: it is best, or nothing");
    return;
  }
  const struct ck_search search = {.query = text_of(r, "q"),
                                   .limit = CK_SEARCH_MAX,
                                   .cursor = text_of(r, "next"),
                                   .rank = ck_str_is(text_of(r, "by"), "best"),
                                   .conversation = text_of(r, "in"),
                                   .platform = text_of(r, "platform"),
                                   .role = text_of(r, "role"),
                                   .since = since,
                                   .until = until};
  struct asking *a = ck_zalloc(sizeof *a);
  a->w = self;
  a->page = (struct page_search){.request = r, .query = web_arg(r, "q")};
  if (!a->page.query) a->page.query = "";
  a->page.asked = ck_trim(search.query).n > 0;
  if (a->page.asked)
    ask_found(a, &search);
  else
    answer(a);
}
