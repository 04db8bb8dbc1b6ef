/* doctor's check `mirror`, of each: does the embedded one say what the database says? The two are
 * compared row by row while both are written to: every change that the store knows to be mirrored
 * must be there, in that state or a newer one. */
#include "store/tasks/doctor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/lock.h"
#include "proto/places.h"
#include "store/keys/keys.h"

/* --deep, because without it repair looks at no column. */
#define ADVICE \
  "convkeep sync repair --deep writes what differs; if the file is damaged: stop the ring, " \
  "remove the file and its -wal and -shm, then convkeep sync backfill"
#define DAMAGED_ADVICE \
  "the readable files differ from the database too: do not repair the mirror from the database " \
  "before you know that it is right"
/* It cannot be read, or is not there. */
#define REMAKE_ADVICE \
  "stop the ring, remove the file and its -wal and -shm, start the ring, then convkeep sync " \
  "backfill"
#define CHUNK "2000"
/* Larger, because each chunk reads all of the newest ids once. */
#define EXTRA_CHUNK "20000"

#define STRANGERS_SHOWN 10

#define MESSAGES_THERE "SELECT count(*) FROM mirror.sqlite_schema WHERE name = 'messages'"

struct mirror {
  struct doctor *d;
  const char *file;
  int64_t cursor; /* the persisted one: all changes up to it are mirrored */
  uint64_t rows, dead, missing, older, newer, different, extra;
  char *first; /* table and key of the first row that is wrong */
};

/* Opening the mirror may have to recover its WAL index, and must then be alone. syncd holds this
 * lock whenever it writes, opens or closes the file. */
static int attach(struct mirror *m, struct ck_err *err) {
  if (ck_no_other_kind(AT_FDCWD, m->file, err)) return ck_fail_in(err, "%s", m->file);
  char *lock = ck_place_mirror_lock(m->file);
  int fd = ck_turn_open(lock, false, NULL);
  free(lock);
  if (fd >= 0) ck_turn_wait(fd);
  sqlite3_stmt *s = db_prepare(m->d->db, "ATTACH ?1 AS mirror", err);
  if (s) db_bind_str(s, 1, ck_str_of(m->file));
  int rc = s && sqlite3_step(s) == SQLITE_DONE ? 0 : db_fail(m->d->db, m->file, err);
  sqlite3_finalize(s);
  int64_t there;
  if (rc == 0) rc = db_int(m->d->db, MESSAGES_THERE, 0, &there, err);
  if (rc == 0 && !there) rc = ck_fail(err, "it has not the tables of a mirror");
  if (fd >= 0) close(fd);
  return rc ? ck_fail_in(err, "%s", m->file) : 0;
}

static void detach(struct mirror *m) {
  struct ck_err ignored;
  db_exec(m->d->db, "DETACH mirror", &ignored);
}

/* Selects version, key, and a row's state: 0 the same, or newer than the cursor; 1 missing;
 * 2 older; 3 newer, although the cursor covers that version; 4 different; 5 a dead letter. */
static void compare_sql(struct ck_buf *sql, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  const char *name = info->name, *key = info->fields[info->key].name;
  ck_buf_printf(sql, "SELECT a.version, a.%s, CASE WHEN m.version = a.version THEN 4 * (", key);
  for (int c = 0; c < info->mirrored; ++c)
    ck_buf_printf(sql, "%sa.%s IS NOT m.%s", c ? " OR " : "", info->fields[c].name,
                  info->fields[c].name);
  ck_buf_printf(sql,
                ")"
                " WHEN m.version > a.version THEN 3 * (m.version <= ?2)"
                " WHEN EXISTS (SELECT 1 FROM main.dead_letters"
                " WHERE sink = 'sqlite' AND table_name = '%s' AND key = a.%s) THEN 5"
                " WHEN m.version IS NULL THEN 1"
                " ELSE 2 END"
                " FROM main.%s a LEFT JOIN mirror.%s m ON m.%s = a.%s"
                " WHERE a.version > ?1 AND +a.version > ?1 AND a.version <= ?2"
                " ORDER BY a.version LIMIT " CHUNK,
                name, key, name, name, key, key);
}

static void remember(struct mirror *m, const char *table, struct ck_str key) {
  if (m->first) return;
  struct ck_buf text = {0};
  ck_buf_summary(&text, key, 100);
  m->first = ck_sprintf("%s %s", table, ck_buf_cstr(&text));
  ck_buf_free(&text);
}

