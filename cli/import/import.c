/* convkeep import PATH…: each file, the files in each folder and in each archive (walk.h,
 * archive.h), sent one after another (send.h), and a line for each that says what came of it. */
#include "cli/import/send.h"
#include "cli/import/unread.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/import/agent.h"
#include "cli/import/attach.h"
#include "cli/import/await.h"
#include "cli/import/attach_name.h"
#include "cli/import/name.h"
#include "cli/import/foreign.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/import/walk.h"
#include "proto/file.h"

#define SHOWN_MAX 10 /* failures per file shown on a terminal */
#define MIRROR "mirror.db"

/* The whole command. */
struct import {
  struct cli *c;
  char *bytes; /* room for a piece */
  bool wait;
  int worst;                     /* exit code */
  uint64_t waiting;              /* of all files */
  struct foreign_sender *sender; /* of databases; NULL until there is one */
  struct cli_attach *attach;     /* of one argument; NULL: attachments are not kept */
  json_t *others;                /* of one argument: files skipped for their names, by ending */
  uint64_t other_count;          /* how many */
  uint64_t unread;               /* changesets in spools among them that no store has received */
  bool seen;                     /* a file was, in one argument */
  enum cli_agent agent;          /* whose home one argument is, */
  size_t agent_n;                /* and the bytes of its name */
  char *home;                    /* the place of the last artifact.db; NULL: there was none */
};

/* One file, and what came of it. */
struct item {
  const struct import *all;
  const char *name;
  bool found; /* in a folder or an archive; else the user named it */
  struct cli_sent sent;
};

/* ---- the result ---- */

static void print_json(const struct item *i) {
  const struct cli_sent *r = &i->sent;
  json_t *line = json_object();
  json_object_set_new(line, "file", json_string(i->name));
  json_object_set_new(line, "format", *r->format ? json_string(r->format) : json_null());
  json_object_set_new(line, "new", json_integer((json_int_t)r->added));
  json_object_set_new(line, "updated", json_integer((json_int_t)r->updated));
  json_object_set_new(line, "unchanged", json_integer((json_int_t)r->unchanged));
  json_object_set_new(line, "failed", json_integer((json_int_t)r->failed));
  json_object_set_new(line, "waiting", json_integer((json_int_t)r->waiting));
  json_object_set_new(line, "skipped", json_boolean(r->skipped));
  json_object_set_new(line, "failures", json_incref(r->failures));
  json_object_set_new(line, "notes", json_incref(r->notes));
  json_object_set_new(line, "error", r->error ? json_string(r->error) : json_null());
  json_object_set_new(line, "resent", json_integer(r->resent));
  cli_json_line(line);
  json_decref(line);
}

