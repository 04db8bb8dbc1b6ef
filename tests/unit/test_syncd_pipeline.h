/* Shared by the tests of the pipeline: adding batches, a sink that answers each slice as `judge`
 * says, and a clock. */
#ifndef TEST_SYNCD_PIPELINE_H
#define TEST_SYNCD_PIPELINE_H

#include <criterion/criterion.h>

#include "syncd/batches/pipeline.h"
#include "tests/unit/test_syncd_help.h"

#define MAX_BACKOFF 30000
#define TODAY 3600000

static const struct sync_limits limits = {
    .text = 2000000, .row = 2000000, .param = 1900000, .json = true};
static struct sync_pipeline pipeline;
static int64_t now;
static unsigned requests;
static bool parent_is_there;

static inline void setup(void) {
  sync_pipeline_init(&pipeline, &limits, MAX_BACKOFF, 42);
  now = 1000000;
  requests = 0;
}

static inline void teardown(void) { sync_pipeline_free(&pipeline); }

/* ---- what goes in ---- */

static inline void give_batch(struct help_batch *h, uint64_t generation, uint64_t after,
                              uint64_t upto) {
  struct sync_batch b;
  struct ck_buf frame = {0};
  struct ck_err err = {{0}};
  ck_buf_str(&frame, help_close(h, "d1", generation, after, upto));
  cr_assert_eq(sync_batch_decode(&b, ck_buf_view(&frame), &err), 0, "%s", err.text);
  sync_pipeline_add(&pipeline, &b, &frame, now);
  help_free(h);
}

static inline void give_messages(uint64_t first, size_t n) {
  struct help_batch h;
  struct sync_batch b;
  struct ck_buf frame = {0};
  help_messages(&h, &b, first, n);
  sync_batch_free(&b);
  ck_buf_str(&frame, ck_buf_view(&h.frame));
  help_free(&h);
  cr_assert_eq(sync_batch_decode(&b, ck_buf_view(&frame), NULL), 0);
  sync_pipeline_add(&pipeline, &b, &frame, now);
}

/* ---- a sink that answers each slice as `judge` says, until nothing is left, or until a time
 * ---- */

typedef struct sync_answer judge(struct sync_slice *s);

static inline struct sync_answer is(enum sync_class class, const char *text) {
  struct sync_answer a = {0};
  sync_answer_text(&a, class, text);
  return a;
}

static inline struct sync_answer all_well(struct sync_slice *s) {
  (void)s;
  return is(SYNC_DONE, "");
}

/* Sends one request; false if there is nothing to send now. */
static inline bool once(judge *how) {
  struct sync_slice *s = sync_pipeline_pick(&pipeline, now);
  if (!s) return false;
  ++requests;
  struct sync_answer a = how(s);
  sync_pipeline_answer(&pipeline, &a, now, TODAY);
  return true;
}

/* Leases what was returned again at once; returns how many. */
static inline unsigned lease_again(void) {
  unsigned n = 0;
  for (struct sync_batch *batch; (batch = sync_pipeline_returned(&pipeline)); ++n) {
    struct sync_batch b;
    struct ck_buf frame = {0};
    ck_buf_str(&frame, ck_buf_view(&batch->frame));
    cr_assert_eq(sync_batch_decode(&b, ck_buf_view(&frame), NULL), 0);
    sync_pipeline_add(&pipeline, &b, &frame, now);
    sync_pipeline_drop(batch);
  }
  return n;
}

static inline struct sync_batch *run(judge *how, int64_t until) {
  for (;;) {
    struct sync_batch *batch = sync_pipeline_answered(&pipeline);
    if (batch) return batch;
    lease_again();
    if (once(how)) continue;
    int64_t wake = sync_pipeline_wake(&pipeline);
    if (wake > until) return NULL;
    now = wake;
  }
}

static inline bool has_key(const struct sync_slice *s, const char *key) {
  for (size_t i = 0; i < s->n; ++i)
    if (ck_str_is(ck_row_key(&s->rows[i]->row), key)) return true;
  return false;
}

/* A sink with foreign keys; the execution e points to a message that comes later. */
static inline struct sync_answer foreign_keys(struct sync_slice *s) {
  bool early = has_key(s, "e") && !parent_is_there && !has_key(s, "parent");
  parent_is_there |= has_key(s, "parent");
  if (!early) return is(SYNC_DONE, "");
  if (s->caution != CK_CAUTION_PARENTS) return is(SYNC_EARLY, "FOREIGN KEY constraint failed");
  for (size_t i = 0; i < s->n; ++i)
    if (ck_str_is(ck_row_key(&s->rows[i]->row), "e"))
      sync_row_mark(s->rows[i], SYNC_ROW_EARLY, "FOREIGN KEY");
  return is(SYNC_DONE, "");
}

static inline void give_child(uint64_t first) {
  struct help_batch h;
  struct ck_row child = help_row(CK_EXECUTIONS, "e"), other = help_row(CK_EXECUTIONS, "other");
  help_open(&h);
  help_add(&h, first, &child);
  help_add(&h, first + 1, &other);
  give_batch(&h, first, first - 1, first + 1);
}

static inline void give_parent(uint64_t version) {
  struct help_batch h;
  struct ck_row parent = help_row(CK_MESSAGES, "parent");
  help_open(&h);
  help_add(&h, version, &parent);
  give_batch(&h, version, version - 1, version);
}

#endif
