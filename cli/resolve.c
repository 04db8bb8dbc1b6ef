/* Finds a conversation by id or URL; see resolve.h. */
#include "cli/resolve.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "cli/ids.h"
#include "cli/out.h"
#include "proto/near.h"
#include "proto/words.h"

#define CANDIDATES 5
#define TITLE_BYTES 60 /* of a candidate's title */

/* ---- URLs, pure ---- */

static struct ck_str rest_after(struct ck_str s, size_t n) {
  return (struct ck_str){s.s + n, s.n - n};
}

static struct ck_str without_scheme(struct ck_str url) {
  if (ck_str_starts(url, "https://")) return rest_after(url, 8);
  return ck_str_starts(url, "http://") ? rest_after(url, 7) : url;
}

bool cli_is_url(const char *text) {
  return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

void cli_url_page(struct ck_buf *b, struct ck_str url) {
  struct ck_str s = without_scheme(url);
  if (ck_str_starts(s, "www.")) s = rest_after(s, 4);
  size_t n = 0;
  while (n < s.n && s.s[n] != '?' && s.s[n] != '#') ++n;
  while (n && s.s[n - 1] == '/') --n;
  bool host = true;
  for (size_t i = 0; i < n; ++i) {
    if (s.s[i] == '/') host = false;
    char c = host ? (char)tolower((unsigned char)s.s[i]) : s.s[i];
    ck_buf_add(b, &c, 1);
  }
}

static bool in_id(char c) { return isalnum((unsigned char)c) || c == '-' || c == '_'; }

struct ck_str cli_url_piece(struct ck_str url, int i) {
  struct ck_str s = without_scheme(url);
  size_t start = 0, end = s.n;
  while (start < s.n && s.s[start] != '/') ++start;
  while (end > start) {
    size_t from = end;
    while (from > start && in_id(s.s[from - 1])) --from;
    if (end - from >= 6 && i-- == 0) return (struct ck_str){s.s + from, end - from};
    end = from > start ? from - 1 : start;
  }
  return (struct ck_str){0};
}

/* ---- queries ---- */

static int conversation_row(struct cli *c, const char *id, json_t **row) {
  return cli_query_one(c, "local_conversations", "local_conversation_id", id, row);
}

/* Adds the local ids of links or conversations, each once. */
static void add_ids(json_t *ids, const json_t *rows) {
  size_t i;
  const json_t *row;
  json_array_foreach(rows, i, row)
      json_object_set_new(ids, cli_member(row, "local_conversation_id"), json_true());
}

static int by_filter(struct cli *c, const char *table, struct cli_filter filter, json_t *ids) {
  json_t *rows;
  int rc = cli_query(c, &(struct cli_query){table, &filter, 1, 100, 0}, &rows);
  if (rc != CLI_GO_ON) return rc;
  add_ids(ids, rows);
  json_decref(rows);
  return rc;
}

static int by_remote(struct cli *c, const char *remote, json_t *ids) {
  struct cli_filter filter = {"remote_conversation_id", remote, 0};
  return by_filter(c, "conversation_links", filter, ids);
}

/* The beginning of a local or a remote id. */
static int by_beginning(struct cli *c, const char *text, json_t *ids) {
  struct cli_filter filter = {"begins", text, 0};
  if (strlen(text) < CLI_ID_BEGINNING) return CLI_GO_ON;
  int rc = by_filter(c, "local_conversations", filter, ids);
  return rc == CLI_GO_ON ? by_filter(c, "conversation_links", filter, ids) : rc;
}

static int by_title(struct cli *c, const char *text, json_t *ids) {
  struct cli_filter filter = {"title", text, 0};
  json_t *rows;
  int rc = cli_query_all(c, "local_conversations", &filter, 1, &rows);
  if (rc != CLI_GO_ON) return rc;
  for (size_t i = json_array_size(rows); i-- > 0;)
    if (!ck_same_words(ck_str_of(cli_member(json_array_get(rows, i), "title")), ck_str_of(text)))
      json_array_remove(rows, i);
  add_ids(ids, rows);
  json_decref(rows);
  return rc;
}

static bool same_page(const char *a, const char *b) {
  struct ck_buf x = {0}, y = {0};
  cli_url_page(&x, ck_str_of(a));
  cli_url_page(&y, ck_str_of(b));
  bool same = ck_str_eq(ck_buf_view(&x), ck_buf_view(&y));
  ck_buf_free(&x);
  ck_buf_free(&y);
  return same;
}

/* Reads all links: the store cannot filter by URL, and people ask rarely. */
static int by_page(struct cli *c, const char *url, json_t *ids) {
  json_t *links;
  int rc = cli_query_all(c, "conversation_links", NULL, 0, &links);
  if (rc != CLI_GO_ON) return rc;
  for (size_t i = json_array_size(links); i-- > 0;)
    if (!same_page(cli_member(json_array_get(links, i), "page_url"), url))
      json_array_remove(links, i);
  add_ids(ids, links);
  json_decref(links);
  return rc;
}

/* First by the links' page URLs, then by the ids in the URL. */
static int by_url(struct cli *c, const char *url, json_t *ids) {
  int rc = by_page(c, url, ids);
  for (int i = 0; rc == CLI_GO_ON && json_object_size(ids) == 0; ++i) {
    struct ck_str piece = cli_url_piece(ck_str_of(url), i);
    if (piece.n == 0) break;
    char *remote = ck_str_dup(piece);
    rc = by_remote(c, remote, ids);
    free(remote);
  }
  return rc;
}

/* Appends " (TITLE)", if the conversation has a title. */
static int name_title(struct cli *c, struct ck_buf *names, const char *id) {
  json_t *row;
  int rc = conversation_row(c, id, &row);
  if (rc != CLI_GO_ON) return rc;
  struct ck_str title = ck_str_of(cli_member(row, "title"));
  if (title.n) {
    ck_buf_text(names, " (");
    ck_buf_summary(names, title, TITLE_BYTES);
    ck_buf_text(names, ")");
  }
  json_decref(row);
  return rc;
}

/* "ID (TITLE), ID …" */
static int name_ids(struct cli *c, struct ck_buf *names, const json_t *ids) {
  int n = 0, rc = CLI_GO_ON;
  const char *id;
  json_t *ignored;
  json_object_foreach((json_t *)(uintptr_t)ids, id, ignored) {
    if (n == CANDIDATES) ck_buf_text(names, " …");
    if (rc != CLI_GO_ON || n++ >= CANDIDATES) break;
    ck_buf_printf(names, "%s%s", n > 1 ? ", " : "", id);
    rc = name_title(c, names, id);
  }
  return rc;
}

/* What a name that means nothing is like, of the newest conversations. */
struct like {
  json_t *nearest;  /* the id whose title is the nearest; empty if none is near */
  json_t *contains; /* those whose id or title contains the text */
  json_t *newest;   /* some */
};

static void add_like(struct like *like, const json_t *rows, const char *text) {
  struct ck_near near = ck_near_to(ck_str_of(text));
  size_t i;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    const char *id = cli_member(row, "local_conversation_id"), *title = cli_member(row, "title"),
               *before = near.best.s;
    ck_near_try(&near, ck_str_of(title));
    if (near.best.s != before) {
      json_object_clear(like->nearest);
      json_object_set_new(like->nearest, id, json_true());
    }
    if (i <= CANDIDATES) json_object_set_new(like->newest, id, json_true());
    if (*text && (strcasestr(id, text) || strcasestr(title, text)))
      json_object_set_new(like->contains, id, json_true());
  }
}

