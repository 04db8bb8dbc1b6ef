/* See access.h. */
#include "proto/access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/lock.h"

#define NEW CK_PLACE_ACCESS ".new"
#define TURN CK_PLACE_ACCESS ".lock"
#define FILE_MAX (1u << 20)
#define SLACK_MS 60000
#define FIELDS 8

static const char *const kinds[] = {"token", "session", "link", "code"};
#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- scopes ---- */

static const char *const scope_words[CK_SCOPES] = {
#define CK_S(NAME, word, help) word,
    CK_SCOPE_LIST(CK_S)
#undef CK_S
};

/* Takes the next word off *rest: up to one of the separators. */
static struct ck_str next_word(struct ck_str *rest, const char *separators) {
  size_t n = 0;
  while (n < rest->n && !strchr(separators, rest->s[n])) ++n;
  struct ck_str word = {rest->s, n};
  rest->s += n < rest->n ? n + 1 : n;
  rest->n -= n < rest->n ? n + 1 : n;
  return word;
}

static unsigned scope_named(struct ck_str word) {
  for (unsigned i = 0; i < CK_SCOPES; ++i)
    if (ck_str_is(word, scope_words[i])) return 1u << i;
  return 0;
}

int ck_scopes_read(unsigned *scopes, struct ck_str words, struct ck_err *err) {
  *scopes = 0;
  while (words.n) {
    struct ck_str word = next_word(&words, " ,");
    unsigned bit = scope_named(word);
    if (word.n && !bit)
      return ck_fail(err, "\"%.*s\" is no scope; there are " CK_SCOPE_WORDS,
                     (int)(word.n > 40 ? 40 : word.n), word.s);
    *scopes |= bit;
  }
  return 0;
}

void ck_scopes_text(struct ck_buf *b, unsigned scopes) {
  const char *between = "";
  for (unsigned i = 0; i < CK_SCOPES; ++i) {
    if (!(scopes & 1u << i)) continue;
    ck_buf_printf(b, "%s%s", between, scope_words[i]);
    between = ",";
  }
}

/* ---- lines ---- */

static bool is_name(struct ck_str s) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  for (size_t i = 0; i < s.n; ++i)
    if (!s.s[i] || !strchr(allowed, s.s[i])) return false;
  return s.n > 0 && s.n <= CK_ACCESS_NAME;
}

int ck_access_check_name(struct ck_str name, struct ck_err *err) {
  if (is_name(name)) return 0;
  return ck_fail(err, "a name is 1 to %d letters, digits, \".\", \"_\" and \"-\"", CK_ACCESS_NAME);
}

static bool read_number(struct ck_str s, int64_t *n) {
  *n = 0;
  for (size_t i = 0; i < s.n; ++i) {
    if (s.s[i] < '0' || s.s[i] > '9') return false;
    *n = *n * 10 + (s.s[i] - '0');
  }
  return s.n > 0 && s.n <= 18;
}

static bool read_kind(struct ck_str s, enum ck_access_kind *kind) {
  for (size_t i = 0; i < KINDS; ++i) {
    *kind = (enum ck_access_kind)i;
    if (ck_str_is(s, kinds[i])) return true;
  }
  return false;
}

static bool read_line(struct ck_str line, struct ck_access_entry *e) {
  struct ck_str f[FIELDS];
  int64_t tries = 0;
  for (int i = 0; i < FIELDS; ++i) f[i] = next_word(&line, " ");
  bool ok = line.n == 0 && read_kind(f[0], &e->kind) && is_name(f[1]) &&
            ck_scopes_read(&e->scopes, f[2], NULL) == 0 && ck_sha256_is_hex(f[3]) &&
            read_number(f[4], &e->created_at) && read_number(f[5], &e->expires_at) &&
            read_number(f[6], &tries) && f[7].n > 0 && f[7].n <= CK_ACCESS_ORIGIN;
  if (!ok) return false;
  e->tries = (unsigned)tries;
  snprintf(e->name, sizeof e->name, "%.*s", (int)f[1].n, f[1].s);
  snprintf(e->hash, sizeof e->hash, "%.*s", (int)f[3].n, f[3].s);
  if (!ck_str_is(f[7], "-")) snprintf(e->origin, sizeof e->origin, "%.*s", (int)f[7].n, f[7].s);
  return true;
}

static void put_line(struct ck_buf *b, const struct ck_access_entry *e) {
  ck_buf_printf(b, "%s %s ", kinds[e->kind], e->name);
  ck_scopes_text(b, e->scopes);
  ck_buf_printf(b, " %s %lld %lld %u %s\n", e->hash, (long long)e->created_at,
                (long long)e->expires_at, e->tries, *e->origin ? e->origin : "-");
}

/* ---- the file ---- */

void ck_access_free(struct ck_access *a) {
  free(a->list);
  *a = (struct ck_access){0};
}

void ck_access_add(struct ck_access *a, const struct ck_access_entry *entry) {
  a->list = ck_realloc(a->list, (a->n + 1) * sizeof *a->list);
  a->list[a->n++] = *entry;
}

void ck_access_remove(struct ck_access *a, size_t i) {
  memmove(&a->list[i], &a->list[i + 1], (a->n - i - 1) * sizeof *a->list);
  --a->n;
}

