/* convkeep open, and convkeep browser pair: how a browser, or its extension, gets in. Both leave in
 * webd's file (proto/access.h) what webd lets in once. */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/rows.h"
#include "proto/access.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/lock.h"

#define ADDRESS_MAX 300

struct wish {
  struct cli *c;
  bool print;
  const char *scopes_text;
  struct ck_access_entry made;
};

/* Where webd listens. */
static int address(struct cli *c, char out[ADDRESS_MAX]) {
  struct ck_buf b = {0};
  int rc = ck_read_file(AT_FDCWD, CK_PLACE_WEB_ADDRESS, O_NOFOLLOW, ADDRESS_MAX - 1, &b, NULL);
  struct ck_str line = ck_trim(ck_buf_view(&b));
  snprintf(out, ADDRESS_MAX, "%.*s", (int)line.n, line.s ? line.s : "");
  ck_buf_free(&b);
  if (rc == 0 && *out && !ck_lock_is_free(CK_PLACE_WEB)) return CLI_GO_ON;
  return cli_fail(c, CLI_NOBODY, c->dir,
                  "webd does not listen; start the ring with convkeep up; if it is up, convkeep "
                  "status says why");
}

/* A new link, or code, takes the place of the last one. */
static int put(void *self, struct ck_access *a, struct ck_err *err) {
  const struct wish *w = self;
  (void)err;
  for (size_t i = a->n; i-- > 0;)
    if (w->made.kind == CK_ACCESS_CODE && a->list[i].kind == CK_ACCESS_CODE) ck_access_remove(a, i);
  ck_access_add(a, &w->made);
  return 0;
}

static int leave(struct wish *w, int64_t ms) {
  struct ck_err err;
  w->made.created_at = ck_now_ms();
  w->made.expires_at = w->made.created_at + ms;
  if (ck_access_change(w->made.created_at, put, w, &err))
    return cli_fail(w->c, CLI_FAILED, NULL, "%s", err.text);
  return CLI_GO_ON;
}

static int enter(struct cli *c, char at[ADDRESS_MAX]) {
  int rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, false);
  return rc == CLI_GO_ON ? address(c, at) : rc;
}

/* ---- open ---- */

/* In the browser of this desktop, if there is one. */
static bool show(const char *link) {
  int status;
  if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY")) return false;
  pid_t pid = fork();
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) dup2(null, STDOUT_FILENO), dup2(null, STDERR_FILENO);
    execlp("xdg-open", "xdg-open", link, (char *)NULL);
    _exit(127);
  }
  return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

static int run_open(struct cli *c, int argc, char **argv) {
  struct wish w = {.c = c,
                   .made = {.kind = CK_ACCESS_LINK, .name = "page", .scopes = CK_SCOPE_ALL}};
  char at[ADDRESS_MAX], secret[CK_SECRET_TEXT];
  int rc = cli_options(c, &argc, argv, &w);
  if (rc == CLI_GO_ON) rc = enter(c, at);
  if (rc != CLI_GO_ON) return rc;
  ck_access_secret(secret, w.made.hash);
  rc = leave(&w, CK_LINK_MS);
  if (rc != CLI_GO_ON) return rc;
  char *link = ck_sprintf("%s/open/%s", at, secret);
  bool shown = !w.print && !c->json && cli_on_terminal() && show(link);
  if (c->json)
    printf("{\"link\":\"%s\"}\n", link);
  else if (!shown)
    puts(link);
  free(link);
  explicit_bzero(secret, sizeof secret);
  return CLI_DONE;
}

static const struct cli_option open_options[] = {
    CLI_FLAG("print", struct wish, print, "only prints the link, also on a desktop"), {0}};

const struct cli_command cli_open = {"open",
                                     CLI_TO_READ,
                                     "open the page in the browser",
                                     NULL,
                                     open_options,
                                     "Opens the page of the ring that runs on the data folder, "
                                     "signed in by a link that works once,\n"
                                     "within two minutes; the browser stays signed in for 30 days. "
                                     "Where no desktop is, or standard\n"
                                     "output is no terminal, the link is printed.",
                                     run_open,
                                     NULL};

/* ---- browser pair ---- */

static int run_pair(struct cli *c, int argc, char **argv) {
  struct wish w = {.c = c, .made = {.kind = CK_ACCESS_CODE, .name = "pair"}};
  char at[ADDRESS_MAX], code[CK_CODE_DIGITS + 1];
  struct ck_err err;
  int rc = cli_options(c, &argc, argv, &w);
  if (rc != CLI_GO_ON) return rc;
  struct ck_str scopes = w.scopes_text ? ck_str_of(w.scopes_text) : CK_LIT("capture,deliver,read");
  if (ck_scopes_read(&w.made.scopes, scopes, &err))
    return cli_usage_error(c, "--scope", "%s", err.text);
  rc = enter(c, at);
  if (rc != CLI_GO_ON) return rc;
  ck_access_code(code, w.made.hash);
  rc = leave(&w, CK_CODE_MS);
  if (rc != CLI_GO_ON) return rc;
  if (c->json)
    printf("{\"code\":\"%s\",\"address\":\"%s\",\"expires_at\":%lld}\n", code, at,
           (long long)w.made.expires_at);
  else
    printf("%.4s %s\nEnter it in the extension within 2 minutes; the address is %s\n", code,
           code + 4, at);
  return CLI_DONE;
}

static const struct cli_argument pair_arguments[] = {CLI_ARGUMENT("pair", CLI_CHOICE, 0), {0}};
static const struct cli_option pair_options[] = {
    CLI_VALUE("scope", CLI_TEXT, "SCOPES", struct wish, scopes_text,
              "what it may do: some of " CK_SCOPE_WORDS ", with commas between them; else "
              "capture,deliver,read"),
    {0}};

const struct cli_command cli_browser = {
    "browser",
    CLI_TO_KEEP,
    "pair a browser's extension",
    pair_arguments,
    pair_options,
    "Prints a code of 8 digits for an extension that is to be paired with the ring: it holds for\n"
    "two minutes, once, and for five tries. The extension gets a token of its own, which "
    "`convkeep\n"
    "web token list` shows and `revoke` ends.",
    run_pair,
    NULL};
