/* /h: daemons, data, sources and what doctor has found. What `convkeep status` knows is asked of
 * it, because it also knows what to say while the store is away. */
#include "webd/page/health.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "proto/clock.h"
#include "proto/json.h"
#include "proto/places.h"

#define SOURCES_MOST 1000
#define SOURCES_MS 1500 /* the page says so much without them */

struct asking {
  struct webd *w;
  struct web_request *r;
  json_t *info, *sources;
  char *error;
};

static uint64_t size_of(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void answer(struct asking *a) {
  struct ck_buf b = {0};
  struct statvfs disk = {0};
  statvfs(".", &disk);
  const struct page_health h = {.request = a->r,
                                .info = a->info,
                                .error = a->error ? a->error : "",
                                .sources = a->sources,
                                .doctor = web_doctor_said(a->w->doctor),
                                .disk_free = (uint64_t)disk.f_bavail * disk.f_frsize,
                                .disk_all = (uint64_t)disk.f_blocks * disk.f_frsize,
                                .database =
                                    size_of(CK_PLACE_DATABASE) + size_of(CK_PLACE_DATABASE "-wal"),
                                .now = ck_now_ms()};
  page_health_html(&b, &h);
  web_answer(a->r, 200, WEB_HTML, &b);
  json_decref(a->info);
  json_decref(a->sources);
  free(a->error);
  free(a);
}

static void heard_sources(void *self, const struct web_said *said) {
  struct asking *a = self;
  if (said->answer && said->answer->kind == CK_MSG_ROWS)
    a->sources = ck_json_of(said->answer->as.rows.rows);
  answer(a);
}

static void heard_status(void *self, json_t *line, bool error) {
  struct asking *a = self;
  if (!error) {
    json_decref(a->info);
    a->info = json_deep_copy(line);
  } else {
    free(a->error);
    a->error = ck_strdup(page_member(line, "error"));
  }
}

static void ended(void *self, int code) {
  struct asking *a = self;
  struct ck_message m = {.kind = CK_MSG_QUERY};
  m.as.query = (struct ck_query){.table = CK_LIT("sources"), .limit = SOURCES_MOST};
  if (code != 0 || web_ask(a->w->store, &m, SOURCES_MS, heard_sources, a)) answer(a);
}

void page_health(void *self, struct web_request *r) {
  static const char *const words[] = {"status", NULL};
  struct webd *w = self;
  struct ck_err err;
  if (!web_args_known(r, "")) return;
  struct asking *a = ck_zalloc(sizeof *a);
  *a = (struct asking){.w = w, .r = r};
  const struct web_command_wish wish = {
      .words = words, .line = heard_status, .ended = ended, .self = a};
  if (web_command(w->commands, &wish, &err) == 0) return;
  web_refuse_for(r, WEB_REFUSED_BUSY, 2, "%s", err.text);
  free(a);
}

void page_examine(void *self, struct web_request *r) {
  struct webd *w = self;
  struct ck_err err;
  if (web_doctor_run(w->doctor, &err))
    web_refuse_for(r, WEB_REFUSED_BUSY, 2, "%s", err.text);
  else
    web_redirect(r, "/h#doctor");
}
