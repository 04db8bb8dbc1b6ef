/* convkeep list KIND [--FIELD VALUE]…: the newest rows of a table, filtered. The kinds and their
 * filters are in rows.c. */
#include "cli/rows.h"
#include "cli/accounts.h"
#include "cli/ids.h"
#include "cli/pager.h"
#include "cli/reading/message.h"
#include "cli/reading/reading.h"
#include "cli/resolve.h"
#include "cli/states.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "cli/reading/question.h"
#include "proto/clock.h"
#include "proto/json.h"

#define FILTERS_MAX 16
#define LIMIT_MAX 1000

struct query {
  struct cli *c;
  const struct cli_kind *kind;
  struct cli_filter filters[FILTERS_MAX];
  size_t count;
  const char *state; /* of jobs: more than a filter of the store can tell; NULL: any */
  bool whole_ids;
  char *next;         /* where the page begins, then where the next one does; NULL: there is none */
  size_t unexplained; /* jobs whose state is not known */
};

/* The filters as typed. KIND may follow its filters, so they are parsed once all words are read. */
struct words {
  struct cli *c;
  char names[FILTERS_MAX][64];
  const char *values[FILTERS_MAX];
  size_t count;
};

static int keep_word(void *self, const char *name, const char *value) {
  struct words *w = self;
  if (w->count == FILTERS_MAX) {
    cli_usage_error(w->c, name, "too many filters");
    return -1;
  }
  snprintf(w->names[w->count], sizeof w->names[0], "%s", name);
  w->values[w->count++] = value;
  return 0;
}

/* Which of the rows, and how they are shown. */
struct page {
  unsigned limit, offset;
  bool hidden, no_pager;
  bool by_cursor; /* it begins where --next says */
};

static bool is_jobs(const struct query *q) { return strcmp(q->kind->word, "jobs") == 0; }

static int parse_filters(struct query *q, const struct words *w) {
  for (size_t i = 0; i < w->count; ++i) {
    struct ck_err err;
    const char *value = w->values[i],
               *status = is_jobs(q) && value && strcmp(w->names[i], "status") == 0
                             ? cli_state_status(value)
                             : NULL;
    if (status) q->state = value;
    if (cli_filter_parse(q->kind, w->names[i], status ? status : value, ck_now_ms(),
                         &q->filters[q->count++], &err))
      return cli_usage_error(q->c, NULL, "%s", err.text);
  }
  return CLI_GO_ON;
}

static struct cli_filter *filter_of(struct query *q, const char *name) {
  for (size_t i = 0; i < q->count; ++i)
    if (strcmp(q->filters[i].name, name) == 0) return &q->filters[i];
  return NULL;
}

static bool is_list_of(const struct query *q, enum ck_table t) {
  return strcmp(q->kind->table, ck_tables[t].name) == 0;
}

static void say_none(const struct query *q, const struct page *page) {
  printf("no %s%s\n", q->kind->word,
         q->count          ? " match"
         : page->offset    ? " from that offset on"
         : page->by_cursor ? " any more"
                           : " yet");
}

/* What follows the rows, and how to go on. hidden: rows that are not shown. */
static void say_more(const struct query *q, const struct page *page, size_t hidden) {
  if (hidden)
    printf("%zu hidden %s not shown; --hidden shows %s\n", hidden,
           ck_noun(hidden, "message is", "messages are"), ck_noun(hidden, "it", "them"));
  if (q->unexplained)
    printf(
        "renewd does not say what %zu of the jobs %s for; convkeep status shows whether it runs\n",
        q->unexplained, ck_noun(q->unexplained, "waits", "wait"));
  if (!q->next || !cli_on_terminal()) return;
  if (page->by_cursor)
    printf("more: --next %s\n", q->next);
  else
    printf("more: --offset %u\n", page->offset + page->limit);
}

static int print_for_people(struct query *q, json_t *rows, const struct page *page) {
  size_t n = json_array_size(rows), hidden = 0;
  const struct cli_filter *sort = filter_of(q, "sort");
  struct cli_pager pager = {.terminal = -1};
  int rc = CLI_GO_ON;
  if (is_list_of(q, CK_CONVERSATIONS)) cli_rows_of_conversations(rows, sort ? sort->text : "last");
  if (is_list_of(q, CK_MESSAGES) && !page->hidden) hidden = cli_messages_take_hidden(rows);
  if (cli_on_terminal() && !q->whole_ids) rc = cli_rows_shorten(q->c, q->kind, rows);
  if (rc != CLI_GO_ON) return rc;
  if (!page->no_pager && json_array_size(rows) + 3 > cli_terminal_height()) cli_pager_begin(&pager);
  cli_rows_print(q->kind, rows, q->whole_ids, ck_now_ms());
  if (n == 0) say_none(q, page);
  say_more(q, page, hidden);
  cli_pager_end(&pager);
  return CLI_DONE;
}

