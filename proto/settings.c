/* The settings: their values, the four places where they come from. */
#include "proto/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/moment.h"
#include "proto/near.h"
#include "proto/zpl.h"

/* ---- the table ---- */

enum type { TYPE_TEXT, TYPE_INT, TYPE_DURATION, TYPE_CHOICE, TYPE_LIST };

struct setting {
  const char *name;
  enum type type;
  const char *dflt;
  int64_t min, max;
  const char *choices, *help;
};

#define CK_S(ENUM, name, type, dflt, min, max, choices, help) \
  {name, TYPE_##type, dflt, INT64_C(min), INT64_C(max), choices, help},
static const struct setting table[CK_SETTINGS] = {CK_SETTING_LIST(CK_S)};
#undef CK_S

#define EXEC "renew.exec."

/* A setting's value and where it is from. */
struct value {
  char *text, *from;
  int64_t number;
  char **words; /* of a LIST or renew.exec.NAME, NULL-terminated; else NULL */
  enum ck_source source;
};

/* Settings whose last name whoever sets them chooses. */
struct family {
  const char *before; /* of the name: "renew.exec." */
  const char *env;    /* likewise, in the environment */
  const char *help, *example;
  int (*parse)(struct value *v, const char *text, struct ck_err *err);
};

/* One of them. */
struct member {
  const struct family *family;
  char *name; /* in full: renew.exec.NAME */
  struct value value;
};

struct ck_settings {
  struct value values[CK_SETTINGS];
  struct member *members;
  int count;
};

/* ---- values ---- */

static void words_free(char **words) {
  for (char **w = words; w && *w; w++) free(*w);
  free(words);
}

static void value_free(struct value *v) {
  free(v->text);
  free(v->from);
  words_free(v->words);
  *v = (struct value){0};
}

/* Reads the number at the beginning of s. Returns what follows it; NULL if there is none, or it is
 * too large. */
static const char *digits(const char *s, int64_t *value) {
  char *end;
  const char *first = *s == '-' ? s + 1 : s;
  if (*first < '0' || *first > '9') return NULL;
  errno = 0;
  long long n = strtoll(s, &end, 10);
  *value = n;
  return errno ? NULL : end;
}

static bool parse_int(const char *s, int64_t *value) {
  const char *end = digits(s, value);
  return end && *end == '\0';
}

static bool parse_duration(const char *s, int64_t *ms) {
  int64_t n;
  const char *unit = digits(s, &n);
  for (size_t i = 0; unit && i < CK_UNITS; i++)
    if (strcmp(unit, ck_units[i].name) == 0) return !__builtin_mul_overflow(n, ck_units[i].ms, ms);
  return false;
}

static void show_duration(char out[32], int64_t ms) {
  size_t i = 0;
  while (i < CK_UNITS - 1 && (ms % ck_units[i].ms != 0 || ms == 0)) i++;
  snprintf(out, 32, "%lld%s", (long long)(ms / ck_units[i].ms), ck_units[i].name);
}

/* Splits text at blanks. With quotes, "…" keeps blanks together, also within a word. NULL: a quote
 * is not closed. */
static char **split(const char *text, bool quotes) {
  char **words = ck_zalloc(sizeof *words);
  size_t n = 0;
  struct ck_buf word = {0};
  bool open = false;
  for (const char *p = text + strspn(text, " \t\r\n"); *p; p += strspn(p, " \t\r\n")) {
    ck_buf_clear(&word);
    for (; *p && (open || !strchr(" \t\r\n", *p)); p++) {
      if (quotes && *p == '"')
        open = !open;
      else
        ck_buf_add(&word, p, 1);
    }
    words = ck_realloc(words, (n + 2) * sizeof *words);
    words[n++] = ck_str_dup(ck_buf_view(&word));
    words[n] = NULL;
  }
  ck_buf_free(&word);
  if (!open) return words;
  words_free(words);
  return NULL;
}

static int refuse_number(const struct setting *d, const char *text, struct ck_err *err) {
  char least[32], most[32];
  if (d->type == TYPE_INT) {
    snprintf(least, sizeof least, "%lld", (long long)d->min);
    snprintf(most, sizeof most, "%lld", (long long)d->max);
    return ck_fail(err, "must be an integer from %s to %s, not \"%.60s\"", least, most, text);
  }
  show_duration(least, d->min);
  show_duration(most, d->max);
  return ck_fail(err,
                 "must be a duration (a number and ms, s, min, h or d, as in 15min)"
                 " from %s to %s, not \"%.60s\"",
                 least, most, text);
}

/* True when text is one of "a|b|c". */
static bool is_choice(const char *choices, const char *text) {
  size_t n = strlen(text);
  for (const char *p = choices; p; p = strchr(p, '|')) {
    p += *p == '|';
    if (strcspn(p, "|") == n && memcmp(p, text, n) == 0) return true;
  }
  return false;
}

static int wrong_choice(const char *choices, const char *text, struct ck_err *err) {
  struct ck_near near = ck_near_to(ck_str_of(text));
  struct ck_buf meant = {0};
  ck_near_try_all(&near, choices);
  ck_near_text(&meant, &near, "");
  ck_fail(err, "must be one of %s, not \"%.60s\"%s", choices, text, ck_buf_cstr(&meant));
  ck_buf_free(&meant);
  return -1;
}

/* Checks text against its row of the table and fills v, which must be empty. */
static int value_parse(struct value *v, const struct setting *d, const char *text,
                       struct ck_err *err) {
  if (!ck_utf8_ok(ck_str_of(text))) return ck_fail(err, "is not UTF-8");
  if (d->type == TYPE_INT || d->type == TYPE_DURATION) {
    bool ok = d->type == TYPE_INT ? parse_int(text, &v->number) : parse_duration(text, &v->number);
    if (!ok || v->number < d->min || v->number > d->max) return refuse_number(d, text, err);
  }
  if (d->type == TYPE_CHOICE && !is_choice(d->choices, text))
    return wrong_choice(d->choices, text, err);
  if (d->type == TYPE_LIST) v->words = split(text, false);
  v->text = ck_strdup(text);
  return 0;
}

static int program_parse(struct value *v, const char *text, struct ck_err *err) {
  if (!ck_utf8_ok(ck_str_of(text))) return ck_fail(err, "is not UTF-8");
  v->words = split(text, true);
  if (!v->words) return ck_fail(err, "a quote is not closed");
  if (!v->words[0] || !v->words[0][0]) {
    words_free(v->words);
    v->words = NULL;
    return ck_fail(err, "must name a program");
  }
  v->text = ck_strdup(text);
  return 0;
}

static int folder_parse(struct value *v, const char *text, struct ck_err *err) {
  if (!ck_utf8_ok(ck_str_of(text))) return ck_fail(err, "is not UTF-8");
  if (*text && *text != '/' && strcmp(text, "~") != 0 && strncmp(text, "~/", 2) != 0)
    return ck_fail(err, "must be an absolute path or begin with ~/, not \"%.60s\"", text);
  v->text = ck_strdup(text);
  return 0;
}

static const struct family families[] = {
    {EXEC, "CONVKEEP_RENEW_EXEC_", "the argv that a target of kind exec and this id runs",
     "; \"double quotes\" around a word with blanks\n"
     "# " EXEC "NAME = /path/to/program \"an argument\"\n",
     program_parse},
    {CK_WATCH, "CONVKEEP_WATCH_", "a folder whose logs are followed while ingest.watch is on",
     "; claude, codex and codex_archived stand for\n"
     "# where these programs keep their sessions, unless they are set\n"
     "# " CK_WATCH "NAME = /path/to/folder\n",
     folder_parse}};
#define FAMILIES (sizeof families / sizeof *families)

/* ---- names ---- */

static int setting_named(const char *name) {
  int i = 0;
  while (i < CK_SETTINGS && strcmp(table[i].name, name) != 0) i++;
  return i;
}

/* The family of a setting with an allowed name; or NULL. */
static const struct family *family_of(const char *name) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  for (size_t i = 0; i < FAMILIES; i++) {
    size_t n = strlen(families[i].before);
    const char *rest = name + n;
    if (strncmp(name, families[i].before, n) == 0 && *rest && !rest[strspn(rest, allowed)])
      return &families[i];
  }
  return NULL;
}

