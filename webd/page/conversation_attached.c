/* Which attachments of a batch of messages are kept, and where; see conversation.h. */
#include "webd/page/conversation.h"

#include <stdio.h>

#include "proto/map.h"

#define IDS_MOST 1000 /* of a batch; more have no link */

static uint32_t add_ids(const json_t *details, struct ck_buf *ids, uint32_t n) {
  const json_t *file;
  size_t i;
  json_array_foreach(json_object_get(details, "attachments"), i, file) {
    const json_t *id = json_object_get(file, "file");
    if (json_string_length(id) == 0 || n == IDS_MOST) continue;
    ck_put_str(ids, (struct ck_str){json_string_value(id), json_string_length(id)});
    ++n;
  }
  return n;
}

uint32_t page_attached_ids(const struct page_reading *p, struct ck_buf *ids) {
  uint32_t n = 0;
  for (size_t i = 0; i < p->batch_count; ++i) {
    struct ck_str text = ck_map_str(p->bodies[i], "details");
    if (!text.n || !memmem(text.s, text.n, "\"attachments\"", 13)) continue;
    json_t *details = json_loadb(text.s, text.n, JSON_ALLOW_NUL, NULL);
    n = add_ids(details, ids, n);
    json_decref(details);
  }
  return n;
}

void page_attached_take(struct page_reading *p, struct page_rows *rows) {
  struct ck_str map;
  p->kept = ck_arena_get(&p->batch, (rows->left + 1) * sizeof *p->kept);
  while (page_next_row(rows, &map)) {
    if (ck_map_int(map, "there", 0) == 0) continue;
    p->kept[p->kept_count++] =
        (struct page_kept){ck_arena_copy(&p->batch, ck_map_str(map, "file")),
                           ck_arena_copy(&p->batch, ck_map_str(map, "hash")),
                           ck_arena_copy(&p->batch, ck_map_str(map, "type"))};
  }
}

bool page_attached(void *self, const json_t *attachment, struct render_attached *a) {
  const struct page_reading *p = self;
  const char *id = json_string_value(json_object_get(attachment, "file"));
  for (size_t i = 0; id && i < p->kept_count; ++i) {
    const struct page_kept *kept = &p->kept[i];
    if (!ck_str_is(kept->file, id)) continue;
    snprintf(a->address, sizeof a->address, "/a/%.*s", (int)kept->hash.n, kept->hash.s);
    a->image = page_is_picture(kept->type);
    return true;
  }
  return false;
}
