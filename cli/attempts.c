/* The log of attempts, logs/renewal/DAY.jsonl; see jobs.h. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "cli/jobs.h"
#include "cli/out.h"
#include "proto/file.h"

static int is_day(const struct dirent *e) {
  const char *dot = strrchr(e->d_name, '.');
  return dot && strcmp(dot, ".jsonl") == 0;
}

static void take_line(json_t *lines, const char *text, size_t n, const char *job_id) {
  json_error_t wrong;
  if (job_id && !memmem(text, n, job_id, strlen(job_id))) return;
  json_t *line = json_loadb(text, n, JSON_ALLOW_NUL, &wrong);
  if (line && (!job_id || strcmp(cli_member(line, "job_id"), job_id) == 0))
    json_array_append(lines, line);
  json_decref(line);
}

static void read_day(json_t *lines, const char *name, const char *job_id) {
  char *path = ck_sprintf("logs/renewal/%s", name), *line = NULL;
  int fd = ck_open_file(AT_FDCWD, path, O_RDONLY, NULL);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
  free(path);
  if (!f) return;
  size_t room = 0;
  for (ssize_t n; (n = getline(&line, &room, f)) > 0;) take_line(lines, line, (size_t)n, job_id);
  free(line);
  fclose(f);
}

/* There is one file per day; sorted by name they are in order of time. */
json_t *cli_attempts(const char *job_id, const char *from) {
  struct dirent **days;
  json_t *lines = json_array();
  int n = scandir("logs/renewal", &days, is_day, alphasort);
  for (int i = 0; i < n; ++i) {
    if (!from || strcmp(days[i]->d_name, from) >= 0) read_day(lines, days[i]->d_name, job_id);
    free(days[i]);
  }
  if (n >= 0) free(days);
  return lines;
}
