/* convkeep sync retry: the store gives the records of dead letters new versions, so they are
 * mirrored like any other change. */
#include "cli/sync/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "cli/rows.h"

#define AT_ONCE 500

static struct ck_str text_of(const json_t *row, const char *name) {
  const json_t *value = json_object_get(row, name);
  return (struct ck_str){json_string_value(value), json_string_length(value)};
}

static int send_some(struct cli *c, struct ck_buf *mutations, uint32_t n) {
  struct ck_buf whole = {0};
  struct ck_err err;
  char result;
  if (n == 0) return CLI_GO_ON;
  ck_put_array(&whole, n);
  ck_buf_str(&whole, ck_buf_view(mutations));
  ck_buf_clear(mutations);
  int rc = cli_write(c, ck_buf_view(&whole), &result, &err);
  ck_buf_free(&whole);
  if (rc != CLI_GO_ON || result != 'r') return rc;
  cli_error(c, NULL, "%s", err.text);
  return CLI_FAILED;
}

static int send_all(struct cli *c, const json_t *letters, const char *key, uint64_t *sent) {
  struct ck_buf mutations = {0};
  uint32_t n = 0;
  size_t i;
  const json_t *letter;
  int rc = CLI_GO_ON;
  json_array_foreach(letters, i, letter) {
    if (key && !ck_str_is(text_of(letter, "key"), key)) continue;
    struct ck_mutation m = {.kind = CK_OP_RETRY};
    m.as.retry = (struct ck_retry){text_of(letter, "sink"), text_of(letter, "table_name"),
                                   text_of(letter, "key")};
    ck_mutation_encode(&mutations, &m);
    ++*sent;
    if (++n < AT_ONCE) continue;
    if ((rc = send_some(c, &mutations, n)) != CLI_GO_ON) break;
    n = 0;
  }
  if (rc == CLI_GO_ON) rc = send_some(c, &mutations, n);
  ck_buf_free(&mutations);
  return rc;
}

/* Those of the mirror in one sink. */
static int retry_in(struct cli *c, const char *sink, const char *key, uint64_t *sent) {
  json_t *letters;
  char *mirror = ck_settings_mirror(c->settings, sink);
  struct cli_filter of = {"mirror", mirror, 0};
  int rc = cli_query_all(c, "dead_letters", &of, 1, &letters);
  free(mirror);
  if (rc != CLI_GO_ON) return rc;
  rc = send_all(c, letters, key, sent);
  json_decref(letters);
  return rc;
}

int cli_sync_retry(struct cli *c, const struct cli_sinks *sinks, const char *key) {
  uint64_t sent = 0;
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  for (size_t i = 0; i < sinks->n && rc == CLI_GO_ON; ++i)
    rc = retry_in(c, sinks->at[i], key, &sent);
  if (rc != CLI_GO_ON) return rc;
  if (key && !sent) {
    cli_error(c, key, "no dead letter has this key; convkeep list dead-letters shows them");
    return CLI_FAILED;
  }
  if (c->json) {
    json_t *line = json_pack("{s:I}", "retried", (json_int_t)sent);
    cli_json_line(line);
    json_decref(line);
  } else {
    printf("%llu %s sent again\n", (unsigned long long)sent, ck_noun(sent, "row is", "rows are"));
  }
  return CLI_DONE;
}
