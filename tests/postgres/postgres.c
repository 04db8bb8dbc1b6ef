/* A PostgreSQL server beside a ring: starting it, asking it, comparing (postgres.h), and
 * PostgreSQL as a mirror under test. */
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

#include "syncd/sql/mirror.h"

#define USER "postgres"
#define READY_MS 20000
#define ARGUMENTS 40

static struct {
  struct t_process *server;
  PGconn *conn; /* the test's own connection, as the superuser */
  int port;
  char folder[PATH_MAX], programs[PATH_MAX];
  const char *held; /* the table that hold() holds */
} pg;

/* ---- the server ---- */

static size_t add(const char *argv[], size_t n, const char *const words[]) {
  while (*words && n < ARGUMENTS - 1) argv[n++] = *words++;
  argv[n] = NULL;
  return n;
}

/* initdb and postgres refuse root. */
static void as_server(const char *argv[ARGUMENTS], const char *program,
                      const char *const arguments[]) {
  static const char *const as_user[] = {"/usr/bin/setpriv", "--reuid=" USER,    "--regid=" USER,
                                        "--init-groups",    "--pdeathsig=KILL", NULL};
  size_t n = geteuid() == 0 ? add(argv, 0, as_user) : 0;
  n = add(argv, n, (const char *const[]){program, NULL});
  add(argv, n, arguments);
}

static int free_port(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &size) == 0,
          "there is no free port");
  close(fd);
  return ntohs(at.sin_port);
}

static void make_folder(void) {
  glob_t found;
  T_CHECK(glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc,
          "PostgreSQL is not installed: make test installs it");
  snprintf(pg.programs, sizeof pg.programs, "%s", found.gl_pathv[found.gl_pathc - 1]);
  *strrchr(pg.programs, '/') = '\0';
  globfree(&found);
  snprintf(pg.folder, sizeof pg.folder, "%s/pg", t_folder());
  const struct passwd *user = geteuid() == 0 ? getpwnam(USER) : NULL;
  T_CHECK(mkdir(pg.folder, 0700) == 0 &&
              (geteuid() != 0 || (user && chown(pg.folder, user->pw_uid, user->pw_gid) == 0)),
          "cannot make %s", pg.folder);
  T_CHECK(chmod(t_folder(), 0711) == 0, "the server's user cannot reach its folder");
}

static bool is_ready(void) {
  char port[16];
  snprintf(port, sizeof port, "%d", pg.port);
  const char *names[] = {"host", "port", "user", "dbname", NULL},
             *values[] = {"127.0.0.1", port, USER, "postgres", NULL};
  return PQpingParams(names, values, 0) == PQPING_OK;
}

/* fsync is off: a killed process loses nothing that it wrote, and recovery would first sync the
 * whole folder. */
static void run_server(void) {
  char program[PATH_MAX + 16], data[PATH_MAX + 8], port[16];
  const char *argv[ARGUMENTS];
  snprintf(program, sizeof program, "%s/postgres", pg.programs);
  snprintf(data, sizeof data, "%s/data", pg.folder);
  snprintf(port, sizeof port, "%d", pg.port);
  as_server(argv, program,
            (const char *const[]){"-D", data, "-k", "", "-p", port, "-c",
                                  "listen_addresses=127.0.0.1", "-c", "lc_messages=C", "-c",
                                  "fsync=off", NULL});
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
  const char *names[] = {"host", "port", "user", "dbname", "client_encoding", "options", NULL};
  const char *values[] = {
      "127.0.0.1", port, USER, database, "UTF8", "-c client_min_messages=warning", NULL};
  pg.conn = PQconnectdbParams(names, values, 0);
  T_CHECK(PQstatus(pg.conn) == CONNECTION_OK, "the test cannot connect: %s",
          PQerrorMessage(pg.conn));
}

/* The test needs no password; syncd does. TCP, because the path of a Unix socket would be too
 * long. */
