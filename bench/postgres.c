/* A private PostgreSQL server and pgbench; see postgres.h. */
#include "bench/postgres.h"

#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/observation.h"

#define USER "postgres"
#define CLIENTS_MAX 300
#define READY_TRIES 1000
#define ARGUMENTS 40

static char version[64];

struct bench_postgres {
  pid_t server;
  char programs[PATH_MAX], folder[PATH_MAX];
};

/* ---- the tables ---- */

static const char *const indexes[] = {
    "messages (conversation_id, observed_at)",
    "messages (platform, observed_at)",
    "sessions (platform, last_activity_at DESC)",
    "sessions (conversation_id)",
    "local_conversations (automation_status, updated_at DESC)",
    "local_conversations (platform, updated_at DESC)",
    "local_conversations (last_message_at DESC)",
    "conversation_links (local_conversation_id, is_active, updated_at DESC)",
    "conversation_links (client_id, updated_at DESC)",
};
static const char rest_of_schema[] =
    "ALTER TABLE conversation_links ADD FOREIGN KEY (local_conversation_id) REFERENCES "
    "local_conversations, ADD UNIQUE (platform, remote_conversation_id);\n"
    "CREATE SEQUENCE versions;\n"
    "CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tbl text NOT NULL, "
    "record_id text NOT NULL);\n";
static const char empty[] =
    "TRUNCATE messages, sessions, local_conversations, conversation_links, outbox;\nCHECKPOINT;\n";

static void schema(struct ck_buf *sql) {
  static const enum ck_table tables[] = {CK_MESSAGES, CK_SESSIONS, CK_CONVERSATIONS, CK_LINKS};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; ++i) {
    const struct ck_table_info *t = &ck_tables[tables[i]];
    ck_buf_printf(sql, "CREATE TABLE %s (", t->name);
    for (int c = 0; c < t->columns; ++c)
      ck_buf_printf(sql, "%s %s%s, ", t->fields[c].name,
                    ck_kind_is_int(t->fields[c].kind) ? "bigint" : "text",
                    c == t->key                        ? " PRIMARY KEY"
                    : t->fields[c].flags & CK_OPTIONAL ? ""
                                                       : " NOT NULL");
    ck_buf_text(sql, "version bigint NOT NULL);\n");
  }
  for (size_t i = 0; i < sizeof indexes / sizeof *indexes; ++i)
    ck_buf_printf(sql, "CREATE INDEX ON %s;\n", indexes[i]);
  ck_buf_text(sql, rest_of_schema);
}

/* ---- a changeset: bench/observation.c's, with a random id and one of so many conversations ----
 */

/* One pipeline, so that a transaction is one round trip. Conversation ids have no colon, because
 * pgbench would take it for a variable even inside quotes. */
#define ID "lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0')"
#define REMOTE "'6f9619ff-8b86-4d01-b42d-' || lpad(:c::text, 12, '0')"
#define CONVERSATION "'chatgpt-6f9619ff-8b86-4d01-b42d-' || lpad(:c::text, 12, '0')"
#define SESSION CONVERSATION " || '-2026-01-01'"
#define URL "'https://chatgpt.com/c/' || " REMOTE
#define TITLE "'Conversation ' || :c::text"

