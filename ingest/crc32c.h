/* CRC-32C (Castagnoli, reflected): by the processor where it can, else by tables. */
#ifndef INGEST_CRC32C_H
#define INGEST_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc, 0 at the beginning: of two pieces it is the same as of both in one. */
uint32_t ingest_crc32c(uint32_t crc, const void *data, size_t n);

/* The same, always by tables. */
uint32_t ingest_crc32c_tables(uint32_t crc, const void *data, size_t n);

#endif
