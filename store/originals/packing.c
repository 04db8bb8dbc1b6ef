/* The packing thread, and the writer's part: a pack into the tables, step by step. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "proto/log.h"
#include "store/originals/pack.h"
#include "store/database/statements.h"

#define NICENESS 5
#define PARTS_A_STEP 1
#define DROPPED_AT_ONCE 4 /* parts of a block that is gone; more are deleted one a turn */

/* S(NAME, sql). LEFT_OVER: blocks that no original is in, which a crash or a hand has left. */
#define STATEMENTS(S) \
  S(WAITING, "SELECT EXISTS (SELECT 1 FROM originals_grown)") \
  S(LEFT_OVER, "UPDATE blocks SET state = 'gone' WHERE state <> 'gone'" \
               " AND NOT EXISTS (SELECT 1 FROM originals o WHERE o.block = blocks.block)") \
  S(ADD_BLOCK, "INSERT OR IGNORE INTO blocks (id, bytes, parts, state)" \
               " VALUES (?1, ?2, ?3, 'coming')") \
  S(ADD_PART, "INSERT INTO block_parts VALUES (?1, ?2, ?3)") \
  S(WHOLE, "UPDATE blocks SET state = 'whole' WHERE block = ?1") \
  S(MOVE, "UPDATE originals SET block = ?3, at = ?4 WHERE original = ?1 AND block = ?2") \
  S(EMPTIED, "UPDATE blocks SET state = 'gone' WHERE block = ?1" \
             " AND NOT EXISTS (SELECT 1 FROM originals WHERE block = ?1)") \
  S(DONE, "DELETE FROM originals_grown WHERE conversation = ?1") \
  S(GONE, "SELECT block, (SELECT min(part) FROM block_parts p WHERE p.block = b.block)" \
          " FROM blocks b WHERE state = 'gone' LIMIT 1") \
  S(DROP_PART, "DELETE FROM block_parts WHERE block = ?1 AND part = ?2") \
  S(DROP_BLOCK, "DELETE FROM blocks WHERE block = ?1 AND state = 'gone'")

DB_STATEMENTS(STATEMENTS)

/* Whose turn it is. */
enum turn {
  NOBODYS,  /* nothing waits */
  THREADS,  /* it makes a pack */
  WRITERS,  /* the pack goes into the tables */
  DROPPING, /* so are the blocks that are gone taken out */
};

struct packing {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  bool started, ends;
  const _Atomic bool *stop;
  sqlite3 *reader;
  struct unpack *unpack;
  enum turn turn;
  struct pack pack; /* of whose turn it is */
  /* the writer's */
  sqlite3 *db;
  sqlite3_stmt *s[STATEMENT_COUNT];
  int64_t block;           /* the pack's; 0: not begun */
  uint64_t part;           /* the next one */
  int64_t written;         /* rows, when a turn was last taken */
  bool looks;              /* something was written: look whether anything waits */
  int64_t moved_at, since; /* when something was last written; since when packing waits, or 0 */
};

/* ---- the thread ---- */

static void *run(void *self) {
  struct packing *p = self;
  setpriority(PRIO_PROCESS, 0, NICENESS); /* on Linux: of this thread */
  pthread_mutex_lock(&p->lock);
  while (!p->ends) {
    if (p->turn != THREADS) {
      pthread_cond_wait(&p->wake, &p->lock);
      continue;
    }
    struct ck_err err;
    pthread_mutex_unlock(&p->lock);
    malloc_trim(0); /* what an import has freed makes room for what is packed */
    int rc = pack_make(&p->pack, p->reader, p->unpack, p->stop, &err);
    if (rc < 0) ck_log(CK_WARN, "-", "packing_failed", "reason=%s", ck_quotedz(err.text));
    pthread_mutex_lock(&p->lock);
    p->turn = rc > 0 ? WRITERS : DROPPING;
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

/* ---- the writer ---- */

static int step(struct packing *p, enum statement name, int64_t *first, int64_t *second,
                struct ck_err *err) {
  sqlite3_stmt *s = p->s[name];
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW && first) *first = sqlite3_column_int64(s, 0);
  if (rc == SQLITE_ROW && second)
    *second = sqlite3_column_type(s, 1) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, 1);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) db_fail(p->db, texts[name], err);
  sqlite3_reset(s);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int run_with(struct packing *p, enum statement name, int64_t a, int64_t b,
                    struct ck_err *err) {
  sqlite3_bind_int64(p->s[name], 1, a);
  if (sqlite3_bind_parameter_count(p->s[name]) > 1) sqlite3_bind_int64(p->s[name], 2, b);
  return step(p, name, NULL, NULL, err) < 0 ? -1 : 0;
}

