/* See accounts.h. */
#include "cli/accounts.h"

#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "proto/account.h"
#include "proto/clock.h"
#include "proto/pause_change.h"
#include "proto/records.h"
#include "proto/renewal.h"

/* Of a conversation, so many of its newest jobs tell when its last delivery was. */
#define JOBS_LOOKED_AT 3

struct accounts {
  struct cli *c;
  const char *name; /* NULL: all */
  json_t *rows;     /* by name */
};

static json_t *row_of(struct accounts *a, struct ck_buf *name) {
  const char *key = ck_buf_cstr(name);
  if (!*key || (a->name && strcmp(key, a->name) != 0)) return NULL;
  json_t *row = json_object_get(a->rows, key);
  if (row) return row;
  row = json_pack("{s:s, s:i, s:i, s:n, s:n, s:n}", "account", key, "conversations", 0, "under_way",
                  0, "limited_until", "reason", "last_attempt_at");
  json_object_set_new(a->rows, key, row);
  return row;
}

static void count(json_t *row, const char *member) {
  json_object_set_new(row, member, json_integer(cli_member_int(row, member, 0) + 1));
}

/* ---- names ---- */

static struct ck_str text(const json_t *o, const char *member) {
  return ck_str_of(cli_member(o, member));
}

/* conversation: whose owner may name another. o: a link, or a target_snapshot, in which these are
 * the names of the members. */
static void name_of(struct ck_buf *name, const json_t *conversation, const json_t *o,
                    const char *kind, const char *id, const char *payload) {
  struct ck_renewal own;
  const json_t *value = json_object_get(o, payload);
  char *json =
      json_is_null(value) || !value ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  ck_renewal_read(&own, text(conversation, "renewal"), NULL);
  ck_account_name(name, &(struct ck_account_facts){.own = ck_str_of(own.account),
                                                   .platform = text(o, "platform"),
                                                   .kind = text(o, kind),
                                                   .id = text(o, id),
                                                   .client_id = text(o, "client_id"),
                                                   .payload = ck_str_of(json),
                                                   .known = text(o, "account")});
  ck_renewal_free(&own);
  free(json);
}

static void name_of_target(struct ck_buf *name, const json_t *conversation, const char *snapshot) {
  json_t *target = json_loads(snapshot, 0, NULL);
  name_of(name, conversation, target, "kind", "id", "payload");
  json_decref(target);
}

static int name_of_conversation(struct cli *c, struct ck_buf *name, const json_t *conversation) {
  const struct cli_filter of[] = {
      {"local_conversation_id", cli_member(conversation, "local_conversation_id"), 0},
      {"is_active", NULL, 1}};
  json_t *links = NULL;
  int rc = cli_query(c, &(struct cli_query){"conversation_links", of, 2, 1, 0}, &links);
  if (rc == CLI_GO_ON)
    name_of(name, conversation, json_array_get(links, 0), "target_kind", "target_id",
            "target_payload");
  json_decref(links);
  return rc;
}

char *cli_account_of(const json_t *conversation, const char *snapshot) {
  struct ck_buf name = {0};
  name_of_target(&name, conversation, snapshot);
  char *account = ck_str_dup(ck_buf_view(&name));
  ck_buf_free(&name);
  return account;
}

/* ---- what adds to an account ---- */

static int add_conversation(struct accounts *a, const json_t *conversation) {
  const struct cli_filter of = {"local_conversation_id",
                                cli_member(conversation, "local_conversation_id"), 0};
  json_t *jobs = NULL, *row = NULL, *job;
  struct ck_buf name = {0};
  size_t i;
  int rc = name_of_conversation(a->c, &name, conversation);
  if (rc == CLI_GO_ON) row = row_of(a, &name);
  if (row) {
    count(row, "conversations");
    rc = cli_query(a->c, &(struct cli_query){"renewal_jobs", &of, 1, JOBS_LOOKED_AT, 0}, &jobs);
  }
  json_array_foreach(jobs, i, job) {
    int64_t at = cli_member_int(job, "last_attempt_at", 0);
    if (at > cli_member_int(row, "last_attempt_at", 0))
      json_object_set_new(row, "last_attempt_at", json_integer(at));
  }
  json_decref(jobs);
  ck_buf_free(&name);
  return rc;
}

