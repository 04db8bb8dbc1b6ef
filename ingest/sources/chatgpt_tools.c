/* Tool calls and their results. A call is an assistant's message to a tool; a result is a tool's
 * message below it. Nothing in the file names the one in the other, so they are told from where
 * they stand. */
#include "ingest/sources/chatgpt.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"

/* How many messages above a result its call is searched for. */
#define ABOVE 64

/* ---- which is which ---- */

/* The tool that a message is addressed to; empty if it is for everybody. */
static struct ck_str tool_called(const struct chatgpt_node *n) {
  struct ck_str to = n->label->recipient;
  bool everybody = ck_str_is(to, "all") || ck_str_is(to, "assistant") || ck_str_is(to, "user");
  return everybody ? (struct ck_str){0} : to;
}

bool chatgpt_is_result(const struct chatgpt_node *n) { return ck_str_is(n->label->role, "tool"); }

/* Code for everybody may be one, too: then only its result tells. */
static bool may_call(const struct chatgpt_node *n) {
  return ck_str_is(n->label->role, "assistant") &&
         (tool_called(n).n || ck_str_is(n->label->type, "code"));
}

bool chatgpt_is_call(const struct chatgpt_node *n) {
  return may_call(n) && (n->output || tool_called(n).n);
}

/* ---- pairs ---- */

/* How well a result's author fits a call's tool: "web.run" and "web" answer for each other,
 * "web.run" and "web.open" do not. */
enum fit { SAME, UNNAMED, OTHER };

static struct ck_str before_dot(struct ck_str name) {
  const char *dot = name.n ? memchr(name.s, '.', name.n) : NULL;
  return dot ? (struct ck_str){name.s, (size_t)(dot - name.s)} : name;
}

static bool is_same_tool(struct ck_str a, struct ck_str b) {
  return ck_str_eq(a, b) || ck_str_eq(a, before_dot(b)) || ck_str_eq(before_dot(a), b);
}

static enum fit fit_of(struct ck_str author, struct ck_str tool) {
  if (!author.n || !tool.n) return UNNAMED;
  return is_same_tool(author, tool) ? SAME : OTHER;
}

/* The walk up from a result, through other calls and results, which come in groups when several
 * calls are made at once: first the calls, then their results in the same order. */
struct search {
  struct ck_str author;
  size_t walk;                   /* marks the calls that a result on the way answers */
  struct chatgpt_node *open;     /* the best call without a result so far */
  struct chatgpt_node *answered; /* the nearest call with one */
  int rank;                      /* of open; less is better */
  int group;                     /* how many groups of calls are passed */
  bool in_calls, first;
};

static void meet_call(struct search *s, struct chatgpt_node *call) {
  enum fit fit = fit_of(s->author, tool_called(call));
  int rank = (int)fit * ABOVE + s->group;
  if (call->walk == s->walk) {
    if (!s->answered && fit != OTHER) s->answered = call;
  } else if ((fit != OTHER || s->first) && (!s->open || rank <= s->rank)) {
    s->open = call;
    s->rank = rank;
  }
  s->in_calls = true;
  s->first = false;
}

static void meet_result(struct search *s, struct chatgpt_node *result) {
  if (s->in_calls) ++s->group;
  if (result->call) result->call->walk = s->walk;
  s->in_calls = false;
  s->first = false;
}

/* The call that a result answers, or one more result of a call that has one. All results above are
 * paired already. */
static struct chatgpt_node *call_of(const struct chatgpt_node *result, size_t walk) {
  struct search s = {.author = result->label->author, .walk = walk, .first = true};
  struct chatgpt_node *at = result->above;
  for (int steps = 0; at && steps < ABOVE; at = at->above, ++steps) {
    if (may_call(at))
      meet_call(&s, at);
    else if (chatgpt_is_result(at))
      meet_result(&s, at);
    else if (!chatgpt_may_come_between(at))
      break;
  }
  return s.open ? s.open : s.answered;
}

void chatgpt_pair_tools(struct chatgpt *c) {
  for (size_t i = 0; i < c->count; ++i) {
    struct chatgpt_node *node = c->order[i];
    if (!node->kept || !chatgpt_is_result(node)) continue;
    node->call = call_of(node, c->count + 1 + i);
    if (!node->call) continue;
    node->next = node->call->output;
    node->call->output = node;
  }
}

/* ---- executions ---- */

/* False if the result reports a failure. The message of the failure is its text. */
static bool result_ok(const struct chatgpt_node *result) {
  struct ck_str status = ingest_json_text(chatgpt_metadata(result, "aggregate_result"), "status");
  if (status.n) return ck_str_is(status, "success");
  return !ck_str_is(result->label->type, "system_error");
}

/* The same order in every export: what stands higher, then what is older, comes first. */
static int by_place(const void *a, const void *b) {
  const struct chatgpt_node *x = *(const struct chatgpt_node *const *)a,
                            *y = *(const struct chatgpt_node *const *)b;
  if (x->position != y->position) return x->position < y->position ? -1 : 1;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return strcmp(x->key, y->key);
}

static void add_result(struct chatgpt *c, struct ingest_execution *e, struct chatgpt_node *result) {
  chatgpt_open(c, result);
  e->no_result = false;
  e->ok = result_ok(result);
  e->result = chatgpt_text(c, result->message, false);
  if (!e->ok) e->error = e->result.n ? e->result : CK_LIT("failed");
  e->executed_at = result->told;
  chatgpt_close(result);
}

void chatgpt_read_executions(struct chatgpt *c, const struct chatgpt_node *call,
                             struct ingest_observation *o) {
  size_t n = 0;
  for (struct chatgpt_node *r = call->output; r; r = r->next) ++n;
  struct chatgpt_node **results = ck_arena_get(&c->one, (n + 1) * sizeof *results);
  struct ingest_execution *list = ck_arena_get(&c->one, (n + 1) * sizeof *list);
  n = 0;
  for (struct chatgpt_node *r = call->output; r; r = r->next) results[n++] = r;
  qsort(results, n, sizeof *results, by_place);
  struct ck_str tool = tool_called(call);
  if (!tool.n && n) tool = results[0]->label->author;
  if (!tool.n) tool = CK_LIT("tool");
  for (size_t i = 0; i < n || i == 0; ++i) {
    list[i] = (struct ingest_execution){.instruction_id = i ? results[i]->id : call->id,
                                        .target = tool,
                                        .tool = tool,
                                        .no_result = true,
                                        .executed_at = INGEST_NO_TIME};
    if (n) add_result(c, &list[i], results[i]);
  }
  list[0].params = o->text;
  if (o->text.n) list[0].params_kind = "body";
  o->executions = list;
  o->execution_count = n ? n : 1;
}
