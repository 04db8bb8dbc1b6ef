/* The head of the page at /j: states, filters, pauses; see jobs.h. */
#include "webd/page/jobs.h"

#include <stdlib.h>

/* ---- filters ---- */

static void put_chip(struct ck_buf *b, const struct page_jobs *page, enum page_jobs_of state) {
  const struct page_state *s = page_state(page->request);
  bool chosen = page->only == state;
  ck_buf_text(b, chosen ? "<li><a aria-current=\"true\" href=\"" : "<li><a href=\"");
  page_jobs_path(b, "/j", &page->filter, state, NULL, NULL);
  page_put(b, "\">%s", state < PAGE_JOBS_STATES ? page_jobs_title(state) : "All");
  if (state < PAGE_JOBS_STATES && !page_jobs_filtered(&page->filter)) {
    ck_buf_text(b, " <b>");
    ck_buf_count(b, page_jobs_in(s, state));
    ck_buf_text(b, "</b>");
  }
  ck_buf_text(b, "</a></li>\n");
}

static void put_chips(struct ck_buf *b, const struct page_jobs *page) {
  ck_buf_text(b, "<ul class=\"chips\" id=\"states\" aria-label=\"States\">\n");
  put_chip(b, page, PAGE_JOBS_STATES);
  for (int i = 0; i < PAGE_JOBS_STATES; ++i) put_chip(b, page, (enum page_jobs_of)i);
  ck_buf_text(b, "<li><a href=\"/j/plan\">Plan of the next day</a></li>\n</ul>\n");
}

static void put_filters(struct ck_buf *b, const struct page_jobs *page) {
  const struct page_jobs_filter *f = &page->filter;
  ck_buf_text(b, page_jobs_filtered(f) ? "<details open>" : "<details>");
  ck_buf_text(b, "<summary>Filter</summary>\n<form class=\"filters\" action=\"/j\" "
                 "aria-label=\"Filter follow-ups\">\n");
  if (page->only < PAGE_JOBS_STATES)
    page_hidden(b, "status", ck_str_of(page_jobs_words[page->only]));
  page_put(b,
           "<label>Platform <input name=\"platform\" value=\"%s\" size=\"12\"></label>\n"
           "<label>Account <input name=\"account\" value=\"%s\" size=\"20\"></label>\n"
           "<label>Conversation <input name=\"conversation\" value=\"%s\" size=\"24\"></label>\n"
           "<button>Filter</button>\n",
           f->platform, f->account, f->conversation);
  if (page_jobs_filtered(f)) {
    ck_buf_text(b, "<a href=\"");
    page_jobs_path(b, "/j", &(struct page_jobs_filter){"", "", ""}, page->only, NULL, NULL);
    ck_buf_text(b, "\">Show all</a>\n");
  }
  ck_buf_text(b, "</form></details>\n");
}

/* ---- pauses ---- */

static void put_pauses(struct ck_buf *b, const struct page_jobs *page) {
  const struct page_state *s = page_state(page->request);
  ck_buf_text(b, "<ul class=\"pauses\" id=\"pauses\" aria-label=\"Pauses\">\n");
  for (size_t i = 0; i < s->pause_count; ++i) {
    const struct page_pause *p = &s->pauses[i];
    char *kind = ck_str_dup(p->kind);
    ck_buf_text(b, "<li><span>Paused: ");
    page_pause_text(b, p, s->now);
    ck_buf_text(b, "</span>");
    page_pause_form(b, page->request, false, kind, p->name, "Resume");
    ck_buf_text(b, "</li>\n");
    free(kind);
  }
  ck_buf_text(b, "</ul>\n");
}

static void put_pause(struct ck_buf *b, const struct page_jobs *page) {
  ck_buf_text(b, "<details><summary>Pause a platform or an account</summary>\n"
                 "<form class=\"filters\" method=\"post\" action=\"/pause\">");
  page_form_fields(b, page->request);
  page_put(b,
           "<label>What <select name=\"kind\"><option value=\"platform\">platform</option>"
           "<option value=\"account\"%s>account</option></select></label>\n"
           "<label>Name <input name=\"name\" required value=\"%s\" size=\"20\"></label>\n"
           "<label>For <select name=\"until\"><option value=\"\">until I resume "
           "it</option>" PAGE_UNTIL_CHOICES
           "</select></label>\n<button>Pause</button></form></details>\n",
           *page->filter.account ? " selected" : "",
           *page->filter.account ? page->filter.account : page->filter.platform);
}

void page_jobs_head(struct ck_buf *b, const struct page_jobs *page) {
  put_chips(b, page);
  put_pauses(b, page);
  ck_buf_text(b, "<div class=\"tools\">\n");
  put_filters(b, page);
  put_pause(b, page);
  page_hold(b);
  ck_buf_text(b, "</div>\n");
}
