/* The settings: their values, the four places where they come from. */
#include "proto/settings_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/near.h"
#include "proto/zpl.h"

/* ---- the table ---- */

struct setting {
  const char *name, *dflt;
  struct ck_setting_rule rule;
  const char *help;
};

#define CK_S(ENUM, name, type, dflt, min, max, choices, help) \
  {name, dflt, {CK_TYPE_##type, INT64_C(min), INT64_C(max), choices}, help},
static const struct setting table[CK_SETTINGS] = {CK_SETTING_LIST(CK_S)};
#undef CK_S

/* Settings in whose name somebody chooses a part: BEFORE NAME AFTER. */
struct family {
  const char *before, *after; /* "renew.exec." and ".timeout" */
  const char *env, *env_after;
  struct ck_setting_rule rule;
  const char *help, *example;
};

#define EXEC "renew.exec."
#define EXEC_ENV "CONVKEEP_RENEW_EXEC_"

/* One that has nothing after the name comes after those whose names end in something. */
static const struct family families[] = {
    {EXEC,
     ".timeout",
     EXEC_ENV,
     "__TIMEOUT",
     {.type = CK_TYPE_DURATION, 10, 86400000, NULL},
     "how long the program may run; else renew.timeout",
     "30min"},
    {EXEC,
     ".folder",
     EXEC_ENV,
     "__FOLDER",
     {.type = CK_TYPE_TEXT},
     "its working directory, which may have {placeholders}; else the data folder",
     "\"{cwd}\""},
    {EXEC,
     ".env",
     EXEC_ENV,
     "__ENV",
     {.type = CK_TYPE_ENV},
     "what its environment has besides: words NAME=VALUE, which may have {placeholders}",
     "CLAUDE_CONFIG_DIR={home}"},
    {EXEC,
     ".input",
     EXEC_ENV,
     "__INPUT",
     {.type = CK_TYPE_CHOICE, .choices = CK_EXEC_INPUTS},
     "what it gets: the delivery as a line of JSON, or the payload alone, on its standard input;\n"
     "# nothing; or the payload as its last argument (" CK_EXEC_INPUTS ")",
     "payload"},
    {EXEC,
     "",
     EXEC_ENV,
     "",
     {.type = CK_TYPE_PROGRAM},
     "the argv that a target of kind exec and this id runs; \"double quotes\" around a word with\n"
     "# blanks; {session_id} and others stand for members of the target's payload",
     "/path/to/program \"an argument\""},
    {CK_WATCH,
     "",
     "CONVKEEP_WATCH_",
     "",
     {.type = CK_TYPE_FOLDER},
     "a folder whose logs are followed while ingest.watch is on; claude, codex and codex_archived\n"
     "# stand for where these programs keep their sessions, unless they are set",
     "/path/to/folder"}};
#define FAMILIES (sizeof families / sizeof *families)

/* One of them. */
struct member {
  const struct family *family;
  char *name; /* in full: renew.exec.NAME */
  struct ck_setting_value value;
};

struct ck_settings {
  struct ck_setting_value values[CK_SETTINGS];
  struct member *members;
  int count;
};

/* ---- names ---- */

static int setting_named(const char *name) {
  int i = 0;
  while (i < CK_SETTINGS && strcmp(table[i].name, name) != 0) i++;
  return i;
}

/* True if the name is the family's, and the part that is chosen is allowed. */
static bool is_of_family(const struct family *f, const char *name) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  size_t n = strlen(f->before), chosen;
  if (strncmp(name, f->before, n) != 0) return false;
  chosen = strspn(name + n, allowed);
  return chosen && strcmp(name + n + chosen, f->after) == 0;
}

static const struct family *family_of(const char *name) {
  for (size_t i = 0; i < FAMILIES; i++)
    if (is_of_family(&families[i], name)) return &families[i];
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
  struct ck_setting_value v = {.source = source}, *old;
  int which = setting_named(name), rc;
  const struct family *family = which == CK_SETTINGS ? family_of(name) : NULL;
  if (which == CK_SETTINGS && !family) return unknown(name, from, err);
  rc = ck_setting_value_parse(&v, family ? &family->rule : &table[which].rule, text, err);
  if (rc) return ck_fail_in(err, "%s: %s", from, name);
  if (family) {
    struct member *m = member_named(s, name);
    old = m ? &m->value : &member_add(s, family, name)->value;
  } else {
    old = &s->values[which];
  }
  v.from = ck_strdup(from);
  ck_setting_value_free(old);
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
  const struct ck_setting_value *v = m ? &m->value : which < CK_SETTINGS ? &s->values[which] : NULL;
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

/* Of the variable's name, the part that is chosen; of no length if it is not the family's. */
static struct ck_str chosen_in(const struct family *f, struct ck_str variable) {
  size_t before = strlen(f->env), after = strlen(f->env_after);
  bool is_its = ck_str_starts(variable, f->env) && variable.n > before + after &&
                ck_str_ends(variable, f->env_after);
  return is_its ? (struct ck_str){variable.s + before, variable.n - before - after}
                : (struct ck_str){0};
}

/* CONVKEEP_RENEW_EXEC_NAME=argv and the like, for any NAME. 0 also if it is nothing of the kind. */
static int load_member(struct ck_settings *s, const char *entry, struct ck_err *err) {
  const char *equals = strchr(entry, '=');
  struct ck_str variable = {entry, equals ? (size_t)(equals - entry) : 0}, chosen = {0};
  size_t i = 0;
  while (i < FAMILIES && !(chosen = chosen_in(&families[i], variable)).n) i++;
  if (i == FAMILIES) return 0;
  char *from = ck_str_dup(variable);
  char *name =
      ck_sprintf("%s%.*s%s", families[i].before, (int)chosen.n, chosen.s, families[i].after);
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
  for (char **e = environ; e && *e && !rc; e++) rc = load_member(s, *e, err);
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
  for (int i = 0; i < CK_SETTINGS; i++) ck_setting_value_free(&(*s)->values[i]);
  for (int i = 0; i < (*s)->count; i++) {
    free((*s)->members[i].name);
    ck_setting_value_free(&(*s)->members[i].value);
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

/* NULL: it is not set. */
static const struct ck_setting_value *exec_value(const struct ck_settings *s, const char *name,
                                                 const char *after) {
  char *full = ck_sprintf(EXEC "%s%s", name, after);
  const struct member *m = member_named(s, full);
  free(full);
  return m ? &m->value : NULL;
}

bool ck_set_exec(const struct ck_settings *s, const char *name, struct ck_exec *exec) {
  const struct ck_setting_value *argv = exec_value(s, name, ""),
                                *timeout = exec_value(s, name, ".timeout"),
                                *folder = exec_value(s, name, ".folder"),
                                *env = exec_value(s, name, ".env"),
                                *input = exec_value(s, name, ".input");
  if (!argv) return false;
  *exec = (struct ck_exec){
      .argv = argv->words,
      .env = env ? env->words : NULL,
      .folder = folder && folder->text[0] ? folder->text : NULL,
      .timeout = timeout ? timeout->number : ck_set_int(s, CK_SET_RENEW_TIMEOUT),
      .input = input ? (enum ck_exec_input)input->number : CK_EXEC_DELIVERY,
  };
  return true;
}

bool ck_set_has_exec(const struct ck_settings *s) {
  for (int i = 0; i < s->count; i++)
    if (s->members[i].family->rule.type == CK_TYPE_PROGRAM) return true;
  return false;
}

bool ck_settings_view(const struct ck_settings *s, int i, struct ck_setting_view *view) {
  if (i < 0 || i >= CK_SETTINGS + s->count) return false;
  const struct member *m = i < CK_SETTINGS ? NULL : &s->members[i - CK_SETTINGS];
  const struct ck_setting_value *v = m ? &m->value : &s->values[i];
  *view = (struct ck_setting_view){m ? m->name : table[i].name, v->text,
                                   m ? m->family->help : table[i].help, v->from};
  return true;
}

static void describe(struct ck_buf *b, const struct setting *d) {
  ck_buf_printf(b, "\n# %s", d->help);
  if (d->rule.choices) ck_buf_printf(b, " (%s)", d->rule.choices);
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
    ck_buf_printf(&b, "\n# %s\n# %sNAME%s = %s\n", families[i].help, families[i].before,
                  families[i].after, families[i].example);
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

bool ck_settings_has_sink(const struct ck_settings *s, const char *sink) {
  const char *one;
  for (int i = 0; (one = ck_set_word(s, CK_SET_SYNC_SINKS, i)); i++)
    if (strcmp(one, sink) == 0) return true;
  return false;
}

const char *ck_settings_sink(const struct ck_settings *s, struct ck_err *err) {
  if (!ck_set_word(s, CK_SET_SYNC_SINKS, 1)) return ck_set_word(s, CK_SET_SYNC_SINKS, 0);
  ck_fail(err, "sync.sinks: a syncd serves one of them (%s); name it, as with --set sync.sinks=%s",
          ck_set_text(s, CK_SET_SYNC_SINKS), ck_set_word(s, CK_SET_SYNC_SINKS, 0));
  return NULL;
}

char *ck_settings_mirror(const struct ck_settings *s, const char *sink) {
  if (strcmp(sink, "d1") == 0) return ck_sprintf("d1:%s", ck_set_text(s, CK_SET_D1_DATABASE));
  if (strcmp(sink, "postgres") != 0) return ck_strdup(sink);
  return ck_sprintf("postgres:%s:%lld/%s", ck_set_text(s, CK_SET_POSTGRES_HOST),
                    (long long)ck_set_int(s, CK_SET_POSTGRES_PORT),
                    ck_set_text(s, CK_SET_POSTGRES_DATABASE));
}
