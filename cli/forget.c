/* convkeep forget: a conversation or a message is taken out of everything that the ring keeps, and
 * stays away. The store deletes the records at once; the readable files, the index of the search
 * and the mirror follow, which is waited for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/forget_after.h"
#include "cli/forget_lines.h"
#include "cli/forgotten_file.h"
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "cli/time.h"

struct wish {
  struct cli *c;
  bool yes, list, undo, again;
};

/* What is meant. */
struct meant {
  bool conversation;
  char *id;
  char *words; /* for people */
};

static void meant_free(struct meant *m) {
  free(m->id);
  free(m->words);
}

static void print_json(json_t *line) {
  cli_json_line(line);
  json_decref(line);
}

/* ---- what is meant ---- */

/* A message is meant by its id or the beginning of one; everything else is a conversation. */
static void describe(struct meant *m, const char *what, const char *more) {
  struct ck_buf b = {0};
  ck_buf_printf(&b, "%s ", what);
  cli_safe_text(&b, ck_str_of(m->id), false);
  if (*more) ck_buf_text(&b, ", ");
  cli_safe_text(&b, ck_str_of(more), false);
  m->words = ck_strdup(ck_buf_cstr(&b));
  ck_buf_free(&b);
}

/* *found: there is one. */
static int find_message(struct cli *c, const char *word, struct meant *m, bool *found) {
  json_t *row;
  int rc = cli_id_of(c, CK_MESSAGES, word, &m->id);
  if (rc == CLI_GO_ON) rc = cli_query_one(c, "messages", "id", m->id, &row);
  *found = rc == CLI_GO_ON && row;
  if (*found) describe(m, "message", cli_member(row, "role"));
  if (rc == CLI_GO_ON) json_decref(row);
  return rc;
}

/* *found: it is forgotten already, by this id. */
static int find_forgotten(struct cli *c, const char *word, struct meant *m, bool *found) {
  static const enum ck_table tables[] = {CK_CONVERSATIONS, CK_MESSAGES};
  int rc = CLI_GO_ON;
  *found = false;
  for (size_t i = 0; i < 2 && rc == CLI_GO_ON && !*found; ++i) {
    struct ck_buf id = {0};
    json_t *row = NULL;
    ck_forgotten_id(&id, tables[i], ck_str_of(word));
    rc = cli_query_one(c, "forgotten", "forgotten_id", ck_buf_cstr(&id), &row);
    ck_buf_free(&id);
    *found = rc == CLI_GO_ON && row && !cli_member_int(row, "taken_back", 0);
    json_decref(row);
    if (!*found) continue;
    m->conversation = tables[i] == CK_CONVERSATIONS;
    free(m->id);
    m->id = ck_strdup(word);
    describe(m, m->conversation ? "conversation" : "message", "");
  }
  return rc;
}

static int find(struct cli *c, const char *word, struct meant *m) {
  json_t *row = NULL;
  bool message = false;
  int rc = find_forgotten(c, word, m, &message);
  if (rc != CLI_GO_ON || message) return rc;
  rc = cli_query_one(c, "local_conversations", "local_conversation_id", word, &row);
  if (rc == CLI_GO_ON && !row) rc = find_message(c, word, m, &message);
  if (rc != CLI_GO_ON || message) return rc;
  if (!row) rc = cli_resolve(c, word, "conversation or message", &row);
  if (rc != CLI_GO_ON) return rc;
  m->conversation = true;
  free(m->id);
  m->id = ck_strdup(cli_member(row, "local_conversation_id"));
  describe(m, "conversation", cli_member(row, "title"));
  json_decref(row);
  return CLI_GO_ON;
}

/* ---- telling the store ---- */

/* Is it noted already, as something that the database does not know? */
static int is_noted(struct cli *c, bool conversation, const char *id, bool *noted) {
  json_t *list, *what;
  size_t i;
  int rc = cli_forgotten_missing(c, &list);
  *noted = false;
  if (rc != CLI_GO_ON) return rc;
  json_array_foreach(list, i, what) {
    *noted |= strcmp(cli_member(what, "id"), id) == 0 &&
              conversation == (strcmp(cli_member(what, "kind"), "conversation") == 0);
  }
  json_decref(list);
  return rc;
}

