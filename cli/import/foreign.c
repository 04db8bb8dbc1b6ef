/* See foreign.h. */
#include "cli/import/foreign.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/import/foreign_attachments.h"
#include "cli/import/foreign_copy.h"
#include "cli/import/foreign_names.h"
#include "cli/import/foreign_originals.h"
#include "cli/import/foreign_rows.h"
#include "cli/import/foreign_send.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/import/send.h"

#define MAGIC "SQLite format 3"
#define SHOWN_MAX 10 /* failures shown on a terminal */

bool cli_foreign_is(struct ck_str head) {
  return head.n >= sizeof MAGIC && memcmp(head.s, MAGIC, sizeof MAGIC) == 0;
}

/* ---- from the rows to the sender ---- */

static void add_notes(struct cli_foreign_result *result, const char *text, uint64_t count) {
  json_int_t n = json_integer_value(json_object_get(result->notes, text));
  if (count) json_object_set_new(result->notes, text, json_integer(n + (json_int_t)count));
}

struct visit {
  struct foreign_sender *sender;
  struct cli_foreign_result *result;
};

static int take_row(void *self, const struct foreign_row *row, const char *place) {
  return foreign_sender_row(((struct visit *)self)->sender, row, place);
}

static void take_failure(void *self, enum ck_table table, const char *place, const char *reason,
                         struct ck_str raw) {
  foreign_sender_refuse(((struct visit *)self)->sender, table, place, reason, raw);
}

static void take_note(void *self, const char *text) {
  add_notes(((struct visit *)self)->result, text, 1);
}

static int step(void *self) { return foreign_sender_step(((struct visit *)self)->sender); }

/* ---- originals ---- */

static void add_failure(struct cli_foreign_result *result, const char *place, const char *reason) {
  ++result->failed;
  json_array_append_new(result->failures,
                        json_pack("{s:s, s:s}", "place", place, "reason", reason));
}

/* Sends what was written into the file to ingest. What failed when it was read from its source
 * fails again, and its records are in all the same. */
static int send_batch(struct cli *c, const char *name, int fd, uint64_t first, bool wait,
                      char *bytes, struct cli_foreign_result *result) {
  struct cli_sent sent;
  char *text = ck_sprintf("%s: originals", name);
  struct cli_source source = {.name = text, .file = text, .fd = fd, .kept = -1, .first = first};
  source.size = lseek(fd, 0, SEEK_CUR);
  int rc = source.size > 0 ? cli_send(c, &source, wait, bytes, &sent) : CLI_DONE;
  if (rc == CLI_GO_ON && sent.error) add_failure(result, "originals", sent.error);
  if (rc == CLI_GO_ON)
    add_notes(result, "pieces of originals that cannot be read",
              sent.failed - (sent.error != NULL));
  if (source.size > 0) cli_sent_free(&sent);
  free(text);
  return rc == CLI_DONE ? CLI_GO_ON : rc;
}

static int send_originals(struct cli *c, struct foreign_originals *o, const char *name, bool wait,
                          char *bytes, struct cli_foreign_result *result) {
  int rc = CLI_GO_ON, more = 1;
  while (rc == CLI_GO_ON && more) {
    struct ck_err err;
    uint64_t count = 0, first = 0;
    int fd = cli_nameless(&err);
    more = fd < 0 ? -1 : foreign_originals_next(o, fd, &count, &first, &err);
    if (more < 0) add_failure(result, "originals", err.text);
    if (fd < 0) break;
    rc = send_batch(c, name, fd, first, wait, bytes, result);
    if (rc == CLI_GO_ON) result->originals += count;
    close(fd);
  }
  return rc;
}

static int take_originals(struct cli *c, const struct foreign_copy *copy, const char *name,
                          bool wait, char *bytes, struct cli_foreign_result *result) {
  struct ck_err err;
  struct foreign_originals *o = foreign_originals_open(copy->database, &err);
  if (!o && err.text[0]) add_failure(result, "originals", err.text);
  int rc = o ? send_originals(c, o, name, wait, bytes, result) : CLI_GO_ON;
  foreign_originals_free(&o);
  return rc;
}

/* ---- attachments ---- */

struct listing {
  struct cli_attach *attach;
  const struct cli_source *source;
};

static bool take_attachment(void *self, const struct attach_row *row) {
  const struct listing *l = self;
  bool is_file = strcmp(l->source->file, "-") != 0 && l->source->kept < 0 &&
                 (!l->source->archive || l->source->alone);
  return cli_attach_listed(l->attach, row, l->source->name, is_file ? l->source->file : NULL);
}

