/* Any bytes as a frame from a socket: the message, the rows in it, if its kind has some, and the
 * leases that a worker names in HELD. */
#include "proto/originals.h"
#include "proto/wire.h"
#include "store/mirror/held.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is decoded can be encoded, and decodes to the same. */
static void refusals(struct ck_str list, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_refusal one, back;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count && ck_refusal_decode(&r, &one, err) == 0; count--) {
    struct ck_buf b = {0};
    ck_refusal_encode(&b, &one);
    struct ck_reader again = ck_reader_of(ck_buf_view(&b));
    if (ck_refusal_decode(&again, &back, err) || back.number != one.number ||
        !ck_str_eq(back.reason, one.reason))
      abort();
    ck_buf_free(&b);
  }
}

static void counts(struct ck_str list, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_counts one, back;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count && ck_counts_decode(&r, &one, err) == 0; count--) {
    struct ck_buf b = {0};
    ck_counts_encode(&b, &one);
    struct ck_reader again = ck_reader_of(ck_buf_view(&b));
    if (ck_counts_decode(&again, &back, err) || back.number != one.number ||
        back.added != one.added || back.updated != one.updated || back.unchanged != one.unchanged)
      abort();
    ck_buf_free(&b);
  }
}

static void claims(struct ck_str list, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_claimed one, back;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count && ck_claimed_decode(&r, &one, err) == 0; count--) {
    struct ck_buf b = {0};
    ck_claimed_encode(&b, &one);
    struct ck_reader again = ck_reader_of(ck_buf_view(&b));
    if (ck_claimed_decode(&again, &back, err) || back.number != one.number ||
        back.attempt != one.attempt || !ck_str_eq(back.payload, one.payload) ||
        !ck_str_eq(back.last_message_id, one.last_message_id))
      abort();
    ck_buf_free(&b);
  }
}

static void failures(struct ck_str list, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_failure one, back;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count && ck_failure_decode(&r, &one, err) == 0; count--) {
    struct ck_buf b = {0};
    ck_failure_encode(&b, &one);
    struct ck_reader again = ck_reader_of(ck_buf_view(&b));
    if (ck_failure_decode(&again, &back, err) || !ck_str_eq(back.place, one.place) ||
        !ck_str_eq(back.reason, one.reason))
      abort();
    ck_buf_free(&b);
  }
}

static void dead_letters(struct ck_str list, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_dead_letter one, back;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count && ck_dead_letter_decode(&r, &one, err) == 0; count--) {
    struct ck_buf b = {0};
    ck_dead_letter_encode(&b, &one);
    struct ck_reader again = ck_reader_of(ck_buf_view(&b));
    if (ck_dead_letter_decode(&again, &back, err) || back.table != one.table ||
        back.version != one.version || !ck_str_eq(back.key, one.key) ||
        !ck_str_eq(back.reason, one.reason))
      abort();
    ck_buf_free(&b);
  }
}

static void originals(struct ck_str list, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_original one, back;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count && ck_original_decode(&r, &one, err) == 0; count--) {
    struct ck_buf b = {0};
    ck_original_encode(&b, &one);
    struct ck_reader again = ck_reader_of(ck_buf_view(&b));
    if (ck_original_decode(&again, &back, err) || !ck_str_eq(back.id, one.id) ||
        back.at != one.at || back.bytes != one.bytes || back.age != one.age ||
        !ck_str_eq(back.conversation, one.conversation) || back.executions != one.executions)
      abort();
    ck_buf_free(&b);
  }
}

static void kept(struct ck_str list, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_kept one, back;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count && ck_kept_decode(&r, &one, err) == 0; count--) {
    struct ck_buf b = {0};
    ck_kept_encode(&b, &one);
    struct ck_reader again = ck_reader_of(ck_buf_view(&b));
    if (ck_kept_decode(&again, &back, err) || back.state != one.state ||
        back.messages != one.messages || back.executions != one.executions || back.age != one.age)
      abort();
    ck_buf_free(&b);
  }
}

/* What passes fits its place in the file. */
static void attachment(const struct ck_attachment *m, struct ck_err *err) {
  struct ck_str data = {0};
  bool here;
  if (ck_attachment_check(m, &data, &here, err) || here) return;
  if (m->part >= ck_attachment_parts(m->bytes) || data.n > CK_ATTACHMENT_PART ||
      m->part * CK_ATTACHMENT_PART + data.n > m->bytes)
    abort();
}

