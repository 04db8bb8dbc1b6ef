/* Look-up by walking the map; writing with a head that is corrected at the end. */
#include "proto/map.h"

#include <string.h>

/* ---- reading ---- */

bool ck_map_find(struct ck_str map, const char *name, struct ck_reader *value) {
  struct ck_reader r = ck_reader_of(map);
  struct ck_str key, raw;
  uint32_t pairs;
  if (ck_read_map(&r, &pairs)) return false;
  while (pairs-- && ck_read_str(&r, &key) == 0 && ck_read_raw(&r, &raw) == 0) {
    if (!ck_str_is(key, name)) continue;
    *value = ck_reader_of(raw);
    return true;
  }
  return false;
}

struct ck_str ck_map_str(struct ck_str map, const char *name) {
  struct ck_reader r;
  struct ck_str s;
  return ck_map_find(map, name, &r) && ck_read_str(&r, &s) == 0 ? s : (struct ck_str){0};
}

bool ck_map_bool(struct ck_str map, const char *name) {
  struct ck_reader r;
  struct ck_item item;
  return ck_map_find(map, name, &r) && ck_read(&r, &item) == 0 && item.type == CK_T_BOOL &&
         item.as.b;
}

int64_t ck_map_int(struct ck_str map, const char *name, int64_t otherwise) {
  struct ck_reader r;
  int64_t i;
  return ck_map_find(map, name, &r) && ck_read_int(&r, &i) == 0 ? i : otherwise;
}

uint64_t ck_map_uint(struct ck_str map, const char *name, uint64_t otherwise) {
  struct ck_reader r;
  uint64_t u;
  return ck_map_find(map, name, &r) && ck_read_uint(&r, &u) == 0 ? u : otherwise;
}

/* ---- writing ---- */

struct ck_map ck_map_open(struct ck_buf *b) {
  struct ck_map m = {b, b->len, 0};
  ck_put_map(b, 0);
  return m;
}

/* For up to 15 pairs the head is one byte, which ck_map_open has reserved; for more, the pairs are
 * moved to make room for it. */
void ck_map_close(struct ck_map *m) {
  struct ck_buf head = {0};
  ck_put_map(&head, m->pairs);
  size_t more = head.len - 1, after = m->at + 1;
  ck_buf_room(m->b, more);
  memmove(m->b->data + after + more, m->b->data + after, m->b->len - after);
  memcpy(m->b->data + m->at, head.data, head.len);
  m->b->len += more;
  ck_buf_free(&head);
}

void ck_pair_name(struct ck_map *m, const char *name) {
  ck_put_text(m->b, name);
  m->pairs++;
}

void ck_pair_nil(struct ck_map *m, const char *name) {
  ck_pair_name(m, name);
  ck_put_nil(m->b);
}

void ck_pair_bool(struct ck_map *m, const char *name, bool v) {
  ck_pair_name(m, name);
  ck_put_bool(m->b, v);
}

void ck_pair_int(struct ck_map *m, const char *name, int64_t v) {
  ck_pair_name(m, name);
  ck_put_int(m->b, v);
}

void ck_pair_uint(struct ck_map *m, const char *name, uint64_t v) {
  ck_pair_name(m, name);
  ck_put_uint(m->b, v);
}

void ck_pair_str(struct ck_map *m, const char *name, struct ck_str v) {
  ck_pair_name(m, name);
  ck_put_str(m->b, v);
}

void ck_pair_text(struct ck_map *m, const char *name, const char *terminated) {
  ck_pair_str(m, name, ck_str_of(terminated));
}

void ck_pair_text_or_nil(struct ck_map *m, const char *name, const char *terminated) {
  if (terminated && *terminated)
    ck_pair_text(m, name, terminated);
  else
    ck_pair_nil(m, name);
}

struct ck_map ck_pair_map(struct ck_map *m, const char *name) {
  ck_pair_name(m, name);
  return ck_map_open(m->b);
}
