/* A producer's protocol with the store. */
#include "proto/push.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/states.h"

/* After QUIET_MS without progress the producer asks; the wait doubles up to QUIET_MAX_MS. While
 * greeting it doubles as well, up to GREETING_MAX_MS: only the answer to the newest HELLO counts,
 * so a store that takes longer than the pause between two would never be heard. */
#define QUIET_MS 300
#define QUIET_MAX_MS 5000
#define GREETING_MAX_MS 2400
#define FEED_SILENT_MS 3000
/* When to try again after the intake was full. */
#define FULL_MS 2
/* How long closing the intake waits for what was sent last (a final report) to leave. */
#define LAST_WORDS_MS 100

/* push.h draws them. */
enum push_state { PUSH_GREETING, PUSH_STREAMING, PUSH_USURPED };

static const unsigned may_become[] = {
    [PUSH_GREETING] = CK_TO(PUSH_STREAMING),
    [PUSH_STREAMING] = CK_TO(PUSH_GREETING) | CK_TO(PUSH_USURPED),
    [PUSH_USURPED] = 0,
};

struct ck_push {
  const struct ck_settings *settings;
  char *producer, *topic;
  struct ck_unacked unacked;
  unsigned window;
  size_t *sizes; /* of the frames in flight, by number modulo window */
  void *intake, *feed, *snapshot;
  enum push_state state;
  char *store_id;
  uint64_t epoch, next, request, version;
  uint64_t asked_first; /* the first without a receipt when it asked */
  int64_t asked_at, progress_at;
  int64_t heard_at; /* the last beat, or when the feed was opened */
  int64_t store_at; /* anything from the store */
  int patience;
  uint64_t upto; /* what is above it waits */
  struct ck_buf out;
};

static void become(struct ck_push *p, enum push_state next) {
  CK_BECOME(may_become, p->state, next);
}

static int feed_open(struct ck_push *p, struct ck_err *err) {
  ck_door_close(&p->feed, 0);
  /* Also when this fails: it is tried again after FEED_SILENT_MS, not at once. */
  p->heard_at = ck_boot_ms();
  p->feed = ck_door_connect(p->settings, CK_DOOR_FEED, err);
  if (!p->feed) return -1;
  ck_subscribe(p->feed, p->topic);
  ck_subscribe(p->feed, CK_TOPIC_BEAT);
  return 0;
}

static void ask(struct ck_push *p) {
  struct ck_message m = {0};
  ++p->request;
  p->asked_first = p->unacked.first(p->unacked.self);
  if (p->state == PUSH_GREETING) {
    m.kind = CK_MSG_HELLO;
    m.as.hello =
        (struct ck_hello){p->request, ck_str_of(p->producer), p->unacked.first(p->unacked.self)};
  } else {
    m.kind = CK_MSG_LAST;
    m.as.last = (struct ck_last){p->request, ck_str_of(p->producer), p->epoch};
  }
  ck_buf_clear(&p->out);
  ck_message_encode(&p->out, &m);
  ck_send(p->snapshot, ck_buf_view(&p->out));
  p->asked_at = ck_boot_ms();
}

static void greet(struct ck_push *p) {
  p->patience = QUIET_MS;
  ask(p);
}

static void greet_again(struct ck_push *p) {
  become(p, PUSH_GREETING);
  greet(p);
}

struct ck_push *ck_push_new(const struct ck_settings *s, const char *producer,
                            const struct ck_unacked *unacked, unsigned window, struct ck_err *err) {
  struct ck_push *p = ck_zalloc(sizeof *p);
  p->settings = s;
  p->producer = ck_strdup(producer);
  p->topic = ck_topic(CK_TOPIC_RECEIPT, ck_str_of(producer));
  p->unacked = *unacked;
  p->window = window;
  p->upto = UINT64_MAX;
  p->sizes = ck_zalloc(window * sizeof *p->sizes);
  p->store_at = ck_boot_ms();
  p->intake = ck_door_connect(s, CK_DOOR_INTAKE, err);
  p->snapshot = p->intake ? ck_door_connect(s, CK_DOOR_SNAPSHOT, err) : NULL;
  if (!p->snapshot || feed_open(p, err)) {
    ck_push_free(&p);
    return NULL;
  }
  greet(p);
  return p;
}

