/* inotify: the folders that are watched, and the events. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "ingest/watch/watch_inner.h"
#include "proto/clock.h"
#include "proto/log.h"

#define EVENTS_ROOM (64u << 10)
#define IN_FOLDER \
  (IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | \
   IN_MOVE_SELF | IN_EXCL_UNLINK | IN_ONLYDIR)

static struct watch_folder **bucket(struct ingest_watch *w, int wd) {
  return &w->folders[(unsigned)wd % WATCH_BUCKETS];
}

static struct watch_folder *folder_of(struct ingest_watch *w, int wd) {
  struct watch_folder *f = *bucket(w, wd);
  while (f && f->wd != wd) f = f->next;
  return f;
}

static void forget(struct ingest_watch *w, struct watch_folder *folder) {
  struct watch_folder **at = bucket(w, folder->wd);
  while (*at != folder) at = &(*at)->next;
  *at = folder->next;
  free(folder->path);
  free(folder);
}

void watch_folders_begin(struct ingest_watch *w) {
  w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (w->fd < 0)
    ck_log(CK_WARN, "-", "watch_without_events", "reason=%s", ck_quotedz(strerror(errno)));
}

void watch_folders_end(struct ingest_watch *w) {
  for (size_t i = 0; i < WATCH_BUCKETS; ++i)
    while (w->folders[i]) forget(w, w->folders[i]);
  watch_folders_alone(w);
  if (w->fd >= 0) close(w->fd);
  w->fd = -1;
}

void watch_make_slow(struct watch_root *root, const char *why) {
  if (!root->slow)
    ck_log(CK_WARN, "-", "watch_slow", "folder=%s reason=%s", ck_quotedz(root->of.folder),
           ck_quotedz(why));
  root->slow = why;
  root->still_slow = true;
}

int watch_folder_add(struct ingest_watch *w, struct watch_root *root, const char *path) {
  bool is_root = strcmp(path, root->of.folder) == 0; /* which may be a symbolic link */
  uint32_t mask = is_root ? IN_FOLDER : IN_FOLDER | IN_DONT_FOLLOW;
  int wd = w->fd < 0 ? -1 : inotify_add_watch(w->fd, path, mask);
  if (wd < 0) {
    if (w->fd >= 0 && errno != ENOSPC && errno != ENOMEM) return -1;
    watch_make_slow(root, w->fd < 0 ? "the system gives no events: fs.inotify.max_user_instances"
                                    : "there are more folders than fs.inotify.max_user_watches");
    return 0;
  }
  struct watch_folder *f = folder_of(w, wd);
  if (!f) {
    f = ck_zalloc(sizeof *f);
    f->wd = wd;
    f->next = *bucket(w, wd);
    *bucket(w, wd) = f;
  }
  free(f->path);
  f->path = ck_strdup(path);
  f->root = root;
  return 0;
}

void watch_folder_above(struct ingest_watch *w, const char *path) {
  if (w->fd < 0) return;
  int wd = inotify_add_watch(w->fd, path,
                             IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
                                 IN_MASK_ADD);
  for (size_t i = 0; i < w->above_count; ++i)
    if (w->above[i] == wd) return;
  if (wd < 0) return;
  w->above = ck_realloc(w->above, (w->above_count + 1) * sizeof *w->above);
  w->above[w->above_count++] = wd;
}

void watch_folders_alone(struct ingest_watch *w) {
  for (size_t i = 0; i < w->above_count; ++i)
    if (!folder_of(w, w->above[i])) inotify_rm_watch(w->fd, w->above[i]);
  free(w->above);
  w->above = NULL;
  w->above_count = 0;
}

/* ---- what has happened ---- */

bool watch_is_in(const char *path, const char *folder) {
  size_t n = strlen(folder);
  return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

struct losing {
  struct ingest_watch *w;
  const char *folder;
};

static void lose(void *self, struct watch_row *row) {
  const struct losing *l = self;
  if (row->root && watch_is_in(row->path, l->folder)) watch_lost(l->w, row);
}

/* A folder was removed, or has another name: under that it is scanned again. */
static void lose_folder(struct ingest_watch *w, const char *path) {
  struct losing l = {w, path};
  for (size_t i = 0; i < WATCH_BUCKETS; ++i)
    for (struct watch_folder *f = w->folders[i], *next; f; f = next) {
      next = f->next;
      if (!watch_is_in(f->path, path)) continue;
      inotify_rm_watch(w->fd, f->wd);
      forget(w, f);
    }
  watch_table_each(w->table, lose, &l);
}

static void in_file(struct ingest_watch *w, struct watch_root *root, const char *path,
                    uint32_t mask) {
  struct watch_row *row = watch_table_at(w->table, path);
  struct stat st;
  if (row && row->due_at && !(mask & (IN_DELETE | IN_MOVED_FROM))) return;
  if (lstat(path, &st) == 0)
    watch_found(w, root, path, &st, mask & IN_CREATE ? WATCH_BORN : WATCH_OLD);
  else if (row)
    watch_lost(w, row);
}

static void in_folder(struct ingest_watch *w, const struct watch_folder *f,
                      const struct inotify_event *e) {
  char *path = ck_sprintf("%s/%s", f->path, e->name);
  struct watch_root *root = f->root;
  if (!(e->mask & IN_ISDIR)) {
    if (ck_watched_is_log(e->name)) in_file(w, root, path, e->mask);
  } else if (e->mask & (IN_MOVED_FROM | IN_DELETE)) {
    lose_folder(w, path);
  } else if (e->mask & (IN_CREATE | IN_MOVED_TO | IN_ATTRIB)) {
    watch_scan_folder(w, root, path, e->mask & IN_CREATE ? WATCH_BORN : WATCH_OLD);
  }
  free(path);
}

static void rescan_all(struct ingest_watch *w) {
  ck_log(CK_INFO, "-", "watch_rescan", "reason=\"events were lost\"");
  for (size_t i = 0; i < w->root_count; ++i) watch_scan_root(w, &w->roots[i]);
}

static void take(struct ingest_watch *w, const struct inotify_event *e) {
  struct watch_folder *f = folder_of(w, e->wd);
  if (e->mask & IN_Q_OVERFLOW) {
    rescan_all(w);
    return;
  }
  bool made = (e->mask & IN_ISDIR) && (e->mask & (IN_CREATE | IN_MOVED_TO));
  if (made || !f) w->missing = true;
  if (!f) return;
  if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) {
    bool is_root = strcmp(f->path, f->root->of.folder) == 0;
    if (is_root) watch_scan_root(w, f->root);
    if (e->mask & IN_IGNORED) forget(w, f);
  } else if (e->len) {
    in_folder(w, f, e);
  } else if (e->mask & IN_ATTRIB) {
    watch_scan_folder(w, f->root, f->path, WATCH_OLD);
  }
}

void watch_folders_read(struct ingest_watch *w) {
  char buf[EVENTS_ROOM] __attribute__((aligned(__alignof__(struct inotify_event))));
  ssize_t n = w->fd < 0 ? -1 : read(w->fd, buf, sizeof buf);
  for (ssize_t at = 0; at < n;) {
    const struct inotify_event *e = (const struct inotify_event *)(void *)(buf + at);
    take(w, e);
    at += (ssize_t)sizeof *e + (ssize_t)e->len;
  }
}
