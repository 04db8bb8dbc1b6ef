/* What is done with all follow-ups that match: GET /j/all says how many there are, and asks;
 * POST /j/all does it.
 *
 *   GET   tally ─► how many, as of when ─► a form
 *   POST  walk ─► those that have not changed since ─► each (some at a time) ─► what became of them
 *
 * What has changed since it was asked is left alone, and said. */
#include "webd/page/jobs.h"

#include <stdlib.h>

#include "proto/clock.h"

#define AT_A_TIME 32
#define MOST 10000 /* at once */
#define REASONS 20 /* that are said */

struct reason {
  char *text;
  uint64_t count;
};

struct many {
  struct webd *w;
  struct web_request *r;
  const struct page_verb *verb;
  char *platform, *account, *conversation;
  struct page_tally tally;
  struct page_walk walk;
  uint64_t count;   /* of those that match; of POST what the form said */
  int64_t asked_at; /* wall: when they were counted */
  int64_t until;    /* of snooze */
  char **ids;
  size_t id_count, id_room, at, open;
  uint64_t changed, done, unknown; /* unknown: the store has not answered */
  struct reason reasons[REASONS];
  size_t reason_count;
};

static void many_free(struct many *m) {
  for (size_t i = 0; i < m->id_count; ++i) free(m->ids[i]);
  for (size_t i = 0; i < m->reason_count; ++i) free(m->reasons[i].text);
  page_walk_free(&m->tally.walk);
  page_walk_free(&m->walk);
  free(m->ids);
  free(m->platform);
  free(m->account);
  free(m->conversation);
  free(m);
}

/* ---- the words ---- */

static void put_count(struct ck_buf *b, const struct many *m, uint64_t n) {
  ck_buf_count(b, n);
  ck_buf_text(b, " ");
  page_jobs_what(b, m->walk.state, &m->walk.filter, n);
}

static const struct page_verb_words *words_of(const struct many *m, uint64_t n) {
  return n == 1 ? &m->verb->one : &m->verb->several;
}

static void put_back(struct ck_buf *b, const struct many *m, const char *words) {
  ck_buf_text(b, "<a href=\"");
  page_jobs_path(b, "/j", &m->walk.filter, m->walk.state, NULL, NULL);
  page_put(b, "\">%s</a>", words);
}

/* ---- asking ---- */

static void put_field(struct ck_buf *b, const char *name, int64_t n) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)n);
  page_hidden(b, name, ck_str_of(text));
}

static void put_form(struct ck_buf *b, const struct many *m) {
  uint64_t n = m->count < MOST ? m->count : MOST;
  ck_buf_text(b, "<form class=\"filters\" method=\"post\" action=\"/j/all\">");
  page_form_fields(b, m->r);
  page_hidden(b, "do", ck_str_of(m->verb->word));
  page_hidden(b, "status", ck_str_of(page_jobs_words[m->walk.state]));
  page_hidden(b, "platform", ck_str_of(m->platform));
  page_hidden(b, "account", ck_str_of(m->account));
  page_hidden(b, "conversation", ck_str_of(m->conversation));
  put_field(b, "count", (int64_t)m->count);
  put_field(b, "asked_at", m->asked_at);
  if (m->verb->verb == WEB_JOB_SNOOZE)
    ck_buf_text(b,
                "<label>Until <input name=\"until\" required value=\"+1h\" size=\"18\"></label>\n");
  page_put(b, "<button>%s: ", words_of(m, n)->doing);
  ck_buf_count(b, n);
  ck_buf_text(b, ck_noun(n, " follow-up</button>\n", " follow-ups</button>\n"));
  put_back(b, m, "No, back");
  ck_buf_text(b, "</form>\n");
}

static void answer_count(struct many *m) {
  const struct page_frame frame = {
      .title = "Follow-ups · convkeep", .request = m->r, .here = PAGE_JOBS};
  struct ck_buf b = {0};
  bool again = m->walk.state == PAGE_UNKNOWN && m->verb->verb == WEB_JOB_RETRY;
  page_begin(&b, &frame);
  page_put(&b, "<div class=\"sure\">\n<h1>%s?</h1>\n<p>There %s <strong>",
           words_of(m, m->count)->doing, ck_noun(m->count, "is", "are"));
  put_count(&b, m, m->count);
  ck_buf_text(&b, "</strong>.");
  if (again) page_put(&b, " %s may have arrived already.", ck_noun(m->count, "It", "They"));
  if (m->count > MOST) {
    ck_buf_text(&b, " The first ");
    ck_buf_count(&b, MOST);
    ck_buf_text(&b, " are meant.");
  }
  ck_buf_text(&b,
              "</p>\n<p class=\"note\">One that changes before you say so is left alone.</p>\n");
  if (m->count)
    put_form(&b, m);
  else
    put_back(&b, m, "Back");
  ck_buf_text(&b, "</div>\n");
  page_end(&b, &frame);
  web_answer(m->r, 200, WEB_HTML, &b);
  many_free(m);
}

