/* See sha256.h. The work is nettle's. */
#include "proto/sha256.h"

#include <nettle/sha2.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof((struct ck_sha256 *)0)->state, "no room");

static struct sha256_ctx *of(struct ck_sha256 *h) { return (struct sha256_ctx *)(void *)h->state; }

void ck_sha256_begin(struct ck_sha256 *h) { sha256_init(of(h)); }

void ck_sha256_add(struct ck_sha256 *h, struct ck_str bytes) {
  if (bytes.n) sha256_update(of(h), bytes.n, (const unsigned char *)bytes.s);
}

void ck_sha256_end(struct ck_sha256 *h, unsigned char hash[CK_SHA256_BYTES]) {
  sha256_digest(of(h), CK_SHA256_BYTES, hash);
}

void ck_sha256_end_hex(struct ck_sha256 *h, char hex[CK_SHA256_HEX + 1]) {
  unsigned char hash[CK_SHA256_BYTES];
  ck_sha256_end(h, hash);
  ck_hex(hex, hash, sizeof hash);
  hex[CK_SHA256_HEX] = '\0';
}

bool ck_sha256_is_hex(struct ck_str s) { return s.n == CK_SHA256_HEX && ck_str_is_hex(s); }
