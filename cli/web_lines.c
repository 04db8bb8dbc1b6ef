/* See web_lines.h. */
#include "cli/web_lines.h"

#include <string.h>

static void put_refused(struct ck_buf *b, json_t *refused) {
  const char *word;
  json_t *n;
  json_object_foreach(refused, word, n) {
    ck_buf_text(b, b->len ? ", " : "");
    ck_buf_count(b, (uint64_t)json_integer_value(n));
    ck_buf_printf(b, " × %s", word);
  }
}

static void lines(struct cli_table *t, const json_t *web) {
  struct ck_buf text = {0};
  int64_t tokens = cli_member_int(web, "tokens", 0);
  const char *address = cli_member(web, "address");
  if (*address) {
    cli_safe_text(&text, ck_str_of(address), false);
    if (tokens) ck_buf_text(&text, ", ");
    if (tokens) ck_buf_count(&text, (uint64_t)tokens);
    if (tokens) ck_buf_text(&text, ck_noun((uint64_t)tokens, " token", " tokens"));
    cli_line(t, "web", CLI_PLAIN, &text);
  }
  put_refused(&text, json_object_get(web, "refused"));
  if (text.len) {
    ck_buf_text(&text, " since webd started");
    cli_line(t, "web refused", CLI_YELLOW, &text);
  }
  ck_buf_free(&text);
}

void cli_web_lines(struct cli_table *t, const json_t *info) {
  size_t i;
  const json_t *one;
  json_array_foreach(json_object_get(info, "daemons"), i, one) {
    if (strcmp(cli_member(one, "name"), "webd") == 0) lines(t, json_object_get(one, "info"));
  }
}
