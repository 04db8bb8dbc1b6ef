/* A whole home of Claude Code and one of Codex are imported: all their logs are, wherever they are
 * and however they are kept, and nothing else is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>

#include "tests/harness/archive.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/rows.h"

#define SESSION "0d9c1f52-6a2e-4f0b-9f53-7a5c8e1b2d31"
#define THREAD "01a0c2de-0000-7000-8000-00000000000"

/* sample: in tests/golden/sources; else text is what the file says. */
struct file {
  const char *path, *sample, *text;
};

static const struct file claude_logs[] = {
    {"projects/-home-ada-engine/" SESSION ".jsonl", "claude-code-session.jsonl", NULL},
    {"projects/-home-ada-engine/" SESSION "/subagents/agent-a77.jsonl", "claude-code-agent.jsonl",
     NULL},
    {"projects/-home-ada-engine/7be01c44-1d0e-4c7a-8a34-0f3a5f3f9a11.jsonl",
     "claude-code-fork.jsonl", NULL},
};
static const struct file claude_others[] = {
    {"projects/-home-ada-engine/" SESSION "/tool-results/toolu_1.txt", NULL, "a long result"},
    {"projects/-home-ada-engine/memory/MEMORY.md", NULL, "# Gears"},
    {"settings.json", NULL, "{\"model\": \"opus\"}"},
    {".credentials.json", NULL, "{\"claudeAiOauth\": {\"accessToken\": \"secret\"}}"},
    {"history.jsonl", NULL, "{\"display\": \"Why?\", \"timestamp\": 1, \"project\": \"/x\"}\n"},
    {"todos/" SESSION "-agent-1.json", NULL, "[{\"content\": \"gears\", \"status\": \"pending\"}]"},
    {"shell-snapshots/snapshot-bash-1.sh", NULL, "alias ll='ls -l'"},
    {"file-history/" SESSION "/1@v1", NULL, "gears.py as it was"},
    {"statsig/cached.evaluations", NULL, "{\"messages\": []}"},
    {"plugins/installed_plugins.json", NULL, "{\"plugins\": {}}"},
    {"CLAUDE.md", NULL, "Use brass."},
};
static const struct file codex_logs[] = {
    {"sessions/2026/10/07/rollout-2026-10-07T09-00-00-" THREAD "a.jsonl", "codex-session.jsonl",
     NULL},
    {"sessions/2026/10/07/rollout-2026-10-07T09-05-00-" THREAD "b.jsonl.zst",
     "codex-thread-fork.jsonl", NULL},
    {"archived_sessions/rollout-2026-10-07T09-06-00-" THREAD "c.jsonl", "codex-paginated.jsonl",
     NULL},
    {"session_index.jsonl", NULL,
     "{\"id\": \"" THREAD "c\", \"thread_name\": \"Axles\","
     " \"updated_at\": \"2026-10-07T10:00:00Z\"}\n"},
};
static const struct file codex_others[] = {
    {"config.toml", NULL, "model = \"gpt-5.6\""},
    {"auth.json", NULL, "{\"tokens\": {\"access_token\": \"secret\"}}"},
    {"history.jsonl", NULL, "{\"session_id\": \"" THREAD "a\", \"ts\": 1, \"text\": \"Why?\"}\n"},
    {"log/codex-tui.log", NULL, "started"},
    {"shell_snapshots/1.sh", NULL, "export A=1"},
    {"models_cache.json", NULL, "{\"models\": []}"},
    {"AGENTS.md", NULL, "Use brass."},
};
#define COUNT(list) (sizeof(list) / sizeof *(list))

static char home[300];

static void make_folders(char *path) {
  for (char *at = path + 1; (at = strchr(at, '/')); *at++ = '/') {
    *at = '\0';
    T_CHECK(mkdir(path, 0700) == 0 || errno == EEXIST, "%s", path);
  }
}

static void write_one(const char *in, const struct file *f) {
  char path[600], sample[600];
  size_t n;
  snprintf(path, sizeof path, "%s/%s/%s", home, in, f->path);
  make_folders(path);
  if (!f->sample) {
    t_write_text(path, f->text);
    return;
  }
  snprintf(sample, sizeof sample, "%s/tests/golden/sources/%s", t_root(), f->sample);
  char *text = t_read_file(sample, &n);
  T_CHECK(text, "%s", sample);
  struct ck_buf packed = {0};
  if (strstr(f->path, ".zst"))
    packed = t_archive(0, ARCHIVE_FILTER_ZSTD, &(struct t_member){"it", {text, n}}, 1);
  t_write_file(path, packed.data ? packed.data : text, packed.data ? packed.len : n);
  ck_buf_free(&packed);
  free(text);
}

static void write_all(const char *in, const struct file *list, size_t n) {
  for (size_t i = 0; i < n; ++i) write_one(in, &list[i]);
}

