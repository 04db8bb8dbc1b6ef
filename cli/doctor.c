/* convkeep doctor: checks that everything is in order; changes nothing. Permissions and the spool
 * are checked here, because only this program knows the settings file and runs as its user; the
 * store's doctor task checks the rest. */
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
#include "cli/doctor.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/task.h"
#include "proto/lock.h"
#include "proto/places.h"
#include "proto/spool_files.h"

/* ---- printing findings ---- */

static void people_line(const char *check, const char *result, const char *text,
                        const char *advice) {
  bool colour = cli_colour();
  static const enum cli_style styles[] = {
      [CK_FOUND_OK] = CLI_GREEN, [CK_FOUND_NOTE] = CLI_YELLOW, [CK_FOUND_WRONG] = CLI_RED};
  enum cli_style style = styles[ck_finding_named(result)];
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

static void count_and_print(void *self, const json_t *line) {
  struct cli_doctor *d = self;
  const char *result = cli_member(line, "result");
  if (ck_finding_named(result) == CK_FOUND_WRONG) ++d->wrong;
  if (d->c->json)
    cli_json_line(line);
  else
    people_line(cli_member(line, "check"), result, cli_member(line, "text"),
                cli_member(line, "advice"));
}

void cli_doctor_found(struct cli_doctor *d, const char *check, enum ck_finding how,
                      const char *advice, const char *fmt, ...) {
  struct ck_buf text = {0};
  char words_of_it[2000];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(words_of_it, sizeof words_of_it, fmt, ap);
  va_end(ap);
  cli_safe_text(&text, ck_str_of(words_of_it), false);
  json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "check", check, "result", ck_finding_word(how),
                           "text", ck_buf_cstr(&text), "advice", advice);
  count_and_print(d, line);
  json_decref(line);
  ck_buf_free(&text);
}

/* ---- permissions ---- */

#define OTHERS (S_IRWXG | S_IRWXO)

/* Appends what is wrong with the file's owner or mode, and the command that repairs it. A missing
 * file is right. */
static void look(struct ck_buf *wrong, struct ck_buf *mend, const char *path, mode_t forbidden,
                 const char *mode) {
  struct stat st;
  if (stat(path, &st)) return;
  if (st.st_mode & forbidden) {
    ck_buf_printf(wrong, "%s%s is open to others (%03o)", wrong->len ? "; " : "", path,
                  (unsigned)(st.st_mode & 0777));
    ck_buf_printf(mend, "%schmod %s ", mend->len ? "; " : "", mode);
    cli_shell_quoted(mend, path);
  }
  if (st.st_uid != geteuid() && geteuid() != 0)
    ck_buf_printf(wrong, "%s%s belongs to another user", wrong->len ? "; " : "", path);
}

/* Keys, settings and data must be accessible only to their owner. */
static void check_permissions(struct cli_doctor *d) {
  static const struct {
    const char *path, *mode;
    mode_t forbidden;
  } files[] = {{".", "go-w", S_IWGRP | S_IWOTH},
               {"keys", "700", OTHERS},
               {"keys/store.key_secret", "600", OTHERS},
               {"keys/client.key_secret", "600", OTHERS},
               {CK_PLACE_DATABASE, "600", OTHERS},
               {CK_PLACE_SEARCH, "600", OTHERS},
               {"spool", "700", OTHERS},
               {"artifacts", "700", OTHERS},
               {CK_PLACE_ATTACHMENTS, "700", OTHERS},
               {"run", "700", OTHERS}};
  struct ck_buf wrong = {0}, mend = {0};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
    look(&wrong, &mend, files[i].path, files[i].forbidden, files[i].mode);
  look(&wrong, &mend, d->c->config, OTHERS, "600");
  if (wrong.len)
    cli_doctor_found(d, "permissions", CK_FOUND_WRONG, ck_buf_cstr(&mend), "%s",
                     ck_buf_cstr(&wrong));
  else
    cli_doctor_found(d, "permissions", CK_FOUND_OK, "",
                     "only the owner can access keys, settings and data");
  ck_buf_free(&wrong);
  ck_buf_free(&mend);
}

/* ---- the spool ---- */

/* The state of the spool, from its file names and notes. */
struct spool_seen {
  char producer[CK_SPOOL_ID_MAX]; /* "": none */
  uint64_t released;              /* the last receipted number that was noted */
  uint64_t first;                 /* the first number of the first segment; 0: no segment */
  struct ck_err odd;              /* set if a note is not a regular file */
  unsigned damaged;               /* segments that are not whole */
  char first_damaged[CK_SPOOL_NAME_MAX];
  struct ck_err why;
};

/* All others are ingest's, or were left by an id that was given up. */
static void look_at_segment(struct spool_seen *s, int dir, const char *name) {
  struct ck_err why = {{0}};
  if (ck_spool_segment_sound(dir, name, s->producer, &why) || s->damaged++) return;
  s->why = why;
  snprintf(s->first_damaged, sizeof s->first_damaged, "%.63s", name);
}

