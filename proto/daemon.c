/* ck_daemon_main, from the flags to the exit code. */
#include "proto/daemon.h"

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/file.h"
#include "proto/folder.h"
#include "proto/log.h"
#include "proto/places.h"
#include "proto/secrets.h"

#define STOP_MS 3000
#define STOP_SPARE_MS 1000
#define STOP_POLL_MS 50
#define LOOK_MS 500 /* how often names are looked at, about */

enum { EXIT_USAGE = 2, EXIT_OTHER_RUNS = 4, EXIT_STAY_DOWN = 5 };

/* ---- waiting ---- */

void ck_wait_for(struct ck_wait *w, void *socket, int fd, short events) {
  if (w->count == CK_ITEMS_MAX) return;
  w->items[w->count++] = (zmq_pollitem_t){socket, fd, events, 0};
}

void ck_wait_until(struct ck_wait *w, int64_t boot_ms) {
  if (boot_ms < w->until) w->until = boot_ms;
}

void ck_wait_lazily(struct ck_wait *w, int64_t boot_ms) { ck_wait_until(w, boot_ms + CK_LAZY_MS); }

void ck_wait_within(struct ck_wait *w, int ms) {
  if (ms >= 0) ck_wait_until(w, ck_boot_ms() + ms);
}

static int64_t started_at;
int64_t ck_up_since(void) { return started_at; }

/* ---- one instance ---- */

static struct ck_lock instance = {.fd = -1};
static char pid_file[CK_PLACE_MAX];

struct ck_lock *ck_daemon_lock(void) {
  return &instance;
}

static bool is_one_of_many(const struct ck_daemon *d) { return !d->locks_file && !d->locks_folder; }

/* 0: this is the instance. 1: another one runs. -1 with the reason. */
static int lock_instance(const struct ck_daemon *d, const struct ck_settings *s,
                         struct ck_err *err) {
  if (is_one_of_many(d)) {
    char before[CK_PLACE_MAX];
    int k;
    const char *word = d->serves ? d->serves(s) : NULL;
    snprintf(before, sizeof before, "run/%s-%s%s", d->name, word ? word : "", word ? "-" : "");
    return ck_number_take(&instance, before, ".pid", &k, err);
  }
  int rc = d->locks_file ? ck_lock_file(&instance, d->locks_file, err)
                         : ck_lock_folder(&instance, d->locks_folder, err);
  if (rc > 0) ck_fail(err, "%s: another %s runs on this data folder", instance.path, d->name);
  if (rc) return rc;
  char path[CK_PLACE_MAX];
  ck_place_pid(path, d->name, -1);
  if (ck_pid_write(path, err)) return -1;
  memcpy(pid_file, path, sizeof pid_file);
  return 0;
}

static void unlock_instance(const struct ck_daemon *d) {
  if (instance.fd >= 0 && ck_lock_has_name(&instance))
    unlink(is_one_of_many(d) ? instance.path : pid_file); /* "": it was not written */
  ck_lock_end(&instance);
}

/* What keeps a second instance out, and others finding this one, must still have its name. */
static int look_at_names(const struct ck_daemon *d, const struct ck_settings *s) {
  struct ck_err err = {{0}};
  if (!d->locks_file && !ck_lock_has_name(&instance))
    ck_fail(&err, "%s was removed or replaced: another process could use what has that name now",
            instance.path);
  else if (ck_doors_have_names(s, &err) == 0 && pid_file[0] && access(pid_file, F_OK))
    ck_pid_write(pid_file, NULL);
  if (!err.text[0]) return 0;
  ck_log(CK_ERROR, "-", "name_lost", "reason=%s", ck_quotedz(err.text));
  return -1;
}

/* ---- flags ---- */

struct flags {
  char *data, *config;
  const char **set; /* of --set, in order; the array is on the heap */
  size_t sets;
  char **words;
  int word_count;
};

static void usage(const char *name) {
  printf("usage: %s [--data DIR] [--config FILE] [--set NAME=VALUE]… [--help] [--version]\n"
         "One of convkeep's daemons; `convkeep up` starts them all.\n",
         name);
}

static void add_set(struct flags *f, const char *assignment) {
  f->set = ck_realloc(f->set, (f->sets + 1) * sizeof *f->set);
  f->set[f->sets++] = assignment;
}

