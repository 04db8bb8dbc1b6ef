/* Supervises the daemons; see ring.h. Signals arrive through a signalfd, readiness through a pipe
 * per part. spawn.c starts the processes. */
#include "cli/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/spawn.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/lock.h"
#include "proto/log.h"

/* The restart delay: first, longest, and after how long a life it starts over. */
#define BACKOFF_MS 100
#define BACKOFF_MAX_MS 5000
#define STEADY_MS 10000
/* A part that has never been ready fails the ring after FAILURES_MAX failures, or at once if it
 * exits with 2; any part that must stay down does so at once. If another process holds its lock, it
 * fails the ring only after PATIENCE_MS, because a command's private store may hold it for a
 * moment; it is retried every HELD_MAX_MS meanwhile. */
#define PATIENCE_MS 5000
#define HELD_MAX_MS 300
#define FAILURES_MAX 4
/* A daemon's exit code if another instance holds its lock (proto/daemon.h). */
#define HELD_ELSEWHERE 4
/* Its exit code if it must not be started again before a person has looked. */
#define STAYS_DOWN 5
/* When stopping, from the first SIGTERM on: SIGTERM to the store, SIGKILL to everything left. Both
 * are later by what renewd may wait for its commands beyond RING_GRACE_MS. */
#define STORE_TERM_MS 2500
#define TERM_MS 4500
#define RING_GRACE_MS 2000

const char *const cli_part_names[CLI_PARTS] = {"store", "ingest", "renewd", "webd", "syncd"};

const char *const cli_part_places[CLI_PARTS] = {CK_PLACE_DATABASE, CK_PLACE_SPOOL,
                                                CK_PLACE_ATTEMPTS, CK_PLACE_WEB, NULL};

struct part {
  enum cli_part kind;
  char label[CLI_LABEL_MAX];
  bool wanted, ready_once;
  bool is_ready, says_why; /* the present process */
  pid_t pid;               /* 0: not running */
  int ready;               /* the readiness pipe; -1: not running */
  int failures, code, backoff;
  /* Why it could not start, in its own words; or "". */
  char reason[sizeof((struct ck_err *)0)->text];
  int64_t started_at;   /* boot clock, ms */
  int64_t started_wall; /* the same on the wall clock */
  int64_t start_at;     /* when to start it, boot clock; 0: not scheduled */
};

struct cli_ring {
  struct cli *c;
  struct part parts[CLI_DAEMONS_MAX];
  int n;
  int signals, death_signal;
  sigset_t before;
  int64_t born_at;
  unsigned changes; /* of parts */
  bool asked, ending, failed;
  struct ck_err reason;
};

int cli_daemons(const struct ck_settings *s) {
  int n = CLI_SYNCD;
  while (cli_daemon_sink(s, n)) ++n;
  return n;
}

enum cli_part cli_daemon_part(int i) { return i < CLI_SYNCD ? (enum cli_part)i : CLI_SYNCD; }

const char *cli_daemon_sink(const struct ck_settings *s, int i) {
  return i < CLI_SYNCD ? NULL : ck_set_word(s, CK_SET_SYNC_SINKS, i - CLI_SYNCD);
}

void cli_daemon_label(const struct ck_settings *s, int i, char out[CLI_LABEL_MAX]) {
  const char *sink = cli_daemon_sink(s, i);
  snprintf(out, CLI_LABEL_MAX, "%s%s%s", cli_part_names[cli_daemon_part(i)], sink ? "-" : "",
           sink ? sink : "");
}

/* ---- starting ---- */

static void schedule(struct cli_ring *r, struct part *p) {
  int64_t now = ck_boot_ms();
  if (now - p->started_at > STEADY_MS) p->backoff = 0;
  int most = p->code == HELD_ELSEWHERE ? HELD_MAX_MS : BACKOFF_MAX_MS;
  p->backoff = p->backoff == 0 ? BACKOFF_MS : p->backoff * 2 > most ? most : p->backoff * 2;
  p->start_at = r->ending || p->code == STAYS_DOWN ? 0 : now + p->backoff;
}

