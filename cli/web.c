/* convkeep web token add|list|revoke: who may use webd, besides the browser that is signed in. They
 * change the file that webd reads (proto/access.h); webd need not run. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/out.h"
#include "cli/rows.h"
#include "cli/time.h"
#include "proto/access.h"
#include "proto/clock.h"

struct wish {
  struct cli *c;
  const char *scopes_text;
  unsigned scopes;
  const char *name;
  char secret[CK_SECRET_TEXT];
};

static int failed(const struct wish *w, const struct ck_err *err) {
  return cli_fail(w->c, CLI_FAILED, w->name, "%s", err->text);
}

/* ---- add ---- */

static int add(void *self, struct ck_access *a, struct ck_err *err) {
  struct wish *w = self;
  struct ck_access_entry e = {
      .kind = CK_ACCESS_TOKEN, .scopes = w->scopes, .created_at = ck_now_ms()};
  if (ck_access_named(a, ck_str_of(w->name)))
    return ck_fail(err, "there is a token of that name; revoke it first, or take another name");
  snprintf(e.name, sizeof e.name, "%s", w->name);
  ck_access_secret(w->secret, e.hash);
  ck_access_add(a, &e);
  return 0;
}

static void put_words(json_t *object, const char *name, unsigned scopes) {
  struct ck_buf words = {0};
  ck_scopes_text(&words, scopes);
  json_object_set_new(object, name, json_string(ck_buf_cstr(&words)));
  ck_buf_free(&words);
}

static int run_add(struct wish *w) {
  struct ck_err err;
  if (!w->scopes_text)
    return cli_usage_error(w->c, "--scope", "it must be said what the token may do: %s",
                           CK_SCOPE_WORDS);
  if (ck_scopes_read(&w->scopes, ck_str_of(w->scopes_text), &err))
    return cli_usage_error(w->c, "--scope", "%s", err.text);
  if (ck_access_check_name(ck_str_of(w->name), &err))
    return cli_usage_error(w->c, w->name, "%s", err.text);
  if (ck_access_change(ck_now_ms(), add, w, &err)) return failed(w, &err);
  if (w->c->json) {
    json_t *said = json_pack("{s:s, s:s}", "name", w->name, "token", w->secret);
    put_words(said, "scopes", w->scopes);
    cli_json_line(said);
    json_decref(said);
  } else {
    puts(w->secret);
  }
  explicit_bzero(w->secret, sizeof w->secret);
  return CLI_DONE;
}

/* ---- list ---- */

static void list_json(const struct ck_access_entry *e) {
  json_t *said = json_pack("{s:s, s:I, s:s?}", "name", e->name, "created_at",
                           (json_int_t)e->created_at, "origin", *e->origin ? e->origin : NULL);
  put_words(said, "scopes", e->scopes);
  cli_json_line(said);
  json_decref(said);
}

static void list_row(struct cli_table *t, const struct ck_access_entry *e) {
  struct ck_buf text = {0};
  cli_table_cell(t, CLI_BOLD, ck_str_of(e->name));
  ck_scopes_text(&text, e->scopes);
  cli_table_cell(t, CLI_PLAIN, ck_buf_view(&text));
  ck_buf_clear(&text);
  cli_minute_text(&text, e->created_at);
  cli_table_cell(t, CLI_DIM, ck_buf_view(&text));
  cli_table_cell(t, CLI_PLAIN, ck_str_of(e->origin));
  ck_buf_free(&text);
}

static int run_list(struct wish *w) {
  static const char *const titles[] = {"=name", "scopes", "=since", "~extension"};
  struct ck_access a;
  struct ck_err err;
  if (ck_access_read(&a, &err)) return failed(w, &err);
  struct cli_table *t = w->c->json ? NULL : cli_table_new(4, titles);
  size_t n = 0;
  for (size_t i = 0; i < a.n; ++i) {
    if (a.list[i].kind != CK_ACCESS_TOKEN) continue;
    ++n;
    if (t)
      list_row(t, &a.list[i]);
    else
      list_json(&a.list[i]);
  }
  ck_access_free(&a);
  if (t && n) cli_table_print(&t);
  if (t) cli_table_free(&t);
  if (n == 0 && !w->c->json)
    puts("no tokens; convkeep web token add NAME --scope " CK_SCOPE_WORDS " makes one");
  return CLI_DONE;
}

/* ---- revoke ---- */

static int revoke(void *self, struct ck_access *a, struct ck_err *err) {
  const struct wish *w = self;
  struct ck_access_entry *e = ck_access_named(a, ck_str_of(w->name));
  if (!e) return ck_fail(err, "there is no token of that name");
  ck_access_remove(a, (size_t)(e - a->list));
  return 0;
}

static int run_revoke(struct wish *w) {
  struct ck_err err;
  if (ck_access_change(ck_now_ms(), revoke, w, &err)) return failed(w, &err);
  if (w->c->json)
    puts("{\"revoked\":true}");
  else
    puts("revoked");
  return CLI_DONE;
}

/* ---- the command ---- */

static int run(struct cli *c, int argc, char **argv) {
  struct wish w = {.c = c};
  int rc = cli_options(c, &argc, argv, &w);
  if (rc != CLI_GO_ON) return rc;
  const char *what = argv[2];
  bool lists = strcmp(what, "list") == 0;
  w.name = argc > 3 ? argv[3] : NULL;
  if (lists == (w.name != NULL))
    return cli_usage_error(c, what, lists ? "it takes no name" : "the token's name is missing");
  if (w.scopes_text && strcmp(what, "add") != 0)
    return cli_usage_error(c, "--scope", "only a token that is added takes scopes");
  rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, !lists);
  if (rc != CLI_GO_ON) return rc;
  if (lists) return run_list(&w);
  return strcmp(what, "add") == 0 ? run_add(&w) : run_revoke(&w);
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("token", CLI_CHOICE, 0),
                                                CLI_ARGUMENT("add|list|revoke", CLI_CHOICE, 0),
                                                CLI_ARGUMENT("NAME", CLI_ID, CLI_OPTIONAL),
                                                {0}};
static const struct cli_option options[] = {
    CLI_VALUE("scope", CLI_TEXT, "SCOPES", struct wish, scopes_text,
              "what a new token may do: some of " CK_SCOPE_WORDS ", with commas between them"),
    {0}};

const struct cli_command cli_web = {
    "web",
    CLI_TO_KEEP,
    "tokens for programs that use the HTTP door",
    arguments,
    options,
    "add makes a token and prints it, once: only its hash is kept. A program sends it with each\n"
    "request, as `Authorization: Bearer TOKEN`. list shows the names, revoke ends one; webd heeds\n"
    "it from the next request on, and streams end within a second.\n\n"
    "capture gives observations; deliver claims follow-ups and says how they ended; read reads "
    "and\n"
    "searches everything; admin changes conversations, jobs and pauses. Each is for itself.",
    run,
    NULL};
