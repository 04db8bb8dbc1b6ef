/* What sessions of Claude Code and Codex say, line by line, in the forms that their logs have:
 * answers in several lines, calls and results, lines that are no messages, long lines, compaction,
 * subagents, forks. All of it is made up, from the test's random numbers.
 *
 * The text of each message has a word of its own, by which it can be found. */
#ifndef CK_TESTS_FAULT_SCRIPT_H
#define CK_TESTS_FAULT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/text.h"

struct script_line {
  size_t end;    /* offset in the text after it */
  char word[16]; /* of the message that it brings; "": it brings none */
};

struct script {
  unsigned number;
  bool codex;
  char id[48];            /* of the session or thread */
  char conversation[120]; /* the local conversation's id */
  char folder[120];       /* below the home, without a slash at its end */
  char name[120];         /* of the file */
  struct ck_buf text;
  struct script_line *lines;
  size_t count;
  /* It begins when these lines of that session are in the store; NULL: at any time. */
  const struct script *after;
  size_t after_line;
  /* ---- while it is made ---- */
  char above[48]; /* the id of the line before */
  unsigned words, serial;
  int64_t second; /* of the next line's time */
  size_t half;    /* a line of a session in its middle */
};

/* A session of Claude Code with so many turns. of: NULL, or the session that it is a fork of. */
void script_claude(struct script *s, unsigned number, unsigned turns, const struct script *of);
/* A subagent of that session, in a file of its own. */
void script_agent(struct script *s, unsigned number, unsigned turns, const struct script *of);
/* A thread of Codex with so many turns. of: NULL, or the thread that it is a fork of, or a subagent
 * of. */
void script_codex(struct script *s, unsigned number, unsigned turns, const struct script *of,
                  bool is_agent);
void script_free(struct script *s);

/* ---- for those that make them ---- */

void script_begin(struct script *s, unsigned number, bool codex);
/* The next word. Valid until the next call. */
const char *script_word(struct script *s);
/* Adds a line; word: see struct script_line. */
void script_line(struct script *s, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The next line's time, as ISO 8601. Valid until the next call. */
const char *script_time(struct script *s);
/* Text of some length: most often short, at times longer than what is read at once. Valid until the
 * next call. */
const char *script_filler(void);

#endif
