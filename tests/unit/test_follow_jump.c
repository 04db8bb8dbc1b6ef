/* A follower on a feed that leaves changes out, or sends broken lists. The test plays the store, so
 * the follower can notice only by the frame itself: there is no heartbeat and no silence. */
#include "test_store_help.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/folder.h"
#include "proto/doors.h"
#include "proto/follow.h"

#define STORE_ID "0123456789abcdef0123456789abcdef"

static struct {
  struct ck_settings *settings;
  void *feed, *snapshot;
  struct ck_follow *follow;
  uint64_t versions[8];
  size_t n;
  char folder[64];
} t;

static void change(void *self, uint64_t version, const struct ck_row *row) {
  (void)self, (void)row;
  cr_assert_lt(t.n, 8);
  t.versions[t.n++] = version;
}

static void upto(void *self, const char *store_id, uint64_t version, bool live) {
  (void)self, (void)store_id, (void)version, (void)live;
}

static void reset(void *self, const char *store_id) {
  (void)self;
  cr_assert_fail("another store: %s", store_id);
}

static void open_it(void) {
  struct ck_err err = {{0}};
  struct ck_follow_ops ops = {NULL, change, upto, reset, NULL};
  strcpy(t.folder, "/tmp/convkeep-unit.XXXXXX");
  cr_assert(mkdtemp(t.folder));
  cr_assert_eq(ck_data_enter(t.folder, &err), 0, "%s", err.text);
  cr_assert(t.settings = ck_settings_load("convkeep.conf", &err), "%s", err.text);
  cr_assert(t.feed = ck_door_bind(t.settings, CK_DOOR_FEED, &err), "%s", err.text);
  cr_assert(t.snapshot = ck_door_bind(t.settings, CK_DOOR_SNAPSHOT, &err), "%s", err.text);
  cr_assert(t.follow = ck_follow_new(t.settings, &ops, 0, "", 0, &err), "%s", err.text);
}

static void close_it(void) {
  char command[100];
  ck_follow_free(&t.follow);
  ck_door_close(&t.feed, 0);
  ck_door_close(&t.snapshot, 0);
  ck_settings_free(&t.settings);
  ck_context_end();
  snprintf(command, sizeof command, "rm -rf '%s'", t.folder);
  cr_assert(chdir("/") == 0 && system(command) == 0);
}

TestSuite(follow_jump, .init = open_it, .fini = close_it, .timeout = 30);

/* Publishes a frame for (after, upto] that has the versions from first to upto, each a message. */
static void changes_from(struct ck_buf *b, uint64_t first, uint64_t request, uint64_t after,
                         uint64_t upto_version, uint64_t head) {
  struct ck_buf list = {0};
  struct ck_message m = {.kind = CK_MSG_CHANGES};
  ck_put_array(&list, (uint32_t)(upto_version + 1 - first));
  for (uint64_t v = first; v <= upto_version; ++v) {
    struct ck_row row = sh_row(
        CK_MESSAGES, "{'id':'m','platform':'p','role':'user','raw_text':'a','observed_at':1}");
    ck_change_encode(&list, v, &row);
  }
  m.as.changes =
      (struct ck_changes){request, CK_LIT(STORE_ID), after, upto_version, head, ck_buf_view(&list)};
  ck_buf_clear(b);
  ck_message_encode(b, &m);
  ck_buf_free(&list);
}

/* The versions in (after, upto]. */
static void changes(struct ck_buf *b, uint64_t request, uint64_t after, uint64_t upto_version,
                    uint64_t head) {
  changes_from(b, after + 1, request, after, upto_version, head);
}

