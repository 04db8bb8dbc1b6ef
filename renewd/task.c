/* The task `target CONVERSATION`, which the command line starts: where would a follow-up go, or
 * what is missing? The answer is that of the running renewd's own code (core/resolve.h). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "renewd/renewd.h"

#define ANSWER_MS 6000

struct answer {
  struct renew_settings settings;
  struct ck_buf snapshot;
  struct ck_err missing, error;
  bool is_there;
};

static void link_came(void *self, const struct renew_reply *reply) {
  struct answer *a = self;
  const struct renew_link link = renew_link_of(reply->first);
  if (!reply->problem)
    renew_resolve_link(&a->settings, reply->rows ? &link : NULL, &a->snapshot, &a->missing);
}

static void decide(void *self, const char *problem) {
  struct answer *a = self;
  if (problem) ck_fail(&a->error, "%s", problem);
  a->is_there = true;
}

static void wait_for_answer(struct answer *a, struct renew_queries *queries) {
  int64_t until = ck_boot_after(ANSWER_MS);
  while (!a->is_there && ck_boot_ms() < until) {
    int wait = renew_queries_step(queries);
    zmq_pollitem_t item = {.socket = renew_queries_socket(queries), .events = ZMQ_POLLIN};
    if (!a->is_there) zmq_poll(&item, 1, wait < 0 || wait > ANSWER_MS ? ANSWER_MS : wait);
  }
  if (!a->is_there) ck_fail(&a->error, "the store does not answer");
}

static void say(const struct answer *a) {
  json_t *line = json_object(), *result = json_object();
  if (a->error.text[0])
    json_object_set_new_nocheck(line, "error", json_string_nocheck(a->error.text));
  else
    json_object_set_nocheck(line, "result", result);
  if (a->snapshot.len)
    json_object_set_new_nocheck(result, "snapshot",
                                json_stringn_nocheck(a->snapshot.data, a->snapshot.len));
  if (a->missing.text[0])
    json_object_set_new_nocheck(result, "missing", json_string_nocheck(a->missing.text));
  char *text = json_dumps(line, JSON_COMPACT);
  ck_task_say(ck_str_of(text));
  free(text);
  json_decref(result);
  json_decref(line);
}

int renew_task_main(const struct ck_settings *s, int argc, char **argv) {
  if (argc == 2 && strcmp(argv[0], "plan") == 0) return renew_plan_main(s, argc, argv);
  struct answer a = {.settings = renew_settings_of(s)};
  struct renew_queries *queries = NULL;
  if (argc != 2 || strcmp(argv[0], "target") != 0)
    ck_fail(&a.error, "%.100s: there is no such task", argv[0]);
  else
    queries = renew_queries_new(s, &a.error);
  if (queries) {
    const struct renew_query query = renew_link_query(ck_str_of(argv[1]), link_came);
    renew_query_all(queries, &query, 1, decide, NULL, &a);
    wait_for_answer(&a, queries);
  }
  say(&a);
  renew_queries_free(&queries);
  ck_buf_free(&a.snapshot);
  return a.error.text[0] ? 1 : 0;
}