void ck_push_free(struct ck_push **push) {
  struct ck_push *p = *push;
  if (!p) return;
  ck_door_close(&p->intake, LAST_WORDS_MS);
  ck_door_close(&p->feed, 0);
  ck_door_close(&p->snapshot, 0);
  ck_buf_free(&p->out);
  free(p->producer);
  free(p->topic);
  free(p->store_id);
  free(p->sizes);
  free(p);
  *push = NULL;
}

int ck_push_items(struct ck_push *p, zmq_pollitem_t items[2]) {
  items[0] = (zmq_pollitem_t){p->snapshot, 0, ZMQ_POLLIN, 0};
  if (!p->feed) return 1;
  items[1] = (zmq_pollitem_t){p->feed, 0, ZMQ_POLLIN, 0};
  return 2;
}

void ck_push_upto(struct ck_push *p, uint64_t number) { p->upto = number; }

int64_t ck_push_silent_ms(const struct ck_push *p) { return ck_boot_ms() - p->store_at; }
bool ck_push_streaming(const struct ck_push *p) { return p->state == PUSH_STREAMING; }
const char *ck_push_store(const struct ck_push *p) { return p->store_id ? p->store_id : ""; }

bool ck_push_usurped(const struct ck_push *p) { return p->state == PUSH_USURPED; }
const char *ck_push_producer(const struct ck_push *p) { return p->producer; }
uint64_t ck_push_version(const struct ck_push *p) { return p->version; }

/* ---- receipts ---- */

/* The reason of one refused number. Numbers ascend, so the search goes on where the last one
 * ended. */
static struct ck_str reason_of(struct ck_reader *refused, uint32_t *left, uint64_t number) {
  while (*left) {
    struct ck_reader before = *refused;
    struct ck_refusal refusal;
    if (ck_refusal_decode(refused, &refusal, NULL)) break;
    if (refusal.number > number) {
      *refused = before;
      return (struct ck_str){0};
    }
    --*left;
    if (refusal.number == number) return refusal.reason;
  }
  return (struct ck_str){0};
}

/* Gives the owner the counts of one number, if there are any. Numbers ascend here too. */
static void give_counts(struct ck_push *p, struct ck_reader *list, uint32_t *left,
                        uint64_t number) {
  struct ck_counts counts;
  for (struct ck_reader next = *list; *left && ck_counts_decode(&next, &counts, NULL) == 0;) {
    if (counts.number > number) return;
    *list = next;
    --*left;
    if (counts.number == number) p->unacked.counts(p->unacked.self, &counts);
  }
}

/* Likewise what its claim found. */
static void give_claimed(struct ck_push *p, struct ck_reader *list, uint32_t *left,
                         uint64_t number) {
  struct ck_claimed claimed;
  for (struct ck_reader next = *list; *left && ck_claimed_decode(&next, &claimed, NULL) == 0;) {
    if (claimed.number > number) return;
    *list = next;
    --*left;
    if (claimed.number == number) p->unacked.claimed(p->unacked.self, &claimed);
  }
}

/* What RECEIPT and WELCOME say of the last numbers. */
struct said {
  uint64_t first, applied;
  struct ck_str results, refused, counts, claims;
};

static void release(struct ck_push *p, const struct said *said) {
  struct ck_reader reasons = ck_reader_of(said->refused), counts = ck_reader_of(said->counts),
                   claims = ck_reader_of(said->claims);
  uint32_t left = 0, counted = 0, claimed = 0;
  uint64_t first = said->first, applied = said->applied;
  struct ck_str results = said->results;
  if (ck_read_array(&reasons, &left)) left = 0;
  if (!p->unacked.counts || ck_read_array(&counts, &counted)) counted = 0;
  if (!p->unacked.claimed || ck_read_array(&claims, &claimed)) claimed = 0;
  uint64_t last = p->unacked.last(p->unacked.self);
  uint64_t until = applied < last ? applied : last;
  for (uint64_t n = p->unacked.first(p->unacked.self); n <= until; ++n) {
    bool known = n >= first && n - first < results.n;
    char result = known ? results.s[n - first] : '?';
    struct ck_str reason = result == 'r' ? reason_of(&reasons, &left, n) : (struct ck_str){0};
    if (counted) give_counts(p, &counts, &counted, n);
    if (claimed) give_claimed(p, &claims, &claimed, n);
    p->unacked.receipt(p->unacked.self, n, result, reason);
    p->progress_at = ck_boot_ms();
    p->patience = QUIET_MS;
  }
  uint64_t next = p->unacked.first(p->unacked.self);
  if (p->next < next) p->next = next;
}

