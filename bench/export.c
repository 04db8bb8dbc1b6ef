/* Writes a synthetic ChatGPT data export (conversations.json) of about MIB MiB.
 * usage: export FILE MIB       many conversations
 *        export FILE MIB one   one conversation
 *
 * Like real exports it is a single line. Most conversations have some dozens of messages, every
 * 40th has 2 MiB. They contain prose in several scripts, code, tool calls with results, and hidden
 * system messages. The same size always gives the same file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common.h"
#include "proto/random.h"

#define BIG_EVERY 40
#define BIG_BYTES (2u << 20)
#define FLUSH_BYTES (1u << 20)

/* Text as JSON source: real exports have both escapes and plain UTF-8. */
static const char *const prose[] = {
    "The quick answer is that it depends on what you measure, and when. ",
    "Let me go through this step by step, starting from the assumptions.\\n\\n",
    "Die Gr\\u00f6\\u00dfe des Puffers \\u00e4ndert daran nichts; entscheidend ist die "
    "Reihenfolge. ",
    "\xe3\x81\x93\xe3\x81\xae\xe6\x96\xb9\xe6\xb3\x95\xe3\x81\xaf\xe7\xb0\xa1\xe5\x8d\x98\xe3\x81"
    "\xa7\xe3\x81\x99\xe3\x81\x8c\xe3\x80\x81\xe9\x81\x85\xe3\x81\x84\xe3\x81\xa7\xe3\x81\x99\xe3"
    "\x80\x82",
    "\\u042d\\u0442\\u043e \\u043f\\u0440\\u0430\\u0432\\u0434\\u0430, \\u043d\\u043e "
    "\\u043d\\u0435 \\u0432\\u0441\\u044f. ",
    "\xd9\x87\xd8\xb0\xd8\xa7 \xd8\xb5\xd8\xad\xd9\x8a\xd8\xad \xd9\x81\xd9\x8a "
    "\xd9\x85\xd8\xb9\xd8\xb8\xd9\x85 \xd8\xa7\xd9\x84\xd8\xad\xd8\xa7\xd9\x84\xd8\xa7\xd8\xaa. ",
    "That works \\ud83d\\ude80 \xf0\x9f\x91\x8d, but mind the \\\"edge\\\" cases: empty input, one "
    "element, and a path like C:\\\\temp\\\\x. ",
    "```python\\ndef mean(values):\\n    return sum(values) / len(values) if values else "
    "0.0\\n\\nprint(mean([1, 2, 3]))\\n```\\n",
    "```c\\nfor (size_t i = 0; i < n; ++i)\\n\\tif (a[i] > a[i + 1]) swap(&a[i], &a[i + "
    "1]);\\n```\\n",
    "| input | result |\\n|---|---|\\n| 1 | 0.333 |\\n| 2 | 0.667 |\\n\\n\\\\[ E[|x-y|] = "
    "\\\\int_0^1\\\\int_0^1 |x-y|\\\\,dx\\\\,dy = \\\\frac{1}{3} \\\\]\\n",
};

struct export {
  FILE *file;
  struct ck_buf out;
  struct ck_random random;
  uint64_t written, nodes;
  double at; /* seconds since the epoch */
};

static uint64_t next(struct export *e) { return ck_random_next(&e->random); }

static void flush(struct export *e) {
  e->written += e->out.len;
  if (e->out.len && fwrite(e->out.data, 1, e->out.len, e->file) != e->out.len)
    bench_fail("the export cannot be written");
  ck_buf_clear(&e->out);
}

struct id {
  char text[40];
};

static struct id make_id(struct export *e) {
  struct id id;
  uint64_t a = next(e), b = next(e);
  snprintf(id.text, sizeof id.text, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32),
           (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(b >> 52),
           (unsigned long long)(b & 0xffffffffffff));
  return id;
}

static void put_text(struct export *e, size_t bytes) {
  size_t end = e->out.len + bytes;
  while (e->out.len < end) ck_buf_text(&e->out, prose[next(e) % (sizeof prose / sizeof *prose)]);
}

/* The messages of a turn: author, recipient and kind of content. */
static const struct kind {
  const char *role, *name, *recipient, *before, *after;
  size_t share; /* of the requested length, in percent */
} kinds[] = {
    {"user", "null", "all", "{\"content_type\":\"text\",\"parts\":[\"", "\"]}", 40},
    {"assistant", "null", "all", "{\"content_type\":\"text\",\"parts\":[\"", "\"]}", 160},
    {"user", "null", "all", "{\"content_type\":\"text\",\"parts\":[\"", "\"]}", 40},
    {"assistant", "null", "python",
     "{\"content_type\":\"code\",\"language\":\"unknown\",\"text\":\"", "\"}", 60},
    {"tool", "\"python\"", "all", "{\"content_type\":\"execution_output\",\"text\":\"", "\"}", 60},
    {"assistant", "null", "all", "{\"content_type\":\"text\",\"parts\":[\"", "\"]}", 160},
};