/* absent: of a FORGET. It is noted first: the command may end, by whatever, before the store has
 * answered. */
static int tell(struct cli *c, enum ck_mutation_kind kind, bool conversation, const char *id,
                bool absent, char *result) {
  struct ck_buf mutations = {0};
  struct ck_err err = {{0}};
  struct ck_mutation m = {.kind = kind};
  const char *what = conversation ? "conversation" : "message";
  if (kind == CK_OP_FORGET)
    m.as.forget = (struct ck_forget){ck_str_of(what), ck_str_of(id), absent};
  else
    m.as.remember = (struct ck_remember){ck_str_of(what), ck_str_of(id)};
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, &m);
  bool noted = absent;
  int rc = kind == CK_OP_FORGET && !absent ? is_noted(c, conversation, id, &noted) : CLI_GO_ON;
  if (rc == CLI_GO_ON && kind == CK_OP_FORGET && !noted)
    rc = cli_forgotten_note(c, conversation, id, false);
  if (rc == CLI_GO_ON) rc = cli_write_long(c, ck_buf_view(&mutations), result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON) return rc;
  bool refused = *result == 'r';
  if (kind == CK_OP_FORGET ? refused && !noted : !refused)
    rc = cli_forgotten_note(c, conversation, id, true);
  return refused ? cli_fail(c, CLI_FAILED, id, "%s", err.text) : rc;
}

/* ---- the answer ---- */

/* Also of what was forgotten before: somebody may have ended that too soon. */
static int forget_lines(struct cli *c, const struct meant *m, size_t *n) {
  struct ck_buf with = {0};
  json_t *rows;
  ck_forgotten_id(&with, m->conversation ? CK_CONVERSATIONS : CK_MESSAGES, ck_str_of(m->id));
  int rc = cli_query_all(c, "forgotten",
                         &(struct cli_filter){"forgotten_with", ck_buf_cstr(&with), 0}, 1, &rows);
  ck_buf_free(&with);
  if (rc != CLI_GO_ON) return rc;
  *n = json_array_size(rows);
  rc = cli_forget_lines(c, rows);
  json_decref(rows);
  return rc;
}

static int report(struct cli *c, const struct meant *m, char result) {
  json_t *left, *unused, *files = NULL;
  size_t records;
  bool records_left;
  int rc = cli_forget_await_records(c, m->conversation, m->id, &records_left);
  if (rc == CLI_GO_ON) rc = forget_lines(c, m, &records);
  if (rc == CLI_GO_ON) rc = cli_forget_await(c, records_left, &left, &unused);
  if (rc != CLI_GO_ON) return rc;
  files = cli_forget_kept();
  if (c->json) {
    print_json(json_pack("{s:s, s:s, s:b, s:I, s:O, s:O, s:O}", "kind",
                         m->conversation ? "conversation" : "message", "id", m->id, "new",
                         result != '=', "records", (json_int_t)records, "left", left,
                         "unused_mirrors", unused, "kept", files));
  } else {
    printf("%s: %s, %zu %s\n", result == '=' ? "nothing to do: it is forgotten" : "forgotten",
           m->words, records, ck_noun(records, "record", "records"));
    cli_forget_say_left(c, left, unused);
    cli_forget_say_kept(files);
  }
  bool whole = json_array_size(left) == 0;
  json_decref(left);
  json_decref(unused);
  json_decref(files);
  return whole ? CLI_DONE : CLI_FAILED;
}

static int ask(const struct wish *w, const struct meant *m) {
  struct ck_buf question = {0};
  if (w->yes) return CLI_GO_ON;
  ck_buf_printf(&question, "Forget the %s, for good?", m->words);
  int rc = cli_agreed(w->c, ck_buf_cstr(&question));
  ck_buf_free(&question);
  return rc;
}

static int forget(const struct wish *w, const char *word) {
  struct meant m = {0};
  char result = '=';
  int rc = find(w->c, word, &m);
  if (rc == CLI_GO_ON) rc = ask(w, &m);
  if (rc == CLI_GO_ON) rc = tell(w->c, CK_OP_FORGET, m.conversation, m.id, false, &result);
  if (rc == CLI_GO_ON) rc = report(w->c, &m, result);
  meant_free(&m);
  return rc;
}