/* The highest number up to which the store's `applied` can be ours. If it says more, another
 * process has sent changesets under our id: we are usurped, and send nothing more. */
static uint64_t believed(struct ck_push *p, uint64_t applied) {
  uint64_t known = p->unacked.believe ? p->unacked.believe(p->unacked.self, applied) : applied;
  if (known >= applied) return applied;
  ck_log(CK_ERROR, p->producer, "set_back", "applied=%llu given=%llu", (unsigned long long)applied,
         (unsigned long long)known);
  become(p, PUSH_USURPED);
  return known;
}

/* What was sent and is not applied was lost, unless the store has come further since it was asked:
 * then it is at work, and the rest lies in its intake. Sent again it would be there twice. */
static void send_from(struct ck_push *p, uint64_t from, bool at_work) {
  uint64_t first = p->unacked.first(p->unacked.self);
  if (from < first) from = first;
  if (!at_work || p->next < from) p->next = from;
}

static void take_welcome(struct ck_push *p, const struct ck_welcome *w) {
  bool greeting = p->state == PUSH_GREETING;
  uint64_t applied = w->applied;
  p->version = w->version;
  if (greeting) {
    p->epoch = w->epoch;
    free(p->store_id);
    p->store_id = ck_str_dup(w->store_id);
    become(p, PUSH_STREAMING);
    p->progress_at = ck_boot_ms();
    p->patience = QUIET_MS;
  }
  bool unbound = p->unacked.first(p->unacked.self) == 0;
  if (greeting && !unbound) applied = believed(p, applied);
  if (!unbound)
    release(p, &(struct said){w->first, applied, w->results, w->refused, w->counts, {0}});
  if (p->state == PUSH_USURPED) return;
  if (p->unacked.skip && (unbound || w->applied > p->unacked.last(p->unacked.self)))
    p->unacked.skip(p->unacked.self, w->applied);
  send_from(p, w->applied + 1, !greeting && p->asked_first && w->applied >= p->asked_first);
}

static void take_problem(struct ck_push *p, const struct ck_problem *problem) {
  if (p->state == PUSH_STREAMING && ck_str_is(problem->code, "epoch")) {
    ck_log(CK_ERROR, p->producer, "usurped", "reason=%s", ck_quoted(problem->reason));
    become(p, PUSH_USURPED);
  } else if (p->state == PUSH_STREAMING) {
    greet_again(p);
  }
}

static void take_answer(struct ck_push *p, struct ck_str bytes) {
  struct ck_message m;
  struct ck_err err;
  if (ck_message_decode(&m, bytes.s, bytes.n, &err)) {
    ck_log(CK_WARN, p->producer, "answer_refused", "reason=%s", ck_quotedz(err.text));
    return;
  }
  if (m.kind == CK_MSG_WELCOME && m.as.welcome.request == p->request)
    take_welcome(p, &m.as.welcome);
  if (m.kind == CK_MSG_PROBLEM && m.as.problem.request == p->request)
    take_problem(p, &m.as.problem);
}

static void take_feed(struct ck_push *p, struct ck_str bytes) {
  struct ck_message m;
  struct ck_err err;
  if (ck_message_decode(&m, bytes.s, bytes.n, &err)) {
    ck_log(CK_WARN, p->producer, "feed_refused", "reason=%s", ck_quotedz(err.text));
    return;
  }
  if (m.kind == CK_MSG_BEAT) {
    p->heard_at = ck_boot_ms();
    if (p->state == PUSH_STREAMING && !ck_str_is(m.as.beat.store_id, p->store_id)) greet_again(p);
  }
  if (m.kind != CK_MSG_RECEIPT || p->state != PUSH_STREAMING) return;
  const struct ck_receipt *r = &m.as.receipt;
  if (!ck_str_is(r->producer, p->producer) || r->epoch != p->epoch) return;
  p->version = r->version;
  release(p, &(struct said){r->first, r->applied, r->results, r->refused, r->counts, r->claims});
}

