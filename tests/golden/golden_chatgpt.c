/* ChatGPT exports against a second reading of the same file: this test's own, which parses the file
 * whole and walks from current_node up by parent. It compares how many messages there are, and the
 * current branch of each conversation; and the reading itself with that of the same file when its
 * nodes stand the other way round and know no children. */
#include "tests/golden/sources.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/files/reader.h"

/* ---- what ingest reads ---- */

enum { CONVERSATIONS = 40, MESSAGES = 200 };

struct message {
  char *id, *parent, *source_id;
};

struct conversation {
  char *id, *current;
  struct message messages[MESSAGES];
  size_t count;
};

struct reading {
  struct conversation conversations[CONVERSATIONS];
  size_t count, messages, executions, failures, notes;
};

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  struct reading *r = self;
  (void)place;
  cr_assert_lt(r->count, CONVERSATIONS);
  struct conversation *k = &r->conversations[r->count++];
  *k = (struct conversation){.id = ck_str_dup(c->id), .current = ck_str_dup(c->current)};
}

static void on_end(void *self) { (void)self; }

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct reading *r = self;
  struct conversation *k = &r->conversations[r->count - 1];
  json_t *details = o->details.n ? json_loadb(o->details.s, o->details.n, 0, NULL) : NULL;
  const char *source = json_string_value(json_object_get(details, "source_id"));
  (void)place;
  cr_assert(!o->details.n || details, "details are no JSON: %.*s", (int)o->details.n, o->details.s);
  cr_assert_lt(k->count, MESSAGES);
  k->messages[k->count++] = (struct message){ck_str_dup(o->message_id), ck_str_dup(o->parent_id),
                                             source ? ck_strdup(source) : NULL};
  ++r->messages;
  r->executions += o->execution_count;
  json_decref(details);
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  (void)place;
  (void)reason;
  (void)raw;
  ++((struct reading *)self)->failures;
}

static void on_note(void *self, const char *kind, uint64_t n) {
  (void)kind;
  ((struct reading *)self)->notes += n;
}

static struct reading *read_file(const char *name, struct ck_str bytes) {
  struct reading *r = ck_zalloc(sizeof *r);
  const struct ingest_visitor visitor = {r,          on_begin, on_end, on_observation,
                                         on_failure, on_note,  NULL};
  struct ingest_reader *reader = ingest_reader_new(name, &visitor);
  ingest_reader_feed(reader, bytes.s, bytes.n);
  ingest_reader_end(reader);
  cr_expect_str_eq(ingest_reader_format(reader), "chatgpt", "%s", name);
  cr_expect_str_eq(ingest_reader_error(reader), "", "%s", name);
  ingest_reader_free(&reader);
  return r;
}

static void forget(struct reading *r) {
  for (size_t i = 0; i < r->count; ++i) {
    struct conversation *k = &r->conversations[i];
    for (size_t m = 0; m < k->count; ++m) {
      free(k->messages[m].id);
      free(k->messages[m].parent);
      free(k->messages[m].source_id);
    }
    free(k->id);
    free(k->current);
  }
  free(r);
}

/* The ids of the current branch as the file has them, from its end to its root. */
static void branch_of(struct ck_buf *b, const struct conversation *k) {
  const char *at = k->current;
  for (size_t steps = 0; *at && steps <= k->count; ++steps) {
    const struct message *m = k->messages;
    while (m < k->messages + k->count && strcmp(m->id, at) != 0) ++m;
    if (m == k->messages + k->count) return;
    ck_buf_printf(b, "%s\n", m->source_id ? m->source_id : m->id);
    at = m->parent;
  }
}

/* ---- the second reading ---- */

