/* The only clocks of the project, and times as text. Tests replace the clocks to simulate a
 * schedule. */
#ifndef CK_PROTO_CLOCK_H
#define CK_PROTO_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Wall time: milliseconds since the Unix epoch, UTC. It may step, forwards and backwards. */
int64_t ck_now_ms(void);

/* Milliseconds of CLOCK_BOOTTIME, which never steps and goes on during suspend. For leases, backoff
 * and timeouts. */
int64_t ck_boot_ms(void);

/* The first ck_boot_ms() by which at least `ms` milliseconds have passed from now. It is one more
 * than the sum, because ck_boot_ms() is rounded down. For deadlines that must not come early. */
int64_t ck_boot_after(int64_t ms);

/* Names the present start of the machine, in which ck_boot_ms counts; empty if that is not known.
 */
const char *ck_boot_id(void);

/* Microseconds of CLOCK_MONOTONIC, for measuring. */
int64_t ck_mono_us(void);

/* Microseconds of the processor that this thread has had. */
int64_t ck_thread_us(void);

/* Replaces the clocks behind ck_now_ms and ck_boot_ms; NULL restores the real one. For tests. */
void ck_clock_replace(int64_t (*wall)(void), int64_t (*boot)(void));

/* Writes "2026-11-22T20:02:00.123Z", terminated. ms may be any number; years beyond 9999 have more
 * digits. */
#define CK_TIME_TEXT 32
void ck_time_text(char out[CK_TIME_TEXT], int64_t ms);

/* Reads the n bytes at s: an ISO 8601 date, and optionally a time, with or without a fraction, and
 * Z or ±hh:mm (Z when missing). Fractions of a millisecond are cut off. 0; or -1 when it is not
 * such a time, and *ms is unchanged. */
int ck_time_parse(const char *s, size_t n, int64_t *ms);

#endif
