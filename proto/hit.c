/* See hit.h. */
#include "proto/hit.h"

#include "proto/map.h"

static void pair(struct ck_map *m, const char *name, struct ck_str text) {
  if (text.n)
    ck_pair_str(m, name, text);
  else
    ck_pair_nil(m, name);
}

static void put_ranges(struct ck_buf *b, const struct ck_hit *hit) {
  ck_put_array(b, (uint32_t)hit->range_count);
  for (size_t i = 0; i < hit->range_count; ++i) {
    ck_put_array(b, 2);
    ck_put_uint(b, hit->ranges[i].from);
    ck_put_uint(b, hit->ranges[i].to);
  }
}

void ck_hit_encode(struct ck_buf *b, const struct ck_hit *hit) {
  struct ck_map m = ck_map_open(b);
  pair(&m, "message_id", hit->message_id);
  pair(&m, "local_conversation_id", hit->local_conversation_id);
  pair(&m, "platform", hit->platform);
  pair(&m, "title", hit->title);
  pair(&m, "role", hit->role);
  if (hit->is_dated)
    ck_pair_int(&m, "observed_at", hit->observed_at);
  else
    ck_pair_nil(&m, "observed_at");
  ck_pair_str(&m, "snippet", hit->snippet);
  ck_pair_name(&m, "ranges");
  put_ranges(b, hit);
  ck_map_close(&m);
}
