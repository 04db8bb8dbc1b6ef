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

/* ", 2 under way"; nothing if there is none. */
static void put_count(struct ck_buf *b, uint64_t n, const char *words) {
  if (!n) return;
  ck_buf_text(b, ", ");
  ck_buf_count(b, n);
  ck_buf_text(b, words);
}

static void put_waiting(struct ck_buf *b, const struct page_state *s) {
  uint64_t waiting = page_jobs_count(s, "pending");
  if (waiting)
    ck_buf_count(b, waiting);
  else
    ck_buf_text(b, "none");
  ck_buf_text(b, ck_noun(waiting, " waits", " wait"));
}

static size_t others(const struct page_state *s) {
  size_t n = 0;
  for (size_t i = 0; i < s->pause_count; ++i) n += !ck_str_is(s->pauses[i].kind, "everything");
  return n;
}

/* What a person has to know at a glance: it has a line of the frame's head, with all else. What is
 * paused besides everything does not matter. */
static void put_glance(struct ck_buf *b, const struct page_state *s, bool paused) {
  size_t more = paused ? 0 : others(s);
  if (paused) ck_buf_text(b, "<strong>Paused</strong>, ");
  if (!s->known) {
    ck_buf_text(b, "store away");
    return;
  }
  put_waiting(b, s);
  put_count(b, page_jobs_count(s, "unknown"), " unknown");
  put_count(b, more, ck_noun(more, " pause", " pauses"));
}

static void put_all(struct ck_buf *b, const struct page_state *s) {
  ck_buf_text(b, "<p>Follow-ups: ");
  if (s->known) {
    put_waiting(b, s);
    put_count(b, page_jobs_count(s, "due"), " of them due");
    put_count(b, page_jobs_count(s, "running"), " under way");
    put_count(b, page_jobs_count(s, "unknown"), " of unknown outcome");
  } else {
    ck_buf_text(b, "the store does not say what waits");
  }
  ck_buf_text(b, ". <a href=\"/j\">All of them</a></p>\n");
}

#define PAUSES_SAID 5

static void put_pauses(struct ck_buf *b, const struct page_state *s) {
  if (!s->pause_count) return;
  ck_buf_text(b, "<ul>\n");
  for (size_t i = 0; i < s->pause_count && i < PAUSES_SAID; ++i) {
    ck_buf_text(b, "<li>Paused: ");
    page_pause_text(b, &s->pauses[i], s->now);
    ck_buf_text(b, "</li>\n");
  }
  if (s->pause_count > PAUSES_SAID)
    page_put(b, "<li><a href=\"/j#pauses\">and %zu more</a></li>\n", s->pause_count - PAUSES_SAID);
  ck_buf_text(b, "</ul>\n");
}

void page_switch(struct ck_buf *b, const struct web_request *r) {
  const struct page_state *s = page_state(r);
  bool paused = page_pause_of(s, "everything", (struct ck_str){0}) != NULL;
  page_put(b, "<div class=\"switch%s\" role=\"group\" aria-label=\"Follow-ups\">\n",
           paused ? " paused" : "");
  ck_buf_text(b, "<details><summary>");
  put_glance(b, s, paused);
  ck_buf_text(b, "</summary>\n<div class=\"panel\">\n");
  put_all(b, s);
  put_pauses(b, s);
  ck_buf_text(b,
              "<p class=\"note\">A pause holds back what convkeep would send into conversations. "
              "Capture, search and mirrors go on.</p>\n</div></details>\n");
  page_pause_form(b, r, !paused, "everything", (struct ck_str){0},
                  paused ? "Resume all follow-ups" : "Pause all follow-ups");
  ck_buf_text(b, "</div>\n");
}
