/* A hit of a search: the entries of `hits` in FOUND (proto/wire.h). */
#ifndef CK_PROTO_HIT_H
#define CK_PROTO_HIT_H

#include "proto/pack.h"

/* The characters (code points) of a text from `from` on, without the one at `to`. */
struct ck_span {
  uint32_t from, to;
};

/* A message, or the title of a conversation; then message_id and role are empty. Texts that are
 * empty are nil in the map. */
struct ck_hit {
  struct ck_str message_id, local_conversation_id, platform, title, role;
  bool is_dated;       /* false: observed_at is nil */
  int64_t observed_at; /* of the message, ms; of a title, the conversation's last_message_at */
  struct ck_str snippet;
  const struct ck_span *ranges; /* the found words in the snippet, ascending, apart */
  size_t range_count;
};

/* Appends the hit as a map: message_id, local_conversation_id, platform, title, role, observed_at,
 * snippet, ranges [[from, to]…]. */
void ck_hit_encode(struct ck_buf *b, const struct ck_hit *hit);

#endif
