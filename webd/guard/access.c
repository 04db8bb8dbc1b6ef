/* What the file web/access says, read again whenever it has changed. */
#include "webd/guard/guard.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/log.h"

#define SESSION_MS (INT64_C(30) * 86400000)
#define SESSIONS_MAX 64 /* of the oldest, the first goes */

struct web_access {
  struct ck_access list;
  int fd;           /* of the file that was read last, so that its inode is not used again; -1 */
  struct stat seen; /* of that file */
  struct ck_err trouble; /* "": it could be read */
};

struct web_access *web_access_new(void) {
  struct web_access *a = ck_zalloc(sizeof *a);
  a->fd = -1;
  web_access_look(a);
  return a;
}

void web_access_free(struct web_access **access) {
  if (!*access) return;
  if ((*access)->fd >= 0) close((*access)->fd);
  ck_access_free(&(*access)->list);
  free(*access);
  *access = NULL;
}

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_nlink == b->st_nlink &&
         a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
         a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void read_again(struct web_access *a) {
  struct ck_err err = {{0}};
  ck_access_free(&a->list);
  int rc = ck_access_read(&a->list, &err);
  if (rc && strcmp(err.text, a->trouble.text) != 0)
    ck_log(CK_ERROR, "-", "access_refused", "reason=%s", ck_quotedz(err.text));
  a->trouble = err;
}

