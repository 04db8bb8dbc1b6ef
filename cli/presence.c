/* The look at the locks, at /proc, and at run/up.json. The note is believed only while `up` holds
 * its lock, so one that was left by kill -9 says nothing. */
#include "cli/presence.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/time.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/lock.h"

#define FRESH_MS 5000 /* within this time a new daemon has reported, and answers */
#define NOTE "run/up.json"
#define NOTE_NEW NOTE ".new"

static const char *const lives[] = {"stopped", "restarting", "starting", "running", "still"};

/* ---- what `up` notes ---- */

void cli_presence_note(const struct cli_ring *r) {
  json_t *note = cli_ring_json(r);
  int fd = ck_open_file(AT_FDCWD, NOTE_NEW, O_WRONLY | O_CREAT | O_TRUNC, NULL);
  if (fd >= 0 && json_dumpfd(note, fd, JSON_COMPACT) == 0)
    rename(NOTE_NEW, NOTE);
  else
    unlink(NOTE_NEW);
  if (fd >= 0) close(fd);
  json_decref(note);
}

void cli_presence_forget(void) { unlink(NOTE); }

static void take_note(struct cli_process *p, const json_t *note) {
  pid_t pid = (pid_t)cli_member_int(note, "pid", 0);
  /* Somebody else has started the one that holds the lock; `up` may be trying to start another. */
  if (p->life == CLI_RUNNING && (!pid || (p->pid && p->pid != pid))) return;
  p->pid = pid;
  p->since = cli_member_int(note, "since", 0);
  p->restart_at = cli_member_int(note, "restart_at", 0);
  p->failures = (int)cli_member_int(note, "failures", 0);
  snprintf(p->reason, sizeof p->reason, "%s", cli_member(note, "reason"));
  if (p->life == CLI_RUNNING && json_is_false(json_object_get(note, "ready")))
    p->life = CLI_STARTING;
}

/* ---- locks and processes ---- */

/* The process wrote its pid file when it started. */
static void read_pid_file(struct cli_process *p, const char *path) {
  int fd = ck_open_file(AT_FDCWD, path, O_RDONLY, NULL);
  FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
  struct stat st;
  int pid;
  if (!f) return;
  if (fscanf(f, "%d", &pid) == 1 && pid > 0) p->pid = pid;
  if (fstat(fileno(f), &st) == 0) p->since = (int64_t)st.st_mtime * 1000;
  fclose(f);
}

/* The kernel's letter for what the process does; 0: there is none of that name here. One of another
 * name, with one of that name in another container, has only the same number. */
static char state_of(pid_t pid, const char *name) {
  char path[64], comm[64] = "", state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *f = pid > 0 ? fopen(path, "re") : NULL;
  if (!f) return 0;
  int n = fscanf(f, "%*d (%63[^)]) %c", comm, &state);
  fclose(f);
  return n == 2 && strcmp(comm, name) == 0 ? state : 0;
}

static bool is_stopped(pid_t pid, const char *name) { return state_of(pid, name) == 'T'; }

static const char *name_of(int which) { return cli_part_names[cli_daemon_part(which)]; }

pid_t cli_presence_pid(const struct cli_presence *p, int which) {
  pid_t pid = p->parts[which].pid;
  return state_of(pid, name_of(which)) ? pid : 0;
}

static void look_at_process(struct cli_process *p, const char *lock, const char *pid_file) {
  if (ck_lock_is_free(lock)) return;
  p->life = CLI_RUNNING;
  read_pid_file(p, pid_file);
}

static void look_at_part(struct cli_process *p, enum cli_part which, const char *label) {
  const char *place = cli_part_places[which];
  char path[CK_PLACE_MAX];
  ck_place_pid(path, label, -1);
  if (place) look_at_process(p, place, path);
  for (int k = 0; !place && k < CK_INSTANCES_MAX && p->life == CLI_STOPPED; ++k) {
    ck_place_pid(path, label, k);
    if (access(path, F_OK) == 0) look_at_process(p, path, path);
  }
}

void cli_presence_look(const struct cli *c, struct cli_presence *p) {
  json_error_t error;
  *p = (struct cli_presence){.settings = c->settings, .n = cli_daemons(c->settings)};
  look_at_process(&p->up, CLI_UP_LOCK, CLI_UP_PID);
  json_t *note = p->up.life == CLI_RUNNING ? json_load_file(NOTE, 0, &error) : NULL;
  if (note) take_note(&p->up, json_object_get(note, "up"));
  for (int i = 0; i < p->n; ++i) {
    struct cli_process *part = &p->parts[i];
    char label[CLI_LABEL_MAX];
    cli_daemon_label(p->settings, i, label);
    look_at_part(part, cli_daemon_part(i), label);
    json_t *its = json_object_get(json_object_get(note, "parts"), label);
    /* up knows nothing of a sink that was added to the settings after it started. */
    bool is_ups = p->up.life == CLI_RUNNING && (its || !note);
    if (part->life == CLI_STOPPED && is_ups) part->life = CLI_RESTARTING;
    if (its) take_note(part, its);
    if (is_stopped(part->pid, name_of(i))) {
      part->life = CLI_STILL;
      part->stopped_by_signal = true;
    }
  }
  p->up.stopped_by_signal = is_stopped(p->up.pid, "convkeep");
  if (p->up.stopped_by_signal) p->up.life = CLI_STILL;
  json_decref(note);
}

