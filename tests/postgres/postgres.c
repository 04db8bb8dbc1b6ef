#include "tests/postgres/postgres.h"

#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <limits.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/mirror.h"

#define USER "postgres"
#define READY_MS 20000
#define ARGUMENTS 40

static struct {
  struct t_process *server, *proxy;
  PGconn *conn; /* the test's own, as the superuser */
  int port, commands, said;
  char folder[PATH_MAX], programs[PATH_MAX];
} pg;

/* ---- the server ---- */

static size_t add(const char *argv[], size_t n, const char *const words[]) {
  while (*words && n < ARGUMENTS - 1) argv[n++] = *words++;
  argv[n] = NULL;
  return n;
}

/* initdb and postgres refuse root. */
static void as_server(const char *argv[ARGUMENTS], const char *program, const char *const arguments[]) {
  static const char *const as_user[] = {"/usr/bin/setpriv", "--reuid=" USER, "--regid=" USER, "--init-groups", "--pdeathsig=KILL", NULL};
  size_t n = geteuid() == 0 ? add(argv, 0, as_user) : 0;
  n = add(argv, n, (const char *const[]){program, NULL});
  add(argv, n, arguments);
}

static int free_port(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0 && getsockname(fd, (struct sockaddr *)&at, &size) == 0, "there is no free port");
  close(fd);
  return ntohs(at.sin_port);
}

static void make_folder(void) {
  glob_t found;
  T_CHECK(glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc, "PostgreSQL is not installed: make test installs it");
  snprintf(pg.programs, sizeof pg.programs, "%s", found.gl_pathv[found.gl_pathc - 1]);
  *strrchr(pg.programs, '/') = '\0';
  globfree(&found);
  snprintf(pg.folder, sizeof pg.folder, "%s/pg", t_folder());
  const struct passwd *user = geteuid() == 0 ? getpwnam(USER) : NULL;
  T_CHECK(mkdir(pg.folder, 0700) == 0 && (geteuid() != 0 || (user && chown(pg.folder, user->pw_uid, user->pw_gid) == 0)), "cannot make %s", pg.folder);
  T_CHECK(chmod(t_folder(), 0711) == 0, "the server's user cannot reach its folder");
}

static bool is_ready(void) {
  char port[16];
  snprintf(port, sizeof port, "%d", pg.port);
  const char *names[] = {"host", "port", "user", "dbname", NULL}, *values[] = {"127.0.0.1", port, USER, "postgres", NULL};
  return PQpingParams(names, values, 0) == PQPING_OK;
}

