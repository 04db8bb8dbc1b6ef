/* Loads places page by page, follows forks, and fetches messages in batches; see reading.h. */
#include "cli/reading/reading.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "cli/reading/question.h"
#include "proto/render/render.h"
#include "proto/map.h"
#include "proto/render/render.h"

#define PAGE 1000
#define BATCH_MOST 200
/* How many conversations a fork is followed through. */
#define FORKS_MAX 64

/* ---- places ---- */

static void add_place(struct cli_reading *r, const json_t *row, unsigned conversation) {
  struct ck_place place = {.id = ck_str_of(cli_member(row, "id")),
                           .parent_id = ck_str_of(cli_member(row, "parent_id")),
                           .position = cli_member_int(row, "position", -1),
                           .at = cli_member_int(row, "observed_at", 0),
                           .turn = ck_turn_of(ck_str_of(cli_member(row, "role")))};
  if (r->rows == r->room) {
    r->room = r->room ? r->room * 2 : 64;
    r->versions = ck_realloc(r->versions, r->room * sizeof *r->versions);
  }
  r->versions[r->rows++] = cli_member_int(row, "version", 0);
  ck_reading_add(r->order, &place, conversation);
}

/* remote NULL: of messages that belong to no conversation. */
static int load_places(struct cli *c, struct cli_reading *r, const char *platform,
                       const char *remote, unsigned conversation) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  char *next = NULL;
  int rc;
  if (platform) ck_pair_text(&m, "platform", platform);
  ck_pair_name(&m, "conversation_id");
  if (remote)
    ck_put_text(&filters, remote);
  else
    ck_put_nil(&filters);
  ck_map_close(&m);
  do {
    json_t *rows, *row;
    size_t i;
    rc = cli_query_packed_next(c, "places", ck_buf_view(&filters), PAGE, &next, &rows);
    if (rc != CLI_GO_ON) break;
    json_array_foreach(rows, i, row) add_place(r, row, conversation);
    json_decref(rows);
  } while (next);
  free(next);
  ck_buf_free(&filters);
  return rc;
}

/* ---- conversations ---- */

static bool is_loaded(const struct cli_reading *r, const char *platform, const char *remote) {
  size_t i;
  const json_t *of;
  json_array_foreach(r->conversations, i, of) {
    if (strcmp(cli_member(of, "platform"), platform) == 0 &&
        strcmp(cli_member(of, "conversation_id"), remote) == 0)
      return true;
  }
  return false;
}

static void add_conversation(struct cli_reading *r, const char *platform, const char *remote) {
  json_array_append_new(r->conversations,
                        json_pack("{s:s, s:s}", "platform", platform, "conversation_id", remote));
}

/* Adds what the conversation is called here, if it is known. */
static int name_conversation(struct cli *c, json_t *of) {
  struct cli_filter filters[] = {{"remote_conversation_id", cli_member(of, "conversation_id"), 0},
                                 {"platform", cli_member(of, "platform"), 0}};
  json_t *links, *row = NULL;
  int rc = cli_query(c, &(struct cli_query){"conversation_links", filters, 2, 1, 0}, &links);
  if (rc != CLI_GO_ON) return rc;
  const char *id = cli_member(json_array_get(links, 0), "local_conversation_id");
  if (*id) rc = cli_query_one(c, "local_conversations", "local_conversation_id", id, &row);
  if (row) {
    json_object_set(of, "local_conversation_id", json_object_get(row, "local_conversation_id"));
    json_object_set(of, "title", json_object_get(row, "title"));
    rc = cli_first_question(c, of);
  }
  json_decref(row);
  json_decref(links);
  return rc;
}

/* Loads the conversation of the message with which the current branch goes on, if it is there.
 * *more: it was loaded. */
