/* The page at /s, as HTML; see search.h. */
#include "webd/page/search.h"

#include <stdlib.h>

#include "proto/render/render.h"

#define ARGS 9

static const char *argument(const struct page_search *page, const char *name) {
  const char *value = web_arg(page->request, name);
  return value ? value : "";
}

/* What a link keeps of the question. */
static void keep_args(const struct page_search *page, struct page_arg args[ARGS]) {
  static const char *const names[] = {"q", "in", "platform", "role", "since", "until", "by"};
  size_t n = 0;
  for (; n < sizeof names / sizeof *names; ++n)
    args[n] = (struct page_arg){names[n], argument(page, names[n])};
  args[n++] = (struct page_arg){"next", ""};
  args[n] = (struct page_arg){0};
}

/* ---- filters ---- */

static void put_chip(struct ck_buf *b, const struct page_search *page, const char *name,
                     const char *value, const char *words) {
  struct page_arg args[ARGS];
  bool chosen = strcmp(argument(page, name), value) == 0;
  keep_args(page, args);
  ck_buf_text(b, chosen ? "<li><a aria-current=\"true\" href=\"" : "<li><a href=\"");
  page_query(b, "/s", args, name, chosen ? NULL : value);
  page_put(b, "\">%s</a></li>\n", words);
}

static void put_chips(struct ck_buf *b, const struct page_search *page) {
  static const struct {
    const char *name, *value, *words;
  } chips[] = {{"role", "user", "You"},         {"role", "assistant", "Assistant"},
               {"role", "tool", "Tools"},       {"since", "-1d", "Last day"},
               {"since", "-7d", "Last week"},   {"since", "-30d", "Last month"},
               {"since", "-365d", "Last year"}, {"by", "best", "Best first"}};
  ck_buf_text(b, "<ul class=\"chips\" aria-label=\"Filters\">\n");
  if (*argument(page, "in")) put_chip(b, page, "in", argument(page, "in"), "In one conversation");
  for (size_t i = 0; i < sizeof chips / sizeof *chips; ++i)
    put_chip(b, page, chips[i].name, chips[i].value, chips[i].words);
  for (size_t i = 0; i < page->count; ++i) {
    bool known = ck_str_is(page->found[i].platform, argument(page, "platform"));
    for (size_t k = 0; k < i; ++k)
      known |= ck_str_eq(page->found[k].platform, page->found[i].platform);
    if (known) continue;
    char *name = ck_str_dup(page->found[i].platform);
    put_chip(b, page, "platform", name, name);
    free(name);
  }
  if (*argument(page, "platform"))
    put_chip(b, page, "platform", argument(page, "platform"), argument(page, "platform"));
  ck_buf_text(b, "</ul>\n");
}

/* ---- hits ---- */

/* The snippet with the found words marked; ranges count characters. */
static void put_snippet(struct ck_buf *b, const struct ck_hit *hit) {
  struct ck_str s = hit->snippet;
  size_t range = 0, from = 0;
  uint32_t character = 0;
  bool marked = false;
  for (size_t i = 0; i <= s.n; ++character) {
    while (range < hit->range_count && hit->ranges[range].to <= character) ++range;
    bool mark = i < s.n && range < hit->range_count && hit->ranges[range].from <= character;
    if (mark != marked || i == s.n) {
      page_text(b, (struct ck_str){s.s + from, i - from});
      if (mark != marked) ck_buf_text(b, mark ? "<mark>" : "</mark>");
      marked = mark;
      from = i;
    }
    if (i == s.n) break;
    size_t n = ck_character(s.s + i, s.n - i);
    i += n ? n : 1;
  }
}

static void put_hit(struct ck_buf *b, const struct page_found *found, const struct ck_hit *hit) {
  ck_buf_text(b, "<li><a class=\"hit\" href=\"");
  page_message_path(b, found->id, hit->message_id);
  ck_buf_text(b, "\"><small>");
  if (!hit->message_id.n) ck_buf_text(b, "title");
  page_put(b, "%.*s", PAGE_STR(ck_str_is(hit->role, "user") ? CK_LIT("you") : hit->role));
  if (hit->is_dated) {
    ck_buf_text(b, " · ");
    page_time_begin(b, hit->observed_at);
    page_short_day(b, hit->observed_at);
    ck_buf_text(b, " ");
    page_year(b, hit->observed_at);
    ck_buf_text(b, "</time>");
  }
  ck_buf_text(b, "</small> <span dir=\"auto\">");
  put_snippet(b, hit);
  ck_buf_text(b, "</span></a></li>\n");
}

