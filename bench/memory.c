/* The memory of the daemons: at rest after the start, and at most while an export is imported, with
 * the speed of the import; and of ingest while a large conversation is. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "proto/clock.h"

#define REST_MS 2000
#define SAMPLE_MS 50
#define EXPORT_MIB 300
#define IMPORT_MS 300000
#define REST_MIB 20
#define PEAK_MIB 64
#define EXPORT_FILE "../export.json"
#define LARGE_MIB 100 /* of the conversation, whose bytes may be in memory beside PEAK_MIB */
#define LARGE_FILE "../large.json"

enum { STORE, INGEST, RENEWD, SYNCD, WEBD, DAEMONS };
static const char *const names[DAEMONS] = {"store", "ingest", "renewd", "syncd", "webd"};

struct daemon {
  pid_t pid;
  double rest, most; /* MiB */
};

static unsigned export_mib(void) {
  const char *text = getenv("BENCH_EXPORT_MB");
  int mib = text ? atoi(text) : EXPORT_MIB;
  return mib > 0 ? (unsigned)mib : EXPORT_MIB;
}

static void run_to_end(const char *output, const char *const argv[]) {
  int code;
  pid_t pid = bench_spawn(output, argv);
  while (!bench_ended(pid, &code)) usleep(SAMPLE_MS * 1000);
  if (code) bench_fail("%s ends with %d", argv[0], code);
}

/* how: "one", or NULL. Returns its MiB. */
static double make_export(const char *file, unsigned size, const char *how) {
  char mib[16];
  struct stat st;
  char *program = bench_program("export");
  snprintf(mib, sizeof mib, "%u", size);
  run_to_end(NULL, (const char *const[]){program, file, mib, how, NULL});
  free(program);
  if (stat(file, &st)) bench_fail("there is no %s", file);
  return (double)st.st_size / (1 << 20);
}

/* An integer of the one line of JSON in the file. */
static double said(const char *file, const char *member) {
  json_t *line = json_load_file(file, JSON_DISABLE_EOF_CHECK, NULL);
  double value = (double)json_integer_value(json_object_get(line, member));
  json_decref(line);
  return value;
}

static double not_mirrored(const char *file) {
  json_t *line = json_load_file(file, JSON_DISABLE_EOF_CHECK, NULL);
  const json_t *mirror = json_object_get(json_object_get(line, "sync"), "sqlite");
  double value = (double)json_integer_value(json_object_get(mirror, "pending"));
  json_decref(line);
  return value;
}

static void start_all(struct daemon d[DAEMONS]) {
  for (int i = 0; i < DAEMONS; ++i) d[i].pid = bench_daemon(names[i]);
  usleep(REST_MS * 1000);
  for (int i = 0; i < DAEMONS; ++i) d[i].rest = bench_memory(d[i].pid, "VmRSS");
}

/* VmHWM is the kernel's own peak, so sampling cannot miss it; sampling detects daemons that died.
 */
static double import_all(struct daemon d[DAEMONS], const char *program, const char *file) {
  const char *argv[] = {program, "--data", ".", "--json", "import", file, NULL};
  int64_t began = ck_mono_us();
  int code;
  pid_t import = bench_spawn("import.json", argv);
  while (!bench_ended(import, &code)) {
    for (int i = 0; i < DAEMONS; ++i) d[i].most = bench_memory(d[i].pid, "VmHWM");
    if (ck_mono_us() - began > IMPORT_MS * 1000LL)
      bench_fail("the import takes more than %d s", IMPORT_MS / 1000);
    usleep(SAMPLE_MS * 1000);
  }
  if (code)
    bench_fail("the import ends with %d: see import.json in %s", code,
               getenv("CONVKEEP_BENCH_DATA"));
  double seconds = (double)(ck_mono_us() - began) / 1e6;
  for (int i = 0; i < DAEMONS; ++i) d[i].most = bench_memory(d[i].pid, "VmHWM");
  return seconds;
}

static void print_memory(const struct daemon d[DAEMONS]) {
  double rest = 0, most = 0;
  printf("| | at rest MiB | while importing, at most MiB |\n|:--|--:|--:|\n");
  for (int i = 0; i < DAEMONS; ++i) {
    printf("| %s | %s | %s |\n", names[i], bench_number(d[i].rest, 1), bench_number(d[i].most, 1));
    rest = d[i].rest > rest ? d[i].rest : rest;
    most = d[i].most > most ? d[i].most : most;
  }
  printf("\nAt rest: %s. While importing: %s.\n\n",
         bench_verdict("Memory at rest", rest, false, REST_MIB, " MiB"),
         bench_verdict("Memory while importing", most, false, PEAK_MIB, " MiB"));
}

static void stop_all(struct daemon d[DAEMONS]) {
  for (int i = DAEMONS; i-- > 0;) bench_stop(&d[i].pid);
}

static void measure_large(const char *program) {
  struct daemon d[DAEMONS] = {0};
  double mib = make_export(LARGE_FILE, LARGE_MIB, "one");
  start_all(d);
  double seconds = import_all(d, program, LARGE_FILE);
  if (said("import.json", "failed") > 0) bench_fail("the large conversation does not go in");
  printf(
      "\nOne conversation of %s MiB with %s messages took %s s, and ingest %s MiB at most; %s.\n",
      bench_number(mib, 0), bench_number(said("import.json", "new"), 0), bench_number(seconds, 1),
      bench_number(d[INGEST].most, 1),
      bench_verdict("Memory while importing a large conversation", d[INGEST].most, false,
                    mib + PEAK_MIB, " MiB"));
  stop_all(d);
  unlink(LARGE_FILE);
}

int main(void) {
  struct daemon d[DAEMONS] = {0};
  char *program = bench_program("../bin/convkeep");
  bench_enter("memory");
  double mib = make_export(EXPORT_FILE, export_mib(), NULL);
  start_all(d);
  double seconds = import_all(d, program, EXPORT_FILE);
  run_to_end("status.json",
             (const char *const[]){program, "--data", ".", "--json", "status", NULL});
  double added = said("import.json", "new"), failed = said("import.json", "failed");
  printf("## Memory, and an import\n\n"
         "VmRSS %d s after the start, and VmHWM after `convkeep import` of a ChatGPT export of "
         "%s MiB (bench/export.c) into a ring of all five daemons.\n\n",
         REST_MS / 1000, bench_number(mib, 0));
  print_memory(d);
  printf("The import took %s s: %s observations (%s failed), %s a second, %s MiB a second. At its "
         "end, "
         "%s changes had not been mirrored yet.\n",
         bench_number(seconds, 1), bench_number(added, 0), bench_number(failed, 0),
         bench_number(added / seconds, 0), bench_number(mib / seconds, 1),
         bench_number(not_mirrored("status.json"), 0));
  stop_all(d);
  unlink(EXPORT_FILE);
  measure_large(program);
  bench_leave();
  free(program);
  return 0;
}