/* ---- --again ---- */

static int again_one(struct cli *c, const json_t *what, bool *whole) {
  char result;
  struct meant m = {.conversation = strcmp(cli_member(what, "kind"), "conversation") == 0,
                    .id = ck_strdup(cli_member(what, "id"))};
  describe(&m, cli_member(what, "kind"), "");
  int rc = tell(c, CK_OP_FORGET, m.conversation, m.id, true, &result);
  if (rc == CLI_GO_ON) rc = report(c, &m, result);
  *whole &= rc == CLI_DONE;
  meant_free(&m);
  return rc == CLI_DONE || rc == CLI_FAILED ? CLI_GO_ON : rc;
}

static int again(struct cli *c) {
  json_t *list, *what;
  size_t i;
  bool whole = true;
  struct ck_buf damaged = {0};
  int rc = cli_forgotten_missing(c, &list);
  if (rc != CLI_GO_ON) return rc;
  if (cli_forgotten_damaged(&damaged)) {
    cli_error(c, NULL, "%s: " CLI_FORGOTTEN_ADVICE, ck_buf_cstr(&damaged));
    whole = false;
  }
  ck_buf_free(&damaged);
  if (json_array_size(list) == 0 && whole && !c->json)
    puts("nothing to do: all of it is forgotten");
  json_array_foreach(list, i, what) {
    if (rc == CLI_GO_ON) rc = again_one(c, what, &whole);
  }
  json_decref(list);
  if (rc == CLI_GO_ON) rc = cli_forgotten_note_again(c);
  return rc != CLI_GO_ON ? rc : whole ? CLI_DONE : CLI_FAILED;
}

/* ---- --list and --undo ---- */

static const char *kind_of(const json_t *row) {
  bool message = strcmp(cli_member(row, "table_name"), ck_tables[CK_MESSAGES].name) == 0;
  return message ? "message" : "conversation";
}

static const char *state_of(const json_t *row, bool under_way) {
  if (under_way) return "being deleted";
  return cli_member_int(row, "taken_back", 0) ? "may come again" : "stays away";
}

static void list_one(struct cli *c, struct cli_table *t, const json_t *row, const json_t *info) {
  const char *kind = kind_of(row), *id = cli_member(row, "record_key");
  bool under_way = cli_forgetting_of(info, strcmp(kind, "conversation") == 0, id) != NULL;
  int64_t at = cli_member_int(row, "forgotten_at", 0);
  if (c->json) {
    print_json(json_pack("{s:s, s:s, s:I, s:b, s:b}", "kind", kind, "id", id, "at", (json_int_t)at,
                         "taken_back", (int)cli_member_int(row, "taken_back", 0), "under_way",
                         (int)under_way));
    return;
  }
  struct ck_buf when = {0};
  cli_time_text(&when, at);
  cli_table_cell(t, CLI_PLAIN, ck_buf_view(&when));
  cli_table_cell(t, CLI_PLAIN, ck_str_of(kind));
  cli_table_cell(t, CLI_PLAIN, ck_str_of(state_of(row, under_way)));
  cli_table_cell(t, CLI_PLAIN, ck_str_of(id));
  ck_buf_free(&when);
}

