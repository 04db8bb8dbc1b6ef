/* Text from outside, made safe to show: what a terminal would obey, or what changes the order of
 * characters, is shown by its code. Functions taking a ck_buf append to it. */
#ifndef CK_PROTO_VISIBLE_H
#define CK_PROTO_VISIBLE_H

#include "proto/text.h"

/* True for a control character (C0, DEL, C1). n: its bytes, as ck_character() says. */
bool ck_is_control(const char *p, size_t n);
/* The same for a mark: line and paragraph separators; what changes the order of characters, and the
 * deprecated ones beside it; annotations; a byte order mark. */
bool ck_is_mark(const char *p, size_t n);

/* Appends s with control characters and, if `marks`, marks shown by their codes: "<U+202E>", and
 * "<FF>" for a byte that is no UTF-8. Line breaks ("\r\n" is one) and tabs are kept. */
void ck_visible_text(struct ck_buf *b, struct ck_str s, bool marks);

/* How many bytes what a reader sees as one character has, at p: combining marks, the halves of a
 * flag, skin tones and what joiners join are of one. By the locale. n: not 0; p: as below. */
size_t ck_visible_character(const char *p, size_t n);
/* The width of s in terminal columns, by the locale. s is UTF-8 without control characters. */
size_t ck_text_width(struct ck_str s);
/* Appends s, cut between visible characters to at most `width` columns; then it ends with "…". s is
 * on one line and safe. */
void ck_cut_text(struct ck_buf *b, struct ck_str s, size_t width);

#endif
