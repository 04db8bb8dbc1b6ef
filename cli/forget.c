/* convkeep forget: a conversation or a message is taken out of everything that the ring keeps, and
 * stays away. The store deletes the records at once; the readable files, the index of the search
 * and the mirror follow, which is waited for. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/forget_lines.h"
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "cli/time.h"
#include "proto/clock.h"
#include "proto/places.h"
#include "proto/spool_files.h"

#define PATIENCE_MS 30000
#define LOOK_US 50000

struct wish {
  struct cli *c;
  bool yes, list, undo;
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

static int tell(struct cli *c, enum ck_mutation_kind kind, bool conversation, const char *id,
                char *result) {
  struct ck_buf mutations = {0};
  struct ck_err err = {{0}};
  struct ck_mutation m = {.kind = kind};
  const char *what = conversation ? "conversation" : "message";
  if (kind == CK_OP_FORGET)
    m.as.forget = (struct ck_forget){ck_str_of(what), ck_str_of(id)};
  else
    m.as.remember = (struct ck_remember){ck_str_of(what), ck_str_of(id)};
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, &m);
  int rc = cli_write(c, ck_buf_view(&mutations), result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON || *result != 'r') return rc;
  cli_error(c, id, "%s", err.text);
  return CLI_FAILED;
}

/* ---- what follows ---- */

static bool is_behind(const json_t *info, const char *what, int64_t version) {
  return cli_member_int(json_object_get(info, what), "cursor", 0) < version;
}

/* The spool's files: ingest deletes one when all that is in it is in the store, and nothing comes.
 */
static json_t *segments(void) {
  json_t *names = json_array();
  glob_t found = {0};
  if (glob(CK_PLACE_SPOOL "/*.seg", 0, NULL, &found) == 0)
    for (size_t i = 0; i < found.gl_pathc; ++i) {
      struct stat st;
      if (lstat(found.gl_pathv[i], &st) == 0 && st.st_size > CK_SPOOL_SEGMENT_HEAD)
        json_array_append_new(names, json_string(found.gl_pathv[i]));
    }
  globfree(&found);
  return names;
}

static bool any_there(const json_t *names) {
  size_t i;
  const json_t *name;
  json_array_foreach(names, i, name) {
    if (access(json_string_value(name), F_OK) == 0) return true;
  }
  return false;
}

/* What has not done it yet: a word for each. */
static json_t *still_to_do(const json_t *info, int64_t version, const json_t *spooled) {
  json_t *left = json_array();
  if (any_there(spooled)) json_array_append_new(left, json_string("spool"));
  const json_t *sync = json_object_get(info, "sync");
  bool mirrored = strcmp(cli_member(sync, "sink"), "null") != 0;
  if (json_is_true(json_object_get(json_object_get(info, "wal"), "forgetting")))
    json_array_append_new(left, json_string("wal"));
  if (is_behind(info, "artifacts", version)) json_array_append_new(left, json_string("artifacts"));
  if (is_behind(info, "search", version)) json_array_append_new(left, json_string("search"));
  if (mirrored && is_behind(info, "sync", version))
    json_array_append_new(left, json_string("mirror"));
  return left;
}

/* *left: what is not done after PATIENCE_MS. */
static int await_all(struct cli *c, json_t **left) {
  int64_t until = ck_boot_ms() + PATIENCE_MS, version = -1;
  json_t *spooled = segments();
  int rc = CLI_GO_ON;
  for (*left = NULL;;) {
    json_t *info;
    rc = cli_status_of(c, &info);
    if (rc != CLI_GO_ON) break;
    if (version < 0) version = cli_member_int(info, "version", 0);
    json_decref(*left);
    *left = still_to_do(info, version, spooled);
    json_decref(info);
    if (json_array_size(*left) == 0 || ck_boot_ms() >= until) break;
    if (c->client->ring) cli_ring_step(c->client->ring);
    usleep(LOOK_US);
  }
  json_decref(spooled);
  return rc;
}

