/* The page at /j, as HTML; see jobs.h. */
#include "webd/page/jobs.h"

#include <stdlib.h>

#include "proto/job_words.h"
#include "proto/map.h"
#include "proto/pause_change.h"
#include "proto/render/render.h"
#include "proto/wire.h"

static const struct {
  const char *title, *sub, *one, *several; /* a follow-up ONE, follow-ups SEVERAL */
  const char *verbs[5];
} kinds[PAGE_JOBS_STATES] = {
    [PAGE_UNKNOWN] = {"Unknown",
                      "They may have arrived. Look where they went, then say it here.",
                      "of unknown outcome",
                      "of unknown outcome",
                      {"arrived", "again", "cancel"}},
    [PAGE_RUNNING] = {"Under way", NULL, "under way", "under way", {"cancel"}},
    [PAGE_STOPPED] = {"Stopped",
                      "They wait until the reason is gone, or somebody sends them.",
                      "that is stopped",
                      "that are stopped",
                      {"anyway", "snooze", "cancel"}},
    [PAGE_WAITING] = {"Waiting", NULL, "that waits", "that wait", {"retry", "snooze", "cancel"}},
    [PAGE_FAILED] = {"Failed", NULL, "that failed", "that failed", {"again"}},
    [PAGE_SUPERSEDED] = {"Superseded",
                         "Nobody wanted them any more, as somebody had answered.",
                         "that is superseded",
                         "that are superseded",
                         {"anyway"}},
    [PAGE_DONE] = {"Delivered", NULL, "that was delivered", "that were delivered", {NULL}}};

const char *page_jobs_title(enum page_jobs_of state) { return kinds[state].title; }
const char *const *page_jobs_verbs(enum page_jobs_of state) { return kinds[state].verbs; }

/* ---- addresses ---- */

void page_jobs_path(struct ck_buf *b, const char *path, const struct page_jobs_filter *f,
                    enum page_jobs_of state, const char *verb, const char *next) {
  const struct page_arg args[] = {
      {"do", verb},
      {"status", state < PAGE_JOBS_STATES ? page_jobs_words[state] : ""},
      {"platform", f->platform},
      {"account", f->account},
      {"conversation", f->conversation},
      {"next", next},
      {0}};
  page_query(b, path, args, "", NULL);
}

void page_jobs_what(struct ck_buf *b, enum page_jobs_of state, const struct page_jobs_filter *f,
                    uint64_t n) {
  page_put(b, "%s %s", ck_noun(n, "follow-up", "follow-ups"),
           ck_noun(n, kinds[state].one, kinds[state].several));
  if (*f->platform) page_put(b, ", of the platform <bdi>%s</bdi>", f->platform);
  if (*f->account) page_put(b, ", of the account <bdi>%s</bdi>", f->account);
  if (*f->conversation) page_put(b, ", of the conversation <bdi>%s</bdi>", f->conversation);
}

/* ---- one job ---- */

static struct ck_str text(const struct page_job_entry *e, int column) {
  return ck_row_text(&e->row, column);
}

void page_job_title(struct ck_buf *b, const struct page_job_entry *e) {
  struct ck_buf title = {0};
  bool known = ck_row_key(&e->conversation).n > 0;
  if (known)
    render_title(&title, ck_row_text(&e->conversation, CK_CONVERSATIONS_TITLE), e->question);
  else
    ck_buf_str(&title, text(e, CK_JOBS_LOCAL_CONVERSATION_ID));
  ck_buf_text(b, "<a dir=\"auto\" href=\"");
  page_message_path(b, text(e, CK_JOBS_LOCAL_CONVERSATION_ID), text(e, CK_JOBS_MESSAGE_ID));
  page_put(b, "\">%.*s</a>", PAGE_STR(ck_buf_view(&title)));
  ck_buf_free(&title);
}

/* The one that holds and lasts longest; NULL: none. */
static const struct page_pause *pause_of(const struct page_state *s,
                                         const struct page_job_entry *e) {
  const struct ck_pausable job = {ck_row_text(&e->conversation, CK_CONVERSATIONS_PLATFORM),
                                  e->account, text(e, CK_JOBS_LOCAL_CONVERSATION_ID),
                                  ck_row_key(&e->row)};
  const struct page_pause *longest = NULL;
  for (const struct page_pause *p = s->pauses; p < s->pauses + s->pause_count; ++p)
    if (ck_pause_holds(p->kind, p->name, &job) &&
        (!longest || ck_pause_outlasts(p->until, longest->until)))
      longest = p;
  return longest;
}

