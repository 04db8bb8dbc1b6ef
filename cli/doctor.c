/* convkeep doctor: is everything as it should be? Changes nothing. Permissions and the spool are
 * looked at here, because only the command line knows the settings file and its caller; the rest is
 * looked at by the store. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/client.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/task.h"
#include "proto/file.h"

enum finding { FOUND_OK, FOUND_NOTE, FOUND_WRONG };

struct doctor {
  struct cli *c;
  int wrong; /* so many checks found something */
};

/* ---- saying what was found ---- */

static void people_line(const char *check, const char *result, const char *text,
                        const char *advice) {
  bool colour = cli_colour();
  enum cli_style style = strcmp(result, "ok") == 0     ? CLI_GREEN
                         : strcmp(result, "note") == 0 ? CLI_YELLOW
                                                       : CLI_RED;
  struct ck_buf line = {0}, word = {0};
  ck_buf_printf(&word, "%-6s", result);
  cli_paint(&line, colour, style, ck_buf_view(&word));
  ck_buf_printf(&line, "%-12s ", check);
  cli_safe_text(&line, ck_str_of(text), false);
  if (*advice) {
    ck_buf_text(&line, "\n                   → ");
    cli_safe_text(&line, ck_str_of(advice), false);
  }
  ck_buf_text(&line, "\n");
  cli_print(&line);
  fflush(stdout);
  ck_buf_free(&line);
  ck_buf_free(&word);
}

static void take(void *self, const json_t *line) {
  struct doctor *d = self;
  const char *result = cli_member(line, "result");
  if (strcmp(result, "wrong") == 0) ++d->wrong;
  if (d->c->json)
    cli_json_line(line);
  else
    people_line(cli_member(line, "check"), result, cli_member(line, "text"),
                cli_member(line, "advice"));
}

/* How a check ended. advice: what to do, "" for nothing. */
__attribute__((format(printf, 5, 6))) static void found(struct doctor *d, const char *check,
                                                        enum finding how, const char *advice,
                                                        const char *fmt, ...) {
  static const char *const words[] = {"ok", "note", "wrong"};
  struct ck_buf text = {0};
  char words_of_it[2000];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(words_of_it, sizeof words_of_it, fmt, ap);
  va_end(ap);
  cli_safe_text(&text, ck_str_of(words_of_it), false);
  json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "check", check, "result", words[how], "text",
                           ck_buf_cstr(&text), "advice", advice);
  take(d, line);
  json_decref(line);
  ck_buf_free(&text);
}

/* ---- permissions ---- */

#define OTHERS (S_IRWXG | S_IRWXO)

/* As a shell takes it for one word. */
static void add_word(struct ck_buf *b, const char *path) {
  ck_buf_text(b, "'");
  for (const char *p = path; *p; ++p) ck_buf_text(b, *p == '\'' ? "'\\''" : (char[]){*p, 0});
  ck_buf_text(b, "'");
}

/* Appends what is wrong with the file, if it is there. */
static void look(struct ck_buf *wrong, struct ck_buf *mend, const char *path, mode_t forbidden,
                 const char *mode) {
  struct stat st;
  if (stat(path, &st)) return;
  if (st.st_mode & forbidden) {
    ck_buf_printf(wrong, "%s%s is open to others (%03o)", wrong->len ? "; " : "", path,
                  (unsigned)(st.st_mode & 0777));
    ck_buf_printf(mend, "%schmod %s ", mend->len ? "; " : "", mode);
    add_word(mend, path);
  }
  if (st.st_uid != geteuid() && geteuid() != 0)
    ck_buf_printf(wrong, "%s%s belongs to another user", wrong->len ? "; " : "", path);
}

/* Who may read keys and settings. In the data folder. */
static void check_permissions(struct doctor *d) {
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
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
    look(&wrong, &mend, files[i].path, files[i].forbidden, files[i].mode);
  look(&wrong, &mend, d->c->config, OTHERS, "600");
  if (wrong.len)
    found(d, "permissions", FOUND_WRONG, ck_buf_cstr(&mend), "%s", ck_buf_cstr(&wrong));
  else
    found(d, "permissions", FOUND_OK, "", "keys, settings and what is kept are the owner's alone");
  ck_buf_free(&wrong);
  ck_buf_free(&mend);
}