static void drain(struct ck_push *p) {
  zmq_msg_t topic, frame;
  while (p->feed && ck_recv2(p->feed, &topic, &frame) == 0) {
    take_feed(p, ck_frame(&frame));
    p->store_at = ck_boot_ms();
    zmq_msg_close(&topic);
    zmq_msg_close(&frame);
  }
  while (ck_recv(p->snapshot, &frame) == 0) {
    take_answer(p, ck_frame(&frame));
    p->store_at = ck_boot_ms();
    zmq_msg_close(&frame);
  }
}

/* ---- sending ---- */

static int send_one(struct ck_push *p, uint64_t number) {
  struct ck_str mutations;
  if (!p->unacked.get(p->unacked.self, number, &mutations)) return -1;
  struct ck_message m = {.kind = CK_MSG_CHANGESET};
  m.as.changeset = (struct ck_changeset){ck_str_of(p->producer), p->epoch, number, mutations};
  ck_buf_clear(&p->out);
  ck_message_encode(&p->out, &m);
  if (p->out.len > CK_FRAME_MAX) {
    /* It can never be sent, and must not hold up the numbers after it. Sent without mutations, the
     * store refuses it and goes on. */
    ck_log(CK_ERROR, p->producer, "too_large", "number=%llu bytes=%zu most=%u",
           (unsigned long long)number, p->out.len, CK_FRAME_MAX);
    m.as.changeset.mutations = (struct ck_str){0};
    ck_buf_clear(&p->out);
    ck_message_encode(&p->out, &m);
  }
  return ck_send(p->intake, ck_buf_view(&p->out));
}

/* The bytes of the frames that were sent and have no receipt. */
static size_t in_flight(const struct ck_push *p, uint64_t first) {
  size_t bytes = 0;
  for (uint64_t n = first; n < p->next; ++n) bytes += p->sizes[n % p->window];
  return bytes;
}

/* true: the intake is full. */
static bool send_window(struct ck_push *p) {
  uint64_t first = p->unacked.first(p->unacked.self), last = p->unacked.last(p->unacked.self);
  if (first == 0) return false;
  if (last > p->upto) last = p->upto;
  if (p->next == first) p->progress_at = ck_boot_ms();
  size_t bytes = in_flight(p, first);
  for (; p->next <= last && p->next - first < p->window && bytes < CK_PUSH_BYTES; ++p->next) {
    if (send_one(p, p->next)) return true;
    p->sizes[p->next % p->window] = p->out.len;
    bytes += p->out.len;
  }
  return false;
}

static bool waits_for_receipt(const struct ck_push *p) {
  uint64_t first = p->unacked.first(p->unacked.self);
  return first != 0 && p->next > first;
}

static int until(int64_t since, int64_t patience) {
  int64_t left = since + patience - ck_boot_ms();
  return left < 0 ? 0 : (int)left;
}

int ck_push_step(struct ck_push *p) {
  drain(p);
  if (p->state == PUSH_USURPED) return -1;
  if (until(p->heard_at, FEED_SILENT_MS) == 0) {
    struct ck_err err;
    if (feed_open(p, &err))
      ck_log(CK_ERROR, p->producer, "feed_lost", "reason=%s", ck_quotedz(err.text));
  }
  int wait = until(p->heard_at, FEED_SILENT_MS);
  bool full = p->state == PUSH_STREAMING && send_window(p);
  if (full) wait = FULL_MS;
  if (p->state == PUSH_GREETING || waits_for_receipt(p)) {
    int64_t since = p->progress_at > p->asked_at ? p->progress_at : p->asked_at;
    if (until(since, p->patience) == 0) {
      ask(p);
      since = p->asked_at;
      if (p->patience < (p->state == PUSH_GREETING ? GREETING_MAX_MS : QUIET_MAX_MS))
        p->patience *= 2;
    }
    int left = until(since, p->patience);
    if (left < wait) wait = left;
  }
  return wait;
}

void ck_push_report(struct ck_push *p, const struct ck_report *report) {
  struct ck_message m = {.kind = CK_MSG_REPORT};
  m.as.report = *report;
  ck_buf_clear(&p->out);
  ck_message_encode(&p->out, &m);
  ck_send(p->intake, ck_buf_view(&p->out));
}
