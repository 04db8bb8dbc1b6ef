/* Queries to a store that the test plays: answers that are lost, and how many are out at once. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/doors.h"
#include "proto/folder.h"
#include "renewd/query.h"

#define MANY 600

static struct {
  struct ck_settings *settings;
  void *door;
  struct renew_queries *queries;
  char folder[64];
  unsigned asked, answered; /* by the store; to us */
  uint64_t last;            /* the request that was asked last */
} t;

static void begin(void) {
  struct ck_err err = {{0}};
  memset(&t, 0, sizeof t);
  strcpy(t.folder, "/tmp/convkeep-unit.XXXXXX");
  cr_assert(mkdtemp(t.folder));
  cr_assert_eq(ck_data_enter(t.folder, &err), 0, "%s", err.text);
  cr_assert(t.settings = ck_settings_load("convkeep.conf", &err), "%s", err.text);
  cr_assert(t.door = ck_door_bind(t.settings, CK_DOOR_SNAPSHOT, &err), "%s", err.text);
  cr_assert(t.queries = renew_queries_new(t.settings, &err), "%s", err.text);
}

static void end(void) {
  char command[100];
  renew_queries_free(&t.queries);
  ck_door_close(&t.door, 0);
  ck_settings_free(&t.settings);
  ck_context_end();
  snprintf(command, sizeof command, "rm -rf '%s'", t.folder);
  cr_assert(chdir("/") == 0 && system(command) == 0);
}

TestSuite(renewd_query, .init = begin, .fini = end, .timeout = 30);

static void take(void *self, const struct renew_reply *reply) {
  (void)self;
  cr_expect_null(reply->problem);
  ++t.answered;
}

static void decide(void *self, const char *problem) {
  (void)self;
  cr_expect_null(problem);
}

static void query_all(unsigned n) {
  const struct renew_query query = {.table = "renewal_jobs", .take = take};
  for (unsigned i = 0; i < n; ++i) renew_query_all(t.queries, &query, 1, decide, NULL, NULL);
}

static void answer(struct ck_str peer, uint64_t request) {
  struct ck_buf b = {0}, rows = {0};
  ck_put_array(&rows, 0);
  struct ck_message m = {.kind = CK_MSG_ROWS, .as.rows = {request, 1, ck_buf_view(&rows), {0}}};
  ck_message_encode(&b, &m);
  cr_assert_eq(ck_send_to(t.door, peer, ck_buf_view(&b)), 0);
  ck_buf_free(&b);
  ck_buf_free(&rows);
}

/* The store takes what has come, and answers it, but for the first `lost`. */
static void serve(unsigned *lost) {
  zmq_msg_t peer, frame;
  struct ck_message m;
  struct ck_err err;
  while (ck_recv2(t.door, &peer, &frame) == 0) {
    struct ck_str bytes = ck_frame(&frame);
    cr_assert_eq(ck_message_decode(&m, bytes.s, bytes.n, &err), 0, "%s", err.text);
    ++t.asked;
    t.last = m.as.query.request;
    if (*lost)
      --*lost;
    else
      answer(ck_frame(&peer), m.as.query.request);
    zmq_msg_close(&peer);
    zmq_msg_close(&frame);
  }
}

static void await(unsigned answered, unsigned lost) {
  for (int64_t began = ck_boot_ms(); t.answered < answered; usleep(500)) {
    cr_assert_lt(ck_boot_ms() - began, 20000, "%u of %u were answered", t.answered, answered);
    renew_queries_step(t.queries);
    serve(&lost);
  }
}

/* Although others are answered meanwhile, and long before anything is sent again for silence. */
Test(renewd_query, one_whose_answer_is_lost_is_asked_again) {
  query_all(5);
  int64_t began = ck_boot_ms();
  await(5, 2);
  cr_expect_eq(t.asked, 7);
  cr_expect_lt(ck_boot_ms() - began, 900, "it was asked again only after a silence");
}

Test(renewd_query, all_are_asked_again_after_a_silence) {
  query_all(3);
  await(3, 3);
  cr_expect_eq(t.asked, 6);
}

/* Without answers no more are sent than the store can answer. */
Test(renewd_query, no_more_are_out_than_the_store_can_answer) {
  unsigned lost = MANY;
  query_all(MANY);
  for (int64_t began = ck_boot_ms(); ck_boot_ms() - began < 300; usleep(500)) {
    renew_queries_step(t.queries);
    serve(&lost);
  }
  cr_expect_eq(t.asked, 256);
  await(MANY, 0);
}
