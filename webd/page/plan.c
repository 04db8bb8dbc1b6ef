/* GET /j/plan: what would be sent within a day, and what would still wait, as `convkeep plan` says
 * it. renewd's own code finds that out, in a process of its own (ask/ask.h). */
#include "webd/page/jobs.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/job_words.h"
#include "proto/map.h"
#include "proto/render/render.h"

#define PLAN_MS 60000
#define LINES 300 /* of each that are shown; all are counted */

struct line {
  json_t *says;
  struct ck_str title; /* in the arena; empty: it has none */
};

struct plan {
  struct webd *w;
  struct web_request *r;
  struct ck_arena arena;
  struct list {
    struct line lines[LINES];
    size_t count;
    uint64_t all;
  } goes, waits;
};

static void plan_free(void *self) {
  struct plan *p = self;
  for (size_t i = 0; i < p->goes.count; ++i) json_decref(p->goes.lines[i].says);
  for (size_t i = 0; i < p->waits.count; ++i) json_decref(p->waits.lines[i].says);
  ck_arena_free(&p->arena);
  free(p);
}

static const char *text(const struct line *line, const char *name) {
  const char *value = json_string_value(json_object_get(line->says, name));
  return value ? value : "";
}

static int64_t number(const struct line *line, const char *name) {
  return json_integer_value(json_object_get(line->says, name));
}

/* ---- HTML ---- */

static void put_title(struct ck_buf *b, const struct line *line) {
  const char *id = text(line, "local_conversation_id");
  ck_buf_text(b, "<a dir=\"auto\" href=\"");
  page_conversation_path(b, ck_str_of(id));
  page_put(b, "\">%.*s</a>", PAGE_STR(line->title.n ? line->title : ck_str_of(id)));
}

static void put_going(struct ck_buf *b, const struct line *line, int64_t now) {
  struct ck_buf place = {0};
  ck_job_place(&place, ck_str_of(text(line, "snapshot")));
  ck_buf_text(b, "<li class=\"entry job-entry\">");
  page_countdown(b, number(line, "at"), now);
  ck_buf_text(b, "<div class=\"what\">");
  put_title(b, line);
  page_put(b,
           "<p class=\"why\">to <bdi>%.*s</bdi></p><p class=\"said\" dir=\"auto\">%s</p></div>"
           "<div class=\"facts\">%s</div></li>\n",
           PAGE_STR(ck_buf_view(&place)), text(line, "payload"),
           json_is_true(json_object_get(line->says, "automatic")) ? "automatic" : "by hand");
  ck_buf_free(&place);
}

static void put_waiting(struct ck_buf *b, const struct line *line, int64_t now) {
  int64_t due = number(line, "due"), until = number(line, "until");
  ck_buf_text(b, "<li class=\"entry job-entry\">");
  if (until || due)
    page_countdown(b, until ? until : due, now);
  else
    ck_buf_text(b, "<span>no time</span>");
  ck_buf_text(b, "<div class=\"what\">");
  put_title(b, line);
  page_put(b, "<p class=\"why\" dir=\"auto\">%s%s%s</p></div><div class=\"facts\"></div></li>\n",
           text(line, "state"), *text(line, "reason") ? ": " : "", text(line, "reason"));
}

static void put_list(struct ck_buf *b, const struct list *list, const char *title, int64_t now,
                     void (*put)(struct ck_buf *b, const struct line *line, int64_t now)) {
  page_put(b, "<section class=\"state\">\n<h2 class=\"when\">%s <small>", title);
  ck_buf_count(b, list->all);
  ck_buf_text(b, "</small></h2>\n");
  ck_buf_text(b, list->count ? "<ol class=\"entries\">\n" : "<p class=\"nothing\">None.</p>\n");
  for (size_t i = 0; i < list->count; ++i) put(b, &list->lines[i], now);
  if (list->count) ck_buf_text(b, "</ol>\n");
  if (list->all > list->count) {
    page_put(b, "<p class=\"note\">The first %zu; <code>convkeep plan</code> has them all.</p>\n",
             list->count);
  }
  ck_buf_text(b, "</section>\n");
}