/* True for "d1" and "renew.webhook": what the names of settings begin with. */
static bool is_section(const char *name) {
  size_t n = strlen(name);
  for (int i = 0; i < CK_SETTINGS; i++)
    if (strncmp(table[i].name, name, n) == 0 && table[i].name[n] == '.') return true;
  for (size_t i = 0; i < FAMILIES; i++)
    if (strncmp(families[i].before, name, n) == 0 && families[i].before[n] == '.') return true;
  return false;
}

static struct member *member_named(const struct ck_settings *s, const char *name) {
  for (int i = 0; i < s->count; i++)
    if (strcmp(s->members[i].name, name) == 0) return &s->members[i];
  return NULL;
}

static struct member *member_add(struct ck_settings *s, const struct family *family,
                                 const char *name) {
  s->members = ck_realloc(s->members, (size_t)(s->count + 1) * sizeof *s->members);
  struct member *m = &s->members[s->count++];
  *m = (struct member){.family = family, .name = ck_strdup(name)};
  return m;
}

static int unknown(const char *name, const char *from, struct ck_err *err) {
  struct ck_near near = ck_near_to(ck_str_of(name));
  struct ck_buf meant = {0};
  for (int i = 0; i < CK_SETTINGS; i++) ck_near_try(&near, ck_str_of(table[i].name));
  ck_near_text(&meant, &near, "");
  ck_fail(err, "%s: unknown setting \"%.80s\"%s", from, name, ck_buf_cstr(&meant));
  ck_buf_free(&meant);
  return -1;
}

