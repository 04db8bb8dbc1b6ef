/* CRC-32C (Castagnoli, reflected): with the processor's instruction if it has one, else with
 * tables. Guards the records and notes of the spool. */
#ifndef CK_PROTO_CRC32C_H
#define CK_PROTO_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues from crc, which is 0 at the beginning: two calls on two pieces give the same as one
 * call on both. */
uint32_t ck_crc32c(uint32_t crc, const void *data, size_t n);

/* The same, always with tables. */
uint32_t ck_crc32c_tables(uint32_t crc, const void *data, size_t n);

#endif
