/* See send.h. */
#include "cli/import/send.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/out.h"
#include "cli/task.h"
#include "proto/clock.h"
#include "proto/doors.h"

/* How long to wait for an ingest that is not there: one that has answered before, and a first one.
 */
#define PATIENCE_MS 60000
#define FIRST_MS 8000
#define RETRY_MS 200
#define PROBLEMS_MAX 1000
#define WAITING_MS 10000 /* without an answer or a receipt, before the user is told */

/* How far an attempt to send the file is. */
enum stage {
  UNOPENED, /* OPEN is not sent yet */
  SENDING,  /* ingest wants the next piece */
  OWED,     /* a piece was sent: wait for MORE before the next one */
  ALL_SENT, /* so was the last piece: wait for IMPORTED */
  DONE      /* IMPORTED came */
};

/* Starts from zero whenever the file is sent from its beginning. */
struct attempt {
  enum stage stage;
  bool opened;             /* ingest has answered MORE */
  uint64_t request, piece; /* pieces sent */
  off_t at;                /* bytes sent */
  uint64_t taken, receipted;
};

/* Boot clock, ms. */
struct times {
  int64_t fresh;      /* last sent or received */
  int64_t heard;      /* last received; 0: never */
  int64_t connected;  /* when the connection was last seen; at first, when it was wanted */
  int64_t progress;   /* last receipt */
  int64_t hold_until; /* send nothing before */
};

struct sending {
  struct cli *c;
  void *door;
  struct ck_monitor ingest;
  const struct cli_pieces *pieces;
  bool wait;           /* for every receipt */
  bool wait_for_input; /* the source has no bytes yet */
  struct attempt attempt;
  struct times times;
  unsigned problems;
  bool said_waiting;
  struct cli_sent *sent;
  struct ck_err err;
};

static volatile sig_atomic_t interrupted;
static void on_signal(int number) {
  (void)number;
  interrupted = 1;
}

/* ---- progress, on a terminal only ---- */

static void show_progress(const struct sending *s) {
  if (!cli_progress_due()) return;
  struct ck_buf text = {0};
  if (s->pieces->size)
    ck_buf_printf(&text, "  %d %%", (int)(s->attempt.at * 100 / s->pieces->size));
  ck_buf_text(&text, "  ");
  ck_buf_count(&text, s->attempt.taken);
  ck_buf_text(&text, " accepted  ");
  ck_buf_count(&text, s->attempt.receipted);
  ck_buf_text(&text, " stored");
  cli_progress_line(s->pieces->name, ck_buf_view(&text));
  ck_buf_free(&text);
}

/* ---- sending ---- */

static int send_message(struct sending *s, const struct ck_message *m) {
  struct ck_buf bytes = {0};
  ck_message_encode(&bytes, m);
  int rc = ck_send(s->door, ck_buf_view(&bytes));
  ck_buf_free(&bytes);
  return rc;
}

static void close_door(struct sending *s) {
  ck_monitor_close(&s->ingest, s->door);
  ck_door_close(&s->door, 0);
}

static int connect_door(struct sending *s) {
  struct ck_err err;
  close_door(s);
  s->door = ck_door_connect_watched(s->c->settings, CK_DOOR_OBSERVE, &s->ingest, &err);
  if (s->door) return CLI_GO_ON;
  cli_error(s->c, NULL, "%s", err.text);
  return CLI_FAILED;
}

/* Starts from the beginning of the file, under a new request number. */
static void begin(struct sending *s) {
  static uint64_t requests;
  s->attempt = (struct attempt){.request = ((uint64_t)getpid() << 32) | ++requests};
  s->times.fresh = ck_boot_ms();
}

static int begin_again(struct sending *s) {
  if (s->attempt.opened) ++s->sent->resent; /* else ingest has taken nothing of it */
  begin(s);
  return connect_door(s);
}

