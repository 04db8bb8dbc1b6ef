/* One answer_… function per question, then the thread's loop. */
#include "store/read/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/doors.h"
#include "proto/log.h"
#include "store/files/attachments.h"
#include "store/mirror/mirrors.h"
#include "store/originals/originals.h"
#include "store/tasks/task.h"
#include "store/read/has_words.h"
#include "store/read/lists.h"
#include "store/read/ranges.h"
#include "store/read/searching.h"
#include "store/database/scan.h"
#include "store/read/status.h"
#include "store/rejected.h"

#define CHUNK_BYTES (1u << 20) /* a CHANGES is full at this size */
#define WRITER_END "inproc://store-writer"
#define REQUESTS_A_TURN 64
#define FETCHED_MS 5000 /* without a request, before what is kept for the next FETCH is freed */
/* After how many instructions of its virtual machine SQLite checks whether the store stops. */
#define STEPS_A_LOOK 100000

struct snapshot {
  struct context *context;
  struct reports *reports;
  pthread_t thread;
  bool started;
  void *door, *to_writer, *writer_end;
  sqlite3 *db;
  struct db_cached *cached; /* of db */
  struct scan *scan;
  struct originals_reader *originals;
  struct searching *searching;
  struct status_kept status;
  struct ck_buf out, body, cursor;
};

/* ---- answers: each fills *m, which may be a PROBLEM whose reason points into err ---- */

static void problem(struct ck_message *m, uint64_t request, const char *code,
                    const struct ck_err *err) {
  m->kind = CK_MSG_PROBLEM;
  m->as.problem = (struct ck_problem){request, ck_str_of(code), ck_str_of(err->text)};
}

/* Every record above `after`, in version order, until the chunk is full. */
static int gather_changes(struct snapshot *s, const struct ck_since *q, struct ck_changes *c,
                          struct ck_err *err) {
  scan_brief(s->scan, q->brief);
  if (scan_begin(s->scan, q->after, (unsigned)q->tables, &c->head, err)) return -1;
  size_t open = ck_open_array(&s->body);
  uint32_t n = 0;
  uint64_t version = q->after;
  struct ck_row row;
  int rc;
  while ((rc = scan_next(s->scan, &version, &row, err)) > 0) {
    bool fits = scan_encode(&s->body, version, &row);
    n += fits;
    if (!fits) --version;
    if (!fits || s->body.len >= CHUNK_BYTES) break;
  }
  scan_end(s->scan);
  ck_close_array(&s->body, open, n);
  c->upto = rc > 0 ? version : c->head;
  c->changes = ck_buf_view(&s->body);
  return rc < 0 ? -1 : 0;
}

static void answer_since(struct snapshot *s, const struct ck_since *q, struct ck_message *m,
                         struct ck_err *err) {
  bool known = q->store_id.n == 0 || ck_str_is(q->store_id, s->context->store_id);
  if (!known || (q->store_id.n == 0 && q->after > 0)) {
    ck_fail(err, "this is store %s; begin again after version 0", s->context->store_id);
    problem(m, q->request, "store_id", err);
    return;
  }
  struct ck_changes c = {
      .request = q->request, .store_id = ck_str_of(s->context->store_id), .after = q->after};
  if (gather_changes(s, q, &c, err)) {
    problem(m, q->request, "busy", err);
    return;
  }
  if (q->after > c.head) {
    ck_fail(err,
            "version %llu is not reached yet: the database was set back; "
            "begin again after version 0",
            (unsigned long long)q->after);
    problem(m, q->request, "store_id", err);
    return;
  }
  m->kind = CK_MSG_CHANGES;
  m->as.changes = c;
}

static void answer_query(struct snapshot *s, const struct ck_query *q, struct ck_message *m,
                         struct ck_err *err) {
  const char *code;
  struct list_answer answer = {&s->body, &s->cursor};
  if (lists_query(s->cached, q, &answer, &code, err)) {
    problem(m, q->request, code, err);
    return;
  }
  m->kind = CK_MSG_ROWS;
  m->as.rows = (struct ck_rows){q->request, atomic_load(&s->context->head), ck_buf_view(&s->body),
                                ck_buf_view(&s->cursor)};
}

/* The cursor is read before the records, so that everything at or below it is in the mirror by the
 * time that the caller looks there. */
