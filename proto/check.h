/* Settings that are well-formed, but with which a program cannot start or do its work. Each check
 * is made here only: `convkeep config --check` makes all of them, each daemon its own at its start.
 */
#ifndef CK_PROTO_CHECK_H
#define CK_PROTO_CHECK_H

#include "proto/error.h"
#include "proto/settings.h"

/* The programs, as bits. */
enum { CK_CHECK_STORE = 1, CK_CHECK_INGEST = 2, CK_CHECK_RENEWD = 4, CK_CHECK_SYNCD = 8 };
#define CK_CHECK_ALL 15u

/* The bit of the program with this name; 0: none. */
unsigned ck_check_program(const char *name);

/* starts: the program starts even so, and waits until it is set. */
typedef void ck_wrong_fn(void *self, enum ck_setting which, bool starts, const char *why);

/* Checks what these programs need, on this machine and in the working directory, which is the data
 * folder. Calls wrong for each setting that cannot work. */
void ck_check_settings(const struct ck_settings *s, unsigned programs, ck_wrong_fn *wrong,
                       void *self);
/* The same at the start of one program. -1: it cannot start; err names the first setting and says
 * why. */
int ck_check_start(const struct ck_settings *s, const char *program, struct ck_err *err);

/* ---- single checks, for the programs that make them again later ---- */

/* *clear: it is http, without TLS. */
int ck_check_d1_endpoint(const struct ck_settings *s, bool *clear, struct ck_err *err);
/* The embedded mirror's file: not the database, nor anything but a file that can be written. */
int ck_check_sqlite_file(const struct ck_settings *s, struct ck_err *err);
/* -1: it is not set; err says where it belongs. */
int ck_check_is_set(const struct ck_settings *s, enum ck_setting which, struct ck_err *err);

#endif
