/* The readable files: what each form costs the writers, and how long writing the files of 100,000
 * messages again takes; of the form `records` also how far the thread is behind at 2,000 messages a
 * second, and how fast a folder with a million files is. BENCH_FILES: the number of files in that
 * folder; 0 leaves this out. */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/producer.h"
#include "proto/clock.h"
#include "store/files/artifact_folder.h"
#include "store/files/static_path.h"

#define OFFERED 2000
#define SECONDS 5
#define CHANGESETS 40000
#define IN_FLIGHT 256
#define REBUILT 100000
#define FILES 1000000
#define FILE_BYTES 700
#define DAY_FOLDER "msg/2026/01/01"
#define SAMPLES 300
#define WATCH_EVERY 20 /* the files of every n-th message are waited for */
#define LOOK_US 1000
#define WAIT_MS 120000

/* Each store gets a new folder, and all of them are deleted only at the end: ext4 does not reuse a
 * deleted file's inode for some minutes, and looks at all such inodes whenever it creates a file.
 */
static int folders;

static void enter(void) {
  char name[32];
  snprintf(name, sizeof name, "artifacts-%d", folders++);
  bench_enter(name);
}

static void leave_all(void) {
  char name[32];
  while (folders) {
    snprintf(name, sizeof name, "artifacts-%d", --folders);
    bench_return(name);
    bench_leave();
  }
}

/* Waits until the files of everything stored are written. Returns the milliseconds. */
static double catch_up(void) {
  int64_t began = ck_boot_ms();
  for (;;) {
    json_t *status = bench_ask("status", NULL), *artifacts = json_object_get(status, "artifacts");
    bool all = artifacts && json_integer_value(json_object_get(artifacts, "cursor")) >=
                                json_integer_value(json_object_get(status, "version"));
    json_decref(status);
    if (all) return (double)(ck_boot_ms() - began);
    if (ck_boot_ms() > began + WAIT_MS)
      bench_fail("the files are not made within %d s", WAIT_MS / 1000);
    usleep(20 * LOOK_US);
  }
}

/* ---- how far behind ---- */

struct watch {
  char **file; /* of every WATCH_EVERY-th message */
  int64_t *stood_at;
  size_t n;
};

static struct watch watch_new(const struct bench_load *load) {
  struct watch w = {.n = load->n / WATCH_EVERY};
  w.file = ck_alloc(w.n * sizeof *w.file);
  w.stood_at = ck_alloc(w.n * sizeof *w.stood_at);
  for (size_t i = 0; i < w.n; ++i) {
    struct ck_row rows[BENCH_ROWS];
    struct ck_arena arena = {0};
    struct ck_buf path = {0};
    bench_load_rows(rows, load->changesets[i * WATCH_EVERY], &arena);
    ck_buf_text(&path, ARTIFACT_FOLDER "/");
    static_path_file(&path, ck_row_text(&rows[0], CK_MESSAGES_STATIC_PATH), ".json");
    w.file[i] = ck_strdup(ck_buf_cstr(&path));
    ck_buf_free(&path);
    ck_arena_free(&arena);
  }
  return w;
}

static void watch_free(struct watch *w) {
  for (size_t i = 0; i < w->n; ++i) free(w->file[i]);
  free(w->file);
  free(w->stood_at);
}

/* Waits for the watched files, one after another, and notes when each appears. */
static void *see(void *self) {
  struct watch *w = self;
  struct stat st;
  int64_t give_up = ck_boot_ms() + WAIT_MS;
  for (size_t i = 0; i < w->n; ++i) {
    while (stat(w->file[i], &st)) {
      if (ck_boot_ms() > give_up)
        bench_fail("%s is not made within %d s", w->file[i], WAIT_MS / 1000);
      usleep(LOOK_US);
    }
    w->stood_at[i] = ck_mono_us();
  }
  return NULL;
}

/* ms: from when a message is due until its files are written. last: from the last receipt until all
 * files are written, including those of sessions and the index. */
static void keep_up(struct bench_series *ms, struct bench_series *last, uint64_t seed) {
  struct bench_load load = bench_load_make(OFFERED * SECONDS, seed);
  struct bench_pushed pushed;
  struct watch w = watch_new(&load);
  pthread_t thread;
  enter();
  pid_t store = bench_daemon("store");
  if (pthread_create(&thread, NULL, see, &w)) bench_fail("no thread");
  int64_t *due_at = bench_push_due(
      &load, &(struct bench_pace){.in_flight = IN_FLIGHT, .offered = OFFERED}, &pushed);
  bench_add(last, catch_up());
  pthread_join(thread, NULL);
  for (size_t i = 0; i < w.n; ++i)
    bench_add(ms, (double)(w.stood_at[i] - due_at[i * WATCH_EVERY]) / 1000);
  bench_stop(&store);
  free(due_at);
  watch_free(&w);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
}