static int load_like(struct cli *c, struct like *like, const char *text) {
  json_t *rows;
  *like = (struct like){json_object(), json_object(), json_object()};
  int rc = cli_query(c, &(struct cli_query){"local_conversations", NULL, 0, 1000, 0}, &rows);
  if (rc != CLI_GO_ON) return rc;
  add_like(like, rows, text);
  json_decref(rows);
  return rc;
}

static void free_like(struct like *like) {
  json_decref(like->nearest);
  json_decref(like->contains);
  json_decref(like->newest);
}

int cli_not_found(struct cli *c, const char *text, const char *what) {
  struct like like;
  struct ck_buf names = {0};
  int rc = load_like(c, &like, text);
  bool contains = json_object_size(like.contains) > 0,
       near = !contains && json_object_size(like.nearest) > 0,
       any = contains || near || strcmp(what, "conversation") == 0;
  if (rc == CLI_GO_ON && any)
    rc = name_ids(c, &names, contains ? like.contains : near ? like.nearest : like.newest);
  if (rc == CLI_GO_ON && names.len)
    rc = cli_fail(c, CLI_FAILED, text, "no such %s; %s%s%s", what,
                  contains ? "similar: "
                  : near   ? "did you mean "
                           : "the newest: ",
                  ck_buf_cstr(&names), near ? "?" : "");
  else if (rc == CLI_GO_ON)
    rc = cli_fail(c, CLI_FAILED, text,
                  "no such %s; convkeep list conversations (messages, jobs, …) shows what there is",
                  what);
  ck_buf_free(&names);
  free_like(&like);
  return rc;
}

