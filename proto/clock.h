/* The only clocks of the project, replaceable so that a schedule can be simulated. */
#ifndef CK_PROTO_CLOCK_H
#define CK_PROTO_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Wall time, milliseconds since the Unix epoch, UTC. It may step. */
int64_t ck_now_ms(void);

/* Milliseconds of CLOCK_BOOTTIME: never steps, goes on in suspend. For leases, backoff and
 * timeouts. */
int64_t ck_boot_ms(void);

/* Microseconds of CLOCK_MONOTONIC, for measuring. */
int64_t ck_mono_us(void);

/* Puts other clocks in place of ck_now_ms and ck_boot_ms; NULL restores the real one. For tests and
 * simulations. */
void ck_clock_replace(int64_t (*wall)(void), int64_t (*boot)(void));

/* "2026-11-22T20:02:00.123Z" into out, terminated. */
#define CK_TIME_TEXT 32
void ck_time_text(char out[CK_TIME_TEXT], int64_t ms);

/* ISO 8601 with a date, optionally a time with fraction, and Z or ±hh:mm (Z when missing). 0 or -1.
 */
int ck_time_parse(const char *s, size_t n, int64_t *ms);

#endif
