/* Answers one SEARCH after another; see searching.h. */
#include "store/read/searching.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/doors.h"
#include "proto/wire.h"
#include "proto/clock.h"
#include "proto/hit.h"
#include "store/search/ask.h"
#include "store/search/snippet.h"

#define PAIR "inproc://store-searching"

struct searching {
  struct context *context;
  pthread_t thread;
  bool started;
  _Atomic bool stop;
  void *inner, *outer; /* the ends of the pair */
  sqlite3 *db;
  struct search_asker *asker;
  struct search_snippet snippet;
  struct ck_buf hits, out;
};

/* ---- the answer ---- */

/* The text with the found words; if they are only in what tools were told and said, that. */
static void make_snippet(struct searching *s, const struct search_marks *m,
                         const struct search_hit *h) {
  enum search_column own = h->is_title ? SEARCH_TITLE : SEARCH_TEXT;
  search_snippet_make(&s->snippet, m, h->text, own);
  if (s->snippet.range_count || h->tool.n == 0) return;
  if (search_marks_wanted(m, SEARCH_TOOL) || s->snippet.text.len == 0)
    search_snippet_make(&s->snippet, m, h->tool, SEARCH_TOOL);
}

static void put_hit(struct searching *s, const struct search_marks *m, const struct search_hit *h) {
  make_snippet(s, m, h);
  ck_hit_encode(&s->hits, &(struct ck_hit){.message_id = h->message_id,
                                           .local_conversation_id = h->local_conversation_id,
                                           .platform = h->platform,
                                           .title = h->title,
                                           .role = h->role,
                                           .is_dated = h->is_dated,
                                           .observed_at = h->at,
                                           .snippet = ck_buf_view(&s->snippet.text),
                                           .ranges = s->snippet.ranges,
                                           .range_count = s->snippet.range_count});
}

static void put_hits(struct searching *s, const struct search_query *query,
                     const struct search_answer *a) {
  struct search_marks *m = search_marks_new(query);
  ck_put_array(&s->hits, (uint32_t)a->hit_count);
  for (size_t i = 0; i < a->hit_count; ++i) put_hit(s, m, &a->hits[i]);
  search_marks_free(&m);
}

static void read_query(const struct ck_search *q, struct search_query *query) {
  search_query_parse(q->query, ck_now_ms(), query);
  search_query_also(query, SEARCH_BY_PLATFORM, q->platform);
  search_query_also(query, SEARCH_BY_ROLE, q->role);
  if (q->since && q->since > query->since) query->since = q->since;
  if (q->until && q->until < query->until) query->until = q->until;
}

/* An index that is only beginning to be made has nothing yet, and that is no failure; unless it
 * cannot be made. */
static bool is_being_made(struct searching *s) {
  struct context *c = s->context;
  bool made = atomic_load(&c->search_cursor) > 0 && access(CK_PLACE_SEARCH, F_OK) == 0;
  return !made && !context_trouble_of(c, TROUBLE_SEARCH).reason.text[0];
}

static int find(struct searching *s, const struct ck_search *q, struct search_answer *a,
                struct ck_found *found, const char **code, struct ck_err *err) {
  struct search_query query;
  *code = CK_BAD_CURSOR;
  if (!search_cursor_ok(q->cursor, q->rank))
    return ck_fail(err, "this cursor is none of this search");
  *code = "index";
  uint64_t head = atomic_load(&s->context->head);
  read_query(q, &query);
  const struct search_question question = {
      .query = &query,
      .conversation = q->conversation,
      .limit = (size_t)(q->limit < CK_SEARCH_MAX ? q->limit : CK_SEARCH_MAX),
      .cursor = q->cursor,
      .rank = q->rank};
  if (search_ask(s->asker, &question, a, err)) {
    if (!is_being_made(s)) return -1;
    *a = (struct search_answer){0};
  }
  put_hits(s, &query, a);
  *found = (struct ck_found){.request = q->request,
                             .hits = ck_buf_view(&s->hits),
                             .count = a->count,
                             .more = a->more,
                             .cursor = ck_str_of(a->cursor),
                             .behind = head > a->indexed ? head - a->indexed : 0,
                             .cut = query.cut,
                             .timed_out = a->timed_out};
  return 0;
}

