/* convkeep original ID: the bytes that a message, an execution or a conversation was read from. */
#include "cli/fetch.h"
#include "cli/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/out.h"
#include "cli/resolve.h"
#include "cli/rows.h"
#include "proto/visible.h"

/* ---- which original ---- */

static int none(struct cli *c, const char *id, const char *what) {
  return cli_fail(
      c, CLI_FAILED, id,
      "no original of %s is kept: it was observed live, or came in from a database without one",
      what);
}

/* The one that the record names. row: a message or an execution. */
static int of_record(struct cli *c, const char *what, const json_t *row, const char *key,
                     struct cli_fetched *o) {
  const char *original = cli_member(row, "original");
  if (!*original) return none(c, key, what);
  int rc = cli_fetch_find(c, original, "", "", o);
  if (rc != CLI_GO_ON || *o->id) return rc;
  return cli_fail(c, CLI_FAILED, key,
                  "its original %s is missing; import the file that it came from again", original);
}

static int of_conversation(struct cli *c, const json_t *conversation, struct cli_fetched *o) {
  const char *id = cli_member(conversation, "local_conversation_id");
  struct cli_filter filter = {"local_conversation_id", id, 0};
  json_t *links;
  size_t i;
  const json_t *link;
  int rc = cli_query_all(c, "conversation_links", &filter, 1, &links);
  if (rc != CLI_GO_ON) return rc;
  json_array_foreach(links, i, link) {
    const char *remote = cli_member(link, "remote_conversation_id");
    if (*remote) rc = cli_fetch_find(c, "", cli_member(link, "platform"), remote, o);
    if (rc != CLI_GO_ON || *o->id) break;
  }
  json_decref(links);
  return rc == CLI_GO_ON && !*o->id ? none(c, id, "the conversation") : rc;
}

static const struct record {
  const char *table, *key, *what;
} records[] = {{"messages", "id", "the message"},
               {"executions", "instruction_id", "the execution"}};
#define RECORDS (sizeof records / sizeof *records)

/* *found: a message or an execution has this id. */
static int by_key(struct cli *c, const char *id, struct cli_fetched *o, bool *found) {
  int rc = CLI_GO_ON;
  for (size_t i = 0; i < RECORDS && rc == CLI_GO_ON && !*found; ++i) {
    json_t *row;
    rc = cli_query_one(c, records[i].table, records[i].key, id, &row);
    if (rc != CLI_GO_ON || !row) continue;
    *found = true;
    rc = of_record(c, records[i].what, row, id, o);
    json_decref(row);
  }
  return rc;
}

static bool is_hash(struct ck_str id) {
  return id.n >= CK_ORIGINAL_BEGINNING && id.n <= CK_ORIGINAL_ID && ck_str_is_hex(id);
}

/* *found: one message or execution has an id that begins so. */
static int by_beginning(struct cli *c, const char *text, struct cli_fetched *o, bool *found) {
  int rc = CLI_GO_ON;
  if (strlen(text) < CK_ORIGINAL_BEGINNING) return rc;
  json_t *keys = json_array();
  for (size_t i = 0; i < RECORDS && rc == CLI_GO_ON; ++i)
    rc = cli_ids_that_begin(c, ck_table_named(ck_str_of(records[i].table)), text, 2, keys);
  if (rc == CLI_GO_ON) rc = cli_ids_alone(c, text, keys);
  if (rc == CLI_GO_ON && json_array_size(keys))
    rc = by_key(c, json_string_value(json_array_get(keys, 0)), o, found);
  json_decref(keys);
  return rc;
}

/* *known: it is a conversation's whole id, here or on its platform. */
static int is_conversation(struct cli *c, const char *id, bool *known) {
  static const char *const columns[][2] = {{"local_conversations", "local_conversation_id"},
                                           {"conversation_links", "remote_conversation_id"}};
  int rc = CLI_GO_ON;
  for (int i = 0; i < 2 && rc == CLI_GO_ON && !*known; ++i) {
    json_t *row;
    rc = cli_query_one(c, columns[i][0], columns[i][1], id, &row);
    *known = rc == CLI_GO_ON && row;
    if (rc == CLI_GO_ON) json_decref(row);
  }
  return rc;
}