/* Each log by its full name, into another folder. */
static void import_each(const char *in, const struct file *list, size_t n) {
  char path[600];
  for (size_t i = 0; i < n; ++i) {
    snprintf(path, sizeof path, "%s/%s/%s", home, in, list[i].path);
    t_do(0, "import", path);
  }
}

static json_t *rows_of_logs(const char *database) {
  char *data = ck_strdup(getenv("CONVKEEP_DATA"));
  setenv("CONVKEEP_DATA", "each", 1);
  import_each(".claude", claude_logs, COUNT(claude_logs));
  import_each(".codex", codex_logs, COUNT(codex_logs));
  t_do(0, "import", database);
  setenv("CONVKEEP_DATA", data, 1);
  free(data);
  return t_rows("each/artifact.db");
}

static int64_t sum(json_t *lines, const char *member) {
  size_t i;
  json_t *line;
  int64_t total = 0;
  json_array_foreach(lines, i, line) total += t_int_at(line, member, 0);
  return total;
}

/* Of this home so many files are no logs, of these endings. */
static void check_others(json_t *lines, const char *in, int64_t count, const char *endings) {
  size_t i;
  json_t *line, *expected = t_json("%s", endings);
  json_array_foreach(lines, i, line) {
    const char *file = t_text_at(line, "file");
    if (!file || !strstr(file, in) || !t_at(line, "other_files")) continue;
    T_CHECK(t_int_at(line, "other_files", 0) == count &&
                json_equal(t_at(line, "by_ending"), expected),
            "%s", json_dumps(line, 0));
    json_decref(expected);
    return;
  }
  T_FAIL("no line for the other files of %s: %s", in, json_dumps(lines, 0));
}

/* The name that the user gave a thread is its title; a first message is no name. */
static void check_names(json_t *lines) {
  size_t i;
  json_t *line;
  int64_t names = -1;
  json_array_foreach(lines, i, line) {
    const char *format = t_text_at(line, "format");
    if (format && strcmp(format, "codex threads") == 0) names = t_int_at(line, "names", -1);
  }
  T_CHECK(names == 1, "%lld names: %s", (long long)names, json_dumps(lines, 0));
}

/* Nothing that was stored says what only another file does. */
static void check_secret(void) {
  json_t *rows = t_rows("artifact.db");
  char *all = json_dumps(rows, 0);
  T_CHECK(!strstr(all, "secret") && !strstr(all, "as it was"), "another file was read");
  free(all);
  json_decref(rows);
}

T_STORY(homes, all_logs_and_nothing_else, 90) {
  snprintf(home, sizeof home, "%s/home", t_folder());
  setenv("HOME", home, 1);
  unsetenv("CLAUDE_CONFIG_DIR");
  unsetenv("CODEX_HOME");
  write_all(".claude", claude_logs, COUNT(claude_logs));
  write_all(".claude", claude_others, COUNT(claude_others));
  write_all(".codex", codex_logs, COUNT(codex_logs));
  write_all(".codex", codex_others, COUNT(codex_others));
  char claude[320], codex[320], database[340];
  snprintf(claude, sizeof claude, "%s/.claude", home);
  snprintf(codex, sizeof codex, "%s/.codex", home);
  snprintf(database, sizeof database, "%s/state_5.sqlite", codex);
  t_sql_run(database, "CREATE TABLE threads (id TEXT PRIMARY KEY, title TEXT NOT NULL, updated_at"
                      " INTEGER NOT NULL, first_user_message TEXT NOT NULL, cwd TEXT);"
                      "INSERT INTO threads VALUES ('" THREAD "a', 'Gears', 1791400000, 'Why?', ''),"
                      " ('" THREAD "b', 'secret ', 1791400000, 'secret', '')");
  json_t *expected = rows_of_logs(database);
  t_up();
  json_t *lines = t_lines(0, "import", claude, codex);
  T_CHECK(sum(lines, "failed") == 0 && sum(lines, "new") > 0, "%s", json_dumps(lines, 0));
  check_others(lines, ".claude", COUNT(claude_others),
               "{'.json': 4, '.jsonl': 1, '.md': 2, '.txt': 1, '.sh': 1,"
               " 'without an ending': 2}");
  check_others(lines, ".codex", COUNT(codex_others),
               "{'.toml': 1, '.json': 2, '.jsonl': 1, '.log': 1, '.sh': 1, '.md': 1}");
  check_names(lines);
  json_decref(lines);
  t_wait_rows(expected, 10000);
  json_decref(expected);
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM local_conversations") == 7,
          "not each log is a conversation");
  check_secret();
  t_settle(20000);
  int64_t head = t_status_int("version", -1), n = t_count("messages") + t_count("executions");
  lines = t_lines(0, "import", claude, codex);
  T_CHECK(sum(lines, "new") + sum(lines, "updated") + sum(lines, "failed") == 0, "again: %s",
          json_dumps(lines, 0));
  json_decref(lines);
  t_settle(20000);
  T_CHECK(t_status_int("version", -1) == head && t_count("messages") + t_count("executions") == n,
          "records have changed");
  t_whole(20000);
}