/* Sets name to text. from: where the text is from, for the error and for `convkeep config`. */
static int set(struct ck_settings *s, const char *name, const char *text, enum ck_source source,
               const char *from, struct ck_err *err) {
  struct value v = {.source = source}, *old;
  int which = setting_named(name), rc;
  const struct family *family = which == CK_SETTINGS ? family_of(name) : NULL;
  if (which == CK_SETTINGS && !family) return unknown(name, from, err);
  rc = family ? family->parse(&v, text, err) : value_parse(&v, &table[which], text, err);
  if (rc) return ck_fail_in(err, "%s: %s", from, name);
  if (family) {
    struct member *m = member_named(s, name);
    old = m ? &m->value : &member_add(s, family, name)->value;
  } else {
    old = &s->values[which];
  }
  v.from = ck_strdup(from);
  value_free(old);
  *old = v;
  return 0;
}

/* ---- the file ---- */

struct file {
  struct ck_settings *settings;
  const char *path;
};

/* The line of the file in which the setting already has its value; 0: none. */
static int given_at(const struct ck_settings *s, const struct file *f, const char *name) {
  const struct member *m = member_named(s, name);
  int which = setting_named(name);
  const struct value *v = m ? &m->value : which < CK_SETTINGS ? &s->values[which] : NULL;
  if (!v || v->source != CK_FROM_FILE) return 0;
  return atoi(v->from + strlen(f->path) + 1);
}

static int apply_item(void *self, const struct ck_zpl_item *item, struct ck_err *err) {
  const struct file *f = self;
  if (!item->value) {
    if (is_section(item->name)) return 0;
    bool known = setting_named(item->name) < CK_SETTINGS || family_of(item->name);
    return ck_fail(err, "%s:%d: %s \"%.80s\"", f->path, item->line,
                   known ? "there is no value for" : "unknown section", item->name);
  }
  int before = given_at(f->settings, f, item->name);
  if (before)
    return ck_fail(err, "%s:%d: %.80s is given twice, first in line %d", f->path, item->line,
                   item->name, before);
  char *from = ck_sprintf("%s:%d", f->path, item->line);
  int rc = set(f->settings, item->name, item->value, CK_FROM_FILE, from, err);
  free(from);
  return rc;
}

