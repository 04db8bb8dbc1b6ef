/* A large value that is not built whole. Of its members that hold messages (`mapping`,
 * `chat_messages`, and `messages` after an integer `convkeep`) each child is only checked, and an
 * integer stands for it, which the outline knows; it is built when it is asked for. So the memory
 * is that of the children that are in use, and some 50 bytes for each of the others. */
#ifndef INGEST_PARSE_OUTLINE_H
#define INGEST_PARSE_OUTLINE_H

#include "proto/json_build.h"

/* An element with more bytes is read by its outline. */
#define INGEST_OUTLINE_BYTES (8u << 20)

/* Zero-initialise; ingest_json_parse fills it, ingest_outline_free frees it. */
struct ingest_outline {
  const char *bytes;   /* of the value; borrowed, and not to be changed */
  struct ck_buf spans; /* where in them each child is */
  size_t end;          /* of the value; or about where it is not valid */
  size_t since;        /* bytes built since the last breath */
};

/* As ck_json_build, the value's outline, which is filled. */
json_t *ingest_outline_build(struct ingest_outline *o, const struct ck_json_text *text);
/* The child that `value` stands for, else value itself; o may be NULL. The caller decrefs it. */
json_t *ingest_outline_child(struct ingest_outline *o, json_t *value);
void ingest_outline_free(struct ingest_outline *o);

#endif
