/* See forget_after.h. */
#include "cli/forget_after.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/task.h"
#include "proto/clock.h"
#include "proto/places.h"
#include "proto/quarantine.h"
#include "proto/spool_files.h"

#define PATIENCE_MS 30000
#define LOOK_US 50000
#define NOTICED_MS 500 /* from when on it is shown how far the store is */

/* ---- the store's records ---- */

const json_t *cli_forgetting_of(const json_t *info, bool conversation, const char *id) {
  const json_t *one;
  size_t i;
  json_array_foreach(json_object_get(info, "forgetting"), i, one) {
    bool same = strcmp(cli_member(one, "kind"), "conversation") == 0;
    if (same == conversation && strcmp(cli_member(one, "id"), id) == 0) return one;
  }
  return NULL;
}

int cli_forget_await_records(struct cli *c, bool conversation, const char *id, bool *left) {
  int64_t begun = ck_boot_ms(), moved = begun, records = -1;
  int rc;
  for (*left = true; *left; usleep(LOOK_US)) {
    json_t *info;
    rc = cli_status_of(c, &info);
    if (rc != CLI_GO_ON) break;
    const json_t *one = cli_forgetting_of(info, conversation, id);
    int64_t now = ck_boot_ms(), gone = cli_member_int(one, "records", 0);
    *left = one != NULL;
    if (gone != records) moved = now;
    records = gone;
    if (one && now - begun >= NOTICED_MS) cli_progress("deleting, records", (uint64_t)gone, 0);
    json_decref(info);
    if (now - moved >= PATIENCE_MS) break;
    if (*left && c->client->ring) cli_ring_step(c->client->ring);
  }
  cli_progress_clear();
  return rc;
}

void cli_forgetting_line(struct cli_table *t, const json_t *info) {
  const json_t *list = json_object_get(info, "forgetting"), *one;
  struct ck_buf text = {0};
  int64_t records = 0, messages = 0;
  size_t i;
  if (json_array_size(list) == 0) return;
  json_array_foreach(list, i, one) {
    records += cli_member_int(one, "records", 0);
    messages += cli_member_int(one, "messages", 0);
  }
  ck_buf_printf(&text, "%zu under way, %lld %s gone", json_array_size(list), (long long)records,
                ck_noun((uint64_t)records, "record", "records"));
  if (messages)
    ck_buf_printf(&text, ", of %lld messages and what is with them", (long long)messages);
  cli_line(t, "forgetting", CLI_YELLOW, &text);
  ck_buf_free(&text);
}

/* ---- who follows the store ---- */

static bool is_behind(const json_t *info, const char *what, int64_t version) {
  return cli_member_int(json_object_get(info, what), "cursor", 0) < version;
}

/* Any of them; but one in null keeps nothing. */
static bool mirror_is_behind(const json_t *info, int64_t version) {
  json_t *all = json_object_get(info, "sync"), *one;
  const char *sink;
  json_object_foreach(all, sink, one) {
    if (strcmp(sink, "null") != 0 && is_behind(all, sink, version)) return true;
  }
  return false;
}

/* Mirrors that sync.sinks does not name any more and that do not know of it: nobody tells them. One
 * in mirror.db is gone with its file. */
static json_t *unused_behind(const struct cli *c, const json_t *info, int64_t version) {
  json_t *names = json_array();
  const json_t *one;
  size_t i;
  json_array_foreach(json_object_get(info, "sync_unused"), i, one) {
    const char *name = cli_member(one, "mirror");
    bool file = strcmp(name, "sqlite") == 0;
    if (strcmp(name, "null") == 0 || cli_member_int(one, "cursor", 0) >= version) continue;
    if (file && access(ck_set_text(c->settings, CK_SET_SYNC_SQLITE_FILE), F_OK) != 0) continue;
    json_array_append_new(names, json_string(name));
  }
  return names;
}

/* The spool's files: ingest deletes one when all that is in it is in the store, and nothing comes.
 */
static json_t *segments(void) {
  json_t *names = json_array();
  glob_t found = {0};
  if (glob(CK_PLACE_SPOOL "/*.seg", 0, NULL, &found) == 0)
    for (size_t i = 0; i < found.gl_pathc; ++i) {
      struct stat st;
      if (lstat(found.gl_pathv[i], &st) == 0 && st.st_size > CK_SPOOL_SEGMENT_HEAD)
        json_array_append_new(names, json_string(found.gl_pathv[i]));
    }
  globfree(&found);
  return names;
}

static bool any_there(const json_t *names) {
  size_t i;
  const json_t *name;
  json_array_foreach(names, i, name) {
    if (access(json_string_value(name), F_OK) == 0) return true;
  }
  return false;
}

