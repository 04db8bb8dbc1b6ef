/* The page at /c/ID, as HTML; see conversation.h. */
#include "webd/page/conversation.h"

#include <stdlib.h>

#define QUESTION_BYTES 160
#define MINUTE_MS 60000

/* ---- the head ---- */

static void put_fact(struct page_reading *p, struct ck_str fact) {
  if (fact.n) page_put(&p->out, " · <span dir=\"auto\">%.*s</span>", PAGE_STR(fact));
}

static struct ck_str detail(const struct render_conversation *c, const char *name) {
  const json_t *value = json_object_get(c->details, name);
  return (struct ck_str){json_string_value(value), json_string_length(value)};
}

static void put_span(struct ck_buf *b, int64_t from, int64_t to) {
  char first[PAGE_DAY], last[PAGE_DAY];
  page_day(first, from);
  page_day(last, to);
  page_moment_words(b, from);
  if (to / MINUTE_MS <= from / MINUTE_MS) return;
  ck_buf_text(b, " to ");
  if (strcmp(first, last) != 0) {
    page_moment_words(b, to);
    return;
  }
  page_time_begin(b, to);
  page_minute(b, to);
  ck_buf_text(b, "</time>");
}

/* Where it came from, when, how long, with whom. */
static void put_facts(struct page_reading *p, const struct render_conversation *c) {
  struct ck_buf *b = &p->out;
  const struct page_arg platform[] = {{"platform", ""}, {0}};
  char *name = ck_str_dup(c->platform);
  ck_buf_text(b, "<p><a href=\"");
  page_query(b, "/", platform, "platform", name);
  page_put(b, "\">%s</a>", name);
  free(name);
  if (c->created_at > 0) ck_buf_text(b, " · ");
  if (c->created_at > 0) put_span(b, c->created_at, c->newest_at);
  ck_buf_text(b, " · ");
  ck_buf_count(b, p->step_count);
  ck_buf_text(b, ck_noun(p->step_count, " message", " messages"));
  put_fact(p, c->model);
  put_fact(p, c->project);
  put_fact(p, detail(c, "cwd"));
  put_fact(p, detail(c, "branch"));
  ck_buf_text(b, "</p>\n<p>");
  if (render_is_address(c->url)) {
    render_html_anchor(b, c->url, (struct ck_str){0});
    page_put(b, "%.*s</a>", PAGE_STR(c->url));
  } else if (c->url.n) {
    page_put(b, "<code>%.*s</code>", PAGE_STR(c->url));
  }
  if (c->url.n) ck_buf_text(b, " · ");
  page_put(b, "<span class=\"id\">%.*s</span></p>\n", PAGE_STR(p->id.n ? p->id : p->alone));
}

static void put_status(struct page_reading *p) {
  struct ck_str status = ck_row_text(&p->row, CK_CONVERSATIONS_AUTOMATION_STATUS);
  if (ck_str_is(status, "auto")) ck_buf_text(&p->out, " <span class=\"tag auto\">auto</span>");
  if (ck_str_is(status, "paused"))
    ck_buf_text(&p->out, " <span class=\"tag paused\">paused</span>");
}

static void put_rest(struct page_reading *p) {
  int64_t rest = ck_row_int(&p->row, CK_CONVERSATIONS_COOLDOWN_UNTIL, 0);
  if (rest <= 0) return;
  ck_buf_text(&p->out, "<p>rests until ");
  page_moment_words(&p->out, rest);
  ck_buf_text(&p->out, "</p>\n");
}

static void put_find(struct page_reading *p) {
  page_put(&p->out, "<p><span class=\"to-contents\"><a href=\"#questions\">Questions</a> · "
                    "</span><a href=\"/s?in=");
  page_encode(&p->out, p->id);
  ck_buf_text(&p->out, "\">Search in this conversation</a>");
  if (p->has_original) {
    ck_buf_text(&p->out, " · <a href=\"/o/");
    page_part(&p->out, p->id);
    ck_buf_text(&p->out, "\">The original</a>");
  }
  ck_buf_text(&p->out, "</p>\n");
}

static void put_note(struct page_reading *p, const char *text) {
  page_put(&p->out, "<p class=\"note\" dir=\"auto\">%s</p>\n", text);
}