static void counted(void *self, bool failed) {
  struct many *m = self;
  if (failed) {
    many_free(m);
    return;
  }
  m->count = m->tally.count;
  answer_count(m);
}

static void set_walk(struct many *m, enum page_jobs_of state) {
  m->walk = (struct page_walk){
      .w = m->w, .r = m->r, .state = state, .filter = {m->platform, m->account, m->conversation}};
}

/* The state has that verb. */
static const struct page_verb *verb_of(enum page_jobs_of state, const char *word) {
  if (state == PAGE_JOBS_STATES) return NULL;
  for (const char *const *verbs = page_jobs_verbs(state); *verbs; ++verbs)
    if (strcmp(*verbs, word) == 0) return page_verb(word);
  return NULL;
}

static void refuse_verb(struct web_request *r) {
  web_refuse(r, WEB_REFUSED_ARGUMENT, "do, status: nothing of that is done with such follow-ups");
}

void page_jobs_many(void *self, struct web_request *r) {
  struct page_jobs_filter filter;
  enum page_jobs_of state;
  const char *word = web_arg(r, "do");
  if (!page_jobs_read(r, "do status platform account conversation", &filter, &state)) return;
  const struct page_verb *verb = verb_of(state, word ? word : "");
  if (!verb) {
    refuse_verb(r);
    return;
  }
  struct many *m = ck_zalloc(sizeof *m);
  *m = (struct many){.w = self,
                     .r = r,
                     .verb = verb,
                     .platform = ck_strdup(filter.platform),
                     .account = ck_strdup(filter.account),
                     .conversation = ck_strdup(filter.conversation),
                     .asked_at = page_state(r)->now};
  set_walk(m, state);
  m->tally = (struct page_tally){.walk = m->walk, .done = counted, .self = m};
  page_tally(&m->tally);
}

/* ---- doing ---- */

static void put_reasons(struct ck_buf *b, const struct many *m) {
  if (m->reason_count) ck_buf_text(b, "<p>Refused:</p>\n<ul>\n");
  for (size_t i = 0; i < m->reason_count; ++i) {
    ck_buf_text(b, "<li>");
    ck_buf_count(b, m->reasons[i].count);
    page_put(b, ": <bdi>%s</bdi></li>\n", m->reasons[i].text);
  }
  if (m->reason_count) ck_buf_text(b, "</ul>\n");
}

static void answer_done(void *self, struct web_request *r) {
  struct many *m = self;
  const struct page_frame frame = {
      .title = "Follow-ups · convkeep", .request = r, .here = PAGE_JOBS};
  struct ck_buf b = {0};
  page_begin(&b, &frame);
  ck_buf_text(&b, "<div class=\"sure\" role=\"status\">\n<h1>Follow-ups</h1>\n<p><strong>");
  ck_buf_count(&b, m->done);
  page_put(&b, " %s</strong>, of the ", words_of(m, m->done)->done);
  ck_buf_count(&b, m->count);
  ck_buf_text(&b, " that you were asked about.</p>\n");
  if (m->changed) {
    ck_buf_text(&b, "<p>");
    ck_buf_count(&b, m->changed);
    page_put(&b, " %s changed since you were asked, or came since, and %s left alone.</p>\n",
             ck_noun(m->changed, "has", "have"), ck_noun(m->changed, "was", "were"));
  }
  if (m->unknown) {
    ck_buf_text(&b, "<p>Of ");
    ck_buf_count(&b, m->unknown);
    ck_buf_text(&b, " the store has not answered: it may still be done.</p>\n");
  }
  put_reasons(&b, m);
  ck_buf_text(&b, "<p>");
  put_back(&b, m, "Back to them");
  ck_buf_text(&b, "</p>\n</div>\n");
  page_end(&b, &frame);
  web_answer(r, 200, WEB_HTML, &b);
  many_free(m);
}