/* What has not done it yet: a word for each. */
static json_t *still_to_do(const json_t *info, int64_t version, const json_t *spooled) {
  json_t *left = json_array();
  if (any_there(spooled)) json_array_append_new(left, json_string("spool"));
  if (json_is_true(json_object_get(json_object_get(info, "wal"), "forgetting")))
    json_array_append_new(left, json_string("wal"));
  if (is_behind(info, "artifacts", version)) json_array_append_new(left, json_string("artifacts"));
  if (is_behind(info, "search", version)) json_array_append_new(left, json_string("search"));
  if (mirror_is_behind(info, version)) json_array_append_new(left, json_string("mirror"));
  return left;
}

int cli_forget_await(struct cli *c, bool records_left, json_t **left, json_t **unused) {
  int64_t until = ck_boot_ms() + PATIENCE_MS, version = -1;
  json_t *spooled = segments();
  int rc = CLI_GO_ON;
  for (*left = NULL, *unused = NULL;;) {
    json_t *info;
    rc = cli_status_of(c, &info);
    if (rc != CLI_GO_ON) break;
    if (version < 0) version = cli_member_int(info, "version", 0);
    json_decref(*left);
    json_decref(*unused);
    *left = still_to_do(info, version, spooled);
    if (records_left) json_array_append_new(*left, json_string("records"));
    *unused = unused_behind(c, info, version);
    json_decref(info);
    if (json_array_size(*left) == 0 || ck_boot_ms() >= until) break;
    if (c->client->ring) cli_ring_step(c->client->ring);
    usleep(LOOK_US);
  }
  json_decref(spooled);
  if (rc == CLI_GO_ON && json_array_size(*unused))
    json_array_append_new(*left, json_string("unused_mirror"));
  if (rc == CLI_GO_ON) return rc;
  json_decref(*left);
  json_decref(*unused);
  return rc;
}

json_t *cli_forget_kept(void) {
  static const char *const patterns[] = {
      "artifact.db.before-*", "artifact.db.saved-*", "artifact.db.restore",
      "mirror.db.before-*",   "artifacts.before-*",  "logs/rejected.jsonl*",
      "spool/damaged/*",      CK_PLACE_REFUSED "*",  CK_PLACE_UNKNOWN "*",
  };
  json_t *files = json_array();
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; ++i) {
    glob_t found = {0};
    if (glob(patterns[i], 0, NULL, &found) == 0)
      for (size_t k = 0; k < found.gl_pathc; ++k) {
        struct stat st;
        if (lstat(found.gl_pathv[k], &st) == 0 && st.st_size > 0)
          json_array_append_new(files, json_string(found.gl_pathv[k]));
      }
    globfree(&found);
  }
  return files;
}

static void say_unused(const struct cli *c, const json_t *unused) {
  struct ck_buf name = {0};
  size_t i;
  const json_t *one;
  json_array_foreach(unused, i, one) {
    ck_buf_clear(&name);
    cli_safe_text(&name, ck_str_of(json_string_value(one)), false);
    cli_warn(c, NULL,
             "the mirror %s may still have it: sync.sinks does not name it, so nothing is deleted"
             " there; name it again until it is up to date, or delete it yourself",
             ck_buf_cstr(&name));
  }
  ck_buf_free(&name);
}

void cli_forget_say_left(const struct cli *c, const json_t *left, const json_t *unused) {
  static const char *const words[][2] = {
      {"records",
       "the store still has some of it, and cannot delete that: convkeep status says why;"
       " it goes on as soon as it can"},
      {"spool", "the spool may still have it, until all that came with it is in the store and"
                " nothing comes for two seconds"},
      {"wal", "the database's WAL still has it, because somebody reads it, and is emptied when that"
              " ends; or the file of an attachment could not be deleted, as the store's log says"},
      {"artifacts", "the readable files still have it; the store rewrites them"},
      {"search", "the index of the search is being made again; what was forgotten is no hit"},
      {"mirror", "a mirror still has it; it is deleted there once syncd gets through: convkeep"
                 " sync status"}};
  size_t i;
  const json_t *one;
  json_array_foreach(left, i, one) for (size_t k = 0; k < sizeof words / sizeof *words; ++k) {
    if (strcmp(json_string_value(one), words[k][0]) == 0) cli_warn(c, NULL, "%s", words[k][1]);
  }
  say_unused(c, unused);
}

void cli_forget_say_kept(const json_t *files) {
  struct ck_buf text = {0};
  size_t i;
  const json_t *one;
  json_array_foreach(files, i, one) {
    ck_buf_text(&text, i ? ", " : "these files may still have it; look at them, or delete them: ");
    cli_safe_text(&text, ck_str_of(json_string_value(one)), false);
  }
  if (text.len) printf("%s\n", ck_buf_cstr(&text));
  puts("backups, exports and the place that it came from still have it");
  ck_buf_free(&text);
}