static int follow_fork(struct cli *c, struct cli_reading *r, bool *more) {
  struct ck_str open_end = ck_reading_open_end(r->order);
  json_t *message = NULL;
  *more = false;
  if (open_end.n == 0) return CLI_GO_ON;
  char *id = ck_str_dup(open_end);
  int rc = cli_query_one(c, "messages", "id", id, &message);
  free(id);
  const char *platform = cli_member(message, "platform"),
             *remote = cli_member(message, "conversation_id");
  if (rc == CLI_GO_ON && *remote && !is_loaded(r, platform, remote)) {
    *more = true;
    add_conversation(r, platform, remote);
    unsigned number = (unsigned)json_array_size(r->conversations) - 1;
    rc = name_conversation(c, json_array_get(r->conversations, number));
    if (rc == CLI_GO_ON) rc = load_places(c, r, platform, remote, number);
  }
  json_decref(message);
  return rc;
}

static int finish(struct cli *c, struct cli_reading *r, const char *last) {
  int rc = CLI_GO_ON;
  bool more = true;
  for (int i = 0; i < FORKS_MAX && more && rc == CLI_GO_ON; ++i) {
    ck_reading_order(r->order, ck_str_of(last));
    rc = follow_fork(c, r, &more);
  }
  if (more) ck_reading_order(r->order, ck_str_of(last));
  r->steps = ck_reading_steps(r->order, &r->count);
  r->branches = ck_reading_branches(r->order, &r->branch_count);
  r->has_tree = ck_reading_has_tree(r->order);
  if (rc != CLI_GO_ON) cli_reading_free(r);
  return rc;
}

static void begin(struct cli_reading *r) {
  *r = (struct cli_reading){.order = ck_reading_new(), .conversations = json_array()};
}

int cli_reading_remote(struct cli *c, const char *platform, const char *remote, const char *last,
                       struct cli_reading *r) {
  begin(r);
  r->own = 1;
  add_conversation(r, platform, remote);
  int rc = load_places(c, r, platform, remote, 0);
  if (rc == CLI_GO_ON) return finish(c, r, last);
  cli_reading_free(r);
  return rc;
}

int cli_reading_loose(struct cli *c, struct cli_reading *r) {
  begin(r);
  int rc = load_places(c, r, NULL, NULL, 0);
  if (rc == CLI_GO_ON) return finish(c, r, "");
  cli_reading_free(r);
  return rc;
}

/* Messages carry only the remote conversation id: they are found through the links. */
int cli_reading_load(struct cli *c, const json_t *conversation, struct cli_reading *r) {
  json_t *links, *link;
  struct cli_filter filter = {"local_conversation_id",
                              cli_member(conversation, "local_conversation_id"), 0};
  int rc = cli_query_all(c, "conversation_links", &filter, 1, &links);
  if (rc != CLI_GO_ON) return rc;
  begin(r);
  size_t i;
  json_array_foreach(links, i, link) {
    const char *platform = cli_member(link, "platform"),
               *remote = cli_member(link, "remote_conversation_id");
    if (rc != CLI_GO_ON || !*remote || is_loaded(r, platform, remote)) continue;
    add_conversation(r, platform, remote);
    ++r->own;
    json_object_set(json_array_get(r->conversations, 0), "page_url",
                    json_object_get(link, "page_url"));
    rc = load_places(c, r, platform, remote, 0);
  }
  json_decref(links);
  if (rc == CLI_GO_ON) return finish(c, r, cli_member(conversation, "last_message_id"));
  cli_reading_free(r);
  return rc;
}

void cli_reading_free(struct cli_reading *r) {
  ck_reading_free(&r->order);
  json_decref(r->conversations);
  free(r->versions);
  *r = (struct cli_reading){0};
}

/* ---- which steps ---- */

void cli_reading_turn(size_t *steps, size_t count) {
  for (size_t i = 0; i < count / 2; ++i) {
    size_t first = steps[i];
    steps[i] = steps[count - 1 - i];
    steps[count - 1 - i] = first;
  }
}

