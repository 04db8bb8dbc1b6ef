/* Sessions of Claude Code; see script.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/script.h"
#include "tests/harness/base.h"

/* The beginning of a line that has a place in the session, up to its message. */
static const char *head(struct script *s, const char *type) {
  static char text[600];
  char above[64] = "null", id[48];
  if (*s->above) snprintf(above, sizeof above, "\"%s\"", s->above);
  snprintf(id, sizeof id, "%08x-1000-4000-8000-%012x", s->number, ++s->serial);
  snprintf(text, sizeof text,
           "{\"parentUuid\":%s,\"isSidechain\":%s,\"userType\":\"external\",\"cwd\":\"/work/%u\","
           "\"sessionId\":\"%s\",\"version\":\"2.1.150\",\"gitBranch\":\"main\",\"type\":\"%s\","
           "\"uuid\":\"%s\",\"timestamp\":\"%s\"",
           above, strstr(s->name, "agent-") ? "true" : "false", s->number % 5, s->id, type, id,
           script_time(s));
  memcpy(s->above, id, sizeof id);
  return text;
}

/* The end of a subagent's line says whose it is. */
static const char *tail(const struct script *s) {
  static char text[48];
  snprintf(text, sizeof text, strstr(s->name, "agent-") ? ",\"agentId\":\"a%05u\"}" : "}",
           s->number);
  return text;
}

static void ask(struct script *s) {
  const char *word = script_word(s);
  if (!t_random_below(3))
    script_line(s, "",
                "{\"type\":\"file-history-snapshot\",\"messageId\":\"x\",\"snapshot\":{\"n\":%u},"
                "\"isSnapshotUpdate\":false}",
                s->serial);
  script_line(s, word, "%s,\"message\":{\"role\":\"user\",\"content\":\"Question %s. %s\"}%s",
              head(s, "user"), word, t_random_below(2) ? "" : script_filler(), tail(s));
}

/* One answer in three lines: what was thought, what is said, a call; and the call's result. */
static void work(struct script *s) {
  const char *word = script_word(s), *filler = script_filler();
  unsigned n = s->serial;
  script_line(s, "",
              "%s,\"message\":{\"id\":\"msg_%u_%u\",\"type\":\"message\",\"role\":\"assistant\","
              "\"model\":\"claude-opus-4-8\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
              "\"Count them.\",\"signature\":\"x\"}],\"usage\":{\"output_tokens\":3}}%s",
              head(s, "assistant"), s->number, n, tail(s));
  script_line(s, word,
              "%s,\"message\":{\"id\":\"msg_%u_%u\",\"type\":\"message\",\"role\":\"assistant\","
              "\"model\":\"claude-opus-4-8\",\"content\":[{\"type\":\"text\",\"text\":"
              "\"I look at %s.\"}],\"usage\":{\"output_tokens\":9}}%s",
              head(s, "assistant"), s->number, n, word, tail(s));
  script_line(s, "",
              "%s,\"message\":{\"id\":\"msg_%u_%u\",\"type\":\"message\",\"role\":\"assistant\","
              "\"model\":\"claude-opus-4-8\",\"content\":[{\"type\":\"tool_use\",\"id\":"
              "\"toolu_%u_%u\",\"name\":\"Bash\",\"input\":{\"command\":\"cat gears\"}}],"
              "\"usage\":{\"output_tokens\":27}}%s",
              head(s, "assistant"), s->number, n, s->number, n, tail(s));
  for (uint64_t i = t_random_below(3); i; --i)
    script_line(s, "",
                "%s,\"data\":{\"type\":\"bash_progress\",\"output\":\"%s\"},"
                "\"toolUseID\":\"toolu_%u_%u\"%s",
                head(s, "progress"), filler, s->number, n, tail(s));
  script_line(s, "",
              "%s,\"message\":{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
              "\"tool_use_id\":\"toolu_%u_%u\",\"content\":\"%s\",\"is_error\":false}]},"
              "\"toolUseResult\":{\"stdout\":\"%s\",\"stderr\":\"\",\"interrupted\":false}%s",
              head(s, "user"), s->number, n, filler, filler, tail(s));
}

static void answer(struct script *s) {
  const char *word = script_word(s);
  script_line(s, word,
              "%s,\"message\":{\"id\":\"msg_%u_%u\",\"type\":\"message\",\"role\":\"assistant\","
              "\"model\":\"claude-opus-4-8\",\"content\":[{\"type\":\"text\",\"text\":"
              "\"Tooth 7, as %s says. %s\"}],\"stop_reason\":\"end_turn\","
              "\"usage\":{\"input_tokens\":5,\"output_tokens\":20}}%s",
              head(s, "assistant"), s->number, s->serial, word, script_filler(), tail(s));
}

static void queue(struct script *s) {
  script_line(s, "",
              "{\"type\":\"queue-operation\",\"operation\":\"enqueue\",\"timestamp\":\"%s\","
              "\"sessionId\":\"%s\",\"content\":\"And make it quick, %u.\"}",
              script_time(s), s->id, s->serial);
  script_line(s, "",
              "%s,\"attachment\":{\"type\":\"queued_command\",\"prompt\":"
              "\"And make it quick, %u.\",\"commandMode\":\"prompt\"}}",
              head(s, "attachment"), s->serial - 1);
}