static void script(struct ck_buf *out) {
  ck_buf_printf(out, "\\set c random(0, %d)\n", BENCH_CONVERSATIONS - 1);
  ck_buf_text(out,
              "\\set a random(0, 9223372036854775806)\n\\set b random(0, "
              "9223372036854775806)\n\\set at 1767247200000 + random(0, 1000000)\n"
              "\\startpipeline\nBEGIN;\n"
              "INSERT INTO messages (id, platform, conversation_id, role, raw_text, summary, "
              "observed_at, static_path, page_url, page_title, created_at, live, version)"
              " VALUES (" ID ", 'chatgpt', " REMOTE
              ", 'assistant', :text, left(:text::text, 120), :at, 'msg/2026/01/01/' || " ID
              " || '.txt', " URL ", " TITLE ", :at, 1, nextval('versions'));\n"
              "INSERT INTO sessions AS s (id, platform, conversation_id, started_at, "
              "last_activity_at, message_count, execution_count, static_path, created_at,"
              " version) VALUES (" SESSION ", 'chatgpt', " REMOTE
              ", :at, :at, 1, 0, 'session/2026/01/01/' || " SESSION
              " || '.txt', :at, nextval('versions')) ON CONFLICT (id) DO UPDATE SET"
              " last_activity_at = excluded.last_activity_at, message_count = s.message_count + 1, "
              "version = excluded.version;\n"
              "INSERT INTO local_conversations (local_conversation_id, platform, "
              "automation_status, title, last_message_id, last_message_at, created_at, updated_at,"
              " version) VALUES (" CONVERSATION ", 'chatgpt', 'manual', " TITLE ", " ID
              ", :at, :at, :at, nextval('versions'))"
              " ON CONFLICT (local_conversation_id) DO UPDATE SET last_message_id = "
              "excluded.last_message_id, last_message_at = excluded.last_message_at,"
              " updated_at = excluded.updated_at, version = excluded.version;\n"
              "INSERT INTO conversation_links (link_id, local_conversation_id, platform, "
              "remote_conversation_id, page_url, page_title, is_active, observed_at,"
              " created_at, updated_at, version) VALUES (" CONVERSATION ", " CONVERSATION
              ", 'chatgpt', " REMOTE ", " URL ", " TITLE
              ", 1, :at, :at, :at, nextval('versions')) ON CONFLICT (platform, "
              "remote_conversation_id) DO UPDATE SET"
              " observed_at = excluded.observed_at, updated_at = excluded.updated_at, version = "
              "excluded.version;\n"
              "INSERT INTO outbox (tbl, record_id) VALUES ('messages', " ID
              "), ('sessions', " SESSION "), ('local_conversations', " CONVERSATION
              "), ('conversation_links', " CONVERSATION ");\n"
              "COMMIT;\n\\endpipeline\n");
}

/* ---- the server ---- */

static void find_programs(struct bench_postgres *p) {
  glob_t found;
  if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) || !found.gl_pathc)
    bench_fail("PostgreSQL is not installed: make bench installs it");
  snprintf(p->programs, sizeof p->programs, "%s", found.gl_pathv[found.gl_pathc - 1]);
  *strrchr(p->programs, '/') = '\0';
  globfree(&found);
}

static size_t add(const char *argv[], size_t n, const char *const words[]) {
  while (*words && n < ARGUMENTS - 1) argv[n++] = *words++;
  argv[n] = NULL;
  return n;
}

/* Runs a server program; its standard error goes to a file in the folder. */
static pid_t start(const struct bench_postgres *p, const char *output, const char *program,
                   const char *const arguments[]) {
  static const char *const as_user[] = {"setpriv",       "--reuid=" USER,    "--regid=" USER,
                                        "--init-groups", "--pdeathsig=KILL", NULL};
  static const char *const with_log[] = {"sh", "-c", "exec \"$@\" 2>server.log", "sh", NULL};
  const char *argv[ARGUMENTS];
  char *path = ck_sprintf("%s/%s", p->programs, program);
  bool serves = strcmp(program, "postgres") == 0;
  size_t n = serves ? add(argv, 0, with_log) : 0;
  if (geteuid() == 0 && (serves || strcmp(program, "initdb") == 0)) n = add(argv, n, as_user);
  n = add(argv, n, (const char *const[]){path, NULL});
  add(argv, n, arguments);
  pid_t pid = bench_spawn(output, argv);
  free(path);
  return pid;
}

static int end_of(pid_t pid) {
  int code;
  while (!bench_ended(pid, &code)) usleep(1000);
  return code;
}

static void must(const struct bench_postgres *p, const char *output, const char *program,
                 const char *const arguments[]) {
  int code = end_of(start(p, output, program, arguments));
  if (code) bench_fail("%s ends with %d", program, code);
}

/* Parses "postgres (PostgreSQL) 15.4 (Debian …)". */
static void ask_version(const struct bench_postgres *p) {
  char number[32] = "";
  must(p, "version", "postgres", (const char *const[]){"--version", NULL});
  FILE *file = fopen("version", "re");
  if (!file || fscanf(file, "postgres (PostgreSQL) %31s", number) != 1)
    bench_fail("postgres --version: says no number");
  fclose(file);
  snprintf(version, sizeof version, "PostgreSQL %s", number);
}