/* ---- jobs in a state, which only we can tell ---- */

/* Where the rows end that have no more than `most` jobs in the state. */
static size_t end_of(const struct query *q, const json_t *rows, size_t most) {
  size_t i = 0;
  for (size_t n = json_array_size(rows); i < n; ++i)
    if (cli_state_is(json_array_get(rows, i), q->state) && most-- == 0) break;
  return i;
}

/* Adds those of the store's next `limit` rows, `most` at most. If these have more, fewer rows are
 * asked for, so that the store's cursor is right after the last one. */
static int add_in_state(struct query *q, size_t limit, size_t most, json_t *rows) {
  const struct cli_query query = {q->kind->table, q->filters, q->count, (unsigned)limit, 0};
  char *next = q->next ? ck_strdup(q->next) : NULL;
  json_t *page = NULL, *row;
  size_t i, unexplained = 0, end = 0;
  int rc = cli_query_next(q->c, &query, &next, &page);
  if (rc == CLI_GO_ON) rc = cli_add_states(q->c, page, &unexplained);
  if (rc == CLI_GO_ON) end = end_of(q, page, most);
  bool fewer = rc == CLI_GO_ON && end < json_array_size(page);
  if (rc == CLI_GO_ON && !fewer) {
    json_array_foreach(page, i, row) if (cli_state_is(row, q->state)) json_array_append(rows, row);
    q->unexplained += unexplained;
    free(q->next);
    q->next = next;
  } else {
    free(next);
  }
  json_decref(page);
  return fewer ? add_in_state(q, end, most, rows) : rc;
}

static int find_in_state(struct query *q, size_t limit, size_t wanted, json_t *rows) {
  int rc;
  do {
    rc = add_in_state(q, limit, wanted - json_array_size(rows), rows);
    limit = 2 * limit < LIMIT_MAX ? 2 * limit : LIMIT_MAX;
  } while (rc == CLI_GO_ON && q->next && json_array_size(rows) < wanted);
  return rc;
}

/* Another page follows only if there is another job in the state. */
static int look_for_more(struct query *q) {
  char *next = q->next;
  json_t *one = json_array();
  q->next = ck_strdup(next);
  int rc = find_in_state(q, 1, 1, one);
  free(q->next);
  q->next = json_array_size(one) ? next : NULL;
  if (!q->next) free(next);
  json_decref(one);
  return rc;
}

static int fetch_in_state(struct query *q, const struct page *page, json_t **rows) {
  json_t *all = json_array();
  int rc = find_in_state(q, page->limit, (size_t)page->offset + page->limit, all);
  if (rc == CLI_GO_ON && q->next) rc = look_for_more(q);
  if (rc == CLI_GO_ON) rc = cli_states_known(q->c, q->state, q->unexplained);
  *rows = rc == CLI_GO_ON ? json_array() : NULL;
  for (size_t i = page->offset; i < json_array_size(all) && *rows; ++i)
    json_array_append(*rows, json_array_get(all, i));
  json_decref(all);
  return rc;
}

static const char *account_at(const json_t *rows, size_t i) {
  return cli_member(json_array_get(rows, i), "account");
}

/* There are few, and the store does not know them as rows. They are in the order of their names,
 * and a page begins after one. */
static int fetch_accounts(struct query *q, const struct page *page, json_t **rows) {
  const struct cli_filter *name = filter_of(q, "account");
  json_t *all;
  int rc = cli_accounts(q->c, name ? name->text : NULL, &all);
  if (rc != CLI_GO_ON) return rc;
  size_t i = page->offset, n = json_array_size(all), end;
  while (q->next && i < n && strcmp(account_at(all, i), q->next) <= 0) ++i;
  *rows = json_array();
  for (end = i + page->limit; i < n && i < end; ++i)
    json_array_append(*rows, json_array_get(all, i));
  free(q->next);
  q->next = i < n && i > 0 ? ck_strdup(account_at(all, i - 1)) : NULL;
  json_decref(all);
  return rc;
}

static int fetch(struct query *q, const struct page *page, json_t **rows) {
  if (strcmp(q->kind->word, "accounts") == 0) return fetch_accounts(q, page, rows);
  if (q->state) return fetch_in_state(q, page, rows);
  const struct cli_query query = {q->kind->table, q->filters, q->count, page->limit, page->offset};
  int rc = cli_query_next(q->c, &query, &q->next, rows);
  if (rc != CLI_GO_ON) return rc;
  if (is_jobs(q)) rc = cli_add_states(q->c, *rows, &q->unexplained);
  if (rc != CLI_GO_ON) json_decref(*rows);
  return rc;
}

