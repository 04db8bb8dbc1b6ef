/* convkeep backup FILE: has the store write a copy of the database. */
#include "cli/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/time.h"
#include "proto/map.h"

static void print(const json_t *line) {
  struct ck_buf text = {0};
  cli_safe_text(&text, ck_str_of(cli_member(line, "file")), false);
  ck_buf_text(&text, ": ");
  ck_buf_count(&text, (uint64_t)cli_member_int(line, "bytes", 0));
  ck_buf_printf(&text, " bytes, version %lld, in ", (long long)cli_member_int(line, "version", 0));
  cli_duration_text(&text, cli_member_int(line, "ms", 0));
  int64_t copied = cli_member_int(line, "attachments", 0);
  if (copied)
    ck_buf_printf(&text, "; %lld %s copied", (long long)copied,
                  ck_noun((uint64_t)copied, "attachment", "attachments"));
  ck_buf_text(&text, "\n");
  cli_print(&text);
  ck_buf_free(&text);
}

struct outcome {
  struct cli *c;
  int rc;
};

static void made(void *self, const json_t *line) {
  struct outcome *o = self;
  if (o->c->json)
    cli_json_line(line);
  else
    print(line);
  int64_t bad = cli_member_int(line, "attachments_bad", 0),
          damaged = cli_member_int(line, "damaged", 0);
  if (bad || damaged) fflush(stdout);
  if (damaged) {
    cli_error(o->c, cli_member(line, "file"),
              "it has %lld %s not as written, as the database has: keep an older backup; "
              "convkeep doctor says what to do",
              (long long)damaged, ck_noun((uint64_t)damaged, "page that is", "pages that are"));
    o->rc = CLI_FAILED;
  }
  if (bad == 0) return;
  cli_error(o->c, cli_member(line, "file"),
            "%lld %s not copied, because they are missing or damaged, the first: %s; "
            "convkeep doctor says what to do",
            (long long)bad, ck_noun((uint64_t)bad, "attachment was", "attachments were"),
            cli_member(line, "first_bad"));
  o->rc = CLI_FAILED;
}

/* ---- --check ---- */

static void is_wrong(struct outcome *o, const json_t *line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void is_wrong(struct outcome *o, const json_t *line, const char *fmt, ...) {
  struct ck_buf text = {0};
  char words[1000];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(words, sizeof words, fmt, ap);
  va_end(ap);
  cli_safe_text(&text, ck_str_of(words), false);
  cli_error(o->c, cli_member(line, "file"), "%s", ck_buf_cstr(&text));
  ck_buf_free(&text);
  o->rc = CLI_FAILED;
}

static void print_checked(const json_t *line) {
  struct ck_buf text = {0};
  int64_t attachments = cli_member_int(line, "attachments", 0);
  cli_safe_text(&text, ck_str_of(cli_member(line, "file")), false);
  ck_buf_printf(&text, ": sound, version %lld", (long long)cli_member_int(line, "version", 0));
  if (attachments)
    ck_buf_printf(&text, ", with %lld %s", (long long)attachments,
                  ck_noun((uint64_t)attachments, "attachment", "attachments"));
  if (!json_is_true(json_object_get(line, "sealed")))
    ck_buf_text(&text, "; another program made it, so a change within a text would not be seen");
  ck_buf_text(&text, "\n");
  cli_print(&text);
  ck_buf_free(&text);
}

static void checked(void *self, const json_t *line) {
  struct outcome *o = self;
  const char *wrong = cli_member(line, "wrong");
  int64_t bad = cli_member_int(line, "attachments_bad", 0),
          damaged = cli_member_int(line, "damaged", 0);
  if (o->c->json) cli_json_line(line);
  fflush(stdout);
  if (*wrong) is_wrong(o, line, "it is damaged: %s; an older backup may be sound", wrong);
  if (damaged)
    is_wrong(o, line,
             "%lld %s not as written: it was damaged, or another program wrote to it; an older "
             "backup may be sound",
             (long long)damaged, ck_noun((uint64_t)damaged, "page is", "pages are"));
  if (bad)
    is_wrong(o, line,
             "%lld of its attachments %s not as in it, the first: %s; delete what is damaged, and "
             "a new backup there copies it again",
             (long long)bad, bad == 1 ? "is" : "are", cli_member(line, "first_bad"));
  if (o->rc == CLI_DONE && !o->c->json) print_checked(line);
}

struct wish {
  bool force, check;
};

static int run(struct cli *c, int argc, char **argv) {
  struct wish wish = {0};
  int rc = cli_options(c, &argc, argv, &wish);
  if (rc != CLI_GO_ON) return rc;
  char *file = cli_path(c, argv[1]);
  struct ck_buf map = {0};
  struct ck_map m = ck_map_open(&map);
  ck_pair_text(&m, "file", file);
  ck_pair_bool(&m, "force", wish.force);
  ck_map_close(&m);
  struct outcome outcome = {c, CLI_DONE};
  struct cli_task task = {.name = wish.check ? "backup_check" : "backup",
                          .label = wish.check ? "checking" : "backup",
                          .options = ck_buf_view(&map),
                          .line = wish.check ? checked : made,
                          .self = &outcome};
  rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = cli_task_run(c, &task);
  ck_buf_free(&map);
  free(file);
  return rc == CLI_GO_ON ? outcome.rc : rc;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("FILE", CLI_FILE, 0), {0}};
static const struct cli_option options[] = {
    CLI_FLAG("force", struct wish, force, "replaces an existing FILE"),
    CLI_FLAG("check", struct wish, check, "reads a backup, and says whether it is as it was made"),
    {0}};

const struct cli_command cli_backup = {
    "backup",
    CLI_TO_KEEP,
    "copy the database, even while the ring runs",
    arguments,
    options,
    "FILE is one SQLite file with the state of one moment, checked and durable when the command\n"
    "ends; until then it has another name. Writes continue meanwhile. The store writes FILE, on\n"
    "the store's machine. Attachments are copied into the folder attachments beside FILE, which\n"
    "all backups there share; each is copied once. Spool, settings and keys are not part of it.\n\n"
    "With --check nothing is copied: FILE is a backup, of which every page is read, and the\n"
    "attachments beside it.",
    run,
    NULL};
