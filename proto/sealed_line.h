/* A line of JSON, one object, that shows whether it is as it was written: its last member is
 * "sum":"…", the CRC-32C of all before that member, as eight hexadecimal digits. So single lines
 * can be taken out of a file, and other programs read the file as before. */
#ifndef CK_PROTO_SEALED_LINE_H
#define CK_PROTO_SEALED_LINE_H

#include "proto/error.h"
#include "proto/text.h"

/* What ck_line_seal makes of the object's closing brace, terminated. */
#define CK_LINE_SEAL 24

/* Writes what is to follow the object without its closing brace. object: with it, and with at least
 * one member. */
void ck_line_seal(char seal[CK_LINE_SEAL], struct ck_str object);

/* line: without its line feed. */
bool ck_line_sound(struct ck_str line);

/* Looks at all lines of a file: *bad is how many are not sound, *first the number of the first of
 * them, from 1; one without a line feed at its end is not. Waits until nobody adds to it
 * (proto/lock.h). 0, also if there is no such file; -1 with the reason. */
int ck_lines_check(const char *path, uint64_t *bad, uint64_t *first, struct ck_err *err);

#endif
