/* The file formats ingest knows. A source is one format: it recognises its elements, and turns each
 * into observations, or into rows that are adopted. sniff.c picks the source of a file, and has the
 * formats that are recognised only to be refused with a reason. */
#ifndef INGEST_SOURCES_SOURCE_H
#define INGEST_SOURCES_SOURCE_H

#include "ingest/observation.h"
#include "ingest/parse/outline.h"
#include "ingest/place.h"

/* An element of a file, as a source reads it. */
struct ingest_element {
  json_t *json;                   /* an object */
  struct ingest_outline *outline; /* a large element: what children of json stand for; NULL: json is
                                     the whole */
  struct ck_str raw;              /* its bytes if the file is JSON lines, else empty */
  const struct ingest_place *place;
  void *state; /* what `open` has given for the file */
};

struct ingest_source {
  const char *name; /* as IMPORTED says it */
  /* What an element is called in places; NULL: "line" or "element". */
  const char *element;
  /* Does this element look like this format? It may be an outline. */
  bool (*knows)(const json_t *element);
  /* Hands the element's observations and failures to the visitor. NULL: the format is refused. */
  void (*read)(const struct ingest_visitor *visitor, const struct ingest_element *element);
  const char *refusal; /* why, if it is */
  /* Refused because it is a file of an export that never holds messages: nothing is missing. */
  bool without_messages;
  /* Of the reader: a higher one has originals read again that a lower one has read. */
  unsigned version;
  /* A log: its elements are small and go to one original together, cut by their place in the file.
   */
  bool log;
  /* It reads large elements by their outline. */
  bool outlines;
  /* What is known of a file while it is read, from its first element on. name: the file's. NULL:
   * each element stands alone, and its file's name says nothing. Of a log: its lines depend on
   * those before them. */
  void *(*open)(const char *name);
  /* Of such a log: hands what has come so far to the visitor, which gets nothing from `read` but
   * failures and notes. */
  void (*flush)(const struct ingest_visitor *visitor, void *state);
  size_t (*memory)(const void *state); /* how much of it `state` takes */
  void (*close)(void *state);
  /* Of a log: an element that begins so has nothing to read, however large it is. NULL: none. */
  bool (*skips)(struct ck_str begin);
};

extern const struct ingest_source ingest_source_chatgpt, ingest_source_claude,
    ingest_source_claude_project, ingest_source_claude_memories, ingest_source_claude_design,
    ingest_source_claude_code, ingest_source_claude_code_agent, ingest_source_codex,
    ingest_source_codex_names, ingest_source_jsonl, ingest_source_convkeep;

/* All that are read, NULL at the end. */
extern const struct ingest_source *const ingest_sources[];

/* The format whose element this is, or NULL. */
const struct ingest_source *ingest_sniff(const json_t *element);

/* The file that is recognised by its name, where no element tells its format; or NULL. */
const struct ingest_source *ingest_sniff_name(const char *name);

/* Looks at the first bytes of a file, at least 4 or all of them, before anything is parsed. Returns
 * why the file cannot be read, or NULL if it may be JSON. */
const char *ingest_sniff_bytes(struct ck_str head);

#endif