/* Decides whether a part that failed before it was ever ready fails the whole ring. */
static void judge(struct cli_ring *r, const struct part *p) {
  const char *name = cli_part_names[p->kind], *label = p->label;
  bool late = ck_boot_ms() - r->born_at > PATIENCE_MS;
  if (r->failed) return;
  r->failed = true;
  if (p->code == CLI_SPAWN_FAILED)
    ck_fail(&r->reason,
            "%s cannot be executed: is it installed as ../libexec/convkeep/%s beside this program?",
            name, name);
  else if (p->code == HELD_ELSEWHERE && late)
    ck_fail(
        &r->reason,
        "another %s runs on this folder: stop it first (run/%s.pid has its pid), or use another "
        "--data",
        label, label);
  else if (p->code == STAYS_DOWN && p->reason[0])
    ck_fail(&r->reason, "%s", p->reason);
  else if (p->code == 2 || p->code == STAYS_DOWN ||
           (p->code != HELD_ELSEWHERE && p->failures >= FAILURES_MAX))
    p->reason[0]
        ? ck_fail(&r->reason, "%s does not start: %s", label, p->reason)
        : ck_fail(&r->reason, "%s does not start (exit %d); see logs/%s.log", label, p->code, name);
  else
    r->failed = false;
}

static void start(struct cli_ring *r, int i) {
  struct part *p = &r->parts[i];
  ++r->changes;
  p->start_at = 0;
  p->is_ready = p->says_why = false;
  p->started_at = ck_boot_ms();
  p->started_wall = ck_now_ms();
  struct ck_err err;
  p->pid = cli_spawn(r->c, cli_part_names[p->kind], cli_daemon_sink(r->c->settings, i),
                     r->death_signal, &r->before, &p->ready, &err);
  if (p->pid > 0) return;
  p->pid = 0;
  p->ready = -1;
  snprintf(p->reason, sizeof p->reason, "%s", err.text);
  ++p->failures;
  schedule(r, p);
  if (p->ready_once) {
    ck_log(CK_ERROR, p->label, "start_failed", "reason=%s", ck_quotedz(err.text));
  } else if (!r->failed) {
    r->failed = true;
    r->reason = err;
  }
}

/* The others start when the store is first ready; after that each is restarted on its own. */
static void start_others(struct cli_ring *r) {
  for (int i = CLI_STORE + 1; i < r->n; ++i)
    if (r->parts[i].wanted && !r->parts[i].started_at) start(r, i);
}

static int open_signals(struct cli_ring *r, bool signals) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  if (signals) {
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
  }
  if (sigprocmask(SIG_BLOCK, &set, &r->before)) return -1;
  r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return r->signals < 0 ? -1 : 0;
}

struct cli_ring *cli_ring_new(struct cli *c, unsigned parts, int death_signal, bool signals,
                              struct ck_err *err) {
  struct cli_ring *r = ck_zalloc(sizeof *r);
  r->c = c;
  r->death_signal = death_signal;
  r->born_at = ck_boot_ms();
  if (open_signals(r, signals)) {
    ck_fail(err, "signalfd: %s", strerror(errno));
    free(r);
    return NULL;
  }
  r->n = cli_daemons(c->settings);
  for (int i = 0; i < r->n; ++i) {
    struct part *p = &r->parts[i];
    p->kind = cli_daemon_part(i);
    cli_daemon_label(c->settings, i, p->label);
    p->wanted = (parts & CLI_PART(p->kind)) != 0;
    p->ready = -1;
  }
  start(r, CLI_STORE);
  return r;
}

/* ---- watching ---- */

static void take_line(struct cli_ring *r, struct part *p, const char *line) {
  static const char failed[] = "failed ";
  p->says_why = strncmp(line, failed, sizeof failed - 1) == 0;
  snprintf(p->reason, sizeof p->reason, "%s", p->says_why ? line + sizeof failed - 1 : "");
  if (p->says_why) return;
  p->is_ready = true;
  p->failures = 0;
  if (p == &r->parts[CLI_STORE] && !p->ready_once) start_others(r);
  p->ready_once = true;
}

/* Reads the part's lines, "ready" or "failed REASON" (proto/daemon.h). */
static void take_readiness(struct cli_ring *r, struct part *p) {
  char lines[sizeof p->reason + 64] = {0}, *rest = lines;
  ssize_t n = read(p->ready, lines, sizeof lines - 1);
  if (n < 0) return;
  ++r->changes;
  for (char *line; (line = strsep(&rest, "\n"));)
    if (*line) take_line(r, p, line);
  if (n > 0) return;
  close(p->ready); /* it died or is about to; SIGCHLD follows */
  p->ready = -1;
}