/* 0: go on. 1: done (help, version). -1: bad flags. */
static int parse_flags(int argc, char **argv, const struct ck_daemon *d, struct flags *f) {
  static const struct option options[] = {
      {"data", required_argument, NULL, 'd'}, {"config", required_argument, NULL, 'c'},
      {"set", required_argument, NULL, 's'},  {"help", no_argument, NULL, 'h'},
      {"version", no_argument, NULL, 'v'},    {NULL, 0, NULL, 0}};
  for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (c == 'd') f->data = optarg;
    if (c == 'c') f->config = optarg;
    if (c == 's') add_set(f, optarg);
    if (c == 'h') usage(d->name);
    if (c == 'v') printf("%s %s\n", d->name, CK_VERSION_TEXT);
    if (c == 'h' || c == 'v') return 1;
    if (c == '?') return -1;
  }
  if (optind < argc && !d->task) {
    fprintf(stderr, "%s: %s: unexpected word; see --help\n", d->name, argv[optind]);
    return -1;
  }
  f->words = argv + optind;
  f->word_count = argc - optind;
  return 0;
}

static int apply_sets(struct ck_settings *s, const struct flags *f, struct ck_err *err) {
  for (size_t i = 0; i < f->sets; ++i)
    if (ck_settings_assign(s, f->set[i], err)) return -1;
  return 0;
}

static struct ck_settings *load(const struct flags *f, const char *config, struct ck_err *err) {
  const char *file = config ? config : CK_PLACE_SETTINGS;
  if (!config && ck_no_other_kind(AT_FDCWD, file, err)) return ck_fail_in(err, "%s", file), NULL;
  struct ck_settings *s = ck_settings_load(file, err);
  if (s && apply_sets(s, f, err)) ck_settings_free(&s);
  return s;
}

/* ---- the loop ---- */