static bool send_open(struct sending *s) {
  struct ck_message m = {.kind = CK_MSG_OPEN};
  m.as.open = (struct ck_open){s->attempt.request, ck_str_of(s->pieces->name), s->wait,
                               s->pieces->again, s->pieces->first};
  if (send_message(s, &m)) return false;
  s->attempt.stage = SENDING;
  return true;
}

static int send_one(struct sending *s, struct ck_str raw, bool last) {
  struct ck_message m = {.kind = s->pieces->attachments ? CK_MSG_ATTACH : CK_MSG_PIECE};
  uint64_t piece = s->attempt.piece + 1;
  if (s->pieces->attachments)
    m.as.attach = (struct ck_attach){s->attempt.request, piece, last, raw};
  else
    m.as.piece = (struct ck_piece){s->attempt.request, piece, last, raw};
  return send_message(s, &m);
}

/* Sends the next piece if ingest wants one and the source has one. false: the file cannot be read.
 */
static bool send_piece(struct sending *s) {
  s->wait_for_input = false;
  if (s->attempt.stage > SENDING || ck_boot_ms() < s->times.hold_until) return true;
  if (s->attempt.stage == UNOPENED && !send_open(s)) return true;
  struct ck_buf raw = {0};
  ssize_t n = s->pieces->next(s->pieces->self, s->attempt.at, &raw, &s->wait_for_input, &s->err);
  if (n >= 0 && !s->wait_for_input && send_one(s, ck_buf_view(&raw), n == 0) == 0) {
    ++s->attempt.piece;
    s->attempt.at += n;
    s->attempt.stage = n ? OWED : ALL_SENT;
    s->times.fresh = ck_boot_ms();
  }
  ck_buf_free(&raw);
  return n >= 0;
}

/* ---- receiving ---- */

/* The list as JSON. An entry that is malformed ends it. */
static json_t *failures_of(struct ck_str packed) {
  json_t *list = json_array();
  struct ck_reader r = ck_reader_of(packed);
  struct ck_failure f;
  uint32_t n;
  if (ck_read_array(&r, &n)) return list;
  for (; n && ck_failure_decode(&r, &f, NULL) == 0; --n)
    json_array_append_new(list, json_pack("{s:s%, s:s%}", "place", f.place.s, f.place.n, "reason",
                                          f.reason.s, f.reason.n));
  return list;
}

/* The map as JSON; a value that is malformed ends it. */
static json_t *notes_of(struct ck_str packed) {
  json_t *map = json_object();
  struct ck_reader r = ck_reader_of(packed);
  struct ck_str kind;
  uint64_t count;
  uint32_t n;
  if (ck_read_map(&r, &n)) return map;
  for (; n && ck_read_str(&r, &kind) == 0 && ck_read_uint(&r, &count) == 0; --n) {
    char *name = ck_str_dup(kind);
    json_object_set_new(map, name, json_integer((json_int_t)count));
    free(name);
  }
  return map;
}

static void take_imported(struct sending *s, const struct ck_imported *m) {
  struct cli_sent *sent = s->sent;
  bool known = !ck_str_is(m->format, "unknown");
  sent->format = ck_str_dup(known ? m->format : (struct ck_str){0});
  sent->error = m->error.n ? ck_str_dup(m->error) : NULL;
  sent->added = m->added;
  sent->updated = m->updated;
  sent->unchanged = m->unchanged;
  sent->failed = m->failed;
  sent->waiting = m->waiting;
  sent->skipped = m->skipped;
  sent->failures = failures_of(m->failures);
  sent->notes = notes_of(m->notes);
  s->attempt.stage = DONE;
}

static void take_more(struct sending *s, const struct ck_more *m) {
  if (m->receipted > s->attempt.receipted || m->receipted == m->taken)
    s->times.progress = ck_boot_ms();
  s->attempt.opened = true;
  s->attempt.taken = m->taken;
  s->attempt.receipted = m->receipted;
  if (m->piece == s->attempt.piece && s->attempt.stage == OWED) s->attempt.stage = SENDING;
}

