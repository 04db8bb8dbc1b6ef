/* Who may use webd: the tokens of programs, the sessions of browsers, links that sign a browser in
 * once, and codes with which an extension is paired. They are the lines of one file, which has mode
 * 0600 from its birth and is replaced as a whole, so that a reader sees all of a change or nothing.
 * No secret is in it, only SHA-256 hashes.
 *
 * A line: KIND NAME SCOPES HASH CREATED EXPIRES TRIES ORIGIN, with one blank between two. A line
 * that is not so is an error, and then nobody is let in.
 */
#ifndef CK_PROTO_ACCESS_H
#define CK_PROTO_ACCESS_H

#include "proto/error.h"
#include "proto/places.h"
#include "proto/sha256.h"
#include "proto/text.h"

#define CK_PLACE_ACCESS CK_PLACE_WEB "/access"

/* SCOPE(NAME, word, what it lets do) */
#define CK_SCOPE_LIST(S) \
  S(CAPTURE, "capture", "give observations") \
  S(DELIVER, "deliver", "claim follow-ups, and say how they ended") \
  S(READ, "read", "read and search everything") \
  S(ADMIN, "admin", "change conversations, jobs and pauses")
#define CK_SCOPE_WORDS "capture|deliver|read|admin"

enum ck_scope_number {
#define CK_S(NAME, word, help) CK_SCOPE_NUMBER_##NAME,
  CK_SCOPE_LIST(CK_S)
#undef CK_S
      CK_SCOPES
};
/* As bits. */
enum {
#define CK_S(NAME, word, help) CK_SCOPE_##NAME = 1u << CK_SCOPE_NUMBER_##NAME,
  CK_SCOPE_LIST(CK_S)
#undef CK_S
      CK_SCOPE_ALL = (1u << CK_SCOPES) - 1
};

/* Reads words with blanks or commas between them. 0, or -1: err names the one that is none. */
int ck_scopes_read(unsigned *scopes, struct ck_str words, struct ck_err *err);
/* Appends the words, with a comma between two. */
void ck_scopes_text(struct ck_buf *b, unsigned scopes);

enum ck_access_kind { CK_ACCESS_TOKEN, CK_ACCESS_SESSION, CK_ACCESS_LINK, CK_ACCESS_CODE };

#define CK_ACCESS_NAME 64    /* bytes of a name, at most */
#define CK_ACCESS_ORIGIN 128 /* bytes of an origin */

struct ck_access_entry {
  enum ck_access_kind kind;
  char name[CK_ACCESS_NAME + 1]; /* of tokens: one has it; of the others, for people */
  unsigned scopes;
  char hash[CK_SHA256_HEX + 1];      /* of the secret */
  int64_t created_at;                /* wall clock, as is the next */
  int64_t expires_at;                /* 0: never */
  unsigned tries;                    /* of a code: how often another one was given */
  char origin[CK_ACCESS_ORIGIN + 1]; /* of the token of a paired extension; else "" */
};

struct ck_access {
  struct ck_access_entry *list;
  size_t n;
};

void ck_access_free(struct ck_access *a);

/* Reads the file of the data folder, which is the working directory; without one the list is empty.
 * The caller frees. -1 with the reason, which names the line; then the list is empty. */
int ck_access_read(struct ck_access *a, struct ck_err *err);

/* Changes it: reads the file while no other process changes it, leaves out what has expired at
 * `now`, calls change, and if that returns 0 writes what is there then, durably. Returns what
 * change has; or -1, with the reason in err. */
int ck_access_change(int64_t now,
                     int (*change)(void *self, struct ck_access *a, struct ck_err *err), void *self,
                     struct ck_err *err);

/* For change: adds an entry, and takes out number i. */
void ck_access_add(struct ck_access *a, const struct ck_access_entry *entry);
void ck_access_remove(struct ck_access *a, size_t i);

/* The entry of this kind with the hash of the secret; NULL: none. What it takes does not tell how
 * much of the secret is right. */
struct ck_access_entry *ck_access_find(const struct ck_access *a, enum ck_access_kind kind,
                                       struct ck_str secret);
/* The token of that name; NULL: none. */
struct ck_access_entry *ck_access_named(const struct ck_access *a, struct ck_str name);

/* At that wall clock it holds: it has begun, with a minute to spare for a clock that was set back,
 * and has not expired. */
bool ck_access_holds(const struct ck_access_entry *entry, int64_t now);

/* 0: a token may have this name: letters, digits, ".", "_" and "-". -1 with the reason. */
int ck_access_check_name(struct ck_str name, struct ck_err *err);

/* Makes a secret, 256 bits from the kernel, into out: "ck_" and 64 hexadecimal digits, terminated;
 * and its hash into hash. */
#define CK_SECRET_TEXT (3 + 64 + 1)
void ck_access_secret(char out[CK_SECRET_TEXT], char hash[CK_SHA256_HEX + 1]);
/* A code for people, "12345678", and its hash. */
#define CK_CODE_DIGITS 8
void ck_access_code(char out[CK_CODE_DIGITS + 1], char hash[CK_SHA256_HEX + 1]);
/* Codes hold so long, and for so many tries. */
#define CK_CODE_MS 120000
#define CK_CODE_TRIES 5
/* Links hold so long. */
#define CK_LINK_MS 120000

#endif
