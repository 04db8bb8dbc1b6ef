/* Shared by the files of this folder. */
#ifndef CK_PROTO_RENDER_INNER_H
#define CK_PROTO_RENDER_INNER_H

#include "proto/render/render.h"
#include "proto/sha256.h"

#define RENDER_RESULTS 64 /* that are remembered, to be shown only once */

struct render {
  enum render_form form;
  struct render_style style;
  struct ck_buf *out;
  /* Of what was executed since the last message that is no aside: the newest, by their hashes. */
  unsigned char results[RENDER_RESULTS][CK_SHA256_BYTES];
  size_t result_count; /* of all */
  struct ck_buf platform_text;
  struct ck_str platform; /* the text of that */
};

/* One form: what render.h's functions of the same names do. */
struct render_backend {
  void (*begin)(struct render *r, const struct render_conversation *c);
  void (*message)(struct render *r, const struct render_message *m);
  void (*branch)(struct render *r, size_t n, size_t of, struct ck_str after);
  void (*note)(struct render *r, struct ck_str text);
  void (*end)(struct render *r);
};

extern const struct render_backend render_text, render_markdown, render_html;

/* ---- values in details ---- */

struct ck_str render_member(const json_t *object, const char *name); /* empty: it is no text */
struct ck_str render_text_of(const json_t *value);
/* -1: it is no number, or a negative one */
int64_t render_number(const json_t *object, const char *name);

/* ---- words ---- */

/* "2026-01-02 10:00:05" and "2026-01-02" in the local time zone, "2026-01-02T10:00:05Z" */
void render_time(struct ck_buf *b, int64_t ms);
void render_time_iso(struct ck_buf *b, int64_t ms);
void render_day(struct ck_buf *b, int64_t ms);
/* Who speaks, for people: You, ChatGPT, Tool (python). */
void render_speaker(struct ck_buf *b, struct ck_str platform, const struct render_message *m);
/* "python", "web get": whom an execution called. */
void render_called(struct ck_buf *b, const struct render_execution *e);
const char *render_outcome_word(enum render_outcome outcome);
const char *render_kind_word(enum render_kind kind);
/* "[title](url)"; md: as render_cited() has it */
void render_citation(struct ck_buf *b, const json_t *citation, bool md);
/* Appends a fact, after " · " unless it is the first in b; nothing if it is empty. */
void render_fact(struct ck_buf *b, struct ck_str fact);
/* "2026-01-02 10:00:05 · gpt-4o · error": what a heading says besides who speaks. */
void render_facts(struct ck_buf *b, const struct render *r, const struct render_message *m);
/* "a.png (image/png, 12 bytes)" */
void render_attachment(struct ck_buf *b, const json_t *attachment);
/* Its name, else the id of its file, else words that say that it has none. */
struct ck_str render_attachment_name(const json_t *attachment);
/* Whether its file is kept, and where. False also if that is not known. */
bool render_is_kept(const struct render_style *style, const json_t *attachment,
                    struct render_attached *a);
/* Appends ", not kept here", if that is known: before the name, which may be cut. */
void render_kept_words(struct ck_buf *b, const struct render_style *style,
                       const json_t *attachment);
/* The text of an attachment, unless the message's text has it anyway. */
struct ck_str render_attached_text(const struct render_message *m, const json_t *attachment);

/* How many of these characters the longest run in the text has. */
size_t render_longest_run(struct ck_str text, char of);

/* True if the message's text is only what was executed, which comes below it anyway. */
bool render_is_executed(const struct render_message *m);
/* True if there is nothing in it that a reader could see. */
bool render_is_empty(const struct render_message *m);
/* True if a person wrote the text in Markdown, or a program did, which always does. */
bool render_is_markdown(const struct render_message *m);

/* The attribute of what may be wider than its place: a keyboard reaches it, and moves it. */
#define RENDER_MOVED " tabindex=\"0\""

/* Appends text as it was written, as a part of a page. */
void render_html_plain(struct ck_buf *b, struct ck_str text);

#endif
