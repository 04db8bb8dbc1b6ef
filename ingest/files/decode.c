/* See decode.h. */
#include "ingest/files/decode.h"

#define MARK "\xef\xbb\xbf" /* the byte order mark */

/* Feeds the splitter, but not with a byte order mark at the beginning of the file. */
static void split_text(struct ingest_split *split, struct ck_str bytes, bool first) {
  size_t mark = first && ck_str_starts(bytes, MARK) ? sizeof MARK - 1 : 0;
  if (mark) ingest_split_skip(split, mark);
  if (bytes.n > mark) ingest_split_feed(split, bytes.s + mark, bytes.n - mark);
}

static void take(struct ingest_decode *d, struct ingest_split *split, struct ck_str bytes,
                 bool first) {
  if (!d->is_utf16) {
    split_text(split, bytes, first);
    return;
  }
  ck_buf_clear(&d->utf8);
  ingest_utf16_feed(&d->utf16, bytes, &d->utf8, &d->replaced);
  split_text(split, ck_buf_view(&d->utf8), first);
}

bool ingest_decode_head(struct ingest_decode *d, const char **bytes, size_t *n) {
  while (!d->begun && *n && d->head_n < INGEST_DECODE_HEAD) {
    d->head[d->head_n++] = *(*bytes)++;
    --*n;
  }
  return !d->begun && d->head_n == INGEST_DECODE_HEAD;
}

void ingest_decode_begin(struct ingest_decode *d, struct ingest_split *split) {
  struct ck_str head = {d->head, d->head_n};
  d->begun = true;
  d->is_utf16 = ingest_utf16_is(&d->utf16, head);
  take(d, split, head, true);
}

void ingest_decode_feed(struct ingest_decode *d, struct ingest_split *split, struct ck_str bytes) {
  take(d, split, bytes, false);
}

void ingest_decode_end(struct ingest_decode *d, struct ingest_split *split) {
  ck_buf_clear(&d->utf8);
  if (d->is_utf16) ingest_utf16_end(&d->utf16, &d->utf8, &d->replaced);
  split_text(split, ck_buf_view(&d->utf8), false);
}

void ingest_decode_free(struct ingest_decode *d) { ck_buf_free(&d->utf8); }
