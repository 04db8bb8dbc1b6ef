/* See forgotten_file.h. */
#include "cli/forgotten_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/places.h"

#define MOST_BYTES (64u << 20)

int cli_forgotten_note(struct cli *c, bool conversation, const char *id, bool back) {
  struct ck_err err = {{0}};
  struct ck_buf line = {0};
  ck_buf_printf(&line, "{\"kind\":\"%s\",\"id\":", conversation ? "conversation" : "message");
  ck_buf_json_str(&line, ck_str_of(id));
  ck_buf_printf(&line, ",\"at\":%lld,\"back\":%s}\n", (long long)ck_now_ms(),
                back ? "true" : "false");
  int fd = ck_open_file(AT_FDCWD, CK_PLACE_FORGOTTEN, O_WRONLY | O_APPEND | O_CREAT, &err);
  if (fd >= 0 && (ck_write_all(fd, ck_buf_view(&line)) || fsync(fd)))
    ck_fail_write(&err, CK_PLACE_FORGOTTEN, errno, strerror(errno));
  if (fd >= 0) close(fd);
  ck_buf_free(&line);
  return err.text[0] ? cli_fail(c, CLI_FAILED, CK_PLACE_FORGOTTEN, "%s", err.text) : CLI_GO_ON;
}

/* The last line of each counts. A line that is cut off counts as none. */
static json_t *read_file(void) {
  json_t *all = json_object();
  struct ck_buf text = {0};
  if (ck_read_file(AT_FDCWD, CK_PLACE_FORGOTTEN, O_NOFOLLOW, MOST_BYTES, &text, NULL) == 0)
    for (char *at = text.data, *end = at + text.len, *next; at < end; at = next) {
      char *stop = memchr(at, '\n', (size_t)(end - at));
      next = stop ? stop + 1 : end;
      json_t *line = json_loadb(at, (size_t)(next - at), 0, NULL);
      if (*cli_member(line, "id")) {
        struct ck_buf key = {0};
        ck_buf_printf(&key, "%s/%s", cli_member(line, "kind"), cli_member(line, "id"));
        json_object_set(all, ck_buf_cstr(&key), line);
        ck_buf_free(&key);
      }
      json_decref(line);
    }
  ck_buf_free(&text);
  return all;
}

static int is_known(struct cli *c, const json_t *line, bool *known) {
  bool conversation = strcmp(cli_member(line, "kind"), "conversation") == 0;
  struct ck_buf id = {0};
  json_t *row;
  ck_forgotten_id(&id, conversation ? CK_CONVERSATIONS : CK_MESSAGES,
                  ck_str_of(cli_member(line, "id")));
  int rc = cli_query_one(c, "forgotten", "forgotten_id", ck_buf_cstr(&id), &row);
  ck_buf_free(&id);
  *known = rc == CLI_GO_ON && row && !cli_member_int(row, "taken_back", 0);
  if (rc == CLI_GO_ON) json_decref(row);
  return rc;
}

int cli_forgotten_missing(struct cli *c, json_t **list) {
  json_t *all = read_file(), *line;
  const char *key;
  int rc = CLI_GO_ON;
  *list = json_array();
  json_object_foreach(all, key, line) {
    bool known = false;
    if (json_is_true(json_object_get(line, "back"))) continue;
    if ((rc = is_known(c, line, &known)) != CLI_GO_ON) break;
    if (!known) json_array_append(*list, line);
  }
  json_decref(all);
  if (rc != CLI_GO_ON) json_decref(*list);
  return rc;
}