/* Files of the data folder that may have it and are nobody's to change. */
static json_t *kept_files(void) {
  static const char *const patterns[] = {
      "artifact.db.before-*", "artifact.db.saved-*", "artifact.db.restore",
      "mirror.db.before-*",   "artifacts.before-*",  "logs/rejected.jsonl*",
  };
  json_t *files = json_array();
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; ++i) {
    glob_t found = {0};
    if (glob(patterns[i], 0, NULL, &found) == 0)
      for (size_t k = 0; k < found.gl_pathc; ++k) {
        struct stat st;
        if (lstat(found.gl_pathv[k], &st) == 0 && st.st_size > 0)
          json_array_append_new(files, json_string(found.gl_pathv[k]));
      }
    globfree(&found);
  }
  return files;
}

/* ---- the answer ---- */

static void say_left(const struct cli *c, const json_t *left) {
  static const char *const words[][2] = {
      {"spool", "the spool may still have it, until all that came with it is in the store and"
                " nothing comes for two seconds"},
      {"wal", "the database's WAL still has it, because somebody reads it; it is emptied when"
              " that ends"},
      {"artifacts", "the readable files still have it; the store rewrites them"},
      {"search", "the index of the search is being made again; what was forgotten is no hit"},
      {"mirror", "the mirror still has it; it is deleted there once syncd gets through: convkeep"
                 " sync status"}};
  size_t i;
  const json_t *one;
  json_array_foreach(left, i, one) for (size_t k = 0; k < sizeof words / sizeof *words; ++k) {
    if (strcmp(json_string_value(one), words[k][0]) == 0) cli_warn(c, NULL, "%s", words[k][1]);
  }
}

static void say_kept(const json_t *files) {
  struct ck_buf text = {0};
  size_t i;
  const json_t *one;
  json_array_foreach(files, i, one) {
    ck_buf_text(&text, i ? ", " : "these files may still have it; delete them: ");
    cli_safe_text(&text, ck_str_of(json_string_value(one)), false);
  }
  if (text.len) printf("%s\n", ck_buf_cstr(&text));
  puts("backups, exports and the place that it came from still have it");
  ck_buf_free(&text);
}

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
  json_t *left, *files = NULL;
  size_t records;
  int rc = forget_lines(c, m, &records);
  if (rc == CLI_GO_ON) rc = await_all(c, &left);
  if (rc != CLI_GO_ON) return rc;
  files = kept_files();
  if (c->json) {
    print_json(json_pack("{s:s, s:s, s:b, s:I, s:O, s:O}", "kind",
                         m->conversation ? "conversation" : "message", "id", m->id, "new",
                         result != '=', "records", (json_int_t)records, "left", left, "kept",
                         files));
  } else {
    printf("%s: %s, %zu %s\n", result == '=' ? "nothing to do: it is forgotten" : "forgotten",
           m->words, records, ck_noun(records, "record", "records"));
    say_left(c, left);
    say_kept(files);
  }
  bool whole = json_array_size(left) == 0;
  json_decref(left);
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
  if (rc == CLI_GO_ON) rc = tell(w->c, CK_OP_FORGET, m.conversation, m.id, &result);
  if (rc == CLI_GO_ON) rc = report(w->c, &m, result);
  meant_free(&m);
  return rc;
}

/* ---- --list and --undo ---- */

/* What a person has named is the record whose id says so itself. */
static bool is_named(const json_t *row) {
  return strcmp(cli_member(row, "forgotten_id"), cli_member(row, "forgotten_with")) == 0;
}

static const char *kind_of(const json_t *row) {
  bool message = strcmp(cli_member(row, "table_name"), ck_tables[CK_MESSAGES].name) == 0;
  return message ? "message" : "conversation";
}