static void put_until(struct ck_buf *b, const struct page_state *s, int64_t until) {
  if (until <= s->now) return;
  ck_buf_text(b, ", until ");
  page_moment(b, until, s->now);
}

/* What a job waits for: the first reason that applies. */
static void put_waits(struct ck_buf *b, const struct page_state *s,
                      const struct page_job_entry *e) {
  const struct page_pause *pause = pause_of(s, e);
  const char *words = ck_job_held_words(e->held);
  struct ck_str status = ck_row_text(&e->conversation, CK_CONVERSATIONS_AUTOMATION_STATUS);
  if (ck_str_is(status, "paused")) {
    ck_buf_text(b, "its conversation is paused");
  } else if (pause) {
    ck_buf_text(b, "paused: ");
    page_pause_text(b, pause, s->now);
  } else if (ck_row_int(&e->row, CK_JOBS_NEXT_ATTEMPT_AT, 0) > s->now) {
    ck_buf_text(b, "it is not due yet");
  } else if (words || e->reason.n) {
    page_put(b, "%.*s", PAGE_STR(words ? ck_str_of(words) : e->reason));
    put_until(b, s, e->until);
  } else if (!ck_row_int(&e->row, CK_JOBS_NEXT_ATTEMPT_AT, 0)) {
    ck_buf_text(b, "it has no time at which it is due: it waits until somebody sends it");
  } else {
    ck_buf_text(b, page_renewd(s).n ? "it is due, and goes at its turn" : "renewd is not running");
  }
}

static void put_place(struct ck_buf *b, const struct page_job_entry *e) {
  struct ck_buf place = {0};
  ck_job_place(&place, text(e, CK_JOBS_TARGET_SNAPSHOT));
  if (e->client.n)
    page_put(b, " to client <bdi>%.*s</bdi>", PAGE_STR(e->client));
  else if (place.len)
    page_put(b, " to <bdi>%.*s</bdi>", PAGE_STR(ck_buf_view(&place)));
  ck_buf_free(&place);
}

static void put_why(struct ck_buf *b, const struct page_state *s, const struct page_job_entry *e) {
  struct ck_str error = text(e, CK_JOBS_LAST_ERROR);
  size_t before = sizeof CK_SUPERSEDED - 1;
  ck_buf_text(b, "<p class=\"why\" dir=\"auto\">");
  if (e->state == PAGE_WAITING) {
    put_waits(b, s, e);
    if (error.n) page_put(b, "; the last attempt: %.*s", PAGE_STR(error));
  } else if (e->state == PAGE_STOPPED) {
    page_put(b, "%.*s", PAGE_STR(e->reason));
    put_until(b, s, e->until);
  } else if (e->state == PAGE_RUNNING || e->state == PAGE_UNKNOWN) {
    ck_buf_text(b, e->state == PAGE_RUNNING ? "under way" : "it went");
    put_place(b, e);
    if (error.n && e->state == PAGE_UNKNOWN) page_put(b, "; %.*s", PAGE_STR(error));
  } else if (e->state == PAGE_SUPERSEDED && error.n > before) {
    page_put(b, "%.*s", PAGE_STR(((struct ck_str){error.s + before, error.n - before})));
  } else if (e->state == PAGE_DONE) {
    ck_buf_text(b, "delivered");
    put_place(b, e);
  } else {
    page_put(b, "%.*s", PAGE_STR(error.n ? error : CK_LIT("no reason was given")));
  }
  ck_buf_text(b, "</p>\n");
}

/* Since when, or until when: what counts for its state. */
static void put_time(struct ck_buf *b, const struct page_state *s, const struct page_job_entry *e) {
  int64_t at = e->state == PAGE_WAITING || e->state == PAGE_STOPPED
                   ? ck_row_int(&e->row, CK_JOBS_NEXT_ATTEMPT_AT, 0)
               : e->since ? e->since
                          : ck_row_int(&e->row, CK_JOBS_FINISHED_AT,
                                       ck_row_int(&e->row, CK_JOBS_UPDATED_AT, 0));
  if (e->state == PAGE_RUNNING) at = ck_row_int(&e->row, CK_JOBS_STARTED_AT, at);
  if (at)
    page_countdown(b, at, s->now);
  else
    ck_buf_text(b, "<span>not due</span>");
  ck_buf_text(b, "\n");
}

