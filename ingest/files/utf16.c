/* See utf16.h. */
#include "ingest/files/utf16.h"

#include <string.h>

#define REPLACEMENT 0xfffdu

static bool may_begin_json(char c) { return c && strchr("[{\"\t\r\n ", c); }

/* Without a mark: two characters of ASCII, of which the first may begin JSON. */
static bool is_bare(const char *s, bool big) {
  const char *of = big ? s + 1 : s, *zero = big ? s : s + 1;
  return may_begin_json(of[0]) && of[2] && zero[0] == 0 && zero[2] == 0;
}

bool ingest_utf16_is(struct ingest_utf16 *u, struct ck_str head) {
  *u = (struct ingest_utf16){0};
  if (ck_str_starts(head, "\xfe\xff")) return u->big = true;
  if (ck_str_starts(head, "\xff\xfe")) return head.n < 4 || head.s[2] || head.s[3];
  if (head.n < INGEST_UTF16_HEAD) return false;
  u->big = is_bare(head.s, true);
  return u->big || is_bare(head.s, false);
}

static void replace(struct ck_buf *out, unsigned *replaced) {
  ++*replaced;
  ck_buf_utf8(out, REPLACEMENT);
}

static void take_unit(struct ingest_utf16 *u, unsigned unit, struct ck_buf *out,
                      unsigned *replaced) {
  bool low = (unit & 0xfc00) == 0xdc00;
  if (u->high && low) {
    ck_buf_utf8(out, 0x10000 + ((u->high & 0x3ff) << 10 | (unit & 0x3ff)));
    u->high = 0;
    return;
  }
  if (u->high) replace(out, replaced);
  u->high = (unit & 0xfc00) == 0xd800 ? unit : 0;
  if (low)
    replace(out, replaced);
  else if (!u->high)
    ck_buf_utf8(out, unit);
}

void ingest_utf16_feed(struct ingest_utf16 *u, struct ck_str bytes, struct ck_buf *out,
                       unsigned *replaced) {
  for (size_t i = 0; i < bytes.n; ++i) {
    unsigned byte = (unsigned char)bytes.s[i];
    if (u->odd)
      take_unit(u, u->big ? (unsigned)u->half << 8u | byte : byte << 8u | u->half, out, replaced);
    else
      u->half = (unsigned char)byte;
    u->odd = !u->odd;
  }
}

void ingest_utf16_end(struct ingest_utf16 *u, struct ck_buf *out, unsigned *replaced) {
  if (u->high || u->odd) replace(out, replaced);
  u->high = 0;
  u->odd = false;
}