static void add_reason(struct many *m, const char *text) {
  for (size_t i = 0; i < m->reason_count; ++i)
    if (strcmp(m->reasons[i].text, text) == 0 || i == REASONS - 1) {
      ++m->reasons[i].count;
      return;
    }
  bool last = m->reason_count == REASONS - 1;
  m->reasons[m->reason_count++] = (struct reason){ck_strdup(last ? "for other reasons" : text), 1};
}

static void next_jobs(struct many *m);

static void changed(void *self, const struct web_changed *how) {
  struct many *m = self;
  --m->open;
  if (how->end == WEB_DONE)
    ++m->done;
  else if (how->end == WEB_SILENCE)
    ++m->unknown;
  else
    add_reason(m, how->reason);
  next_jobs(m);
}

/* When the store has stopped answering, the rest is not tried; nor when webd ends, which has no
 * door to it then. */
static void next_jobs(struct many *m) {
  if (!m->w->store && m->open) return;
  if (!m->w->store) {
    web_refuse_for(m->r, WEB_REFUSED_AWAY, 2, "webd is being stopped: some of it may be done");
    many_free(m);
    return;
  }
  const struct web_store store = page_store(m->w);
  const struct web_job_wish wish = {m->verb->verb, m->verb->anyway, m->until};
  while (m->open < AT_A_TIME && m->at < m->id_count && m->unknown < AT_A_TIME) {
    struct ck_str id = ck_str_of(m->ids[m->at++]);
    ++m->open;
    web_change_job(&store, id, &wish, WEB_ANSWER_MS, changed, m);
  }
  if (m->open) return;
  m->unknown += m->id_count - m->at;
  m->at = m->id_count;
  page_state_ask(m->w, m->r, answer_done, m);
}

static void add_id(struct many *m, struct ck_str id) {
  if (m->id_count == m->id_room) {
    m->id_room = m->id_room ? m->id_room * 2 : 256;
    m->ids = ck_realloc(m->ids, m->id_room * sizeof *m->ids);
  }
  m->ids[m->id_count++] = ck_str_dup(id);
}

static void found(void *self, bool failed) {
  struct many *m = self;
  if (failed) {
    many_free(m);
    return;
  }
  for (size_t i = 0; i < m->walk.count; ++i) {
    const struct ck_row *row = &m->walk.jobs[i].row;
    bool same = ck_row_int(row, CK_JOBS_UPDATED_AT, INT64_MAX) <= m->asked_at;
    if (!same || m->id_count >= m->count)
      ++m->changed;
    else if (m->id_count < MOST)
      add_id(m, ck_row_key(row));
  }
  if (m->walk.more && m->id_count < MOST) {
    page_walk_on(&m->walk);
    return;
  }
  if (m->id_count + m->changed < m->count && m->id_count < MOST)
    m->changed = m->count - m->id_count;
  next_jobs(m);
}

static int64_t number_of(const struct web_request *r, const char *name) {
  char *text = page_field(r, name);
  int64_t n = strtoll(text, NULL, 10);
  free(text);
  return n;
}

static void find(void *self, struct web_request *r) {
  struct many *m = self;
  (void)r;
  m->walk.batch = 1000;
  m->walk.want = 1;
  m->walk.done = found;
  m->walk.self = m;
  page_walk(&m->walk);
}

void page_change_jobs(void *self, struct web_request *r) {
  int64_t until = 0, count = number_of(r, "count"), asked_at = number_of(r, "asked_at");
  char *word = page_field(r, "do"), *status = page_field(r, "status");
  enum page_jobs_of state = page_jobs_named(status);
  const struct page_verb *verb = verb_of(state, word);
  free(word);
  free(status);
  if (!web_args_known(r, "")) return;
  if (!verb || count <= 0 || asked_at <= 0) {
    refuse_verb(r);
    return;
  }
  bool snooze = verb->verb == WEB_JOB_SNOOZE;
  if (snooze && !page_field_time(r, "until", &until)) return;
  if (snooze && !until) {
    web_refuse(r, WEB_REFUSED_ARGUMENT, "until: when? a time, such as +2h");
    return;
  }
  struct many *m = ck_zalloc(sizeof *m);
  *m = (struct many){.w = self,
                     .r = r,
                     .verb = verb,
                     .platform = page_field(r, "platform"),
                     .account = page_field(r, "account"),
                     .conversation = page_field(r, "conversation"),
                     .count = (uint64_t)count,
                     .asked_at = asked_at,
                     .until = until};
  set_walk(m, state);
  page_state_ask(m->w, r, find, m);
}