static void make_cluster(void) {
  static const char access[] =
      "host all " USER " 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
  char program[PATH_MAX + 16], data[PATH_MAX + 8], file[PATH_MAX + 32];
  const char *argv[ARGUMENTS];
  snprintf(program, sizeof program, "%s/initdb", pg.programs);
  snprintf(data, sizeof data, "%s/data", pg.folder);
  as_server(argv, program,
            (const char *const[]){"-D", data, "-U", USER, "-A", "trust", "--no-sync",
                                  "--encoding=UTF8", "--locale=C", NULL});
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
  for (int i = 0; i < 5; ++i) { /* another process may have taken the port by now */
    pg.port = free_port();
    run_server();
    if (!t_ended(pg.server)) break;
  }
  must_connect("postgres");
  pg_sql("CREATE ROLE ring LOGIN PASSWORD '" PG_PASSWORD "'");
  pg_sql("CREATE DATABASE mirror OWNER ring");
  must_connect("mirror");
  pg_sql("GRANT ALL ON SCHEMA public TO ring");
  mirror_without_nul();
  t_set("sync.sinks", "postgres");
  t_set("sync.backoff_max", "200ms");
  t_set("postgres.host", "127.0.0.1");
  t_setf("postgres.port", "%d", pg.port);
  t_set("postgres.database", "mirror");
  t_set("postgres.user", "ring");
  t_set("postgres.password", PG_PASSWORD);
}

/* A backend outlives the postmaster, and serves on until it has nothing to do. */
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
  t_wait_end(pg.server, 20000);
  T_UNTIL(10000, !orphans_left(), "what the postmaster started does not end");
}

void pg_again(void) {
  run_server();
  T_CHECK(!t_ended(pg.server), "PostgreSQL does not start again");
  must_connect("mirror");
}

void pg_stop(void) {
  t_down();
  mirror_proxy_end();
  forget_connection();
  t_signal(pg.server, SIGINT); /* a fast shutdown */
  T_CHECK(t_wait_end(pg.server, 10000) == 0, "PostgreSQL does not shut down well");
}

/* ---- the proxy ---- */

void pg_proxy(void) { t_setf("postgres.port", "%d", mirror_proxy(pg.port)); }

/* ---- questions ---- */