static int take_lines(struct ck_access *a, struct ck_str text, struct ck_err *err) {
  for (int line = 1; text.n; ++line) {
    struct ck_access_entry e = {0};
    if (!read_line(next_word(&text, "\n"), &e))
      return ck_fail(err, "%s:%d: it is none of the lines that convkeep writes there",
                     CK_PLACE_ACCESS, line);
    ck_access_add(a, &e);
  }
  return 0;
}

int ck_access_read(struct ck_access *a, struct ck_err *err) {
  struct ck_buf text = {0};
  struct ck_err why = {{0}};
  *a = (struct ck_access){0};
  int rc = ck_read_own_file(CK_PLACE_ACCESS, FILE_MAX, &text, &why);
  if (rc && errno == ENOENT)
    rc = 0;
  else if (rc)
    ck_fail(err, "%s: %s", CK_PLACE_ACCESS, why.text);
  else
    rc = take_lines(a, ck_buf_view(&text), err);
  if (rc) ck_access_free(a);
  ck_buf_free(&text);
  return rc;
}

static int write_new(struct ck_str text, struct ck_err *err) {
  int fd = ck_open_file(AT_FDCWD, NEW, O_WRONLY | O_CREAT | O_TRUNC, err);
  if (fd < 0) return ck_fail_in(err, "%s", NEW);
  int rc = ck_write_all(fd, text) || fsync(fd) ? ck_fail_write(err, NEW, errno, NULL) : 0;
  close(fd);
  return rc ? ck_fail_in(err, "%s", NEW) : 0;
}

static int write_all(const struct ck_access *a, struct ck_err *err) {
  struct ck_buf text = {0};
  for (size_t i = 0; i < a->n; ++i) put_line(&text, &a->list[i]);
  int rc = write_new(ck_buf_view(&text), err);
  if (rc == 0 && rename(NEW, CK_PLACE_ACCESS))
    rc = ck_fail(err, "%s: %s", CK_PLACE_ACCESS, strerror(errno));
  if (rc) unlink(NEW);
  ck_buf_free(&text);
  int folder = rc ? -1 : open(CK_PLACE_WEB, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) fsync(folder);
  if (folder >= 0) close(folder);
  return rc;
}

static void drop_expired(struct ck_access *a, int64_t now) {
  for (size_t i = a->n; i-- > 0;)
    if (a->list[i].expires_at && a->list[i].expires_at <= now) ck_access_remove(a, i);
}

int ck_access_change(int64_t now,
                     int (*change)(void *self, struct ck_access *a, struct ck_err *err), void *self,
                     struct ck_err *err) {
  struct ck_access a;
  int turn = ck_turn_open(TURN, true, err);
  if (turn < 0) return -1;
  ck_turn_wait(turn);
  int rc = ck_access_read(&a, err);
  if (rc == 0) {
    drop_expired(&a, now);
    rc = change(self, &a, err);
    if (rc == 0) rc = write_all(&a, err);
  }
  ck_access_free(&a);
  close(turn);
  return rc;
}

/* ---- looking up ---- */

static void hash_of(struct ck_str secret, char hex[CK_SHA256_HEX + 1]) {
  struct ck_sha256 h;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, secret);
  ck_sha256_end_hex(&h, hex);
}

static bool same_hash(const char *a, const char *b) {
  volatile unsigned char differs = 0;
  for (int i = 0; i < CK_SHA256_HEX; ++i) differs |= (unsigned char)(a[i] ^ b[i]);
  return differs == 0;
}

struct ck_access_entry *ck_access_find(const struct ck_access *a, enum ck_access_kind kind,
                                       struct ck_str secret) {
  struct ck_access_entry *found = NULL;
  char hex[CK_SHA256_HEX + 1];
  hash_of(secret, hex);
  for (size_t i = 0; i < a->n; ++i)
    if (a->list[i].kind == kind && same_hash(a->list[i].hash, hex)) found = &a->list[i];
  return found;
}

struct ck_access_entry *ck_access_named(const struct ck_access *a, struct ck_str name) {
  for (size_t i = 0; i < a->n; ++i)
    if (a->list[i].kind == CK_ACCESS_TOKEN && ck_str_is(name, a->list[i].name)) return &a->list[i];
  return NULL;
}

bool ck_access_holds(const struct ck_access_entry *entry, int64_t now) {
  if (entry->expires_at == 0) return true;
  return now < entry->expires_at && now >= entry->created_at - SLACK_MS;
}

/* ---- secrets ---- */

void ck_access_secret(char out[CK_SECRET_TEXT], char hash[CK_SHA256_HEX + 1]) {
  char half[33];
  memcpy(out, "ck_", 3);
  for (int i = 0; i < 2; ++i) {
    ck_random_id(half);
    memcpy(out + 3 + 32 * i, half, 32);
  }
  out[CK_SECRET_TEXT - 1] = '\0';
  explicit_bzero(half, sizeof half);
  hash_of(ck_str_of(out), hash);
}

void ck_access_code(char out[CK_CODE_DIGITS + 1], char hash[CK_SHA256_HEX + 1]) {
  char id[33];
  ck_random_id(id);
  /* Of 64 bits, so that no code is noticeably likelier than another. */
  id[16] = '\0';
  snprintf(out, CK_CODE_DIGITS + 1, "%08llu", strtoull(id, NULL, 16) % 100000000ull);
  hash_of(ck_str_of(out), hash);
}
