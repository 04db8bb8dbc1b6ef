/* HELD from the batches of a pipeline (held.h). */
#include "syncd/held.h"

#include "proto/clock.h"

static void put_lease(struct ck_buf *b, const struct sync_batch *batch) {
  ck_lease_encode(b, &(struct ck_lease){batch->generation, batch->after, batch->upto});
}

void sync_held_list(struct ck_buf *b, const struct sync_pipeline *p) {
  uint32_t n = 0;
  size_t opened = ck_open_array(b);
  for (const struct sync_batch *batch = p->first; batch; batch = batch->next, ++n)
    put_lease(b, batch);
  ck_close_array(b, opened, n);
}

static void put_returned(struct ck_buf *b, const struct sync_pipeline *p, bool postponed) {
  uint32_t n = 0;
  size_t opened = ck_open_array(b);
  for (const struct sync_batch *batch = p->returned; batch; batch = batch->next) {
    if (batch->postponed != postponed) continue;
    put_lease(b, batch);
    ++n;
  }
  ck_close_array(b, opened, n);
}

void sync_held_encode(struct ck_buf *frame, const struct sync_pipeline *p, const char *worker,
                      const char *sink) {
  struct ck_buf held = {0}, returned = {0}, postponed = {0};
  struct ck_message m = {.kind = CK_MSG_HELD};
  sync_held_list(&held, p);
  put_returned(&returned, p, false);
  put_returned(&postponed, p, true);
  m.as.held = (struct ck_held){.worker = ck_str_of(worker),
                               .sink = ck_str_of(sink),
                               .held = ck_buf_view(&held),
                               .returned = ck_buf_view(&returned),
                               .postponed = ck_buf_view(&postponed),
                               .postpones = p->postpones,
                               .foreign_keys = p->foreign_keys};
  ck_message_encode(frame, &m);
  ck_buf_free(&held);
  ck_buf_free(&returned);
  ck_buf_free(&postponed);
}

void sync_held_said(struct sync_pipeline *p) {
  for (struct sync_batch *batch; (batch = sync_pipeline_returned(p));) sync_pipeline_drop(batch);
}

void sync_paused_list(struct ck_buf *b, const struct sync_pipeline *p) {
  uint32_t n = 0;
  size_t opened = ck_open_array(b);
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    if (!p->table_again[t]) continue;
    ck_put_text(b, ck_tables[t].name);
    ++n;
  }
  ck_close_array(b, opened, n);
}

void sync_hold_pair(struct ck_map *m, const struct sync_hold *h) {
  int64_t left = h->until - ck_boot_ms();
  if (left <= 0) {
    ck_pair_nil(m, "hold");
    return;
  }
  struct ck_map hold = ck_pair_map(m, "hold");
  ck_pair_text(&hold, "class", sync_class_name(h->class));
  ck_pair_text(&hold, "reason", h->reason);
  ck_pair_int(&hold, "until", ck_now_ms() + left);
  ck_map_close(&hold);
}
