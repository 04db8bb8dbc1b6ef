/* CRC-32C: tables for every processor, the SSE 4.2 instruction on x86-64. */
#include "proto/crc32c.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u

/* ---- with tables: eight bytes at a time, table[k] for the byte followed by k more ---- */

static uint32_t table[8][256];

static void make_tables(void) {
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; ++i)
    for (int k = 1; k < 8; ++k)
      table[k][i] = table[0][table[k - 1][i] & 0xff] ^ table[k - 1][i] >> 8;
}

uint32_t ck_crc32c_tables(uint32_t crc, const void *data, size_t n) {
  const unsigned char *p = data;
  if (!table[0][1]) make_tables();
  crc = ~crc;
  for (; n >= 8; n -= 8, p += 8) {
    uint32_t low =
        crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
    crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
          table[4][low >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
  }
  for (; n; --n) crc = table[0][(crc ^ *p++) & 0xff] ^ crc >> 8;
  return ~crc;
}

/* ---- with the instruction ---- */

#if defined(__x86_64__)
static bool has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const void *data,
                                                                 size_t n) {
  const unsigned char *p = data;
  uint64_t c = ~crc, eight;
  for (; n >= sizeof eight; n -= sizeof eight, p += sizeof eight) {
    memcpy(&eight, p, sizeof eight);
    c = __builtin_ia32_crc32di(c, eight);
  }
  for (; n; --n) c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
  return ~(uint32_t)c;
}
#else
static bool has_instruction(void) { return false; }

static uint32_t by_instruction(uint32_t crc, const void *data, size_t n) {
  return ck_crc32c_tables(crc, data, n);
}
#endif

uint32_t ck_crc32c(uint32_t crc, const void *data, size_t n) {
  return has_instruction() ? by_instruction(crc, data, n) : ck_crc32c_tables(crc, data, n);
}
