/* convkeep import FILE…: sends each file to ingest's door in pieces, one after another.
 *
 *   OPEN, PIECE 1 ──► MORE 1 ──► PIECE 2 ──► … ──► PIECE n, last ──► IMPORTED
 *
 * MORE 0 may arrive in between: it only reports how many observations were accepted and receipted.
 *
 * If ingest is silent for 2 s or answers PROBLEM because it does not know this import, it was
 * restarted. The file is then sent again from the start; what was accepted before counts as
 * unchanged, so nothing is stored twice.
 */
#include "cli/client.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/source.h"
#include "proto/clock.h"
#include "proto/doors.h"

#define PIECE (256u << 10)
#define SILENCE_MS 2000
#define PATIENCE_MS 60000 /* how long to wait for an ingest that has answered before */
#define FIRST_MS 8000     /* how long to wait for the first answer */
/* Each silence in a row may last 2 s longer, up to this: starting over every 2 s would never get a
 * file past a slow disk. */
#define SILENCE_MAX_MS 10000
#define RETRY_MS 200
#define PROBLEMS_MAX 1000
#define LOOK_MS 20
#define SHOWN_MAX 10 /* failures per file shown on a terminal */
#define PROGRESS_MS 100
#define WAITING_MS 10000 /* without a receipt, before the user is told */

struct result {
  char *format, *error;
  uint64_t added, updated, unchanged;
  uint64_t failed;  /* counts the file itself if it has an error */
  uint64_t waiting; /* taken, without a receipt: the store is away */
  json_t *failures; /* [{"place", "reason"}] */
};

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
  uint64_t request, piece; /* pieces sent */
  off_t at;                /* bytes sent */
  uint64_t taken, receipted;
};

/* Boot clock, ms. */
struct times {
  int64_t fresh;      /* last sent or received */
  int64_t heard;      /* last received; 0: never */
  int64_t shown;      /* last progress display; 0: never */
  int64_t progress;   /* last receipt */
  int64_t hold_until; /* send nothing before */
};

struct sending {
  struct cli *c;
  void *door;
  struct cli_source source;
  bool wait;           /* for every receipt */
  bool wait_for_input; /* the source has no bytes yet */
  char *bytes;         /* room for a piece */
  struct attempt attempt;
  struct times times;
  unsigned resent, silences, problems;
  bool said_waiting;
  struct result result;
  struct ck_err err;
};

/* The whole command. */
struct import {
  struct cli *c;
  char *bytes; /* room for a piece */
  bool wait;
  uint64_t waiting; /* of all files */
};

static volatile sig_atomic_t interrupted;
static void on_signal(int number) {
  (void)number;
  interrupted = 1;
}

/* ---- progress, on a terminal only ---- */

static void show_progress(struct sending *s) {
  int64_t now = ck_boot_ms();
  if (!isatty(STDERR_FILENO) || now - s->times.shown < PROGRESS_MS) return;
  s->times.shown = now;
  struct ck_buf line = {0};
  ck_buf_text(&line, "\r\033[K");
  cli_safe_text(&line, ck_utf8_cut(ck_str_of(s->source.name), 60), false);
  if (s->source.size) ck_buf_printf(&line, "  %d %%", (int)(s->attempt.at * 100 / s->source.size));
  ck_buf_text(&line, "  ");
  cli_count_text(&line, s->attempt.taken);
  ck_buf_text(&line, " accepted  ");
  cli_count_text(&line, s->attempt.receipted);
  ck_buf_text(&line, " stored");
  fwrite(line.data, 1, line.len, stderr);
  ck_buf_free(&line);
}

static void clear_progress(const struct sending *s) {
  if (s->times.shown) fputs("\r\033[K", stderr);
}

/* ---- sending ---- */

static int send_message(struct sending *s, const struct ck_message *m) {
  struct ck_buf bytes = {0};
  ck_message_encode(&bytes, m);
  int rc = ck_send(s->door, ck_buf_view(&bytes));
  ck_buf_free(&bytes);
  return rc;
}

static int connect_door(struct sending *s) {
  struct ck_err err;
  ck_door_close(&s->door, 0);
  s->door = ck_door_connect(s->c->settings, CK_DOOR_OBSERVE, &err);
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
  if (s->times.heard) ++s->resent; /* else no ingest was there yet to lose it */
  begin(s);
  return connect_door(s);
}

