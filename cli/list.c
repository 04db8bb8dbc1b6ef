/* convkeep list KIND [--FIELD VALUE]…: the newest rows of a table, filtered. The kinds and their
 * filters are in rows.c. */
#include "cli/rows.h"
#include "cli/states.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/out.h"
#include "proto/clock.h"

#define FILTERS_MAX 16
#define LIMIT_MAX 1000

struct query {
  struct cli *c;
  const struct cli_kind *kind;
  struct cli_filter filters[FILTERS_MAX];
  size_t count;
  const char *state;  /* of jobs: more than a filter of the store can tell; NULL: any */
  size_t unexplained; /* pending jobs, while no renewd reports what they wait for */
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
  strncpy(w->names[w->count], name, sizeof w->names[0] - 1);
  w->names[w->count][sizeof w->names[0] - 1] = '\0';
  w->values[w->count++] = value;
  return 0;
}

static int number_option(const struct cli *c, const char *name, const char *text, long least,
                         long most, long *value) {
  char *end;
  if (!text) return CLI_GO_ON;
  *value = strtol(text, &end, 10);
  if (*text && !*end && *value >= least && *value <= most) return CLI_GO_ON;
  return cli_usage_error(c, name, "%s: must be a whole number from %ld to %ld", text, least, most);
}

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

static void print_for_people(const struct query *q, json_t *rows, unsigned limit, unsigned offset) {
  size_t n = json_array_size(rows);
  cli_rows_print(q->kind, rows, ck_now_ms());
  if (n == 0)
    printf("no %s%s\n", q->kind->word,
           q->count ? " match"
           : offset ? " from that offset on"
                    : " yet");
  if (q->unexplained)
    puts("renewd is not running, so it is not known what jobs wait for; convkeep up starts it");
  if (n && n == limit && isatty(STDOUT_FILENO)) printf("more: --offset %u\n", offset + limit);
}

/* Leaves the rows in this state, and of those the ones that were asked for. */
static void keep_state(json_t *rows, const char *state, unsigned limit, unsigned offset) {
  for (size_t i = 0, found = 0; i < json_array_size(rows);) {
    bool is = cli_state_is(json_array_get(rows, i), state);
    if (is && found++ >= offset && i < limit)
      ++i;
    else
      json_array_remove(rows, i);
  }
}

static int fetch(struct query *q, unsigned limit, unsigned offset, json_t **rows) {
  int rc = q->state
               ? cli_query_all(q->c, q->kind->table, q->filters, q->count, rows)
               : cli_query(q->c,
                           &(struct cli_query){q->kind->table, q->filters, q->count, limit, offset},
                           rows);
  if (rc == CLI_GO_ON && is_jobs(q) && (q->state || !q->c->json)) {
    rc = cli_add_states(q->c, *rows, &q->unexplained);
    if (rc != CLI_GO_ON) json_decref(*rows);
  }
  if (rc == CLI_GO_ON && q->state) keep_state(*rows, q->state, limit, offset);
  return rc;
}

static int answer(struct query *q, unsigned limit, unsigned offset) {
  json_t *rows;
  int rc = fetch(q, limit, offset, &rows);
  if (rc != CLI_GO_ON) return rc;
  size_t i;
  json_t *row;
  if (!q->c->json) print_for_people(q, rows, limit, offset);
  json_array_foreach(rows, i, row) {
    if (!q->c->json) break;
    json_object_del(row, "state");
    cli_json_line(row);
  }
  json_decref(rows);
  return CLI_DONE;
}

static int run(struct cli *c, int argc, char **argv) {
  const char *limit_text = NULL, *offset_text = NULL;
  long limit = 20, offset = 0;
  const struct cli_option options[] = {
      {"limit", &limit_text, NULL}, {"offset", &offset_text, NULL}, {NULL, NULL, NULL}};
  struct words words = {.c = c};
  struct cli_others others = {keep_word, &words};
  int rc = cli_options(
      c, &argc, argv,
      (struct cli_syntax){.options = options, .others = &others, .least = 1, .most = 1});
  if (rc == CLI_GO_ON) rc = number_option(c, "--limit", limit_text, 1, LIMIT_MAX, &limit);
  if (rc == CLI_GO_ON) rc = number_option(c, "--offset", offset_text, 0, INT32_MAX, &offset);
  if (rc != CLI_GO_ON) return rc;
  struct query q = {.c = c, .kind = cli_kind_named(argv[1])};
  if (!q.kind)
    return cli_usage_error(c, argv[1],
                           "no such list; must be messages, executions, sessions, conversations, "
                           "links, jobs, dead-letters or refusals");
  rc = parse_filters(&q, &words);
  if (rc == CLI_GO_ON) rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  return rc == CLI_GO_ON ? answer(&q, (unsigned)limit, (unsigned)offset) : rc;
}

const struct cli_command cli_list = {
    "list",
    "messages|executions|sessions|conversations|links|jobs [--FIELD VALUE]… [--limit N] "
    "[--offset N]",
    "list records, newest first",
    "Shows 20 unless --limit says otherwise (at most 1,000). With --json, each line is one\n"
    "record with all its columns.\n\n"
    "Filters (dashes or underscores; several must all match):\n"
    "  messages       --conversation-id --platform --id\n"
    "  executions     --message-id --target --tool --instruction-id\n"
    "  sessions       --platform --conversation-id --id\n"
    "  conversations  --platform --automation-status manual|auto|paused\n"
    "                 --local-conversation-id\n"
    "  links          --local-conversation-id --platform --remote-conversation-id\n"
    "                 --client-id --is-active 0|1 --link-id\n"
    "  jobs           --local-conversation-id --message-id --job-id\n"
    "                 --status pending|running|done|failed, or a state:\n"
    "                 waiting|stopped (of pending), unknown (running), superseded (failed)\n"
    "                 --next-attempt-at-max TIME   due by then, soonest first\n\n"
    "Two more lists show what went wrong: dead-letters (rows that the mirror refused; --sink)\n"
    "and refusals (changesets that the store refused; --producer).",
    run};
