/* See originals.h. */
#include "tests/harness/originals.h"

#include <stdio.h>
#include <zstd.h>

#include "tests/harness/base.h"

const char *t_original_id(struct ck_str bytes) {
  static char ids[8][CK_SHA256_HEX + 1];
  static unsigned next;
  char *id = ids[next++ % 8];
  struct ck_sha256 h;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, bytes);
  ck_sha256_end_hex(&h, id);
  id[CK_ORIGINAL_ID] = '\0';
  return id;
}

static void pack(struct ck_buf *packed, struct ck_str all) {
  ZSTD_CCtx *z = ZSTD_createCCtx();
  size_t room = ZSTD_compressBound(all.n);
  ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
  packed->len = ZSTD_compress2(z, ck_buf_room(packed, room), room, all.s, all.n);
  T_CHECK(!ZSTD_isError(packed->len), "%s", ZSTD_getErrorName(packed->len));
  ZSTD_freeCCtx(z);
}

static void send_parts(struct t_producer *p, struct ck_block b, struct ck_str packed,
                       struct ck_str list, size_t part_bytes) {
  b.block = ck_str_of(t_original_id(packed));
  b.parts = (packed.n + part_bytes - 1) / part_bytes;
  for (b.part = 0; b.part < b.parts; ++b.part) {
    struct ck_buf bin = {0};
    struct ck_mutation m = {.kind = CK_OP_BLOCK};
    size_t from = b.part * part_bytes, left = packed.n - from;
    ck_put_bin(&bin, (struct ck_str){packed.s + from, left < part_bytes ? left : part_bytes});
    b.data = ck_buf_view(&bin);
    b.originals = b.part ? CK_LIT("\xc0") : list;
    m.as.block = b;
    t_mutate(p, &m);
    char result = t_commit(p);
    T_CHECK(result == '=', "a block: '%c' %s", result, t_refusal(p));
    ck_buf_free(&bin);
  }
}

void t_block(struct t_producer *p, struct ck_original *originals, const struct ck_str *bytes,
             uint32_t n, size_t part_bytes) {
  struct ck_buf all = {0}, list = {0}, packed = {0};
  ck_put_array(&list, n);
  for (uint32_t i = 0; i < n; ++i) {
    originals[i].id = ck_str_of(t_original_id(bytes[i]));
    originals[i].at = all.len;
    originals[i].bytes = bytes[i].n;
    ck_original_encode(&list, &originals[i]);
    ck_buf_str(&all, bytes[i]);
  }
  pack(&packed, ck_buf_view(&all));
  send_parts(p, (struct ck_block){.bytes = all.len}, ck_buf_view(&packed), ck_buf_view(&list),
             part_bytes);
  ck_buf_free(&all);
  ck_buf_free(&list);
  ck_buf_free(&packed);
}

char *t_prose(size_t n) {
  static const char *const words[] = {"the ",   "store ", "keeps ", "what ",  "came ", "in, ",
                                      "as it ", "came; ", "and ",   "gives ", "it ",   "back. "};
  struct ck_buf b = {0};
  while (b.len < n)
    ck_buf_printf(&b, "%s%llu ", words[t_random_below(12)],
                  (unsigned long long)t_random_below(100));
  return b.data;
}
