/* See feed.h. */
#include "store/write/feed.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"

/* The most in one frame of changes. For a follower that does not read, the socket queues 64
 * frames: 8 MiB at most. */
#define CHUNK_BYTES (128u << 10)

struct feed {
  const struct ck_settings *settings;
  void *socket;
  const char *store_id;
  int watchers; /* subscriptions that include changes */
  struct ck_buf out;
};

struct feed *feed_open(const struct ck_settings *s, const char *store_id, struct ck_err *err) {
  struct feed *f = ck_zalloc(sizeof *f);
  f->settings = s;
  f->store_id = store_id;
  f->socket = ck_door_bind(s, CK_DOOR_FEED, err);
  if (!f->socket) feed_close(&f);
  return f;
}

void feed_close(struct feed **feed) {
  struct feed *f = *feed;
  if (!f) return;
  /* Waits for receipts under way: they save producers a question. */
  ck_door_close(&f->socket, 100);
  ck_buf_free(&f->out);
  free(f);
  *feed = NULL;
}

void *feed_socket(struct feed *f) { return f->socket; }

/* A subscription frame is 1 (begin) or 0 (end) and a topic, which includes changes if it is a
 * prefix of theirs. Returns how the number of watchers changes. */
static int watches(struct ck_str frame) {
  size_t n = frame.n - 1;
  if (n > sizeof CK_TOPIC_CHANGE - 1 || memcmp(CK_TOPIC_CHANGE, frame.s + 1, n) != 0) return 0;
  return frame.s[0] == 1 ? 1 : -1;
}

void feed_turn(struct feed *f) {
  zmq_msg_t frame;
  while (ck_recv(f->socket, &frame) == 0) {
    struct ck_str bytes = ck_frame(&frame);
    if (bytes.n > 0 && (bytes.s[0] == 0 || bytes.s[0] == 1)) f->watchers += watches(bytes);
    zmq_msg_close(&frame);
  }
}

static void publish(struct feed *f, const char *topic, const struct ck_message *m) {
  ck_buf_clear(&f->out);
  ck_message_encode(&f->out, m);
  if (ck_send_topic(f->socket, topic, ck_buf_view(&f->out)))
    ck_log(CK_WARN, topic, "not_published", "bytes=%zu", f->out.len);
}

/* How many changes fit into one frame; *bytes: the most that they take. */
static uint32_t chunk(struct entry **changes, size_t n, size_t *bytes) {
  uint32_t count = 0;
  *bytes = CK_CHANGES_OPEN;
  for (; count < n; ++count) {
    size_t room = ck_change_room(&changes[count]->row);
    if (*bytes + room > CHUNK_BYTES) break;
    *bytes += room;
  }
  return count;
}

/* Encodes into the memory that is sent, without a copy. */
static void publish_changes(struct feed *f, struct entry **changes, uint32_t n, size_t bytes,
                            const struct ck_changes *head) {
  struct ck_buf out = {0};
  ck_buf_room(&out, bytes);
  ck_changes_open(&out, head, n);
  for (uint32_t i = 0; i < n; ++i) ck_change_encode(&out, changes[i]->version, &changes[i]->row);
  size_t len = out.len;
  if (ck_send_topic_owned(f->socket, CK_TOPIC_CHANGE, &out))
    ck_log(CK_WARN, CK_TOPIC_CHANGE, "not_published", "bytes=%zu", len);
}

void feed_changes(struct feed *f, struct entry **changes, size_t n, uint64_t after, uint64_t upto) {
  if (f->watchers <= 0) return;
  for (size_t i = 0; i < n;) {
    size_t bytes;
    uint32_t count = chunk(changes + i, n - i, &bytes);
    if (count == 0) return; /* larger than a frame: followers see the next heartbeat and ask */
    uint64_t end = i + count == n ? upto : changes[i + count - 1]->version;
    publish_changes(f, changes + i, count, bytes,
                    &(struct ck_changes){0, ck_str_of(f->store_id), after, end, upto, {0}});
    after = end;
    i += count;
  }
}

static void publish_to(struct feed *f, const char *prefix, struct ck_str whom,
                       const struct ck_message *m) {
  char *topic = ck_topic(prefix, whom);
  publish(f, topic, m);
  free(topic);
}

void feed_receipt(struct feed *f, const struct ck_receipt *r) {
  struct ck_message m = {.kind = CK_MSG_RECEIPT};
  m.as.receipt = *r;
  publish_to(f, CK_TOPIC_RECEIPT, r->producer, &m);
}

void feed_delivery(struct feed *f, const struct ck_delivery *d) {
  struct ck_message m = {.kind = CK_MSG_DELIVERY};
  m.as.delivery = *d;
  publish_to(f, CK_TOPIC_DELIVERY, d->client, &m);
}

void feed_heartbeat(struct feed *f, uint64_t head, uint64_t pauses) {
  struct ck_message m = {.kind = CK_MSG_BEAT};
  m.as.beat = (struct ck_beat){ck_str_of(f->store_id), head, 0, ck_now_ms(), pauses};
  publish(f, CK_TOPIC_BEAT, &m);
}

void feed_idle(struct feed *f) { ck_buf_free(&f->out); }