/* Whole ids come first, then beginnings, and last what else may mean a conversation. */
static int find(struct cli *c, const char *id, struct cli_fetched *o) {
  bool found = false, conversation = false;
  int rc = by_key(c, id, o, &found);
  if (rc != CLI_GO_ON || found) return rc;
  rc = is_conversation(c, id, &conversation);
  if (rc == CLI_GO_ON && !conversation && is_hash(ck_str_of(id)))
    rc = cli_fetch_find(c, id, "", "", o);
  if (rc != CLI_GO_ON || *o->id) return rc;
  if (!conversation) rc = by_beginning(c, id, o, &found);
  if (rc != CLI_GO_ON || found) return rc;
  json_t *row = NULL;
  rc = cli_resolve(c, id, "record or original", &row);
  if (rc == CLI_GO_ON) rc = of_conversation(c, row, o);
  json_decref(row);
  return rc;
}

/* ---- its bytes ---- */

/* How many bytes stand before a character, or a line break, that goes on in the next piece. */
static size_t before_cut(struct ck_str s) {
  for (size_t n = 1; n <= 3 && n <= s.n; ++n) {
    unsigned char first = (unsigned char)s.s[s.n - n];
    size_t whole = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 || first == '\r' ? 2 : 1;
    if (whole > n) return s.n - n;
    if (first < 0x80) break;
  }
  return s.n;
}

/* On a terminal, what it would obey is shown by its code. rest: the end of the piece before, and
 * then of this one. */
static void show_piece(FILE *to, const struct ck_buf *piece, struct ck_buf *rest, bool last) {
  struct ck_buf shown = {0};
  ck_buf_str(rest, ck_buf_view(piece));
  size_t n = last ? rest->len : before_cut(ck_buf_view(rest));
  ck_visible_text(&shown, (struct ck_str){rest->data, n}, true);
  if (shown.len) fwrite(shown.data, 1, shown.len, to);
  if (n < rest->len) memmove(rest->data, rest->data + n, rest->len - n);
  rest->len -= n;
  ck_buf_free(&shown);
}

/* Of damaged bytes, all that can be read are written. On a terminal a line break ends them. */
static int put_bytes(struct cli *c, FILE *to, struct cli_fetched *o) {
  int rc = CLI_GO_ON;
  bool terminal = isatty(fileno(to));
  struct ck_buf rest = {0};
  char last = '\n';
  while (rc == CLI_GO_ON && o->at < o->bytes && !ferror(to)) {
    rc = cli_fetch_next(c, o, CK_FETCH_MAX);
    if (o->piece.len) last = o->piece.data[o->piece.len - 1];
    if (terminal)
      show_piece(to, &o->piece, &rest, rc != CLI_GO_ON || o->at == o->bytes);
    else if (o->piece.len)
      fwrite(o->piece.data, 1, o->piece.len, to);
  }
  if (last != '\n' && terminal) fputc('\n', to);
  ck_buf_free(&rest);
  return rc;
}

static int cannot_write(struct cli *c, const char *file) {
  return cli_fail(c, CLI_FAILED, file, "%s", strerror(errno));
}

static int put_file(struct cli *c, const char *file, struct cli_fetched *o) {
  int fd = openat(c->cwd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
  FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
  if (!to) return cannot_write(c, file);
  int rc = put_bytes(c, to, o);
  bool lost = ferror(to) || fflush(to);
  if (lost) rc = cannot_write(c, file);
  if (fclose(to) && !lost) rc = cannot_write(c, file);
  return rc;
}

struct wish {
  const char *file;
};

static int run(struct cli *c, int argc, char **argv) {
  struct wish wish = {0};
  struct cli_fetched o = {.bytes = 0};
  int rc = cli_options(c, &argc, argv, &wish);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = find(c, argv[1], &o);
  bool to_file = wish.file && strcmp(wish.file, "-") != 0;
  if (rc == CLI_GO_ON) rc = to_file ? put_file(c, wish.file, &o) : put_bytes(c, stdout, &o);
  cli_fetch_free(&o);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("ID", CLI_RECORD, 0), {0}};
static const struct cli_option options[] = {
    {"output", CLI_FILE, "FILE", offsetof(struct wish, file),
     "writes them into FILE; -: to standard output", 'o', 0},
    {0}};

const struct cli_command cli_original = {
    "original",
    CLI_TO_READ,
    "the bytes that a record was read from, as they came",
    arguments,
    options,
    "Prints the original: one conversation of an export, or a run of lines. ID is a message, an\n"
    "execution, a conversation (then it is the newest original of it), or the hash of an\n"
    "original. The beginning of an id will do, 8 characters or more, if no other begins so. The\n"
    "bytes are those of the file, but of lines: empty lines between them are left out, and the "
    "last\n"
    "one has a line feed in any case. On a terminal, what it would obey is shown by its code.\n\n"
    "What was only observed live, or came in from a database without originals, has none.",
    run,
    NULL};
