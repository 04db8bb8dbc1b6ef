/* Any course of questions about originals, over a real door: answers that come in any order, late,
 * twice, broken or never. Whatever the store says, each element of a file is read once and in the
 * order of the file, or was said to be there whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/files/lookup.h"
#include "ingest/files/reader.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/originals.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define FILES 3
#define ELEMENTS 24
#define PENDING 16
#define PADDING (70u << 10) /* more than what is parsed to know whose element it is */
#define WAIT_MS 2000

enum form { CONVERSATIONS, LINES, LIST, FORMS };

/* What the store has said about an original. */
struct said {
  char id[CK_ORIGINAL_ID + 1];
  enum ck_kept_state state;
  int64_t age;
};

struct file {
  struct ingest_reader *reader;
  enum form form;
  bool padded, again, ended;
  unsigned fed, next; /* elements: that were fed; that may be read next */
  unsigned observed, whole, said_whole;
  struct ck_buf said; /* of struct said: of the questions that are answered */
  uint64_t question;  /* not answered; 0: none */
  struct ck_buf ids;  /* of that question */
};

/* A question as the store has it. */
struct pending {
  uint64_t number;
  bool may_be_whole; /* it names the reader that reads such a file */
  struct ck_buf peer, ids;
};

static struct ck_settings *settings;
static void *store;
static struct ingest_lookup *lookup;
static struct file files[FILES];
static struct pending pending[PENDING];
static unsigned pending_n;

/* ---- the input ---- */

static const uint8_t *at, *end;
static unsigned byte(void) { return at < end ? *at++ : 0; }

/* ---- the files ---- */

static void write_element(struct ck_buf *b, const struct file *f, unsigned i) {
  if (f->form == CONVERSATIONS)
    ck_buf_printf(b,
                  "{\"uuid\":\"c%u\",\"name\":\"n\",\"account\":{},\"chat_messages\":[{\"uuid\":"
                  "\"%u\",\"sender\":\"human\",\"text\":\"",
                  i, i);
  else
    ck_buf_printf(b, "{\"platform\":\"x\",\"message_id\":\"%u\",\"text\":\"", i);
  if (f->padded && i == 0) {
    memset(ck_buf_room(b, PADDING), 'p', PADDING);
    b->len += PADDING;
  }
  ck_buf_text(b, f->form == CONVERSATIONS ? "\"}]}" : "\"}");
}

static void feed(struct file *f) {
  struct ck_buf b = {0};
  if (f->ended || f->fed == ELEMENTS) return;
  if (f->form == LINES) {
    write_element(&b, f, f->fed);
    ck_buf_text(&b, "\n");
  } else {
    ck_buf_text(&b, f->fed ? "," : "[");
    write_element(&b, f, f->fed);
  }
  ++f->fed;
  ingest_reader_feed(f->reader, b.data, b.len);
  ck_buf_free(&b);
}

static void end_file(struct file *f) {
  if (f->ended) return;
  f->ended = true;
  if (f->form != LINES) ingest_reader_feed(f->reader, f->fed ? "]" : "[]", f->fed ? 1 : 2);
  ingest_reader_end(f->reader);
}

/* ---- what the reader gives ---- */

static const struct said *said_of(const struct file *f, const char *id) {
  const struct said *said = (const struct said *)(const void *)f->said.data;
  for (size_t i = f->said.len / sizeof *said; i-- > 0;)
    if (strcmp(said[i].id, id) == 0) return &said[i];
  return NULL;
}

static void on_begin_original(void *self, const char *id, struct ck_str bytes, bool kept,
                              const char *reader, const struct ck_original *run) {
  const struct file *f = self;
  char own[CK_ORIGINAL_ID + 1];
  const struct said *said = said_of(f, id);
  ck_original_id(own, bytes);
  if (strcmp(own, id) != 0 || !*reader) abort();
  if (kept != (f->again || (said && said->state != CK_KEPT_NOTHING))) abort();
  bool as_late = said && (!run->age || said->age >= run->age);
  if (as_late && said->state == CK_KEPT_WHOLE) abort();
}

static void on_end_original(void *self) { (void)self; }

static void on_whole(void *self, uint64_t messages) {
  struct file *f = self;
  if (messages != 1) abort();
  ++f->whole;
}

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct file *f = self;
  unsigned i = (unsigned)atoi(o->message_id.s);
  if (i < f->next || i >= f->fed || !*place) abort();
  f->next = i + 1;
  ++f->observed;
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  (void)self;
  (void)raw;
  fprintf(stderr, "%s: %s\n", place, reason);
  abort();
}

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  (void)self;
  (void)c;
  (void)place;
}