static void answer_range(struct snapshot *s, const struct ck_range *q, struct ck_message *m,
                         struct ck_err *err) {
  const struct mirror *mirror = mirrors_in(s->context->mirrors, q->sink);
  struct ck_ranges a = {.request = q->request,
                        .store_id = ck_str_of(s->context->store_id),
                        .cursor = mirror ? leases_cursor(mirror->leases) : 0};
  const char *code;
  if (q->sink.n && !mirror) {
    char *names = mirrors_names(s->context->mirrors);
    ck_fail(err, "range.sink: this store's mirrors are in %s, not in %s", names,
            ck_quoted(q->sink));
    free(names);
    problem(m, q->request, "sink", err);
    return;
  }
  a.head = atomic_load(&s->context->head);
  if (ranges_query(s->db, q, &s->body, &a, &code, err)) {
    problem(m, q->request, code, err);
    return;
  }
  m->kind = CK_MSG_RANGES;
  m->as.ranges = a;
}

static void answer_status(struct snapshot *s, const struct ck_status *q, struct ck_message *m,
                          struct ck_err *err) {
  if (status_info(s->db, s->context, s->reports, &s->status, &s->body, err)) {
    problem(m, q->request, "busy", err);
    return;
  }
  m->kind = CK_MSG_INFO;
  m->as.info = (struct ck_info){q->request, ck_buf_view(&s->body)};
}

static void answer_task(struct snapshot *s, const struct ck_task *t, struct ck_message *m,
                        struct ck_err *err) {
  const char *code;
  if (tasks_ask(s->context->tasks, t, &s->body, &code, err)) {
    problem(m, t->request, code, err);
    return;
  }
  m->kind = CK_MSG_INFO;
  m->as.info = (struct ck_info){t->request, ck_buf_view(&s->body)};
}

static void answer_have(struct snapshot *s, const struct ck_have *q, struct ck_message *m,
                        struct ck_err *err) {
  const char *code;
  if (originals_have(s->originals, q, &s->body, &code, err)) {
    problem(m, q->request, code, err);
    return;
  }
  m->kind = CK_MSG_HAD;
  m->as.had = (struct ck_had){q->request, ck_buf_view(&s->body)};
}

static void answer_fetch(struct snapshot *s, const struct ck_fetch *q, struct ck_message *m,
                         struct ck_err *err) {
  const char *code;
  struct ck_fetched answer;
  if (originals_fetch(s->originals, q, &s->body, &answer, &code, err)) {
    problem(m, q->request, code, err);
    return;
  }
  m->kind = CK_MSG_FETCHED;
  m->as.fetched = answer;
}

static void send_answer(struct snapshot *s, struct ck_str peer, struct ck_str frame) {
  if (ck_send_to(s->door, peer, frame) && errno != EHOSTUNREACH)
    ck_log(CK_WARN, "-", "answer_lost", "reason=%s", ck_quotedz(zmq_strerror(errno)));
}

static void reject(struct snapshot *s, struct ck_str peer, struct ck_str frame,
                   const struct ck_err *err) {
  struct ck_message m;
  atomic_fetch_add(&s->context->rejected, 1);
  ck_log(CK_WARN, "-", "rejected", "door=snapshot bytes=%zu reason=%s", frame.n,
         ck_quotedz(err->text));
  rejected_keep("snapshot", frame, err->text);
  problem(&m, 0, "bad_request", err);
  ck_buf_clear(&s->out);
  ck_message_encode(&s->out, &m);
  send_answer(s, peer, ck_buf_view(&s->out));
}

/* false: the frame is for the writer. */
static bool answer(struct snapshot *s, const struct ck_message *q, struct ck_message *m,
                   struct ck_err *err) {
  ck_buf_clear(&s->body);
  switch (q->kind) {
  case CK_MSG_SINCE:
    answer_since(s, &q->as.since, m, err);
    return true;
  case CK_MSG_QUERY:
    answer_query(s, &q->as.query, m, err);
    return true;
  case CK_MSG_RANGE:
    answer_range(s, &q->as.range, m, err);
    return true;
  case CK_MSG_HAVE:
    answer_have(s, &q->as.have, m, err);
    return true;
  case CK_MSG_FETCH:
    answer_fetch(s, &q->as.fetch, m, err);
    return true;
  case CK_MSG_STATUS:
    answer_status(s, &q->as.status, m, err);
    return true;
  case CK_MSG_TASK:
    answer_task(s, &q->as.task, m, err);
    return true;
  default:
    return false;
  }
}

static void take_request(struct snapshot *s, struct ck_str peer, struct ck_str frame) {
  struct ck_message q, m;
  struct ck_err err = {{0}};
  if (ck_message_decode(&q, frame.s, frame.n, &err)) {
    reject(s, peer, frame, &err);
  } else if (q.kind == CK_MSG_HELLO || q.kind == CK_MSG_LAST) {
    ck_send_to(s->to_writer, peer, frame);
  } else if (q.kind == CK_MSG_SEARCH) {
    ck_send_to(searching_end(s->searching), peer, frame);
  } else if (answer(s, &q, &m, &err)) {
    ck_buf_clear(&s->out);
    ck_message_encode(&s->out, &m);
    send_answer(s, peer, ck_buf_view(&s->out));
  } else {
    ck_fail(&err, "the snapshot door does not take %s", ck_message_name(q.kind));
    reject(s, peer, frame, &err);
  }
}

