/* The page at /, as HTML; see timeline.h. */
#include "webd/page/timeline.h"

#include <stdlib.h>

#include "proto/render/render.h"

#define DAY_MS (24 * 3600 * INT64_C(1000))
#define DAYS 7 /* that are shown by the day; what is older by the month */

/* ---- the filters: a form that works by GET ---- */

static const char *argument(const struct page_timeline *page, const char *name) {
  const char *value = web_arg(page->request, name);
  return value ? value : "";
}

static void put_choice(struct ck_buf *b, const char *chosen, const char *value, const char *name) {
  page_put(b, "<option value=\"%s\"", value);
  if (strcmp(chosen, value) == 0) ck_buf_text(b, " selected");
  page_put(b, ">%s</option>", name);
}

static void put_platforms(struct ck_buf *b, const struct page_timeline *page) {
  ck_buf_text(b, "<datalist id=\"platforms\">");
  for (size_t i = 0; i < page->count; ++i) {
    bool known = false;
    for (size_t k = 0; k < i; ++k)
      known |= ck_str_eq(page->entries[k].platform, page->entries[i].platform);
    if (!known) page_put(b, "<option value=\"%.*s\">", PAGE_STR(page->entries[i].platform));
  }
  ck_buf_text(b, "</datalist>\n");
}

static bool is_filtered(const struct page_timeline *page) {
  static const char *const names[] = {"title", "platform", "since", "until", "status"};
  bool any = false;
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) any |= *argument(page, names[i]) != 0;
  return any;
}

static void put_filters(struct ck_buf *b, const struct page_timeline *page) {
  const char *status = argument(page, "status");
  ck_buf_text(b, "<form class=\"filters\" action=\"/\" aria-label=\"Filter conversations\">\n");
  page_put(b,
           "<label>Title <input name=\"title\" type=\"search\" value=\"%s\" size=\"18\"></label>\n"
           "<label>Platform <input name=\"platform\" list=\"platforms\" value=\"%s\" size=\"10\">"
           "</label>\n",
           argument(page, "title"), argument(page, "platform"));
  put_platforms(b, page);
  page_put(b,
           "<label>From <input name=\"since\" type=\"date\" value=\"%s\"></label>\n"
           "<label>To <input name=\"until\" type=\"date\" value=\"%s\"></label>\n",
           argument(page, "since"), argument(page, "until"));
  ck_buf_text(b, "<label>Follow-ups <select name=\"status\">");
  put_choice(b, status, "", "any");
  put_choice(b, status, "auto", "auto");
  put_choice(b, status, "paused", "paused");
  put_choice(b, status, "manual", "manual");
  ck_buf_text(b, "</select></label>\n<button>Filter</button>\n");
  if (is_filtered(page)) ck_buf_text(b, "<a href=\"/\">Show all</a>\n");
  ck_buf_text(b, "</form>\n");
}

/* ---- the conversations ---- */

static bool is_new(const struct page_timeline *page, const struct page_entry *e) {
  return page->seen_at && e->came_at > page->seen_at;
}

static void put_counts(struct ck_buf *b, const struct page_timeline *page,
                       const struct page_entry *e) {
  if (!e->messages) return;
  ck_buf_text(b, "<span class=\"count\">");
  if (!page->counted) ck_buf_text(b, "at least ");
  ck_buf_count(b, e->messages);
  ck_buf_text(b, ck_noun(e->messages, " message", " messages"));
  ck_buf_text(b, "</span>\n");
}

static void put_entry(struct ck_buf *b, const struct page_timeline *page,
                      const struct page_entry *e, bool by_month) {
  struct ck_buf title = {0};
  bool automatic = ck_str_is(e->status, "auto"), paused = ck_str_is(e->status, "paused");
  render_title(&title, e->title, e->question);
  ck_buf_text(b, "<li class=\"entry\">");
  page_time_begin(b, e->at);
  if (by_month)
    page_short_day(b, e->at);
  else
    page_minute(b, e->at);
  ck_buf_text(b, "</time>\n<div class=\"what\"><a dir=\"auto\" href=\"");
  page_conversation_path(b, e->id);
  page_put(b, "\">%.*s</a>\n", PAGE_STR(ck_buf_view(&title)));
  if (is_new(page, e)) ck_buf_text(b, "<span class=\"tag new\">new</span>\n");
  if (automatic) ck_buf_text(b, "<span class=\"tag auto\">auto</span>\n");
  if (paused) ck_buf_text(b, "<span class=\"tag paused\">paused</span>\n");
  struct ck_str question = render_question(e->question);
  if (e->title.n && question.n)
    page_put(b, "<p class=\"question\" dir=\"auto\">%.*s</p>\n", PAGE_STR(question));
  page_put(b, "</div>\n<div class=\"facts\"><span class=\"platform\">%.*s</span>\n",
           PAGE_STR(e->platform));
  put_counts(b, page, e);
  ck_buf_text(b, "</div></li>\n");
  ck_buf_free(&title);
}

