/* See forgotten_file.h. */
#include "cli/forgotten_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/out.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/places.h"
#include "proto/sealed_line.h"

#define MOST_BYTES (64u << 20)

/* A line that a power cut has left without its end would swallow the next one. */
static bool ends_a_line(int fd) {
  struct stat st;
  char last = '\n';
  return fstat(fd, &st) == 0 && (st.st_size == 0 || pread(fd, &last, 1, st.st_size - 1) == 1) &&
         last == '\n';
}

/* Durable, also as a name. */
static int append(struct ck_str line, struct ck_err *err) {
  int fd = ck_open_file(AT_FDCWD, CK_PLACE_FORGOTTEN, O_RDWR | O_APPEND | O_CREAT, err);
  if (fd < 0) return -1;
  int rc =
      (!ends_a_line(fd) && ck_write_all(fd, CK_LIT("\n"))) || ck_write_all(fd, line) || fsync(fd)
          ? -1
          : 0;
  int folder = rc ? -1 : open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (rc == 0 && (folder < 0 || fsync(folder))) rc = -1;
  if (rc) ck_fail_write(err, CK_PLACE_FORGOTTEN, errno, strerror(errno));
  if (folder >= 0) close(folder);
  close(fd);
  return rc;
}

int cli_forgotten_note(struct cli *c, bool conversation, const char *id, bool back) {
  struct ck_err err = {{0}};
  struct ck_buf line = {0};
  char seal[CK_LINE_SEAL];
  ck_buf_printf(&line, "{\"kind\":\"%s\",\"id\":", conversation ? "conversation" : "message");
  ck_buf_json_str(&line, ck_str_of(id));
  ck_buf_printf(&line, ",\"at\":%lld,\"back\":%s}", (long long)ck_now_ms(),
                back ? "true" : "false");
  ck_line_seal(seal, ck_buf_view(&line));
  --line.len;
  ck_buf_printf(&line, "%s\n", seal);
  int rc = append(ck_buf_view(&line), &err);
  ck_buf_free(&line);
  return rc ? cli_fail(c, CLI_FAILED, CK_PLACE_FORGOTTEN, "%s", err.text) : CLI_GO_ON;
}

/* The last line of each counts. One that is not as it was written counts as none: the id in it may
 * be another's. */
static void add_line(json_t *all, struct ck_str text) {
  json_t *line = ck_line_sound(text) ? json_loadb(text.s, text.n, 0, NULL) : NULL;
  if (*cli_member(line, "id")) {
    struct ck_buf key = {0};
    ck_buf_printf(&key, "%s/%s", cli_member(line, "kind"), cli_member(line, "id"));
    json_object_set(all, ck_buf_cstr(&key), line);
    ck_buf_free(&key);
  }
  json_decref(line);
}

static json_t *read_file(void) {
  json_t *all = json_object();
  struct ck_buf text = {0};
  if (ck_read_file(AT_FDCWD, CK_PLACE_FORGOTTEN, O_NOFOLLOW, MOST_BYTES, &text, NULL) == 0)
    for (char *at = text.data, *end = at + text.len, *next; at < end; at = next) {
      char *stop = memchr(at, '\n', (size_t)(end - at));
      next = stop ? stop + 1 : end;
      add_line(all, (struct ck_str){at, (size_t)((stop ? stop : end) - at)});
    }
  ck_buf_free(&text);
  return all;
}

int cli_forgotten_unnoted(struct cli *c, json_t **list) {
  json_t *rows, *row, *all = read_file();
  size_t i;
  int rc = cli_query_all(c, "forgotten", &(struct cli_filter){"named", NULL, 1}, 1, &rows);
  *list = rc == CLI_GO_ON ? json_array() : NULL;
  json_array_foreach(rc == CLI_GO_ON ? rows : NULL, i, row) {
    bool message = strcmp(cli_member(row, "table_name"), ck_tables[CK_MESSAGES].name) == 0;
    const char *kind = message ? "message" : "conversation", *id = cli_member(row, "record_key");
    char *key = ck_sprintf("%s/%s", kind, id);
    if (!cli_member_int(row, "taken_back", 0) && !json_object_get(all, key))
      json_array_append_new(*list, json_pack("{s:s, s:s}", "kind", kind, "id", id));
    free(key);
  }
  if (rc == CLI_GO_ON) json_decref(rows);
  json_decref(all);
  return rc;
}

int cli_forgotten_note_again(struct cli *c) {
  json_t *list, *what;
  size_t i;
  int rc = cli_forgotten_unnoted(c, &list);
  if (rc != CLI_GO_ON) return rc;
  json_array_foreach(list, i, what) {
    bool conversation = strcmp(cli_member(what, "kind"), "conversation") == 0;
    if (rc == CLI_GO_ON) rc = cli_forgotten_note(c, conversation, cli_member(what, "id"), false);
  }
  json_decref(list);
  return rc;
}

bool cli_forgotten_damaged(struct ck_buf *text) {
  struct ck_err err;
  uint64_t bad, first;
  if (ck_lines_check(CK_PLACE_FORGOTTEN, &bad, &first, &err))
    ck_buf_text(text, err.text);
  else if (bad)
    ck_buf_printf(text, CK_PLACE_FORGOTTEN ": line %llu is not as written (%llu of its lines)",
                  (unsigned long long)first, (unsigned long long)bad);
  return text->len > 0;
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