/* ---- of one conversation: a page begins after a message ---- */

/* Which of all these keys the page has. */
static int choose(struct query *q, const struct page *page, const json_t *keys, size_t *from,
                  size_t *count) {
  size_t n = json_array_size(keys), i = 0;
  *from = page->offset < n ? page->offset : n;
  *count = 0;
  if (q->next) {
    while (i < n && strcmp(json_string_value(json_array_get(keys, i)), q->next) != 0) ++i;
    if (i == n) return cli_usage_error(q->c, "--next", "%s is not in this list", q->next);
    *from = i + 1;
  }
  *count = n - *from < page->limit ? n - *from : page->limit;
  free(q->next);
  bool more = *count && *from + *count < n;
  q->next = more ? ck_strdup(json_string_value(json_array_get(keys, *from + *count - 1))) : NULL;
  return CLI_GO_ON;
}

/* A page of the conversation's messages, from the end of the current branch to its beginning, then
 * of the others. */
static int fetch_messages(struct query *q, const json_t *conversation, const struct page *page,
                          json_t **rows) {
  struct cli_reading r;
  size_t *chosen, from, count;
  int rc = cli_reading_load(q->c, conversation, &r);
  if (rc != CLI_GO_ON) return rc;
  json_t *keys = json_array();
  size_t n = cli_reading_all(&r, true, &chosen);
  for (size_t i = 0; i < n; ++i) {
    struct ck_str id = r.steps[chosen[i]].id;
    json_array_append_new(keys, json_stringn(id.s, id.n));
  }
  *rows = json_array();
  rc = choose(q, page, keys, &from, &count);
  if (rc == CLI_GO_ON) rc = cli_reading_rows(q->c, &r, chosen + from, count, *rows);
  if (rc != CLI_GO_ON) json_decref(*rows);
  json_decref(keys);
  free(chosen);
  cli_reading_free(&r);
  return rc;
}

/* Puts the platform's id in place of what names a conversation. *remote keeps it alive. */
static int by_remote(struct query *q, struct cli_filter *filter, const json_t *conversation,
                     json_t **remote) {
  json_t *links;
  struct cli_filter of = {"local_conversation_id",
                          cli_member(conversation, "local_conversation_id"), 0};
  int rc = cli_query(q->c, &(struct cli_query){"conversation_links", &of, 1, 1, 0}, &links);
  if (rc != CLI_GO_ON) return rc;
  *remote = json_incref(json_object_get(json_array_get(links, 0), "remote_conversation_id"));
  json_decref(links);
  if (json_is_string(*remote)) filter->text = json_string_value(*remote);
  return rc;
}

/* In the list of messages, a conversation and its platform are filters of the reading order. */
static bool is_reading(struct query *q, const json_t *conversation) {
  const struct cli_filter *platform = filter_of(q, "platform");
  return is_list_of(q, CK_MESSAGES) && q->count == (platform ? 2u : 1u) &&
         (!platform || strcmp(platform->text, cli_member(conversation, "platform")) == 0);
}

/* A filter takes CONVERSATION in any of its ways; if none fits, it stands as it is, and then it is
 * an error that nothing has that id. */
static int fetch_of(struct query *q, const struct page *page, json_t **rows) {
  struct cli_filter *local = filter_of(q, "local_conversation_id"),
                    *remote = filter_of(q, "conversation_id"), *platform = filter_of(q, "platform");
  const char *name = local ? local->text : remote ? remote->text : NULL;
  json_t *conversation = NULL, *id = NULL;
  int rc =
      name ? cli_find_one(q->c, name, platform ? platform->text : NULL, &conversation) : CLI_GO_ON;
  bool reading = conversation && remote && is_reading(q, conversation);
  if (rc == CLI_GO_ON && conversation && local)
    local->text = cli_member(conversation, "local_conversation_id");
  if (rc == CLI_GO_ON && conversation && remote && !reading)
    rc = by_remote(q, remote, conversation, &id);
  if (rc == CLI_GO_ON)
    rc = reading ? fetch_messages(q, conversation, page, rows) : fetch(q, page, rows);
  if (rc == CLI_GO_ON && name && !conversation && json_array_size(*rows) == 0) {
    json_decref(*rows);
    rc = cli_not_found(q->c, name, "conversation");
  }
  json_decref(id);
  json_decref(conversation);
  return rc;
}

static void print_json(const struct query *q, const json_t *rows) {
  enum ck_table t = ck_table_named(ck_str_of(q->kind->table));
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) {
    json_t *line = t < CK_TABLES ? ck_record_json(t, row) : json_incref(row);
    json_object_set(line, "first_question", json_object_get(row, "first_question")); /* if any */
    if (is_jobs(q)) cli_state_json(line, row);
    if (q->next && i + 1 == json_array_size(rows))
      json_object_set_new(line, "next", json_string(q->next));
    cli_json_line(line);
    json_decref(line);
  }
}