void page_reading_head(struct page_reading *p) {
  struct ck_buf title = {0}, words = {0};
  struct render_conversation c;
  const struct render_style style = {
      .has_tree = ck_reading_has_tree(p->order), .attached = page_attached, .attached_self = p};
  render_conversation_of(&c, &p->row, &p->link);
  render_title(&title, c.title, p->question);
  ck_buf_str(&words, ck_buf_view(&title));
  ck_buf_text(&words, " · convkeep");
  const struct page_frame frame = {.title = ck_buf_cstr(&words), .request = p->request};
  page_begin(&p->out, &frame);
  page_end(&p->tail, &frame);
  page_put(&p->out, "<div class=\"reading\">\n<header>\n<h1 dir=\"auto\">%.*s",
           PAGE_STR(ck_buf_view(&title)));
  put_status(p);
  ck_buf_text(&p->out, "</h1>\n");
  put_facts(p, &c);
  put_rest(p);
  if (p->id.n)
    put_find(p);
  else
    put_note(p, "This message came without a conversation.");
  if (c.summary.n) {
    ck_buf_text(&p->out, "<details class=\"summary\"><summary>Summary</summary>\n");
    render_html_markdown(&p->out, c.summary);
    ck_buf_text(&p->out, "</details>\n");
  }
  if (p->id.n) page_reading_controls(p);
  ck_buf_text(&p->out, "</header>\n<div class=\"messages\">\n");
  if (p->lost) put_note(p, "The message that the link names is not here.");
  if (!p->way_count) put_note(p, "There is no message in it.");
  p->render = render_new(RENDER_HTML, &p->out, &style);
  render_within(p->render, c.platform);
  render_conversation_free(&c);
  ck_buf_free(&title);
  ck_buf_free(&words);
}

/* ---- where branches part ---- */

static int by_number(const void *x, const void *y) {
  size_t a = *(const size_t *)x, b = *(const size_t *)y;
  return (a > b) - (a < b);
}

static void put_way(struct page_reading *p, size_t branch, const char *words, const char *sign) {
  struct ck_buf *b = &p->out;
  ck_buf_text(b, "<a href=\"");
  page_conversation_path(b, p->id);
  page_put(b, "?branch=%zu#ways-%zu\" aria-label=\"%s\">%s</a>\n", branch, p->at, words, sign);
}

/* ‹ 2/3 ›: before the step that is one of several ways to go on. at: of the way. */
static void put_ways(struct page_reading *p, size_t at) {
  size_t before = at ? p->way[at - 1] : p->step_count, count = 0, i = 0,
         current = p->steps[p->way[at]].branch;
  for (size_t n = p->leaving.first[before]; n; n = p->leaving.next[n - 1]) ++count;
  if (count == 0) return;
  size_t *ways = ck_alloc((count + 1) * sizeof *ways);
  for (size_t n = p->leaving.first[before]; n; n = p->leaving.next[n - 1]) ways[i++] = n;
  ways[count++] = current;
  qsort(ways, count, sizeof *ways, by_number);
  for (i = 0; ways[i] != current;) ++i;
  page_put(&p->out, "<nav class=\"ways\" id=\"ways-%zu\" aria-label=\"Branches\">\n", at);
  size_t was = p->at;
  p->at = at;
  if (i > 0) put_way(p, ways[i - 1], "previous branch", "‹");
  page_put(&p->out, "<span>%zu/%zu</span>\n", i + 1, count);
  if (i + 1 < count) put_way(p, ways[i + 1], "next branch", "›");
  p->at = was;
  ck_buf_text(&p->out, "</nav>\n");
  free(ways);
}

/* Branches that go on after the last step of the way. */
static void put_further(struct page_reading *p) {
  if (!p->way_count) return;
  for (size_t n = p->leaving.first[p->way[p->way_count - 1]]; n; n = p->leaving.next[n - 1]) {
    ck_buf_text(&p->out, "<p class=\"note\"><a href=\"");
    page_conversation_path(&p->out, p->id);
    page_put(&p->out, "?branch=%zu\">Branch %zu goes on here</a></p>\n", n, n);
  }
}

/* ---- what stands between messages ---- */

static void put_source(struct page_reading *p, size_t at) {
  const struct ck_step *step = &p->steps[p->way[at]];
  unsigned before = at ? p->steps[p->way[at - 1]].conversation : 0;
  struct ck_buf title = {0};
  if (step->conversation == before) return;
  ck_buf_text(&p->out, "<p class=\"note\" dir=\"auto\">From here on: ");
  if (step->conversation == 0) {
    ck_buf_text(&p->out, "this conversation</p>\n");
    return;
  }
  const struct page_source *source = &p->sources[step->conversation];
  if (source->id.n) {
    render_title(&title, source->title, source->question);
    ck_buf_text(&p->out, "<a href=\"");
    page_conversation_path(&p->out, source->id);
    page_put(&p->out, "\">%.*s</a>", PAGE_STR(ck_buf_view(&title)));
  } else {
    page_put(&p->out, "%.*s", PAGE_STR(source->remote));
  }
  ck_buf_text(&p->out, ", from which this conversation was forked</p>\n");
  ck_buf_free(&title);
}