static const char *format_name(const char *format) {
  static const char *const names[][2] = {{"chatgpt", "chatgpt export"},
                                         {"claude", "claude export"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    if (strcmp(names[i][0], format) == 0) return names[i][1];
  return format;
}

static bool some_stored(const struct cli_sent *r) { return r->added || r->updated || r->unchanged; }

/* Appends how many observations were new, and so on. */
static void counts_text(struct ck_buf *line, const struct cli_sent *r) {
  if (r->waiting)
    ck_buf_printf(line, "%llu taken, waiting for the store; ", (unsigned long long)r->waiting);
  if (!r->waiting || some_stored(r))
    ck_buf_printf(line, "%llu new, %llu updated, %llu unchanged, ", (unsigned long long)r->added,
                  (unsigned long long)r->updated, (unsigned long long)r->unchanged);
  struct ck_buf failed = {0};
  ck_buf_printf(&failed, "%llu failed", (unsigned long long)r->failed);
  cli_paint(line, cli_colour(), r->failed ? CLI_RED : CLI_PLAIN, ck_buf_view(&failed));
  if (r->resent)
    ck_buf_printf(line,
                  " (sent %u times because the connection to ingest was lost; the last counts)",
                  r->resent + 1);
  ck_buf_free(&failed);
}

/* What went in, and should be known: a line for each kind. */
static void print_notes(const struct item *i) {
  const char *kind;
  json_t *count;
  json_object_foreach(i->sent.notes, kind, count) {
    struct ck_buf line = {0};
    cli_safe_text(&line, ck_str_of(i->name), false);
    ck_buf_text(&line, ": note: ");
    ck_buf_count(&line, (uint64_t)json_integer_value(count));
    ck_buf_text(&line, " × ");
    cli_safe_text(&line, ck_str_of(kind), false);
    ck_buf_text(&line, "\n");
    cli_print(&line);
    ck_buf_free(&line);
  }
}

static void print_line(const struct item *i) {
  const struct cli_sent *r = &i->sent;
  struct ck_buf line = {0};
  cli_safe_text(&line, ck_str_of(i->name), false);
  ck_buf_text(&line, ": ");
  if (r->skipped) {
    ck_buf_text(&line, "skipped: ");
    cli_safe_text(&line, ck_str_of(r->error), false);
  } else if (strcmp(r->format, "empty") == 0 && !r->error) {
    ck_buf_text(&line, "empty: nothing to import");
  } else {
    if (*r->format) ck_buf_printf(&line, "%s: ", format_name(r->format));
    counts_text(&line, r);
  }
  ck_buf_text(&line, "\n");
  cli_print(&line);
  print_notes(i);
  fflush(stdout); /* before the failures, which go to standard error */
  ck_buf_free(&line);
}

static void print_failures(const struct item *i) {
  size_t k, shown = json_array_size(i->sent.failures);
  json_t *one;
  if (isatty(STDERR_FILENO) && shown > SHOWN_MAX) shown = SHOWN_MAX;
  json_array_foreach(i->sent.failures, k, one) {
    if (k == shown) break;
    const char *reason = json_string_value(json_object_get(one, "reason"));
    struct ck_buf where = {0};
    ck_buf_printf(&where, "%s: ", i->name);
    cli_json_text(&where, json_object_get(one, "place"));
    cli_error(i->all->c, ck_buf_cstr(&where), "%s", reason ? reason : "no reason given");
    ck_buf_free(&where);
  }
  uint64_t places = i->sent.failed - (i->sent.error != NULL);
  if (places > shown)
    cli_error(i->all->c, i->name, "and %llu more failed", (unsigned long long)(places - shown));
  bool some = some_stored(&i->sent) || i->sent.waiting;
  if (i->sent.error)
    cli_error(i->all->c, i->name, "%s%s", i->sent.error,
              some ? "; everything before that place was imported" : "");
}

/* What came of something of which nothing was sent. Free it. */
static struct cli_sent unsent(const char *format, const char *error) {
  return (struct cli_sent){.format = ck_strdup(format),
                           .error = ck_strdup(error),
                           .failures = json_array(),
                           .notes = json_object()};
}

/* With --json, a file that could not be sent gets a line too. */
static void print_unsent(const struct cli *c, const char *file, const char *error) {
  if (!c->json) return;
  struct item i = {.name = file, .sent = unsent("", error)};
  i.sent.failed = 1;
  print_json(&i);
  cli_sent_free(&i.sent);
}

/* ---- one file ---- */

/* What is of no known format. */
static bool is_unknown(const struct cli_sent *r) {
  bool nothing = !*r->format || strcmp(r->format, "not json") == 0;
  return r->error && nothing && !r->damaged && r->failed == 1 && !some_stored(r) && !r->waiting;
}

/* An image, a recording, a document; not what may be somebody's own log (`.txt`, `.md`, `.csv`). */
static bool is_attachment(const char *name) {
  return cli_attach_kind(name) != CLI_ATTACH_NEVER &&
         strncmp(cli_attach_type(name, (struct ck_str){0}), "text/", 5) != 0;
}

/* A file that nobody named, found in a folder or an archive, may be of any kind: a photograph's
 * data, somebody's attachment. Its unknown content is a failure only if its name begins with
 * `conversations`. Whoever names all files of an export, as a shell does, names its images too. */
static bool is_by_the_way(const struct item *i) {
  return is_unknown(&i->sent) && strncmp(cli_name_own(i->name), "conversations", 13) != 0 &&
         (i->found ? !*i->sent.format : is_attachment(i->name));
}

/* The place of a data folder. */
static void note_home(struct import *all, const char *name) {
  const char *own = cli_name_own(name);
  if (strcmp(own, CK_PLACE_DATABASE) != 0) return;
  free(all->home);
  all->home = ck_str_dup((struct ck_str){name, (size_t)(own - name)});
}

/* A database that was found, and holds nothing of the six tables, is somebody else's. */
static int import_database(struct import *all, struct cli_source *source, bool found) {
  struct cli_foreign_result result;
  int rc =
      cli_foreign_import(all->c, source, all->wait, all->bytes, all->attach, &all->sender, &result);
  if (rc != CLI_GO_ON) {
    print_unsent(all->c, source->name, "it was not sent completely");
  } else {
    if (found && result.strange) result.failed = 0;
    cli_foreign_print(all->c, source->name, &result);
    note_home(all, source->name);
    rc = result.failed ? CLI_FAILED : CLI_DONE;
  }
  fflush(stdout);
  cli_foreign_free(&result);
  return rc;
}

/* Says what came of it. Returns the exit code. */
static int report(struct import *all, struct item *i) {
  if (is_by_the_way(i)) {
    i->sent.skipped = true;
    i->sent.failed = 0;
    if (!i->found) {
      free(i->sent.error);
      i->sent.error = ck_strdup("this is an attachment by its name; it is kept if the folder or "
                                "archive that it is in is imported");
    }
  }
  if (all->c->json)
    print_json(i);
  else
    print_line(i);
  if (!all->c->json && !i->sent.skipped) print_failures(i);
  all->waiting += i->sent.waiting;
  return i->sent.failed ? CLI_FAILED : CLI_DONE;
}

static bool is_of_export(const struct item *i) {
  const char *format = i->sent.format;
  bool session = strncmp(format, "claude code", 11) == 0;
  return strncmp(format, "chatgpt", 7) == 0 || (strncmp(format, "claude", 6) == 0 && !session);
}

static int import_source(struct import *all, struct cli_source *source, bool found) {
  all->seen = true;
  if (cli_foreign_is(cli_source_head(source))) return import_database(all, source, found);
  struct item i = {.all = all, .name = source->name, .found = found};
  int rc = cli_send(all->c, source, all->wait, all->bytes, &i.sent);
  if (rc != CLI_GO_ON) {
    print_unsent(all->c, source->name, "it was not sent completely");
  } else {
    if (all->attach && found && is_of_export(&i))
      cli_attach_conversations(all->attach, source->name);
    rc = report(all, &i);
  }
  fflush(stdout);
  cli_sent_free(&i.sent);
  return rc;
}

static int cannot_read(struct import *all, const char *path, const char *reason) {
  char *name = cli_name_text(path);
  all->seen = true;
  cli_error(all->c, name, "%s", reason);
  print_unsent(all->c, name, reason);
  free(name);
  return CLI_FAILED;
}

/* ---- archives and folders ---- */

static void worst_of(struct import *all, int rc) {
  if (rc > all->worst) all->worst = rc;
}

static const char *ending_of(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot && dot != name && !strpbrk(dot, "/: ") && strlen(dot) <= 10 ? dot : "";
}

static bool ends_in(struct ck_str name, const char *const *endings) {
  for (; *endings; ++endings) {
    size_t n = strlen(*endings);
    if (name.n >= n && strncasecmp(name.s + name.n - n, *endings, n) == 0) return true;
  }
  return false;
}

/* Whether a file that was found by this name, or begins so, may hold conversations. */
static bool may_hold(const char *name, struct ck_str head) {
  static const char *const packed[] = {".gz", ".zst", ".xz", ".bz2", NULL};
  static const char *const json[] = {".json", ".jsonl", ".ndjson", NULL};
  struct ck_str s = ck_str_of(name);
  if (ends_in(s, packed)) s.n = (size_t)(strrchr(name, '.') - name);
  return ends_in(s, json) || cli_foreign_is(head);
}

#define NO_ENDING "without an ending"

/* What cli_walk calls it: a symbolic link. */
static bool is_noun(const char *kind) { return *kind != '.' && strcmp(kind, NO_ENDING) != 0; }

static void add_other(struct import *all, const char *kind) {
  json_int_t n = json_integer_value(json_object_get(all->others, kind));
  json_object_set_new_nocheck(all->others, kind, json_integer(n + 1));
  ++all->other_count;
}

/* SQLite's files beside a database are read with it. */
static void count_other(struct import *all, const char *name) {
  static const char *const beside[] = {"-wal", "-shm", NULL};
  if (ends_in(ck_str_of(name), beside)) return;
  add_other(all, *ending_of(name) ? ending_of(name) : NO_ENDING);
}

static void count_link(void *self, const char *path, const char *what) {
  struct import *all = self;
  (void)path;
  add_other(all, what);
}

static bool goes_on(const struct import *all) {
  return !cli_interrupted() && all->worst != CLI_NOBODY;
}

/* A file or member whose name is not that of conversations. member: NULL: the container itself. */
static void pass_over(struct import *all, const char *container, const char *member) {
  all->seen = true;
  if (!member) all->unread += cli_unread(all->c->cwd, container);
  if (all->attach && cli_attach_note(all->attach, container, member)) return;
  char *name = cli_name_text(member ? member : container);
  count_other(all, name);
  free(name);
}

/* The mirror of a database that was read has nothing more. */
static bool is_mirror(const struct import *all, const char *name) {
  size_t n = (size_t)(cli_name_own(name) - name);
  return all->home && strcmp(name + n, MIRROR) == 0 && strlen(all->home) == n &&
         strncmp(all->home, name, n) == 0;
}

static bool is_wanted(const struct import *all, const char *name, struct ck_str head) {
  return may_hold(name, head) && cli_attach_kind(name) != CLI_ATTACH_SURE &&
         !cli_name_is_ours(name) && !is_mirror(all, name);
}

static void import_members(struct import *all, struct cli_source *source, bool found) {
  struct ck_err err;
  int rc;
  while (goes_on(all) && (rc = cli_source_next(source, &err))) {
    bool named = !found && source->alone;
    if (rc < 0)
      worst_of(all, cannot_read(all, source->name, err.text));
    else if (named || is_wanted(all, source->name, cli_source_head(source)))
      worst_of(all, import_source(all, source, !named));
    else
      pass_over(all, source->file, source->name);
  }
}

static void not_kept(void *self, const char *name) { count_other(self, name); }

/* source: PATH, if it is an archive; else NULL. */
static void import_attachments(struct import *all, const char *path, struct cli_source *source) {
  if (!all->attach || !goes_on(all)) return;
  if (cli_attach_decide(all->attach, not_kept, all) == 0) return;
  char *name = cli_name_text(path);
  struct item i = {.all = all, .name = name};
  int rc = cli_attach_send(all->attach, source, all->wait, &i.sent);
  worst_of(all, rc == CLI_GO_ON ? report(all, &i) : rc);
  cli_sent_free(&i.sent);
  free(name);
}

/* A database is told by its bytes, whatever its name says. */
static bool is_database(const struct import *all, const char *path) {
  char head[CLI_ARCHIVE_HEAD];
  int fd = ck_open_file(all->c->cwd, path, O_RDONLY | O_NOFOLLOW, NULL);
  ssize_t n = fd >= 0 ? pread(fd, head, sizeof head, 0) : 0;
  if (fd >= 0) close(fd);
  return cli_foreign_is((struct ck_str){head, n > 0 ? (size_t)n : 0});
}

static int import_file(struct import *all, const char *path, bool found) {
  struct cli_source source = {.fd = -1, .kept = -1};
  struct ck_err err;
  if (found && !cli_attach_opens(path) && !is_database(all, path))
    pass_over(all, path, NULL);
  else if (cli_source_open(all->c, &source, path, &err))
    worst_of(all, cannot_read(all, path, err.text));
  else if (source.archive)
    import_members(all, &source, found);
  else if (!found || is_wanted(all, path, cli_source_head(&source)))
    worst_of(all, import_source(all, &source, found));
  else
    pass_over(all, path, NULL);
  if (!found) import_attachments(all, path, source.archive ? &source : NULL);
  cli_source_close(&source);
  return goes_on(all) ? 0 : -1;
}

static int file_found(void *self, const char *path) {
  struct import *all = self;
  if (!cli_agent_is_other(path, all->agent, all->agent_n)) return import_file(all, path, true);
  all->seen = true;
  count_other(all, path);
  return goes_on(all) ? 0 : -1;
}

static void not_found(void *self, const char *path, const char *reason) {
  worst_of(self, cannot_read(self, path, reason));
}

static void add_unread(struct ck_buf *b, const struct import *all, const char *path) {
  if (!all->unread) return;
  cli_safe_text(b, ck_str_of(path), false);
  ck_buf_printf(b,
                ": not read: %llu %s in a spool, which its database has not received yet: start "
                "that data folder's ring until `convkeep status` shows none, and import again\n",
                (unsigned long long)all->unread, ck_noun(all->unread, "changeset", "changesets"));
}

/* Says what was skipped for its name, by the names' endings. */
static void print_others(struct import *all, const char *path) {
  struct ck_buf line = {0};
  const char *ending;
  json_t *n;
  if (!all->other_count) return;
  if (all->c->json) {
    json_t *object = json_pack("{s:s, s:I, s:O}", "file", path, "other_files",
                               (json_int_t)all->other_count, "by_ending", all->others);
    if (all->unread)
      json_object_set_new(object, "unread_changesets", json_integer((json_int_t)all->unread));
    cli_json_line(object);
    json_decref(object);
  } else {
    cli_safe_text(&line, ck_str_of(path), false);
    ck_buf_printf(&line, ": %llu other %s skipped: ", (unsigned long long)all->other_count,
                  ck_noun(all->other_count, "file", "files"));
    bool first = true;
    json_object_foreach(all->others, ending, n) {
      ck_buf_printf(&line, "%s%lld ", first ? "" : ", ", (long long)json_integer_value(n));
      cli_safe_text(&line, ck_str_of(ending), false);
      if (is_noun(ending)) ck_buf_text(&line, ck_noun((uint64_t)json_integer_value(n), "", "s"));
      first = false;
    }
    ck_buf_text(&line, "\n");
    add_unread(&line, all, path);
    cli_print(&line);
  }
  ck_buf_free(&line);
  json_object_clear(all->others);
  all->other_count = all->unread = 0;
}

static bool is_folder(const struct cli *c, const char *path) {
  struct stat st;
  return strcmp(path, "-") != 0 && fstatat(c->cwd, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* An archive or folder without a file in it. */
static void report_empty(struct import *all, const char *path) {
  char *name = cli_name_text(path);
  struct item i = {.all = all, .name = name, .sent = unsent("empty", "there is no file in it")};
  i.sent.skipped = true;
  report(all, &i);
  cli_sent_free(&i.sent);
  free(name);
}

static void import_path(struct import *all, const char *path) {
  const struct cli_walk_ops ops = {all, file_found, count_link, not_found};
  bool keeps = strcmp(ck_set_text(all->c->settings, CK_SET_IMPORT_ATTACHMENTS), "on") == 0;
  all->attach = keeps ? cli_attach_new(all->c, path) : NULL;
  if (is_folder(all->c, path)) {
    all->agent = cli_agent_home(all->c->cwd, path);
    all->agent_n = strlen(path);
    cli_walk(all->c->cwd, path, &ops);
    import_attachments(all, path, NULL);
  } else {
    import_file(all, path, false);
  }
  cli_attach_free(&all->attach);
  print_others(all, path);
  if (!all->seen && goes_on(all)) report_empty(all, path);
  all->seen = false;
}

static int run(struct cli *c, int argc, char **argv) {
  struct import all = {.c = c};
  int rc = cli_options(c, &argc, argv, &all);
  if (rc == CLI_GO_ON) rc = cli_connect(c, true, CLI_PART(CLI_STORE) | CLI_PART(CLI_INGEST));
  if (rc != CLI_GO_ON) return rc;
  cli_catch_signals();
  all.bytes = ck_alloc(CLI_PIECE);
  all.others = json_object();
  for (int i = 1; i < argc && goes_on(&all); ++i) import_path(&all, argv[i]);
  cli_foreign_end(&all.sender);
  free(all.bytes);
  free(all.home);
  json_decref(all.others);
  int files = all.worst == CLI_NOBODY || all.waiting ? all.worst : cli_await_files(c);
  return files > all.worst ? files : all.worst;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("PATH", CLI_FILE, CLI_MANY), {0}};
static const struct cli_option options[] = {
    CLI_FLAG("wait", struct import, wait, "waits for the receipts also while the store is away"),
    {0}};

const struct cli_command cli_import = {
    "import",
    CLI_TO_READ,
    "import chat exports and observations; - reads standard input",
    arguments,
    options,
    "A path is a file, a folder, or an archive as it was downloaded: zip, tar, 7z, .gz, .zst,\n"
    ".xz, .bz2, also inside each other. Detects the format from the content: exports of ChatGPT,\n"
    "of Claude.ai and of convkeep itself (export --json), sessions of Claude Code and Codex (also\n"
    "~/.claude and ~/.codex as a whole), observations, one JSON object a line, and databases with\n"
    "convkeep's tables (docs/cli.md). Importing a file again changes nothing.\n\n"
    "Prints one line a file: how many observations were new, updated, unchanged or failed; below\n"
    "it notes on what went in, such as messages without a time; then, on standard error, each\n"
    "failure with its place and reason. Files of an export without messages are skipped, and\n"
    "named. Of folders and archives .json, .jsonl, .ndjson and databases are read; images,\n"
    "documents and recordings beside them are kept as attachments; other files are counted.\n\n"
    "Of a database (the predecessor's artifact.db, a backup) all records go in, with a line for\n"
    "each table, and none is sent: what was on auto comes paused, a job that was running comes\n"
    "failed, and one that waits goes on waiting until convkeep resume --all.\n\n"
    "Returns when every observation has its receipt, which means it is in the database. If an\n"
    "ingest runs and its store has been away for 5 s, returns when every observation is safe in\n"
    "the spool: `N taken, waiting for the store`. Works whether or not the ring is up. If ingest\n"
    "is restarted meanwhile, the file is sent again from the start, and the counts are those of\n"
    "the last time. An ingest that is only silent is waited for.",
    run,
    NULL};