/* The beginning of an id stands for it in filters by one. *ids keeps them alive. */
static int whole_ids(struct query *q, json_t *ids) {
  for (size_t i = 0; i < q->count; ++i) {
    enum ck_table t = cli_filter_table(q->kind, q->filters[i].name);
    char *id;
    if (t == CK_TABLES) continue;
    int rc = cli_id_of(q->c, t, q->filters[i].text, &id);
    if (rc != CLI_GO_ON) return rc;
    json_array_append_new(ids, json_string(id));
    q->filters[i].text = json_string_value(json_array_get(ids, json_array_size(ids) - 1));
    free(id);
  }
  return CLI_GO_ON;
}

static int answer(struct query *q, const struct page *page) {
  json_t *rows = NULL, *ids = json_array();
  int rc = whole_ids(q, ids);
  if (rc == CLI_GO_ON) rc = fetch_of(q, page, &rows);
  json_decref(ids);
  if (rc == CLI_GO_ON && is_list_of(q, CK_CONVERSATIONS)) rc = cli_first_questions(q->c, rows);
  if (rc != CLI_GO_ON) return rc;
  if (q->c->json)
    print_json(q, rows);
  else
    rc = print_for_people(q, rows, page);
  json_decref(rows);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

/* The options that are the same for all kinds. */
struct wish {
  const char *limit, *offset, *next;
  bool whole_ids, hidden, no_pager;
};

static int run(struct cli *c, int argc, char **argv) {
  struct wish wish = {0};
  int64_t limit = 20, offset = 0;
  struct words words = {.c = c};
  struct cli_others others = {keep_word, &words};
  int rc = cli_options_and(c, &argc, argv, &wish, &others);
  if (rc == CLI_GO_ON) rc = cli_number(c, "--limit", wish.limit, 1, LIMIT_MAX, &limit);
  if (rc == CLI_GO_ON) rc = cli_number(c, "--offset", wish.offset, 0, INT32_MAX, &offset);
  if (rc != CLI_GO_ON) return rc;
  if (wish.next && wish.offset)
    return cli_usage_error(c, "--next", "it goes without --offset: it says where to begin");
  struct query q = {.c = c, .kind = cli_kind_named(argv[1]), .whole_ids = wish.whole_ids};
  if (wish.next) q.next = ck_strdup(wish.next);
  rc = parse_filters(&q, &words);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  const struct page page = {(unsigned)limit, (unsigned)offset, wish.hidden, wish.no_pager,
                            wish.next != NULL};
  if (rc == CLI_GO_ON) rc = answer(&q, &page);
  free(q.next);
  return rc;
}

static const struct cli_argument arguments[] = {{"KIND", CLI_CHOICE, 0, CLI_KIND_WORDS}, {0}};
static const struct cli_option options[] = {
    CLI_VALUE("limit", CLI_NUMBER, "N", struct wish, limit, "at most so many; 20, at most 1000"),
    CLI_VALUE("offset", CLI_NUMBER, "N", struct wish, offset, "without the first so many"),
    CLI_VALUE("next", CLI_TEXT, "CURSOR", struct wish, next,
              "those after the ones that an earlier answer has shown, which names the CURSOR"),
    CLI_FLAG("ids", struct wish, whole_ids, "ids, paths and reasons whole, however long the lines"),
    CLI_FLAG("hidden", struct wish, hidden, "messages: also those that nobody was meant to read"),
    CLI_FLAG("no-pager", struct wish, no_pager, "straight to the terminal"),
    {0}};

const struct cli_command cli_list = {
    "list",
    CLI_TO_READ,
    "list records, newest first",
    arguments,
    options,
    "KIND is conversations, messages, executions, sessions, links, jobs, accounts or attachments;\n"
    "each has filters of its own (below), with dashes or underscores, which must all hold. Two\n"
    "more kinds show what went wrong: dead-letters, rows that the mirror refused; and refusals,\n"
    "changesets that the store refused.\n\n"
    "Conversations are in the order of their last messages, accounts in that of their names. The "
    "messages of a conversation are\n"
    "in reading order, its end first. On a terminal ids are short, and long lines are cut. With\n"
    "--json, each line is one record with all its columns, and the last one has `next` if there\n"
    "are more: what --next takes. So a page costs the same wherever it is, and what comes in\n"
    "between moves no row to another page; with --offset it does.\n\n"
    "CONVERSATION: " CLI_HELP_CONVERSATION "\n\n"
    "TIME: " CLI_HELP_TIME,
    run,
    cli_help_filters};