/* Reads the whole file into b, terminated. 1: there is none, and err is as it was. */
static int read_whole(const char *path, struct ck_buf *b, struct ck_err *err) {
  struct ck_err why = {{0}};
  if (ck_read_own_file(path, CK_SETTINGS_FILE_MAX, b, &why))
    return errno == ENOENT ? 1 : ck_fail(err, "%s: %s", path, why.text);
  ck_buf_cstr(b);
  return 0;
}

static int load_file(struct ck_settings *s, const char *path, struct ck_err *err) {
  struct ck_buf text = {0};
  struct file f = {s, path};
  const struct ck_zpl_visitor visitor = {apply_item, &f};
  int rc = read_whole(path, &text, err);
  if (rc == 0) rc = ck_zpl_read(path, ck_buf_view(&text), &visitor, err);
  ck_buf_free(&text);
  return rc < 0 ? -1 : 0;
}

/* ---- the environment ---- */

static char *env_name(const char *setting) {
  char *name = ck_sprintf("CONVKEEP_%s", setting);
  for (char *p = name; *p; p++) {
    if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 'a' + 'A');
    if (*p == '.') *p = '_';
  }
  return name;
}

/* CONVKEEP_RENEW_EXEC_NAME=argv, for any NAME. */
static int load_member(struct ck_settings *s, const struct family *family, const char *entry,
                       struct ck_err *err) {
  const char *equals = strchr(entry, '=');
  if (!equals) return 0;
  char *from = ck_str_dup((struct ck_str){entry, (size_t)(equals - entry)});
  char *name = ck_sprintf("%s%s", family->before, from + strlen(family->env));
  for (char *p = name; *p; p++)
    if (*p >= 'A' && *p <= 'Z') *p = (char)(*p - 'A' + 'a');
  int rc = set(s, name, equals + 1, CK_FROM_ENV, from, err);
  free(name);
  free(from);
  return rc;
}

static int load_env(struct ck_settings *s, struct ck_err *err) {
  int rc = 0;
  for (int i = 0; i < CK_SETTINGS && !rc; i++) {
    char *from = env_name(table[i].name);
    const char *text = getenv(from);
    if (text) rc = set(s, table[i].name, text, CK_FROM_ENV, from, err);
    free(from);
  }
  for (char **e = environ; e && *e && !rc; e++)
    for (size_t i = 0; i < FAMILIES && !rc; i++)
      if (strncmp(*e, families[i].env, strlen(families[i].env)) == 0)
        rc = load_member(s, &families[i], *e, err);
  return rc;
}

/* ---- the public functions ---- */

struct ck_settings *ck_settings_load(const char *file, struct ck_err *err) {
  struct ck_settings *s = ck_zalloc(sizeof *s);
  int rc = 0;
  for (int i = 0; i < CK_SETTINGS && !rc; i++)
    rc = set(s, table[i].name, table[i].dflt, CK_FROM_DEFAULT, "default", err);
  if (!rc && file) rc = load_file(s, file, err);
  if (!rc) rc = load_env(s, err);
  if (rc) ck_settings_free(&s);
  return s;
}

void ck_settings_free(struct ck_settings **s) {
  if (!*s) return;
  for (int i = 0; i < CK_SETTINGS; i++) value_free(&(*s)->values[i]);
  for (int i = 0; i < (*s)->count; i++) {
    free((*s)->members[i].name);
    value_free(&(*s)->members[i].value);
  }
  free((*s)->members);
  free(*s);
  *s = NULL;
}

int ck_settings_flag(struct ck_settings *s, const char *name, const char *value,
                     struct ck_err *err) {
  return set(s, name, value, CK_FROM_FLAG, "flag", err);
}