int cli_reading_branch(const struct cli *c, const char *text, size_t *branch) {
  int64_t n = 0;
  bool all = text && strcmp(text, "all") == 0;
  int rc = all ? CLI_GO_ON : cli_number(c, "--branch", text, 1, INT32_MAX, &n);
  if (text) *branch = (size_t)n;
  return rc;
}

int cli_reading_has_branch(const struct cli *c, const json_t *conversation,
                           const struct cli_reading *r, size_t branch) {
  if (r->count == 0 || branch <= r->branch_count) return CLI_GO_ON;
  return cli_fail(c, CLI_FAILED, cli_member(conversation, "local_conversation_id"),
                  "it has %zu %s; --branch %zu is not one of them", r->branch_count,
                  ck_noun(r->branch_count, "branch", "branches"), branch);
}

size_t cli_reading_all(const struct cli_reading *r, bool reverse, size_t **chosen) {
  *chosen = ck_alloc(r->count * sizeof **chosen);
  for (size_t i = 0; i < r->count; ++i) (*chosen)[i] = i;
  for (size_t i = 0; reverse && i < r->branch_count; ++i)
    cli_reading_turn(*chosen + r->branches[i].first, r->branches[i].count);
  return r->count;
}

/* ---- messages, a batch at a time ---- */

/* Steps whose messages are fetched together. */
struct batch {
  struct cli *c;
  const struct cli_reading *r;
  const size_t *steps;
  size_t count;
};

static const struct ck_step *step_of(const struct batch *b, size_t i) {
  return &b->r->steps[b->steps[i]];
}

/* *messages: an object of the messages by id: not all of them, if they are long. */
static int fetch_bodies(const struct batch *b, json_t **messages) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  json_t *rows, *row;
  ck_pair_name(&m, "version");
  ck_put_array(&filters, (uint32_t)b->count);
  for (size_t i = 0; i < b->count; ++i) ck_put_int(&filters, b->r->versions[step_of(b, i)->row]);
  ck_map_close(&m);
  int rc = cli_query_packed(b->c, "bodies", ck_buf_view(&filters), BATCH_MOST, &rows);
  ck_buf_free(&filters);
  if (rc != CLI_GO_ON) return rc;
  size_t i;
  *messages = json_object();
  json_array_foreach(rows, i, row) json_object_set(*messages, cli_member(row, "id"), row);
  json_decref(rows);
  return rc;
}

static int fetch_executions(const struct batch *b, json_t **executions) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_name(&m, "message_id");
  ck_put_array(&filters, (uint32_t)b->count);
  for (size_t i = 0; i < b->count; ++i) ck_put_str(&filters, step_of(b, i)->id);
  ck_map_close(&m);
  int rc = cli_query_packed_all(b->c, "executed", ck_buf_view(&filters), executions);
  ck_buf_free(&filters);
  return rc;
}

static int by_time(const void *x, const void *y) {
  const json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
  int64_t s = cli_member_int(a, "executed_at", 0), t = cli_member_int(b, "executed_at", 0);
  return s != t ? (s > t) - (s < t)
                : strcmp(cli_member(a, "instruction_id"), cli_member(b, "instruction_id"));
}

/* Gives each message of the batch its executions, in the order in which they were. */
static int add_executions(const struct batch *b, json_t *messages) {
  json_t *all, *message;
  const char *id;
  int rc = fetch_executions(b, &all);
  if (rc != CLI_GO_ON) return rc;
  json_object_foreach(messages, id, message)
      json_object_set_new(message, "executions", json_array());
  size_t n = json_array_size(all);
  json_t **sorted = ck_alloc(n * sizeof *sorted);
  for (size_t i = 0; i < n; ++i) sorted[i] = json_array_get(all, i);
  qsort(sorted, n, sizeof *sorted, by_time);
  for (size_t i = 0; i < n; ++i) {
    json_t *of = json_object_get(messages, cli_member(sorted[i], "message_id"));
    if (of) json_array_append(json_object_get(of, "executions"), sorted[i]);
  }
  free(sorted);
  json_decref(all);
  return rc;
}

