/* See account.h. */
#include "proto/account.h"

#include <jansson.h>

#include "proto/records.h"
#include "proto/sha256.h"
#include "proto/wire.h"

static json_t *payload_of(struct ck_str text) {
  if (!text.n) return NULL;
  json_t *v = json_loadb(text.s, text.n, JSON_DECODE_ANY, NULL);
  /* The object may have been given as text. */
  if (json_is_string(v)) {
    json_t *inner = json_loads(json_string_value(v), 0, NULL);
    json_decref(v);
    v = inner;
  }
  return v;
}

static struct ck_str member(const json_t *o, const char *name) {
  const json_t *v = json_object_get(o, name);
  return ck_trim((struct ck_str){json_string_value(v), json_string_length(v)});
}

static void put(struct ck_buf *b, struct ck_str prefix, struct ck_str name) {
  ck_buf_str(b, prefix);
  if (prefix.n) ck_buf_text(b, ":");
  ck_buf_str(b, name);
}

/* A browser is at home on several sites, each with limits of its own. */
static void put_client(struct ck_buf *b, struct ck_str platform, struct ck_str client) {
  ck_buf_text(b, "client:");
  put(b, platform, client);
}

/* What follows `begin` is cut if it is too long: its beginning, and a hash of the whole. */
static void bound(struct ck_buf *b, size_t begin) {
  struct ck_str name = {b->data + begin, b->len - begin};
  struct ck_sha256 h;
  char hex[CK_SHA256_HEX + 1];
  if (name.n <= CK_ACCOUNT_MAX) return;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, name);
  ck_sha256_end_hex(&h, hex);
  b->len = begin + ck_utf8_cut(name, CK_ACCOUNT_MAX - CK_SHA256_HEX - 1).n;
  ck_buf_text(b, ":");
  ck_buf_text(b, hex);
}

static struct ck_str client_of(const struct ck_account_facts *f) {
  if (f->kind.n && !ck_kind_is_clients(f->kind)) return (struct ck_str){0};
  return f->client_id.n ? f->client_id : f->id;
}

void ck_account_name(struct ck_buf *b, const struct ck_account_facts *f) {
  json_t *o = f->own.n ? NULL : payload_of(f->payload);
  struct ck_str account = member(o, "account"), home = member(o, "home"),
                organization = member(o, "organization_id"), known = ck_trim(f->known),
                client = client_of(f);
  size_t begin = b->len;
  if (!home.n && !organization.n && known.n && known.s[0] == '/') home = known;
  while (home.n > 1 && home.s[home.n - 1] == '/') home.n--;
  if (f->own.n)
    ck_buf_str(b, f->own);
  else if (account.n)
    ck_buf_str(b, account);
  else if (home.n)
    put(b, f->platform, home);
  else if (organization.n)
    put(b, f->platform, organization);
  else if (known.n)
    put(b, f->platform, known);
  else if (client.n)
    put_client(b, f->platform, client);
  bound(b, begin);
  json_decref(o);
}
