/* See command.h. */
#include "renewd/command.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 4096

/* ---- values ---- */

/* Where the values are looked for. Both may be NULL. */
struct values {
  const json_t *payload;  /* of the target */
  const json_t *delivery; /* has the two names that are always there */
};

/* The object that is given, or that is given as text. */
static const json_t *object_of(const json_t *v, json_t **parsed) {
  if (json_is_string(v)) v = *parsed = json_loads(json_string_value(v), 0, NULL);
  return json_is_object(v) ? v : NULL;
}

/* Appends the value of {name}. -1: it has none. */
static int add_value(struct ck_buf *b, const struct values *values, const char *name) {
  bool is_own = strcmp(name, "delivery_id") == 0 || strcmp(name, "local_conversation_id") == 0;
  const json_t *v = json_object_get(is_own ? values->delivery : values->payload, name);
  if (json_is_integer(v))
    ck_buf_printf(b, "%lld", (long long)json_integer_value(v));
  else if (json_is_string(v))
    ck_buf_add(b, json_string_value(v), json_string_length(v));
  else
    return -1;
  return 0;
}

static int check_value(struct ck_str v, const char *name, struct ck_err *err) {
  if (!v.n) return ck_fail(err, "{%.100s} is empty", name);
  if (v.n > VALUE_BYTES) return ck_fail(err, "{%.100s} is longer than %d bytes", name, VALUE_BYTES);
  if (v.s[0] == '-') return ck_fail(err, "{%.100s} begins with -, as an option would", name);
  for (size_t i = 0; i < v.n; i++)
    if ((unsigned char)v.s[i] < 0x20 || v.s[i] == 0x7f)
      return ck_fail(err, "{%.100s} has a control character", name);
  return 0;
}

/* The bytes of the placeholder that text begins with; 0: none. */
static size_t placeholder_at(const char *text) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  if (*text != '{') return 0;
  size_t n = strspn(text + 1, allowed);
  return n && text[1 + n] == '}' ? n + 2 : 0;
}

static int add_placeholder(struct ck_buf *b, const char *text, size_t n,
                           const struct values *values, struct ck_err *err) {
  char *name = ck_str_dup((struct ck_str){text + 1, n - 2});
  size_t from = b->len;
  int rc = add_value(b, values, name);
  if (rc)
    ck_fail(err, "its target's payload has no text or integer {%.100s}", name);
  else
    rc = check_value((struct ck_str){b->data + from, b->len - from}, name, err);
  free(name);
  return rc;
}

/* The text with its placeholders replaced, on the heap; NULL with the reason. */
static char *filled(const char *text, const struct values *values, struct ck_err *err) {
  struct ck_buf b = {0};
  int rc = 0;
  for (size_t n; *text && rc == 0; text += n) {
    n = placeholder_at(text);
    if (n)
      rc = add_placeholder(&b, text, n, values, err);
    else
      ck_buf_add(&b, text, n = 1);
  }
  char *copy = rc ? NULL : ck_str_dup(ck_buf_view(&b));
  ck_buf_free(&b);
  return copy;
}

/* ---- the command ---- */

/* Appends a word, which the list owns then. */
static void append(char ***list, size_t *n, char *word) {
  *list = ck_realloc(*list, (*n + 2) * sizeof **list);
  (*list)[(*n)++] = word;
  (*list)[*n] = NULL;
}

/* Appends each word with its placeholders replaced. */
static int append_all(char ***list, size_t *n, char *const *words, const struct values *values,
                      struct ck_err *err) {
  for (; words && *words; words++) {
    char *word = filled(*words, values, err);
    if (!word) return -1;
    append(list, n, word);
  }
  return 0;
}

/* set: the text of the setting. A path without placeholders is its owner's own. */
static void note_given(struct renew_command *c, const char *set, const char *path) {
  size_t n = 0;
  if (*path != '/' || strcmp(set, path) == 0) return;
  while (c->given && c->given[n]) n++;
  append(&c->given, &n, ck_strdup(path));
}

/* Of NAME=VALUE. */
static const char *value_in(const char *word) { return strchr(word, '=') + 1; }

static void note_given_env(struct renew_command *c, char *const *set) {
  for (size_t i = 0; set && set[i]; i++) note_given(c, value_in(set[i]), value_in(c->env[i]));
}

static int make_folder(struct renew_command *c, const struct ck_exec *exec,
                       const struct values *values, struct ck_err *err) {
  if (!exec->folder) return 0;
  c->folder = filled(exec->folder, values, err);
  if (!c->folder) return -1;
  note_given(c, exec->folder, c->folder);
  return c->folder[0] == '/'
             ? 0
             : ck_fail(err, "its folder is not an absolute path: %.200s", c->folder);
}

static int make(struct renew_command *c, const struct ck_exec *exec, const struct values *values,
                struct ck_str payload, struct ck_err *err) {
  size_t n = 0, variables = 0;
  *c = (struct renew_command){0};
  append(&c->argv, &n, ck_strdup(exec->argv[0]));
  if (append_all(&c->argv, &n, exec->argv + 1, values, err) ||
      append_all(&c->env, &variables, exec->env, values, err) || make_folder(c, exec, values, err))
    return -1;
  note_given_env(c, exec->env);
  if (exec->input != CK_EXEC_ARGUMENT) return 0;
  if (payload.n && memchr(payload.s, '\0', payload.n))
    return ck_fail(err, "its payload has a NUL, so it cannot be an argument");
  append(&c->argv, &n, ck_str_dup(payload));
  return 0;
}

int renew_command_make(struct renew_command *c, const struct ck_exec *exec, struct ck_str delivery,
                       struct ck_str payload, struct ck_err *err) {
  json_t *letter = json_loadb(delivery.s ? delivery.s : "", delivery.n, 0, NULL), *parsed = NULL;
  const json_t *target = json_object_get(letter, "target");
  const struct values values = {object_of(json_object_get(target, "payload"), &parsed), letter};
  int rc = make(c, exec, &values, payload, err);
  json_decref(parsed);
  json_decref(letter);
  return rc;
}

static void list_free(char **list) {
  for (char **word = list; word && *word; word++) free(*word);
  free(list);
}

void renew_command_free(struct renew_command *c) {
  list_free(c->argv);
  list_free(c->env);
  list_free(c->given);
  free(c->folder);
  *c = (struct renew_command){0};
}

int renew_command_serves(const struct ck_exec *exec, struct ck_str target_payload,
                         struct ck_err *err) {
  json_t *given = json_loadb(target_payload.s ? target_payload.s : "", target_payload.n,
                             JSON_DECODE_ANY, NULL),
         *parsed = NULL,
         *always = json_pack("{s:s, s:s}", "delivery_id", "job", "local_conversation_id", "lc");
  const struct values values = {object_of(given, &parsed), always};
  struct renew_command c;
  int rc = make(&c, exec, &values, (struct ck_str){0}, err);
  renew_command_free(&c);
  json_decref(always);
  json_decref(parsed);
  json_decref(given);
  return rc;
}