static PGresult *ask(const char *sql) {
  PGresult *r = PQexec(pg.conn, sql);
  ExecStatusType status = PQresultStatus(r);
  T_CHECK(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "PostgreSQL says %s to %s",
          PQresultErrorMessage(r), sql);
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

/* ---- comparing: copies its rows into an SQLite file, which the harness compares with the database
 * ---- */

static void copy_table(sqlite3 *db, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  struct ck_buf from = {0}, to = {0};
  sqlite3_stmt *st = NULL;
  ck_buf_text(&from, "SELECT ");
  ck_buf_printf(&to, "INSERT INTO %s (", info->name);
  for (int c = 0; c < info->mirrored; ++c) {
    ck_buf_printf(&from, "%s, ", info->fields[c].name);
    ck_buf_printf(&to, "%s, ", info->fields[c].name);
  }
  ck_buf_printf(&from, "version FROM %s", info->name);
  ck_buf_text(&to, "version) VALUES (?");
  for (int c = 0; c < info->mirrored; ++c) ck_buf_text(&to, ", ?");
  ck_buf_text(&to, ")");
  PGresult *r = ask(ck_buf_cstr(&from));
  T_CHECK(sqlite3_prepare_v2(db, ck_buf_cstr(&to), -1, &st, NULL) == SQLITE_OK, "%s",
          sqlite3_errmsg(db));
  for (int i = 0; i < PQntuples(r); ++i) {
    for (int c = 0; c <= info->mirrored; ++c)
      if (PQgetisnull(r, i, c))
        sqlite3_bind_null(st, c + 1);
      else if (c == info->mirrored || ck_kind_is_int(info->fields[c].kind))
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

static void compare(void) {
  char file[PATH_MAX + 32];
  struct ck_buf schema = {0};
  sqlite3 *db;
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

/* ---- PostgreSQL as a mirror under test ---- */

static void schema(void) { t_do(0, "sync", "schema", "--apply"); }

void pg_schema(void) { schema(); }

void pg_ring(void) {
  schema();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
}

void pg_same(int ms) { mirror_same(&mirror_postgres, ms); }

static void sql(const char *text) { pg_sql("%s", text); }
static int64_t number(const char *text) { return pg_int("%s", text); }

/* Makes the triggers each time, because tables may have been created again. A sequence also counts
 * what is rolled back. */
static int64_t written(void) {
  pg_sql("CREATE SEQUENCE IF NOT EXISTS written MINVALUE 0;"
         "CREATE OR REPLACE FUNCTION count_row() RETURNS trigger"
         " LANGUAGE plpgsql SECURITY DEFINER"
         " AS $$ BEGIN PERFORM nextval('written'); RETURN NULL; END $$");
  for (int t = 0; t < CK_TABLES; ++t)
    pg_sql("CREATE OR REPLACE TRIGGER count_row AFTER INSERT OR UPDATE OR DELETE ON %s"
           " FOR EACH ROW EXECUTE FUNCTION count_row()",
           ck_tables[t].name);
  return pg_int("SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM written");
}

static void slow(int ms) {
  pg_sql("DROP TRIGGER IF EXISTS slow ON messages");
  if (!ms) return;
  pg_sql("CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql"
         " AS $$ BEGIN PERFORM pg_sleep(%d / 1000.0); RETURN NULL; END $$",
         ms);
  pg_sql("CREATE TRIGGER slow BEFORE INSERT ON messages"
         " FOR EACH STATEMENT EXECUTE FUNCTION slow()");
}

static void refuse(const char *what) {
  pg_sql("ALTER TABLE messages ADD CONSTRAINT bad CHECK (NOT (%s))", what);
}
static void accept_again(void) { pg_sql("ALTER TABLE messages DROP CONSTRAINT bad"); }

static void watch(void) {
  pg_sql("CREATE TABLE stale (tbl text, old bigint, new bigint);"
         "CREATE FUNCTION stale() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
         " AS $$ BEGIN INSERT INTO stale VALUES (TG_TABLE_NAME, OLD.version, NEW.version);"
         " RETURN NEW; END $$");
  for (int t = 0; t < CK_TABLES; ++t)
    pg_sql("CREATE TRIGGER watch BEFORE UPDATE ON %s FOR EACH ROW"
           " WHEN (NEW.version <= OLD.version) EXECUTE FUNCTION stale()",
           ck_tables[t].name);
}

static void fill(int n) {
  pg_sql("INSERT INTO messages (" MIRROR_FILLED_COLUMNS
         ") SELECT lpad(to_hex(i * 2654435761 %% 4294967296), 8, '0') || lpad(to_hex(i), 24, '0'),"
         " 'p', 'user', repeat('x', 400), i, 'msg/x.txt', 1, i"
         " FROM generate_series(1::bigint, %d) AS i",
         n);
}

static const char *place(void) {
  static char text[80];
  snprintf(text, sizeof text, "postgres:127.0.0.1:%d/mirror", pg.port);
  return text;
}

/* Makes queries wait that read more than keys and versions: meanwhile the table is a view, whose
 * other columns come from a function that waits for a lock. */
static void hold(const char *table) {
  const struct ck_table_info *info = &ck_tables[ck_table_named(ck_str_of(table))];
  struct ck_buf columns = {0};
  for (int c = 0; c < info->mirrored; ++c)
    ck_buf_printf(&columns, c == info->key ? "%s, " : "held(%s) AS %s, ", info->fields[c].name,
                  info->fields[c].name);
  pg_sql("CREATE FUNCTION held(anyelement) RETURNS anyelement STABLE LANGUAGE plpgsql"
         " AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN $1; END $$;"
         "ALTER TABLE %s RENAME TO hidden;"
         "CREATE VIEW %s AS SELECT %s version FROM hidden;"
         "GRANT ALL ON %s TO ring",
         table, table, ck_buf_cstr(&columns), table);
  pg_sql("SELECT pg_advisory_lock(1)");
  pg.held = info->name;
  ck_buf_free(&columns);
}

static bool holds(void) { return pg_int("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0; }

static void release(void) {
  pg_sql("SELECT pg_advisory_unlock(1)");
  pg_sql("DROP VIEW %s; ALTER TABLE hidden RENAME TO %s", pg.held, pg.held);
}

const struct mirror mirror_postgres = {.name = "postgres",
                                       .start = pg_start,
                                       .schema = schema,
                                       .stop = pg_stop,
                                       .sql = sql,
                                       .number = number,
                                       .compare = compare,
                                       .written = written,
                                       .slow = slow,
                                       .refuse = refuse,
                                       .accept = accept_again,
                                       .watch = watch,
                                       .fill = fill,
                                       .place = place,
                                       .proxy = pg_proxy,
                                       .timeout = "postgres.timeout",
                                       .refused = "23514",
                                       .no_table = "42P01",
                                       .hold = hold,
                                       .holds = holds,
                                       .release = release};