int ck_settings_assign(struct ck_settings *s, const char *assignment, struct ck_err *err) {
  const char *equals = strchr(assignment, '=');
  if (!equals) return ck_fail(err, "--set %s: must be NAME=VALUE", assignment);
  char *name = ck_str_dup((struct ck_str){assignment, (size_t)(equals - assignment)});
  int rc = ck_settings_flag(s, name, equals + 1, err);
  free(name);
  return rc;
}

const char *ck_set_text(const struct ck_settings *s, enum ck_setting which) {
  return s->values[which].text;
}

int64_t ck_set_int(const struct ck_settings *s, enum ck_setting which) {
  return s->values[which].number;
}

const char *ck_set_word(const struct ck_settings *s, enum ck_setting which, int i) {
  char **w = s->values[which].words;
  while (w && *w && i > 0) w++, i--;
  return w ? *w : NULL;
}

char *const *ck_set_exec(const struct ck_settings *s, const char *name) {
  char *full = ck_sprintf(EXEC "%s", name);
  const struct member *m = member_named(s, full);
  free(full);
  return m ? m->value.words : NULL;
}

bool ck_settings_view(const struct ck_settings *s, int i, struct ck_setting_view *view) {
  if (i < 0 || i >= CK_SETTINGS + s->count) return false;
  const struct member *m = i < CK_SETTINGS ? NULL : &s->members[i - CK_SETTINGS];
  const struct value *v = m ? &m->value : &s->values[i];
  *view = (struct ck_setting_view){m ? m->name : table[i].name, v->text,
                                   m ? m->family->help : table[i].help, v->from};
  return true;
}

static void describe(struct ck_buf *b, const struct setting *d) {
  ck_buf_printf(b, "\n# %s", d->help);
  if (d->choices) ck_buf_printf(b, " (%s)", d->choices);
  bool bare = *d->dflt && !strpbrk(d->dflt, "#\"' ");
  ck_buf_printf(b, bare ? "\n# %s = %s\n" : "\n# %s = \"%s\"\n", d->name, d->dflt);
}

int ck_settings_write_default(const char *file, struct ck_err *err) {
  int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return 0;
  if (fd < 0) return ck_fail(err, "%s: %s", file, strerror(errno));
  struct ck_buf b = {0};
  ck_buf_text(&b, "# Settings of convkeep, each with its default."
                  " To change one, remove the # before its name.\n"
                  "# A flag, and the environment (CONVKEEP_D1_TOKEN_FILE for d1.token_file),"
                  " override this file.\n");
  for (int i = 0; i < CK_SETTINGS; i++) describe(&b, &table[i]);
  for (size_t i = 0; i < FAMILIES; i++)
    ck_buf_printf(&b, "\n# %s%s", families[i].help, families[i].example);
  int rc = 0;
  for (size_t at = 0; at < b.len && !rc;) {
    ssize_t n = write(fd, b.data + at, b.len - at);
    if (n > 0) at += (size_t)n;
    if (n < 0 && errno != EINTR) rc = ck_fail(err, "%s: %s", file, strerror(errno));
  }
  if (close(fd) && !rc) rc = ck_fail(err, "%s: %s", file, strerror(errno));
  /* At the next start, half a file would be taken for a whole one. */
  if (rc) unlink(file);
  ck_buf_free(&b);
  return rc;
}

char *ck_settings_mirror(const struct ck_settings *s) {
  const char *sink = ck_set_text(s, CK_SET_SYNC_SINK);
  if (strcmp(sink, "d1") == 0) return ck_sprintf("d1:%s", ck_set_text(s, CK_SET_D1_DATABASE));
  if (strcmp(sink, "postgres") != 0) return ck_strdup(sink);
  return ck_sprintf("postgres:%s:%lld/%s", ck_set_text(s, CK_SET_POSTGRES_HOST),
                    (long long)ck_set_int(s, CK_SET_POSTGRES_PORT),
                    ck_set_text(s, CK_SET_POSTGRES_DATABASE));
}
