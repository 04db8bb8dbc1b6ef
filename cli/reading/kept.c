/* See kept.h. */
#include "cli/reading/kept.h"

#include "cli/client.h"
#include "cli/out.h"
#include "proto/map.h"

#define ASK_MOST 500 /* ids in one query */

static int ask(struct cli *c, const json_t *ids, json_t *kept) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  json_t *rows, *row;
  const json_t *id;
  size_t i;
  ck_pair_name(&m, "file");
  ck_put_array(&filters, (uint32_t)json_array_size(ids));
  json_array_foreach(ids, i, id)
      ck_put_str(&filters, (struct ck_str){json_string_value(id), json_string_length(id)});
  ck_map_close(&m);
  int rc = cli_query_packed_all(c, "attachments", ck_buf_view(&filters), &rows);
  ck_buf_free(&filters);
  if (rc != CLI_GO_ON) return rc;
  json_array_foreach(rows, i, row) {
    if (cli_member_int(row, "there", 0))
      json_object_set_new(kept, cli_member(row, "file"), json_true());
  }
  json_decref(rows);
  return rc;
}

int cli_kept_of(struct cli *c, const json_t *attachments, json_t **kept) {
  json_t *ids = json_array(), *found = json_object();
  const json_t *one;
  size_t i, n = json_array_size(attachments);
  int rc = CLI_GO_ON;
  json_array_foreach(attachments, i, one) {
    json_t *id = json_object_get(one, "file");
    if (json_string_length(id)) json_array_append(ids, id);
    size_t wanted = json_array_size(ids);
    if (rc != CLI_GO_ON || !wanted || (wanted < ASK_MOST && i + 1 < n)) continue;
    rc = ask(c, ids, found);
    json_array_clear(ids);
  }
  json_decref(ids);
  if (rc != CLI_GO_ON) json_decref(found);
  *kept = rc == CLI_GO_ON ? found : NULL;
  return rc;
}

bool cli_is_kept(void *self, const json_t *attachment, struct render_attached *a) {
  const json_t *kept = *(json_t *const *)self;
  const char *id = json_string_value(json_object_get(attachment, "file"));
  (void)a;
  return id && json_object_get(kept, id);
}
