/* A mirror under test, in any sink, and the code that its stories share. The suites d1 and postgres
 * link all of it. */
#ifndef TESTS_MIRROR_MIRROR_H
#define TESTS_MIRROR_MIRROR_H

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

/* The operations of a story on the mirror itself, not through syncd. NULL: this mirror lacks the
 * operation, and stories that need it are not run. */
struct mirror {
  const char *name;
  bool nul;                           /* it can store U+0000 */
  bool indexed;                       /* it can index texts of any length */
  void (*start)(void);                /* starts its server, empty, and points the settings there */
  void (*schema)(void);               /* makes the tables */
  void (*stop)(void);                 /* stops the ring and the server */
  void (*sql)(const char *sql);       /* runs statements, as a person would */
  int64_t (*number)(const char *sql); /* the one number that a query gives */
  void (*compare)(void);     /* fails unless every row and column is the same as in the database */
  int64_t (*written)(void);  /* rows written since some fixed moment, with or without indexes */
  int64_t (*requests)(void); /* how many its server has received */
  void (*slow)(int ms);      /* every batch takes this much longer; 0: back to normal */
  void (*refuse)(const char *what); /* refuses messages for which this is true (SQL) */
  void (*accept)(void);             /* … not any more */
  void (*watch)(void); /* from now on, notes each change of a row that does not raise its version,
                          in a table `stale` */
  void (*fill)(int n); /* adds messages with versions 1 to n, as MIRROR_FILLED_IN_SQLITE has them */
  const char *(*place)(void); /* the name the store knows it by: sinks.name */
  void (*proxy)(void);        /* puts a faultproxy before its server; call it before syncd starts */
  const char *timeout;        /* the setting that limits the wait for an answer */
  const char *refused, *no_table; /* words in its errors: for a row that refuse() refuses, and for a
                                     missing table `sessions` */
  void (*hold)(const char *table); /* the next question about this table gets no answer */
  bool (*holds)(void);             /* whether such a question waits */
  void (*release)(void);
};

/* The columns that fill() sets, and its i-th row as SQLite expressions. */
#define MIRROR_FILLED_COLUMNS \
  "id, platform, role, raw_text, observed_at, static_path, created_at, version"
#define MIRROR_FILLED_IN_SQLITE \
  "printf('%%08x', i * 2654435761 %% 4294967296) || printf('%%024x', i), 'p', 'user', " \
  "printf('%%.*c', 400, 'x'), i, 'msg/x.txt', 1, i"

extern const struct mirror mirror_sqlite; /* mirror.db in the test's folder */

/* Starts all of it: the mirror, its schema, store and syncd. */
void mirror_ring(const struct mirror *m);
void mirror_start(const struct mirror *m); /* only the mirror */
void mirror_schema(const struct mirror *m);
void mirror_stop(const struct mirror *m);

/* Writes conversations first … first+n-1 with everything that belongs to them, a changeset for
 * each: rows in all six tables. variant changes their contents. Their texts have a U+0000, unless
 * mirror_without_nul was called. */
#define MIRROR_ROWS_EACH 8
void mirror_write(struct t_producer *p, int first, int n, int variant);
/* The same in one changeset. */
void mirror_write_together(struct t_producer *p, int first, int n, int variant);
void mirror_without_nul(void); /* from now on */

/* Waits until the store's cursor for the mirror is at the head. */
void mirror_settle(int ms);
/* … and then checks that every row and column of the six tables is the same there. */
void mirror_same(const struct mirror *m, int ms);

/* Whether the mirror's witness was read in this run of the store, and fits. */
bool mirror_fits(void);

/* The report of the first syncd, in a static buffer. */
const char *mirror_last_error(void);
const char *mirror_state(void);
int64_t mirror_reported(const char *member); /* a number, as of its last report: "info.rows" */
int64_t mirror_dead(void);                   /* how many dead letters there are */
void mirror_none_dead(void);
/* Checks that there is one dead letter, with this key, and that its reason contains this text. */
void mirror_one_dead(const char *key, const char *reason);

/* Of the lines that a command printed: a number of the last one, the result; and whether a finding
 * is among them. */
int64_t mirror_said(json_t *lines, const char *name);
bool mirror_found(json_t *lines, const char *table, const char *key, const char *how);
/* Starts `convkeep sync WORD --json MORE`. */
struct t_process *mirror_task(const char *word, const char *more);

/* Starts workers and waits until they are ready; tells them to end, and checks that they do. */
void mirror_workers(struct t_process **w, int n);
void mirror_end_workers(struct t_process **w, int n);

/* Starts a faultproxy (tests/d1/peer/faultproxy.c) before a port of this machine; returns its own
 * port. At most one a test; mirror_proxy_end ends it, if there is one. */
int mirror_proxy(int port);
/* Gives it a command, such as "reset-after 1", and waits until it has obeyed. */
void mirror_proxy_say(const char *command);
void mirror_proxy_end(void);

#endif
