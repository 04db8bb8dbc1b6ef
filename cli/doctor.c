/* convkeep doctor: is everything as it should be? Changes nothing. What lies beside the database is looked at here, the rest by the store. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/task.h"

static void people_line(const char *check, const char *result, const char *text, const char *advice) {
  bool colour = cli_colour();
  enum cli_style style = strcmp(result, "ok") == 0 ? CLI_GREEN : strcmp(result, "note") == 0 ? CLI_YELLOW : CLI_RED;
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
  struct cli_doctor *d = self;
  const char *result = cli_member(line, "result");
  if (strcmp(result, "wrong") == 0) ++d->wrong;
  if (d->c->json)
    cli_json_line(line);
  else
    people_line(cli_member(line, "check"), result, cli_member(line, "text"), cli_member(line, "advice"));
}

void cli_found(struct cli_doctor *d, const char *check, enum cli_finding found, const char *advice, const char *fmt, ...) {
  static const char *const words[] = {"ok", "note", "wrong"};
  struct ck_buf text = {0};
  char words_of_it[2000];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(words_of_it, sizeof words_of_it, fmt, ap);
  va_end(ap);
  cli_safe_text(&text, ck_str_of(words_of_it), false);
  json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "check", check, "result", words[found], "text", ck_buf_cstr(&text), "advice", advice);
  take(d, line);
  json_decref(line);
  ck_buf_free(&text);
}

static int ask_store(struct cli_doctor *d) {
  struct cli *c = d->c;
  struct cli_spool spool;
  struct cli_task task = {.name = "doctor", .label = "examining", .line = take, .self = d};
  json_t *status = NULL;
  cli_spool_read(&spool); /* before the status: what has a receipt is in the database */
  int rc = cli_status_of(c, &status);
  if (rc != CLI_GO_ON) return rc;
  cli_check_spool(d, &spool, status);
  json_decref(status);
  return cli_task_run(c, &task);
}

static int run(struct cli *c, int argc, char **argv) {
  struct cli_doctor d = {.c = c};
  int rc = cli_options(c, &argc, argv, NULL, NULL, 0, 0);
  if (rc == CLI_GO_ON) rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, false);
  if (rc != CLI_GO_ON) return rc;
  cli_check_permissions(&d);
  rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  /* cli_connect has said why no store runs; that it does not start is the finding. */
  if (rc == CLI_FAILED)
    cli_found(&d, "store", CLI_WRONG, "logs/store.log says why; where the database is damaged: convkeep restore BACKUP", "it does not start on this folder");
  if (rc == CLI_GO_ON) rc = ask_store(&d);
  if (rc != CLI_GO_ON) return rc;
  return d.wrong ? CLI_FAILED : CLI_DONE;
}

const struct cli_command cli_doctor = {
    "doctor", "", "is everything as it should be?",
    "A line a check: permissions, spool, database, references, keys, versions, counts, leases, automation, artifacts, mirror; `ok`, `note` (not as\n"
    "usual, but nothing has to be done) or `wrong`, and what to do. Changes nothing, and may run beside the ring; exit 1 if something is wrong.\n\n"
    "--json: a line a check: check, result, text, advice.",
    run};
