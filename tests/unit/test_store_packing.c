/* Originals of a conversation that came several times are packed together: they stay what they
 * were, and take little room; whatever interrupts it, nothing is lost. */
#include "test_store_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "proto/clock.h"
#include "store/originals/originals.h"
#include "tests/unit/test_sanitized.h"

static _Atomic bool stops;
static char ids[2000][CK_ORIGINAL_ID + 1];
static struct ck_buf texts[2000];
static int count;

static void say_something(struct ck_buf *b, size_t n) {
  for (size_t end = b->len + n; b->len < end;)
    ck_buf_printf(b, "%llx ", (unsigned long long)sh_random());
}

/* An export: each of these conversations, the first `grown` of them longer than before. */
static void export(int conversations, int grown, int age, size_t more) {
  static struct ck_buf said[200];
  struct ck_buf all = {0}, list = {0}, packed = {0}, bin = {0};
  int first = count, n = 0;
  for (int i = 0; i < conversations; ++i) {
    if (i < grown || age == 1) say_something(&said[i], more);
    if (i >= grown && age > 1) continue;
    ck_buf_printf(&texts[count], "{\"conversation\":%d,\"age\":%d,\"said\":\"", i, age);
    ck_buf_str(&texts[count], ck_buf_view(&said[i]));
    ck_buf_text(&texts[count], "\"}");
    ck_original_id(ids[count], ck_buf_view(&texts[count]));
    ++count;
  }
  ck_put_array(&list, (uint32_t)(count - first));
  for (int i = first; i < count; ++i, ++n) {
    char name[20];
    snprintf(name, sizeof name, "r%d", n);
    struct ck_original o = {ck_str_of(ids[i]),
                            all.len,
                            texts[i].len,
                            CK_LIT("p"),
                            ck_str_of(name),
                            age,
                            CK_LIT("test 1"),
                            0,
                            0,
                            0,
                            0,
                            0,
                            {0},
                            {0}};
    ck_original_encode(&list, &o);
    ck_buf_str(&all, ck_buf_view(&texts[i]));
  }
  size_t room = ZSTD_compressBound(all.len);
  packed.len = ZSTD_compress(ck_buf_room(&packed, room), room, all.data, all.len, 3);
  char block[CK_ORIGINAL_ID + 1];
  ck_original_id(block, ck_buf_view(&packed));
  uint64_t parts = (packed.len + CK_BLOCK_PART - 1) / CK_BLOCK_PART;
  for (uint64_t part = 0; part < parts; ++part) {
    size_t from = part * CK_BLOCK_PART, left = packed.len - from;
    ck_buf_clear(&bin);
    ck_put_bin(&bin,
               (struct ck_str){packed.data + from, left < CK_BLOCK_PART ? left : CK_BLOCK_PART});
    struct ck_mutation m = {.kind = CK_OP_BLOCK};
    m.as.block = (struct ck_block){ck_str_of(block),
                                   part,
                                   parts,
                                   all.len,
                                   ck_buf_view(&bin),
                                   part ? CK_LIT("\xc0") : ck_buf_view(&list)};
    cr_assert_eq(ap_mutate(m), '=', "%s", s.reason.text);
  }
  ck_buf_free(&all), ck_buf_free(&list), ck_buf_free(&packed), ck_buf_free(&bin);
}

static void all_come_back(void) {
  struct ck_err err;
  struct originals_reader *r = originals_reader_new(s.db, &err);
  for (int i = 0; i < count; ++i) {
    struct ck_buf got = {0}, body = {0};
    while (got.len < texts[i].len) {
      struct ck_fetch q = {1, ck_str_of(ids[i]), {0}, {0}, got.len, CK_FETCH_MAX};
      struct ck_fetched a;
      struct ck_str data;
      const char *code;
      ck_buf_clear(&body);
      cr_assert_eq(originals_fetch(r, &q, &body, &a, &code, &err), 0, "%d: %s", i, err.text);
      struct ck_reader bin = ck_reader_of(a.data);
      cr_assert(ck_read_bin(&bin, &data) == 0 && data.n);
      ck_buf_str(&got, data);
    }
    cr_assert(ck_str_eq(ck_buf_view(&got), ck_buf_view(&texts[i])), "original %d has other bytes",
              i);
    ck_buf_free(&got), ck_buf_free(&body);
  }
  originals_reader_free(&r);
}

