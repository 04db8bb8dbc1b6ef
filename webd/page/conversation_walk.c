/* The page at /c/ID: messages, batch by batch, as fast as they are read; see conversation.h. */
#include "webd/page/conversation.h"

#include <stdlib.h>

#include "proto/map.h"

#define BATCH_FIRST 20 /* of a screen; then more */
#define BATCH_MOST 200
/* The rest of a page would take the processors from what shows its first screen, if it is long. */
#define REST_MS 60
#define REST_ABOVE 200 /* messages */
#define ROWS_MOST 1000

static const struct ck_step *step_at(const struct page_reading *p, size_t i) {
  return &p->steps[p->way[p->at + i]];
}

/* ---- what is written goes out as there is room ---- */

static void ask_bodies(struct page_reading *p);

static void put_out(struct page_reading *p) {
  size_t room = web_stream_room(p->stream), n = p->out.len - p->sent;
  if (n > room) n = room;
  web_stream_put(p->stream, (struct ck_str){p->out.data + p->sent, n});
  p->sent += n;
  if (p->sent < p->out.len) return;
  ck_buf_clear(&p->out);
  p->sent = 0;
}

/* Goes on where it stands; it may be gone afterwards. */
static void step(struct page_reading *p) {
  if (p->out.len) put_out(p);
  if (p->out.len || p->asking) return;
  if (!p->ended) {
    ask_bodies(p);
    return;
  }
  web_stream_end(p->stream);
  page_reading_free(p);
}

static void more(void *self) { step(self); }

static void rest(struct page_reading *p) {
  web_stream_rest(p->stream, REST_MS);
  put_out(p);
}

static void end(struct page_reading *p, const char *why) {
  page_reading_end(p, why);
  p->ended = true;
  step(p);
}

/* Nobody reads it any more. */
static void gone(void *self) {
  struct page_reading *p = self;
  p->gone = true;
  if (!p->asking) page_reading_free(p);
}

/* ---- asking ---- */

static void ask(struct page_reading *p, const char *table, struct ck_buf *filters, unsigned limit,
                web_heard *heard) {
  const struct ck_query query = {.table = ck_str_of(table),
                                 .filters = ck_buf_view(filters),
                                 .limit = limit,
                                 .cursor = p->cursor};
  p->asking = page_ask(p->w, NULL, &query, heard, p);
  ck_buf_free(filters);
  if (!p->asking) end(p, "the question is too long for the store");
}

/* The rows of the answer. False: the page ends, or is gone. */
static bool heard_rows(struct page_reading *p, const struct web_said *said,
                       struct page_rows *rows) {
  p->asking = false;
  if (p->gone) {
    page_reading_free(p);
    return false;
  }
  if (page_rows_of(said, rows)) return true;
  end(p, "the store does not answer");
  return false;
}

/* ---- a batch: bodies, executions, attachments ---- */

static int by_time(const void *x, const void *y) {
  const struct ck_row *a = x, *b = y;
  int64_t s = ck_row_int(a, CK_EXECUTIONS_EXECUTED_AT, 0),
          t = ck_row_int(b, CK_EXECUTIONS_EXECUTED_AT, 0);
  return s != t ? (s > t) - (s < t) : ck_str_order(ck_row_key(a), ck_row_key(b));
}

static void write_batch(struct page_reading *p) {
  const struct ck_row *all = p->executions;
  struct ck_row *own = ck_alloc((p->execution_count + 1) * sizeof *own);
  if (p->execution_count) qsort(p->executions, p->execution_count, sizeof *all, by_time);
  for (size_t i = 0; i < p->batch_count; ++i) {
    struct ck_row message;
    size_t n = 0;
    if (!p->bodies[i].n) continue; /* it is gone */
    page_row_of(&message, CK_MESSAGES, p->bodies[i]);
    for (size_t k = 0; k < p->execution_count; ++k)
      if (ck_str_eq(ck_row_text(&all[k], CK_EXECUTIONS_MESSAGE_ID), ck_row_key(&message)))
        own[n++] = all[k];
    page_reading_message(p, p->at + i, &message, own, n);
  }
  free(own);
  bool first = p->at == 0;
  p->at += p->batch_count;
  if (p->at == p->way_count)
    end(p, NULL);
  else if (first && p->way_count - p->at > REST_ABOVE)
    rest(p);
  else
    step(p);
}

static void heard_attached(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  if (!heard_rows(p, said, &rows)) return;
  page_attached_take(p, &rows);
  write_batch(p);
}

/* Most batches name no file. */
static void ask_attached(struct page_reading *p) {
  struct ck_buf ids = {0}, filters = {0};
  uint32_t n = page_attached_ids(p, &ids);
  p->cursor = (struct ck_str){0};
  if (n) {
    struct ck_map m = ck_map_open(&filters);
    ck_pair_name(&m, "file");
    ck_put_array(&filters, n);
    ck_buf_str(&filters, ck_buf_view(&ids));
    ck_map_close(&m);
    ask(p, "attachments", &filters, ROWS_MOST, heard_attached);
  } else {
    write_batch(p);
  }
  ck_buf_free(&ids);
}