/* The heading that an entry stands under. True: it stands under that of its month. */
static bool put_group(struct ck_buf *b, const struct page_timeline *page, int64_t at) {
  char day[PAGE_DAY], today[PAGE_DAY], yesterday[PAGE_DAY];
  page_day(day, at);
  page_day(today, page->now);
  page_day(yesterday, page->now - DAY_MS);
  bool by_month = at < page->now - DAYS * DAY_MS;
  if (by_month) {
    page_month_words(b, at);
    return true;
  }
  if (strcmp(day, today) == 0) ck_buf_text(b, "Today, ");
  if (strcmp(day, yesterday) == 0) ck_buf_text(b, "Yesterday, ");
  page_day_words(b, at);
  return false;
}

static void put_entries(struct ck_buf *b, const struct page_timeline *page) {
  struct ck_buf group = {0}, above = {0};
  for (size_t i = 0; i < page->count; ++i) {
    const struct page_entry *e = &page->entries[i];
    ck_buf_clear(&group);
    bool by_month = put_group(&group, page, e->at);
    if (i == 0 || !ck_str_eq(ck_buf_view(&group), ck_buf_view(&above))) {
      if (i) ck_buf_text(b, "</ol>\n");
      page_put(b, "<h2 class=\"when\">%s</h2>\n<ol class=\"entries\">\n", ck_buf_cstr(&group));
    }
    put_entry(b, page, e, by_month);
    ck_buf_clear(&above);
    ck_buf_str(&above, ck_buf_view(&group));
  }
  if (page->count) ck_buf_text(b, "</ol>\n");
  ck_buf_free(&group);
  ck_buf_free(&above);
}

static void put_none_like_that(struct ck_buf *b, const char *words) {
  const struct page_arg args[] = {{"q", words}, {0}};
  ck_buf_text(b, "<p class=\"nothing\">No conversation is like that.</p>\n");
  if (!*words) return;
  ck_buf_text(b, "<p><a href=\"");
  page_query(b, "/s", args, "", NULL);
  page_put(b, "\">Search for “%s” in all that was said</a></p>\n", words);
}

static void put_nothing(struct ck_buf *b, const struct page_timeline *page) {
  if (is_filtered(page))
    put_none_like_that(b, argument(page, "title"));
  else
    ck_buf_text(b, "<div class=\"nothing\"><p>There is no conversation yet. <a href=\"/i\">Import "
                   "some</a>, here or on the command line:</p>\n"
                   "<pre><code>convkeep import export.zip</code></pre></div>\n");
}

static void put_older(struct ck_buf *b, const struct page_timeline *page) {
  char *next = ck_str_dup(page->older);
  const struct page_arg args[] = {{"title", argument(page, "title")},
                                  {"platform", argument(page, "platform")},
                                  {"since", argument(page, "since")},
                                  {"until", argument(page, "until")},
                                  {"status", argument(page, "status")},
                                  {"next", ""},
                                  {0}};
  ck_buf_text(b, "<nav class=\"more\" aria-label=\"Pages\">");
  if (*argument(page, "next")) {
    ck_buf_text(b, "<a href=\"");
    page_query(b, "/", args, "next", NULL);
    ck_buf_text(b, "\">Newest</a>\n");
  }
  if (*next) {
    ck_buf_text(b, "<a rel=\"next\" href=\"");
    page_query(b, "/", args, "next", next);
    ck_buf_text(b, "\">Older</a>\n");
  }
  ck_buf_text(b, "</nav>\n");
  free(next);
}

void page_timeline_write(struct ck_buf *b, const struct page_timeline *page) {
  const struct page_frame frame = {
      .title = "Conversations · convkeep", .request = page->request, .here = PAGE_TIMELINE};
  page_begin(b, &frame);
  ck_buf_text(b, "<h1 class=\"unseen\">Conversations</h1>\n");
  put_filters(b, page);
  if (page->count)
    put_entries(b, page);
  else
    put_nothing(b, page);
  put_older(b, page);
  page_end(b, &frame);
}
