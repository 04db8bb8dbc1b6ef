#include "cli/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/out.h"
#include "proto/file.h"

/* ---- permissions ---- */

#define OTHERS (S_IRWXG | S_IRWXO)

/* As a shell takes it for one word. */
static void add_word(struct ck_buf *b, const char *path) {
  ck_buf_text(b, "'");
  for (const char *p = path; *p; ++p) ck_buf_text(b, *p == '\'' ? "'\\''" : (char[]){*p, 0});
  ck_buf_text(b, "'");
}

/* Appends what is wrong with the file, if it is there. */
static void look(struct ck_buf *wrong, struct ck_buf *mend, const char *path, mode_t forbidden, const char *mode) {
  struct stat st;
  if (stat(path, &st)) return;
  if (st.st_mode & forbidden) {
    ck_buf_printf(wrong, "%s%s is open to others (%03o)", wrong->len ? "; " : "", path, (unsigned)(st.st_mode & 0777));
    ck_buf_printf(mend, "%schmod %s ", mend->len ? "; " : "", mode);
    add_word(mend, path);
  }
  if (st.st_uid != geteuid() && geteuid() != 0) ck_buf_printf(wrong, "%s%s belongs to another user", wrong->len ? "; " : "", path);
}

void cli_check_permissions(struct cli_doctor *d) {
  static const struct {
    const char *path, *mode;
    mode_t forbidden;
  } files[] = {{".", "go-w", S_IWGRP | S_IWOTH},
               {"keys", "700", OTHERS},
               {"keys/store.key_secret", "600", OTHERS},
               {"keys/client.key_secret", "600", OTHERS},
               {"artifact.db", "600", OTHERS},
               {"spool", "700", OTHERS},
               {"artifacts", "700", OTHERS},
               {"run", "700", OTHERS}};
  struct ck_buf wrong = {0}, mend = {0};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i) look(&wrong, &mend, files[i].path, files[i].forbidden, files[i].mode);
  look(&wrong, &mend, d->c->config, OTHERS, "600");
  if (wrong.len)
    cli_found(d, "permissions", CLI_WRONG, ck_buf_cstr(&mend), "%s", ck_buf_cstr(&wrong));
  else
    cli_found(d, "permissions", CLI_OK, "", "keys, settings and what is kept are the owner's alone");
  ck_buf_free(&wrong);
  ck_buf_free(&mend);
}

/* ---- the spool ---- */

/* TAG-NUMBER.seg */
static uint64_t first_number(const char *name) {
  const char *dash = strchr(name, '-'), *dot = strrchr(name, '.');
  return dash && dot && strcmp(dot, ".seg") == 0 ? strtoull(dash + 1, NULL, 10) : 0;
}

static FILE *open_note(const char *path, struct ck_err *odd) {
  struct ck_err err;
  int fd = ck_open_file(AT_FDCWD, path, O_RDONLY, &err);
  if (fd < 0 && errno == EINVAL) ck_fail(odd, "%s: %s", path, err.text);
  return fd < 0 ? NULL : fdopen(fd, "r");
}

void cli_spool_read(struct cli_spool *s) {
  *s = (struct cli_spool){.first = 0};
  char of[64];
  unsigned long long released;
  DIR *dir = opendir("spool");
  for (struct dirent *e; dir && (e = readdir(dir));) {
    uint64_t n = first_number(e->d_name);
    if (n && (s->first == 0 || n < s->first)) s->first = n;
  }
  if (dir) closedir(dir);
  FILE *f = open_note("spool/producer", &s->odd);
  if (f && fscanf(f, "%63s", s->producer) != 1) s->producer[0] = '\0';
  if (f) fclose(f);
  f = open_note("spool/released", &s->odd);
  if (f && fscanf(f, "%63s %llu", of, &released) == 2 && strcmp(of, s->producer) == 0) s->released = released;
  if (f) fclose(f);
}

static int64_t applied_of(const json_t *status, const char *id) {
  size_t i;
  const json_t *p;
  json_array_foreach(json_object_get(status, "producers"), i, p) if (strcmp(cli_member(p, "id"), id) == 0) return cli_member_int(p, "applied", 0);
  return 0;
}

void cli_check_spool(struct cli_doctor *d, const struct cli_spool *s, const json_t *status) {
  uint64_t applied = (uint64_t)applied_of(status, s->producer);
  if (s->odd.text[0])
    cli_found(d, "spool", CLI_WRONG, "put it aside: ingest does not start with it", "%s", s->odd.text);
  else if (!*s->producer)
    cli_found(d, "spool", CLI_OK, "", "nothing was taken here yet");
  else if (s->first > applied + 1 && s->released > applied)
    cli_found(d, "spool", CLI_NOTE, "what they were is in no backup: import it again; what is there changes nothing",
              "the database knows %llu of the %llu observations that it had taken: it is older than the spool", (unsigned long long)applied,
              (unsigned long long)s->released);
  else if (s->released > applied)
    cli_found(d, "spool", CLI_NOTE, "they go in again when ingest runs", "the database knows %llu of the %llu observations that it had taken",
              (unsigned long long)applied, (unsigned long long)s->released);
  else
    cli_found(d, "spool", CLI_OK, "", "it goes on where the database ends");
}