static void on_end(void *self) { (void)self; }

static void on_note(void *self, const char *kind, uint64_t n) {
  (void)self;
  (void)kind;
  (void)n;
}

static void open_file(struct file *f) {
  unsigned how = byte();
  *f = (struct file){.form = (enum form)(how % FORMS), .padded = how & 64, .again = how > 240};
  const struct ingest_visitor visitor = {f, on_begin, on_end, on_observation, on_failure, on_note};
  const struct ingest_originals_ops ops = {f, on_begin_original, on_end_original, on_whole};
  f->reader = ingest_reader_new(f->form == LINES ? "x.jsonl" : "x.json", &visitor);
  ingest_reader_originals(f->reader, &ops, f->again, f->again ? 1 + how % 8 : 0);
}

/* Each element was read, or is in an original that the store has whole. */
static void close_file(struct file *f) {
  end_file(f);
  ingest_reader_go(f->reader, false);
  if (!ingest_reader_done(f->reader) || ingest_reader_waiting(f->reader)) abort();
  if (f->whole > f->said_whole || *ingest_reader_error(f->reader)) abort();
  if (!f->whole && f->observed != f->fed) abort();
  if (f->form == CONVERSATIONS && f->observed + f->whole != f->fed) abort();
  ingest_reader_free(&f->reader);
  ck_buf_free(&f->said);
  ck_buf_free(&f->ids);
}

/* ---- questions ---- */

static bool arrives(void *socket) {
  zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
  int n;
  while ((n = zmq_poll(&item, 1, WAIT_MS)) < 0 && errno == EINTR) {
  } /* the fuzzer's timer */
  return n == 1;
}

/* The store gets what was asked. */
static void get_question(enum form form) {
  zmq_msg_t peer, frame;
  struct ck_message m;
  if (!arrives(store) || ck_recv2(store, &peer, &frame)) abort();
  struct ck_str bytes = ck_frame(&frame);
  if (ck_message_decode(&m, bytes.s, bytes.n, NULL) || m.kind != CK_MSG_HAVE) abort();
  struct pending *p = &pending[pending_n++];
  *p = (struct pending){.number = m.as.have.request};
  p->may_be_whole =
      ck_str_starts(m.as.have.reader, form == CONVERSATIONS ? "claude 1" : "observations 1");
  ck_buf_str(&p->peer, ck_frame(&peer));
  ck_buf_str(&p->ids, m.as.have.originals);
  zmq_msg_close(&peer);
  zmq_msg_close(&frame);
}

static void ask(struct file *f) {
  char name[INGEST_READER_NAME];
  if (f->question || pending_n == PENDING) return;
  ck_buf_clear(&f->ids);
  if (!ingest_reader_ask(f->reader, &f->ids, name)) return;
  f->question = ingest_lookup_ask(lookup, name, ck_buf_view(&f->ids));
  if (!f->question) abort();
  get_question(f->form);
}

/* Notes what an answer says of each original of the question: what it lacks is not there. */
static void note_said(struct file *f, struct ck_str had) {
  struct ck_reader ids = ck_reader_of(ck_buf_view(&f->ids)), list = ck_reader_of(had);
  uint32_t n, there;
  struct ck_str id;
  if (ck_read_array(&ids, &n)) abort();
  if (ck_read_array(&list, &there)) there = 0;
  for (; n; --n) {
    struct ck_kept kept = {0};
    if (ck_read_str(&ids, &id) || id.n != CK_ORIGINAL_ID) abort();
    if (there && ck_kept_decode(&list, &kept, NULL)) there = 0;
    if (!there) kept = (struct ck_kept){0};
    if (there) --there;
    struct said said = {.state = kept.state, .age = kept.age};
    memcpy(said.id, id.s, CK_ORIGINAL_ID);
    ck_buf_add(&f->said, &said, sizeof said);
    f->said_whole += kept.state == CK_KEPT_WHOLE;
  }
}

/* As the imports do it: an answer to no question of theirs is let go. */
static void take_answers(void) {
  uint64_t number;
  struct ck_str had;
  if (!arrives(ingest_lookup_socket(lookup))) abort();
  while (ingest_lookup_next(lookup, &number, &had))
    for (struct file *f = files; f < files + FILES; ++f) {
      if (!f->question || f->question != number) continue;
      f->question = 0;
      note_said(f, had);
      ingest_reader_told(f->reader, had);
    }
}