static int list(struct cli *c) {
  static const char *const titles[] = {"WHEN", "WHAT", "STATE", "~ID", NULL};
  json_t *rows, *row;
  size_t i;
  int rc = cli_query_all(c, "forgotten", NULL, 0, &rows);
  if (rc != CLI_GO_ON) return rc;
  struct cli_table *t = cli_table_new(4, titles);
  json_array_foreach(rows, i, row) {
    if (!is_named(row)) continue;
    if (c->json) {
      print_json(json_pack("{s:s, s:s, s:I, s:b}", "kind", kind_of(row), "id",
                           cli_member(row, "record_key"), "at",
                           (json_int_t)cli_member_int(row, "forgotten_at", 0), "taken_back",
                           (int)cli_member_int(row, "taken_back", 0)));
      continue;
    }
    struct ck_buf when = {0};
    cli_time_text(&when, cli_member_int(row, "forgotten_at", 0));
    cli_table_cell(t, CLI_PLAIN, ck_buf_view(&when));
    cli_table_cell(t, CLI_PLAIN, ck_str_of(kind_of(row)));
    cli_table_cell(t, CLI_PLAIN,
                   cli_member_int(row, "taken_back", 0) ? CK_LIT("may come again")
                                                        : CK_LIT("stays away"));
    cli_table_cell(t, CLI_PLAIN, ck_str_of(cli_member(row, "record_key")));
    ck_buf_free(&when);
  }
  if (c->json)
    cli_table_free(&t);
  else
    cli_table_print(&t);
  json_decref(rows);
  return CLI_DONE;
}

static int undo(struct cli *c, const char *word) {
  json_t *rows, *row;
  size_t i;
  char result = '=';
  int rc = cli_query_all(c, "forgotten", NULL, 0, &rows);
  if (rc != CLI_GO_ON) return rc;
  const char *kind = NULL;
  json_array_foreach(rows, i, row) {
    if (is_named(row) && strcmp(cli_member(row, "record_key"), word) == 0) kind = kind_of(row);
  }
  if (!kind) {
    cli_error(c, word, "nothing was forgotten by that id; convkeep forget --list has the ids");
    rc = CLI_FAILED;
  } else {
    rc = tell(c, CK_OP_REMEMBER, strcmp(kind, "conversation") == 0, word, &result);
  }
  if (rc == CLI_GO_ON && c->json)
    print_json(json_pack("{s:s, s:s, s:b}", "kind", kind, "id", word, "taken_back", 1));
  else if (rc == CLI_GO_ON)
    printf("%s: import what has it, and it is there again\n",
           result == '=' ? "it may come again already" : "it may come again");
  json_decref(rows);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

/* ---- the command ---- */

static int run(struct cli *c, int argc, char **argv) {
  struct wish w = {.c = c};
  int rc = cli_options(c, &argc, argv, &w);
  if (rc != CLI_GO_ON) return rc;
  const char *word = argc > 1 ? argv[1] : NULL;
  if (w.list && (word || w.undo)) return cli_usage_error(c, "--list", "goes alone");
  if (!w.list && !word) return cli_usage_error(c, NULL, "name a CONVERSATION or a MESSAGE");
  rc = cli_connect(c, false, CLI_PART(CLI_STORE) | CLI_PART(CLI_INGEST) | CLI_PART(CLI_SYNCD));
  if (rc != CLI_GO_ON) return rc;
  return w.list ? list(c) : w.undo ? undo(c, word) : forget(&w, word);
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("CONVERSATION|MESSAGE", CLI_CONVERSATION, CLI_OPTIONAL), {0}};
static const struct cli_option options[] = {
    CLI_FLAG("yes", struct wish, yes, "ask nothing"),
    CLI_FLAG("list", struct wish, list, "what was forgotten, by the ids that were named"),
    CLI_FLAG("undo", struct wish, undo,
             "let it be taken in again; nothing comes back before it is imported"),
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
    "when all of that is done, and exits 1 with what is left if something was not within 30 s.\n\n"
    "CONVERSATION is " CLI_HELP_CONVERSATION "\n"
    "MESSAGE is an id, or the beginning of one.\n\n"
    "A later import of what has it, or a log that is followed, does not bring it back: that is\n"
    "counted. --undo lets it come again.\n\n"
    "Backups, exported files and the place that it came from keep it.",
    run,
    NULL};
