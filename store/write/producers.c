/* See producers.h. */
#include "store/write/producers.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"

struct producers {
  struct producer **list;
  size_t count, cap;
};

struct producer *producers_at(struct producers *p, size_t i) {
  return i < p->count ? p->list[i] : NULL;
}

/* Producers are few: a walk through the list is fast enough. */
struct producer *producers_find(struct producers *p, struct ck_str id) {
  for (size_t i = p->count; i-- > 0;)
    if (ck_str_is(id, p->list[i]->id)) return p->list[i];
  return NULL;
}

struct producer *producers_add(struct producers *p, struct ck_str id) {
  if (p->count == p->cap) {
    p->cap = p->cap ? p->cap * 2 : 16;
    p->list = ck_realloc(p->list, p->cap * sizeof(struct producer *));
  }
  struct producer *one = ck_zalloc(sizeof *one);
  one->id = ck_str_dup(id);
  p->list[p->count++] = one;
  return one;
}

static void add_counts(struct producer *p, const struct ck_counts *counts) {
  if (p->counts_len == p->counts_cap) {
    p->counts_cap = p->counts_cap ? p->counts_cap * 2 : 16;
    p->counts = ck_realloc(p->counts, p->counts_cap * sizeof *p->counts);
  }
  p->counts[p->counts_len++] = *counts;
}

/* A decimal number, and `end` after it. */
static bool read_number(const char **at, char end, uint64_t *out) {
  char *rest;
  if (!isdigit((unsigned char)**at)) return false;
  errno = 0;
  *out = strtoull(*at, &rest, 10);
  if (errno || *rest != end) return false;
  *at = rest + 1;
  return true;
}

static bool read_line(const char **at, struct ck_counts *c) {
  return read_number(at, ' ', &c->number) && read_number(at, ' ', &c->added) &&
         read_number(at, ' ', &c->updated) && read_number(at, ' ', &c->unchanged) &&
         read_number(at, '\n', &c->forgotten);
}

/* In the database: a line "number added updated unchanged forgotten" for each. Nothing hangs on
 * them but what a command prints, so a line that is none is left out. */
static void read_counts(struct producer *p, struct ck_str lines) {
  char *text = ck_str_dup(lines);
  struct ck_counts c;
  for (const char *at = text, *next; *at; at = next) {
    next = strchr(at, '\n');
    next = next ? next + 1 : at + strlen(at);
    if (read_line(&at, &c))
      add_counts(p, &c);
    else
      ck_log(CK_WARN, p->id, "bad_counts", "table=producers column=counts");
  }
  free(text);
}

static void write_counts(struct ck_buf *b, const struct producer *p) {
  for (unsigned i = 0; i < p->counts_len; ++i) {
    const struct ck_counts *c = &p->counts[i];
    ck_buf_printf(b, "%llu %llu %llu %llu %llu\n", (unsigned long long)c->number,
                  (unsigned long long)c->added, (unsigned long long)c->updated,
                  (unsigned long long)c->unchanged, (unsigned long long)c->forgotten);
  }
}

/* The counts of `first` and the numbers after it, as on the wire. */
static void encode_counts(struct ck_buf *b, const struct producer *p, uint64_t first) {
  unsigned i = 0;
  while (i < p->counts_len && p->counts[i].number < first) ++i;
  ck_put_array(b, p->counts_len - i);
  for (; i < p->counts_len; ++i) ck_counts_encode(b, &p->counts[i]);
}

/* Forgets those of numbers whose letters are forgotten. */
static void drop_counts(struct producer *p) {
  unsigned gone = 0;
  while (gone < p->counts_len && p->counts[gone].number + p->tail_len <= p->applied) ++gone;
  p->counts_len -= gone;
  if (gone) memmove(p->counts, p->counts + gone, p->counts_len * sizeof *p->counts);
}

struct producers *producers_load(struct system_tables *l, struct ck_err *err) {
  struct producers *p = ck_zalloc(sizeof *p);
  sqlite3_stmt *s = system_query(l, SYSTEM_PRODUCERS, "");
  int rc;
  while ((rc = system_step(l, s, err)) > 0) {
    struct producer *one = producers_add(p, db_str(s, 0));
    one->epoch = (uint64_t)sqlite3_column_int64(s, 1);
    one->applied = (uint64_t)sqlite3_column_int64(s, 2);
    one->refused = (uint64_t)sqlite3_column_int64(s, 3);
    struct ck_str tail = db_str(s, 4);
    one->tail_len = (unsigned)(tail.n < PRODUCER_TAIL ? tail.n : PRODUCER_TAIL);
    if (one->tail_len) memcpy(one->tail, tail.s + tail.n - one->tail_len, one->tail_len);
    read_counts(one, db_str(s, 5));
  }
  system_done(s);
  if (rc < 0) producers_free(&p);
  return p;
}

