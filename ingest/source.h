/* The formats that ingest knows: one file each, one table of operations. A source turns one element
 * of a file into observations. */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include "ingest/observation.h"
#include "ingest/split.h"

struct ingest_source {
  const char *name; /* as IMPORTED says it */
  /* What an element is called when its place is told; NULL: line or element. */
  const char *element;
  /* Does this element look like one of the format's? */
  bool (*knows)(const json_t *element);
  /* NULL where refusal says why this format is not taken. */
  void (*take)(const struct ingest_visitor *visitor, const json_t *element, struct ck_str raw,
               const struct ingest_place *place);
  const char *refusal;
};

extern const struct ingest_source ingest_source_chatgpt, ingest_source_claude, ingest_source_jsonl;

/* The format whose element this is, or NULL. */
const struct ingest_source *ingest_sniff(const json_t *element);

/* What the first bytes say before anything is parsed: NULL, or why nothing in this file can be
 * read. At least 4 bytes, or the whole file. */
const char *ingest_sniff_bytes(struct ck_str head);

/* "conversation 3 (id abc)", "line 12", "element 4". id may be empty. */
#define INGEST_PLACE_TEXT 320
void ingest_place_text(char out[INGEST_PLACE_TEXT], const struct ingest_place *place,
                       const char *element, struct ck_str id);

#endif