static void take_attachments(const struct foreign_copy *copy, const struct cli_source *source,
                             struct cli_attach *attach, struct cli_foreign_result *result) {
  struct listing l = {attach, source};
  struct ck_err err;
  uint64_t bad;
  if (foreign_attachments_read(copy->database, take_attachment, &l, &bad, &err))
    add_failure(result, "attachments", err.text);
  add_notes(result, "attachments that are listed wrongly", bad);
}

/* ---- names ---- */

static void no_error(struct cli_foreign_result *result) {
  free(result->error);
  result->error = NULL;
  result->strange = false;
  --result->failed;
}

/* Sends the lines to ingest, as the file that Codex used to keep. */
static int send_names(struct cli *c, const char *name, int fd, bool wait, char *bytes,
                      struct cli_foreign_result *result) {
  struct cli_sent sent;
  char *text = ck_sprintf("%s: session_index.jsonl", name);
  struct cli_source source = {.name = text, .file = text, .fd = fd, .kept = -1};
  source.size = lseek(fd, 0, SEEK_CUR);
  int rc = cli_send(c, &source, wait, bytes, &sent);
  if (rc == CLI_GO_ON && sent.error) add_failure(result, "threads", sent.error);
  cli_sent_free(&sent);
  free(text);
  return rc;
}

/* A database without any of the tables may be Codex's. */
static int take_names(struct cli *c, const struct foreign_copy *copy, const char *name, bool wait,
                      char *bytes, struct cli_foreign_result *result) {
  struct ck_err err;
  int fd = cli_nameless(&err), rc = CLI_GO_ON;
  int bad =
      fd < 0 ? -1 : foreign_names_write(copy->database, fd, &result->codex, &result->names, &err);
  if (result->codex) no_error(result);
  if (bad) add_failure(result, "threads", err.text);
  if (result->names) rc = send_names(c, name, fd, wait, bytes, result);
  if (fd >= 0) close(fd);
  return rc;
}

/* ---- the whole ---- */

static void set_error(struct cli_foreign_result *result, const char *why, bool strange) {
  free(result->error);
  result->error = ck_strdup(why);
  result->strange = strange;
  ++result->failed;
}

static int read_copy(const struct foreign_copy *copy, struct foreign_sender *sender,
                     struct cli_foreign_result *result) {
  struct visit v = {sender, result};
  const struct foreign_visitor visitor = {&v, take_row, take_failure, take_note, step};
  struct ck_err err;
  int rc = foreign_rows_read(copy->database, &visitor, &err);
  if (copy->fault.text[0])
    set_error(result, copy->fault.text, false);
  else if (rc == 1 || rc == -1)
    set_error(result, err.text, rc == 1);
  if (rc != 2) foreign_sender_finish(sender);
  return foreign_sender_fault(sender);
}

int cli_foreign_import(struct cli *c, struct cli_source *source, bool wait, char *bytes,
                       struct cli_attach *attach, struct foreign_sender **sender,
                       struct cli_foreign_result *result) {
  struct foreign_copy copy;
  struct ck_err err;
  *result = (struct cli_foreign_result){.failures = json_array(), .notes = json_object()};
  if (!*sender) *sender = foreign_sender_new(c, &err);
  if (!*sender) {
    cli_error(c, source->name, "%s", err.text);
    return CLI_FAILED;
  }
  foreign_sender_begin(*sender, source->name, result);
  int rc = CLI_GO_ON;
  if (foreign_copy_make(c, source, bytes, &copy, &err) == 0)
    rc = read_copy(&copy, *sender, result);
  else
    set_error(result, err.text, false);
  if (rc == CLI_GO_ON && result->strange)
    rc = take_names(c, &copy, source->name, wait, bytes, result);
  if (rc == CLI_GO_ON && !result->error && !result->codex)
    rc = take_originals(c, &copy, source->name, wait, bytes, result);
  if (rc == CLI_GO_ON && !result->error && !result->codex && attach)
    take_attachments(&copy, source, attach, result);
  foreign_copy_remove(&copy);
  return rc;
}

void cli_foreign_free(struct cli_foreign_result *result) {
  json_decref(result->failures);
  json_decref(result->notes);
  free(result->error);
}

void cli_foreign_end(struct foreign_sender **sender) { foreign_sender_free(sender); }

/* ---- for people and programs ---- */

static void set_count(json_t *object, const char *name, uint64_t n) {
  json_object_set_new(object, name, json_integer((json_int_t)n));
}

static void set_counts(json_t *object, const struct cli_foreign_counts *counts) {
  set_count(object, "new", counts->added);
  set_count(object, "updated", counts->updated);
  set_count(object, "unchanged", counts->unchanged);
  set_count(object, "failed", counts->failed);
}