static void answer(struct plan *p) {
  const struct page_frame frame = {
      .title = "Plan of the next day · convkeep", .request = p->r, .here = PAGE_JOBS};
  struct ck_buf b = {0};
  int64_t now = ck_now_ms();
  page_begin(&b, &frame);
  ck_buf_text(&b, "<div class=\"headed\">\n<h1>Plan of the next day</h1>\n");
  page_hold(&b);
  ck_buf_text(
      &b, "</div>\n<p class=\"note\">What would be sent if nobody said anything. After each, its "
          "conversation waits for an answer, so only its next one is known. "
          "<a href=\"/j\">All follow-ups</a></p>\n");
  put_list(&b, &p->goes, "Would be sent", now, put_going);
  put_list(&b, &p->waits, "Would still wait", now, put_waiting);
  page_end(&b, &frame);
  web_answer(p->r, 200, WEB_HTML, &b);
  plan_free(p);
}

/* ---- titles ---- */

static void take_title(struct list *list, struct ck_str id, struct ck_str title, bool over) {
  for (size_t i = 0; i < list->count; ++i)
    if (ck_str_is(id, text(&list->lines[i], "local_conversation_id")) &&
        (over || !list->lines[i].title.n))
      list->lines[i].title = title;
}

static bool take_titles(struct plan *p, const struct web_said *said, const char *column,
                        bool questions) {
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(p->r, said, &rows, plan_free, p)) return false;
  while (page_next_row(&rows, &map)) {
    struct ck_buf title = {0};
    struct ck_str given = ck_map_str(map, column), id = ck_map_str(map, "local_conversation_id");
    if (!given.n) continue;
    if (questions)
      render_title(&title, (struct ck_str){0}, given);
    else
      ck_buf_str(&title, given);
    struct ck_str kept = ck_arena_copy(&p->arena, ck_buf_view(&title));
    take_title(&p->goes, id, kept, !questions);
    take_title(&p->waits, id, kept, !questions);
    ck_buf_free(&title);
  }
  return true;
}

static bool ask(struct plan *p, const char *table, web_heard *heard) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_name(&m, "local_conversation_id");
  ck_put_array(&filters, (uint32_t)(p->goes.count + p->waits.count));
  for (size_t i = 0; i < p->goes.count; ++i)
    ck_put_text(&filters, text(&p->goes.lines[i], "local_conversation_id"));
  for (size_t i = 0; i < p->waits.count; ++i)
    ck_put_text(&filters, text(&p->waits.lines[i], "local_conversation_id"));
  ck_map_close(&m);
  const struct ck_query query = {
      .table = ck_str_of(table), .filters = ck_buf_view(&filters), .limit = 1000};
  bool asked = page_ask(p->w, p->r, &query, heard, p);
  if (!asked) plan_free(p);
  ck_buf_free(&filters);
  return asked;
}

static void heard_questions(void *self, const struct web_said *said) {
  if (take_titles(self, said, "first_question", true)) answer(self);
}

static void heard_conversations(void *self, const struct web_said *said) {
  if (take_titles(self, said, "title", false)) ask(self, "questions", heard_questions);
}

/* ---- what renewd says ---- */

static void take_line(void *self, const char *name, json_t *value) {
  struct plan *p = self;
  struct list *list = strcmp(name, "goes") == 0    ? &p->goes
                      : strcmp(name, "waits") == 0 ? &p->waits
                                                   : NULL;
  if (!list) return;
  ++list->all;
  if (list->count < LINES) list->lines[list->count++].says = json_incref(value);
}

static void planned(void *self, json_t *result, const char *reason) {
  struct plan *p = self;
  if (result) {
    if (p->goes.count + p->waits.count)
      ask(p, "local_conversations", heard_conversations);
    else
      answer(p);
    return;
  }
  web_refuse_for(p->r, WEB_REFUSED_AWAY, 2, "the plan: %s", reason);
  plan_free(p);
}

void page_jobs_plan(void *self, struct web_request *r) {
  static const struct web_renewd_ops ops = {take_line, planned};
  struct webd *w = self;
  char until[24];
  const char *const words[] = {"plan", until, NULL};
  if (!web_args_known(r, "")) return;
  snprintf(until, sizeof until, "%lld", (long long)(ck_now_ms() + CK_DAY_MS));
  struct plan *p = ck_zalloc(sizeof *p);
  p->w = w;
  p->r = r;
  web_renewd_ask(w->renewd, words, PLAN_MS, &ops, p);
}