static void put_missing(struct page_reading *p, size_t at) {
  const struct ck_step *step = &p->steps[p->way[at]];
  const struct ck_branch *b = &p->branches[step->branch - 1];
  struct ck_buf text = {0};
  if (p->way[at] != b->first) return;
  render_say_missing(&text, b->missing_before);
  if (text.len) put_note(p, ck_buf_cstr(&text));
  ck_buf_free(&text);
}

static void put_job(struct page_reading *p, const struct page_job *job) {
  struct ck_buf *b = &p->out;
  bool pending = ck_str_is(job->status, "pending");
  page_put(b, "<div class=\"job\" id=\"j-%.*s\"><p><a href=\"/j?conversation=", PAGE_STR(job->id));
  page_encode(b, p->id);
  ck_buf_text(b, "#j-");
  page_encode(b, job->id);
  ck_buf_text(b, "\">Follow-up</a>: ");
  page_put(b, "<span class=\"tag %s\">%.*s</span>",
           ck_str_is(job->status, "failed") ? "failed" : "state", PAGE_STR(job->status));
  if (pending && job->next_at) {
    ck_buf_text(b, ", due ");
    page_moment_words(b, job->next_at);
  }
  if (!pending && job->finished_at) {
    ck_buf_text(b, ", ");
    page_moment_words(b, job->finished_at);
  }
  if (job->attempts)
    page_put(b, ", attempt %lld of %lld", (long long)job->attempts, (long long)job->max_attempts);
  ck_buf_text(b, "</p>\n");
  if (job->error.n) page_put(b, "<p dir=\"auto\">%.*s</p>\n", PAGE_STR(job->error));
  ck_buf_text(b, "</div>\n");
}

static void put_jobs(struct page_reading *p, struct ck_str message) {
  for (size_t i = 0; i < p->job_count; ++i)
    if (ck_str_eq(p->jobs[i].message, message)) put_job(p, &p->jobs[i]);
}

/* ---- messages ---- */

static void add_question(struct page_reading *p, const struct render_message *m) {
  struct ck_buf words = {0}, shown = {0};
  if (!ck_str_is(m->role, "user") || m->hidden || render_is_aside(m)) return;
  ck_buf_summary(&words, render_shown_text(&shown, m), QUESTION_BYTES);
  if (words.len) {
    ck_buf_text(&p->contents, "<li><a dir=\"auto\" href=\"#m-");
    page_encode(&p->contents, m->id);
    page_put(&p->contents, "\">%.*s</a></li>\n", PAGE_STR(ck_buf_view(&words)));
  }
  ck_buf_free(&shown);
  ck_buf_free(&words);
}

void page_reading_message(struct page_reading *p, size_t at, const struct ck_row *message,
                          const struct ck_row *executions, size_t count) {
  struct render_message m;
  render_message_of(&m, message, executions, count);
  m.placed = p->steps[p->way[at]].placed;
  put_source(p, at);
  put_missing(p, at);
  put_ways(p, at);
  page_put(&p->out, "<div class=\"m\" id=\"m-%.*s\">", PAGE_STR(m.id));
  size_t empty = p->out.len;
  render_message(p->render, &m);
  if (p->out.len > empty) {
    ck_buf_text(&p->out, "<a class=\"self\" href=\"#m-");
    page_encode(&p->out, m.id);
    ck_buf_text(&p->out, "\" aria-label=\"Link to this message\">#</a>");
    add_question(p, &m);
  }
  ck_buf_text(&p->out, "</div>\n");
  put_jobs(p, m.id);
  render_message_free(&m);
}

/* ---- the end ---- */

void page_reading_end(struct page_reading *p, const char *why) {
  if (!why) put_further(p);
  if (why)
    page_put(&p->out,
             "<p class=\"note\" role=\"alert\">The page ends here: %s. Load it again.</p>\n", why);
  ck_buf_text(&p->out,
              "</div>\n<nav class=\"contents\" id=\"questions\" aria-label=\"Questions\">\n");
  if (p->contents.len) {
    ck_buf_text(&p->out, "<h2>Questions</h2>\n<ol>\n");
    ck_buf_str(&p->out, ck_buf_view(&p->contents));
    ck_buf_text(&p->out, "</ol>\n");
  }
  ck_buf_text(&p->out, "</nav>\n</div>\n");
  ck_buf_str(&p->out, ck_buf_view(&p->tail));
}