static void compact(struct script *s) {
  char before[48];
  memcpy(before, s->above, sizeof before);
  *s->above = '\0';
  script_line(s, "",
              "%s,\"subtype\":\"compact_boundary\",\"content\":\"Conversation compacted\","
              "\"logicalParentUuid\":\"%s\",\"compactMetadata\":{\"trigger\":\"auto\"}}",
              head(s, "system"), before);
  script_line(s, "",
              "%s,\"message\":{\"role\":\"user\",\"content\":\"This session is being continued. "
              "%s\"},\"isCompactSummary\":true,\"isVisibleInTranscriptOnly\":true}",
              head(s, "user"), script_filler());
}

static void say_title(struct script *s) {
  static const char *const kinds[][2] = {{"custom-title", "customTitle"}, {"ai-title", "aiTitle"}};
  const char *const *kind = kinds[t_random_below(2)];
  script_line(s, "", "{\"type\":\"%s\",\"sessionId\":\"%s\",\"%s\":\"Gears %u\"}", kind[0], s->id,
              kind[1], s->serial);
}

/* A subagent is asked, which has the next number, and answers. */
static void delegate(struct script *s) {
  unsigned n = s->serial;
  script_line(s, "",
              "%s,\"message\":{\"id\":\"msg_%u_%u\",\"type\":\"message\",\"role\":\"assistant\","
              "\"model\":\"claude-opus-4-8\",\"content\":[{\"type\":\"tool_use\",\"id\":"
              "\"toolu_%u_%u\",\"name\":\"Task\",\"input\":{\"description\":\"Find an axle\","
              "\"prompt\":\"Look for axle %u.\"}}],\"usage\":{\"output_tokens\":9}}}",
              head(s, "assistant"), s->number, n, s->number, n, s->number + 1);
  script_line(s, "",
              "%s,\"message\":{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
              "\"tool_use_id\":\"toolu_%u_%u\",\"content\":\"It is spare.\"}]},"
              "\"toolUseResult\":{\"status\":\"completed\",\"agentId\":\"a%05u\"}}",
              head(s, "user"), s->number, n, s->number + 1);
}

static void turn(struct script *s, unsigned n) {
  ask(s);
  for (uint64_t i = t_random_below(3); i; --i) work(s);
  if (n == 1) delegate(s);
  answer(s);
  if (!t_random_below(3)) say_title(s);
  if (!t_random_below(4)) queue(s);
  if (!t_random_below(5)) compact(s);
}

/* The lines that a fork begins with. */
static void copy(struct script *s, const struct script *of) {
  for (size_t i = 0, from = 0; i < of->half; from = of->lines[i++].end) {
    char *line = ck_str_dup((struct ck_str){of->text.data + from, of->lines[i].end - from - 2});
    char *id = strstr(line, of->id), uuid[40] = "";
    const char *at = strstr(line, "\"uuid\":\"");
    if (at && id) {
      memcpy(uuid, at + 8, 36);
      memcpy(s->above, uuid, sizeof uuid);
      memcpy(id, s->id, strlen(s->id));
      script_line(s, "", "%s,\"forkedFrom\":{\"sessionId\":\"%s\",\"messageUuid\":\"%s\"}}", line,
                  of->id, uuid);
    }
    free(line);
  }
}

static void begin(struct script *s, unsigned number) {
  script_begin(s, number, false);
  snprintf(s->id, sizeof s->id, "%08x-0000-4000-8000-00000000000a", number);
  snprintf(s->name, sizeof s->name, "%s.jsonl", s->id);
  snprintf(s->folder, sizeof s->folder, ".claude/projects/-work-%u", number % 5);
  snprintf(s->conversation, sizeof s->conversation, "claude-code:%s", s->id);
}

void script_claude(struct script *s, unsigned number, unsigned turns, const struct script *of) {
  begin(s, number);
  if (of) copy(s, of);
  s->after = of;
  s->after_line = of ? of->half : 0;
  for (unsigned i = 0; i < turns; ++i) {
    if (i == (turns + 1) / 2) s->half = s->count;
    turn(s, i);
  }
}

void script_agent(struct script *s, unsigned number, unsigned turns, const struct script *of) {
  begin(s, number);
  memcpy(s->id, of->id, sizeof s->id);
  snprintf(s->folder, sizeof s->folder, "%.60s/%.40s/subagents", of->folder, of->id);
  snprintf(s->name, sizeof s->name, "agent-a%05u.jsonl", number);
  snprintf(s->conversation, sizeof s->conversation, "claude-code:%.40s/agent-a%05u", of->id,
           number);
  script_line(s, "", "%s,\"message\":{\"role\":\"user\",\"content\":\"Look for axle %u.\"}%s",
              head(s, "user"), number, tail(s));
  for (unsigned i = 0; i < turns; ++i) work(s);
  answer(s);
}
