/* SHA-256 against the published values (FIPS 180-4), and in pieces. */
#include "proto/sha256.h"

#include <criterion/criterion.h>

static const char *hex_of(struct ck_str whole, size_t piece) {
  static char hex[CK_SHA256_HEX + 1];
  struct ck_sha256 h;
  ck_sha256_begin(&h);
  while (whole.n) {
    size_t n = whole.n < piece ? whole.n : piece;
    ck_sha256_add(&h, (struct ck_str){whole.s, n});
    whole = (struct ck_str){whole.s + n, whole.n - n};
  }
  ck_sha256_end_hex(&h, hex);
  return hex;
}

Test(sha256, published_values) {
  cr_assert_str_eq(hex_of(CK_LIT(""), 1),
                   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  cr_assert_str_eq(hex_of(CK_LIT("abc"), 3),
                   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(sha256, pieces_of_any_size_give_the_same) {
  const struct ck_str text = CK_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
  for (size_t piece = 1; piece <= text.n; ++piece)
    cr_assert_str_eq(hex_of(text, piece),
                     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

Test(sha256, a_copy_goes_on_by_itself) {
  struct ck_sha256 h, copy;
  char hex[CK_SHA256_HEX + 1];
  ck_sha256_begin(&h);
  ck_sha256_add(&h, CK_LIT("ab"));
  copy = h;
  ck_sha256_add(&h, CK_LIT("x"));
  ck_sha256_add(&copy, CK_LIT("c"));
  ck_sha256_end_hex(&copy, hex);
  cr_assert_str_eq(hex, hex_of(CK_LIT("abc"), 1));
}

Test(sha256, what_is_a_hash) {
  char hash[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  cr_assert(ck_sha256_is_hex(ck_str_of(hash)));
  hash[3] = 'A';
  cr_assert_not(ck_sha256_is_hex(ck_str_of(hash)));
  cr_assert_not(ck_sha256_is_hex(CK_LIT("ba78")));
  hash[3] = '/';
  cr_assert_not(ck_sha256_is_hex(ck_str_of(hash)));
}
