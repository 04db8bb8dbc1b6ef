/* See foreign_send.h. */
#include "cli/import/foreign_send.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "cli/import/send.h"
#include "cli/task.h"
#include "proto/clock.h"
#include "proto/places.h"
#include "proto/push.h"
#include "proto/quarantine.h"

#define WINDOW 512             /* changesets without a receipt */
#define WINDOW_BYTES (4 << 20) /* of all of them, before more are sent */
#define PATIENCE_MS 60000      /* without a receipt */
#define FAILURES_MAX 100       /* that are shown; all are counted */

/* A changeset without a receipt, in the order in which they were sent. */
struct sent {
  struct sent *next;
  enum ck_table table;
  char place[FOREIGN_PLACE];
  size_t n;
  char mutations[];
};

struct foreign_sender {
  struct cli *c;
  struct ck_memory_unacked *unacked;
  struct ck_unacked ops;
  struct ck_push *push;
  struct ck_quarantine refused;
  struct sent *head, **tail;
  size_t bytes; /* of all of them */
  const char *file;
  struct cli_foreign_result *into;
  struct ck_buf mutations, line;
  int64_t progress_at; /* boot clock: the last receipt */
  uint64_t stored;
  int fault; /* CLI_GO_ON, or the exit code */
};

/* ---- what does not go in ---- */

static void keep_line(struct foreign_sender *s, const char *place, const char *reason,
                      struct ck_str raw, const char *raw_name) {
  struct ck_buf *b = &s->line;
  ck_buf_clear(b);
  ck_buf_printf(b, "{\"at\":%lld", (long long)ck_now_ms());
  const char *const members[][2] = {{"from", s->file}, {"place", place}, {"reason", reason}};
  for (size_t i = 0; i < sizeof members / sizeof *members; ++i) {
    struct ck_str text = ck_str_of(members[i][1]);
    ck_buf_printf(b, ",\"%s\":", members[i][0]);
    ck_buf_json_str(b, ck_utf8_ok(text) ? text : CK_LIT("(not UTF-8)"));
  }
  if (raw.n) {
    ck_buf_printf(b, ",\"%s\":", raw_name);
    ck_buf_str(b, raw);
  }
  ck_buf_text(b, "}");
  ck_quarantine_add(&s->refused, ck_buf_view(b));
}

static void count_failure(struct foreign_sender *s, enum ck_table table, const char *place,
                          const char *reason) {
  ++s->into->tables[table].failed;
  ++s->into->failed;
  if (json_array_size(s->into->failures) < FAILURES_MAX)
    json_array_append_new(s->into->failures,
                          json_pack("{s:s, s:s}", "place", place, "reason", reason));
}

void foreign_sender_refuse(struct foreign_sender *s, enum ck_table table, const char *place,
                           const char *reason, struct ck_str raw) {
  count_failure(s, table, place, reason);
  keep_line(s, place, reason, raw, "row");
}

static void refused_by_store(struct foreign_sender *s, const struct sent *one, const char *reason) {
  struct ck_reader r = ck_reader_of((struct ck_str){one->mutations, one->n});
  struct ck_buf json = {0};
  count_failure(s, one->table, one->place, reason);
  ck_read_json(&r, &json);
  keep_line(s, one->place, reason, ck_buf_view(&json), "mutations");
  ck_buf_free(&json);
}

/* ---- receipts ---- */

static void receipted(void *self, uint64_t number, char result, struct ck_str reason) {
  struct foreign_sender *s = self;
  struct sent *one = s->head;
  (void)number;
  if (!one) return;
  struct cli_foreign_counts *counts = &s->into->tables[one->table];
  if (result == 'r') {
    char *text = ck_str_dup(reason);
    refused_by_store(s, one, text);
    free(text);
  } else {
    ++*(result == 'n' ? &counts->added : result == 'u' ? &counts->updated : &counts->unchanged);
  }
  s->head = one->next;
  if (!s->head) s->tail = &s->head;
  s->bytes -= one->n;
  free(one);
  ++s->stored;
  s->progress_at = ck_boot_ms();
}

/* ---- sending ---- */

struct foreign_sender *foreign_sender_new(struct cli *c, struct ck_err *err) {
  struct foreign_sender *s = ck_zalloc(sizeof *s);
  char producer[96];
  s->c = c;
  s->tail = &s->head;
  s->fault = CLI_GO_ON;
  s->unacked = ck_memory_unacked_new(receipted, s);
  s->ops = ck_memory_unacked_ops(s->unacked);
  ck_quarantine_init(&s->refused, CK_PLACE_REFUSED, CK_QUARANTINE_MAX);
  if (ck_producer_slot("cli", producer, err) == 0)
    s->push = ck_push_new(c->settings, producer, &s->ops, WINDOW, err);
  if (!s->push) foreign_sender_free(&s);
  return s;
}

