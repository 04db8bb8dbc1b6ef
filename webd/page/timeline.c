/* The page at /: conversations by their last messages, a page of them after a cursor. */
#include "webd/page/timeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/map.h"
#include "proto/moment.h"

#define PAGE_CONVERSATIONS 50
#define ROWS_MOST 1000
#define SESSION_PAGES 5

/* What a conversation is called elsewhere: sessions have no other name of it. */
struct elsewhere {
  struct ck_str platform, remote;
  struct page_entry *entry;
};

/* A request on its way through the store's lists. */
struct asking {
  struct webd *w;
  struct ck_arena arena;
  struct page_timeline page;
  struct elsewhere *links;
  size_t link_count;
  struct ck_str cursor; /* of the sessions */
  int session_pages;
};

static void finish(void *self) {
  struct asking *a = self;
  ck_arena_free(&a->arena);
  free(a);
}

static void ask(struct asking *a, const char *table, struct ck_buf *filters, unsigned limit,
                struct ck_str cursor, web_heard *heard) {
  const struct ck_query query = {
      .table = ck_str_of(table), .filters = ck_buf_view(filters), .limit = limit, .cursor = cursor};
  if (!page_ask(a->w, a->page.request, &query, heard, a)) finish(a);
  ck_buf_free(filters);
}

static void answer(struct asking *a) {
  struct ck_buf b = {0};
  page_timeline_write(&b, &a->page);
  web_answer(a->page.request, 200, WEB_HTML, &b);
  finish(a);
}

/* ---- counts: of sessions, which are a conversation's days ---- */

static void ask_sessions(struct asking *a);

static void add_session(struct asking *a, struct ck_str row) {
  struct ck_str platform = ck_map_str(row, "platform"), remote = ck_map_str(row, "conversation_id");
  int64_t count = ck_map_int(row, "message_count", 0);
  for (size_t i = 0; i < a->link_count; ++i)
    if (ck_str_eq(a->links[i].remote, remote) && ck_str_eq(a->links[i].platform, platform))
      a->links[i].entry->messages += count > 0 ? (uint64_t)count : 0;
}

static void heard_sessions(void *self, const struct web_said *said) {
  struct asking *a = self;
  struct page_rows rows;
  struct ck_str row;
  if (!page_heard_rows(a->page.request, said, &rows, finish, a)) return;
  while (page_next_row(&rows, &row)) add_session(a, row);
  a->cursor = ck_arena_copy(&a->arena, rows.cursor);
  a->page.counted = a->cursor.n == 0;
  if (a->page.counted || ++a->session_pages == SESSION_PAGES)
    answer(a);
  else
    ask_sessions(a);
}

static void ask_sessions(struct asking *a) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_name(&m, "conversation_id");
  ck_put_array(&filters, (uint32_t)a->link_count);
  for (size_t i = 0; i < a->link_count; ++i) ck_put_str(&filters, a->links[i].remote);
  ck_map_close(&m);
  ask(a, "sessions", &filters, ROWS_MOST, a->cursor, heard_sessions);
}

/* ---- links, and first questions ---- */

static struct page_entry *entry_of(struct asking *a, struct ck_str id) {
  for (size_t i = 0; i < a->page.count; ++i)
    if (ck_str_eq(a->page.entries[i].id, id)) return &a->page.entries[i];
  return NULL;
}

static void heard_links(void *self, const struct web_said *said) {
  struct asking *a = self;
  struct page_rows rows;
  struct ck_str row;
  if (!page_heard_rows(a->page.request, said, &rows, finish, a)) return;
  a->links = ck_arena_get(&a->arena, (rows.left + 1) * sizeof *a->links);
  while (page_next_row(&rows, &row)) {
    struct ck_str remote = ck_map_str(row, "remote_conversation_id");
    struct page_entry *entry = entry_of(a, ck_map_str(row, "local_conversation_id"));
    if (!remote.n || !entry) continue;
    a->links[a->link_count++] =
        (struct elsewhere){ck_arena_copy(&a->arena, ck_map_str(row, "platform")),
                           ck_arena_copy(&a->arena, remote), entry};
  }
  if (a->link_count)
    ask_sessions(a);
  else
    answer(a);
}

static void put_ids(struct ck_buf *filters, const struct asking *a) {
  struct ck_map m = ck_map_open(filters);
  ck_pair_name(&m, "local_conversation_id");
  ck_put_array(filters, (uint32_t)a->page.count);
  for (size_t i = 0; i < a->page.count; ++i) ck_put_str(filters, a->page.entries[i].id);
  ck_map_close(&m);
}