static void read_spool(struct spool_seen *s) {
  *s = (struct spool_seen){.first = 0};
  uint64_t n;
  DIR *dir = opendir("spool");
  if (!dir) return;
  if (ck_spool_check_notes(dirfd(dir), &s->odd) == 0) {
    ck_spool_read_producer(dirfd(dir), s->producer);
    s->released = ck_spool_read_number(dirfd(dir), CK_SPOOL_RELEASED, s->producer);
  }
  bool still = ck_lock_is_free("spool"); /* else ingest is writing */
  for (struct dirent *e; (e = readdir(dir));) {
    if (!ck_spool_is_segment(e->d_name, &n)) continue;
    if (s->first == 0 || n < s->first) s->first = n;
    if (still) look_at_segment(s, dirfd(dir), e->d_name);
  }
  closedir(dir);
}

static int64_t applied_of(const json_t *status, const char *id) {
  size_t i;
  const json_t *p;
  json_array_foreach(json_object_get(status, "producers"), i,
                     p) if (strcmp(cli_member(p, "id"), id) ==
                            0) return cli_member_int(p, "applied", 0);
  return 0;
}

/* Compares the spool with what the store has applied from it. status: a STATUS answer obtained
 * after the spool was read. */
static void check_spool(struct cli_doctor *d, const struct spool_seen *s, const json_t *status) {
  uint64_t applied = (uint64_t)applied_of(status, s->producer);
  if (s->odd.text[0])
    cli_doctor_found(d, "spool", CK_FOUND_WRONG, "move it away: ingest does not start with it",
                     "%s", s->odd.text);
  else if (s->damaged)
    cli_doctor_found(
        d, "spool", CK_FOUND_WRONG,
        "check the disk. convkeep up sends what can be read, and moves the rest to "
        "spool/damaged/: import it again. If the power went while it was written, nobody was told "
        "that it was taken",
        "spool/%s: %s (%u of its segments)", s->first_damaged, s->why.text, s->damaged);
  else if (!*s->producer)
    cli_doctor_found(d, "spool", CK_FOUND_OK, "", "nothing was accepted here yet");
  else if (s->first > applied + 1 && s->released > applied)
    cli_doctor_found(
        d, "spool", CK_FOUND_NOTE,
        "the missing ones are in no backup: import them again; those that are there do not change",
        "the database has %llu of the %llu observations that it had confirmed: it is older than "
        "the spool",
        (unsigned long long)applied, (unsigned long long)s->released);
  else if (s->released > applied)
    cli_doctor_found(d, "spool", CK_FOUND_NOTE, "ingest sends the missing ones again when it runs",
                     "the database has %llu of the %llu observations that it had confirmed",
                     (unsigned long long)applied, (unsigned long long)s->released);
  else
    cli_doctor_found(d, "spool", CK_FOUND_OK, "", "it continues where the database ends");
}

/* ---- the command ---- */

static int ask_store(struct cli_doctor *d) {
  struct cli *c = d->c;
  struct spool_seen spool;
  struct cli_task task = {
      .name = "doctor", .label = "examining", .line = count_and_print, .self = d};
  json_t *status = NULL;
  read_spool(&spool); /* before the status, so that everything receipted here is counted there */
  int rc = cli_status_of(c, &status);
  if (rc != CLI_GO_ON) return rc;
  check_spool(d, &spool, status);
  json_decref(status);
  rc = cli_doctor_unnoted(d);
  return rc == CLI_GO_ON ? cli_task_run(c, &task) : rc;
}

static int run(struct cli *c, int argc, char **argv) {
  struct cli_doctor d = {.c = c};
  int rc = cli_options(c, &argc, argv, NULL);
  if (rc == CLI_GO_ON) rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, false);
  if (rc != CLI_GO_ON) return rc;
  check_permissions(&d);
  cli_doctor_files(&d);
  rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  /* cli_connect has reported why; that the store does not start is also a finding. */
  if (rc == CLI_FAILED)
    cli_doctor_found(
        &d, "store", CK_FOUND_WRONG,
        "see logs/store.log; if artifact.db is damaged: check the disk, then convkeep restore "
        "BACKUP, and import again what came since",
        "it does not start on this folder");
  if (rc == CLI_GO_ON) rc = ask_store(&d);
  if (rc != CLI_GO_ON) return rc;
  return d.wrong ? CLI_FAILED : CLI_DONE;
}

const struct cli_command cli_doctor = {
    "doctor",
    CLI_TO_KEEP,
    "check that everything is in order",
    NULL,
    NULL,
    "Prints one line per check (permissions, spool, database, schema, references, keys, versions,\n"
    "counts, leases, automation, artifacts, originals, attachments, mirror) with its result, and\n"
    "what to do:\n\n"
    "  ok      in order\n"
    "  note    unusual, but nothing has to be done\n"
    "  wrong   something is wrong; the exit code is 1\n\n"
    "Changes nothing, and can run while the ring is up. With --json, a line has check, result,\n"
    "text and advice.",
    run,
    NULL};