/* ---- what they cost the writers, and writing them again ---- */

static double push(size_t n, uint64_t seed) {
  struct bench_load load = bench_load_make(n, seed);
  struct bench_pushed pushed;
  bench_push(&load, &(struct bench_pace){.in_flight = IN_FLIGHT}, &pushed);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
  return pushed.rate;
}

/* A file in place of the folder keeps the store from creating any in it. No store starts then. */
static void put_in_the_way(void) {
  FILE *way = rename(ARTIFACT_FOLDER, "away") ? NULL : fopen(ARTIFACT_FOLDER, "w");
  if (!way || fclose(way)) bench_fail(ARTIFACT_FOLDER ": cannot be made a file");
}

static double rate(bool files, uint64_t seed) {
  enter();
  pid_t store = bench_daemon("store");
  if (!files) put_in_the_way();
  double rate = push(CHANGESETS, seed);
  bench_stop(&store);
  return rate;
}

static double again(void) {
  json_t *said = bench_ask("rebuild", "artifacts");
  double seconds = (double)json_integer_value(json_object_get(said, "ms")) / 1000;
  json_decref(said);
  return seconds;
}

/* The seconds to write all files again: over the existing ones, and into a new folder. */
static void rebuild(double *over, double *fresh, uint64_t seed) {
  enter();
  pid_t store = bench_daemon("store");
  push(REBUILT, seed);
  catch_up();
  *over = again();
  if (rename(ARTIFACT_FOLDER, "before")) bench_fail("cannot be renamed");
  *fresh = again();
  bench_stop(&store);
}

/* ---- a million ---- */

struct crowd {
  struct artifact_folder folder;
  struct bench_series open_us, put_us;
  double made_s, list_s;
  unsigned files;
};

/* Random names, like the ids of messages. */
static void name_of(char *path, size_t size, unsigned i, const char *ending) {
  uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
  x ^= x >> 29, x *= 0xbf58476d1ce4e5b9u, x ^= x >> 32;
  snprintf(path, size, DAY_FOLDER "/%016llx%08x%s", (unsigned long long)x, i, ending);
}

static void put_two(struct crowd *c, unsigned i) {
  static const char *const endings[] = {".txt", ".json"};
  static char text[FILE_BYTES];
  char path[128];
  struct ck_err err;
  if (!text[0]) memset(text, 'x', sizeof text);
  for (int e = 0; e < 2; ++e) {
    name_of(path, sizeof path, i, endings[e]);
    if (artifact_folder_put(&c->folder, path, (struct ck_str){text, sizeof text}, &err))
      bench_fail("%s", err.text);
  }
}

static void open_some(struct crowd *c) {
  char path[128], byte;
  for (unsigned i = 0; i < SAMPLES; ++i) {
    name_of(path, sizeof path, (unsigned)((uint64_t)i * 2654435761u % (c->files / 2)), ".txt");
    int64_t began = ck_mono_us();
    int fd = openat(c->folder.fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &byte, 1) != 1) bench_fail("%s cannot be read", path);
    close(fd);
    bench_add(&c->open_us, (double)(ck_mono_us() - began));
  }
}

static void list(struct crowd *c) {
  int64_t began = ck_mono_us();
  DIR *dir = opendir(ARTIFACT_FOLDER "/" DAY_FOLDER);
  unsigned n = 0;
  for (const struct dirent *e; dir && (e = readdir(dir));) n += e->d_name[0] != '.';
  if (!dir || closedir(dir) || n != c->files) bench_fail("%u of %u files are listed", n, c->files);
  c->list_s = (double)(ck_mono_us() - began) / 1e6;
}

/* All files in the folder of one day, written by the store's own code: the worst case for a layout
 * by days. */
static void crowd(struct crowd *c) {
  struct ck_err err;
  uint64_t version, written;
  enter();
  if (artifact_folder_open(&c->folder, "bench", "records", NULL, &version, &written, &err))
    bench_fail("%s", err.text);
  int64_t began = ck_mono_us();
  for (unsigned i = 0; i < c->files / 2; ++i) put_two(c, i);
  bench_calm();
  c->made_s = (double)(ck_mono_us() - began) / 1e6;
  open_some(c);
  list(c);
  for (unsigned i = 0; i < SAMPLES; ++i) {
    began = ck_mono_us();
    put_two(c, c->files / 2 + i);
    bench_add(&c->put_us, (double)(ck_mono_us() - began));
  }
  artifact_folder_close(&c->folder);
}