void foreign_sender_free(struct foreign_sender **sender) {
  struct foreign_sender *s = *sender;
  if (!s) return;
  while (s->head) {
    struct sent *next = s->head->next;
    free(s->head);
    s->head = next;
  }
  ck_push_free(&s->push);
  ck_memory_unacked_free(&s->unacked);
  ck_quarantine_free(&s->refused);
  ck_buf_free(&s->mutations);
  ck_buf_free(&s->line);
  free(s);
  *sender = NULL;
}

static void show_progress(const struct foreign_sender *s) {
  if (!cli_progress_due()) return;
  struct ck_buf text = {0};
  ck_buf_text(&text, "  ");
  ck_buf_count(&text, s->stored);
  ck_buf_text(&text, ck_noun(s->stored, " row", " rows"));
  cli_progress_line(s->file, ck_buf_view(&text));
  ck_buf_free(&text);
}

void foreign_sender_begin(struct foreign_sender *s, const char *file,
                          struct cli_foreign_result *into) {
  s->file = file;
  s->into = into;
  s->stored = 0;
  s->progress_at = ck_boot_ms();
}

static int give_up(struct foreign_sender *s, int code, const char *why) {
  cli_progress_clear();
  cli_fail(s->c, (enum cli_exit)code, s->file, "%s; %llu %s stored; import it again for the rest",
           why, (unsigned long long)s->stored, ck_noun(s->stored, "row is", "rows are"));
  s->fault = code;
  return -1;
}

int foreign_sender_step(struct foreign_sender *s) {
  if (s->fault != CLI_GO_ON) return -1;
  if (cli_interrupted()) return give_up(s, CLI_FAILED, "interrupted");
  if (s->c->client->ring) cli_ring_step(s->c->client->ring);
  ck_push_step(s->push);
  show_progress(s);
  if (ck_push_usurped(s->push))
    return give_up(s, CLI_FAILED, "another process uses this command's producer id");
  if (s->head && ck_boot_ms() - s->progress_at > PATIENCE_MS)
    return give_up(s, CLI_NOBODY, "no receipt from the store for a minute; see logs/store.log");
  return 0;
}

static int wait_for_room(struct foreign_sender *s, size_t window, size_t bytes) {
  while (ck_memory_unacked_pending(s->unacked) > window || s->bytes > bytes) {
    zmq_pollitem_t items[2];
    int wait = ck_push_step(s->push);
    if (foreign_sender_step(s)) return -1;
    if (ck_memory_unacked_pending(s->unacked) <= window && s->bytes <= bytes) break;
    int n = ck_push_items(s->push, items);
    zmq_poll(items, n, wait < 0 || wait > 200 ? 200 : wait);
  }
  return 0;
}

int foreign_sender_row(struct foreign_sender *s, const struct foreign_row *row, const char *place) {
  struct ck_buf encoded = {0};
  if (wait_for_room(s, WINDOW - 1, WINDOW_BYTES)) return -1;
  ck_row_encode(&encoded, &row->row);
  struct ck_mutation m = {.kind = CK_OP_ADOPT};
  m.as.adopt = (struct ck_adopt){ck_str_of(ck_tables[row->row.table].name), ck_buf_view(&encoded),
                                 row->age, row->platform, row->remote};
  ck_buf_clear(&s->mutations);
  ck_put_array(&s->mutations, 1);
  ck_mutation_encode(&s->mutations, &m);
  ck_buf_free(&encoded);
  struct sent *one = ck_alloc(sizeof *one + s->mutations.len);
  *one = (struct sent){.table = row->row.table, .n = s->mutations.len};
  snprintf(one->place, sizeof one->place, "%s", place);
  memcpy(one->mutations, s->mutations.data, one->n);
  if (!s->head) s->progress_at = ck_boot_ms();
  *s->tail = one;
  s->tail = &one->next;
  s->bytes += one->n;
  ck_memory_unacked_add(s->unacked, ck_buf_view(&s->mutations));
  return foreign_sender_step(s);
}

int foreign_sender_finish(struct foreign_sender *s) {
  int rc = wait_for_room(s, 0, 0);
  cli_progress_clear();
  return rc;
}

int foreign_sender_fault(const struct foreign_sender *s) { return s->fault; }
