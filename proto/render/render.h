/* The one renderer of conversations: text, Markdown and HTML, made of rows and of what their
 * `details` say (docs/formats.md, docs/reading.md). Pure: it reads no file and asks nobody.
 *
 *   struct render *r = render_new(RENDER_MD, &out, &style);
 *   render_begin(r, &conversation);
 *   for each message in reading order: render_message_of(&m, …), render_message(r, &m),
 *                                      render_message_free(&m), write `out` and clear it
 *   render_end(r);
 *   render_free(&r);
 *
 * Everything is appended to `out`, so memory grows with one message only. All text is from outside,
 * and nothing in it can command a terminal or a browser: control characters are shown by their
 * codes, and docs/reading.md says what HTML keeps out. */
#ifndef CK_PROTO_RENDER_RENDER_H
#define CK_PROTO_RENDER_RENDER_H

#include <jansson.h>
#include "proto/records.h"
#include "proto/text.h"

/* ---- what is rendered ---- */

/* What came of an execution. No result yet is told apart from a failure, which always has an
 * error. */
enum render_outcome { RENDER_NO_RESULT, RENDER_FAILED, RENDER_OK };

struct render_execution {
  struct ck_str id, target, tool, params, params_kind, result, error;
  enum render_outcome outcome;
  json_t *forms; /* the result as text and as an object, if there are both: `result` is its text */
};

/* That of a row of `executions`. */
enum render_outcome render_outcome_of(const struct ck_row *execution);

enum render_kind {
  RENDER_SAID, /* text */
  RENDER_CALL,
  RENDER_RESULT,
  RENDER_THINKING,
  RENDER_CONTEXT,
  RENDER_ERROR,
  RENDER_OTHER
};

/* A message: its columns, and what its details say. Text is borrowed from the rows, or from
 * `details`. */
struct render_message {
  struct ck_str id, role, text, summary;
  int64_t at;
  bool time_known; /* somebody told the time */
  enum render_kind kind;
  struct ck_str type, model, name; /* of content, of the assistant, of the tool; empty: unknown */
  bool hidden;     /* nobody was meant to read it: instructions, set-up, empty ones of the system */
  json_t *details; /* all of it, an object; empty if there is none */
  /* Arrays, or NULL: texts; objects with name, type, size, file, text; with text, title, url. */
  const json_t *thinking, *attachments, *citations;
  struct render_execution *executions;
  size_t execution_count;
  bool placed; /* its place in the conversation is known; true unless the caller says otherwise */
};

/* The message of a row of `messages`, with the rows of its executions in the order in which they
 * were. The rows must last as long as *m. */
void render_message_of(struct render_message *m, const struct ck_row *row,
                       const struct ck_row *executions, size_t count);
void render_message_free(struct render_message *m);

/* A conversation; text as above, empty if it is unknown. */
struct render_conversation {
  struct ck_str id, remote_id, platform, title, summary, url;
  struct ck_str question; /* how the user's first message begins, if there is no title; set by the
                             caller */
  struct ck_str project, account, model; /* the project by its name, if it has one */
  int64_t created_at, newest_at;         /* 0: unknown */
  json_t *details;
  size_t messages, branches; /* 0 unless the caller says otherwise */
};

/* The conversation of a row of local_conversations; link: one of its links, or NULL. The rows must
 * last as long as *c. */
void render_conversation_of(struct render_conversation *c, const struct ck_row *row,
                            const struct ck_row *link);
void render_conversation_free(struct render_conversation *c);

/* ---- a document ---- */

enum render_form { RENDER_TEXT, RENDER_MD, RENDER_HTML };

/* Where an attachment is kept, for a page. */
struct render_attached {
  char address[128]; /* of a link, as an attribute has it */
  bool image;        /* it may be shown */
};

struct render_style {
  bool terminal; /* text, Markdown: marks that change the order of characters are shown by their
                    codes, too */
  /* Of text only: */
  bool full; /* thinking, tools and hidden messages are shown whole, not as one line */
  bool colour;
  size_t width;  /* of the lines that something is folded to, in columns */
  bool has_tree; /* a message whose place is unknown is marked */
  /* Of text and HTML: whether the file of an attachment, an element of the array, is kept; of HTML
   * also where. False: it is not, which is said. NULL: that is not known. */
  bool (*attached)(void *self, const json_t *attachment, struct render_attached *a);
  void *attached_self;
};

struct render;

struct render *render_new(enum render_form form, struct ck_buf *out,
                          const struct render_style *style);
void render_free(struct render **r);

void render_begin(struct render *r, const struct render_conversation *c);
/* The next message. Nothing is appended if it has nothing to say: a result that was shown with its
 * call, an empty one of the system. */
void render_message(struct render *r, const struct render_message *m);
/* Here begins branch n of so many, which follows the message with this id; empty: it has another
 * beginning. */