static void print_crowd(unsigned files) {
  struct crowd c = {.files = files};
  crowd(&c);
  printf("\nOne folder with %s files of %d bytes: created in %s s, synced. Opening one by name and "
         "reading it: median %s µs, at most %s µs. Listing all: %s s. Writing the two files of one "
         "more message: median %s µs, at most %s µs.\n",
         bench_number(files, 0), FILE_BYTES, bench_number(c.made_s, 1),
         bench_number(bench_share(&c.open_us, 0.5), 0), bench_number(bench_share(&c.open_us, 1), 0),
         bench_number(c.list_s, 2), bench_number(bench_share(&c.put_us, 0.5), 0),
         bench_number(bench_share(&c.put_us, 1), 0));
  bench_free(&c.open_us);
  bench_free(&c.put_us);
}

/* Alternates which is first, because each has to wait for what the one before left to the disk. */
static void round_of(int r, struct bench_series *with, struct bench_series *without,
                     struct bench_series *loss, uint64_t seed) {
  double both = 0, alone = 0;
  for (int i = 0; i < 2; ++i)
    if ((i + r) % 2)
      both = rate(true, seed);
    else
      alone = rate(false, seed);
  bench_add(without, alone);
  bench_add(with, both);
  bench_add(loss, 100 * (1 - both / alone));
}

/* ---- the forms ---- */

struct cost {
  struct bench_series with, without, loss;
  double over, fresh;
};

static void use_form(const char *form) { setenv("CONVKEEP_ARTIFACTS_FORM", form, 1); }

static struct cost measure(const char *form, uint64_t *seed) {
  struct cost c = {0};
  use_form(form);
  for (int r = 0; r < bench_rounds(); ++r) round_of(r, &c.with, &c.without, &c.loss, (*seed)++);
  rebuild(&c.over, &c.fresh, (*seed)++);
  return c;
}

static void print_cost(const char *form, struct cost *c) {
  printf("| `%s` | %s | %s | %s | %s | %s |\n", form, bench_cell(&c->without, 0),
         bench_cell(&c->with, 0), bench_cell(&c->loss, 0), bench_number(c->over, 1),
         bench_number(c->fresh, 1));
}

static void print_verdicts(const char *form, struct cost *c) {
  char *loss = ck_sprintf("Readable files, %s: what the writers lose", form),
       *again = ck_sprintf("Readable files, %s: written again", form);
  double seconds = c->over > c->fresh ? c->over : c->fresh;
  printf("Of `%s`: what the writers lose: %s; written again: %s.\n", form,
         bench_verdict(loss, bench_share(&c->loss, 0.5), false, 10, " %"),
         bench_verdict(again, seconds, false, 60, " s"));
  free(loss);
  free(again);
}

static void print_forms(const char *const forms[], struct cost *costs, size_t n) {
  printf("\nChangesets a second at %d in flight, and the seconds in which the files of %s messages "
         "in %d conversations are written again.\n\n"
         "| form | without files | while they are written | less, %% | again, s | … into a new "
         "folder, s |\n|:--|--:|--:|--:|--:|--:|\n",
         IN_FLIGHT, bench_number(REBUILT, 0), BENCH_CONVERSATIONS);
  for (size_t i = 0; i < n; ++i) print_cost(forms[i], &costs[i]);
  printf("\n");
  for (size_t i = 0; i < n; ++i) print_verdicts(forms[i], &costs[i]);
}

int main(void) {
  static const char *const forms[] = {"records", "conversations", "none"};
  enum { FORMS = sizeof forms / sizeof *forms };
  const char *given = getenv("BENCH_FILES");
  unsigned files = given ? (unsigned)strtoul(given, NULL, 10) / 2 * 2 : FILES;
  struct bench_series behind = {0}, last = {0};
  struct cost costs[FORMS];
  uint64_t seed = 7000;
  use_form("records");
  for (int r = 0; r < bench_rounds(); ++r) keep_up(&behind, &last, seed++);
  for (size_t i = 0; i < FORMS; ++i) costs[i] = measure(forms[i], &seed);
  printf("## Readable files\n\nOf the form `records`: two files per message, and those of %d "
         "conversations' sessions with their index.\n\n"
         "| | |\n"
         "|:--|--:|\n",
         BENCH_CONVERSATIONS);
  printf(
      "| %s messages a second for %d s: ms from when a message is due until its files are written, "
      "median | %s |\n"
      "| … at most | %s |\n",
      bench_number(OFFERED, 0), SECONDS, bench_number(bench_share(&behind, 0.5), 0),
      bench_number(bench_share(&behind, 1), 0));
  printf("| … all files, with sessions and index, after the last receipt, ms | %s |\n",
         bench_cell(&last, 0));
  printf("\nBehind: %s.\n", bench_verdict("Readable files: how far behind", bench_share(&behind, 1),
                                          false, 2000, " ms"));
  print_forms(forms, costs, FORMS);
  if (files) print_crowd(files);
  leave_all();
  return 0;
}
