/* See attach.h. */
#include "cli/import/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/import/attach_name.h"
#include "cli/import/name.h"
#include "cli/out.h"
#include "proto/file.h"
#include "proto/map.h"
#include "proto/sha256.h"
#include "proto/json.h"

#define ITEMS_MAX 1000000
#define BUNDLE (256u << 10) /* bytes after which a piece is sent */
#define ANSWER_MS 1000
#define NAMES_MAX 1000 /* of one attachment, that are looked through */

/* A file that was noted. */
struct item {
  const char *container; /* as it is on the disk; this and the name are of `texts`. NULL: nowhere */
  const char *name;      /* UTF-8 */
  bool member;           /* of the container, which is an archive */
  const struct attach_row *row; /* what a database says of it; NULL: none does */
  bool again;                   /* the same file as the item before, by another name */
};

/* The attachment that is being sent. */
struct current {
  const char *name; /* without PATH, or as a database says */
  struct ck_str file;
  char hash[CK_SHA256_HEX + 1];
  const char *type;
  uint64_t bytes, part, parts;
  bool here; /* the store has it, but not by this name */
};

struct cli_attach {
  struct cli *c;
  char *path;
  struct ck_arena texts;
  struct item *items; /* once it is decided, those that are kept */
  size_t count, room;
  struct attach_rows rows;
  const char **places; /* where conversations are: what the names of their neighbours begin with */
  size_t place_count, place_room;
  /* sending */
  struct cli_source *source; /* the archive or file that is open */
  struct cli_source own;     /* unless it is PATH itself */
  struct cli_source *given;
  size_t at;    /* the next item */
  bool sending; /* `current` is */
  bool blind;   /* the store does not answer: nothing is looked up */
  bool unread;  /* the file of the last item could not be read */
  struct ck_err why;
  char *bytes; /* the first part of the current one */
  int file;    /* the whole of it, if it has more than one; -1: not open yet */
  struct current current;
  uint64_t known; /* are there already by their name */
  json_t *failures;
};

struct cli_attach *cli_attach_new(struct cli *c, const char *path) {
  struct cli_attach *a = ck_zalloc(sizeof *a);
  *a = (struct cli_attach){.c = c, .path = cli_name_text(path), .file = -1};
  a->own.fd = a->own.kept = -1;
  return a;
}

static void close_source(struct cli_attach *a) {
  if (a->source == &a->own) cli_source_close(&a->own);
  a->source = NULL;
}

void cli_attach_free(struct cli_attach **attach) {
  struct cli_attach *a = *attach;
  if (!a) return;
  close_source(a);
  if (a->file >= 0) close(a->file);
  json_decref(a->failures);
  ck_arena_free(&a->texts);
  attach_rows_free(&a->rows);
  free(a->items);
  free((void *)(uintptr_t)a->places);
  free(a->bytes);
  free(a->path);
  free(a);
  *attach = NULL;
}

/* ---- what is kept ---- */

static const char *keep_text(struct cli_attach *a, const char *text) {
  struct ck_str whole = {text, strlen(text) + 1};
  return ck_arena_copy(&a->texts, whole).s;
}

static void add_item(struct cli_attach *a, const struct item *item) {
  if (a->count == a->room)
    a->items = ck_realloc(a->items, (a->room = a->room ? a->room * 2 : 64) * sizeof *a->items);
  a->items[a->count++] = *item;
}

bool cli_attach_listed(struct cli_attach *a, const struct attach_row *row, const char *database,
                       const char *container) {
  return attach_rows_add(&a->rows, row, database, container);
}

bool cli_attach_note(struct cli_attach *a, const char *container, const char *member) {
  char *name = cli_name_text(member ? member : container);
  const struct item *last = a->count ? &a->items[a->count - 1] : NULL;
  bool same = last && strcmp(last->container, container) == 0;
  bool kept =
      (cli_attach_kind(name) != CLI_ATTACH_NEVER || attach_is_place(name)) && a->count < ITEMS_MAX;
  struct item item = {.member = member != NULL};
  if (kept) {
    item.container = same ? last->container : keep_text(a, container);
    item.name = keep_text(a, name);
    add_item(a, &item);
  }
  free(name);
  return kept;
}

static bool is_beside(const struct cli_attach *a, const char *name) {
  for (size_t i = 0; i < a->place_count; ++i)
    if (strncmp(name, a->places[i], strlen(a->places[i])) == 0) return true;
  return false;
}