static int compare_some(struct mirror *m, enum ck_table t, sqlite3_stmt *s, int64_t *after,
                        struct ck_err *err) {
  uint64_t *const counts[] = {&m->rows, &m->missing, &m->older, &m->newer, &m->different, &m->dead};
  int rc, n = 0;
  sqlite3_bind_int64(s, 1, *after);
  sqlite3_bind_int64(s, 2, m->cursor);
  int64_t began = ck_mono_us();
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    int how = sqlite3_column_int(s, 2);
    *after = sqlite3_column_int64(s, 0);
    ++n;
    ++*counts[how];
    if (how > 0 && how < 5) remember(m, ck_tables[t].name, db_str(s, 1));
    if (doctor_piece_over(began)) break;
  }
  int bad = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_fail(m->d->db, ck_tables[t].name, err);
  sqlite3_reset(s);
  doctor_piece_rest(began);
  return bad ? -1 : n > 0 && !task_cancelled(m->d->task);
}

static int compare_table(struct mirror *m, enum ck_table t, struct ck_err *err) {
  struct ck_buf sql = {0};
  compare_sql(&sql, t);
  sqlite3_stmt *s = db_prepare(m->d->db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  int64_t after = 0;
  int rc = s ? 1 : -1;
  while (rc > 0) rc = compare_some(m, t, s, &after, err);
  sqlite3_finalize(s);
  return rc;
}

/* Selects the mirrored rows after a key: the key, and whether the row has a version up to the
 * cursor although the store has no such record. */
static void extra_sql(struct ck_buf *sql, enum ck_table t) {
  const char *name = ck_tables[t].name, *key = ck_tables[t].fields[ck_tables[t].key].name;
  ck_buf_printf(sql, "SELECT m.%s, m.version <= ?2 AND ", key);
  if (t == CK_MESSAGES)
    ck_buf_text(sql, KEYS_NONE_OF("m.id"));
  else
    ck_buf_printf(sql, "NOT EXISTS (SELECT 1 FROM main.%s a WHERE a.%s = m.%s)", name, key, key);
  ck_buf_printf(sql, " FROM mirror.%s m WHERE m.%s > ?1 ORDER BY m.%s LIMIT " EXTRA_CHUNK, name,
                key, key);
}

/* Counts among the rows after the key `after`, which moves on. 1: there may be more. */
static int count_some(struct mirror *m, sqlite3_stmt *s, struct ck_buf *after, struct ck_err *err) {
  int rc, n = 0;
  struct ck_buf last = {0};
  int64_t began = ck_mono_us();
  db_bind_str(s, 1, ck_buf_view(after));
  sqlite3_bind_int64(s, 2, m->cursor);
  for (; (rc = sqlite3_step(s)) == SQLITE_ROW; ++n) {
    m->extra += (uint64_t)sqlite3_column_int(s, 1);
    ck_buf_clear(&last);
    ck_buf_str(&last, db_str(s, 0));
  }
  int bad = rc == SQLITE_DONE ? 0 : db_fail(m->d->db, "rows of no record", err);
  sqlite3_reset(s);
  doctor_piece_rest(began);
  /* In a damaged index the last row may be before the first, and the search would never end. */
  if (bad == 0 && n && ck_str_order(ck_buf_view(&last), ck_buf_view(after)) <= 0)
    bad = ck_fail(err, "its rows are out of order after %s", ck_buf_cstr(after));
  ck_buf_free(after);
  *after = last;
  return bad ? -1 : n > 0 && !task_cancelled(m->d->task);
}

static int count_extra(struct mirror *m, enum ck_table t, struct ck_err *err) {
  struct ck_buf sql = {0}, after = {0};
  extra_sql(&sql, t);
  sqlite3_stmt *s = db_prepare(m->d->db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  int rc = s ? 1 : -1;
  while (rc > 0) rc = count_some(m, s, &after, err);
  sqlite3_finalize(s);
  ck_buf_free(&after);
  return rc;
}

static void say(struct mirror *m) {
  uint64_t head = atomic_load(&m->d->task->context->head);
  if (m->missing || m->older || m->newer || m->different)
    doctor_say(m->d, "mirror", CK_FOUND_WRONG,
               m->different && m->d->differs ? DAMAGED_ADVICE : ADVICE,
               "%s: %llu %s missing, %llu older, %llu newer, %llu different, the first: %s",
               m->file, (unsigned long long)m->missing, ck_noun(m->missing, "row", "rows"),
               (unsigned long long)m->older, (unsigned long long)m->newer,
               (unsigned long long)m->different, m->first);
  else if ((uint64_t)m->cursor < head)
    doctor_say(m->d, "mirror", CK_FOUND_NOTE,
               "syncd brings it up to date while it runs; see convkeep sync status",
               "%s: %llu %s the same, up to version %lld of %llu", m->file,
               (unsigned long long)m->rows, ck_noun(m->rows, "row is", "rows are"),
               (long long)m->cursor, (unsigned long long)head);
  else
    doctor_say(m->d, "mirror", CK_FOUND_OK, "", "%s: %llu %s the same", m->file,
               (unsigned long long)m->rows, ck_noun(m->rows, "row is", "rows are"));
  if (m->dead)
    doctor_say(m->d, "mirror", CK_FOUND_NOTE, "convkeep list dead-letters",
               "%llu %s refused by the mirror", (unsigned long long)m->dead,
               ck_noun(m->dead, "row was", "rows were"));
  if (m->extra)
    doctor_say(m->d, "mirror", CK_FOUND_NOTE,
               "from a later state over which a backup was restored, or put there by hand",
               "%llu %s to no record", (unsigned long long)m->extra,
               ck_noun(m->extra, "row belongs", "rows belong"));
}

/* A person's own triggers, views and other tables may be there (docs/syncd.md), so they are no
 * fault; but a trigger may change what is mirrored, and whoever looks for that finds it here. */
static int name_strangers(struct mirror *m, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql,
              "SELECT group_concat(what, ', ') FROM (SELECT type || ' ' || substr(name, 1, 60)"
              " AS what FROM mirror.sqlite_schema WHERE type IN ('table', 'view', 'trigger')"
              " AND name NOT GLOB 'sqlite_*' AND name NOT IN ('convkeep_mirror'");
  for (int t = 0; t < CK_TABLES; ++t)
    ck_buf_printf(&sql, ", '%s', '%s_iso'", ck_tables[t].name, ck_tables[t].name);
  ck_buf_printf(&sql, ") ORDER BY type, name LIMIT %d)", STRANGERS_SHOWN);
  sqlite3_stmt *s = db_prepare(m->d->db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
  if (rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
    doctor_say(m->d, "mirror", CK_FOUND_NOTE,
               "if they are not yours: DROP them; a trigger may change what is mirrored",
               "%s has what convkeep does not make: %s", m->file, sqlite3_column_text(s, 0));
  int bad = !s ? -1 : rc == SQLITE_ROW ? 0 : db_fail(m->d->db, m->file, err);
  sqlite3_finalize(s);
  return bad;
}

#define PAGES_ADVICE \
  "stop the ring, remove the file and its -wal and -shm, then convkeep sync backfill makes it " \
  "again. If another program wrote to it: convkeep sync repair --deep, then convkeep rebuild " \
  "seals"

/* Also those that the comparison does not need, such as a person's indexes. */
static int check_pages(struct mirror *m, struct ck_err *err) {
  struct ck_buf text = {0};
  sqlite3_stmt *s = db_prepare(m->d->db, "PRAGMA mirror.integrity_check(1)", err);
  int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
  doctor_pages(m->d, "mirror", m->file, &text);
  if (rc == SQLITE_ROW && !text.len && !ck_str_is(db_str(s, 0), "ok"))
    ck_buf_printf(&text, "%s: %s", m->file, sqlite3_column_text(s, 0));
  int bad = rc == SQLITE_ROW ? 0 : db_fail(m->d->db, m->file, err);
  sqlite3_finalize(s);
  if (text.len) doctor_say(m->d, "mirror", CK_FOUND_WRONG, PAGES_ADVICE, "%s", ck_buf_cstr(&text));
  ck_buf_free(&text);
  return bad;
}

static int compare(struct mirror *m, struct ck_err *err) {
  int rc = attach(m, err);
  if (rc == 0) rc = name_strangers(m, err);
  for (int t = 0; t < CK_TABLES && rc == 0; ++t) rc = compare_table(m, (enum ck_table)t, err);
  for (int t = 0; t < CK_TABLES && rc == 0; ++t) rc = count_extra(m, (enum ck_table)t, err);
  if (rc == 0) rc = check_pages(m, err);
  detach(m);
  if (rc == 0) say(m);
  /* A mirror that cannot be read is no fault of the database: report it, and go on. */
  if (rc && !task_cancelled(m->d->task))
    doctor_say(m->d, "mirror", CK_FOUND_WRONG, REMAKE_ADVICE, "%s could not be compared: %s",
               m->file, err->text);
  free(m->first);
  return 0;
}

#define WITNESS_ADVICE \
  "docs/operations.md, \"When the mirror does not fit\": what to do depends on the reason; " \
  "`convkeep " \
  "sync adopt` deletes there what this database does not have"

/* Its witness did not fit. name: of the mirror. 1: it is said; 0: it fits, or is not known yet. */
static int say_witness(struct doctor *d, const char *name, struct ck_err *err) {
  sqlite3_stmt *s =
      db_prepare(d->db, "SELECT alarm FROM sinks WHERE name = ?1 AND alarm <> ''", err);
  if (s) db_bind_str(s, 1, ck_str_of(name));
  int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
  if (rc == SQLITE_ROW)
    doctor_say(d, "mirror", CK_FOUND_WRONG, WITNESS_ADVICE, "%s: %s", name,
               sqlite3_column_text(s, 0));
  int said = !s ? -1 : rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_fail(d->db, "sinks", err);
  sqlite3_finalize(s);
  return said;
}

/* What the last comparison with a mirror of another machine's found. */
static int say_check(struct doctor *d, const char *sink, const char *name, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(
      d->db, "SELECT task, wrong, task GLOB '*deep' FROM checks WHERE sink = ?1 AND wrong > 0",
      err);
  if (s) db_bind_str(s, 1, ck_str_of(name));
  int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
  if (rc == SQLITE_ROW) {
    char *advice = ck_sprintf("convkeep sync repair%s --sink %s writes what differs",
                              sqlite3_column_int(s, 2) ? " --deep" : "", sink);
    doctor_say(d, "mirror", CK_FOUND_WRONG, d->differs ? DAMAGED_ADVICE : advice,
               "%s: the last comparison (%s) ended with %lld wrong %s", name,
               sqlite3_column_text(s, 0), (long long)sqlite3_column_int64(s, 1),
               ck_noun((uint64_t)sqlite3_column_int64(s, 1), "row", "rows"));
    free(advice);
  }
  int bad = !s ? -1 : rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(d->db, "checks", err);
  sqlite3_finalize(s);
  return bad;
}

static int look_at_file(struct doctor *d, struct ck_err *err) {
  struct mirror m = {.d = d,
                     .file = ck_set_text(d->task->context->settings, CK_SET_SYNC_SQLITE_FILE)};
  if (db_int(d->db, "SELECT cursor FROM sinks WHERE name = 'sqlite'", 0, &m.cursor, err)) return -1;
  if (access(m.file, F_OK) == 0) return compare(&m, err);
  if (m.cursor > 0)
    doctor_say(d, "mirror", CK_FOUND_WRONG, REMAKE_ADVICE,
               "%s: %s, although it was made up to version %lld", m.file, strerror(errno),
               (long long)m.cursor);
  else
    doctor_say(d, "mirror", CK_FOUND_NOTE, "convkeep up makes it", "%s is not there yet", m.file);
  return 0;
}

static int look_at(struct doctor *d, const char *sink, struct ck_err *err) {
  char *name = ck_settings_mirror(d->task->context->settings, sink);
  int rc = say_witness(d, name, err);
  if (rc > 0) {
    rc = 0;
  } else if (rc == 0 && strcmp(sink, "sqlite") == 0) {
    rc = look_at_file(d, err);
  } else if (rc == 0) {
    doctor_say(d, "mirror", CK_FOUND_NOTE, "", "%s: not compared here", name);
    rc = say_check(d, sink, name, err);
  }
  free(name);
  return rc;
}

int doctor_mirror(struct doctor *d, struct ck_err *err) {
  const struct ck_settings *s = d->task->context->settings;
  const char *sink;
  int rc = 0;
  for (int i = 0; rc == 0 && (sink = ck_set_word(s, CK_SET_SYNC_SINKS, i)); ++i)
    rc = look_at(d, sink, err);
  return rc;
}