static int signals_open(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* To the process that started this one, if it wants to know. The descriptor stays open, so that the
 * other end sees when this process has gone; its children do not get it. */
static void tell_starter(const char *line, size_t n) {
  const char *fd = getenv("CONVKEEP_READY_FD");
  int to = fd ? atoi(fd) : 0;
  if (to <= 0) return;
  fcntl(to, F_SETFD, FD_CLOEXEC);
  ssize_t written = write(to, line, n);
  (void)written; /* nobody may listen any more */
}

static void say_ready(const char *name) {
  ck_log(CK_INFO, "-", "ready", "daemon=%s pid=%d", name, (int)getpid());
  tell_starter("ready\n", 6);
}

void ck_daemon_failed(const char *event, const char *reason) {
  char *line = ck_sprintf("failed %s\n", reason);
  ck_log(CK_ERROR, "-", event, "reason=%s", ck_quotedz(reason));
  tell_starter(line, strlen(line));
  free(line);
}

static void wait_once(const struct ck_daemon *d, void *self, int signals, bool stopping,
                      int64_t look_at) {
  struct ck_wait w = {.until = INT64_MAX};
  ck_wait_lazily(&w, look_at);
  ck_wait_for(&w, NULL, signals, ZMQ_POLLIN);
  d->wait(self, &w);
  if (stopping) ck_wait_within(&w, STOP_POLL_MS);
  int64_t left = w.until - ck_boot_ms();
  zmq_poll(w.items, w.count, left < 0 ? 0 : (long)left);
}

/* The next signal that has come; 0: none. */
static int next_signal(int signals) {
  struct signalfd_siginfo info;
  return read(signals, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

/* How the settings are loaded. */
static const struct flags *given;
static const char *given_config;

char **ck_daemon_flags(void) {
  char **words = ck_zalloc((2 * given->sets + 5) * sizeof *words);
  size_t n = 0;
  words[n++] = ck_strdup("--data");
  words[n++] = ck_absolute(".");
  if (given_config) words[n++] = ck_strdup("--config");
  if (given_config) words[n++] = ck_strdup(given_config);
  for (size_t i = 0; i < given->sets; ++i) {
    words[n++] = ck_strdup("--set");
    words[n++] = ck_strdup(given->set[i]);
  }
  return words;
}

static void read_again(const struct ck_daemon *d, void *self) {
  struct ck_err err;
  if (!d->again) return;
  struct ck_settings *s = load(given, given_config, &err);
  if (!s) {
    ck_log(CK_ERROR, "-", "settings_refused", "reason=%s", ck_quotedz(err.text));
    return;
  }
  ck_log(CK_INFO, "-", "settings_read", "daemon=%s", d->name);
  d->again(self, s);
  ck_settings_free(&s);
}

/* Boot: when the loop ends anyway, if it is to stop now. */
static int64_t stops_by(const struct ck_daemon *d, const struct ck_settings *s) {
  return ck_boot_ms() + (d->stop_ms ? d->stop_ms(s) : STOP_MS) + STOP_SPARE_MS;
}

static int loop(const struct ck_daemon *d, void *self, const struct ck_settings *s, int signals) {
  bool ready = false, lost = false;
  int64_t stop_by = 0, look_at = 0;
  for (;;) {
    int rc = d->turn(self);
    if (rc) return rc == CK_STAY_DOWN ? EXIT_STAY_DOWN : 1;
    if (!lost && ck_boot_ms() >= look_at) {
      look_at = ck_boot_ms() + LOOK_MS;
      lost = look_at_names(d, s) != 0;
      if (lost && !stop_by) stop_by = stops_by(d, s);
    }
    if (!ready && d->ready(self)) {
      ready = true;
      say_ready(d->name);
    }
    if (stop_by && (d->stop(self) || ck_boot_ms() >= stop_by)) return lost;
    wait_once(d, self, signals, stop_by != 0, look_at);
    int signal = next_signal(signals);
    if (signal == SIGHUP) read_again(d, self);
    if (signal && signal != SIGHUP && !stop_by) {
      ck_log(CK_INFO, "-", "stopping", "daemon=%s", d->name);
      stop_by = stops_by(d, s);
    }
  }
}

static int run(const struct ck_daemon *d, const struct ck_settings *s, int signals) {
  struct ck_err err = {{0}};
  void *self = NULL;
  int rc = ck_check_start(s, d->name, d->check, &err) ? -1 : d->start(&self, s, &err);
  if (rc) {
    ck_daemon_failed("start_failed", err.text);
    return rc == CK_STAY_DOWN ? EXIT_STAY_DOWN : 1;
  }
  rc = loop(d, self, s, signals);
  d->end(self);
  return rc;
}

void ck_task_say(struct ck_str line) {
  fwrite(line.s, 1, line.n, stdout);
  fputc('\n', stdout);
  fflush(stdout);
}

static int run_task(const struct ck_daemon *d, const struct ck_settings *s, const struct flags *f) {
  int rc = d->task(s, f->word_count, f->words);
  ck_context_end();
  return rc;
}

int ck_daemon_main(int argc, char **argv, const struct ck_daemon *d) {
  struct flags f = {0};
  struct ck_err err = {{0}};
  ck_secrets_take(d->keeps_secrets);
  if (d->keeps_secrets) ck_secrets_keep_in();
  ck_log_setup(d->name, CK_INFO);
  int rc = parse_flags(argc, argv, d, &f);
  if (rc) {
    free(f.set);
    return rc > 0 ? 0 : EXIT_USAGE;
  }
  umask(077);
  started_at = ck_now_ms();
  /* The path is relative to the caller's working directory, which changes before the file is
   * read. */
  char *config = f.config ? ck_absolute(f.config) : NULL, *dir = ck_data_dir(f.data, &err);
  struct ck_settings *s = NULL;
  rc = EXIT_USAGE;
  if (!dir) goto out;
  /* A task's caller has made the folder, unless the task needs none (syncd's print). */
  if ((f.word_count ? ck_data_visit(dir, &err) : ck_data_enter(dir, &err)) < 0) goto out;
  given = &f;
  given_config = config;
  if (!(s = load(given, given_config, &err))) goto out;
  enum ck_level level;
  if (ck_log_level_parse(ck_set_text(s, CK_SET_LOG_LEVEL), &level) == 0)
    ck_log_setup(d->name, level);
  if (f.word_count) {
    rc = run_task(d, s, &f);
    goto out;
  }
  rc = lock_instance(d, s, &err);
  if (rc) {
    rc = rc > 0 ? EXIT_OTHER_RUNS : 1;
    goto out;
  }
  rc = run(d, s, signals_open());
  ck_context_end();
out:
  unlock_instance(d);
  /* Not an error: of two commands that both start a missing daemon, one finds the other's. */
  if (err.text[0])
    ck_log(rc == EXIT_OTHER_RUNS ? CK_INFO : CK_ERROR, "-",
           rc == EXIT_OTHER_RUNS ? "other_runs" : "start_failed", "reason=%s",
           ck_quotedz(err.text));
  ck_settings_free(&s);
  free(f.set);
  free(config);
  free(dir);
  return rc;
}