static void heard_questions(void *self, const struct web_said *said) {
  struct asking *a = self;
  struct ck_buf filters = {0};
  struct page_rows rows;
  struct ck_str row;
  if (!page_heard_rows(a->page.request, said, &rows, finish, a)) return;
  while (page_next_row(&rows, &row)) {
    struct page_entry *entry = entry_of(a, ck_map_str(row, "local_conversation_id"));
    struct ck_str question = ck_map_str(row, "first_question");
    if (entry && question.n) entry->question = ck_arena_copy(&a->arena, question);
    if (entry) entry->came_at = ck_map_int(row, "last_came_at", 0);
  }
  put_ids(&filters, a);
  ask(a, "conversation_links", &filters, ROWS_MOST, (struct ck_str){0}, heard_links);
}

/* ---- conversations ---- */

static struct page_entry entry_in(struct ck_arena *arena, struct ck_str map) {
  struct ck_row row;
  page_row_of(&row, CK_CONVERSATIONS, map);
  int64_t last = ck_row_int(&row, CK_CONVERSATIONS_LAST_MESSAGE_AT,
                            ck_row_int(&row, CK_CONVERSATIONS_CREATED_AT, 0));
  return (struct page_entry){
      .id = ck_arena_copy(arena, ck_row_key(&row)),
      .platform = ck_arena_copy(arena, ck_row_text(&row, CK_CONVERSATIONS_PLATFORM)),
      .title = ck_arena_copy(arena, ck_row_text(&row, CK_CONVERSATIONS_TITLE)),
      .status = ck_arena_copy(arena, ck_row_text(&row, CK_CONVERSATIONS_AUTOMATION_STATUS)),
      .at = ck_row_int(&row, CK_CONVERSATIONS_NEWEST_AT, last)};
}

static void heard_conversations(void *self, const struct web_said *said) {
  struct asking *a = self;
  struct ck_buf filters = {0};
  struct page_rows rows;
  struct ck_str row;
  if (!page_heard_rows(a->page.request, said, &rows, finish, a)) return;
  a->page.entries = ck_arena_get(&a->arena, (rows.left + 1) * sizeof *a->page.entries);
  while (page_next_row(&rows, &row)) a->page.entries[a->page.count++] = entry_in(&a->arena, row);
  a->page.older = ck_arena_copy(&a->arena, rows.cursor);
  if (a->page.count == 0) {
    answer(a);
    return;
  }
  put_ids(&filters, a);
  ask(a, "questions", &filters, ROWS_MOST, (struct ck_str){0}, heard_questions);
}

/* ---- the arguments ---- */

/* A time of the form. A day that is the last one counts to its end. */
static bool read_time(struct web_request *r, const char *name, bool to_its_end, int64_t now,
                      int64_t *ms) {
  const char *text = web_arg(r, name);
  struct ck_err err;
  char next[40];
  int year, month, day, n = 0;
  *ms = 0;
  if (!text || !*text) return true;
  if (to_its_end && sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &n) == 3 && !text[n]) {
    int64_t y;
    ck_date_of(ck_days_of(year, month, day) + 1, &y, &month, &day);
    snprintf(next, sizeof next, "%04d-%02d-%02d", (int)y, month, day);
    text = next;
  }
  if (ck_moment_parse(text, now, ms, &err) == 0) return true;
  web_refuse(r, WEB_REFUSED_ARGUMENT, "%s: %s", name, err.text);
  return false;
}

static bool read_status(struct web_request *r) {
  const char *status = web_arg(r, "status");
  if (!status || !*status || strcmp(status, "auto") == 0 || strcmp(status, "paused") == 0 ||
      strcmp(status, "manual") == 0)
    return true;
  web_refuse(r, WEB_REFUSED_ARGUMENT, "status: it is auto, paused or manual");
  return false;
}

static void put_filter(struct ck_map *m, struct web_request *r, const char *arg, const char *name) {
  const char *value = web_arg(r, arg);
  if (value && *value) ck_pair_text(m, name, value);
}

void page_timeline(void *self, struct web_request *r) {
  struct ck_buf filters = {0};
  int64_t now = ck_now_ms(), since, until;
  if (!web_args_known(r, PAGE_TIMELINE_ARGS) || !read_status(r)) return;
  if (!read_time(r, "since", false, now, &since) || !read_time(r, "until", true, now, &until))
    return;
  struct asking *a = ck_zalloc(sizeof *a);
  const char *next = web_arg(r, "next");
  a->w = self;
  a->page = (struct page_timeline){
      .request = r, .now = now, .seen_at = page_visit(r, now), .counted = true};
  struct ck_map m = ck_map_open(&filters);
  put_filter(&m, r, "title", "title");
  put_filter(&m, r, "platform", "platform");
  put_filter(&m, r, "status", "automation_status");
  if (since) ck_pair_int(&m, "since", since);
  if (until) ck_pair_int(&m, "until", until);
  ck_map_close(&m);
  ask(a, "local_conversations", &filters, PAGE_CONVERSATIONS, ck_str_of(next), heard_conversations);
}