void cli_attach_conversations(struct cli_attach *a, const char *name) {
  char *place = ck_str_dup((struct ck_str){name, (size_t)(cli_name_own(name) - name)});
  if (*place && !is_beside(a, place)) {
    if (a->place_count == a->place_room)
      a->places =
          ck_realloc((void *)(uintptr_t)a->places,
                     (a->place_room = a->place_room ? a->place_room * 2 : 8) * sizeof *a->places);
    a->places[a->place_count++] = keep_text(a, place);
  }
  free(place);
}

/* A file that databases list: an item for each of its names. False: none lists it. */
static bool keep_listed(struct cli_attach *a, const struct item *found) {
  size_t n;
  struct attach_row *row = attach_rows_find(&a->rows, found->name, &n);
  for (size_t i = 0; i < n; ++i) {
    struct item item = *found;
    item.row = &row[i];
    item.again = i > 0;
    row[i].met = true;
    add_item(a, &item);
  }
  return n > 0;
}

/* What databases list and nobody has come by: the database was named, not its folder; or the file
 * is missing. */
static void keep_rest(struct cli_attach *a) {
  for (size_t i = 0; i < a->rows.count; ++i) {
    const struct attach_row *row = &a->rows.list[i];
    bool again = i > 0 && strcmp(row[-1].path, row->path) == 0;
    if (!row->met)
      add_item(a, &(struct item){
                      .container = row->container, .name = row->path, .row = row, .again = again});
  }
}

uint64_t cli_attach_decide(struct cli_attach *a, void (*other)(void *self, const char *name),
                           void *self) {
  struct item *found = a->items;
  size_t n = a->count;
  a->items = NULL;
  a->count = a->room = 0;
  attach_rows_sort(&a->rows);
  for (size_t i = 0; i < n; ++i) {
    const char *name = found[i].name;
    bool listed = attach_is_place(name) && keep_listed(a, &found[i]);
    if (listed) continue;
    if (cli_attach_kind(name) == CLI_ATTACH_SURE ||
        (cli_attach_kind(name) == CLI_ATTACH_BESIDE && is_beside(a, name)))
      add_item(a, &found[i]);
    else
      other(self, name);
  }
  free(found);
  keep_rest(a);
  return a->count;
}

/* ---- reading one ---- */

static void failed(struct cli_attach *a, const char *name, const char *reason) {
  json_t *one = json_pack("{s:s, s:s}", "place", name, "reason", reason);
  json_array_append_new(a->failures, one ? one : json_object());
}

/* The name without PATH. */
static const char *short_name(const struct cli_attach *a, const char *name) {
  size_t n = strlen(a->path);
  if (strncmp(name, a->path, n) != 0) return name;
  name += n;
  while (*name == '/' || *name == ':' || *name == ' ') ++name;
  return name;
}

/* Goes on in the open archive to the item. 0; 1: it has ended; -1 with the reason. */
static int find_member(struct cli_attach *a, const struct item *item, struct ck_err *err) {
  int rc;
  while ((rc = cli_source_next(a->source, err)))
    if (rc > 0 && strcmp(a->source->name, item->name) == 0) return 0;
  return 1;
}

static int open_container(struct cli_attach *a, const struct item *item, struct ck_err *err) {
  if (a->source && strcmp(a->source->file, item->container) == 0) return 0;
  close_source(a);
  if (a->given && item->member) {
    a->source = a->given;
    return cli_source_restart(a->source, err);
  }
  a->source = &a->own;
  return item->member ? cli_source_open(a->c, a->source, item->container, err)
                      : cli_source_open_plain(a->c, a->source, item->container, err);
}

/* Opens the item for cli_source_read. 0, or -1 with the reason. */
static int open_item(struct cli_attach *a, const struct item *item, struct ck_err *err) {
  if (!item->container) return ck_fail(err, "its file did not come with the database");
  if (open_container(a, item, err))
    return item->row ? ck_fail_in(err, "its file %s", item->name) : -1;
  if (!a->source->archive) return 0;
  return find_member(a, item, err) == 0 ? 0
                                        : ck_fail(err, "the archive was changed while it was read");
}

static int save(struct cli_attach *a, uint64_t at, const char *bytes, size_t n,
                struct ck_err *err) {
  if (a->file < 0 && (a->file = cli_nameless(err)) < 0) return -1;
  if (ck_pwrite_all(a->file, (struct ck_str){bytes, n}, (off_t)at) == 0) return 0;
  return ck_fail(err, "run: no copy of it can be made: %s", strerror(errno));
}

/* Reads up to n bytes at that place of the current item. */
static ssize_t read_some(struct cli_attach *a, uint64_t at, char *bytes, size_t n,
                         struct ck_err *err) {
  bool wait = false;
  if (cli_interrupted()) return ck_fail(err, "interrupted");
  return cli_source_read(a->source, (off_t)at, bytes, n, &wait, err);
}

