/* Sessions of coding agents: what the readers of Claude Code's and Codex's logs share. A log is
 * read line by line, in its order. Its own reader tells what a line is and where it stands;
 * code_content.c what it says, code_message.c gathers the lines of one answer, code_tools.c joins
 * results with their calls, code_chat.c keeps what is known of each conversation and gives all of
 * it to the visitor.
 *
 * What is given of a message is always the whole of it as far as it has come, with an age that
 * grows with each of its lines. So it does not matter where a file is cut, or how often it is read:
 * the store keeps what was said with the greatest age. */
#ifndef INGEST_SOURCES_CODE_H
#define INGEST_SOURCES_CODE_H

#include "ingest/parse/json.h"
#include "ingest/sources/session.h"
#include "ingest/sources/source.h"

struct code_chat;

/* Ranks of titles. */
enum { CODE_TITLE_TASK = 1, CODE_TITLE_SUMMARY, CODE_TITLE_AI, CODE_TITLE_CUSTOM };

/* Where a line stands. */
struct code_place {
  struct ck_str message;  /* that it is of, else the nearest above it; empty: none */
  int64_t depth;          /* messages down to that one; -1: unknown */
  struct code_chat *chat; /* whose line it is */
};

/* A tool's call, for its result. */
struct code_call {
  struct code_chat *chat;
  struct ck_str message, id, target, tool;
  int64_t at, age; /* of the message; of the last that was said of the call */
  unsigned results;
};

/* A call that has given a chain beside its session something to do. */
struct code_task {
  const struct code_call *call;
  struct ck_str title;
};

/* The limit of an account with which a message was refused: the detail `limit`. */
struct code_limit {
  struct ck_str type; /* as the source names it; empty: there is none */
  int64_t until;      /* when it ends, in milliseconds since the epoch; 0: nobody says */
  bool lasts;         /* it is about money or a plan, so waiting does not end it */
};

/* What one message says. */
struct code_content {
  struct ck_buf text, context, attachments; /* the last two: elements of a list */
  struct ck_buf thinking;                   /* likewise */
  struct ck_buf hidden;                     /* the text of `context` */
  struct ck_str unknown;                    /* the type of a block of an unknown type */
  struct ck_str author;                     /* another agent that has said it; else empty */
  const char *turn;        /* the detail `turn`, of what is no answer; NULL: none */
  struct code_limit limit; /* likewise */
  unsigned attached;
  bool said; /* there are words */
};

/* What stands last in an answer. */
enum code_ends { CODE_ENDS_WITH_NOTHING, CODE_ENDS_WITH_WORDS, CODE_ENDS_WITH_MORE };

/* The answer whose lines are being gathered. */
struct code_open {
  bool open, changed; /* changed: not all of it was given */
  enum code_ends ends;
  const char *turn; /* the detail `turn`; NULL: it has ended, as far as anybody says */
  bool had_turn;    /* it was not NULL once */
  struct ck_str id, api_id, parent, model, stop_reason;
  int64_t depth, at, age;
  bool time_assumed, placed, error;
  struct code_limit limit;
  struct code_content content;
  struct ck_buf usage; /* JSON */
  struct ck_buf calls; /* of struct code_open_call */
  struct ck_arena arena;
  char where[INGEST_PLACE_TEXT];
};

struct code_open_call {
  struct ingest_execution execution;
  struct code_call *call;
  const char *waits; /* what the owner is asked, until there is a result; NULL: nothing */
  bool allowed;      /* he has answered, and the result is still to come */
  bool named;        /* it has an id of its own */
};

/* A conversation of the file: a session, or a chain beside it. */
struct code_chat {
  struct ck_str id, session, parent; /* parent: the conversation that it was begun by; or empty */
  bool lent;                         /* another file's: what a fork has copied */
  bool beside;                       /* of a tool, not of a person: it is not gone on with */
  struct ck_str parent_message, parent_call;
  struct ck_str title, cwd, branch, version, model, forked_from;
  enum ingest_copies copies;
  bool known;    /* it is given without messages, too */
  int64_t begun; /* when; INGEST_NO_TIME: nobody says */
  int title_rank;
  int64_t clock; /* how new what is known of it is */
  int64_t time;  /* of its last line that has one; INGEST_NO_TIME: none */
  struct code_place *last_line;
  struct ck_str last; /* its last message */
  struct code_open open;
  bool changed; /* it is in the list of those that have something to give */
  bool has_messages;
  struct ck_buf given; /* of struct code_given */
};

struct code_given {
  struct ingest_observation observation;
  const char *where;
};

/* All that is known of a file. */
struct code_file {
  struct ck_str platform, program; /* that goes on with a session */
  struct session_table table;
  struct ck_arena lasting;             /* as long as the file is read */
  struct ck_arena passing;             /* until what is known has been given */
  struct ck_str home, workflow, agent; /* as the file's name tells; or empty */
  struct ck_str made_session;          /* for lines that name none */
  bool says_stops;                     /* its answers say why they stop */
  bool says_turns;                     /* it says when a turn begins, and then when that ends */
  struct code_chat *last_chat;
  struct ck_buf chats, changed; /* of struct code_chat * */
};