/* Steps until the follower asks, and answers with everything it lacks up to `head`. */
static void answer_since(uint64_t expected_cursor, uint64_t head) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  zmq_msg_t peer, frame;
  int64_t end = ck_boot_ms() + 5000;
  for (; ck_recv2(t.snapshot, &peer, &frame); usleep(1000), ck_follow_step(t.follow))
    cr_assert_lt(ck_boot_ms(), end, "it does not ask");
  struct ck_str bytes = ck_frame(&frame);
  cr_assert_eq(ck_message_decode(&m, bytes.s, bytes.n, &err), 0, "%s", err.text);
  cr_assert_eq(m.kind, CK_MSG_SINCE);
  cr_assert_eq(m.as.since.after, expected_cursor);
  changes(&b, m.as.since.request, expected_cursor, head, head);
  cr_assert_eq(ck_send_to(t.snapshot, ck_frame(&peer), ck_buf_view(&b)), 0);
  zmq_msg_close(&peer);
  zmq_msg_close(&frame);
  ck_buf_free(&b);
  for (; ck_follow_cursor(t.follow) < head || !ck_follow_live(t.follow);
       usleep(1000), ck_follow_step(t.follow))
    cr_assert_lt(ck_boot_ms(), end, "at %llu", (unsigned long long)ck_follow_cursor(t.follow));
}

/* Publishes the frame, and steps until the follower has it or has noticed that something is
 * wrong. */
static void publish_bytes(struct ck_str frame, uint64_t upto_version) {
  zmq_msg_t subscription;
  while (ck_recv(t.feed, &subscription) == 0) zmq_msg_close(&subscription);
  cr_assert_eq(ck_send_topic(t.feed, CK_TOPIC_CHANGE, frame), 0);
  for (int i = 0; i < 200 && ck_follow_live(t.follow) && ck_follow_cursor(t.follow) < upto_version;
       ++i)
    usleep(1000), ck_follow_step(t.follow);
}

static void publish(uint64_t after, uint64_t upto_version) {
  struct ck_buf b = {0};
  changes(&b, 0, after, upto_version, upto_version);
  publish_bytes(ck_buf_view(&b), upto_version);
  ck_buf_free(&b);
}

static void live_at_3(void) {
  answer_since(0, 2);
  for (int i = 0; i < 20 && ck_follow_cursor(t.follow) < 3; ++i)
    publish(2, 3); /* the subscription had not arrived yet */
  cr_assert_eq(ck_follow_cursor(t.follow), 3);
}

Test(follow_jump, a_gap_is_asked_for_and_never_skipped) {
  live_at_3();
  publish(4, 6);
  cr_assert_eq(ck_follow_cursor(t.follow), 3, "it went over a jump");
  cr_assert(!ck_follow_live(t.follow));
  answer_since(3, 6);
  publish(1, 3);
  publish(3, 6);
  cr_assert_eq(ck_follow_cursor(t.follow), 6, "it went back");
  cr_assert_eq(t.n, 6);
  for (size_t i = 0; i < t.n; ++i) cr_assert_eq(t.versions[i], i + 1);
}

/* A frame that begins at the cursor, but has rows from before it. */
Test(follow_jump, no_change_is_given_twice) {
  struct ck_buf b = {0};
  live_at_3();
  changes_from(&b, 2, 0, 3, 5, 5);
  publish_bytes(ck_buf_view(&b), 5);
  cr_assert_eq(ck_follow_cursor(t.follow), 5);
  cr_assert_eq(t.n, 5, "%zu changes were given, not 5", t.n);
  for (size_t i = 0; i < t.n; ++i) cr_assert_eq(t.versions[i], i + 1);
  ck_buf_free(&b);
}

/* The third of three changes is broken: the first two must not be taken either. */
Test(follow_jump, a_broken_list_changes_nothing) {
  struct ck_buf b = {0};
  live_at_3();
  for (int after = 0; after < 2; ++after) {
    uint64_t at = ck_follow_cursor(t.follow);
    changes(&b, 0, at, at + 3, at + 3);
    if (after) ck_put_nil(&b);
    publish_bytes((struct ck_str){b.data, after ? b.len : b.len - 1}, at + 3);
    cr_assert(!ck_follow_live(t.follow) && ck_follow_cursor(t.follow) == at && t.n == at, "%s",
              after ? "a byte after it" : "cut short");
    answer_since(at, at + 1);
  }
  ck_buf_free(&b);
}
