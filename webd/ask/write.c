/* The producer, and those who wait for its receipts: they come in the order of the changesets. */
#include "webd/ask/ask.h"

#include <stdlib.h>

#include "proto/clock.h"

#define WINDOW 64
/* The most bytes that a frame has besides the mutations. */
#define FRAME_REST 1024

struct waiting {
  struct waiting *next;
  web_receipted *done; /* NULL: it was called */
  void *self;
  int64_t until; /* boot */
  bool there;    /* its receipt has come, and is the rest */
  char result;
  char *reason;
  uint64_t version;
};

struct web_write {
  struct ck_memory_unacked *unacked;
  struct ck_push *push;
  struct waiting *head, **tail; /* in the order of the changesets */
  struct waiting *next;         /* the first without a receipt */
};

/* They are passed on from the step, where adding more is safe. */
static void receipt_came(void *self, uint64_t number, char result, struct ck_str reason) {
  struct web_write *w = self;
  struct waiting *one = w->next;
  (void)number;
  if (!one) return;
  one->there = true;
  one->result = result;
  one->reason = ck_str_dup(reason);
  one->version = ck_push_version(w->push);
  w->next = one->next;
}

static void drop_head(struct web_write *w) {
  struct waiting *one = w->head;
  w->head = one->next;
  if (!w->head) w->tail = &w->head;
  free(one->reason);
  free(one);
}

static void pass_on(struct web_write *w) {
  while (w->head && w->head->there) {
    struct waiting *one = w->head;
    struct web_receipt r = {one->result, ck_str_of(one->reason), one->version};
    if (one->done) one->done(one->self, &r);
    drop_head(w);
  }
}

struct web_write *web_write_new(const struct ck_settings *s, struct ck_err *err) {
  char producer[96];
  if (ck_producer_slot("webd", producer, err)) return NULL;
  struct web_write *w = ck_zalloc(sizeof *w);
  w->tail = &w->head;
  w->unacked = ck_memory_unacked_new(receipt_came, w);
  struct ck_unacked unacked = ck_memory_unacked_ops(w->unacked);
  w->push = ck_push_new(s, producer, &unacked, WINDOW, err);
  if (!w->push) web_write_free(&w);
  return w;
}

void web_write_free(struct web_write **write) {
  struct web_write *w = *write;
  if (!w) return;
  ck_push_free(&w->push);
  ck_memory_unacked_free(&w->unacked);
  for (; w->head; drop_head(w)) {
    struct waiting *one = w->head;
    if (one->done) one->done(one->self, &(struct web_receipt){.result = '?'});
  }
  free(w);
  *write = NULL;
}

int web_write(struct web_write *w, struct ck_str mutations, int ms, web_receipted *done,
              void *self) {
  if (mutations.n > CK_FRAME_MAX - FRAME_REST) return -1;
  struct waiting *one = ck_zalloc(sizeof *one);
  one->done = done;
  one->self = self;
  one->until = ck_boot_after(ms);
  *w->tail = one;
  w->tail = &one->next;
  if (!w->next) w->next = one;
  ck_memory_unacked_add(w->unacked, mutations);
  return 0;
}

struct ck_push *web_write_push(struct web_write *w) {
  return w->push;
}

/* Those that have waited long enough are told so; what they sent stays on its way. Returns when the
 * next one's time is over. */
static int64_t end_late(struct web_write *w, int64_t now) {
  int64_t next = INT64_MAX;
  for (struct waiting *one = w->head; one; one = one->next) {
    web_receipted *done = one->done;
    if (!done || one->there) continue;
    if (one->until <= now) {
      one->done = NULL;
      done(one->self, &(struct web_receipt){.result = '?'});
    } else if (one->until < next) {
      next = one->until;
    }
  }
  return next;
}

int web_write_step(struct web_write *w) {
  int64_t now = ck_boot_ms();
  int wait = ck_push_step(w->push);
  bool any = w->head && w->head->there;
  pass_on(w);
  int64_t late = end_late(w, now);
  if (late != INT64_MAX && (wait < 0 || late - now < wait)) wait = (int)(late - now);
  return any ? 0 : wait;
}
