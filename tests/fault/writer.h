/* A writer of sessions: it plays scripts into the folders of Claude Code and Codex, a piece of a
 * line, a line or a burst at a time, and does with the files what these programs and their users
 * do. */
#ifndef CK_TESTS_FAULT_WRITER_H
#define CK_TESTS_FAULT_WRITER_H

#include "tests/fault/script.h"

/* A message that was written. */
struct written {
  const struct script *script;
  const char *word;
  int64_t at; /* ck_boot_ms() when its line was there; a last line without an end 3 s later */
};

struct writer {
  struct script *scripts;
  size_t count;
  struct play *plays; /* one for each script */
  size_t begun, finished;
  size_t lines, total; /* written, and of all scripts */
  struct written *said;
  size_t said_count;
  unsigned half_lines, moved, replaced, archived, compressed, removed;
};

/* So many scripts: of both programs, with subagents and forks. */
void writer_new(struct writer *w, size_t scripts);
void writer_free(struct writer *w);
/* Writes all files as they are at the end, or removes them, with their folders. */
void writer_write_finished(const struct writer *w);
void writer_remove_finished(const struct writer *w);
/* Something happens to one file. is_stored: whether the store has the message with this word. */
void writer_step(struct writer *w, bool (*is_stored)(const char *word));
/* All scripts are played to their ends. */
bool writer_done(const struct writer *w);

#endif