static void put_found(struct ck_buf *b, const struct page_search *page,
                      const struct page_found *found) {
  struct ck_buf title = {0};
  struct page_arg args[ARGS];
  keep_args(page, args);
  if (found->id.n)
    render_title(&title, found->title, found->question);
  else
    ck_buf_text(&title, "Without a conversation");
  ck_buf_text(b, "<section class=\"found\"><h2><a dir=\"auto\" href=\"");
  if (found->id.n)
    page_conversation_path(b, found->id);
  else
    page_message_path(b, found->id, found->hits[0].message_id);
  page_put(b, "\">%.*s</a> <small>%.*s</small></h2>\n<ol>\n", PAGE_STR(ck_buf_view(&title)),
           PAGE_STR(found->platform));
  for (size_t i = 0; i < found->shown; ++i) put_hit(b, found, &found->hits[i]);
  ck_buf_text(b, "</ol>\n");
  if (found->count > found->shown) {
    char *id = ck_str_dup(found->id);
    ck_buf_text(b, "<a class=\"rest\" href=\"");
    page_query(b, "/s", args, "in", id);
    page_put(b, "\">%zu more here</a>\n", found->count - found->shown);
    free(id);
  }
  ck_buf_text(b, "</section>\n");
  ck_buf_free(&title);
}

/* ---- what is said of them all ---- */

static void put_count(struct ck_buf *b, const struct page_search *page) {
  ck_buf_text(b, "<p class=\"counted\" role=\"status\">");
  if (page->count == 0 && !page->more) {
    ck_buf_text(b, "Nothing found");
  } else {
    if (page->more) ck_buf_text(b, "More than ");
    ck_buf_count(b, page->total);
    ck_buf_text(b, " found");
  }
  if (page->cut) ck_buf_text(b, "; only the beginning of so long a query counts");
  if (page->timed_out)
    ck_buf_text(b, "; the search took too long and was cut short, so some may be missing");
  if (page->behind) {
    ck_buf_text(b, "; the newest ");
    ck_buf_count(b, page->behind);
    ck_buf_text(b, ck_noun(page->behind, " change is", " changes are"));
    ck_buf_text(b, " not searched yet");
  }
  ck_buf_text(b, "</p>\n");
}

static void put_next(struct ck_buf *b, const struct page_search *page) {
  struct page_arg args[ARGS];
  if (!page->next.n) return;
  char *next = ck_str_dup(page->next);
  keep_args(page, args);
  ck_buf_text(b, "<nav class=\"more\" aria-label=\"Pages\"><a rel=\"next\" href=\"");
  page_query(b, "/s", args, "next", next);
  ck_buf_text(b, "\">More</a></nav>\n");
  free(next);
}

static void put_hints(struct ck_buf *b) {
  static const char *const hints[][2] = {
      {"disk full", "both words, anywhere in a message"},
      {"\"disk full\"", "one after the other"},
      {"disk*  -backup", "words that begin so; without that word"},
      {"title:disk", "in the title"},
      {"tool:disk", "what tools were told, and answered"},
      {"platform:claude  role:user", "of that platform; said by you"},
      {"after:2026-11  before:-2d", "of that time or later; before it"}};
  ck_buf_text(b, "<p class=\"note\">Words in the field above are found as you type. More can be "
                 "asked:</p>\n<dl class=\"hints\">\n");
  for (size_t i = 0; i < sizeof hints / sizeof *hints; ++i)
    page_put(b, "<dt><code>%s</code></dt><dd>%s</dd>\n", hints[i][0], hints[i][1]);
  ck_buf_text(b, "</dl>\n");
}

void page_search_write(struct ck_buf *b, const struct page_search *page) {
  struct ck_buf title = {0};
  struct page_arg args[ARGS];
  keep_args(page, args);
  if (page->asked) ck_buf_printf(&title, "%s · ", page->query);
  ck_buf_text(&title, "Search · convkeep");
  const struct page_frame frame = {.title = ck_buf_cstr(&title),
                                   .request = page->request,
                                   .here = PAGE_SEARCH,
                                   .query = page->query,
                                   .kept = args};
  page_begin(b, &frame);
  ck_buf_text(b, "<h1 class=\"unseen\">Search</h1>\n<div id=\"results\">\n");
  put_chips(b, page);
  if (page->asked) {
    put_count(b, page);
    for (size_t i = 0; i < page->count; ++i) put_found(b, page, &page->found[i]);
    put_next(b, page);
  } else {
    put_hints(b);
  }
  ck_buf_text(b, "</div>\n");
  page_end(b, &frame);
  ck_buf_free(&title);
}
