/* The task rebuild_seals: takes the pages of artifact.db and of the embedded mirror as they are,
 * after another program has written to the file, or when what was damaged is right again. The
 * writer does it for artifact.db, between two commits. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/lock.h"
#include "proto/map.h"
#include "proto/places.h"
#include "proto/sqlite_pages.h"
#include "store/tasks/task_internal.h"

#define LOOK_MS 20
#define STUCK_MS 30000

static void say(struct task *t, const char *file, uint64_t pages) {
  struct ck_buf line = {0};
  struct ck_map m = ck_map_open(&line);
  ck_pair_text(&m, "file", file);
  ck_pair_uint(&m, "pages", pages);
  ck_map_close(&m);
  task_line(t, ck_buf_view(&line));
  ck_buf_free(&line);
}

static int seal_database(struct task *t, struct ck_err *err) {
  struct context *s = t->context;
  int64_t until = ck_boot_ms() + STUCK_MS;
  atomic_store(&s->sealing, true);
  while (atomic_load(&s->sealing)) {
    if (task_cancelled(t) || ck_boot_ms() > until) {
      atomic_store(&s->sealing, false);
      return ck_fail(err, DB_FILE ": somebody reads it all the time, or it cannot be written: "
                                  "logs/store.log says more");
    }
    task_pause(LOOK_MS);
  }
  say(t, DB_FILE, atomic_load(&s->sealed));
  return 0;
}

static int seal_file(const char *file, uint64_t *pages, struct ck_err *err) {
  sqlite3 *db = NULL;
  int rc = sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                           ck_sqlite_pages_vfs()) == SQLITE_OK
               ? 0
               : db_fail(db, file, err);
  if (rc == 0) db_harden(db);
  int64_t busy = 0;
  if (rc == 0) rc = db_int(db, "PRAGMA wal_checkpoint(TRUNCATE)", 1, &busy, err);
  if (rc == 0 && busy) rc = ck_fail(err, "somebody reads it: try again");
  if (rc == 0) rc = ck_sqlite_pages_accept(db, pages, err);
  db_close(&db);
  return rc ? ck_fail_in(err, "%s", file) : 0;
}

/* Under the lock that syncd holds whenever it writes. */
static int seal_mirror(struct task *t, struct ck_err *err) {
  const struct ck_settings *s = t->context->settings;
  const char *file = ck_set_text(s, CK_SET_SYNC_SQLITE_FILE);
  if (!ck_settings_has_sink(s, "sqlite") || access(file, F_OK)) return 0;
  if (ck_no_other_kind(AT_FDCWD, file, err)) return ck_fail_in(err, "%s", file);
  char *lock = ck_place_mirror_lock(file);
  int fd = ck_turn_open(lock, true, err);
  uint64_t pages = 0;
  free(lock);
  if (fd < 0) return -1;
  ck_turn_wait(fd);
  int rc = seal_file(file, &pages, err);
  close(fd);
  if (rc == 0) say(t, file, pages);
  return rc;
}

int task_rebuild_seals(struct task *t, struct ck_err *err) {
  return seal_database(t, err) || seal_mirror(t, err) ? -1 : 0;
}