void producers_free(struct producers **p) {
  if (!*p) return;
  for (size_t i = 0; i < (*p)->count; ++i) {
    ck_buf_free(&(*p)->list[i]->refusals);
    ck_buf_free(&(*p)->list[i]->claims);
    free((*p)->list[i]->counts);
    free((*p)->list[i]->id);
    free((*p)->list[i]);
  }
  free((*p)->list);
  free(*p);
  *p = NULL;
}

static void add_letter(struct producer *p, char letter) {
  if (p->tail_len == PRODUCER_TAIL) {
    /* Drops half at once, so that most letters cost no move. */
    memmove(p->tail, p->tail + PRODUCER_TAIL / 2, PRODUCER_TAIL / 2);
    p->tail_len = PRODUCER_TAIL / 2;
  }
  p->tail[p->tail_len++] = letter;
}

void producer_result(struct producer *p, uint64_t number, char result, struct ck_str reason,
                     const struct ck_counts *counts) {
  add_letter(p, result);
  p->applied = number;
  drop_counts(p);
  if (counts) add_counts(p, counts);
  p->dirty = true;
  if (!p->owes) p->owes_from = number;
  p->owes = true;
  if (result != 'r') return;
  ++p->refused;
  ++p->refusal_count;
  ck_refusal_encode(&p->refusals, &(struct ck_refusal){number, reason});
}

/* renewd asks about what is left out. */
#define CLAIM_MAX (32u << 10)
#define CLAIMS_MAX (512u << 10)

void producer_claimed(struct producer *p, uint64_t number, const struct ck_claimed *claimed) {
  struct ck_claimed numbered = *claimed;
  size_t bytes = claimed->payload.n + claimed->target_snapshot.n;
  if (bytes > CLAIM_MAX || p->claims.len > CLAIMS_MAX) return;
  numbered.number = number;
  ck_claimed_encode(&p->claims, &numbered);
  ++p->claim_count;
}

int producers_save(struct producers *p, struct system_tables *l, struct ck_err *err) {
  struct ck_buf counts = {0};
  int rc = 0;
  for (size_t i = 0; i < p->count && rc == 0; ++i) {
    struct producer *one = p->list[i];
    if (!one->dirty) continue;
    struct ck_str tail = {one->tail, one->tail_len};
    ck_buf_clear(&counts);
    write_counts(&counts, one);
    rc = system_run(l, SYSTEM_PRODUCER_SAVE, err, "siiiss", ck_str_of(one->id), (int64_t)one->epoch,
                    (int64_t)one->applied, (int64_t)one->refused, tail, ck_buf_view(&counts));
  }
  ck_buf_free(&counts);
  return rc;
}

void producer_receipt(const struct producer *p, struct ck_receipt *r, struct ck_buf *refused,
                      struct ck_buf *counts, struct ck_buf *claims) {
  uint64_t first = p->owes_from;
  if (first == 0 || p->applied < first || p->applied - first + 1 > p->tail_len)
    first = p->applied + 1 - p->tail_len;
  size_t letters = (size_t)(p->applied + 1 - first);
  ck_put_array(refused, p->refusal_count);
  ck_buf_str(refused, ck_buf_view(&p->refusals));
  encode_counts(counts, p, first);
  ck_put_array(claims, p->claim_count);
  ck_buf_str(claims, ck_buf_view(&p->claims));
  *r = (struct ck_receipt){.producer = ck_str_of(p->id),
                           .epoch = p->epoch,
                           .first = first,
                           .applied = p->applied,
                           .results = {p->tail + p->tail_len - letters, letters},
                           .refused = ck_buf_view(refused),
                           .counts = ck_buf_view(counts),
                           .claims = ck_buf_view(claims)};
}

int producer_welcome(const struct producer *p, struct system_tables *l, struct ck_welcome *w,
                     struct ck_buf *refused, struct ck_buf *counts, struct ck_err *err) {
  uint64_t first = p->applied + 1 - p->tail_len;
  size_t open = ck_open_array(refused);
  uint32_t n = 0;
  sqlite3_stmt *s = system_query(l, SYSTEM_REFUSALS_SINCE, "si", ck_str_of(p->id), (int64_t)first);
  int rc;
  while ((rc = system_step(l, s, err)) > 0) {
    struct ck_refusal refusal = {(uint64_t)sqlite3_column_int64(s, 0), db_str(s, 1)};
    ck_refusal_encode(refused, &refusal);
    ++n;
  }
  system_done(s);
  ck_close_array(refused, open, n);
  w->epoch = p->epoch;
  w->first = first;
  w->applied = p->applied;
  w->results = (struct ck_str){p->tail, p->tail_len};
  w->refused = ck_buf_view(refused);
  encode_counts(counts, p, first);
  w->counts = ck_buf_view(counts);
  return rc;
}

void producers_receipted(struct producers *p) {
  for (size_t i = 0; i < p->count; ++i) {
    struct producer *one = p->list[i];
    one->dirty = one->owes = false;
    one->owes_from = 0;
    one->refusal_count = 0;
    ck_buf_clear(&one->refusals);
    one->claim_count = 0;
    ck_buf_clear(&one->claims);
  }
}
