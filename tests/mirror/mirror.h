/* A mirror in the tests, whichever sink keeps it, and what its stories share. The suites d1 and
 * postgres link all of it. */
#ifndef TESTS_MIRROR_MIRROR_H
#define TESTS_MIRROR_MIRROR_H

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

/* What a story does to the mirror behind syncd's back. NULL: this mirror has nothing of the kind,
 * and no story that needs it. */
struct mirror {
  const char *name;
  bool nul;                     /* it keeps U+0000 */
  bool indexed;                 /* it keeps texts of any length in an index */
  void (*start)(void);          /* its server, empty; the settings point there */
  void (*schema)(void);         /* makes the tables */
  void (*stop)(void);           /* the ring and the server */
  void (*sql)(const char *sql); /* statements by hand */
  int64_t (*number)(const char *sql);
  void (*compare)(void);     /* fails unless every row and column is as in the database */
  int64_t (*written)(void);  /* rows that were written since some moment, indexes counted or not */
  int64_t (*requests)(void); /* that have come to its server */
  void (*slow)(int ms);      /* every batch takes so much longer; 0: no more */
  void (*refuse)(const char *what); /* messages of which `column …` is true are a row's fault */
  void (*accept)(void);             /* no more */
  void (*watch)(void); /* whatever changes a row without raising its version goes into a table
                          `stale` from now on */
  void (*fill)(int n); /* messages with the versions 1 to n, as MIRROR_FILLED_IN_SQLITE has them */
  const char *(*place)(void); /* by which the store knows it: sinks.name */
  void (*proxy)(void);        /* a faultproxy stands between from now on; before syncd starts */
  const char *timeout;        /* the setting by which an answer that does not come is given up */
  const char *refused, *no_table; /* words in its error for what refuse() refuses, and for the table
                                     `sessions` that is not there */
  void (*hold)(const char *table); /* a question about this table is not answered */
  bool (*holds)(void);             /* one waits */
  void (*release)(void);
};

/* The columns of what fill() makes, and its i-th row in SQLite's words. */
#define MIRROR_FILLED_COLUMNS \
  "id, platform, role, raw_text, observed_at, static_path, created_at, version"
#define MIRROR_FILLED_IN_SQLITE \
  "printf('%%08x', i * 2654435761 %% 4294967296) || printf('%%024x', i), 'p', 'user', " \
  "printf('%%.*c', 400, 'x'), i, 'msg/x.txt', 1, i"

extern const struct mirror mirror_sqlite; /* mirror.db, in the test's folder */

/* start, schema, store and syncd. */
void mirror_ring(const struct mirror *m);
void mirror_start(const struct mirror *m); /* without store and syncd */
void mirror_schema(const struct mirror *m);
void mirror_stop(const struct mirror *m);

/* Writes conversations first … first+n-1 with everything that belongs to them, a changeset each:
 * rows in all six tables. variant changes what they say. Their texts have a U+0000 where the mirror
 * that was started keeps it. */
#define MIRROR_ROWS_EACH 8
void mirror_write(struct t_producer *p, int first, int n, int variant);
/* The same in one changeset. */
void mirror_write_together(struct t_producer *p, int first, int n, int variant);
void mirror_without_nul(void); /* from now on */

/* Waits until the store's cursor of the mirror is at the head. */
void mirror_settle(int ms);
/* … and then every row and column of the six tables is the same there. */
void mirror_same(const struct mirror *m, int ms);

/* Of the first syncd, copied into a static buffer. */
const char *mirror_last_error(void);
const char *mirror_state(void);
int64_t
mirror_reported(const char *member); /* a number that it reports, once a second: "info.rows" */
int64_t mirror_dead(void);           /* how many dead letters there are */
void mirror_none_dead(void);
/* The only dead letter has this key, and its reason says this. */
void mirror_one_dead(const char *key, const char *reason);

/* The lines of a command: of its last one, the result, a number; whether a finding is among them.
 */
int64_t mirror_said(json_t *lines, const char *name);
bool mirror_found(json_t *lines, const char *table, const char *key, const char *how);
/* Starts `convkeep sync WORD --json MORE`. */
struct t_process *mirror_task(const char *word, const char *more);

/* Workers: started and ready; asked to end, and they do. */
void mirror_workers(struct t_process **w, int n);
void mirror_end_workers(struct t_process **w, int n);

/* Stands a faultproxy (tests/d1/peer/faultproxy.c) before a port of this machine; returns its own
 * port. One a test; mirror_proxy_end ends it, if there is one.
 */
int mirror_proxy(int port);
/* One of its commands, "reset-after 1"; returns when it has obeyed. */
void mirror_proxy_say(const char *command);
void mirror_proxy_end(void);

#endif