static bool send_open(struct sending *s) {
  struct ck_message m = {.kind = CK_MSG_OPEN};
  m.as.open = (struct ck_open){s->attempt.request, ck_str_of(s->source.name), s->wait};
  if (send_message(s, &m)) return false;
  s->attempt.stage = SENDING;
  return true;
}

/* Sends the next piece if ingest wants one and the source has one. false: the file cannot be read.
 */
static bool send_piece(struct sending *s) {
  s->wait_for_input = false;
  if (s->attempt.stage > SENDING || ck_boot_ms() < s->times.hold_until) return true;
  if (s->attempt.stage == UNOPENED && !send_open(s)) return true;
  ssize_t n =
      cli_source_read(&s->source, s->attempt.at, s->bytes, PIECE, &s->wait_for_input, &s->err);
  if (n < 0) return false;
  if (s->wait_for_input) return true;
  struct ck_buf raw = {0};
  struct ck_message m = {.kind = CK_MSG_PIECE};
  ck_put_str(&raw, (struct ck_str){s->bytes, (size_t)n});
  m.as.piece =
      (struct ck_piece){s->attempt.request, s->attempt.piece + 1, n == 0, ck_buf_view(&raw)};
  if (send_message(s, &m) == 0) {
    ++s->attempt.piece;
    s->attempt.at += n;
    s->attempt.stage = n ? OWED : ALL_SENT;
    s->times.fresh = ck_boot_ms();
  }
  ck_buf_free(&raw);
  return true;
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

static void take_imported(struct sending *s, const struct ck_imported *m) {
  bool known = !ck_str_is(m->format, "unknown");
  s->result = (struct result){.format = ck_str_dup(known ? m->format : (struct ck_str){0}),
                              .error = m->error.n ? ck_str_dup(m->error) : NULL,
                              .added = m->added,
                              .updated = m->updated,
                              .unchanged = m->unchanged,
                              .failed = m->failed,
                              .waiting = m->waiting,
                              .failures = failures_of(m->failures)};
  s->attempt.stage = DONE;
}

static void take_more(struct sending *s, const struct ck_more *m) {
  if (m->receipted > s->attempt.receipted || m->receipted == m->taken)
    s->times.progress = ck_boot_ms();
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
  s->silences = 0;
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
  clear_progress(s);
  if (s->attempt.taken)
    cli_error(s->c, s->source.name,
              "%s; %llu %s accepted and safe; import the file again for the rest", why,
              (unsigned long long)s->attempt.taken,
              ck_noun(s->attempt.taken, "observation is", "observations are"));
  else
    cli_error(s->c, s->source.name, "%s", why);
  return CLI_NOBODY;
}

/* Gives up, or starts over, if ingest owes an answer and has been silent for too long. */
static int check_silence(struct sending *s) {
  int64_t now = ck_boot_ms();
  if (s->attempt.stage == SENDING) return CLI_GO_ON;
  if (!s->times.heard && now - s->times.progress > FIRST_MS)
    return give_up(s, "no ingest answers: start the ring with convkeep up; if it is up, see "
                      "logs/ingest.log");
  if (s->times.heard && now - s->times.heard > PATIENCE_MS)
    return give_up(s, "ingest has not answered for a minute: see logs/ingest.log");
  int64_t limit = SILENCE_MS * (1 + (int64_t)s->silences);
  if (now - s->times.fresh > (limit < SILENCE_MAX_MS ? limit : SILENCE_MAX_MS)) {
    ++s->silences;
    return begin_again(s);
  }
  if (!s->said_waiting && s->attempt.taken > s->attempt.receipted &&
      now - s->times.progress > WAITING_MS) {
    s->said_waiting = true;
    clear_progress(s);
    cli_error(s->c, s->source.name,
              "no receipts from the store: waiting; what was accepted is safe in the spool");
  }
  return CLI_GO_ON;
}

static void wait_for_news(const struct sending *s) {
  zmq_pollitem_t items[] = {{s->door, 0, ZMQ_POLLIN, 0}, {NULL, s->source.fd, ZMQ_POLLIN, 0}};
  zmq_poll(items, s->wait_for_input ? 2 : 1, RETRY_MS);
}

/* ingest does not know this import (it was restarted), or cannot accept another one now: starts
 * over in a moment. */
static int take_problem(struct sending *s) {
  if (++s->problems > PROBLEMS_MAX) {
    clear_progress(s);
    cli_error(s->c, s->source.name, "%s", s->err.text);
    return CLI_FAILED;
  }
  s->times.hold_until = ck_boot_ms() + RETRY_MS;
  return begin_again(s);
}

static int send_file(struct sending *s) {
  int rc = connect_door(s);
  s->times.progress = ck_boot_ms();
  begin(s);
  while (rc == CLI_GO_ON && s->attempt.stage != DONE) {
    if (interrupted) {
      give_up(s, "interrupted");
      return CLI_FAILED;
    }
    if (s->c->client->ring) cli_ring_step(s->c->client->ring);
    if (!send_piece(s)) {
      clear_progress(s);
      cli_error(s->c, s->source.name, "%s, after %lld bytes", s->err.text,
                (long long)s->attempt.at);
      return CLI_FAILED;
    }
    wait_for_news(s);
    if (hear(s))
      rc = take_problem(s);
    else if (s->attempt.stage != DONE)
      rc = check_silence(s);
    show_progress(s);
  }
  clear_progress(s);
  return rc;
}

/* ---- the result ---- */

static void print_json(const struct sending *s) {
  const struct result *r = &s->result;
  json_t *line = json_object();
  json_object_set_new(line, "file", json_string(s->source.name));
  json_object_set_new(line, "format", *r->format ? json_string(r->format) : json_null());
  json_object_set_new(line, "new", json_integer((json_int_t)r->added));
  json_object_set_new(line, "updated", json_integer((json_int_t)r->updated));
  json_object_set_new(line, "unchanged", json_integer((json_int_t)r->unchanged));
  json_object_set_new(line, "failed", json_integer((json_int_t)r->failed));
  json_object_set_new(line, "waiting", json_integer((json_int_t)r->waiting));
  json_object_set_new(line, "failures", json_incref(r->failures));
  json_object_set_new(line, "error", r->error ? json_string(r->error) : json_null());
  json_object_set_new(line, "resent", json_integer(s->resent));
  cli_json_line(line);
  json_decref(line);
}

static const char *format_name(const char *format) {
  static const char *const names[][2] = {{"chatgpt", "chatgpt export"},
                                         {"claude", "claude export"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    if (strcmp(names[i][0], format) == 0) return names[i][1];
  return format;
}

static bool some_stored(const struct result *r) { return r->added || r->updated || r->unchanged; }

static void print_line(const struct sending *s) {
  const struct result *r = &s->result;
  struct ck_buf line = {0};
  cli_safe_text(&line, ck_str_of(s->source.name), false);
  ck_buf_text(&line, ": ");
  if (*r->format) ck_buf_printf(&line, "%s: ", format_name(r->format));
  if (r->waiting)
    ck_buf_printf(&line, "%llu taken, waiting for the store; ", (unsigned long long)r->waiting);
  if (!r->waiting || some_stored(r))
    ck_buf_printf(&line, "%llu new, %llu updated, %llu unchanged, ", (unsigned long long)r->added,
                  (unsigned long long)r->updated, (unsigned long long)r->unchanged);
  struct ck_buf failed = {0};
  ck_buf_printf(&failed, "%llu failed", (unsigned long long)r->failed);
  cli_paint(&line, cli_colour(), r->failed ? CLI_RED : CLI_PLAIN, ck_buf_view(&failed));
  if (s->resent)
    ck_buf_printf(&line, " (sent %u times because ingest was restarted; the last counts)",
                  s->resent + 1);
  ck_buf_text(&line, "\n");
  cli_print(&line);
  fflush(stdout); /* before the failures, which go to standard error */
  ck_buf_free(&failed);
  ck_buf_free(&line);
}

static void print_failures(const struct sending *s) {
  size_t i, shown = json_array_size(s->result.failures);
  json_t *one;
  if (isatty(STDERR_FILENO) && shown > SHOWN_MAX) shown = SHOWN_MAX;
  json_array_foreach(s->result.failures, i, one) {
    if (i == shown) break;
    const char *reason = json_string_value(json_object_get(one, "reason"));
    struct ck_buf where = {0};
    ck_buf_printf(&where, "%s: ", s->source.name);
    cli_json_text(&where, json_object_get(one, "place"));
    cli_error(s->c, ck_buf_cstr(&where), "%s", reason ? reason : "no reason given");
    ck_buf_free(&where);
  }
  uint64_t places = s->result.failed - (s->result.error != NULL);
  if (places > shown)
    cli_error(s->c, s->source.name, "and %llu more failed", (unsigned long long)(places - shown));
  bool some = some_stored(&s->result) || s->result.waiting;
  if (s->result.error)
    cli_error(s->c, s->source.name, "%s%s", s->result.error,
              some ? "; everything before that place was imported" : "");
}

/* With --json, a file that could not be sent gets a line too. */
static void print_unsent(const struct cli *c, const char *file, const char *error) {
  if (!c->json) return;
  json_t *line = json_pack("{s:s, s:n, s:i, s:i, s:i, s:i, s:i, s:[], s:s, s:i}", "file", file,
                           "format", "new", 0, "updated", 0, "unchanged", 0, "failed", 1, "waiting",
                           0, "failures", "error", error, "resent", 0);
  cli_json_line(line);
  json_decref(line);
}

static int import_file(struct import *all, const char *file) {
  struct cli *c = all->c;
  struct sending s = {.c = c, .bytes = all->bytes, .wait = all->wait};
  int rc = CLI_GO_ON;
  if (cli_source_open(c, &s.source, file, &s.err)) {
    cli_error(c, file, "%s", s.err.text);
    print_unsent(c, file, s.err.text);
    rc = CLI_FAILED;
  }
  if (rc == CLI_GO_ON) {
    rc = send_file(&s);
    if (rc != CLI_GO_ON) print_unsent(c, file, "it was not sent completely");
  }
  if (rc == CLI_GO_ON) {
    if (c->json)
      print_json(&s);
    else
      print_line(&s);
    if (!c->json) print_failures(&s);
    rc = s.result.failed ? CLI_FAILED : CLI_DONE;
    all->waiting += s.result.waiting;
  }
  fflush(stdout);
  ck_door_close(&s.door, 0);
  cli_source_close(&s.source);
  json_decref(s.result.failures);
  free(s.result.format);
  free(s.result.error);
  return rc;
}

/* A private store first writes the readable files of what was imported. */
static int await_artifacts(struct cli *c) {
  while (c->client->ring && !interrupted) {
    json_t *info;
    int rc = cli_status_of(c, &info);
    if (rc != CLI_GO_ON) return rc;
    bool behind = cli_member_int(json_object_get(info, "artifacts"), "cursor", 0) <
                  cli_member_int(info, "version", 0);
    json_decref(info);
    if (!behind) break;
    cli_ring_step(c->client->ring);
    poll(NULL, 0, LOOK_MS);
  }
  return CLI_DONE;
}

/* Without SA_RESTART, so that a signal ends the poll. */
static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

static int run(struct cli *c, int argc, char **argv) {
  struct import all = {.c = c};
  const struct cli_option options[] = {{"wait", NULL, &all.wait}, {NULL, NULL, NULL}};
  int rc =
      cli_options(c, &argc, argv, (struct cli_syntax){.options = options, .least = 1, .most = -1});
  if (rc == CLI_GO_ON) rc = cli_connect(c, true, CLI_PART(CLI_STORE) | CLI_PART(CLI_INGEST));
  if (rc != CLI_GO_ON) return rc;
  catch_signals();
  all.bytes = ck_alloc(PIECE);
  int worst = CLI_DONE;
  for (int i = 1; i < argc && !interrupted; ++i) {
    int one = import_file(&all, argv[i]);
    if (one > worst) worst = one;
    if (one == CLI_NOBODY) break;
  }
  free(all.bytes);
  int files = worst == CLI_NOBODY || all.waiting ? worst : await_artifacts(c);
  return files > worst ? files : worst;
}

const struct cli_command cli_import = {
    "import", "[--wait] FILE…", "import chat exports and observations; - reads standard input",
    "Detects the format from the content: ChatGPT and Claude.ai exports (conversations.json),\n"
    "and observations, one JSON object a line (docs/cli.md). Importing a file again changes\n"
    "nothing.\n\n"
    "Prints one line a file: how many observations were new, updated, unchanged or failed; then,\n"
    "on standard error, each failure with its place and reason.\n\n"
    "Returns when every observation has its receipt, which means it is in the database. If an\n"
    "ingest runs and its store has been away for 5 s, returns when every observation is safe in\n"
    "the spool: `N taken, waiting for the store`. Works whether or not the ring is up. If ingest\n"
    "is restarted meanwhile, the file is sent again from the start, and the counts are those of\n"
    "the last time.\n\n"
    "  --wait   waits for the receipts also while the store is away",
    run};