/* Before it is read: what is changed meanwhile is seen at the next look. */
static void hold(struct web_access *a) {
  if (a->fd >= 0) close(a->fd);
  a->fd = open(CK_PLACE_ACCESS, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  a->seen = (struct stat){0};
  if (a->fd >= 0) fstat(a->fd, &a->seen);
}

bool web_access_look(struct web_access *a) {
  struct stat st = {0};
  bool there = lstat(CK_PLACE_ACCESS, &st) == 0;
  bool nothing = !a->list.n && !a->trouble.text[0];
  if (there ? a->fd >= 0 && is_same(&st, &a->seen) : nothing) return false;
  hold(a);
  read_again(a);
  return true;
}

/* The file is replaced as a whole, and the one that was read has then one name less. */
void web_access_glance(struct web_access *a) {
  struct stat st;
  if (a->fd < 0 || fstat(a->fd, &st) || !is_same(&st, &a->seen)) web_access_look(a);
}

const char *web_access_trouble(const struct web_access *a) {
  return a->trouble.text[0] ? a->trouble.text : NULL;
}

static size_t count(const struct ck_access *list, enum ck_access_kind kind) {
  size_t n = 0;
  for (size_t i = 0; i < list->n; ++i) n += list->list[i].kind == kind;
  return n;
}

size_t web_access_tokens(const struct web_access *a) { return count(&a->list, CK_ACCESS_TOKEN); }

static bool is_let_in(const struct web_access *a, enum ck_access_kind kind, struct ck_str secret,
                      int64_t now, struct web_who *who) {
  const struct ck_access_entry *e = ck_access_find(&a->list, kind, secret);
  *who = (struct web_who){0};
  if (!e || !ck_access_holds(e, now)) return false;
  who->kind = kind;
  who->scopes = e->scopes;
  memcpy(who->name, e->name, sizeof who->name);
  memcpy(who->hash, e->hash, sizeof who->hash);
  return e->scopes != 0;
}

bool web_access_token(const struct web_access *a, struct ck_str secret, int64_t now,
                      struct web_who *who) {
  return is_let_in(a, CK_ACCESS_TOKEN, secret, now, who);
}

bool web_access_session(const struct web_access *a, struct ck_str secret, int64_t now,
                        struct web_who *who) {
  return is_let_in(a, CK_ACCESS_SESSION, secret, now, who);
}

bool web_access_still(const struct web_access *a, const struct web_who *who, int64_t now) {
  for (size_t i = 0; i < a->list.n; ++i) {
    const struct ck_access_entry *e = &a->list.list[i];
    if (e->kind == who->kind && strcmp(e->hash, who->hash) == 0)
      return ck_access_holds(e, now) && (e->scopes & who->scopes) == who->scopes;
  }
  return false;
}

bool web_access_paired(const struct web_access *a, struct ck_str origin) {
  for (size_t i = 0; i < a->list.n; ++i)
    if (a->list.list[i].origin[0] && ck_str_is(origin, a->list.list[i].origin)) return true;
  return false;
}

bool web_access_pairing(const struct web_access *a, int64_t now) {
  for (size_t i = 0; i < a->list.n; ++i)
    if (a->list.list[i].kind == CK_ACCESS_CODE && ck_access_holds(&a->list.list[i], now))
      return true;
  return false;
}

/* ---- what changes the file ---- */

struct step {
  struct ck_str secret, name, origin; /* of what is used up; of the token */
  int64_t now;
  bool *fits;
  struct ck_access_entry made;
  const struct web_who *who;
};

static int change(struct web_access *a, struct step *s,
                  int (*how)(void *, struct ck_access *, struct ck_err *), struct ck_err *err) {
  int rc = ck_access_change(s->now, how, s, err);
  web_access_look(a);
  return rc;
}

static void drop_oldest_session(struct ck_access *a) {
  for (size_t i = 0; count(a, CK_ACCESS_SESSION) >= SESSIONS_MAX && i < a->n; ++i)
    if (a->list[i].kind == CK_ACCESS_SESSION) ck_access_remove(a, i--);
}

static int sign_in(void *self, struct ck_access *a, struct ck_err *err) {
  struct step *s = self;
  struct ck_access_entry *link = ck_access_find(a, CK_ACCESS_LINK, s->secret);
  *s->fits = link && ck_access_holds(link, s->now);
  if (!*s->fits) return ck_fail(err, "no such link");
  ck_access_remove(a, (size_t)(link - a->list));
  drop_oldest_session(a);
  ck_access_add(a, &s->made);
  return 0;
}

int web_access_sign_in(struct web_access *a, struct ck_str link, int64_t now, bool *fits,
                       char secret[CK_SECRET_TEXT], struct ck_err *err) {
  struct step s = {.secret = link, .now = now, .fits = fits};
  *fits = true;
  s.made = (struct ck_access_entry){.kind = CK_ACCESS_SESSION,
                                    .name = "page",
                                    .scopes = CK_SCOPE_ALL,
                                    .created_at = now,
                                    .expires_at = now + SESSION_MS};
  ck_access_secret(secret, s.made.hash);
  int rc = change(a, &s, sign_in, err);
  return *fits ? rc : 0;
}

static int sign_out(void *self, struct ck_access *a, struct ck_err *err) {
  const struct step *s = self;
  (void)err;
  for (size_t i = a->n; i-- > 0;)
    if (a->list[i].kind == CK_ACCESS_SESSION && strcmp(a->list[i].hash, s->who->hash) == 0)
      ck_access_remove(a, i);
  return 0;
}

int web_access_sign_out(struct web_access *a, const struct web_who *who, int64_t now,
                        struct ck_err *err) {
  struct step s = {.who = who, .now = now};
  return change(a, &s, sign_out, err);
}

static void count_try(struct ck_access *a) {
  for (size_t i = a->n; i-- > 0;)
    if (a->list[i].kind == CK_ACCESS_CODE && ++a->list[i].tries >= CK_CODE_TRIES)
      ck_access_remove(a, i);
}

static int pair(void *self, struct ck_access *a, struct ck_err *err) {
  struct step *s = self;
  struct ck_access_entry *code = ck_access_find(a, CK_ACCESS_CODE, s->secret);
  *s->fits = code && ck_access_holds(code, s->now);
  if (!*s->fits) {
    count_try(a);
    return 0;
  }
  if (ck_access_named(a, s->name))
    return ck_fail(err, "there is a token of that name already; revoke it, or take another name");
  s->made.scopes = code->scopes;
  ck_access_remove(a, (size_t)(code - a->list));
  ck_access_add(a, &s->made);
  return 0;
}

int web_access_pair(struct web_access *a, struct ck_str code, struct ck_str name,
                    struct ck_str origin, int64_t now, bool *fits, char secret[CK_SECRET_TEXT],
                    struct ck_err *err) {
  struct step s = {.secret = code, .name = name, .now = now, .fits = fits};
  *fits = false;
  if (ck_access_check_name(name, err)) return -1;
  s.made = (struct ck_access_entry){.kind = CK_ACCESS_TOKEN, .created_at = now};
  snprintf(s.made.name, sizeof s.made.name, "%.*s", (int)name.n, name.s);
  snprintf(s.made.origin, sizeof s.made.origin, "%.*s", (int)origin.n, origin.s);
  ck_access_secret(secret, s.made.hash);
  return change(a, &s, pair, err);
}

/* ---- secrets ---- */

void web_form_secret(char out[CK_SHA256_HEX + 1], struct ck_str session) {
  struct ck_sha256 h;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, CK_LIT("form of "));
  ck_sha256_add(&h, session);
  ck_sha256_end_hex(&h, out);
}

bool web_same_secret(struct ck_str a, struct ck_str b) {
  volatile unsigned char differs = a.n != b.n;
  for (size_t i = 0; i < a.n && i < b.n; ++i) differs |= (unsigned char)(a.s[i] ^ b.s[i]);
  return differs == 0;
}