/* Fills one part. Returns its bytes, or -1 with the reason. */
static ssize_t read_part(struct cli_attach *a, uint64_t at, char *bytes, struct ck_err *err) {
  size_t got = 0;
  ssize_t n = 0;
  while (got < CK_ATTACHMENT_PART &&
         (n = read_some(a, at + got, bytes + got, CK_ATTACHMENT_PART - got, err)) > 0)
    got += (size_t)n;
  return n < 0 ? -1 : (ssize_t)got;
}

/* Reads the rest of one that has more than a part. */
static int read_rest(struct cli_attach *a, struct ck_sha256 *sum, struct ck_err *err) {
  struct current *k = &a->current;
  char *bytes = ck_alloc(CK_ATTACHMENT_PART);
  int rc = save(a, 0, a->bytes, CK_ATTACHMENT_PART, err);
  while (rc == 0) {
    ssize_t n = read_part(a, k->bytes, bytes, err);
    if (n <= 0) {
      rc = n < 0 ? -1 : 1;
      break;
    }
    ck_sha256_add(sum, (struct ck_str){bytes, (size_t)n});
    rc = save(a, k->bytes, bytes, (size_t)n, err);
    k->bytes += (uint64_t)n;
    if (rc == 0 && k->bytes > CK_ATTACHMENT_MAX)
      rc = ck_fail(err, "it has more than %d GiB: not kept", (int)(CK_ATTACHMENT_MAX >> 30));
  }
  free(bytes);
  return rc < 0 ? -1 : 0;
}

static const char *name_of(const struct cli_attach *a, const struct item *item) {
  return item->row ? item->row->name : short_name(a, item->name);
}

/* Reads the file of the item whole. 0, or -1 with the reason. */
static int read_file(struct cli_attach *a, const struct item *item, struct ck_err *err) {
  struct ck_sha256 sum;
  struct current *k = &a->current;
  *k = (struct current){.hash = ""};
  if (open_item(a, item, err)) return -1;
  ssize_t n = read_part(a, 0, a->bytes, err);
  if (n < 0) return -1;
  struct ck_str first = {a->bytes, (size_t)n};
  k->bytes = first.n;
  k->type = cli_attach_type(item->name, first);
  ck_sha256_begin(&sum);
  ck_sha256_add(&sum, first);
  if (first.n == CK_ATTACHMENT_PART && read_rest(a, &sum, err)) return -1;
  ck_sha256_end_hex(&sum, k->hash);
  return 0;
}

/* Fills a->current with the item. 0, or -1 with the reason. */
static int read_item(struct cli_attach *a, const struct item *item, struct ck_err *err) {
  struct current *k = &a->current;
  if (!item->again) a->unread = read_file(a, item, &a->why) != 0;
  if (!a->unread && item->row && strcmp(k->hash, item->row->hash) != 0) {
    ck_fail(&a->why, "its file is damaged: it is not what its hash says");
    a->unread = true;
  }
  if (a->unread) return ck_fail(err, "%s", a->why.text);
  k->name = name_of(a, item);
  k->file = item->row ? ck_str_of(item->row->file) : cli_attach_id(k->name);
  if (item->row) k->type = item->row->type;
  k->parts = ck_attachment_parts(k->bytes);
  k->part = 0;
  k->here = false;
  return 0;
}

/* ---- what the store has already ---- */

/* What is not there, or is damaged, may be here already. */
static void take_row(struct cli_attach *a, const struct attach_row *row) {
  struct current *k = &a->current;
  *k = (struct current){.name = row->name,
                        .file = ck_str_of(row->file),
                        .type = row->type,
                        .bytes = row->bytes,
                        .parts = ck_attachment_parts(row->bytes)};
  snprintf(k->hash, sizeof k->hash, "%s", row->hash);
}

/* The rows of the attachment with the current hash, one for each of its names; NULL if nobody
 * answers. */
static json_t *look_up(struct cli_attach *a) {
  struct ck_buf filters = {0};
  struct ck_err err;
  struct ck_message request = {.kind = CK_MSG_QUERY}, answer = {0};
  zmq_msg_t frame;
  json_t *rows = NULL;
  struct ck_map m = ck_map_open(&filters);
  ck_pair_text(&m, "hash", a->current.hash);
  ck_map_close(&m);
  request.as.query = (struct ck_query){
      .table = CK_LIT("attachments"), .filters = ck_buf_view(&filters), .limit = NAMES_MAX};
  if (ck_ask(a->c->client->snapshot, &request, &answer, &frame, ANSWER_MS, &err) == 0) {
    if (answer.kind == CK_MSG_ROWS) rows = ck_json_of(answer.as.rows.rows);
    zmq_msg_close(&frame);
  }
  ck_buf_free(&filters);
  return rows;
}