static const char *text_at(const json_t *object, const char *name) {
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

static void walk_up(struct ck_buf *b, const json_t *conversation) {
  const json_t *mapping = json_object_get(conversation, "mapping");
  const char *key = text_at(conversation, "current_node");
  for (size_t steps = 0; steps <= json_object_size(mapping); ++steps) {
    const json_t *node = json_object_get(mapping, key), *message = json_object_get(node, "message");
    if (json_is_object(message))
      ck_buf_printf(b, "%s\n", *text_at(message, "id") ? text_at(message, "id") : key);
    key = text_at(node, "parent");
  }
}

static size_t messages_in(const json_t *conversation) {
  const char *key;
  json_t *node;
  size_t n = 0;
  json_object_foreach(json_object_get(conversation, "mapping"), key, node) n +=
      json_is_object(json_object_get(node, "message"));
  return n;
}

/* All conversations of the file, also of arrays one after another, as one array. jansson takes no
 * half of a surrogate pair and no byte order mark. */
static json_t *parse(const char *name, struct ck_buf *bytes) {
  json_t *all = json_array();
  json_error_t e;
  size_t at = bytes->len > 3 && memcmp(bytes->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  char *half = memmem(bytes->data, bytes->len, "lone \\ud83d", 11);
  if (half) memcpy(half + 5, "\\ufffd", 6);
  while (at < bytes->len && strspn(bytes->data + at, " \r\n\t") < bytes->len - at) {
    json_t *one =
        json_loadb(bytes->data + at, bytes->len - at, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &e);
    cr_assert(one != NULL, "%s: %s", name, e.text);
    at += (size_t)e.position;
    if (json_is_array(one))
      json_array_extend(all, one);
    else
      json_array_append(all, one);
    json_decref(one);
  }
  return all;
}

static void same_branch(const char *name, const struct conversation *k, const json_t *conversation,
                        const char *expected) {
  struct ck_buf ours = {0}, theirs = {0};
  branch_of(&ours, k);
  if (expected)
    ck_buf_text(&theirs, expected);
  else
    walk_up(&theirs, conversation);
  cr_expect_str_eq(ck_buf_cstr(&ours), ck_buf_cstr(&theirs), "%s, %s", name, k->id);
  ck_buf_free(&ours);
  ck_buf_free(&theirs);
}

/* expected: the branches of the first conversations, where the file does not say them. */
static void compare(const char *name, const struct reading *r, const json_t *all,
                    const char *const *expected) {
  size_t k = 0, messages = 0;
  for (size_t i = 0; i < json_array_size(all); ++i) {
    const json_t *conversation = json_array_get(all, i);
    if (!json_is_object(json_object_get(conversation, "mapping"))) continue;
    cr_assert_lt(k, r->count, "%s: only %zu conversations", name, k);
    same_branch(name, &r->conversations[k++], conversation, *expected);
    if (*expected) ++expected;
    messages += messages_in(conversation);
  }
  cr_expect_eq(k, r->count, "%s: %zu conversations, not %zu", name, r->count, k);
  cr_expect_eq(messages, r->messages, "%s: %zu messages, not %zu", name, r->messages, messages);
}

/* ---- the other way round ---- */

static json_t *turned(const json_t *conversation) {
  json_t *copy = json_copy((json_t *)(uintptr_t)conversation), *mapping = json_object();
  json_t *old = json_object_get(conversation, "mapping"), *node;
  size_t n = json_object_size(old), i = 0;
  const char *key, **keys = ck_zalloc((n + 1) * sizeof *keys);
  json_object_foreach(old, key, node) keys[i++] = key;
  while (i--) {
    json_t *one = json_copy(json_object_get(old, keys[i]));
    json_object_del(one, "children");
    json_object_set_new(mapping, keys[i], one);
  }
  if (json_is_object(old))
    json_object_set_new(copy, "mapping", mapping);
  else
    json_decref(mapping);
  free(keys);
  return copy;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What stands between lines that begin with a blank belongs to the line above them. */
static size_t split_sorted(char *text, char ***blocks) {
  size_t n = 0;
  *blocks = ck_zalloc((strlen(text) + 1) * sizeof **blocks);
  for (char *line = text; line; line = strchr(line, '\n')) {
    if (*line == '\n') *line++ = '\0';
    if (*line == ' ')
      line[-1] = '\v';
    else
      (*blocks)[n++] = line;
  }
  qsort(*blocks, n, sizeof **blocks, by_text);
  return n;
}

static void same_turned(const char *name, struct ck_str bytes, const json_t *all) {
  struct ck_buf ours = {0}, theirs = {0};
  json_t *other = json_array();
  for (size_t i = 0; i < json_array_size(all); ++i)
    json_array_append_new(other, turned(json_array_get(all, i)));
  char *dump = json_dumps(other, JSON_COMPACT);
  sources_read(&ours, name, bytes);
  sources_read(&theirs, name, ck_str_of(dump));
  char **a, **b;
  size_t n = split_sorted((char *)(uintptr_t)ck_buf_cstr(&ours), &a),
         m = split_sorted((char *)(uintptr_t)ck_buf_cstr(&theirs), &b);
  for (size_t i = 0; i < n && i < m; ++i)
    if (strcmp(a[i], b[i]) != 0) {
      cr_expect_str_eq(b[i], a[i], "%s the other way round", name);
      break;
    }
  cr_expect_eq(n, m, "%s the other way round: %zu pieces, not %zu", name, m, n);
  free(a);
  free(b);
  free(dump);
  json_decref(other);
  ck_buf_free(&ours);
  ck_buf_free(&theirs);
}

/* ---- files ---- */

#define ID(n) "00000000-0000-4000-9000-000000000" n "\n"
static const char *const nowhere[] = {NULL}, *const cut[] = {ID("103") ID("102") ID("101"),
                                                             ID("105"), NULL};

static const struct {
  const char *path;
  size_t conversations, messages, executions, failures, notes;
  const char *const *expected;
} inputs[] = {
    {"chatgpt/realazthat-conversations.json", 1, 44, 11, 0, 0, nowhere},
    {"chatgpt/librechat-chatgpt-modern-export.json", 2, 7, 0, 1, 1, nowhere},
    {"chatgpt/polylogue-native-conversation-v1.json", 1, 8, 1, 0, 0, nowhere},
    {"cases/gpt-attachments.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-bom.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-canvas.json", 1, 4, 1, 0, 0, nowhere},
    {"cases/gpt-citations-private-use.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-code-multi-output.json", 1, 5, 2, 0, 0, nowhere},
    {"cases/gpt-concatenated.json", 2, 4, 0, 0, 0, nowhere},
    {"cases/gpt-crlf.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-cycle-nullcurrent-nulltitle.json", 3, 5, 0, 0, 5, cut},
    {"cases/gpt-dalle.json", 1, 4, 1, 0, 0, nowhere},
    {"cases/gpt-dup-msgid-in-conv.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-live-api.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-live-no-id.json", 1, 2, 0, 0, 1, nowhere},
    {"cases/gpt-new-content-types.json", 1, 5, 0, 0, 3, nowhere},
    {"cases/gpt-null-times-order.json", 1, 6, 0, 0, 5, nowhere},
    {"cases/gpt-one-bad-between.json", 2, 4, 0, 3, 0, nowhere},
    {"cases/gpt-parallel-calls.json", 1, 5, 2, 0, 0, nowhere},
    {"cases/gpt-project.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-shard-000.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-shard-001.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/gpt-text-horrors.json", 1, 9, 0, 0, 1, nowhere},
    {"cases/gpt-thoughts-deep-research.json", 1, 5, 1, 0, 0, nowhere},
    {"cases/gpt-time-extreme.json", 5, 10, 0, 0, 8, nowhere},
    {"cases/gpt-time-ms.json", 2, 4, 0, 0, 0, nowhere},
    {"cases/gpt-time-string.json", 2, 4, 0, 0, 0, nowhere},
    {"cases/gpt-times-run-back.json", 1, 4, 0, 0, 0, nowhere},
    {"cases/gpt-voice.json", 1, 2, 0, 0, 0, nowhere},
    {"cases/grow-1.json", 1, 4, 0, 0, 0, nowhere},
    {"cases/grow-2-append-rename.json", 1, 5, 0, 0, 0, nowhere},
    {"cases/grow-3-only-rename.json", 1, 4, 0, 0, 0, nowhere},
    {"cases/grow-4-text-edited.json", 1, 4, 0, 0, 0, nowhere},
    {"cases/grow-5-newer.json", 1, 5, 0, 0, 0, nowhere},
};

static void check_input(size_t i, struct ck_buf *bytes) {
  const char *name = inputs[i].path;
  struct reading *r = read_file(name, ck_buf_view(bytes));
  json_t *all = parse(name, bytes);
  cr_expect(r->count == inputs[i].conversations && r->messages == inputs[i].messages &&
                r->executions == inputs[i].executions && r->failures == inputs[i].failures &&
                r->notes == inputs[i].notes,
            "%s: %zu conversations, %zu messages, %zu executions, %zu failures, %zu notes", name,
            r->count, r->messages, r->executions, r->failures, r->notes);
  compare(name, r, all, inputs[i].expected);
  same_turned(name, ck_buf_view(bytes), all);
  json_decref(all);
  forget(r);
}

Test(golden_chatgpt, files_of_others, .timeout = 60) {
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; ++i) {
    struct ck_buf bytes = {0};
    if (sources_load_input(&bytes, inputs[i].path))
      check_input(i, &bytes);
    else
      fprintf(stderr, "../shared/inputs/%s is not there: left out\n", inputs[i].path);
    ck_buf_free(&bytes);
  }
}

/* Own files. The second reading knows nothing of forks, and of what a file does not say. */
Test(golden_chatgpt, own_files, .timeout = 60) {
  static const char *const names[] = {
      "chatgpt-branches.json",  "chatgpt-tools.json", "chatgpt-kinds.json", "chatgpt-files.json",
      "chatgpt-citations.json", "chatgpt-times.json", "chatgpt-flags.json", "chatgpt-broken.json",
      "chatgpt-forks.json",     "chatgpt-live.json",  "chatgpt-trunk.json"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    struct ck_buf bytes = {0};
    cr_assert(sources_load(&bytes, names[i]), "%s is not there", names[i]);
    json_t *all = parse(names[i], &bytes);
    struct reading *r = read_file(names[i], ck_buf_view(&bytes));
    if (i < 7) compare(names[i], r, all, nowhere);
    same_turned(names[i], ck_buf_view(&bytes), all);
    forget(r);
    json_decref(all);
    ck_buf_free(&bytes);
  }
}