/* A message that was written again since its place was loaded has another version. */
static int fetch_moved(const struct batch *b, json_t *messages) {
  json_t *row;
  char *id = ck_str_dup(step_of(b, 0)->id);
  int rc = cli_query_one(b->c, "messages", "id", id, &row);
  free(id);
  if (rc == CLI_GO_ON && row) json_object_set_new(messages, cli_member(row, "id"), row);
  return rc;
}

/* The messages from the first one on that are there, before one that did not come. */
static size_t before_gap(const struct batch *b, const json_t *messages) {
  size_t n = 0;
  while (n < b->count) {
    struct ck_str id = step_of(b, n)->id;
    if (!json_object_getn(messages, id.s, id.n)) break;
    ++n;
  }
  return n;
}

/* Fetches a batch and shortens it to what came, which is at least one message; or none, if the
 * batch is only one, which is gone. */
static int fetch(struct batch *b, json_t **messages) {
  int rc = fetch_bodies(b, messages);
  if (rc != CLI_GO_ON) return rc;
  size_t n = before_gap(b, *messages);
  if (n == 0) {
    b->count = 1;
    rc = fetch_moved(b, *messages);
    n = before_gap(b, *messages);
  }
  b->count = n;
  if (rc == CLI_GO_ON && n) rc = add_executions(b, *messages);
  if (rc != CLI_GO_ON) json_decref(*messages);
  return rc;
}

int cli_reading_walk(struct cli *c, const struct cli_reading *r, const size_t *chosen, size_t count,
                     cli_message_taker *take, void *self) {
  size_t size = BATCH_MOST / 4;
  bool goes_on = true;
  for (size_t at = 0; at < count && goes_on;) {
    size_t asked = count - at < size ? count - at : size;
    struct batch b = {c, r, chosen + at, asked};
    json_t *messages;
    int rc = fetch(&b, &messages);
    if (rc != CLI_GO_ON) return rc;
    for (size_t i = 0; i < b.count && goes_on; ++i) {
      struct ck_str id = step_of(&b, i)->id;
      goes_on = take(self, step_of(&b, i), json_object_getn(messages, id.s, id.n));
    }
    json_decref(messages);
    at += b.count ? b.count : 1;
    size = b.count < asked ? b.count + 1 : size * 2 < BATCH_MOST ? size * 2 : BATCH_MOST;
  }
  return CLI_GO_ON;
}

static bool take_row(void *self, const struct ck_step *step, json_t *message) {
  (void)step;
  json_array_append(self, message);
  return true;
}

int cli_reading_rows(struct cli *c, const struct cli_reading *r, const size_t *chosen, size_t count,
                     json_t *rows) {
  return cli_reading_walk(c, r, chosen, count, take_row, rows);
}

/* ---- what a reader is told ---- */

bool cli_reading_say_conversation(struct ck_buf *b, const struct cli_reading *r,
                                  const struct ck_step *before, const struct ck_step *step) {
  if (step->conversation == (before ? before->conversation : 0)) return false;
  const json_t *of = json_array_get(r->conversations, step->conversation);
  const char *id = cli_member(of, "local_conversation_id");
  ck_buf_text(b, "from here on: ");
  if (step->conversation == 0) {
    ck_buf_text(b, "this conversation");
    return true;
  }
  render_title(b, ck_str_of(cli_member(of, "title")), ck_str_of(cli_member(of, "first_question")));
  ck_buf_printf(b, " (%s), from which this conversation was forked",
                *id ? id : cli_member(of, "conversation_id"));
  return true;
}

bool cli_reading_say_missing(struct ck_buf *b, const struct ck_branch *branch) {
  render_say_missing(b, branch->missing_before);
  return branch->missing_before > 0;
}