/* Reports that there are several, and names some. Returns an exit code. */
static int ambiguous(struct cli *c, const char *text, const json_t *ids) {
  struct ck_buf names = {0};
  int rc = name_ids(c, &names, ids);
  if (rc == CLI_GO_ON)
    cli_error(c, text, "%zu conversations match; choose one of %s", json_object_size(ids),
              ck_buf_cstr(&names));
  ck_buf_free(&names);
  return rc == CLI_GO_ON ? CLI_FAILED : rc;
}

/* *ids: the conversations that the text may mean, as the names of an object's members, which the
 * caller json_decrefs. */
static int find(struct cli *c, const char *text, json_t **ids) {
  json_t *row;
  int rc = conversation_row(c, text, &row);
  if (rc != CLI_GO_ON) return rc;
  *ids = json_object();
  if (row) json_object_set_new(*ids, text, json_true());
  json_decref(row);
  static int (*const ways[])(struct cli *, const char *, json_t *) = {by_remote, by_beginning,
                                                                      by_title};
  if (!json_object_size(*ids) && cli_is_url(text)) rc = by_url(c, text, *ids);
  for (size_t i = 0; i < sizeof ways / sizeof *ways && rc == CLI_GO_ON; ++i)
    if (!json_object_size(*ids)) rc = ways[i](c, text, *ids);
  if (rc != CLI_GO_ON) json_decref(*ids);
  return rc;
}

/* The row of the only one of the ids. */
static int row_of_one(struct cli *c, json_t *ids, json_t **row) {
  *row = NULL;
  return json_object_size(ids) == 1
             ? conversation_row(c, json_object_iter_key(json_object_iter(ids)), row)
             : CLI_GO_ON;
}

int cli_find(struct cli *c, const char *text, json_t **row) {
  json_t *ids;
  *row = NULL;
  int rc = find(c, text, &ids);
  if (rc != CLI_GO_ON) return rc;
  rc = row_of_one(c, ids, row);
  json_decref(ids);
  return rc;
}

/* Leaves the conversations of this platform. */
static int keep_platform(struct cli *c, const char *platform, json_t *ids) {
  const char *id;
  json_t *ignored, *row;
  void *next;
  json_object_foreach_safe(ids, next, id, ignored) {
    int rc = conversation_row(c, id, &row);
    if (rc != CLI_GO_ON) return rc;
    bool other = strcmp(cli_member(row, "platform"), platform) != 0;
    json_decref(row);
    if (other) json_object_del(ids, id);
  }
  return CLI_GO_ON;
}

int cli_find_one(struct cli *c, const char *text, const char *platform, json_t **row) {
  json_t *ids;
  *row = NULL;
  int rc = find(c, text, &ids);
  if (rc != CLI_GO_ON) return rc;
  if (platform) rc = keep_platform(c, platform, ids);
  if (rc == CLI_GO_ON) rc = row_of_one(c, ids, row);
  if (rc == CLI_GO_ON && json_object_size(ids) > 1) rc = ambiguous(c, text, ids);
  json_decref(ids);
  return rc;
}

int cli_resolve(struct cli *c, const char *text, const char *what, json_t **row) {
  int rc = cli_find_one(c, text, NULL, row);
  return rc == CLI_GO_ON && !*row ? cli_not_found(c, text, what) : rc;
}
