/* Which files of a coding agent's home are its sessions. */
#include "cli/import/agent.h"

#include <criterion/criterion.h>

Test(cli_agent, other_files_of_a_home) {
  static const char *const others[] = {
      "/home/ada/.claude/.credentials.json",
      ".claude/todos/x.json",
      "/home/ada/.claude/projects/x/memory/MEMORY.md",
      "/home/ada/.claude/projects/x/sessions-index.json",
      "/home/ada/.claude/projects/x/S/tool-results/t.jsonl",
      "/home/ada/.claude/plugins/marketplaces/m/projects/a.jsonl",
      "/home/ada/.codex/history.jsonl",
      "/home/ada/.codex/auth.json",
      "/home/ada/.codex/logs_2.sqlite",
      "/home/ada/.codex/old/state_5.sqlite",
  };
  static const char *const sessions[] = {
      "/home/ada/.claude/projects/x/S.jsonl",
      "/home/ada/.claude/projects/x/S.jsonl.gz",
      "/home/ada/.claude/projects/x/S/subagents/agent-1.jsonl",
      "/home/ada/.claude/projects/x/S/subagents/agent-1.meta.json",
      "/home/ada/.codex/sessions/2026/11/29/rollout-x.jsonl.zst",
      "/home/ada/.codex/archived_sessions/rollout-x.jsonl",
      "/home/ada/.codex/state_5.sqlite",
      "/home/ada/export/conversations.json",
      "/home/ada/my.claude/x.json",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i)
    cr_expect(cli_agent_is_other(others[i], CLI_AGENT_NONE, 0), "%s", others[i]);
  for (size_t i = 0; i < sizeof sessions / sizeof *sessions; ++i)
    cr_expect(!cli_agent_is_other(sessions[i], CLI_AGENT_NONE, 0), "%s", sessions[i]);
}

/* A home of another name, which is the argument. */
Test(cli_agent, a_home_of_another_name) {
  cr_expect(cli_agent_is_other("/x/settings.json", CLI_AGENT_CLAUDE, 2));
  cr_expect(!cli_agent_is_other("/x/projects/y/S.jsonl", CLI_AGENT_CLAUDE, 2));
  cr_expect(!cli_agent_is_other("x/sessions/a.jsonl", CLI_AGENT_CODEX, 2));
}
