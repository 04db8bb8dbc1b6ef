/* The file of frames that could not be decoded. Each thread with a socket writes to it. */
#ifndef CK_STORE_REJECTED_H
#define CK_STORE_REJECTED_H

#include "proto/text.h"

/* Appends a line about a rejected frame to logs/rejected.jsonl: door, reason, size, and its first
 * 4 KiB in hexadecimal. A file above 16 MiB is moved to .1 first. */
void rejected_keep(const char *door, struct ck_str frame, const char *reason);

#endif
