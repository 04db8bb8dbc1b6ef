/* What the files of the Claude.ai sources share. claude.c reads a conversation: the tree gives each
 * message its place, tools pairs calls and results, content makes text and details. The other files
 * of an export are turned into a conversation first (claude_beside.c, claude_design.c). */
#ifndef INGEST_SOURCES_CLAUDE_H
#define INGEST_SOURCES_CLAUDE_H

#include "ingest/parse/json.h"
#include "ingest/sources/source.h"
#include "proto/text.h"

/* A tool's result. */
struct claude_result {
  struct claude_message *message; /* that has it */
  size_t at;                      /* the block's index in the message */
  struct ck_str name;
  struct ck_str use_id;       /* of its call; empty: it names none */
  struct claude_use *use;     /* the call; NULL: none is there */
  struct claude_result *next; /* of the same call */
};

/* A tool's call. */
struct claude_use {
  struct claude_message *message; /* that has it */
  size_t at;                      /* the block's index in the message */
  struct ck_str name;
  size_t n;                           /* which call of the message it is, from 1 */
  struct ck_str id;                   /* empty: it has none */
  bool repeated;                      /* an earlier call of the message has the same id */
  struct claude_result *first, *last; /* its results */
};

struct claude_message {
  json_t *value; /* in the list: the message, or what stands for it in an outline */
  json_t *json;  /* while it is open (claude_open) */
  unsigned opened;
  bool says_parent;              /* it has that member; what it names: */
  struct ck_str parent_told;     /* empty: nothing */
  int64_t told;                  /* created_at; INGEST_NO_TIME: none */
  size_t n;                      /* which of the conversation it is in the file, from 1 */
  struct ck_str id;              /* the message's id here */
  struct ck_str source_id;       /* the file's; another one only if two messages have the same */
  struct claude_message *parent; /* NULL: none, or not in this file */
  struct ck_str parent_id;       /* also of a parent that is not in this file; empty: none */
  bool placed;                   /* its position is known */
  bool inner;                    /* messages are below it */
  int64_t position;
  int64_t at; /* its time, else that of the message above it, else of the conversation */
  bool timed; /* it has a time of its own */
  size_t walk;
  struct claude_use *uses; /* the calls and results that it has, in order */
  struct claude_result *results;
  size_t use_count, result_count;
};

struct claude_chat {
  const struct ingest_visitor *visitor;
  const struct ingest_place *place;
  const json_t *json;             /* the conversation */
  struct ingest_outline *outline; /* of json; NULL: it is whole */
  const char *element;            /* what places call it */
  const char *url;           /* the beginning of its page's address; NULL: json may have a page */
  const char *const *fields; /* of a message that are details as they are, up to NULL */
  bool unordered;            /* the messages have no order */
  bool by_time;          /* without parents their order is that of their times, not the list's */
  struct ck_arena arena; /* lives as long as the conversation */
  struct ck_arena one;   /* reset after each message */
  struct ck_str id, name, page;
  int64_t at;                      /* the conversation's time */
  struct claude_message *messages; /* that can be read, in the order of the file */
  size_t count;
  struct ck_buf uses, results; /* of struct claude_use, claude_result: in the order of the file */
};

/* Reads c->json, whose chat_messages is an array; gives all of it to the visitor, and frees what c
 * has. The caller fills c down to `by_time`. */
void claude_read(struct claude_chat *c);

/* ---- claude_tree.c ---- */

/* Fills the messages with their ids, parents, positions and times. `list` is chat_messages. Tells
 * the visitor which elements of the list are no messages. */
void claude_tree(struct claude_chat *c, const json_t *list);
/* The last message of the branch that the page shows; NULL: there is none. */
const struct claude_message *claude_current(struct claude_chat *c);
/* Fills json. A message that is not open has none, because all of a large conversation's would not
 * fit into memory. As many calls of claude_close close it. */
void claude_open(struct claude_chat *c, struct claude_message *m);
void claude_close(struct claude_message *m);
/* s, for longer than a message is open. */
struct ck_str claude_lasting(struct claude_chat *c, struct ck_str s);
/* Where the n-th message is, for people. id may be empty. */
#define CLAUDE_PLACE_TEXT (INGEST_PLACE_TEXT * 2)
void claude_place(const struct claude_chat *c, char out[CLAUDE_PLACE_TEXT], size_t n,
                  struct ck_str id);

/* ---- claude_tools.c ---- */

/* Finds the calls and results of an open message. */
void claude_find_tools(struct claude_chat *c, struct claude_message *m);
/* Pairs them, once those of all messages are found. */
void claude_tools(struct claude_chat *c);
/* Gives o the executions of a message. They live in c->one. */
void claude_executions(struct claude_chat *c, const struct claude_message *m,
                       struct ingest_observation *o);

/* ---- claude_content.c ---- */

/* Gives o the text and the details of a message. They live in c->one. */
void claude_content(struct claude_chat *c, const struct claude_message *m,
                    struct ingest_observation *o);

/* Is it a block of this type? */
bool claude_is_type(const json_t *block, const char *type);
/* Is it a tool's call (tool_use, server_tool_use, …), or a result (tool_result,
 * web_search_tool_result, …)? */
bool claude_is_call(const json_t *block);
bool claude_is_result(const json_t *block);
/* Sets a member to another's, unless that is missing or null. */
void claude_share(json_t *to, const char *name, const json_t *from, const char *other);
/* "OF-WHAT-N" */
struct ck_str claude_numbered(struct ck_arena *arena, struct ck_str of, const char *what, size_t n);

#endif
