/* Threads of Codex; see script.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/script.h"
#include "tests/harness/base.h"

static void item(struct script *s, const char *word, const char *payload) {
  script_line(s, word, "{\"timestamp\":\"%s\",\"type\":\"response_item\",\"payload\":%s}",
              script_time(s), payload);
}

static void event(struct script *s, const char *payload) {
  script_line(s, "", "{\"timestamp\":\"%s\",\"type\":\"event_msg\",\"payload\":%s}", script_time(s),
              payload);
}

static char *made(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *made(const char *fmt, ...) {
  static char *text[4];
  static unsigned at;
  va_list args;
  char **one = &text[at++ % 4];
  free(*one);
  va_start(args, fmt);
  T_CHECK(vasprintf(one, fmt, args) >= 0, "no memory");
  va_end(args);
  return *one;
}

static void meta(struct script *s, const char *id, const char *more) {
  script_line(s, "",
              "{\"timestamp\":\"%s\",\"type\":\"session_meta\",\"payload\":{\"id\":\"%s\","
              "\"timestamp\":\"2026-10-01T09:00:00.000Z\",\"cwd\":\"/work/%u\","
              "\"originator\":\"codex_cli_rs\",\"cli_version\":\"0.146.0\","
              "\"model_provider\":\"openai\",\"git\":{\"branch\":\"main\"}%s}}",
              script_time(s), id, s->number % 5, more);
}

static void context(struct script *s, unsigned turn) {
  script_line(s, "",
              "{\"timestamp\":\"%s\",\"type\":\"turn_context\",\"payload\":{\"turn_id\":"
              "\"%08x-2000-7000-8000-%012x\",\"cwd\":\"/work/%u\",\"model\":\"gpt-5.6\","
              "\"approval_policy\":\"on-request\"}}",
              script_time(s), s->number, turn, s->number % 5);
}

static void ask(struct script *s) {
  const char *word = script_word(s), *filler = t_random_below(2) ? "" : script_filler();
  item(s, word,
       made("{\"type\":\"message\",\"role\":\"user\",\"id\":\"msg_%u_%u\",\"content\":"
            "[{\"type\":\"input_text\",\"text\":\"Question %s. %s\"}]}",
            s->number, ++s->serial, word, filler));
  event(s, made("{\"type\":\"user_message\",\"message\":\"Question %s. %s\",\"images\":[]}", word,
                filler));
}

static void work(struct script *s) {
  unsigned n = ++s->serial;
  item(s, "",
       made("{\"type\":\"reasoning\",\"id\":\"rs_%u_%u\",\"summary\":[{\"type\":\"summary_text\","
            "\"text\":\"Count the teeth.\"}],\"encrypted_content\":\"x\"}",
            s->number, n));
  item(s, "",
       made("{\"type\":\"function_call\",\"id\":\"fc_%u_%u\",\"name\":\"exec_command\","
            "\"arguments\":\"{\\\"cmd\\\":\\\"wc\\\"}\",\"call_id\":\"call_%u_%u\"}",
            s->number, n, s->number, n));
  item(s, "",
       made("{\"type\":\"function_call_output\",\"call_id\":\"call_%u_%u\",\"output\":"
            "\"Process exited with code 0\\nOutput:\\n%s\\n\"}",
            s->number, n, script_filler()));
  event(s, "{\"type\":\"token_count\",\"info\":{\"last_token_usage\":{\"input_tokens\":10,"
           "\"output_tokens\":5}}}");
}

static void answer(struct script *s) {
  const char *word = script_word(s), *filler = script_filler();
  item(s, word,
       made("{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"msg_%u_%u\",\"content\":"
            "[{\"type\":\"output_text\",\"text\":\"There are %s. %s\"}]}",
            s->number, ++s->serial, word, filler));
  event(s, made("{\"type\":\"agent_message\",\"message\":\"There are %s. %s\"}", word, filler));
}

/* All that was said comes again in one line. */
static void compact(struct script *s) {
  script_line(s, "",
              "{\"timestamp\":\"%s\",\"type\":\"compacted\",\"payload\":{\"message\":\"\","
              "\"replacement_history\":[{\"type\":\"message\",\"role\":\"user\",\"content\":"
              "[{\"type\":\"input_text\",\"text\":\"%s\"}]}]}}",
              script_time(s), script_filler());
  event(s, "{\"type\":\"context_compacted\"}");
}

static void turn(struct script *s, unsigned n) {
  context(s, n);
  event(s, made("{\"type\":\"task_started\",\"turn_id\":\"%08x-2000-7000-8000-%012x\"}", s->number,
                n));
  ask(s);
  for (uint64_t i = t_random_below(3); i; --i) work(s);
  answer(s);
  event(s, made("{\"type\":\"task_complete\",\"turn_id\":\"%08x-2000-7000-8000-%012x\"}", s->number,
                n));
  if (!t_random_below(4))
    event(s, made("{\"type\":\"thread_name_updated\",\"thread_id\":\"%s\",\"thread_name\":"
                  "\"Teeth %u\"}",
                  s->id, n));
  if (!t_random_below(4)) compact(s);
}

/* The turns that a fork begins with, with new times. */
static void copy(struct script *s, const struct script *of) {
  size_t first = of->lines[0].end;
  meta(s, of->id, "");
  for (size_t i = 1, from = first; i < of->half; from = of->lines[i++].end) {
    char *line = ck_str_dup((struct ck_str){of->text.data + from, of->lines[i].end - from - 1});
    char *at = strstr(line, "2026-");
    if (!strstr(line, "\"event_msg\"") && at) {
      memcpy(at, script_time(s), 24);
      script_line(s, "", "%s", line);
    }
    free(line);
  }
}

void script_codex(struct script *s, unsigned number, unsigned turns, const struct script *of,
                  bool is_agent) {
  script_begin(s, number, true);
  snprintf(s->id, sizeof s->id, "%08x-0000-7000-8000-00000000000c", number);
  snprintf(s->name, sizeof s->name, "rollout-2026-10-%02uT09-00-%02u-%s.jsonl",
           number / 60 % 28 + 1, number % 60, s->id);
  snprintf(s->folder, sizeof s->folder, ".codex/sessions/2026/10/%02u", number / 60 % 28 + 1);
  snprintf(s->conversation, sizeof s->conversation, "codex:%s", s->id);
  if (!of)
    meta(s, s->id, ",\"source\":\"cli\"");
  else if (is_agent)
    meta(s, s->id,
         made(",\"source\":{\"subagent\":{\"thread_spawn\":{\"parent_thread_id\":\"%s\","
              "\"depth\":1}}},\"parent_thread_id\":\"%s\"",
              of->id, of->id));
  else
    meta(s, s->id, made(",\"source\":\"cli\",\"forked_from_id\":\"%s\"", of->id));
  if (of && !is_agent) copy(s, of);
  s->after = of;
  s->after_line = of ? of->half : 0;
  for (unsigned i = 0; i < turns; ++i) {
    if (i == (turns + 1) / 2) s->half = s->count;
    turn(s, i);
  }
}