bool cli_presence_any(const struct cli_presence *p) {
  bool any = p->up.life != CLI_STOPPED;
  for (int i = 0; i < p->n; ++i) any |= p->parts[i].life != CLI_STOPPED;
  return any;
}

void cli_presence_still(struct cli_presence *p, int which) {
  struct cli_process *part = &p->parts[which];
  if (part->life == CLI_RUNNING && ck_now_ms() - part->since > FRESH_MS) part->life = CLI_STILL;
}

/* ---- in words ---- */

static void stopped_text(struct ck_buf *b, const struct cli_presence *p) {
  ck_buf_text(b, "not running; ");
  ck_buf_text(b, cli_presence_any(p)
                     ? "start it as the others were started, or end them and run convkeep up"
                     : "convkeep up starts it");
}

static void restarting_text(struct ck_buf *b, const struct cli_presence *p,
                            const struct cli_process *part, int64_t now) {
  ck_buf_text(b, "not running");
  if (part->failures > 1) ck_buf_printf(b, ", failed %d times", part->failures);
  if (part->reason[0]) ck_buf_printf(b, ": %s", part->reason);
  if (p->up.stopped_by_signal) {
    ck_buf_printf(b,
                  "; a signal has stopped convkeep up, so it is not restarted: kill -CONT %d lets "
                  "that go on",
                  (int)p->up.pid);
    return;
  }
  ck_buf_text(b, "; it is being restarted by convkeep up");
  if (part->restart_at - now >= 1000) {
    ck_buf_text(b, ", ");
    cli_relative_text(b, part->restart_at, now);
  }
}

static void still_text(struct ck_buf *b, const struct cli_presence *p,
                       const struct cli_process *part, const char *name) {
  int pid = (int)part->pid;
  if (part->stopped_by_signal)
    ck_buf_printf(b, "pid %d stands still: a signal has stopped it; kill -CONT %d lets it go on",
                  pid, pid);
  else
    ck_buf_printf(b,
                  "pid %d stands still: nothing was heard from it for 5 s; see logs/%s.log; kill "
                  "-9 %d ends it%s",
                  pid, name, pid,
                  p->up.life == CLI_STOPPED ? "" : ", and convkeep up starts it again");
}

static void alive_text(struct ck_buf *b, const struct cli_process *part, const char *name,
                       int64_t now) {
  ck_buf_printf(b, "pid %d", (int)part->pid);
  if (part->since) {
    ck_buf_text(b, part->life == CLI_STARTING ? ", starting for " : ", up ");
    cli_seconds_text(b, now - part->since);
  }
  if (part->life == CLI_STARTING) ck_buf_printf(b, "; see logs/%s.log", name);
}

void cli_presence_text(struct ck_buf *b, const struct cli_presence *p, int which, int64_t now) {
  const struct cli_process *part = &p->parts[which];
  if (part->life == CLI_STOPPED)
    stopped_text(b, p);
  else if (part->life == CLI_RESTARTING)
    restarting_text(b, p, part, now);
  else if (part->life == CLI_STILL)
    still_text(b, p, part, name_of(which));
  else
    alive_text(b, part, name_of(which), now);
}

/* ---- as JSON ---- */

static void put_known(json_t *object, const char *name, int64_t value) {
  json_object_set_new(object, name, value ? json_integer((json_int_t)value) : json_null());
}

static json_t *process_json(const struct cli_process *p) {
  json_t *object = json_object();
  json_object_set_new(object, "state", json_string(lives[p->life]));
  put_known(object, "pid", p->life == CLI_STOPPED || p->life == CLI_RESTARTING ? 0 : p->pid);
  put_known(object, "since", p->since);
  json_object_set_new(object, "stopped_by_signal", json_boolean(p->stopped_by_signal));
  put_known(object, "restart_at", p->restart_at);
  json_object_set_new(object, "failures", json_integer(p->failures));
  json_object_set_new(object, "reason", p->reason[0] ? json_string(p->reason) : json_null());
  return object;
}

json_t *cli_presence_json(const struct cli_presence *p) {
  json_t *ring = json_object(), *by_sink = json_object();
  json_object_set_new(ring, "up", process_json(&p->up));
  for (int i = 0; i < CLI_SYNCD; ++i)
    json_object_set_new(ring, cli_part_names[i], process_json(&p->parts[i]));
  for (int i = CLI_SYNCD; i < p->n; ++i)
    json_object_set_new(by_sink, cli_daemon_sink(p->settings, i), process_json(&p->parts[i]));
  json_object_set_new(ring, cli_part_names[CLI_SYNCD], by_sink);
  return ring;
}