/* ---- the spool ---- */

/* What the spool holds, as its names say it (ingest/spool.h). */
struct spool_seen {
  char producer[64]; /* "": none */
  uint64_t released; /* the last number with a receipt, as far as was noted */
  uint64_t first;    /* the first number of the first segment; 0: no segment */
  struct ck_err odd; /* what is there in place of a file, "": nothing */
};

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

static void read_spool(struct spool_seen *s) {
  *s = (struct spool_seen){.first = 0};
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
  if (f && fscanf(f, "%63s %llu", of, &released) == 2 && strcmp(of, s->producer) == 0)
    s->released = released;
  if (f) fclose(f);
}

static int64_t applied_of(const json_t *status, const char *id) {
  size_t i;
  const json_t *p;
  json_array_foreach(json_object_get(status, "producers"), i,
                     p) if (strcmp(cli_member(p, "id"), id) ==
                            0) return cli_member_int(p, "applied", 0);
  return 0;
}

/* …against what the store has applied of that producer. status: a STATUS answer that is younger. */
static void check_spool(struct doctor *d, const struct spool_seen *s, const json_t *status) {
  uint64_t applied = (uint64_t)applied_of(status, s->producer);
  if (s->odd.text[0])
    found(d, "spool", FOUND_WRONG, "put it aside: ingest does not start with it", "%s",
          s->odd.text);
  else if (!*s->producer)
    found(d, "spool", FOUND_OK, "", "nothing was taken here yet");
  else if (s->first > applied + 1 && s->released > applied)
    found(d, "spool", FOUND_NOTE,
          "what they were is in no backup: import it again; what is there changes nothing",
          "the database knows %llu of the %llu observations that it had taken: it is older than "
          "the spool",
          (unsigned long long)applied, (unsigned long long)s->released);
  else if (s->released > applied)
    found(d, "spool", FOUND_NOTE, "they go in again when ingest runs",
          "the database knows %llu of the %llu observations that it had taken",
          (unsigned long long)applied, (unsigned long long)s->released);
  else
    found(d, "spool", FOUND_OK, "", "it goes on where the database ends");
}

/* ---- the command ---- */

static int ask_store(struct doctor *d) {
  struct cli *c = d->c;
  struct spool_seen spool;
  struct cli_task task = {.name = "doctor", .label = "examining", .line = take, .self = d};
  json_t *status = NULL;
  read_spool(&spool); /* before the status: what has a receipt is in the database */
  int rc = cli_status_of(c, &status);
  if (rc != CLI_GO_ON) return rc;
  check_spool(d, &spool, status);
  json_decref(status);
  return cli_task_run(c, &task);
}

static int run(struct cli *c, int argc, char **argv) {
  struct doctor d = {.c = c};
  int rc = cli_options(c, &argc, argv, NULL, NULL, 0, 0);
  if (rc == CLI_GO_ON) rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, false);
  if (rc != CLI_GO_ON) return rc;
  check_permissions(&d);
  rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  /* cli_connect has said why no store runs; that it does not start is the finding. */
  if (rc == CLI_FAILED)
    found(&d, "store", FOUND_WRONG,
          "logs/store.log says why; where the database is damaged: convkeep restore BACKUP",
          "it does not start on this folder");
  if (rc == CLI_GO_ON) rc = ask_store(&d);
  if (rc != CLI_GO_ON) return rc;
  return d.wrong ? CLI_FAILED : CLI_DONE;
}

const struct cli_command cli_doctor = {
    "doctor", "", "is everything as it should be?",
    "A line a check: permissions, spool, database, references, keys, versions, counts, leases, "
    "automation, artifacts, mirror; `ok`, `note` (not as\n"
    "usual, but nothing has to be done) or `wrong`, and what to do. Changes nothing, and may run "
    "beside the ring; exit 1 if something is wrong.\n\n"
    "--json: a line a check: check, result, text, advice.",
    run};
