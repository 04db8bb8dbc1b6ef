/* One way of saying what went wrong: a sentence that names the field and the place. */
#ifndef CK_PROTO_ERROR_H
#define CK_PROTO_ERROR_H

/* Filled by whoever returns -1. `text` is always terminated; it is cut, never overrun. */
struct ck_err {
  char text[320];
};

/* Writes the sentence into err (which may be NULL) and returns -1, so that `return ck_fail(err, …)`
 * reads well. */
int ck_fail(struct ck_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts `fmt…: ` in front of what err already says. Returns -1. */
int ck_fail_in(struct ck_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