/* Gives the folder to the user that the server runs as, who must be able to reach it. */
static void make_folder(struct bench_postgres *p) {
  bench_enter("postgres");
  const struct passwd *user = geteuid() == 0 ? getpwnam(USER) : NULL;
  if (!getcwd(p->folder, sizeof p->folder)) bench_fail("no working directory");
  if (geteuid() == 0 && (!user || chown(".", user->pw_uid, user->pw_gid)))
    bench_fail("there is no user " USER " to run the server as");
}

static bool is_ready(const struct bench_postgres *p) {
  return end_of(start(p, NULL, "pg_isready",
                      (const char *const[]){"-q", "-h", p->folder, "-U", USER, NULL})) == 0;
}

static void write_text(const char *name, struct ck_buf *text) {
  FILE *file = fopen(name, "we");
  if (!file || fwrite(text->data, 1, text->len, file) != text->len || fclose(file))
    bench_fail("%s: cannot be written", name);
  ck_buf_free(text);
}

static void sql_file(const struct bench_postgres *p, const char *file) {
  must(p, NULL, "psql",
       (const char *const[]){"-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", p->folder, "-U", USER, "-d",
                             "postgres", "-f", file, NULL});
}

struct bench_postgres *bench_postgres_start(void) {
  struct bench_postgres *p = ck_zalloc(sizeof *p);
  struct ck_buf text = {0};
  char most[40];
  int code;
  find_programs(p);
  make_folder(p);
  ask_version(p);
  must(p, "initdb.log", "initdb",
       (const char *const[]){"-D", "data", "-U", USER, "-A", "trust", "--locale=C.UTF-8", NULL});
  snprintf(most, sizeof most, "max_connections=%d", CLIENTS_MAX);
  p->server =
      start(p, NULL, "postgres",
            (const char *const[]){"-D", "data", "-k", p->folder, "-c", "listen_addresses=", "-c",
                                  most, "-c", "fsync=on", "-c", "synchronous_commit=on", NULL});
  for (int i = 0; !is_ready(p); ++i)
    if (bench_ended(p->server, &code) || i == READY_TRIES)
      bench_fail("PostgreSQL does not start: see %s/server.log", p->folder);
  schema(&text);
  write_text("schema.sql", &text);
  script(&text);
  write_text("changeset.sql", &text);
  ck_buf_text(&text, empty);
  write_text("empty.sql", &text);
  sql_file(p, "schema.sql");
  return p;
}

/* ---- a run ---- */

const char *bench_postgres_version(void) { return version; }

const char *bench_postgres_folder(const struct bench_postgres *p) { return p->folder; }

/* Parses "tps = 1234.5 (without initial connection time)". */
static double rate_said(const char *path) {
  char line[1024];
  double rate = -1;
  FILE *file = fopen(path, "re");
  while (file && rate < 0 && fgets(line, sizeof line, file))
    if (strncmp(line, "tps = ", 6) == 0) rate = strtod(line + 6, NULL);
  if (file) fclose(file);
  if (rate < 0) bench_fail("pgbench: no figures");
  return rate;
}

void bench_postgres_empty(struct bench_postgres *p) {
  if (chdir(p->folder)) bench_fail("%s: cannot be entered", p->folder);
  sql_file(p, "empty.sql");
}

double bench_postgres_run(struct bench_postgres *p, unsigned clients, unsigned seconds) {
  char c[24], t[24], text[BENCH_TEXT + 8] = "text=";
  memset(text + 5, 'x', BENCH_TEXT);
  snprintf(c, sizeof c, "%u", clients);
  snprintf(t, sizeof t, "%u", seconds);
  bench_postgres_empty(p);
  bench_calm();
  must(p, "pgbench.out", "pgbench",
       (const char *const[]){"-n", "-M", "prepared", "-f", "changeset.sql", "-c", c, "-j",
                             clients > 1 ? "2" : "1", "-T", t, "-D", text, "-h", p->folder, "-U",
                             USER, "postgres", NULL});
  return rate_said("pgbench.out");
}

void bench_postgres_stop(struct bench_postgres **p) {
  if (chdir((*p)->folder)) bench_fail("%s: cannot be entered", (*p)->folder);
  bench_stop(&(*p)->server);
  bench_leave();
  free(*p);
  *p = NULL;
}