static void put_actions(struct ck_buf *b, const struct page_jobs *page,
                        const struct page_job_entry *e) {
  const char *const *verbs = page_jobs_verbs(e->state);
  struct ck_buf title = {0};
  if (!*verbs) return;
  render_title(&title, ck_row_text(&e->conversation, CK_CONVERSATIONS_TITLE), e->question);
  ck_buf_text(b, "<form class=\"acts\" method=\"post\" action=\"/j/");
  page_encode(b, ck_row_key(&e->row));
  ck_buf_text(b, "\">");
  page_form_fields(b, page->request);
  for (; *verbs; ++verbs) {
    const struct page_verb *verb = page_verb(*verbs);
    if (verb->verb == WEB_JOB_SNOOZE)
      page_put(b,
               "<select name=\"until\" aria-label=\"How long %.*s waits\">" PAGE_UNTIL_CHOICES
               "</select>",
               PAGE_STR(ck_buf_view(&title)));
    page_put(b, "<button name=\"do\" value=\"%s\" aria-label=\"%s: %.*s\">%s</button>\n",
             verb->word, verb->button, PAGE_STR(ck_buf_view(&title)), verb->button);
  }
  ck_buf_text(b, "</form>");
  ck_buf_free(&title);
}

static void put_entry(struct ck_buf *b, const struct page_jobs *page,
                      const struct page_job_entry *e) {
  const struct page_state *s = page_state(page->request);
  int64_t attempts = ck_row_int(&e->row, CK_JOBS_ATTEMPT_COUNT, 0);
  page_put(b, "<li class=\"entry job-entry\" id=\"j-%.*s\">", PAGE_STR(ck_row_key(&e->row)));
  put_time(b, s, e);
  ck_buf_text(b, "<div class=\"what\">");
  page_job_title(b, e);
  put_why(b, s, e);
  page_put(b, "<p class=\"said\" dir=\"auto\">%.*s</p></div>\n<div class=\"facts\">",
           PAGE_STR(ck_utf8_cut(text(e, CK_JOBS_PAYLOAD), 200)));
  page_put(b, "<span class=\"platform\">%.*s</span>\n",
           PAGE_STR(ck_row_text(&e->conversation, CK_CONVERSATIONS_PLATFORM)));
  if (attempts)
    page_put(b, "<span>attempt %lld of %lld</span>\n", (long long)attempts,
             (long long)ck_row_int(&e->row, CK_JOBS_MAX_ATTEMPTS, 0));
  ck_buf_text(b, "</div>\n");
  put_actions(b, page, e);
  ck_buf_text(b, "</li>\n");
}

/* ---- those of one state ---- */

static void put_all(struct ck_buf *b, const struct page_jobs *page, enum page_jobs_of state) {
  const char *const *verbs = page_jobs_verbs(state);
  if (!*verbs) return;
  ck_buf_text(b, "<p class=\"all\">All of them:");
  for (; *verbs; ++verbs) {
    ck_buf_text(b, " <a href=\"");
    page_jobs_path(b, "/j/all", &page->filter, state, *verbs, NULL);
    page_put(b, "\">%s…</a>", page_verb(*verbs)->several.doing);
  }
  ck_buf_text(b, "</p>\n");
}

static void put_rest(struct ck_buf *b, const struct page_jobs *page, const struct page_walk *walk) {
  bool first = !web_arg(page->request, "next");
  if (!walk->next && (first || page->only == PAGE_JOBS_STATES)) return;
  page_put(b, "<nav class=\"more\" aria-label=\"More: %s\">", kinds[walk->state].title);
  if (!first) {
    ck_buf_text(b, "<a href=\"");
    page_jobs_path(b, "/j", &page->filter, walk->state, NULL, NULL);
    ck_buf_text(b, "\">First</a>\n");
  }
  if (walk->next) {
    ck_buf_text(b, "<a rel=\"next\" href=\"");
    page_jobs_path(b, "/j", &page->filter, walk->state, NULL,
                   page->only == PAGE_JOBS_STATES ? NULL : walk->next);
    page_put(b, "\">%s</a>\n", page->only == PAGE_JOBS_STATES ? "All of them" : "More");
  }
  ck_buf_text(b, "</nav>\n");
}