/* fsync off: a process that is killed loses nothing of what it wrote, and recovery would sync the whole folder first. */
static void run_server(void) {
  char program[PATH_MAX + 16], data[PATH_MAX + 8], port[16];
  const char *argv[ARGUMENTS];
  snprintf(program, sizeof program, "%s/postgres", pg.programs);
  snprintf(data, sizeof data, "%s/data", pg.folder);
  snprintf(port, sizeof port, "%d", pg.port);
  as_server(argv, program,
            (const char *const[]){"-D", data, "-k", "", "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "lc_messages=C", "-c", "fsync=off", NULL});
  pg.server = t_start("postgres", NULL, false, argv);
  T_UNTIL(READY_MS, is_ready() || t_ended(pg.server), "PostgreSQL does not get ready");
}

static void forget_connection(void) {
  if (pg.conn) PQfinish(pg.conn);
  pg.conn = NULL;
}

static void must_connect(const char *database) {
  char port[16];
  forget_connection();
  snprintf(port, sizeof port, "%d", pg.port);
  const char *names[] = {"host", "port", "user", "dbname", "client_encoding", NULL};
  const char *values[] = {"127.0.0.1", port, USER, database, "UTF8", NULL};
  pg.conn = PQconnectdbParams(names, values, 0);
  T_CHECK(PQstatus(pg.conn) == CONNECTION_OK, "the test cannot connect: %s", PQerrorMessage(pg.conn));
}

/* The test itself needs no password; syncd does. The path of a Unix socket would be too long. */
static void make_cluster(void) {
  static const char access[] = "host all " USER " 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
  char program[PATH_MAX + 16], data[PATH_MAX + 8], file[PATH_MAX + 32];
  const char *argv[ARGUMENTS];
  snprintf(program, sizeof program, "%s/initdb", pg.programs);
  snprintf(data, sizeof data, "%s/data", pg.folder);
  as_server(argv, program, (const char *const[]){"-D", data, "-U", USER, "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C", NULL});
  struct t_result r = t_run("initdb", NULL, 60000, argv);
  T_CHECK(r.code == 0, "initdb ended with %d: %s", r.code, r.err);
  t_result_free(&r);
  snprintf(file, sizeof file, "%s/pg_hba.conf", data);
  t_write_text(file, access);
}

void pg_start(void) {
  memset(&pg, 0, sizeof pg);
  make_folder();
  make_cluster();
  for (int i = 0; i < 5; ++i) { /* the port may be somebody else's by now */
    pg.port = free_port();
    run_server();
    if (!t_ended(pg.server)) break;
  }
  must_connect("postgres");
  pg_sql("CREATE ROLE ring LOGIN PASSWORD '" PG_PASSWORD "'");
  pg_sql("CREATE DATABASE mirror OWNER ring");
  must_connect("mirror");
  pg_sql("GRANT ALL ON SCHEMA public TO ring");
  t_set("sync.sink", "postgres");
  t_set("sync.backoff_max", "200ms");
  t_set("postgres.host", "127.0.0.1");
  t_setf("postgres.port", "%d", pg.port);
  t_set("postgres.database", "mirror");
  t_set("postgres.user", "ring");
  t_set("postgres.password", PG_PASSWORD);
}

/* A backend outlives the postmaster, and goes on to serve, until it has nothing to do. */
static bool orphans_left(void) {
  pid_t found[64];
  int n = t_processes_here(found, 64);
  for (int i = 0; i < n && i < 64; ++i) {
    char link[64], folder[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)found[i]);
    ssize_t size = readlink(link, folder, sizeof folder - 1);
    if (size > 8 && memcmp(folder + size - 8, "/pg/data", 8) == 0) return true;
  }
  return false;
}

void pg_kill(void) {
  forget_connection();
  t_signal(pg.server, SIGKILL);
  t_wait_end(pg.server, 5000);
  T_UNTIL(10000, !orphans_left(), "what the postmaster started does not end");
}

void pg_again(void) {
  run_server();
  T_CHECK(!t_ended(pg.server), "PostgreSQL does not start again");
  must_connect("mirror");
}

void pg_stop(void) {
  t_down();
  if (pg.proxy) {
    close(pg.commands);
    t_wait_end(pg.proxy, 5000);
  }
  forget_connection();
  t_signal(pg.server, SIGINT); /* a fast shutdown */
  T_CHECK(t_wait_end(pg.server, 10000) == 0, "PostgreSQL does not shut down well");
}

/* ---- the proxy ---- */

static int proxy_lines(void) {
  char *text = t_read_file(pg.proxy->out, NULL);
  int n = 0;
  for (const char *c = text; c && *c; ++c) n += *c == '\n';
  free(text);
  return n;
}

void pg_proxy(void) {
  char program[PATH_MAX + 16], fifo[PATH_MAX + 16], port[16];
  snprintf(program, sizeof program, "%s/tests/faultproxy", t_build());
  snprintf(fifo, sizeof fifo, "%s/out/commands", t_folder());
  snprintf(port, sizeof port, "%d", pg.port);
  T_CHECK(mkfifo(fifo, 0600) == 0, "cannot make %s", fifo);
  pg.commands = open(fifo, O_RDWR | O_CLOEXEC);
  pg.proxy = t_start("faultproxy", fifo, false, (const char *[]){program, "0", port, NULL});
  T_UNTIL(5000, proxy_lines() == 1, "the faultproxy does not say where it listens");
  pg.said = 1;
  char *text = t_read_file(pg.proxy->out, NULL);
  t_setf("postgres.port", "%d", atoi(text + strlen("port ")));
  free(text);
}

void pg_proxy_say(const char *command) {
  T_CHECK(dprintf(pg.commands, "%s\n", command) > 0, "the faultproxy takes no command");
  ++pg.said;
  T_UNTIL(5000, proxy_lines() == pg.said, "the faultproxy did not obey %s", command);
}

/* ---- questions ---- */

static PGresult *ask(const char *sql) {
  PGresult *r = PQexec(pg.conn, sql);
  ExecStatusType status = PQresultStatus(r);
  T_CHECK(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "PostgreSQL says %s to %s", PQresultErrorMessage(r), sql);
  return r;
}

static PGresult *ask_with(const char *fmt, va_list ap) {
  char *sql = NULL;
  T_CHECK(vasprintf(&sql, fmt, ap) >= 0, "no memory");
  PGresult *r = ask(sql);
  free(sql);
  return r;
}

void pg_sql(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  PQclear(ask_with(fmt, ap));
  va_end(ap);
}

int64_t pg_int(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  PGresult *r = ask_with(fmt, ap);
  va_end(ap);
  T_CHECK(PQntuples(r) == 1 && PQnfields(r) == 1, "not one number: %s", fmt);
  int64_t n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
  PQclear(r);
  return n;
}

/* ---- the ring ---- */

void pg_schema(void) { t_do(0, "sync", "schema", "--apply"); }

void pg_ring(void) {
  pg_schema();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
}

static void put(struct t_producer *p, const char *table, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void put(struct t_producer *p, const char *table, const char *fmt, ...) {
  char row[2048];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(row, sizeof row, fmt, ap);
  va_end(ap);
  t_put(p, table, row);
}

static void write_conversation(struct t_producer *p, int i, int v) {
  for (int k = 0; k < 3; ++k)
    put(p, "messages",
        "{'id':'m%d-%d','platform':'p','conversation_id':'r%d','role':'%s','raw_text':'text %d of %d \\u00e9\\ud83d\\ude00','observed_at':%d,'page_title':'0123'}",
        i, k, i, k % 2 ? "assistant" : "user", k, v, 1000 + k);
  put(p, "executions", "{'instruction_id':'e%d','message_id':'m%d-1','target':'t','tool':'x','result_ok':1,'params':'{\\\"a\\\":[%d]}','executed_at':2000}", i,
      i, v);
  put(p, "sessions", "{'id':'s%d','platform':'p','conversation_id':'r%d','started_at':1000,'last_activity_at':%d}", i, i, 3000 + v);
  put(p, "local_conversations", "{'local_conversation_id':'c%d','platform':'p','title':'title %d','last_message_id':'m%d-2','last_message_at':1002}", i, v, i);
  put(p, "conversation_links",
      "{'link_id':'l%d','local_conversation_id':'c%d','platform':'p','remote_conversation_id':'r%d','route_params':{'v':%d},'observed_at':%d}", i, i, i, v,
      1000 + v);
  put(p, "renewal_jobs", "{'job_id':'j%d','local_conversation_id':'c%d','message_id':'m%d-1','payload':'continue','next_attempt_at':9007199254740993}", i, i,
      i);
}

void pg_write(struct t_producer *p, int first, int n, int variant) {
  for (int i = first; i < first + n; ++i) {
    write_conversation(p, i, variant);
    char result = t_commit(p);
    T_CHECK(result != 'r', "conversation %d is refused: %s", i, t_refusal(p));
  }
}

static const char *of_syncd(const char *member) {
  static char text[400];
  json_t *s = t_status(2000);
  const char *said = t_text_at(t_daemon_entry(s, "syncd", 0), member);
  snprintf(text, sizeof text, "%s", said ? said : "");
  json_decref(s);
  return text;
}

const char *pg_last_error(void) { return of_syncd("info.last_error"); }
const char *pg_state(void) { return of_syncd("info.state"); }

int64_t pg_reported(const char *member) {
  json_t *s = t_status(2000);
  int64_t n = t_int_at(t_daemon_entry(s, "syncd", 0), member, -1);
  json_decref(s);
  return n;
}

void pg_none_dead(void) {
  int64_t dead = t_status_int("sync.dead", -1);
  T_CHECK(dead == 0, "%lld dead letters", (long long)dead);
}

static bool mirrored(void) {
  json_t *s = t_status(2000);
  bool yes = t_int_at(s, "version", -1) >= 0 && t_int_at(s, "sync.cursor", -2) == t_int_at(s, "version", -1);
  json_decref(s);
  return yes;
}

void pg_settle(int ms) { T_UNTIL(ms, mirrored(), "after %d ms not everything is in PostgreSQL: %s", ms, pg_last_error()); }

/* ---- comparing: its rows as they are, in an SQLite file, which the harness compares with the database ---- */

static void copy_table(sqlite3 *db, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  struct ck_buf from = {0}, to = {0};
  sqlite3_stmt *st = NULL;
  ck_buf_text(&from, "SELECT ");
  ck_buf_printf(&to, "INSERT INTO %s (", info->name);
  for (int c = 0; c < info->columns; ++c) {
    ck_buf_printf(&from, "%s, ", info->fields[c].name);
    ck_buf_printf(&to, "%s, ", info->fields[c].name);
  }
  ck_buf_printf(&from, "version FROM %s", info->name);
  ck_buf_text(&to, "version) VALUES (?");
  for (int c = 0; c < info->columns; ++c) ck_buf_text(&to, ", ?");
  ck_buf_text(&to, ")");
  PGresult *r = ask(ck_buf_cstr(&from));
  T_CHECK(sqlite3_prepare_v2(db, ck_buf_cstr(&to), -1, &st, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
  for (int i = 0; i < PQntuples(r); ++i) {
    for (int c = 0; c <= info->columns; ++c)
      if (PQgetisnull(r, i, c))
        sqlite3_bind_null(st, c + 1);
      else if (c == info->columns || ck_kind_is_int(info->fields[c].kind))
        sqlite3_bind_int64(st, c + 1, strtoll(PQgetvalue(r, i, c), NULL, 10));
      else
        sqlite3_bind_text(st, c + 1, PQgetvalue(r, i, c), PQgetlength(r, i, c), SQLITE_TRANSIENT);
    T_CHECK(sqlite3_step(st) == SQLITE_DONE, "%s", sqlite3_errmsg(db));
    sqlite3_reset(st);
  }
  sqlite3_finalize(st);
  PQclear(r);
  ck_buf_free(&from);
  ck_buf_free(&to);
}

void pg_same(int ms) {
  char file[PATH_MAX + 32];
  struct ck_buf schema = {0};
  sqlite3 *db;
  pg_settle(ms);
  snprintf(file, sizeof file, "%s/out/postgres.db", t_folder());
  unlink(file);
  ck_mirror_schema(&schema, CK_MIRROR_SQLITE, false);
  T_CHECK(sqlite3_open(file, &db) == SQLITE_OK, "%s cannot be made", file);
  T_CHECK(sqlite3_exec(db, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_exec(db, ck_buf_cstr(&schema), NULL, NULL, NULL) == SQLITE_OK,
          "%s", sqlite3_errmsg(db));
  for (int t = 0; t < CK_TABLES; ++t) copy_table(db, (enum ck_table)t);
  T_CHECK(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
  sqlite3_close(db);
  ck_buf_free(&schema);
  t_check_mirror("artifact.db", file);
}
