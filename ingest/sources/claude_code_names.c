/* What the names of Claude Code's files and folders tell, and what it makes of them:
 *
 *   HOME/projects/FOLDER/SESSION.jsonl
 *   HOME/projects/FOLDER/SESSION/subagents/agent-ID.jsonl, agent-ID.meta.json
 *   HOME/projects/FOLDER/SESSION/subagents/workflows/ID/agent-ID.jsonl, agent-ID.meta.json */
#include <string.h>

#include "ingest/sources/claude_code.h"

static struct ck_str between(const char *begin, const char *end) {
  return (struct ck_str){begin, (size_t)(end - begin)};
}

/* The part of the path between two others; empty: it is not there. */
static struct ck_str part_of(const char *path, const char *after, const char *before) {
  const char *at = strstr(path, after);
  if (!at) return (struct ck_str){0};
  at += strlen(after);
  const char *end = strstr(at, before);
  return end ? between(at, end) : (struct ck_str){0};
}

/* The last one: a folder above may have the same name. */
static const char *last_of(const char *path, const char *part) {
  const char *found = NULL;
  for (const char *at = path; (at = strstr(at, part)); ++at) found = at;
  return found;
}

struct code_names code_names_of(const char *file) {
  struct code_names n = {0};
  const char *own = strrchr(file, '/'), *projects = last_of(file, "/projects/"),
             *agents = last_of(file, "/subagents/");
  own = own ? own + 1 : file;
  if (file[0] == '/' && projects && !strstr(file, ": ")) n.home = between(file, projects);
  n.agent = part_of(own, "agent-", ".");
  if (!agents) return n;
  const char *session = agents;
  while (session > file && session[-1] != '/') --session;
  n.session = between(session, agents);
  n.workflow = part_of(agents, "/workflows/", "/");
  return n;
}

void code_agent_id(struct ck_buf *b, struct ck_str session, struct ck_str workflow,
                   struct ck_str agent) {
  ck_buf_str(b, session);
  if (workflow.n) ck_buf_text(b, "/workflow-");
  ck_buf_str(b, workflow);
  ck_buf_text(b, "/agent-");
  ck_buf_str(b, agent);
}