static uint64_t parts_of(const struct pack *k) {
  return (k->data.len + CK_BLOCK_PART - 1) / CK_BLOCK_PART;
}

/* The block of this id may be there already, if the same was packed before: then nothing moves. */
static int begin_block(struct packing *p, struct ck_err *err) {
  sqlite3_stmt *s = p->s[ADD_BLOCK];
  db_bind_str(s, 1, ck_str_of(p->pack.id));
  sqlite3_bind_int64(s, 2, (int64_t)p->pack.bytes);
  sqlite3_bind_int64(s, 3, (int64_t)parts_of(&p->pack));
  if (step(p, ADD_BLOCK, NULL, NULL, err) < 0) return -1;
  p->block = sqlite3_last_insert_rowid(p->db);
  p->part = 0;
  if (sqlite3_changes(p->db) == 0) p->pack.count = p->pack.data.len = 0;
  return 0;
}

static int add_part(struct packing *p, struct ck_err *err) {
  sqlite3_stmt *s = p->s[ADD_PART];
  size_t from = p->part * CK_BLOCK_PART, left = p->pack.data.len - from;
  sqlite3_bind_int64(s, 1, p->block);
  sqlite3_bind_int64(s, 2, (int64_t)p->part);
  sqlite3_bind_blob64(s, 3, p->pack.data.data + from, left < CK_BLOCK_PART ? left : CK_BLOCK_PART,
                      SQLITE_STATIC);
  ++p->part;
  return step(p, ADD_PART, NULL, NULL, err) < 0 ? -1 : 0;
}

/* An original that has moved meanwhile, or was deleted, stays as it is. */
static int move_all(struct packing *p, struct ck_err *err) {
  const struct pack *k = &p->pack;
  if (k->count && run_with(p, WHOLE, p->block, 0, err)) return -1;
  for (size_t i = 0; i < k->count; ++i) {
    sqlite3_bind_int64(p->s[MOVE], 3, p->block);
    sqlite3_bind_int64(p->s[MOVE], 4, (int64_t)k->moves[i].to);
    if (run_with(p, MOVE, k->moves[i].original, k->moves[i].from, err)) return -1;
  }
  for (size_t i = 0; i < k->count; ++i)
    if ((i == 0 || k->moves[i].from != k->moves[i - 1].from) &&
        run_with(p, EMPTIED, k->moves[i].from, 0, err))
      return -1;
  for (size_t i = 0; i < k->conversation_count; ++i)
    if (run_with(p, DONE, k->conversations[i], 0, err)) return -1;
  return 0;
}

/* 1: there is more to do; 0: it is done; -1. */
static int write_pack(struct packing *p, struct ck_err *err) {
  if (p->pack.count && !p->block && begin_block(p, err)) return -1;
  if (p->part < parts_of(&p->pack) && add_part(p, err)) return -1;
  if (p->part < parts_of(&p->pack)) return 1;
  return move_all(p, err);
}

static int drop(struct packing *p, struct ck_err *err) {
  int64_t block = 0, part = -1;
  for (int i = 0; i < DROPPED_AT_ONCE; ++i) {
    int rc = step(p, GONE, &block, &part, err);
    if (rc <= 0) return rc;
    if (part < 0 ? run_with(p, DROP_BLOCK, block, 0, err)
                 : run_with(p, DROP_PART, block, part, err))
      return -1;
  }
  return 1;
}