/* One whose outcome is unknown has ended. */
static int add_running(struct accounts *a, const json_t *job) {
  json_t *conversation = NULL, *lease = NULL, *row;
  struct ck_buf name = {0};
  int rc = cli_query_one(a->c, "leases", "job_id", cli_member(job, "job_id"), &lease);
  bool ended = strcmp(cli_member(lease, "state"), "unknown") == 0;
  json_decref(lease);
  if (rc != CLI_GO_ON || ended) return rc;
  rc = cli_query_one(a->c, "local_conversations", "local_conversation_id",
                     cli_member(job, "local_conversation_id"), &conversation);
  if (rc == CLI_GO_ON) {
    name_of_target(&name, conversation, cli_member(job, "target_snapshot"));
    row = row_of(a, &name);
    if (row) count(row, "under_way");
  }
  json_decref(conversation);
  ck_buf_free(&name);
  return rc;
}

static int add_limit(struct accounts *a, const json_t *limit) {
  struct ck_buf name = {0};
  ck_buf_text(&name, cli_member(limit, "account"));
  json_t *row = row_of(a, &name);
  ck_buf_free(&name);
  if (!row || cli_member_int(limit, "over", 0)) return CLI_GO_ON;
  if (cli_member_int(limit, "until", 0) > 0) /* else it has no end */
    json_object_set(row, "limited_until", json_object_get(limit, "until"));
  json_object_set(row, "reason", json_object_get(limit, "reason"));
  return CLI_GO_ON;
}

/* ---- all ---- */

static int each(struct accounts *a, const char *table, const struct cli_filter *filter,
                int (*add)(struct accounts *a, const json_t *row)) {
  json_t *rows, *row;
  size_t i;
  int rc = cli_query_all(a->c, table, filter, filter ? 1 : 0, &rows);
  json_array_foreach(rc == CLI_GO_ON ? rows : NULL, i, row) {
    if (rc == CLI_GO_ON) rc = add(a, row);
  }
  json_decref(rows);
  return rc;
}

static int compare(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By name, so that a page can begin after one. */
static json_t *in_order(json_t *by_name) {
  size_t n = json_object_size(by_name), i = 0;
  const char **names = ck_alloc((n + 1) * sizeof *names), *name;
  json_t *rows = json_array(), *row;
  json_object_foreach(by_name, name, row) names[i++] = name;
  qsort(names, n, sizeof *names, compare);
  for (i = 0; i < n; i++) json_array_append(rows, json_object_get(by_name, names[i]));
  free((void *)(uintptr_t)names);
  return rows;
}

int cli_accounts(struct cli *c, const char *name, json_t **rows) {
  const struct cli_filter on_auto = {"automation_status", "auto", 0},
                          running = {"status", "running", 0};
  struct accounts a = {c, name, json_object()};
  int rc = each(&a, "local_conversations", &on_auto, add_conversation);
  if (rc == CLI_GO_ON) rc = each(&a, "renewal_jobs", &running, add_running);
  if (rc == CLI_GO_ON) rc = each(&a, "limits", NULL, add_limit);
  *rows = rc == CLI_GO_ON ? in_order(a.rows) : NULL;
  json_decref(a.rows);
  return rc;
}

int cli_account_check(const struct cli *c, const char *option, const char *name) {
  if (ck_trim(ck_str_of(name)).n > 0 && strlen(name) <= CK_ACCOUNT_MAX) return CLI_GO_ON;
  return cli_usage_error(c, option, "must have 1 to %d bytes, and be no blanks", CK_ACCOUNT_MAX);
}

int cli_end_limit(struct cli *c, const char *name, bool *known) {
  struct ck_buf mutations = {0};
  struct ck_err err;
  json_t *limit = NULL;
  char result = '=';
  int rc = cli_query_one(c, "limits", "account", name, &limit);
  *known = limit != NULL;
  json_decref(limit);
  if (rc != CLI_GO_ON || !*known) return rc;
  ck_put_array(&mutations, 1);
  ck_pause_put_limit_end(&mutations, name);
  rc = cli_write(c, ck_buf_view(&mutations), &result, &err);
  ck_buf_free(&mutations);
  if (rc == CLI_GO_ON && result == 'r') {
    cli_error(c, name, "%s", err.text);
    rc = CLI_FAILED;
  }
  if (rc != CLI_GO_ON || c->json) return rc;
  struct ck_buf line = {0};
  cli_safe_text(&line, ck_str_of(name), false);
  printf("%s: %s\n", ck_buf_cstr(&line),
         result == '=' ? "its limit has ended already"
                       : "its limit ends now; one delivery goes first");
  ck_buf_free(&line);
  return rc;
}
