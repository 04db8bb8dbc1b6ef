/* See wal_guard.h: the reader that gives way, who holds the WAL, then the writer's turn. */
#include "store/database/wal_guard.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/log.h"

#define FRAME_BYTES 4120u /* a frame of the WAL: 24 bytes of header and a page */
#define MIB (UINT64_C(1) << 20)
#define ALARM_SHARE 8
#define ALARM_MIB 64 /* the store's own load never comes that far */
#define LOOK_MS 1000
#define PROC_MAX (64u << 20) /* bytes of /proc/locks */

/* The bytes of the -shm file whose locks hold up a checkpoint: another checkpoint, a recovery, and
 * the read marks (UNIX_SHM_BASE in SQLite's os_unix.c; WAL_CKPT_LOCK, WAL_RECOVER_LOCK and
 * WAL_READ_LOCK in its wal.c). */
#define FIRST_BYTE 121
#define LAST_BYTE 127

const char *const wal_alarms[WAL_ALARMS] = {"", "grows", "full"};

struct wal_guard {
  unsigned limit, alarm_from; /* pages */
  int64_t look_at;
  pthread_mutex_t lock;
  /* under the lock */
  struct wal_view view; /* written only by the writer's thread, which reads it without the lock */
  sqlite3 *reader;      /* to be interrupted; NULL: none */
  bool interrupted;
};

static unsigned pages_of(uint64_t mib) { return (unsigned)(mib * MIB / FRAME_BYTES); }

struct wal_guard *wal_guard_new(unsigned limit_mib) {
  struct wal_guard *g = ck_zalloc(sizeof *g);
  unsigned from = limit_mib / ALARM_SHARE;
  pthread_mutex_init(&g->lock, NULL);
  g->limit = pages_of(limit_mib);
  g->alarm_from = pages_of(from > ALARM_MIB ? from : ALARM_MIB);
  g->view.limit = limit_mib * MIB;
  return g;
}

void wal_guard_free(struct wal_guard **g) {
  if (!*g) return;
  pthread_mutex_destroy(&(*g)->lock);
  free(*g);
  *g = NULL;
}

void wal_guard_look(struct wal_guard *g, struct wal_view *v) {
  pthread_mutex_lock(&g->lock);
  *v = g->view;
  pthread_mutex_unlock(&g->lock);
}

/* ---- the reader that gives way ---- */

void wal_guard_read(struct wal_guard *g, sqlite3 *reader) {
  pthread_mutex_lock(&g->lock);
  g->reader = reader;
  g->interrupted = false;
  pthread_mutex_unlock(&g->lock);
}

void wal_guard_read_end(struct wal_guard *g) {
  pthread_mutex_lock(&g->lock);
  g->reader = NULL;
  pthread_mutex_unlock(&g->lock);
}

bool wal_guard_interrupted(struct wal_guard *g) {
  pthread_mutex_lock(&g->lock);
  bool interrupted = g->interrupted;
  pthread_mutex_unlock(&g->lock);
  return interrupted;
}

/* Under the lock. An interrupt ends only the statement that is running, so each turn repeats it. */
static void give_way(struct wal_guard *g) {
  if (!g->reader || g->view.bytes <= WAL_GIVE_WAY_MIB * MIB) return;
  g->interrupted = true;
  sqlite3_interrupt(g->reader);
}

/* ---- the process that holds the WAL ---- */

int64_t wal_guard_holder(const char *locks, uint64_t inode, int64_t self, int64_t before) {
  int64_t found = 0;
  for (const char *line = locks; line; line = strchr(line, '\n')) {
    long long pid;
    unsigned long long node, from, upto;
    line += *line == '\n';
    /* 1: POSIX  ADVISORY  READ 4711 fe:00:1234 123 123 */
    if (sscanf(line, "%*d: POSIX %*s %*s %lld %*x:%*x:%llu %llu %llu", &pid, &node, &from, &upto) !=
        4)
      continue;
    if (node != inode || pid == self || from > LAST_BYTE || upto < FIRST_BYTE) continue;
    if (!found || pid == before) found = pid;
  }
  return found;
}

/* The text of a file under /proc, "" if it cannot be read. The caller frees it. */
static char *read_text(const char *path) {
  struct ck_buf text = {0};
  if (ck_read_file(AT_FDCWD, path, 0, PROC_MAX, &text, NULL)) ck_buf_clear(&text);
  char *out = ck_str_dup(ck_buf_view(&text));
  ck_buf_free(&text);
  return out;
}

static void name_of(int64_t pid, char *name, size_t size) {
  char *path = ck_sprintf("/proc/%lld/comm", (long long)pid), *comm = read_text(path);
  snprintf(name, size, "%.*s", (int)strcspn(comm, "\n"), comm);
  if (!ck_utf8_ok(ck_str_of(name))) name[0] = '\0';
  free(comm);
  free(path);
}

/* From /proc/locks, not by fcntl: that needs the -shm file open, and to close it would drop all
 * locks that SQLite has in it. */
static void find_holder(struct wal_view *v) {
  struct stat st;
  char *locks = stat(DB_FILE "-shm", &st) ? NULL : read_text("/proc/locks");
  int64_t pid = locks ? wal_guard_holder(locks, st.st_ino, getpid(), v->pid) : 0;
  v->pid = pid ? pid : getpid();
  name_of(v->pid, v->program, sizeof v->program);
  free(locks);
}

/* ---- the writer's turn ---- */

static void say(const struct wal_view *v) {
  static const char *const events[WAL_ALARMS] = {"wal_goes_on", "wal_grows", "wal_full"};
  if (v->alarm == WAL_WELL)
    ck_log(CK_INFO, DB_FILE, events[WAL_WELL], "bytes=%llu", (unsigned long long)v->bytes);
  else
    ck_log(CK_ERROR, DB_FILE, events[v->alarm], "bytes=%llu limit=%llu reader=%lld program=%s",
           (unsigned long long)v->bytes, (unsigned long long)v->limit, (long long)v->pid,
           ck_quotedz(v->program));
}

static enum wal_alarm alarm_of(const struct wal_guard *g, const struct checkpoint *c) {
  unsigned pages = checkpoint_wal_pages(c);
  if (pages < g->alarm_from || !checkpoint_left(c)) return WAL_WELL;
  return pages < g->limit ? WAL_GROWS : WAL_FULL;
}

static void note(struct wal_guard *g, struct checkpoint *c, int64_t now) {
  struct wal_view v = g->view;
  v.bytes = (uint64_t)checkpoint_wal_pages(c) * FRAME_BYTES;
  v.alarm = alarm_of(g, c);
  bool changed = v.alarm != g->view.alarm, look = v.alarm && (changed || now >= g->look_at);
  if (look) {
    g->look_at = now + LOOK_MS;
    find_holder(&v);
    checkpoint_again(c);
  }
  if (!v.alarm) v.pid = 0, v.program[0] = '\0';
  if (changed) say(&v);
  pthread_mutex_lock(&g->lock);
  g->view = v;
  give_way(g);
  pthread_mutex_unlock(&g->lock);
}

enum wal_decision wal_guard_turn(struct wal_guard *g, struct checkpoint *c, int64_t now) {
  bool copying = checkpoint_turn(c);
  note(g, c, now);
  return g->view.alarm == WAL_FULL ? WAL_HOLD : copying ? WAL_WAIT : WAL_GO;
}