/* A line that is being read. */
struct code_line {
  struct code_file *file;
  const struct ingest_visitor *visitor;
  const json_t *json, *message; /* message: its member of that name, or NULL */
  struct ck_str session, id;
  int64_t at;  /* its time; if it has none, that of the line before it, which is assumed */
  int64_t age; /* how new what it says is */
  bool time_assumed;
  bool was_hidden; /* its message, which is to be shown */
  struct code_chat *chat;
  struct code_place *above; /* NULL: it is a root, or: */
  struct ck_str missing;    /* the line above it is not in the file */
  char where[INGEST_PLACE_TEXT];
};

/* ---- code_place.c ---- */

void code_note(const struct code_line *line, const char *kind);
void code_note_of(const struct code_line *line, const char *kind, struct ck_str what);
/* Of a message that stands on the line: messages down to it, -1: unknown; the id of the one above
 * it, or empty. */
int64_t code_depth(const struct code_line *line);
struct ck_str code_parent(const struct code_line *line);

/* What stands on the line, with the messages down to it. */
void code_place_set(const struct code_line *line, struct ck_str message, int64_t depth);
/* The line is no message: those below it are below the one above it. */
void code_pass(struct code_line *line);

void code_file_free(struct code_file *f);
/* How much memory it takes. */
size_t code_file_memory(const struct code_file *f);

/* ---- code_chat.c ---- */

/* The conversation of that id; a new one has nothing but its id and session. */
struct code_chat *code_chat_of(struct code_file *f, struct ck_str id, struct ck_str session);
void code_chat_free(struct code_chat *c);
/* The age of what is said of an execution then. What has been copied with another time says nothing
 * that is newer than what it is a copy of. */
int64_t code_execution_age(const struct code_chat *c, int64_t age);
/* The line is of its conversation. */
void code_chat_seen(const struct code_line *line);
/* Takes what is said of a conversation, unless it is empty. */
void code_chat_take(struct code_file *f, struct ck_str *known, struct ck_str said);
/* A title; of several the one with the greatest rank, of these the last. */
void code_chat_title(struct code_file *f, struct code_chat *c, struct ck_str title, int rank);
/* Has it given to the visitor by the next code_give_all. All text of o is in f->passing. */
void code_give(struct code_file *f, struct code_chat *c, const struct ingest_observation *o,
               const char *where);
void code_give_all(struct code_file *f, const struct ingest_visitor *visitor);
/* The detail `parent`; message and call may be empty. */
void code_parent_details(struct ck_buf *details, struct ck_str conversation, struct ck_str message,
                         struct ck_str call);

/* ---- code_content.c ---- */

/* Adds what a block says, unless it is a call or a result. */
void code_content_block(const struct code_line *line, struct code_content *to, const json_t *block);
void code_content_text(struct code_content *to, struct ck_str text);
void code_content_free(struct code_content *to);
/* Appends lists of the details. */
void code_content_details(const struct code_content *of, struct ck_buf *details);
/* Appends the detail `limit`, if there is one. */
void code_limit_details(const struct code_limit *limit, struct ck_buf *details);
/* What the user has typed if the text is how a command is written down. False: it is none. kind: of
 * the message; NULL: it is text. */
bool code_command(struct ck_str text, struct ck_buf *typed, const char **kind);

/* ---- code_message.c ---- */

/* Takes an assistant's line. */
void code_answer(const struct code_line *line);
/* Gives the answer as far as it has come, if it has grown. */
void code_answer_give(struct code_file *f, struct code_chat *c);
/* Nothing more comes to the answer. */
void code_answer_close(const struct code_line *line);
void code_answer_free(struct code_open *m);
/* The turn has ended, also if the answer does not say so. */
void code_answer_ended(const struct code_line *line);
/* One of its lines, or an answer to what it asks, has come at that time. */
void code_answer_grow(struct code_open *m, int64_t at);
/* Any other message. kind: NULL: text. */
void code_message(const struct code_line *line, const char *role, const char *kind, bool hidden,
                  const struct code_content *content);
/* Says of a message that it is hidden. An answer that is open goes on. */
void code_message_hide(const struct code_line *line, const char *role, const char *kind,
                       const struct code_content *content);

/* ---- code_tools.c ---- */

/* Adds a call to the answer that is open. */
void code_call(const struct code_line *line, const json_t *block);
/* Joins a result with its call. False: its call is not known. */
bool code_result(const struct code_line *line, const json_t *block, json_t *twin);
/* Takes what a hook says of a call for which the owner's permission is needed. */
void code_permission(const struct code_line *line, const json_t *hook);
/* The text of a result. */
struct ck_str code_result_text(struct ck_arena *arena, const json_t *block);

#endif