static int in_transaction(struct packing *p, int (*what)(struct packing *, struct ck_err *),
                          struct ck_err *err) {
  struct ck_err ignored;
  if (db_exec(p->db, "BEGIN IMMEDIATE", err)) return -1;
  int rc = what(p, err);
  if (rc >= 0 && db_exec(p->db, "COMMIT", err) == 0) return rc;
  if (!sqlite3_get_autocommit(p->db)) db_exec(p->db, "ROLLBACK", &ignored);
  return -1;
}

static void end_pack(struct packing *p, enum turn next) {
  pack_free(&p->pack);
  p->block = 0;
  p->part = 0;
  p->turn = next;
}

/* Does anything wait? Looked up only when something was committed. */
static bool waits(struct packing *p) {
  struct ck_err err;
  int64_t any = 0;
  return step(p, WAITING, &any, NULL, &err) > 0 && any;
}

/* Under the lock. A failed step is undone, and what is left of it removed at the next start; it is
 * tried again when something has been committed. */
static void take_step(struct packing *p) {
  struct ck_err err;
  int rc = in_transaction(p, p->turn == WRITERS ? write_pack : drop, &err);
  if (rc > 0) return;
  if (rc < 0) {
    ck_log(CK_WARN, "-", "packing_failed", "reason=%s", ck_quotedz(err.text));
    end_pack(p, NOBODYS);
  } else if (p->turn == WRITERS) {
    end_pack(p, DROPPING);
  } else {
    end_pack(p, NOBODYS);
    p->since = waits(p) ? p->moved_at : 0;
  }
}

/* SQLite counts the rows that this connection has written. A block may come without a new version.
 */
static void look(struct packing *p, int64_t now) {
  int64_t written = sqlite3_total_changes64(p->db);
  if (p->moved_at && written == p->written) return;
  p->written = written;
  p->moved_at = now;
  if (p->since == 0) p->looks = true;
}

bool packing_turn(struct packing *p, int64_t now) {
  pthread_mutex_lock(&p->lock);
  look(p, now);
  bool quiet = now - p->moved_at >= PACKING_IDLE_MS;
  if (p->looks && quiet) {
    p->looks = false;
    p->since = waits(p) ? now : 0;
  }
  if (p->since && now - p->since >= PACKING_LATE_MS) quiet = true;
  if (p->turn == NOBODYS && p->since && quiet) {
    p->turn = THREADS;
    pthread_cond_signal(&p->wake);
  } else if (p->turn >= WRITERS && quiet) {
    take_step(p);
    p->written = sqlite3_total_changes64(p->db);
  }
  bool soon = p->turn != NOBODYS || p->since;
  pthread_mutex_unlock(&p->lock);
  return soon;
}

/* ---- start and end ---- */

static int prepare(struct packing *p, struct ck_err *err) {
  if (db_prepare_all(p->db, texts, STATEMENT_COUNT, p->s, err)) return -1;
  return db_open_reader(&p->reader, err) || !(p->unpack = unpack_new(p->reader, err)) ||
                 step(p, LEFT_OVER, NULL, NULL, err) < 0
             ? -1
             : 0;
}

/* With all signals blocked: the main thread handles them. */
static int start_thread(struct packing *p, struct ck_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  p->started = pthread_create(&p->thread, NULL, run, p) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return p->started ? 0 : ck_fail(err, "packing: cannot start a thread");
}

struct packing *packing_start(sqlite3 *writer, const _Atomic bool *stop, struct ck_err *err) {
  struct packing *p = ck_zalloc(sizeof *p);
  p->db = writer;
  p->stop = stop;
  p->turn = DROPPING;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->wake, NULL);
  if (prepare(p, err) || start_thread(p, err)) packing_stop(&p);
  return p;
}

void packing_stop(struct packing **packing) {
  struct packing *p = *packing;
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  p->ends = true;
  pthread_cond_signal(&p->wake);
  pthread_mutex_unlock(&p->lock);
  if (p->started) pthread_join(p->thread, NULL);
  db_finalize_all(p->s, STATEMENT_COUNT);
  pack_free(&p->pack);
  unpack_free(&p->unpack);
  db_close(&p->reader);
  pthread_cond_destroy(&p->wake);
  pthread_mutex_destroy(&p->lock);
  free(p);
  *packing = NULL;
}