static void exited(struct cli_ring *r, struct part *p, int status) {
  const char *name = p->label;
  p->pid = 0;
  if (p->ready >= 0) take_readiness(r, p);
  if (p->ready >= 0) close(p->ready);
  p->ready = -1;
  if (!p->says_why) p->reason[0] = '\0';
  if (r->ending) return;
  ++r->changes;
  ++p->failures;
  p->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  schedule(r, p);
  /* Another process holding the store for a moment is not worth a warning, and what stays down is
   * reported by the ring's end. */
  enum ck_level level = p->code == HELD_ELSEWHERE || p->code == STAYS_DOWN ? CK_DEBUG : CK_WARN;
  if (WIFSIGNALED(status))
    ck_log(level, name, "died", "signal=%d restart_in_ms=%d", WTERMSIG(status), p->backoff);
  else
    ck_log(level, name, "died", "exit=%d restart_in_ms=%d", p->code, p->backoff);
  if (!p->ready_once || p->code == STAYS_DOWN) judge(r, p);
}

static void reap(struct cli_ring *r) {
  for (int i = 0; i < r->n; ++i) {
    int status;
    if (r->parts[i].pid && waitpid(r->parts[i].pid, &status, WNOHANG) == r->parts[i].pid)
      exited(r, &r->parts[i], status);
  }
}

static void take_signals(struct cli_ring *r) {
  struct signalfd_siginfo info;
  while (read(r->signals, &info, sizeof info) == (ssize_t)sizeof info)
    if (info.ssi_signo != SIGCHLD) r->asked = true;
}

int cli_ring_fds(const struct cli_ring *r, struct pollfd *fds) {
  int n = 0;
  fds[n++] = (struct pollfd){r->signals, POLLIN, 0};
  for (int i = 0; i < r->n; ++i)
    if (r->parts[i].ready >= 0) fds[n++] = (struct pollfd){r->parts[i].ready, POLLIN, 0};
  return n;
}

int cli_ring_step(struct cli_ring *r) {
  take_signals(r);
  for (int i = 0; i < r->n; ++i)
    if (r->parts[i].ready >= 0) take_readiness(r, &r->parts[i]);
  reap(r);
  int64_t now = ck_boot_ms(), next = INT64_MAX;
  for (int i = 0; i < r->n; ++i) {
    if (r->parts[i].start_at && r->parts[i].start_at <= now) start(r, i);
    if (r->parts[i].start_at && r->parts[i].start_at < next) next = r->parts[i].start_at;
  }
  return next == INT64_MAX ? -1 : next > now ? (int)(next - now) : 0;
}

bool cli_ring_ready(const struct cli_ring *r) {
  for (int i = 0; i < r->n; ++i)
    if (r->parts[i].wanted && !r->parts[i].ready_once) return false;
  return true;
}

bool cli_ring_asked_to_end(const struct cli_ring *r) { return r->asked; }

bool cli_ring_failed(const struct cli_ring *r, struct ck_err *err) {
  if (r->failed) *err = r->reason;
  return r->failed;
}

static bool elsewhere(const struct part *p) { return !p->pid && p->code == HELD_ELSEWHERE; }

bool cli_ring_elsewhere(const struct cli_ring *r) {
  return elsewhere(&r->parts[CLI_STORE]) || elsewhere(&r->parts[CLI_INGEST]);
}

int64_t cli_ring_started(const struct cli_ring *r, int i) {
  return r->parts[i].pid ? r->parts[i].started_wall : 0;
}

/* ---- telling ---- */

unsigned cli_ring_changes(const struct cli_ring *r) { return r->changes; }

/* Why the part's last process is gone. */
static void reason_text(struct ck_buf *b, const struct part *p) {
  if (p->reason[0])
    ck_buf_text(b, p->reason);
  else if (p->code > 128)
    ck_buf_printf(b, "signal %d ended it", p->code - 128);
  else
    ck_buf_printf(b, "it ended with %d, see logs/%s.log", p->code, cli_part_names[p->kind]);
}

static json_t *part_json(const struct part *p) {
  struct ck_buf reason = {0};
  if (p->failures) reason_text(&reason, p);
  int64_t restart_at = p->start_at ? ck_now_ms() + p->start_at - ck_boot_ms() : 0;
  json_t *part = json_pack("{s:I, s:I, s:b, s:I, s:i, s:s%}", "pid", (json_int_t)p->pid, "since",
                           (json_int_t)p->started_wall, "ready", p->pid && p->is_ready,
                           "restart_at", (json_int_t)restart_at, "failures", p->failures, "reason",
                           reason.data ? reason.data : "", reason.len);
  ck_buf_free(&reason);
  return part;
}