/* An answer that does not come in time is none. */
static void give_up(struct file *f) {
  if (!f->question) return;
  f->question = 0;
  note_said(f, (struct ck_str){0});
  ingest_reader_told(f->reader, (struct ck_str){0});
}

/* As many entries as the input says; one may be of no state, and end the list. What another reader
 * has read is not whole for this one: that much the store knows. */
static void write_had(struct ck_buf *had, struct ck_str ids, bool may_be_whole) {
  struct ck_reader r = ck_reader_of(ids);
  uint32_t n, said = byte(), states = may_be_whole ? CK_KEPT_STATES : CK_KEPT_WHOLE;
  if (ck_read_array(&r, &n)) abort();
  if (said < 200) said = n;
  ck_put_array(had, said);
  for (uint32_t i = 0; i < said; ++i) {
    unsigned how = byte();
    const struct ck_kept kept = {(enum ck_kept_state)(how % states), 1, 0, how / 8};
    if (how < 250)
      ck_kept_encode(had, &kept);
    else
      ck_put_text(had, "of no state");
  }
}

static void answer(unsigned which, bool keep) {
  struct ck_buf frame = {0}, had = {0};
  struct ck_message m = {.kind = CK_MSG_HAD};
  if (!pending_n) return;
  struct pending *p = &pending[which % pending_n];
  unsigned how = byte();
  if (how < 200 || how == 255)
    write_had(&had, ck_buf_view(&p->ids), p->may_be_whole && how != 255);
  else
    ck_put_text(&had, "no list");
  m.as.had = (struct ck_had){p->number + (how == 255), ck_buf_view(&had)};
  if (how >= 240 && how < 250) {
    m.kind = CK_MSG_PROBLEM;
    m.as.problem = (struct ck_problem){p->number, CK_LIT("busy"), CK_LIT("later")};
  }
  ck_message_encode(&frame, &m);
  if (how >= 250 && how < 255) frame.len -= 1 + how % 4; /* no message at all */
  if (ck_send_to(store, ck_buf_view(&p->peer), ck_buf_view(&frame))) abort();
  ck_buf_free(&frame);
  ck_buf_free(&had);
  if (!keep) {
    ck_buf_free(&p->peer);
    ck_buf_free(&p->ids);
    *p = pending[--pending_n];
  }
  take_answers();
}

/* ---- a run ---- */

static void step(void) {
  unsigned what = byte();
  struct file *f = &files[what / 16 % FILES];
  switch (what % 16) {
  case 0:
  case 1:
  case 2:
  case 3:
    feed(f);
    break;
  case 4:
    end_file(f);
    break;
  case 5:
  case 6:
    ingest_reader_go(f->reader, true);
    ask(f);
    break;
  case 7:
    ingest_reader_go(f->reader, true);
    break;
  case 8:
    give_up(f);
    ingest_reader_go(f->reader, false);
    break;
  case 9:
    give_up(f);
    break;
  case 10:
    ingest_reader_pause(f->reader);
    break;
  default:
    answer(byte(), what % 16 > 13);
  }
}

static char folder[] = "/tmp/ck-fuzz-lookup-XXXXXX";

static void leave(void) {
  ingest_lookup_free(&lookup);
  ck_door_close(&store, 0);
  ck_door_unlink(settings, CK_DOOR_SNAPSHOT);
  rmdir(folder);
  ck_settings_free(&settings);
  ck_context_end();
}

static void begin(void) {
  struct ck_err err = {""};
  char address[64];
  if (!mkdtemp(folder)) abort();
  snprintf(address, sizeof address, "ipc://%s/store", folder);
  settings = ck_settings_load(NULL, &err);
  if (settings && ck_settings_flag(settings, "door.snapshot", address, &err) == 0)
    store = ck_door_bind(settings, CK_DOOR_SNAPSHOT, &err);
  if (store) lookup = ingest_lookup_new(settings, &err);
  if (lookup) {
    atexit(leave);
    return;
  }
  fprintf(stderr, "%s\n", err.text);
  abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  ck_log_setup("fuzz", CK_ERROR);
  begin();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  at = data;
  end = data + n;
  for (int i = 0; i < FILES; ++i) open_file(&files[i]);
  for (int steps = 0; steps < 200 && at < end; ++steps) step();
  for (int i = 0; i < FILES; ++i) {
    give_up(&files[i]);
    close_file(&files[i]);
  }
  while (pending_n) {
    struct pending *p = &pending[--pending_n];
    ck_buf_free(&p->peer);
    ck_buf_free(&p->ids);
  }
  return 0;
}