static int list(struct cli *c) {
  static const char *const titles[] = {"WHEN", "WHAT", "STATE", "~ID", NULL};
  json_t *rows, *row, *info;
  size_t i;
  int rc = cli_status_of(c, &info);
  if (rc != CLI_GO_ON) return rc;
  rc = cli_query_all(c, "forgotten", &(struct cli_filter){"named", NULL, 1}, 1, &rows);
  if (rc == CLI_GO_ON) {
    struct cli_table *t = cli_table_new(4, titles);
    json_array_foreach(rows, i, row) list_one(c, t, row, info);
    if (c->json)
      cli_table_free(&t);
    else
      cli_table_print(&t);
    json_decref(rows);
  }
  json_decref(info);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

/* *kind: of what was named by that id; NULL: nothing was. */
static int find_named(struct cli *c, const char *word, const char **kind) {
  static const enum ck_table tables[] = {CK_MESSAGES, CK_CONVERSATIONS};
  int rc = CLI_GO_ON;
  *kind = NULL;
  for (size_t i = 0; i < 2 && rc == CLI_GO_ON && !*kind; ++i) {
    struct ck_buf id = {0};
    json_t *row = NULL;
    ck_forgotten_id(&id, tables[i], ck_str_of(word));
    rc = cli_query_one(c, "forgotten", "forgotten_id", ck_buf_cstr(&id), &row);
    if (rc == CLI_GO_ON && strcmp(cli_member(row, "forgotten_with"), ck_buf_cstr(&id)) == 0)
      *kind = kind_of(row);
    ck_buf_free(&id);
    json_decref(row);
  }
  return rc;
}

static int undo(struct cli *c, const char *word) {
  char result = '=';
  const char *kind;
  int rc = find_named(c, word, &kind);
  if (rc != CLI_GO_ON) return rc;
  if (!kind) {
    cli_error(c, word, "nothing was forgotten by that id; convkeep forget --list has the ids");
    rc = CLI_FAILED;
  } else {
    rc = tell(c, CK_OP_REMEMBER, strcmp(kind, "conversation") == 0, word, false, &result);
  }
  if (rc == CLI_GO_ON && c->json)
    print_json(json_pack("{s:s, s:s, s:b}", "kind", kind, "id", word, "taken_back", 1));
  else if (rc == CLI_GO_ON)
    printf("%s: import what has it, and it is there again\n",
           result == '=' ? "it may come again already" : "it may come again");
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

/* ---- the command ---- */

static int run(struct cli *c, int argc, char **argv) {
  struct wish w = {.c = c};
  int rc = cli_options(c, &argc, argv, &w);
  if (rc != CLI_GO_ON) return rc;
  const char *word = argc > 1 ? argv[1] : NULL;
  if (w.list + w.again + (word != NULL) > 1 || (w.undo && !word))
    return cli_usage_error(c, NULL, "--list and --again go alone, and --undo with an id");
  if (!w.list && !w.again && !word)
    return cli_usage_error(c, NULL, "name a CONVERSATION or a MESSAGE");
  rc = cli_connect(c, false, CLI_PART(CLI_STORE) | CLI_PART(CLI_INGEST) | CLI_PART(CLI_SYNCD));
  if (rc != CLI_GO_ON) return rc;
  if (w.again) return again(c);
  return w.list ? list(c) : w.undo ? undo(c, word) : forget(&w, word);
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("CONVERSATION|MESSAGE", CLI_CONVERSATION, CLI_OPTIONAL), {0}};
static const struct cli_option options[] = {
    CLI_FLAG("yes", struct wish, yes, "ask nothing"),
    CLI_FLAG("list", struct wish, list, "what was forgotten, by the ids that were named"),
    CLI_FLAG("undo", struct wish, undo,
             "let it be taken in again; nothing comes back before it is imported"),
    CLI_FLAG("again", struct wish, again,
             "after a restore: what was forgotten since the backup, which has it"),
    {0}};

const struct cli_command cli_forget = {
    "forget",
    CLI_TO_KEEP,
    "take a conversation or a message out of everything",
    arguments,
    options,
    "Deletes it with all that belongs to it: messages, calls of tools, follow-ups and their log,\n"
    "readable files, entries of the search, the originals that it was read from, attachments that\n"
    "nothing else names; and in the mirror. The pages of the database are overwritten. It returns\n"
    "when all of that is done, and exits 1 with what is left if something was not within 30 s.\n"
    "The store deletes a large conversation in pieces, and goes on if you end the command.\n\n"
    "CONVERSATION is " CLI_HELP_CONVERSATION "\n"
    "MESSAGE is an id, or the beginning of one.\n\n"
    "A later import of what has it, or a log that is followed, does not bring it back: that is\n"
    "counted. --undo lets it come again.\n\n"
    "Backups, exported files and the place that it came from keep it.",
    run,
    NULL};
