/* How a function says what went wrong: it returns -1 (or NULL) and fills a ck_err with a sentence
 * that names the field and the place. */
#ifndef CK_PROTO_ERROR_H
#define CK_PROTO_ERROR_H

/* Filled by the function that fails. `text` is terminated UTF-8; a longer sentence is cut. */
struct ck_err {
  char text[320];
};

/* Writes the sentence into err, which may be NULL. Always returns -1, for `return ck_fail(err, …)`.
 * err->text may be one of the arguments. */
int ck_fail(struct ck_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts the sentence and ": " in front of what err already says. Always returns -1. */
int ck_fail_in(struct ck_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
