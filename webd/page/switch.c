/* The pause switch that every page has, and forms that begin and end pauses; see state.h. */
#include "webd/page/state.h"

#include <stdlib.h>

void page_hidden(struct ck_buf *b, const char *name, struct ck_str value) {
  page_put(b, "<input type=\"hidden\" name=\"%s\" value=\"%.*s\">", name, PAGE_STR(value));
}

struct address {
  struct ck_buf *b;
  const char *before;
};

static bool add_argument(void *self, const char *name, const char *value) {
  struct address *a = self;
  ck_buf_text(a->b, a->before);
  page_encode(a->b, ck_str_of(name));
  ck_buf_text(a->b, "=");
  page_encode(a->b, ck_str_of(value));
  a->before = "&";
  return true;
}

/* A page that answers a change is not where one comes back to. */
void page_form_fields(struct ck_buf *b, const struct web_request *r) {
  struct ck_buf back = {0};
  page_form_field(b, r);
  ck_buf_text(&back, web_method(r) == WEB_GET ? web_path(r) : "/j");
  if (web_method(r) == WEB_GET) web_args(r, add_argument, &(struct address){&back, "?"});
  page_hidden(b, "back", ck_buf_view(&back));
  ck_buf_free(&back);
}

void page_pause_form(struct ck_buf *b, const struct web_request *r, bool pause, const char *kind,
                     struct ck_str name, const char *words) {
  page_put(b, "<form method=\"post\" action=\"%s\">", pause ? "/pause" : "/resume");
  page_form_fields(b, r);
  page_hidden(b, "kind", ck_str_of(kind));
  page_hidden(b, "name", name);
  page_put(b, "<button>%s</button></form>\n", words);
}

void page_pause_text(struct ck_buf *b, const struct page_pause *p, int64_t now) {
  bool all = ck_str_is(p->kind, "everything");
  page_put(b, "%s%.*s", all ? "" : "the ", PAGE_STR(p->kind));
  if (p->name.n) page_put(b, " <bdi>%.*s</bdi>", PAGE_STR(ck_utf8_cut(p->name, 200)));
  ck_buf_text(b, " since ");
  page_moment(b, p->at, now);
  if (!p->until) return;
  ck_buf_text(b, ", until ");
  page_moment(b, p->until, now);
}

/* "12 wait, 2 of them due; 1 under way" */
static void put_counts(struct ck_buf *b, const struct page_state *s) {
  uint64_t waiting = page_jobs_count(s, "pending"), due = page_jobs_count(s, "due"),
           running = page_jobs_count(s, "running"), unknown = page_jobs_count(s, "unknown");
  if (!s->known) {
    ck_buf_text(b, "The store does not say what waits");
    return;
  }
  ck_buf_count(b, waiting);
  ck_buf_text(b, ck_noun(waiting, " waits", " wait"));
  if (due) {
    ck_buf_text(b, ", ");
    ck_buf_count(b, due);
    ck_buf_text(b, " due");
  }
  if (running) {
    ck_buf_text(b, ", ");
    ck_buf_count(b, running);
    ck_buf_text(b, " under way");
  }
  if (!unknown) return;
  ck_buf_text(b, ", ");
  ck_buf_count(b, unknown);
  ck_buf_text(b, " unknown");
}

static size_t others(const struct page_state *s) {
  size_t n = 0;
  for (size_t i = 0; i < s->pause_count; ++i) n += !ck_str_is(s->pauses[i].kind, "everything");
  return n;
}

void page_switch(struct ck_buf *b, const struct web_request *r) {
  const struct page_state *s = page_state(r);
  const struct page_pause *all = page_pause_of(s, "everything", (struct ck_str){0});
  size_t more = others(s);
  ck_buf_text(b, all ? "<div class=\"switch paused\" role=\"group\" aria-label=\"Follow-ups\"><p>"
                     : "<div class=\"switch\" role=\"group\" aria-label=\"Follow-ups\"><p>");
  if (all) {
    ck_buf_text(b, "<strong>Paused</strong>: ");
    page_pause_text(b, all, s->now);
    ck_buf_text(b, ". ");
  }
  ck_buf_text(b, "<a href=\"/j\">");
  put_counts(b, s);
  ck_buf_text(b, "</a>");
  if (more)
    page_put(b, "; <a href=\"/j#pauses\">%zu more %s</a>", more, ck_noun(more, "pause", "pauses"));
  ck_buf_text(b, "</p>\n");
  page_pause_form(b, r, !all, "everything", (struct ck_str){0},
                  all ? "Resume all follow-ups" : "Pause all follow-ups");
  ck_buf_text(b, "</div>\n");
}