static void a_row(struct ck_str table, struct ck_str packed, struct ck_arena *arena,
                  struct ck_err *err) {
  enum ck_table t = ck_table_named(table);
  struct ck_row row;
  struct ck_buf b = {0};
  if (t == CK_TABLES || ck_row_decode(&row, t, packed, arena, err)) return;
  ck_row_json(&b, &row);
  if (!ck_utf8_ok(ck_buf_view(&b))) abort();
  ck_buf_free(&b);
}

static void rows(struct ck_str mutations, struct ck_arena *arena, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(mutations);
  struct ck_mutation m;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count; count--) {
    if (ck_mutation_decode(&m, &r, err)) return;
    if (m.kind == CK_OP_SYNCED) dead_letters(m.as.synced.dead, err);
    if (m.kind == CK_OP_BLOCK) originals(m.as.block.originals, err);
    if (m.kind == CK_OP_ATTACHMENT) attachment(&m.as.attachment, err);
    if (m.kind == CK_OP_PUT) a_row(m.as.put.table, m.as.put.row, arena, err);
    if (m.kind == CK_OP_COPY) a_row(CK_LIT("messages"), m.as.copy.row, arena, err);
    if (m.kind == CK_OP_UPDATE) a_row(m.as.update.table, m.as.update.row, arena, err);
    if (m.kind == CK_OP_ADOPT) a_row(m.as.adopt.table, m.as.adopt.row, arena, err);
  }
}

static void changes(struct ck_str array, struct ck_arena *arena, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(array);
  struct ck_row row, back;
  uint64_t version;
  uint32_t count;
  if (ck_read_array(&r, &count)) return;
  for (; count && ck_change_decode(&r, &version, &row, arena, err) == 0; count--) {
    struct ck_buf b = {0};
    ck_row_encode(&b, &row);
    if (ck_row_decode(&back, row.table, ck_buf_view(&b), arena, err)) abort();
    for (int c = 0; c < CK_COLUMNS_MAX; c++)
      if (!ck_value_eq(row.v[c], back.v[c])) abort();
    ck_buf_free(&b);
  }
}

/* Leases that there are, and what somebody says of them. What is refused has changed nothing. */
static void held(const struct ck_held *said, struct ck_err *err) {
  struct leases *l = leases_new(0, 0);
  struct held h = {0};
  size_t before, after;
  for (uint64_t v = 1; v <= 8; v++) leases_grant(l, 10 * (v - 1), 10 * v, 0);
  leases_next(l, &before);
  int rc = held_take(&h, said, l, 5000, err);
  leases_next(l, &after);
  if (rc && (after != before || h.parents || h.postpones_at)) abort();
  if (leases_cursor(l) != 0) abort();
  leases_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct ck_message m, back;
  struct ck_err err;
  struct ck_arena arena = {0};
  if (ck_message_decode(&m, data, n, &err)) return 0;
  /* A decoded message can be encoded, and decodes to the same message. */
  struct ck_buf b = {0}, again = {0};
  ck_message_encode(&b, &m);
  if (ck_message_decode(&back, b.data, b.len, &err) || back.kind != m.kind) abort();
  ck_message_encode(&again, &back);
  if (!ck_str_eq(ck_buf_view(&b), ck_buf_view(&again))) abort();
  if (m.kind == CK_MSG_CHANGESET) rows(m.as.changeset.mutations, &arena, &err);
  if (m.kind == CK_MSG_ATTACH) rows(m.as.attach.attachments, &arena, &err);
  if (m.kind == CK_MSG_CHANGES) changes(m.as.changes.changes, &arena, &err);
  if (m.kind == CK_MSG_HELD) held(&m.as.held, &err);
  if (m.kind == CK_MSG_RECEIPT) refusals(m.as.receipt.refused, &err);
  if (m.kind == CK_MSG_WELCOME) refusals(m.as.welcome.refused, &err);
  if (m.kind == CK_MSG_RECEIPT) counts(m.as.receipt.counts, &err);
  if (m.kind == CK_MSG_RECEIPT) claims(m.as.receipt.claims, &err);
  if (m.kind == CK_MSG_WELCOME) counts(m.as.welcome.counts, &err);
  if (m.kind == CK_MSG_IMPORTED) failures(m.as.imported.failures, &err);
  if (m.kind == CK_MSG_HAD) kept(m.as.had.had, &err);
  if (m.kind == CK_MSG_BATCH) changes(m.as.batch.changes, &arena, &err);
  ck_arena_free(&arena);
  ck_buf_free(&b);
  ck_buf_free(&again);
  return 0;
}
