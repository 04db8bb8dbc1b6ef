/* The pool is an allocator: what is in use is never given again, and all of it can be written to.
 */
#include "ingest/parse/json_pool.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "proto/random.h"
#include "tests/unit/test_sanitized.h"

#define PIECES 4000

struct piece {
  unsigned char *p;
  size_t n;
  unsigned char mark;
};

static void check_and_free(struct piece *x) {
  for (size_t i = 0; i < x->n; ++i) cr_assert_eq(x->p[i], x->mark);
  ingest_json_pool_free(x->p);
  x->p = NULL;
}

static void fill(struct piece *x, uint64_t chance) {
  x->n = chance % 16 ? chance / 16 % 600 : chance / 16 % 100000;
  x->mark = (unsigned char)(chance >> 40);
  x->p = ingest_json_pool_alloc(x->n);
  cr_assert_eq((uintptr_t)x->p % 16, 0);
  memset(x->p, x->mark, x->n);
}

Test(ingest_json_pool, pieces_of_all_sizes_do_not_overlap) {
  static struct piece pieces[PIECES];
  struct ck_random random = {1};
  ingest_json_pool_free(NULL);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20 * PIECES; ++i) {
      uint64_t chance = ck_random_next(&random);
      struct piece *x = &pieces[chance % PIECES];
      if (x->p)
        check_and_free(x);
      else
        fill(x, ck_random_next(&random));
    }
    for (int i = 0; i < PIECES; ++i)
      if (pieces[i].p) check_and_free(&pieces[i]);
  }
}

/* Of 64 MB no more than 1 MiB is kept, which the sanitizers' mallocs round up to 16 times 80 KiB.
 */
Test(ingest_json_pool, memory_goes_back) {
  static void *pieces[500000];
  size_t before = allocated();
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; ++i)
    pieces[i] = ingest_json_pool_alloc(100);
  cr_expect_gt(allocated(), before + 50000000);
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; ++i) ingest_json_pool_free(pieces[i]);
  cr_expect_leq(allocated(), before + (5u << 18));
}