static void print_json(const char *name, const struct cli_foreign_result *r) {
  struct cli_foreign_counts all = {.failed = 0};
  json_t *line = json_object(), *tables = json_object();
  json_object_set_new(line, "file", json_string(name));
  json_object_set_new(line, "format",
                      r->strange ? json_null()
                                 : json_string(r->codex ? "codex threads" : "database"));
  for (int t = 0; t < CK_TABLES; ++t) {
    json_t *table = json_object();
    set_counts(table, &r->tables[t]);
    json_object_set_new(tables, ck_tables[t].name, table);
    all.added += r->tables[t].added;
    all.updated += r->tables[t].updated;
    all.unchanged += r->tables[t].unchanged;
  }
  all.failed = r->failed;
  set_counts(line, &all);
  json_object_set_new(line, "tables", tables);
  set_count(line, "originals", r->originals);
  set_count(line, "names", r->names);
  json_object_set(line, "notes", r->notes);
  json_object_set_new(line, "waiting", json_integer(0));
  json_object_set_new(line, "skipped", json_boolean(r->strange && !r->failed));
  json_object_set(line, "failures", r->failures);
  json_object_set_new(line, "error", r->error ? json_string(r->error) : json_null());
  json_object_set_new(line, "resent", json_integer(0));
  cli_json_line(line);
  json_decref(line);
}

static void begin_line(struct ck_buf *b, const char *name) {
  cli_safe_text(b, ck_str_of(name), false);
  ck_buf_text(b, ": ");
}

static void table_line(struct ck_buf *b, const char *name, int table,
                       const struct cli_foreign_counts *n) {
  struct ck_buf failed = {0};
  begin_line(b, name);
  ck_buf_printf(b, "database: %s: %llu new, %llu updated, %llu unchanged, ", ck_tables[table].word,
                (unsigned long long)n->added, (unsigned long long)n->updated,
                (unsigned long long)n->unchanged);
  ck_buf_printf(&failed, "%llu failed", (unsigned long long)n->failed);
  cli_paint(b, cli_colour(), n->failed ? CLI_RED : CLI_PLAIN, ck_buf_view(&failed));
  ck_buf_text(b, "\n");
  ck_buf_free(&failed);
}

static void note_lines(struct ck_buf *b, const char *name, const struct cli_foreign_result *r) {
  const char *text;
  json_t *n;
  if (r->originals) {
    begin_line(b, name);
    ck_buf_printf(b, "database: originals: %llu read\n", (unsigned long long)r->originals);
  }
  if (r->codex) {
    begin_line(b, name);
    ck_buf_printf(b, "names of Codex's threads: %llu\n", (unsigned long long)r->names);
  }
  json_object_foreach(r->notes, text, n) {
    begin_line(b, name);
    ck_buf_printf(b, "%s: %lld\n", text, (long long)json_integer_value(n));
  }
  if (!r->tables[CK_CONVERSATIONS].added && !r->tables[CK_JOBS].added) return;
  begin_line(b, name);
  ck_buf_text(b,
              "what was on auto there, or has a follow-up that waits, is paused: look at convkeep "
              "list jobs, then convkeep resume --all\n");
}

static void print_failures(const struct cli *c, const char *name,
                           const struct cli_foreign_result *r) {
  size_t k, shown = json_array_size(r->failures);
  json_t *one;
  if (isatty(STDERR_FILENO) && shown > SHOWN_MAX) shown = SHOWN_MAX;
  json_array_foreach(r->failures, k, one) {
    if (k == shown) break;
    char *where = ck_sprintf("%s: %s", name, cli_member(one, "place"));
    cli_error(c, where, "%s", cli_member(one, "reason"));
    free(where);
  }
  uint64_t places = r->failed - (r->error != NULL);
  if (places > shown)
    cli_error(c, name, "and %llu more failed; spool/refused.jsonl has each",
              (unsigned long long)(places - shown));
  if (r->error) cli_error(c, name, "%s", r->error);
}

void cli_foreign_print(const struct cli *c, const char *name, const struct cli_foreign_result *r) {
  struct ck_buf lines = {0};
  if (c->json) {
    print_json(name, r);
    return;
  }
  for (int t = 0; t < CK_TABLES; ++t) {
    const struct cli_foreign_counts *n = &r->tables[t];
    if (n->added || n->updated || n->unchanged || n->failed) table_line(&lines, name, t, n);
  }
  if (r->strange && !r->failed) {
    begin_line(&lines, name);
    ck_buf_printf(&lines, "skipped: %s\n", r->error);
  }
  note_lines(&lines, name, r);
  cli_print(&lines);
  fflush(stdout); /* before the failures, which go to standard error */
  ck_buf_free(&lines);
  if (r->failed) print_failures(c, name, r);
}