/* Takes a limited number of requests, so that the writer's answers get their turn. */
static void drain_requests(struct snapshot *s) {
  for (int i = 0; i < REQUESTS_A_TURN; ++i) {
    zmq_msg_t peer, frame;
    if (ck_recv2(s->door, &peer, &frame)) {
      if (errno != EPROTO) return;
      atomic_fetch_add(&s->context->rejected, 1);
      continue;
    }
    take_request(s, ck_frame(&peer), ck_frame(&frame));
    zmq_msg_close(&peer);
    zmq_msg_close(&frame);
  }
}

/* Answers of the writer, or of the thread that searches. */
static void drain_answers(struct snapshot *s, void *from) {
  zmq_msg_t peer, frame;
  while (ck_recv2(from, &peer, &frame) == 0) {
    send_answer(s, ck_frame(&peer), ck_frame(&frame));
    zmq_msg_close(&peer);
    zmq_msg_close(&frame);
  }
}

static void *run(void *self) {
  struct snapshot *s = self;
  while (!atomic_load(&s->context->stop)) {
    zmq_pollitem_t items[] = {{s->door, 0, ZMQ_POLLIN, 0},
                              {s->to_writer, 0, ZMQ_POLLIN, 0},
                              {searching_end(s->searching), 0, ZMQ_POLLIN, 0},
                              {NULL, s->context->wake[WAKE_SNAPSHOT], ZMQ_POLLIN, 0}};
    bool fetching = originals_reader_continues(s->originals);
    if (zmq_poll(items, 4, fetching ? FETCHED_MS : -1) == 0) originals_reader_rest(s->originals);
    context_woken(s->context, WAKE_SNAPSHOT);
    drain_requests(s);
    drain_answers(s, s->to_writer);
    drain_answers(s, searching_end(s->searching));
    /* Do not hold the memory of a large answer until the next one. */
    ck_buf_free(&s->out);
    ck_buf_free(&s->body);
  }
  ck_door_close(&s->door, 100);
  ck_door_close(&s->to_writer, 0);
  return NULL;
}

static int open_pair(struct snapshot *s, struct ck_err *err) {
  s->writer_end = zmq_socket(ck_context(), ZMQ_PAIR);
  s->to_writer = zmq_socket(ck_context(), ZMQ_PAIR);
  if (!s->writer_end || !s->to_writer || zmq_bind(s->writer_end, WRITER_END) ||
      zmq_connect(s->to_writer, WRITER_END))
    return ck_fail(err, WRITER_END ": %s", zmq_strerror(errno));
  return 0;
}

static int stops(void *context) { return atomic_load(&((struct context *)context)->stop); }

struct snapshot *snapshot_start(struct context *context, struct reports *reports,
                                struct ck_err *err) {
  struct snapshot *s = ck_zalloc(sizeof *s);
  s->context = context;
  s->reports = reports;
  bool ok = db_open_reader(&s->db, err) == 0 && attachment_sql(s->db, err) == 0 &&
            has_words_sql(s->db, err) == 0 && (s->cached = db_cached_new(s->db)) &&
            (s->scan = scan_new(s->db, err)) && (s->originals = originals_reader_new(s->db, err)) &&
            open_pair(s, err) == 0 && (s->searching = searching_start(context, err)) &&
            (s->door = ck_door_bind(context->settings, CK_DOOR_SNAPSHOT, err));
  if (ok) sqlite3_progress_handler(s->db, STEPS_A_LOOK, stops, context);
  if (ok) s->started = pthread_create(&s->thread, NULL, run, s) == 0;
  if (ok && !s->started) ck_fail(err, "snapshot: cannot start a thread");
  if (!s->started) snapshot_stop(&s);
  return s;
}

void snapshot_stop(struct snapshot **snapshot) {
  struct snapshot *s = *snapshot;
  if (!s) return;
  if (s->started) pthread_join(s->thread, NULL);
  searching_stop(&s->searching);
  ck_door_close(&s->door, 0);
  ck_door_close(&s->to_writer, 0);
  ck_door_close(&s->writer_end, 0);
  scan_free(&s->scan);
  originals_reader_free(&s->originals);
  db_cached_free(&s->cached);
  db_close(&s->db);
  ck_buf_free(&s->out);
  ck_buf_free(&s->body);
  ck_buf_free(&s->cursor);
  free(s);
  *snapshot = NULL;
}

void *snapshot_writer_end(struct snapshot *s) { return s->writer_end; }
