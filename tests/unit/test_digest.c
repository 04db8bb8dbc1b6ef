/* Digests of records: what changes them, and that nothing overflows. */
#include "proto/digest.h"

#include <criterion/criterion.h>

static struct ck_digest of_two(const char *key, int64_t version, const char *other, int64_t its) {
  struct ck_digest d = {0};
  ck_digest_add(&d, ck_str_of(key), version);
  ck_digest_add(&d, ck_str_of(other), its);
  return d;
}

Test(digest, order_does_not_matter) {
  struct ck_digest a = of_two("one", 5, "two", 9), b = of_two("two", 9, "one", 5);
  cr_assert(ck_digest_eq(&a, &b));
  cr_assert_eq(a.count, 2);
  cr_assert_eq(a.sum, 14);
}

Test(digest, swapped_versions_show_in_the_mix_only) {
  struct ck_digest a = of_two("one", 5, "two", 9), b = of_two("one", 9, "two", 5);
  cr_assert_eq(a.count, b.count);
  cr_assert_eq(a.sum, b.sum);
  cr_assert_neq(a.mix, b.mix);
}

/* Every byte of the key counts, up to the last piece; of the bytes after that, only their
 * number. */
Test(digest, a_key_that_was_changed_in_one_byte_shows) {
  char key[CK_DIGEST_PIECE * CK_DIGEST_PIECES + 9];
  for (size_t i = 0; i < sizeof key; ++i) key[i] = 'k';
  for (size_t n = 1; n < sizeof key; ++n) {
    struct ck_digest whole = {0}, changed = {0}, shorter = {0};
    ck_digest_add(&whole, (struct ck_str){key, n}, 7);
    ck_digest_add(&shorter, (struct ck_str){key, n - 1}, 7);
    cr_assert_not(ck_digest_eq(&whole, &shorter), "%zu bytes", n);
    if (n > CK_DIGEST_PIECE * CK_DIGEST_PIECES) continue;
    key[n - 1] = 'l';
    ck_digest_add(&changed, (struct ck_str){key, n}, 7);
    key[n - 1] = 'k';
    cr_assert_not(ck_digest_eq(&whole, &changed), "byte %zu", n);
  }
}

/* Rows that a person wrote in D1 may have any version. */
Test(digest, no_version_overflows) {
  struct ck_digest d = {0};
  for (int i = 0; i < 1000; ++i) {
    ck_digest_add(&d, ck_str_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX);
    ck_digest_add(&d, ck_str_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), INT64_MIN);
  }
  cr_assert_eq(d.count, 2000);
  cr_assert(d.sum > -(INT64_C(1) << 53) && d.sum < INT64_C(1) << 53);
  cr_assert(d.mix > -(INT64_C(1) << 53) && d.mix < INT64_C(1) << 53);
}