void render_branch(struct render *r, size_t n, size_t of, struct ck_str after);
/* Something about the conversation, in plain words: "3 messages before this are not here". */
void render_note(struct render *r, struct ck_str text);
void render_end(struct render *r);
/* In place of render_begin and render_end: messages become a part of a page that the caller lays
 * out. platform: the conversation's, copied. */
void render_within(struct render *r, struct ck_str platform);
/* Appends such a note: how many messages before this are not here; nothing if there are none. */
void render_say_missing(struct ck_buf *b, int64_t count);

/* ---- JSON ----
 *
 * A document is BEGIN, objects with BETWEEN in between, and END. The object of a conversation is
 * CONVERSATION, its record, its links, sessions and jobs as rows, MESSAGES, messages, each after
 * FIRST or NEXT, and LAST. `convkeep import` takes it (docs/reading.md). */

#define RENDER_JSON_BEGIN "{\"convkeep\":1,\"conversations\":[\n"
#define RENDER_JSON_BETWEEN ",\n"
#define RENDER_JSON_END "\n]}\n"
#define RENDER_JSON_OBJECT "{\"convkeep\":1"
#define RENDER_JSON_CONVERSATION RENDER_JSON_OBJECT ",\n\"conversation\":"
#define RENDER_JSON_MESSAGES ",\n\"messages\":["
#define RENDER_JSON_FIRST "\n"
#define RENDER_JSON_NEXT ",\n"
#define RENDER_JSON_LAST "]}"

/* Appends a row as an object with all its columns: what is NULL is left out, and so is what means
 * nothing in another store. */
void render_json_record(struct ck_buf *b, const struct ck_row *row);
/* Appends a message with its executions, in the given order. */
void render_json_message(struct ck_buf *b, const struct ck_row *row,
                         const struct ck_row *executions, size_t count);
/* Appends `,"name":[…]`, the rows in the order of their keys, so that the same rows are the same
 * bytes. */
void render_json_rows(struct ck_buf *b, const char *name, const struct ck_row *rows, size_t count);

/* ---- files ---- */

/* The ending of the files of a form: "txt", "md", "html". */
const char *render_ending(enum render_form form);
/* Appends what a conversation is called: its title, else the beginning of its first question
 * between quotation marks, else "(no title)". Controls stay as they are. */
void render_title(struct ck_buf *b, struct ck_str title, struct ck_str question);

/* Appends a name for the conversation's file, without an ending: day and title, or first
 * question, as every system takes it: no separators, controls, quotes or reserved names, at most
 * 120 bytes. It may be that of another conversation, too. */
void render_file_name(struct ck_buf *b, const struct render_conversation *c);

/* ---- parts, for those who lay out messages themselves ---- */

/* True for what is said to a tool and by it, and for thoughts. */
bool render_is_aside(const struct render_message *m);
/* True for a result that was shown before with what was executed: its own message says the same, or
 * nothing. Every message is to be asked about, in order. */
bool render_is_repeated(struct render *r, const struct render_message *m);

/* Appends the message as text: a line that says who and when, its text, what was thought and
 * executed. In a style that is not full, what is said to a tool and by it has no such line. */
void render_text_message(struct ck_buf *b, const struct render_message *m,
                         const struct render_style *style);
/* Appends one dim line "▸ …", cut to the width. */
void render_text_line(struct ck_buf *b, const struct render_style *style, struct ck_str text);

/* A question as a conversation is called by it: without the lines before it that stand for pictures
 * and the like, unless there is nothing else; trimmed. Borrows from text. */
struct ck_str render_question(struct ck_str text);

/* What the message says, without the lines that stand for attachments which are shown below it
 * ("[image: file-service://file-1]"). It is in b, which must be empty, or the message's own. */
struct ck_str render_shown_text(struct ck_buf *b, const struct render_message *m);

/* Appends text in which each citation's marker is replaced by what is cited. Sets used[i] for each
 * citation, an element of the array, that has a marker; NULL: nobody wants to know. md: the titles
 * and addresses are written so that Markdown takes them as they are. */
void render_cited(struct ck_buf *b, struct ck_str text, const json_t *citations, bool md,
                  bool *used);

/* Appends text as a part of a page: Markdown becomes HTML that cannot do anything. */
void render_html_markdown(struct ck_buf *b, struct ck_str text);

/* Appends text so that it is text, also within the quotes of an attribute. Control characters are
 * shown by their codes. */
void render_html_text(struct ck_buf *b, struct ck_str text);

/* True if a link may lead there: http, https or mailto, without blanks and control characters. url:
 * as a browser gets it, with all character references resolved. */
bool render_is_address(struct ck_str url);
/* Appends "<a …>" to an address that render_is_address(). title: "": none. The caller closes it. */
void render_html_anchor(struct ck_buf *b, struct ck_str url, struct ck_str title);

#endif