/* Turns until nothing is left to do, at most `turns`; a turn's time is ten seconds after the last.
 */
static int turns(struct packing *p, int most) {
  static int64_t now = 1000000;
  int n = 0;
  while (n < most && packing_turn(p, now += 10000)) {
    const struct timespec moment = {0, 1000000};
    nanosleep(&moment, NULL); /* the thread works */
    ++n;
  }
  return n;
}

static void pack(void) {
  struct ck_err err;
  struct packing *p = packing_start(s.db, &stops, &err);
  cr_assert_not_null(p, "%s", err.text);
  cr_assert_lt(turns(p, 20000), 20000, "it does not end");
  packing_stop(&p);
}

static int64_t stored(void) { return sh_int(&s, "SELECT sum(length(data)) FROM block_parts"); }

Test(apply, older_originals_cost_next_to_nothing, .timeout = 60 * SLOWER) {
  export(100, 100, 1, 3000);
  pack();
  int64_t one = stored();
  for (int age = 2; age <= 6; ++age) {
    export(100, 100, age, 3000);
    cr_expect_gt(sh_int(&s, "SELECT count(*) FROM originals_grown"), 90);
    pack();
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals_grown"), 0);
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM blocks WHERE state <> 'whole'"), 0);
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM block_parts WHERE block NOT IN"
                            " (SELECT block FROM blocks)"),
                 0);
    cr_expect_lt((double)stored(), 1.1 * age * (double)one, "%lld after %d times %lld",
                 (long long)stored(), age, (long long)one);
  }
  all_come_back();
}

/* Blocks that have lost most of what was in them give the rest up. */
Test(apply, what_is_left_in_a_block_moves_too, .timeout = 60 * SLOWER) {
  export(100, 100, 1, 3000);
  int64_t one = stored();
  export(100, 30, 2, 100);
  pack();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE block = 1"), 70);
  cr_expect_lt((double)stored(), 1.5 * (double)one);
  export(100, 60, 3, 100);
  pack();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE block = 1"), 0);
  cr_expect_lt((double)stored(), 1.2 * (double)one);
  all_come_back();
}

/* The store may end after any step. */
Test(apply, packing_may_be_interrupted, .timeout = 120 * SLOWER) {
  export(20, 20, 1, 100000);
  export(20, 20, 2, 100000);
  for (int most = 1; most < 60; most += 1 + most / 8) {
    struct ck_err err;
    struct packing *p = packing_start(s.db, &stops, &err);
    turns(p, most);
    packing_stop(&p);
    all_come_back();
  }
  pack();
  all_come_back();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals_grown"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM blocks WHERE state <> 'whole'"), 0);
}

Test(apply, a_damaged_block_is_not_packed, .timeout = 60 * SLOWER) {
  struct ck_err err;
  export(20, 20, 1, 1000);
  export(20, 20, 2, 1000);
  cr_assert_eq(db_exec(s.db, "UPDATE block_parts SET data = x'00' WHERE block = 1", &err), 0);
  pack();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals_grown"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE block = 2"), 20);
}

/* One that is large is packed while both fit into the window; a larger one stays where it is. */
Test(apply, large_originals_are_packed_up_to_a_limit, .timeout = 120 * SLOWER) {
  export(1, 1, 1, 5000000);
  int64_t one = stored();
  export(1, 1, 2, 100);
  pack();
  cr_expect_lt((double)stored(), 1.05 * (double)one);
  all_come_back();
  export(1, 1, 3, 40000000);
  int64_t before = stored();
  pack();
  cr_expect_eq(stored(), before);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals_grown"), 0);
  all_come_back();
}
