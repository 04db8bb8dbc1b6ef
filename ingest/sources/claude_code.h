/* What the files of the Claude Code source share: claude_code.c tells where a line stands, _lines.c
 * what it is, _names.c what the names of files tell; the rest is code.h's. */
#ifndef INGEST_SOURCES_CLAUDE_CODE_H
#define INGEST_SOURCES_CLAUDE_CODE_H

#include "ingest/sources/code.h"

/* What the names of a file and its folders tell, each empty if they do not. */
struct code_names {
  struct ck_str home; /* the folder that has projects/ */
  struct ck_str session, workflow, agent;
};
struct code_names code_names_of(const char *file);
/* The id of a subagent's conversation; workflow may be empty. */
void code_agent_id(struct ck_buf *b, struct ck_str session, struct ck_str workflow,
                   struct ck_str agent);

/* ---- claude_code_lines.c ---- */

void code_read_user(struct code_line *line);
void code_read_assistant(struct code_line *line);
void code_read_system(struct code_line *line);
void code_read_attachment(struct code_line *line);
void code_read_progress(struct code_line *line);
void code_read_queue(struct code_line *line);
void code_read_summary(struct code_line *line);
void code_read_title(struct code_line *line);

#endif