static void add_execution(struct page_reading *p, struct ck_str map) {
  if (p->execution_count == p->execution_room) {
    p->execution_room = p->execution_room ? p->execution_room * 2 : 64;
    p->executions = ck_realloc(p->executions, p->execution_room * sizeof *p->executions);
  }
  page_row_of(&p->executions[p->execution_count++], CK_EXECUTIONS, ck_arena_copy(&p->batch, map));
}

static void ask_executed(struct page_reading *p);

static void heard_executed(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!heard_rows(p, said, &rows)) return;
  while (page_next_row(&rows, &map)) add_execution(p, map);
  p->cursor = ck_arena_copy(&p->batch, rows.cursor);
  if (p->cursor.n)
    ask_executed(p);
  else
    ask_attached(p);
}

static void ask_executed(struct page_reading *p) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_name(&m, "message_id");
  ck_put_array(&filters, (uint32_t)p->batch_count);
  for (size_t i = 0; i < p->batch_count; ++i) ck_put_str(&filters, step_at(p, i)->id);
  ck_map_close(&m);
  ask(p, "executed", &filters, ROWS_MOST, heard_executed);
}

static void take_body(struct page_reading *p, struct ck_str map) {
  struct ck_str id = ck_map_str(map, "id");
  for (size_t i = 0; i < p->batch_count; ++i)
    if (!p->bodies[i].n && ck_str_eq(step_at(p, i)->id, id)) {
      p->bodies[i] = ck_arena_copy(&p->batch, map);
      return;
    }
}

static void heard_moved(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!heard_rows(p, said, &rows)) return;
  if (page_next_row(&rows, &map)) take_body(p, map);
  ask_executed(p);
}

/* A message that was written again since its place was loaded has another version. */
static void ask_moved(struct page_reading *p) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_str(&m, "id", step_at(p, 0)->id);
  ck_map_close(&m);
  p->batch_count = 1;
  ask(p, "messages", &filters, 1, heard_moved);
}

/* The messages from the first one on that came, before one that did not. */
static size_t before_gap(const struct page_reading *p) {
  size_t n = 0;
  while (n < p->batch_count && p->bodies[n].n) ++n;
  return n;
}

static void heard_bodies(void *self, const struct web_said *said) {
  struct page_reading *p = self;
  struct page_rows rows;
  struct ck_str map;
  if (!heard_rows(p, said, &rows)) return;
  while (page_next_row(&rows, &map)) take_body(p, map);
  size_t asked = p->batch_count, came = before_gap(p), next = p->batch_size * 2;
  p->batch_size = came < asked ? came + 1 : next < BATCH_MOST ? next : BATCH_MOST;
  if (came == 0) {
    ask_moved(p);
    return;
  }
  p->batch_count = came;
  ask_executed(p);
}

static void ask_bodies(struct page_reading *p) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  size_t left = p->way_count - p->at;
  ck_arena_reset(&p->batch);
  p->cursor = (struct ck_str){0};
  p->execution_count = 0;
  p->kept_count = 0;
  p->batch_count = left < p->batch_size ? left : p->batch_size;
  memset(p->bodies, 0, BATCH_MOST * sizeof *p->bodies);
  ck_pair_name(&m, "version");
  ck_put_array(&filters, (uint32_t)p->batch_count);
  for (size_t i = 0; i < p->batch_count; ++i) ck_put_int(&filters, p->versions[step_at(p, i)->row]);
  ck_map_close(&m);
  ask(p, "bodies", &filters, BATCH_MOST, heard_bodies);
}

/* ---- the beginning ---- */

/* The branch that has the message that was asked for. */
static void find_message(struct page_reading *p) {
  const char *id = web_arg(p->request, "m");
  if (!id || !*id) return;
  p->lost = true;
  for (size_t i = 0; i < p->step_count && p->lost; ++i) {
    if (!ck_str_is(p->steps[i].id, id)) continue;
    p->lost = false;
    p->branch = p->steps[i].branch;
  }
}

void page_reading_begin(struct page_reading *p) {
  struct web_request *r = p->request;
  p->steps = ck_reading_steps(p->order, &p->step_count);
  p->branches = ck_reading_branches(p->order, &p->branch_count);
  if (p->branch == 0) find_message(p);
  if (p->branch == 0) p->branch = 1;
  if (p->branch > p->branch_count && (p->branch > 1 || p->branch_count)) {
    web_refuse(r, WEB_REFUSED_MISSING, "this conversation has %zu %s; %zu is not one of them",
               p->branch_count, ck_noun(p->branch_count, "branch", "branches"), p->branch);
    page_reading_free(p);
    return;
  }
  if (p->step_count) {
    p->way_count = ck_reading_along(p->order, p->branch, &p->way);
    ck_leaving_find(&p->leaving, p->order, p->way, p->way_count);
  }
  p->bodies = ck_alloc(BATCH_MOST * sizeof *p->bodies);
  p->batch_size = BATCH_FIRST;
  page_reading_head(p);
  p->request = NULL;
  p->stream = web_stream(r, WEB_HTML, gone, p);
  web_stream_pull(p->stream, more);
  if (p->way_count)
    step(p);
  else
    end(p, NULL);
}
