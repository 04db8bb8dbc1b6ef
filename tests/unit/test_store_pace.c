/* What is made from the database waits while more comes than it could keep up with; also the thread
 * that leases batches of it. That of the files is in test_store_artifacts.c. */
#include "store/pace.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/wire.h"
#include "store/database/db.h"
#include "tests/unit/test_store_help.h"
#include "store/mirror/mirrors.h"
#include "store/mirror/work.h"

#define START 1000000

/* So many a second in equal commits of `each`, for `ms`; how many ms of them a piece waited. */
static int64_t waited(int64_t a_second, int64_t each, int64_t ms) {
  struct pace pace = {0};
  int64_t waits = 0, sent = 0;
  for (int64_t now = START; now < START + ms; ++now) {
    for (; sent < a_second * (now - START) / 1000; sent += each)
      pace_commit(&pace, (size_t)each, now);
    waits += pace_next(&pace, START) > now;
  }
  return waits;
}

Test(pace, nothing_waits_for_what_can_be_kept_up_with) {
  cr_expect_eq(waited(200, 1, 10000), 0);
  cr_expect_eq(waited(2000, 1, 10000), 0);
  cr_expect_eq(waited(2000, 200, 10000), 0, "a commit that took 100 ms");
  cr_expect_eq(waited(4000, 40, 10000), 0);
}

Test(pace, a_piece_a_second_is_made_of_what_cannot) {
  int64_t waits = waited(40000, 400, 10000);
  cr_expect(waits > 900 && waits <= PACE_APART, "%lld ms", (long long)waits);
}

Test(pace, it_is_over_soon_after_the_last) {
  struct pace pace = {0};
  cr_expect_leq(pace_next(&pace, START), START, "nothing has come");
  for (int64_t now = START; now < START + 500; now += 10) pace_commit(&pace, 1000, now);
  int64_t last = START + 490;
  cr_expect_gt(pace_next(&pace, last), last);
  cr_expect_leq(pace_next(&pace, last), last + PACE_BURST);
  cr_expect_eq(pace_next(&pace, last - PACE_APART), last, "never longer than this");
}

Test(pace, a_piece_that_can_be_cut_ends_sooner) {
  struct pace pace = {0};
  cr_expect_not(pace_enough(&pace, START, START + PACE_PIECE));
  pace_commit(&pace, 10000, START);
  cr_expect_not(pace_enough(&pace, START, START + PACE_PIECE - 1));
  cr_expect(pace_enough(&pace, START, START + PACE_PIECE));
  cr_expect_not(pace_enough(&pace, START, START + PACE_BURST), "nothing presses any more");
}

/* ---- batches ---- */

static char folder[64];
static struct context context;
static sqlite3 *db;
static struct ck_settings *settings;
static struct work *work;
static void *worker;

static void enter(void) {
  struct ck_err err = {{0}};
  sh_thread_open(folder, &db, &context);
  cr_assert_eq(mkdir("run", 0700), 0);
  cr_assert_not_null(settings = ck_settings_load(NULL, &err), "%s", err.text);
  ck_settings_flag(settings, "sync.sinks", "null", &err);
  cr_assert_not_null(context.mirrors = mirrors_open(db, settings, 0, &err), "%s", err.text);
  cr_assert_not_null(work = work_start(&context, &err), "%s", err.text);
  cr_assert_not_null(worker = ck_door_connect(context.settings, CK_DOOR_WORK, &err), "%s",
                     err.text);
}

static void leave(void) {
  atomic_store(&context.stop, true);
  context_wake(&context);
  work_stop(&work);
  ck_door_close(&worker, 0);
  mirrors_free(&context.mirrors);
  ck_settings_free(&settings);
  sh_thread_close(folder, &db, &context);
}

TestSuite(pace_work, .init = enter, .fini = leave, .timeout = 30);

static void put_session(unsigned version) {
  struct ck_err err;
  char *sql = ck_sprintf(
      "INSERT INTO sessions (version, id, platform, started_at, last_activity_at, message_count,"
      " execution_count, static_path, created_at) VALUES (%u, 's%u', 'x', 0, 0, 0, 0, 'p', 0)",
      version, version);
  cr_assert_eq(db_exec(db, sql, &err), 0, "%s", err.text);
  free(sql);
  atomic_store(&context.head, version);
  context_wake_one(&context, WAKE_WORK);
}

static void demand(uint64_t batches) {
  struct ck_message m = {.kind = CK_MSG_DEMAND};
  struct ck_buf b = {0};
  m.as.demand = (struct ck_demand){
      .request = 1, .worker = CK_LIT("w"), .sink = CK_LIT("null"), .batches = batches};
  ck_message_encode(&b, &m);
  cr_assert_eq(ck_send(worker, ck_buf_view(&b)), 0);
  ck_buf_free(&b);
}

/* The version up to which the next batch goes. */
static uint64_t batch(void) {
  zmq_pollitem_t item = {worker, 0, ZMQ_POLLIN, 0};
  struct ck_message m;
  struct ck_err err;
  zmq_msg_t frame;
  cr_assert_eq(zmq_poll(&item, 1, 20000), 1, "no batch");
  cr_assert_eq(ck_recv(worker, &frame), 0);
  cr_assert_eq(ck_message_decode(&m, zmq_msg_data(&frame), zmq_msg_size(&frame), &err), 0);
  cr_assert_eq(m.kind, CK_MSG_BATCH);
  uint64_t upto = m.as.batch.upto;
  zmq_msg_close(&frame);
  return upto;
}

Test(pace_work, a_batch_a_second_is_leased_while_more_comes) {
  int64_t began = ck_boot_ms();
  atomic_store(&context.pace.pressed_until, (began + 3600000) * 1000);
  demand(8);
  put_session(1);
  cr_expect_eq(batch(), 1);
  put_session(2);
  put_session(3);
  cr_expect_eq(batch(), 3, "of all that has come");
  cr_expect_geq(ck_boot_ms(), began + PACE_APART);
  atomic_store(&context.pace.pressed_until, 0);
  put_session(4);
  cr_expect_eq(batch(), 4);
  cr_expect_lt(ck_boot_ms(), began + 3600000);
}