static void answer(struct searching *s, const struct ck_search *q) {
  struct ck_message m = {.kind = CK_MSG_FOUND};
  struct search_answer a;
  struct ck_err err = {{0}};
  const char *code;
  ck_buf_clear(&s->hits);
  ck_buf_clear(&s->out);
  if (find(s, q, &a, &m.as.found, &code, &err)) {
    m.kind = CK_MSG_PROBLEM;
    m.as.problem = (struct ck_problem){q->request, ck_str_of(code), ck_str_of(err.text)};
  }
  ck_message_encode(&s->out, &m);
}

/* ---- the thread ---- */

static void take_requests(struct searching *s) {
  zmq_msg_t peer, frame;
  while (!atomic_load(&s->stop) && ck_recv2(s->inner, &peer, &frame) == 0) {
    struct ck_message m;
    struct ck_str bytes = ck_frame(&frame);
    if (ck_message_decode(&m, bytes.s, bytes.n, NULL) == 0 && m.kind == CK_MSG_SEARCH) {
      answer(s, &m.as.search);
      ck_send_to(s->inner, ck_frame(&peer), ck_buf_view(&s->out));
    }
    zmq_msg_close(&peer);
    zmq_msg_close(&frame);
  }
}

static void *run(void *self) {
  struct searching *s = self;
  while (!atomic_load(&s->stop)) {
    zmq_pollitem_t items[] = {{s->inner, 0, ZMQ_POLLIN, 0},
                              {NULL, s->context->wake[WAKE_SEARCH], ZMQ_POLLIN, 0}};
    zmq_poll(items, 2, -1);
    context_woken(s->context, WAKE_SEARCH);
    take_requests(s);
    /* Do not hold the memory of a large answer until the next one. */
    ck_buf_free(&s->hits);
    ck_buf_free(&s->out);
    search_snippet_free(&s->snippet);
  }
  return NULL;
}

static int open_pair(struct searching *s, struct ck_err *err) {
  s->inner = zmq_socket(ck_context(), ZMQ_PAIR);
  s->outer = zmq_socket(ck_context(), ZMQ_PAIR);
  if (!s->inner || !s->outer || zmq_bind(s->inner, PAIR) || zmq_connect(s->outer, PAIR))
    return ck_fail(err, PAIR ": %s", zmq_strerror(errno));
  return 0;
}

struct searching *searching_start(struct context *context, struct ck_err *err) {
  struct searching *s = ck_zalloc(sizeof *s);
  s->context = context;
  bool ok = open_pair(s, err) == 0 && db_open_reader(&s->db, err) == 0;
  if (ok) s->asker = search_asker_new(s->db, &context->stop);
  if (ok) s->started = pthread_create(&s->thread, NULL, run, s) == 0;
  if (ok && !s->started) ck_fail(err, "searching: cannot start a thread");
  if (!s->started) searching_stop(&s);
  return s;
}

void searching_stop(struct searching **searching) {
  struct searching *s = *searching;
  if (!s) return;
  atomic_store(&s->stop, true);
  context_wake_one(s->context, WAKE_SEARCH);
  if (s->started) pthread_join(s->thread, NULL);
  ck_door_close(&s->inner, 0);
  ck_door_close(&s->outer, 0);
  search_asker_free(&s->asker);
  db_close(&s->db);
  ck_buf_free(&s->hits);
  ck_buf_free(&s->out);
  search_snippet_free(&s->snippet);
  free(s);
  *searching = NULL;
}

void *searching_end(struct searching *s) { return s->outer; }
