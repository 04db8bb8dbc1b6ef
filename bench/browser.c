/* The page in Chromium, beside a million messages and 100,000 follow-ups: how soon a person sees
 * it. browser.cjs drives it, with puppeteer-core from tests/web/browser. Environment: BENCH_VIEWS,
 * the messages: 1000000; NODE_PATH. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/http.h"
#include "bench/large.h"

#define CHROMIUM "/usr/bin/chromium"
#define LOADS 11

static const struct view {
  const char *name, *path;
  double answered, paint, screen, whole; /* bounds of the medians in ms; 0: none */
} views[] = {{"conversations", "/", 0, 100, 0, 0},
             {"a conversation of 2,000 messages", "/c/chat%3Along", 0, 0, 100, 400},
             {"follow-ups", "/j", 50, 0, 0, 0},
             {"waiting follow-ups", "/j?status=waiting", 0, 0, 0, 0},
             {"a search", "/s?q=step", 0, 0, 0, 0}};
#define VIEWS (sizeof views / sizeof *views)

/* ---- asking ---- */

static char *value_of(const char *line) {
  const char *at = strchr(line, ' ') + 1;
  return ck_str_dup((struct ck_str){at, strcspn(at, "\r\n")});
}

/* What Chromium has said; the caller decrefs. */
static json_t *look(void) {
  char *script = bench_program("../../bench/browser.cjs"), *token = bench_http_token("admin"),
       *who = bench_http_session(), *cookie = value_of(who), *bearer = value_of(token),
       *server = ck_sprintf("http://127.0.0.1:%d", bench_http_port()), loads[16];
  snprintf(loads, sizeof loads, "%d", LOADS);
  const char *argv[6 + VIEWS + 1] = {"node", script, server, cookie, strchr(bearer, ' ') + 1,
                                     loads};
  for (size_t i = 0; i < VIEWS; ++i) argv[6 + i] = views[i].path;
  bench_run("figures.json", argv);
  json_t *said = json_load_file("figures.json", 0, NULL);
  if (!said) bench_fail("browser.cjs said nothing");
  free(server), free(bearer), free(cookie), free(who), free(token), free(script);
  return said;
}

/* ---- the report ---- */

/* The median of a member of all loads. */
static double median(const json_t *loads, const char *name) {
  struct bench_series ms = {0};
  size_t i;
  const json_t *one;
  json_array_foreach(loads, i, one) bench_add(&ms, json_number_value(json_object_get(one, name)));
  double half = bench_share(&ms, 0.5);
  bench_free(&ms);
  return half;
}

static void put(const struct view *view, const char *what, const json_t *said, const char *name,
                double bound) {
  double ours = median(json_object_get(said, "ours"), name),
         again = median(json_object_get(said, "again"), name),
         files = median(json_object_get(said, "files"), name);
  char *about = ck_sprintf("%s in Chromium, %s", view->path, what);
  printf(" %s%s%s | %s | %s |", bench_number(ours, 0), bound > 0 ? "; " : "",
         bound > 0 ? bench_verdict(about, ours, false, bound, " ms") : "", bench_number(again, 0),
         bench_number(files, 0));
  free(about);
}

static void put_live(const json_t *said) {
  struct bench_series ms = {0};
  size_t i;
  const json_t *one;
  json_array_foreach(json_object_get(said, "live"), i, one) bench_add(&ms, json_number_value(one));
  double most = bench_share(&ms, 1);
  printf("\nA change of a follow-up, from when it is asked for until /j shows it, ms: %s; %s.\n",
         bench_cell(&ms, 0),
         bench_verdict("/j in Chromium, a change until it is shown, at most", most, false, 1000,
                       " ms"));
  bench_free(&ms);
}

static void report(size_t messages, const json_t *said) {
  printf("## The page in Chromium\n\n"
         "%s, headless, beside %s messages and %s follow-ups. Each view is loaded %d times with "
         "nothing cached; again with the style and the script cached, as for somebody who comes "
         "again; and from memory, the same bytes, with nothing cached, from a server that has them "
         "there. By turns, each after an empty page, whose first paint takes %s ms. Medians in ms "
         "from the beginning of the navigation: until the last byte of the HTML has come; until "
         "something is painted; until the largest text of the first screen is; until all is laid "
         "out.\n\n"
         "| view | path | KiB | answered | again | memory | first paint | again | memory "
         "| first screen | again | memory | whole | again | memory |\n"
         "|:--|:--|--:|:--|--:|--:|:--|--:|--:|:--|--:|--:|:--|--:|--:|\n",
         json_string_value(json_object_get(said, "browser")), bench_number((double)messages, 0),
         bench_number(BENCH_LARGE_JOBS, 0), LOADS,
         bench_number(median(json_object_get(said, "empty"), "paint"), 0));
  for (size_t i = 0; i < VIEWS; ++i) {
    const struct view *view = &views[i];
    const json_t *one = json_array_get(json_object_get(said, "views"), i);
    printf("| %s | `%s` | %lld |", view->name, view->path,
           (long long)json_integer_value(json_object_get(one, "bytes")) / 1024);
    put(view, "the answer", one, "answered", view->answered);
    put(view, "the first paint", one, "paint", view->paint);
    put(view, "the first screen", one, "screen", view->screen);
    put(view, "all of it", one, "whole", view->whole);
    printf("\n");
  }
  put_live(said);
}

int main(void) {
  pid_t pids[3];
  size_t n = bench_large_messages();
  if (access(CHROMIUM, X_OK))
    bench_fail("browser: there is no " CHROMIUM ": `tools/deps.sh chromium` installs it");
  bench_enter("browser");
  setenv("CONVKEEP_ARTIFACTS_FORM", "none", 1);
  bench_large_fill(n);
  pids[0] = bench_daemon("store");
  pids[1] = bench_daemon("renewd");
  pids[2] = bench_http_webd();
  bench_large_calm();
  bench_calm();
  json_t *said = look();
  report(n, said);
  json_decref(said);
  for (int i = 2; i >= 0; --i) bench_stop(&pids[i]);
  bench_leave();
  return 0;
}
