/* Settings that are well-formed, but with which a program cannot start or do its work. Each check
 * is made here only: `convkeep config --check` makes all of them, each daemon its own at its start.
 */
#ifndef CK_PROTO_CHECK_H
#define CK_PROTO_CHECK_H

#include "proto/error.h"
#include "proto/settings.h"

/* The programs, as bits. */
enum {
  CK_CHECK_STORE = 1,
  CK_CHECK_INGEST = 2,
  CK_CHECK_RENEWD = 4,
  CK_CHECK_SYNCD = 8,
  CK_CHECK_WEBD = 16
};
#define CK_CHECK_ALL 31u

/* The bit of the program with this name; 0: none. */
unsigned ck_check_program(const char *name);

/* What a check is given. */
struct ck_check {
  const struct ck_settings *s;
  /* Called for each setting that cannot work; which: also the number of a renew.exec.NAME… as
   * ck_settings_view() has it. starts: the program starts even so, and waits until
   * it is set. */
  void (*wrong)(void *self, enum ck_setting which, bool starts, const char *why);
  void *self;
};

static inline void ck_check_stops(const struct ck_check *k, enum ck_setting which,
                                  const struct ck_err *err) {
  k->wrong(k->self, which, false, err->text);
}
static inline void ck_check_waits(const struct ck_check *k, enum ck_setting which,
                                  const struct ck_err *err) {
  k->wrong(k->self, which, true, err->text);
}

/* ---- the checks ----
 *
 * On this machine, and in the working directory, which is the data folder. Each is in a file of its
 * own, so that a program is not linked with what only another one's check needs. */

typedef void ck_check_fn(const struct ck_check *k);

/* The doors of these programs. */
void ck_check_doors(const struct ck_check *k, unsigned programs);
ck_check_fn ck_check_mirror;  /* syncd's */
ck_check_fn ck_check_renewal; /* renewd's */
ck_check_fn ck_check_web;     /* webd's */

/* At the start of a program: its doors, and what is its own; NULL: nothing. -1: it cannot start;
 * err names the first setting and says why. */
int ck_check_start(const struct ck_settings *s, const char *program, ck_check_fn *own,
                   struct ck_err *err);

/* ---- single checks, for the programs that make them again later ---- */

/* *clear: it is http, without TLS. */
int ck_check_d1_endpoint(const struct ck_settings *s, bool *clear, struct ck_err *err);
/* The embedded mirror's file: not the database, nor anything but a file that can be written. */
int ck_check_sqlite_file(const struct ck_settings *s, struct ck_err *err);
/* Quiet hours (proto/quiet.h), and that there is such a time zone. */
int ck_check_quiet(struct ck_str hours, struct ck_err *err);
/* -1: it is not set; err says where it belongs. */
int ck_check_is_set(const struct ck_settings *s, enum ck_setting which, const char *sink,
                    struct ck_err *err);

#endif