/* True: there is nothing to send. */
static bool is_known(struct cli_attach *a) {
  json_t *rows = a->blind ? NULL : look_up(a), *row;
  size_t i;
  bool named = false;
  a->blind = !rows;
  json_array_foreach(rows, i, row) {
    if (!cli_member_int(row, "there", 0)) continue;
    a->current.here = true;
    named |= strcmp(cli_member(row, "name"), a->current.name) == 0;
  }
  json_decref(rows);
  return named;
}

/* ---- sending ---- */

/* The item cannot be read. True: the store has it, but not by this name. */
static bool is_here_anyway(struct cli_attach *a, const struct item *item, const char *why) {
  bool known = false;
  if (item->row) {
    take_row(a, item->row);
    known = is_known(a);
    if (!known && a->current.here) return true;
  }
  if (known)
    ++a->known;
  else
    failed(a, name_of(a, item), why);
  return false;
}

/* Goes to the next attachment that is to be sent. False: there is none. */
static bool next_item(struct cli_attach *a) {
  struct ck_err err;
  while (a->at < a->count && !cli_interrupted()) {
    const struct item *item = &a->items[a->at++];
    if (read_item(a, item, &err)) {
      if (is_here_anyway(a, item, err.text)) return true;
    } else if (is_known(a)) {
      ++a->known;
    } else {
      return true;
    }
  }
  return false;
}

/* The bytes of the current part, which is in memory or is read into `part`. */
static int data_of(struct cli_attach *a, char *part, struct ck_str *data, struct ck_err *err) {
  const struct current *k = &a->current;
  uint64_t before = k->part * CK_ATTACHMENT_PART, left = k->bytes - before;
  size_t n = left < CK_ATTACHMENT_PART ? (size_t)left : CK_ATTACHMENT_PART;
  *data = (struct ck_str){k->parts == 1 ? a->bytes : part, n};
  ssize_t got = k->parts > 1 ? ck_pread_all(a->file, part, n, (off_t)before) : (ssize_t)n;
  if (got == (ssize_t)n) return 0;
  return ck_fail(err, "run: %s", got < 0 ? strerror(errno) : "the copy is too short");
}

/* Appends the next part of the current one as a mutation. 0, or -1 with the reason. */
static int put_part(struct cli_attach *a, char *part, struct ck_buf *list, struct ck_err *err) {
  struct current *k = &a->current;
  struct ck_buf data = {0};
  struct ck_str bytes;
  if (!k->here && data_of(a, part, &bytes, err)) return -1;
  if (!k->here) ck_put_str(&data, bytes);
  struct ck_mutation m = {.kind = CK_OP_ATTACHMENT};
  m.as.attachment = (struct ck_attachment){ck_str_of(k->hash),
                                           k->bytes,
                                           k->part,
                                           ck_utf8_cut(ck_str_of(k->name), CK_ATTACHMENT_NAME),
                                           k->file,
                                           ck_str_of(k->type),
                                           ck_buf_view(&data)};
  ck_mutation_encode(list, &m);
  ck_buf_free(&data);
  a->sending = !k->here && ++k->part < k->parts;
  return 0;
}

static void begin(struct cli_attach *a) {
  close_source(a);
  a->at = 0;
  a->known = 0;
  a->sending = false;
  json_array_clear(a->failures);
}

static ssize_t next_bundle(void *self, off_t at, struct ck_buf *raw, bool *wait,
                           struct ck_err *err) {
  struct cli_attach *a = self;
  (void)wait;
  if (at == 0) begin(a);
  char *part = ck_alloc(CK_ATTACHMENT_PART);
  size_t opened = ck_open_array(raw), before = raw->len;
  uint32_t n = 0;
  int rc = 0;
  while (rc == 0 && raw->len - before < BUNDLE && (a->sending || next_item(a))) {
    rc = put_part(a, part, raw, err);
    ++n;
  }
  ck_close_array(raw, opened, n);
  free(part);
  return rc ? -1 : (ssize_t)(raw->len - before);
}

int cli_attach_send(struct cli_attach *a, struct cli_source *source, bool wait,
                    struct cli_sent *sent) {
  const struct cli_pieces pieces = {
      .name = a->path, .fd = -1, .attachments = true, .self = a, .next = next_bundle};
  a->given = source;
  a->bytes = ck_alloc(CK_ATTACHMENT_PART);
  a->failures = json_array();
  int rc = cli_send_pieces(a->c, &pieces, wait, sent);
  if (rc != CLI_GO_ON) return rc;
  sent->unchanged += a->known;
  sent->failed += json_array_size(a->failures);
  json_array_extend(sent->failures, a->failures);
  return rc;
}