/* 1: ingest answered PROBLEM, so start over. */
static int handle(struct sending *s, const struct ck_message *m) {
  bool ours = (m->kind == CK_MSG_MORE && m->as.more.request == s->attempt.request) ||
              (m->kind == CK_MSG_IMPORTED && m->as.imported.request == s->attempt.request) ||
              (m->kind == CK_MSG_PROBLEM && m->as.problem.request == s->attempt.request);
  if (!ours) return 0;
  s->times.fresh = s->times.heard = ck_boot_ms();
  if (m->kind == CK_MSG_MORE) take_more(s, &m->as.more);
  if (m->kind == CK_MSG_IMPORTED) take_imported(s, &m->as.imported);
  if (m->kind != CK_MSG_PROBLEM) return 0;
  ck_fail(&s->err, "%.*s", (int)m->as.problem.reason.n, m->as.problem.reason.s);
  return 1;
}

static int hear(struct sending *s) {
  zmq_msg_t frame;
  int again = 0;
  while (s->attempt.stage != DONE && !again && ck_recv(s->door, &frame) == 0) {
    struct ck_message m = {0};
    struct ck_err err;
    struct ck_str bytes = ck_frame(&frame);
    if (ck_message_decode(&m, bytes.s, bytes.n, &err) == 0) again = handle(s, &m);
    zmq_msg_close(&frame);
  }
  return again;
}

/* ---- one file ---- */

static int give_up(struct sending *s, const char *why) {
  cli_progress_clear();
  if (s->attempt.taken)
    cli_fail(s->c, CLI_NOBODY, s->pieces->name,
             "%s; %llu %s accepted and safe; import the file again for the rest", why,
             (unsigned long long)s->attempt.taken,
             ck_noun(s->attempt.taken, "observation is", "observations are"));
  else
    cli_fail(s->c, CLI_NOBODY, s->pieces->name, "%s", why);
  return CLI_NOBODY;
}

/* Gives up once ingest has been away for too long. */
static int check_away(struct sending *s) {
  int64_t away = ck_boot_ms() - s->times.connected;
  if (cli_up_ended(s->c))
    return give_up(s, "the ring has ended; convkeep up starts it, or says why it does not start");
  if (!s->times.heard && away > FIRST_MS)
    return give_up(s, "no ingest answers: start the ring with convkeep up; if it is up, see "
                      "logs/ingest.log");
  if (away > PATIENCE_MS)
    return give_up(s, "ingest has not answered for a minute; see logs/ingest.log");
  return CLI_GO_ON;
}

static void say_waiting(struct sending *s, const char *why) {
  s->said_waiting = true;
  cli_progress_clear();
  cli_warn(s->c, s->pieces->name, "%s", why);
}

/* Ingest lives as long as the connection does, however long it is silent: it is at work, or
 * stopped. What it had taken of this file is lost with the connection. */
static int check_ingest(struct sending *s) {
  int64_t now = ck_boot_ms();
  if (s->ingest.lost) return begin_again(s);
  if (s->ingest.connected) s->times.connected = now;
  if (s->attempt.stage == SENDING) return CLI_GO_ON;
  if (!s->ingest.connected) return check_away(s);
  if (s->said_waiting) return CLI_GO_ON;
  if (now - s->times.fresh > WAITING_MS)
    say_waiting(s, "ingest is there, but does not answer, so this waits; see convkeep status");
  else if (s->attempt.taken > s->attempt.receipted && now - s->times.progress > WAITING_MS)
    say_waiting(s,
                "no receipts from the store, so it waits; what was accepted is safe in the spool");
  return CLI_GO_ON;
}

