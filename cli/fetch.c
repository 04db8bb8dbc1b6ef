/* See fetch.h. */
#include "cli/fetch.h"

#include <stdio.h>
#include <string.h>

/* Asks for up to `most` bytes from o->at on. Fills in the whole size. */
static int fetch(struct cli *c, struct ck_fetch q, const char *where, struct cli_fetched *o) {
  struct ck_message request = {.kind = CK_MSG_FETCH}, answer;
  struct ck_str data = {0};
  zmq_msg_t frame;
  request.as.fetch = q;
  int rc = cli_ask_about(c, where, &request, &answer, &frame);
  ck_buf_clear(&o->piece);
  if (rc != CLI_GO_ON) return rc;
  const struct ck_fetched *a = &answer.as.fetched;
  struct ck_reader r = ck_reader_of(a->data);
  bool good = answer.kind == CK_MSG_FETCHED && ck_read_bin(&r, &data) == 0 && data.n <= q.most;
  if (good && ck_original_is_id(a->original)) {
    snprintf(o->id, sizeof o->id, "%.*s", (int)a->original.n, a->original.s);
    o->bytes = a->bytes;
    ck_buf_str(&o->piece, data);
  } else if (!good || a->original.n || q.at) {
    cli_error(c, where, "the store's answer makes no sense");
    rc = CLI_FAILED;
  }
  zmq_msg_close(&frame);
  return rc;
}

int cli_fetch_find(struct cli *c, const char *id, const char *platform, const char *conversation,
                   struct cli_fetched *o) {
  *o = (struct cli_fetched){.bytes = 0};
  ck_sha256_begin(&o->hash);
  const struct ck_fetch q = {0, ck_str_of(id), ck_str_of(platform), ck_str_of(conversation), 0, 0};
  return fetch(c, q, *id ? id : conversation, o);
}

static int check_hash(struct cli *c, struct cli_fetched *o) {
  char hex[CK_SHA256_HEX + 1];
  ck_sha256_end_hex(&o->hash, hex);
  if (strncmp(hex, o->id, CK_ORIGINAL_ID) == 0) return CLI_GO_ON;
  cli_error(c, o->id,
            "damaged: these are not the bytes that came; restore a backup, or import the file "
            "again");
  return CLI_FAILED;
}

int cli_fetch_next(struct cli *c, struct cli_fetched *o, size_t most) {
  const struct ck_fetch q = {
      0, ck_str_of(o->id), {0}, {0}, o->at, most < CK_FETCH_MAX ? most : CK_FETCH_MAX};
  if (o->at == o->bytes) {
    ck_buf_clear(&o->piece);
    return CLI_GO_ON;
  }
  int rc = fetch(c, q, o->id, o);
  if (rc != CLI_GO_ON) return rc;
  if (o->piece.len == 0) {
    cli_error(c, o->id, "it ends at byte %llu", (unsigned long long)o->at);
    return CLI_FAILED;
  }
  ck_sha256_add(&o->hash, ck_buf_view(&o->piece));
  o->at += o->piece.len;
  return o->at == o->bytes ? check_hash(c, o) : CLI_GO_ON;
}

void cli_fetch_free(struct cli_fetched *o) { ck_buf_free(&o->piece); }