static void put_node(struct export *e, const struct id *id, const struct id *parent,
                     const struct id *child, const struct kind *k, size_t bytes) {
  struct ck_buf *b = &e->out;
  e->at += 20 + (double)(next(e) % 600) / 10;
  ck_buf_printf(b,
                ", \"%s\": {\"id\": \"%s\", \"message\": {\"id\": \"%s\", \"author\": {\"role\": "
                "\"%s\", \"name\": %s, \"metadata\": {}}, ",
                id->text, id->text, id->text, k->role, k->name);
  ck_buf_printf(b, "\"create_time\": %.6f, \"update_time\": null, \"content\": %s", e->at,
                k->before);
  put_text(e, 1 + bytes * k->share / 100);
  ck_buf_printf(b,
                "%s, \"status\": \"finished_successfully\", \"end_turn\": null, \"weight\": 1.0, "
                "\"metadata\": {\"is_complete\": true, \"model_slug\": \"gpt-4\", "
                "\"parent_id\": \"%s\", \"timestamp_\": \"absolute\"}, \"recipient\": \"%s\", "
                "\"channel\": null}, \"parent\": \"%s\", \"children\": [",
                k->after, parent->text, k->recipient, parent->text);
  if (child) ck_buf_printf(b, "\"%s\"", child->text);
  ck_buf_text(b, "]}");
  ++e->nodes;
}

/* The root and the hidden, empty system message that every conversation starts with. */
static void put_head(struct export *e, const struct id *root, const struct id *hidden,
                     const struct id *first) {
  ck_buf_printf(
      &e->out,
      "\"%s\": {\"id\": \"%s\", \"message\": null, \"parent\": null, \"children\": [\"%s\"]}",
      root->text, root->text, hidden->text);
  ck_buf_printf(&e->out,
                ", \"%s\": {\"id\": \"%s\", \"message\": {\"id\": \"%s\", \"author\": {\"role\": "
                "\"system\", \"name\": null, \"metadata\": {}}, \"create_time\": null, "
                "\"update_time\": null, \"content\": {\"content_type\": \"text\", \"parts\": "
                "[\"\"]}, \"status\": \"finished_successfully\", \"end_turn\": true, "
                "\"weight\": 0.0, \"metadata\": {\"is_visually_hidden_from_conversation\": true}, "
                "\"recipient\": \"all\", \"channel\": null}, \"parent\": \"%s\", "
                "\"children\": [\"%s\"]}",
                hidden->text, hidden->text, hidden->text, root->text, first->text);
  ++e->nodes;
}

/* most: its bytes, if it is a big one; else 0. */
static void put_conversation(struct export *e, uint64_t number, size_t most) {
  bool big = most > 0;
  size_t messages = big ? SIZE_MAX : 6 + next(e) % 55, began = e->out.len;
  struct id conversation = make_id(e), parent = make_id(e), hidden = make_id(e), id = make_id(e);
  e->at = 1.7e9 + (double)number * 7200;
  ck_buf_printf(&e->out,
                "%s{\"title\": \"Conversation %llu \\u2014 %s\", \"create_time\": %.6f, "
                "\"update_time\": %.6f, \"mapping\": {",
                number ? ", " : "", (unsigned long long)number,
                big ? "a long one" : "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", e->at, e->at + 7000);
  put_head(e, &parent, &hidden, &id);
  parent = hidden;
  for (size_t i = 0;; ++i) {
    bool last = i + 1 >= messages || (big && e->out.len - began > most);
    struct id child = make_id(e);
    size_t bytes = 200 + next(e) % 1500 + (next(e) % 12 == 0 ? 5000 : 0);
    put_node(e, &id, &parent, last ? NULL : &child, &kinds[i % (sizeof kinds / sizeof *kinds)],
             bytes);
    if (last) break;
    parent = id;
    id = child;
  }
  ck_buf_printf(
      &e->out,
      "}, \"moderation_results\": [], \"current_node\": \"%s\", \"plugin_ids\": null, "
      "\"conversation_id\": \"%s\", \"gizmo_id\": null, \"is_archived\": false, "
      "\"safe_urls\": [], \"default_model_slug\": \"gpt-4\", \"voice\": null, \"id\": \"%s\"}",
      id.text, conversation.text, conversation.text);
  if (e->out.len > FLUSH_BYTES) flush(e);
}

int main(int argc, char **argv) {
  struct export e = {.random = {0}};
  uint64_t wanted = argc >= 3 ? strtoull(argv[2], NULL, 10) << 20 : 0, conversations = 0;
  bool one = argc == 4 && strcmp(argv[3], "one") == 0;
  if (!wanted || argc > 4 || (argc == 4 && !one)) bench_fail("export FILE MIB [one]");
  if (!(e.file = fopen(argv[1], "we"))) bench_fail("%s: cannot be written", argv[1]);
  ck_buf_text(&e.out, "[");
  while (e.written + e.out.len < wanted) {
    bool big = conversations % BIG_EVERY == BIG_EVERY - 1;
    put_conversation(&e, conversations++, one ? wanted : big ? BIG_BYTES : 0);
  }
  ck_buf_text(&e.out, "]");
  flush(&e);
  if (fclose(e.file)) bench_fail("%s: cannot be written", argv[1]);
  printf("%llu %llu\n", (unsigned long long)conversations, (unsigned long long)e.nodes);
  ck_buf_free(&e.out);
  return 0;
}