static void put_state(struct ck_buf *b, const struct page_jobs *page, enum page_jobs_of state) {
  const struct page_walk *walk = &page->walks[state];
  bool alone = page->only == state;
  if (!walk->count && !walk->next && !alone) return;
  page_put(b, "<section class=\"state %s\">\n<h2 class=\"when\">%s", page_jobs_words[state],
           kinds[state].title);
  if (!page_jobs_filtered(&page->filter)) {
    ck_buf_text(b, " <small>");
    ck_buf_count(b, page_jobs_in(page_state(page->request), state));
    ck_buf_text(b, "</small>");
  }
  ck_buf_text(b, "</h2>\n");
  if (kinds[state].sub) page_put(b, "<p class=\"note\">%s</p>\n", kinds[state].sub);
  if (walk->count) put_all(b, page, state);
  if (walk->count) ck_buf_text(b, "<ol class=\"entries\">\n");
  for (size_t i = 0; i < walk->count; ++i) put_entry(b, page, &walk->jobs[i]);
  if (walk->count) ck_buf_text(b, "</ol>\n");
  if (!walk->count)
    page_put(b, "<p class=\"nothing\">%s</p>\n",
             walk->next ? "None among those that were looked at so far." : "There is none.");
  put_rest(b, page, walk);
  ck_buf_text(b, "</section>\n");
}

/* What is not known of them. */
static void put_notes(struct ck_buf *b, const struct page_state *s) {
  struct ck_str renewd = page_renewd(s);
  uint64_t held = ck_map_uint(page_held(s), "count", 0), named = 0;
  struct ck_reader r;
  uint32_t n;
  if (!renewd.n) {
    ck_buf_text(b, "<p class=\"note\">renewd is not running: nothing is sent, and nobody says what "
                   "is stopped.</p>\n");
    return;
  }
  if (ck_map_find(page_held(s), "jobs", &r) && ck_read_array(&r, &n) == 0) named = n;
  if (held <= named) return;
  ck_buf_text(b, "<p class=\"note\">renewd holds ");
  ck_buf_count(b, held);
  ck_buf_text(b, " follow-ups, and names ");
  ck_buf_count(b, named);
  ck_buf_text(b, " of them here.</p>\n");
}

static bool is_empty(const struct page_jobs *page) {
  bool any = page->only < PAGE_JOBS_STATES;
  for (int i = 0; i < PAGE_JOBS_STATES; ++i) any |= page->walks[i].count || page->walks[i].next;
  return !any;
}

/* data-after: the state was asked for before the jobs, so what comes after it may be missing here.
 */
static void begin_live(struct ck_buf *b, const struct page_state *s) {
  ck_buf_text(b, "<div id=\"live\" data-tables=\"renewal_jobs\" data-every=\"5\"");
  if (s->known)
    page_put(b, " data-after=\"%lld@%.*s\"", (long long)ck_map_int(s->info, "version", 0),
             PAGE_STR(ck_map_str(s->info, "store_id")));
  ck_buf_text(b, ">\n");
}

void page_jobs_write(struct ck_buf *b, const struct page_jobs *page) {
  const struct page_frame frame = {
      .title = "Follow-ups · convkeep", .request = page->request, .here = PAGE_JOBS};
  page_begin(b, &frame);
  ck_buf_text(b, "<h1 class=\"unseen\">Follow-ups</h1>\n");
  page_jobs_head(b, page);
  begin_live(b, page_state(page->request));
  put_notes(b, page_state(page->request));
  for (int i = 0; i < PAGE_JOBS_STATES; ++i)
    if (page->walks[i].want) put_state(b, page, (enum page_jobs_of)i);
  if (is_empty(page))
    ck_buf_text(
        b, page_jobs_filtered(&page->filter)
               ? "<p class=\"nothing\">No follow-up is like that.</p>\n"
               : "<p class=\"nothing\">No follow-up waits, runs or has failed.</p>\n"
                 "<p class=\"note\">A follow-up is a message that convkeep sends for you when "
                 "the assistant has answered: in each conversation on whose page you have chosen "
                 "<em>Automatic follow-ups</em>, or once, by <em>Send a follow-up "
                 "now</em>.</p>\n");
  ck_buf_text(b, "</div>\n");
  page_end(b, &frame);
}