static void wait_for_news(const struct sending *s) {
  zmq_pollitem_t items[] = {{s->door, 0, ZMQ_POLLIN, 0},
                            {s->ingest.events, 0, ZMQ_POLLIN, 0},
                            {NULL, s->pieces->fd, ZMQ_POLLIN, 0}};
  zmq_poll(items, s->wait_for_input ? 3 : 2, RETRY_MS);
}

/* ingest does not know this import (it was restarted), or cannot accept another one now: starts
 * over in a moment. */
static int take_problem(struct sending *s) {
  if (++s->problems > PROBLEMS_MAX) {
    cli_progress_clear();
    cli_error(s->c, s->pieces->name, "%s", s->err.text);
    return CLI_FAILED;
  }
  s->times.hold_until = ck_boot_ms() + RETRY_MS;
  return begin_again(s);
}

static int send_file(struct sending *s) {
  int rc = connect_door(s);
  s->times.progress = s->times.connected = ck_boot_ms();
  begin(s);
  while (rc == CLI_GO_ON && s->attempt.stage != DONE) {
    if (interrupted) {
      give_up(s, "interrupted");
      return CLI_FAILED;
    }
    if (s->c->client->ring) cli_ring_step(s->c->client->ring);
    if (!send_piece(s)) {
      cli_progress_clear();
      cli_error(s->c, s->pieces->name, "%s, after %lld %s", s->err.text, (long long)s->attempt.at,
                ck_noun((uint64_t)s->attempt.at, "byte", "bytes"));
      return CLI_FAILED;
    }
    wait_for_news(s);
    ck_monitor_look(&s->ingest);
    if (hear(s))
      rc = take_problem(s);
    else if (s->attempt.stage != DONE)
      rc = check_ingest(s);
    show_progress(s);
  }
  cli_progress_clear();
  return rc;
}

int cli_send_pieces(struct cli *c, const struct cli_pieces *pieces, bool wait,
                    struct cli_sent *sent) {
  struct sending s = {.c = c, .pieces = pieces, .wait = wait, .sent = sent};
  *sent = (struct cli_sent){0};
  int rc = send_file(&s);
  close_door(&s);
  return rc;
}

struct file {
  struct cli_source *source;
  char *bytes;
  struct ck_err fault; /* why it cannot be read on */
};

/* A file that cannot be read on ends there: what stands before that goes in. */
static ssize_t next_of_file(void *self, off_t at, struct ck_buf *raw, bool *wait,
                            struct ck_err *err) {
  struct file *f = self;
  ssize_t n = cli_source_read(f->source, at, f->bytes, CLI_PIECE, wait, err);
  f->fault.text[0] = '\0';
  if (n < 0) ck_fail(&f->fault, "%s, after %lld bytes", err->text, (long long)at);
  if (n < 0) n = 0;
  if (!*wait) ck_put_str(raw, (struct ck_str){f->bytes, (size_t)n});
  return n;
}

/* Its own error, that it is cut off, is not what is wrong with it. */
static void set_fault(struct cli_sent *sent, const struct ck_err *fault) {
  if (!fault->text[0] || sent->skipped) return;
  sent->failed += sent->error == NULL;
  free(sent->error);
  sent->error = ck_strdup(fault->text);
  sent->damaged = true;
}

int cli_send(struct cli *c, struct cli_source *source, bool wait, char *bytes,
             struct cli_sent *sent) {
  struct file f = {.source = source, .bytes = bytes};
  const struct cli_pieces pieces = {.name = source->name,
                                    .size = source->size,
                                    .fd = source->fd,
                                    .first = source->first,
                                    .self = &f,
                                    .next = next_of_file};
  int rc = cli_send_pieces(c, &pieces, wait, sent);
  if (rc == CLI_GO_ON) set_fault(sent, &f.fault);
  return rc;
}

void cli_sent_free(struct cli_sent *sent) {
  json_decref(sent->failures);
  json_decref(sent->notes);
  free(sent->format);
  free(sent->error);
}

/* Without SA_RESTART, so that a signal ends the poll. */
void cli_catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void) { return interrupted; }
