/* An export goes in, and the same again, beside a Python script that parses the file and writes its
 * messages in one commit, and one that commits each row. Also what the originals take on the disk.
 * Environment: BENCH_IMPORT_MB, the size of the export: 69. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"

#define EXPORT_MIB 69
#define EACH_MIB 2 /* a commit a row is too slow for the whole file */
#define EXPORT_FILE "../import.json"
#define EACH_FILE "../import-each.json"
#define AGAIN_MIB_A_SECOND 100
#define DAEMONS 4

static const char *const names[DAEMONS] = {"store", "ingest", "renewd", "syncd"};

struct figures {
  struct bench_series script, each, first, again, ratio;
  struct bench_series script_cpu, first_cpu, again_cpu; /* processor time */
  double mib, each_mib, messages, originals, zstd;
};

static double size_of(const char *path) {
  struct stat st;
  if (stat(path, &st)) bench_fail("there is no %s", path);
  return (double)st.st_size;
}

static double make_export(const char *path, unsigned mib) {
  char size[16], *program = bench_program("export");
  snprintf(size, sizeof size, "%u", mib);
  bench_run(NULL, (const char *const[]){program, path, size, NULL});
  free(program);
  return size_of(path) / (1 << 20);
}

/* One that is found in PATH first may be a script, which only starts the real one. */
static const char *python(void) {
  static const char usual[] = "/usr/bin/python3";
  return access(usual, X_OK) == 0 ? usual : "python3";
}

static double script(const char *file, const char *how) {
  char *program = bench_program("../../bench/import.py");
  bench_calm();
  double seconds = bench_run(
      "script.txt", (const char *const[]){python(), program, file, "script.db", how, NULL});
  free(program);
  bench_run(NULL, (const char *const[]){"sh", "-c", "rm -f script.db*", NULL});
  return seconds;
}

static double said(const char *member) {
  json_t *line = json_load_file("import.json", JSON_DISABLE_EOF_CHECK, NULL);
  double value = (double)json_integer_value(json_object_get(line, member));
  json_decref(line);
  return value;
}

static double import(const char *program) {
  bench_calm();
  return bench_run("import.json", (const char *const[]){program, "--data", ".", "--json", "import",
                                                        EXPORT_FILE, NULL});
}

/* What the daemons and all programs that have ended have used. */
static double used(const pid_t pids[DAEMONS]) {
  double all = bench_cpu_children();
  for (int i = 0; i < DAEMONS; ++i) all += bench_cpu(pids[i]);
  return all;
}

static bool is_at(const json_t *follower, json_int_t head) {
  return json_integer_value(json_object_get(follower, "cursor")) == head;
}

/* Waits until the readable files and the mirror have everything, so that the next measurement does
 * not pay for this one. */
static void settle(const char *program) {
  for (;;) {
    bench_run("status.json",
              (const char *const[]){program, "--data", ".", "--json", "status", NULL});
    json_t *status = json_load_file("status.json", JSON_DISABLE_EOF_CHECK, NULL);
    json_int_t head = json_integer_value(json_object_get(status, "version"));
    json_t *mirror = json_object_get(json_object_get(status, "sync"), "sqlite");
    bool done = is_at(mirror, head) && is_at(json_object_get(status, "artifacts"), head);
    json_decref(status);
    if (done) return;
    usleep(100000);
  }
}

static void round_of_imports(struct figures *f, const char *program) {
  pid_t pids[DAEMONS];
  double before = bench_cpu_children(), leanest = script(EXPORT_FILE, "one");
  bench_add(&f->script, leanest);
  bench_add(&f->script_cpu, bench_cpu_children() - before);
  bench_add(&f->each, script(EACH_FILE, "each") / f->each_mib);
  for (int i = 0; i < DAEMONS; ++i) pids[i] = bench_daemon(names[i]);
  before = used(pids);
  double first = import(program);
  bench_add(&f->first, first);
  bench_add(&f->first_cpu, used(pids) - before);
  bench_add(&f->ratio, leanest / first);
  f->messages = said("new");
  settle(program);
  before = used(pids);
  bench_add(&f->again, import(program));
  bench_add(&f->again_cpu, used(pids) - before);
  if (said("unchanged") != f->messages) bench_fail("the same again is not unchanged");
  f->originals = bench_sql("SELECT coalesce(sum(length(data)), 0) FROM block_parts");
  for (int i = DAEMONS; i-- > 0;) bench_stop(&pids[i]);
}

static void print_row(const char *what, struct bench_series *seconds, struct bench_series *cpu) {
  printf("| %s | %s |", what, bench_cell(seconds, 2));
  printf(" %s |\n", bench_cell(cpu, 2));
}

static void print_figures(struct figures *f) {
  double again = f->mib / bench_share(&f->again, 0.5), disk = f->originals / f->zstd;
  printf("## An export goes in\n\n"
         "A ChatGPT export of %s MiB with %s messages (bench/export.c), into a ring of all four "
         "daemons, with originals kept; beside `bench/import.py`, which parses the file with "
         "`json.load` and writes only the messages.\n\n",
         bench_number(f->mib, 0), bench_number(f->messages, 0));
  printf("| | seconds | processor time |\n|:--|--:|--:|\n");
  print_row("the script, one commit", &f->script, &f->script_cpu);
  printf("| the script, a commit a row (from %s MiB) | %s | |\n", bench_number(f->each_mib, 0),
         bench_number(bench_share(&f->each, 0.5) * f->mib, 0));
  print_row("convkeep import", &f->first, &f->first_cpu);
  print_row("the same again", &f->again, &f->again_cpu);
  printf("\nProcessor time is of user and system: of the script; or of `import` and all daemons "
         "until it ends, with what they do for the readable files and the mirror meanwhile.\n");
  printf("\nThe speed beside the script with one commit: %s×.\n", bench_cell(&f->ratio, 2));
  printf("%s.\n", bench_verdict("Import beside a script of one commit", bench_share(&f->ratio, 0.5),
                                true, 1, "×"));
  printf("The same again: %s MiB of source a second; %s.\n", bench_number(again, 0),
         bench_verdict("The same export again", again, true, AGAIN_MIB_A_SECOND, " MiB/s"));
  printf("The originals take %s MiB, %s times `zstd -3` of the file; %s.\n",
         bench_number(f->originals / (1 << 20), 1), bench_number(disk, 2),
         bench_verdict("Originals on the disk", disk, false, 1.3, "×"));
}

int main(void) {
  struct figures f = {0};
  const char *text = getenv("BENCH_IMPORT_MB");
  char *program = bench_program("../bin/convkeep");
  bench_enter("import");
  f.mib = make_export(EXPORT_FILE, text ? (unsigned)atoi(text) : EXPORT_MIB);
  f.each_mib = make_export(EACH_FILE, EACH_MIB);
  f.zstd = bench_zstd(EXPORT_FILE);
  bench_leave();
  for (int i = 0; i < bench_rounds(); ++i) {
    bench_enter("import");
    round_of_imports(&f, program);
    bench_leave();
  }
  print_figures(&f);
  free(program);
  return 0;
}
