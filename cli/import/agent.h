/* The homes of Claude Code (~/.claude, $CLAUDE_CONFIG_DIR) and Codex (~/.codex, $CODEX_HOME): most
 * files there are settings, credentials and caches, some of which look like conversations. */
#ifndef CLI_IMPORT_AGENT_H
#define CLI_IMPORT_AGENT_H

#include <stdbool.h>
#include <stddef.h>

enum cli_agent { CLI_AGENT_NONE, CLI_AGENT_CLAUDE, CLI_AGENT_CODEX };

/* Whose home the folder is, as its files tell. dir: what a relative path is relative to. */
enum cli_agent cli_agent_home(int dir, const char *folder);

/* Is this file, found in a folder, one of a home that holds no session? home: whose the folder is,
 * whose name has n bytes; a folder `.claude` or `.codex` in the name is a home, too. */
bool cli_agent_is_other(const char *name, enum cli_agent home, size_t n);

#endif