json_t *cli_ring_json(const struct cli_ring *r) {
  int64_t since = ck_now_ms() - (ck_boot_ms() - r->born_at);
  json_t *ring =
             json_pack("{s:{s:i, s:I}}", "up", "pid", (int)getpid(), "since", (json_int_t)since),
         *parts = json_object();
  for (int i = 0; i < r->n; ++i)
    if (r->parts[i].wanted) json_object_set_new(parts, r->parts[i].label, part_json(&r->parts[i]));
  json_object_set_new(ring, "parts", parts);
  return ring;
}

/* ---- ending ---- */

static void send_signal(struct cli_ring *r, unsigned mask, int signal_number) {
  for (int i = 0; i < r->n; ++i)
    if ((mask & CLI_PART(r->parts[i].kind)) && r->parts[i].pid)
      kill(r->parts[i].pid, signal_number);
}

static bool gone(const struct cli_ring *r, unsigned mask) {
  for (int i = 0; i < r->n; ++i)
    if ((mask & CLI_PART(r->parts[i].kind)) && r->parts[i].pid) return false;
  return true;
}

/* Waits until these parts are gone, or until `until`, or for another signal such as a second ^C. */
static void wait_gone(struct cli_ring *r, unsigned mask, int64_t until) {
  r->asked = false;
  while (!gone(r, mask) && !r->asked) {
    int64_t left = until - ck_boot_ms();
    if (left <= 0) return;
    struct pollfd fd = {r->signals, POLLIN, 0};
    poll(&fd, 1, (int)left);
    take_signals(r);
    reap(r);
  }
}

static void kill_rest(struct cli_ring *r) {
  for (int i = 0; i < r->n; ++i) {
    if (!r->parts[i].pid) continue;
    ck_log(CK_WARN, r->parts[i].label, "killed", "pid=%d reason=%s", (int)r->parts[i].pid,
           ck_quotedz("it did not end when asked"));
    kill(r->parts[i].pid, SIGKILL);
    waitpid(r->parts[i].pid, NULL, 0);
    r->parts[i].pid = 0;
  }
}

static void sweep_part(const struct cli_ring *r, enum cli_part which) {
  static const enum ck_door of_store[] = {CK_DOOR_INTAKE, CK_DOOR_FEED, CK_DOOR_WORK,
                                          CK_DOOR_SNAPSHOT};
  char path[CK_PLACE_MAX];
  if (!ck_lock_is_free(cli_part_places[which])) return;
  for (size_t i = 0; which == CLI_STORE && i < sizeof of_store / sizeof *of_store; ++i)
    ck_door_unlink(r->c->settings, of_store[i]);
  if (which == CLI_INGEST) ck_door_unlink(r->c->settings, CK_DOOR_OBSERVE);
  if (which == CLI_WEBD) unlink(CK_PLACE_WEB_ADDRESS);
  ck_place_pid(path, cli_part_names[which], -1);
  unlink(path);
}

/* Removes the sockets and pid files that killed parts left behind, unless another process runs that
 * part on this folder. */
static void sweep(const struct cli_ring *r) {
  char path[CK_PLACE_MAX];
  for (enum cli_part i = 0; i < CLI_PARTS; ++i)
    if (cli_part_places[i]) sweep_part(r, i);
  for (int i = CLI_SYNCD; i < r->n; ++i)
    for (int k = 0; k < CK_INSTANCES_MAX; ++k) {
      ck_place_pid(path, r->parts[i].label, k);
      if (ck_lock_is_free(path)) unlink(path);
    }
}

static int64_t longer_grace(const struct cli_ring *r) {
  int64_t grace = ck_set_int(r->c->settings, CK_SET_RENEW_STOP_GRACE);
  return grace > RING_GRACE_MS ? grace - RING_GRACE_MS : 0;
}

void cli_ring_end(struct cli_ring **ring) {
  struct cli_ring *r = *ring;
  if (!r) return;
  const unsigned store = CLI_PART(CLI_STORE), all = ~0u, others = all & ~store;
  int64_t from = ck_boot_ms() + longer_grace(r);
  r->ending = true;
  send_signal(r, others, SIGTERM);
  wait_gone(r, others, from + STORE_TERM_MS);
  if (!r->asked) {
    send_signal(r, store, SIGTERM);
    wait_gone(r, all, from + TERM_MS);
  }
  kill_rest(r);
  sweep(r);
  for (int i = 0; i < r->n; ++i)
    if (r->parts[i].ready >= 0) close(r->parts[i].ready);
  close(r->signals);
  sigprocmask(SIG_SETMASK, &r->before, NULL);
  free(r);
  *ring = NULL;
}
