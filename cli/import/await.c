/* See await.h. */
#include "cli/import/await.h"

#include <poll.h>
#include <string.h>
#include "cli/import/send.h"
#include "cli/out.h"
#include "cli/task.h"
#include "proto/clock.h"

#define LOOK_MS 20
#define PACKING_MS 5000 /* without any progress */
#define FILES_MS 5000   /* the same, and the store says why */

/* Packing only saves room: it is not waited for if it does not get on. */
static bool packs(const json_t *info, int64_t *waiting, int64_t *moved_at) {
  int64_t now = ck_boot_ms(),
          left = cli_member_int(json_object_get(info, "originals"), "waiting", 0);
  if (left != *waiting) *moved_at = now;
  *waiting = left;
  return left > 0 && now - *moved_at < PACKING_MS;
}

static const char *store_trouble(const json_t *info) {
  const json_t *one;
  size_t i;
  json_array_foreach(json_object_get(info, "daemons"), i, one) {
    if (strcmp(cli_member(one, "name"), "store") == 0)
      return cli_member(json_object_get(one, "info"), "last_error");
  }
  return "";
}

struct files {
  int64_t cursor, moved_at;
  bool given_up;
};

/* All of them are made, or none for a while and the store is in trouble, which is said: what was
 * sent is stored all the same. */
static bool files_end(struct cli *c, const json_t *info, struct files *f) {
  int64_t now = ck_boot_ms(), version = cli_member_int(info, "version", 0),
          cursor = cli_member_int(json_object_get(info, "artifacts"), "cursor", 0);
  const char *trouble = store_trouble(info);
  if (cursor != f->cursor) f->moved_at = now;
  f->cursor = cursor;
  if (cursor >= version || f->given_up) return true;
  cli_progress("readable files", (uint64_t)cursor, (uint64_t)version);
  if (!*trouble || now - f->moved_at < FILES_MS) return false;
  struct ck_buf text = {0};
  f->given_up = true;
  cli_progress_clear();
  cli_safe_text(&text, ck_str_of(trouble), false);
  cli_warn(c, NULL,
           "the readable files are not complete; the store goes on with them when that is"
           " over: %s",
           ck_buf_cstr(&text));
  ck_buf_free(&text);
  return true;
}

int cli_await_files(struct cli *c) {
  int64_t waiting = -1, moved_at = 0;
  struct files files = {.cursor = -1};
  while (c->client->ring && !cli_interrupted()) {
    json_t *info;
    int rc = cli_status_of(c, &info);
    if (rc != CLI_GO_ON) return rc;
    bool made = files_end(c, info, &files), packing = packs(info, &waiting, &moved_at);
    json_decref(info);
    if (made && !packing) break;
    if (made) cli_progress("packing originals", 0, 0);
    cli_ring_step(c->client->ring);
    poll(NULL, 0, LOOK_MS);
  }
  cli_progress_clear();
  return CLI_DONE;
}
