/* The inside of chatgpt*.c: one conversation of a ChatGPT export while it is read.
 *
 *   chatgpt.c            names, forks, what the visitor gets
 *   chatgpt_details.c    a message's details, and the conversation's
 *   chatgpt_citations.c  what the marks in a text stand for
 *   chatgpt_tools.c      which result answers which call
 *   chatgpt_text.c       the text of a message
 *   chatgpt_tree.c       the nodes: parents, order, places, times, ids
 *   chatgpt_node.c       what the message of a node says of itself
 *
 * Each calls only what stands below it. */
#ifndef INGEST_SOURCES_CHATGPT_H
#define INGEST_SOURCES_CHATGPT_H

#include "ingest/sources/details.h"
#include "ingest/sources/source.h"

/* What most messages have in common with others: who says what to whom. Shared, because there are
 * very many messages and few labels. */
struct chatgpt_label {
  struct ck_str role, author, recipient, type; /* type: of the content */
};
#define CHATGPT_LABELS 8 /* as many of the last ones are looked at */

/* Where a message says that it was copied from: its own words, of the metadata. */
struct chatgpt_origin {
  struct ck_str conversation, title, message;
};

/* Another conversation whose messages this one begins with a copy of ("branch in new chat"). */
struct chatgpt_fork {
  struct ck_str id, title;
  struct chatgpt_node *last; /* the last one copied */
};
#define CHATGPT_FORKS 64 /* a conversation that is copied from one that is copied … */

/* A node of the file's tree. What is "kept" has a message; places count only kept nodes. */
struct chatgpt_node {
  const char *key;
  json_t *value; /* in the mapping: the node, or what stands for it in an outline */
  /* While it is open (chatgpt_open); message is NULL for a node that is not kept. */
  json_t *json;
  const json_t *message;
  bool kept, hidden;
  struct ck_str parent_text, parent_id; /* as it is written, and as an id; empty: it names none */
  const struct chatgpt_label *label;
  const struct chatgpt_origin *origin; /* NULL: it names none */
  struct chatgpt_node *parent;         /* of the file; NULL also where the file's is missing */
  struct chatgpt_node *above;          /* the nearest kept one on the way up */
  size_t position;                     /* the number of kept ones on the way up */
  struct ck_str id, source_id;         /* here, and in the file; they differ for a second node of
                                          one id */
  int64_t told;                        /* create_time; INGEST_NO_TIME: none */
  int64_t at;                          /* told, else the time of the one above, … */
  size_t walk;                         /* the last walk that came by */
  bool done;                           /* it is in the order */
  bool leaf;                           /* kept, and no kept one below it */
  const struct chatgpt_fork *fork;     /* the conversation it is copied from; NULL: its own */
  struct chatgpt_node *call;           /* of a tool's result: the call that it answers */
  struct chatgpt_node *output, *next;  /* of a call: its first result; of a result: the next one */
};

struct chatgpt {
  const struct ingest_visitor *visitor;
  char where[INGEST_PLACE_TEXT]; /* it is in the file, for people */
  struct ck_arena arena;         /* lives as long as the conversation */
  struct ck_arena one;           /* reset after each message */
  const json_t *json;
  struct ingest_outline *outline; /* of json; NULL: it is whole */
  const json_t *mapping;
  bool is_page;     /* what stands before its first message is not in the file */
  struct ck_str id; /* empty until chatgpt_read_tree has given one that the file lacks */
  struct chatgpt_node *nodes, **by_key, **order; /* of the file; by key; parents first, and first of
                                                    all the branch that the page shows */
  size_t count;
  struct chatgpt_node **by_id; /* the kept ones; of those with one id, first the one that keeps it.
                                  NULL: each key is the id */
  size_t kept;
  struct chatgpt_node *current; /* the kept end of that branch; NULL: nothing is kept */
  int64_t at;                   /* for messages without a time of their own or above them */
  struct chatgpt_fork forks[CHATGPT_FORKS];
  size_t fork_count;
  const struct chatgpt_label *labels[CHATGPT_LABELS];
  size_t label_count; /* of all that were ever made */
};

/* ---- chatgpt_node.c ---- */

/* Fills json and message. A node that is not open has none, because all of a large conversation's
 * would not fit into memory. */
void chatgpt_open(struct chatgpt *c, struct chatgpt_node *node);
void chatgpt_close(struct chatgpt_node *node);
/* Reads what is known of a kept node that is not open: down to `origin`, told and source_id. */
void chatgpt_read_node(struct chatgpt *c, struct chatgpt_node *node);
/* A value of the message's metadata, or NULL; of an open node. */
const json_t *chatgpt_metadata(const struct chatgpt_node *node, const char *name);
/* The kind (docs/records.md) of a message of this type, if that is not somebody's words; else "".
 */
const char *chatgpt_kind_of_type(struct ck_str type);
/* May it stand between a call and its result: is it a thought, or hidden? */
bool chatgpt_may_come_between(const struct chatgpt_node *node);

/* ---- chatgpt_tree.c ---- */

/* Reads the nodes of a mapping. Broken ones are failures; a missing parent or a cycle of them is a
 * note. */
void chatgpt_read_tree(struct chatgpt *c, const json_t *mapping);
/* The newest time that the conversation says anywhere; 0: none. */
int64_t chatgpt_newest(const struct chatgpt *c);

/* ---- chatgpt_tools.c ---- */

/* Sets call, output and next of all nodes. */
void chatgpt_pair_tools(struct chatgpt *c);
/* An assistant's message to a tool. */
bool chatgpt_is_call(const struct chatgpt_node *node);
/* A tool's message. */
bool chatgpt_is_result(const struct chatgpt_node *node);
/* The executions of a call, in the arena of one message: one for each result, or one without. */
void chatgpt_read_executions(struct chatgpt *c, const struct chatgpt_node *call,
                             struct ingest_observation *o);

/* ---- chatgpt_text.c ---- */

/* The text of a message, in the arena of one message. What is of an unknown type is its JSON; the
 * text is "other" then, and if `note` is set the report counts it. */
struct ck_str chatgpt_text(struct chatgpt *c, const json_t *message, bool note);
/* Is this the type of a content whose text can be told? */
bool chatgpt_knows_type(struct ck_str type);
/* The id of the file that a part of a message points at; empty: none. */
struct ck_str chatgpt_pointer(const json_t *part);
/* What a part that points at a file is: "image", "audio", "video", "asset". */
const char *chatgpt_asset_word(const json_t *part);

/* ---- chatgpt_details.c ---- */

struct ck_str chatgpt_message_details(struct chatgpt *c, const struct chatgpt_node *node,
                                      struct ck_str text);
struct ck_str chatgpt_conversation_details(struct chatgpt *c);

/* ---- chatgpt_citations.c ---- */

/* Appends the list `citations`, if there are any. text: the message's. */
void chatgpt_add_citations(struct ck_buf *b, const struct chatgpt_node *node, struct ck_str text);

#endif
