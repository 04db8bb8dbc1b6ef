/* The secrets that settings name: the D1 token and the PostgreSQL password. Declared in settings.h;
 * those in the environment in secrets.h. */
#include "proto/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "proto/file.h"
#include "proto/settings.h"

#define SECRET_MAX 65536u

/* ---- in the environment ---- */

static const char *const names[CK_SECRETS] = {"CONVKEEP_D1_TOKEN", "CONVKEEP_POSTGRES_PASSWORD"};
static const char *const opened[CK_SECRETS] = {"d1", "postgres"};
static char *taken[CK_SECRETS];

void ck_secrets_keep_in(void) { prctl(PR_SET_DUMPABLE, 0); }

void ck_secrets_take(bool keep) {
  for (int i = 0; i < CK_SECRETS; ++i) {
    char *value = getenv(names[i]);
    if (!value) continue;
    if (keep) {
      ck_secrets_keep_in();
      taken[i] = ck_sprintf("%s=%s", names[i], value);
    }
    explicit_bzero(value, strlen(value));
    unsetenv(names[i]);
  }
}

char *ck_secrets_given(int i) { return taken[i]; }

bool ck_secrets_open(int i, const char *sink) { return strcmp(opened[i], sink) == 0; }

static const char *given(int i) {
  return taken[i] ? taken[i] + strlen(names[i]) + 1 : getenv(names[i]);
}

/* ---- in a file ---- */

/* Reads the file into b; *line is a view of its first line, without the line break. 0, or -1 with
 * the reason. */
static int first_line(const char *path, const char *setting, struct ck_buf *b, struct ck_str *line,
                      struct ck_err *err) {
  struct ck_err why = {{0}};
  if (ck_read_own_file(path, SECRET_MAX, b, &why)) {
    if (errno == ENOENT)
      ck_fail(err, "%s: %s (named by %s)", path, strerror(ENOENT), setting);
    else
      ck_fail(err, "%s: %s", path, why.text);
    return -1;
  }
  const char *eol = b->len ? memchr(b->data, '\n', b->len) : NULL;
  *line = (struct ck_str){b->data, eol ? (size_t)(eol - b->data) : b->len};
  if (line->n && line->s[line->n - 1] == '\r') --line->n;
  return 0;
}

static void forget(struct ck_buf *b) {
  if (b->data) explicit_bzero(b->data, b->cap);
  ck_buf_free(b);
}

/* The token goes into an HTTP header, so bytes that could end that line are refused. */
static char *token_of(struct ck_str text, const char *from, struct ck_err *err) {
  struct ck_str token = ck_trim(text);
  if (token.n == 0) ck_fail(err, "%s: the D1 token is empty", from);
  for (size_t i = 0; i < token.n; i++)
    if (token.s[i] <= ' ' || token.s[i] > '~') {
      ck_fail(err, "%s: the D1 token has a byte that no token can have", from);
      return NULL;
    }
  return token.n ? ck_str_dup(token) : NULL;
}

char *ck_settings_d1_token(const struct ck_settings *s, struct ck_err *err) {
  const char *env = given(0), *path = ck_set_text(s, CK_SET_D1_TOKEN_FILE);
  if (env) return token_of(ck_str_of(env), "CONVKEEP_D1_TOKEN", err);
  if (!*path) {
    ck_fail(err, "there is no D1 token: put it into a file and the file's path into d1.token_file"
                 " in convkeep.conf, or the token into the environment as CONVKEEP_D1_TOKEN;"
                 " then start the ring again");
    return NULL;
  }
  struct ck_buf b = {0};
  struct ck_str line;
  char *token =
      first_line(path, "d1.token_file", &b, &line, err) ? NULL : token_of(line, path, err);
  forget(&b);
  return token;
}

char *ck_settings_postgres_password(const struct ck_settings *s, struct ck_err *err) {
  const char *env = given(1), *path = ck_set_text(s, CK_SET_POSTGRES_PASSWORD_FILE);
  if (env || !*path) return ck_strdup(env ? env : "");
  struct ck_buf b = {0};
  struct ck_str line;
  char *password =
      first_line(path, "postgres.password_file", &b, &line, err) ? NULL : ck_str_dup(line);
  forget(&b);
  if (password && !*password) {
    free(password);
    password = NULL;
    ck_fail(err, "%s: the password is empty", path);
  }
  return password;
}
