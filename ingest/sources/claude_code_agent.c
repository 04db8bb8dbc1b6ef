/* What Claude Code says of a subagent in a file beside its log:
 * SESSION/subagents/agent-ID.meta.json. The names of its folders tell which conversation it is
 * about. */
#include <stdlib.h>

#include "ingest/sources/claude_code.h"
#include "ingest/sources/details.h"

/* It says no time: whatever the log says is newer. */
#define AGE 1

struct agent {
  struct ck_arena arena;
  struct ck_str session, id; /* empty: the name does not tell */
};

static bool knows(const json_t *element) {
  return json_object_get(element, "agentType") && !json_object_get(element, "uuid");
}

static void *open_file(const char *name) {
  struct agent *a = ck_zalloc(sizeof *a);
  struct code_names names = code_names_of(name);
  struct ck_buf id = {0};
  if (!names.session.n || !names.agent.n) return a;
  a->session = ck_arena_copy(&a->arena, names.session);
  code_agent_id(&id, names.session, names.workflow, names.agent);
  a->id = ck_arena_keep(&a->arena, &id);
  return a;
}

static void close_file(void *self) {
  struct agent *a = self;
  ck_arena_free(&a->arena);
  free(a);
}

static void read_element(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  struct agent *a = element->state;
  struct ck_str title = ck_trim(ingest_json_text(element->json, "description"));
  struct ck_buf details = {0};
  char where[INGEST_PLACE_TEXT];
  if (!a->id.n) {
    visitor->note(visitor->self, "subagent of an unknown session", 1);
    return;
  }
  if (!title.n) title = ck_trim(ingest_json_text(element->json, "agentType"));
  code_parent_details(&details, a->session, (struct ck_str){0},
                      ingest_json_text(element->json, "toolUseId"));
  ingest_place_text(where, element->place, NULL, (struct ck_str){0});
  struct ingest_conversation about = {.platform = CK_LIT("claude-code"),
                                      .id = a->id,
                                      .title = title,
                                      .details = ingest_details_end(&details, &a->arena),
                                      .created_at = INGEST_NO_TIME,
                                      .age = AGE};
  visitor->begin(visitor->self, &about, where);
  visitor->end(visitor->self);
}

const struct ingest_source ingest_source_claude_code_agent = {.name = "claude code agent",
                                                              .version = 1,
                                                              .knows = knows,
                                                              .read = read_element,
                                                              .open = open_file,
                                                              .close = close_file};
