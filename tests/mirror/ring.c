/* Starting a mirror and its ring, writing, waiting and looking, for all stories (mirror.h). */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/mirror/mirror.h"

static bool without_nul;

void mirror_without_nul(void) { without_nul = true; }

/* ---- starting and ending ---- */

void mirror_start(const struct mirror *m) {
  if (m->start) m->start();
}

void mirror_schema(const struct mirror *m) {
  if (m->schema) m->schema();
}

void mirror_ring(const struct mirror *m) {
  mirror_start(m);
  mirror_schema(m);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
}

void mirror_stop(const struct mirror *m) {
  if (m->stop) m->stop();
}

/* ---- writing ---- */

static void put(struct t_producer *p, const char *table, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void put(struct t_producer *p, const char *table, const char *fmt, ...) {
  char row[2048];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(row, sizeof row, fmt, ap);
  va_end(ap);
  t_put(p, table, row);
}

/* A greater variant is newer. */
static void write_conversation(struct t_producer *p, int i, int v) {
  for (int k = 0; k < 3; ++k)
    put(p, "messages",
        "{'id':'m%d-%d','platform':'p','conversation_id':'r%d','role':'%s',"
        "'raw_text':'text %d of %d %s\\u00e9\\ud83d\\ude00','observed_at':%d,'page_title':'0123'}",
        i, k, i, k % 2 ? "assistant" : "user", k, v, without_nul ? "" : "\\u0000",
        1000 + k + 10 * v);
  put(p, "executions",
      "{'instruction_id':'e%d','message_id':'m%d-1','target':'t','tool':'x','result_ok':1,"
      "'params':'{\\\"a\\\":[%d]}','executed_at':%d}",
      i, i, v, 2000 + v);
  put(p, "sessions",
      "{'id':'s%d','platform':'p','conversation_id':'r%d','started_at':1000,'last_activity_at':%d}",
      i, i, 3000 + v);
  put(p, "local_conversations",
      "{'local_conversation_id':'c%d','platform':'p','title':'title %d',"
      "'last_message_id':'m%d-2','last_message_at':%d}",
      i, v, i, 1002 + 10 * v);
  put(p, "conversation_links",
      "{'link_id':'l%d','local_conversation_id':'c%d','platform':'p',"
      "'remote_conversation_id':'r%d','route_params':{'v':%d},'observed_at':%d}",
      i, i, i, v, 1000 + v);
  put(p, "renewal_jobs",
      "{'job_id':'j%d','local_conversation_id':'c%d','message_id':'m%d-1','payload':'continue',"
      "'next_attempt_at':9007199254740993}",
      i, i, i);
}

void mirror_write(struct t_producer *p, int first, int n, int variant) {
  for (int i = first; i < first + n; ++i) mirror_write_together(p, i, 1, variant);
}

void mirror_write_together(struct t_producer *p, int first, int n, int variant) {
  for (int i = first; i < first + n; ++i) write_conversation(p, i, variant);
  char result = t_commit(p);
  T_CHECK(result != 'r', "conversations %d to %d are refused: %s", first, first + n - 1,
          t_refusal(p));
}

/* ---- how far it is ---- */

static const char *of_syncd(char *text, size_t size, const char *member) {
  json_t *s = t_status(2000);
  const char *said = t_text_at(t_daemon_entry(s, "syncd", 0), member);
  snprintf(text, size, "%s", said ? said : "");
  json_decref(s);
  return text;
}

const char *mirror_last_error(void) {
  static char text[400];
  return of_syncd(text, sizeof text, "info.last_error");
}

const char *mirror_state(void) {
  static char text[40];
  return of_syncd(text, sizeof text, "info.state");
}

int64_t mirror_reported(const char *member) {
  json_t *s = t_status(2000);
  int64_t n = t_int_at(t_daemon_entry(s, "syncd", 0), member, -1);
  json_decref(s);
  return n;
}

static bool mirrored(void) {
  json_t *s = t_status(2000);
  bool yes = t_int_at(s, "version", -1) >= 0 &&
             t_int_at(s, t_sync("cursor"), -2) == t_int_at(s, "version", -1);
  json_decref(s);
  return yes;
}

static const char *where(void) {
  static char text[600];
  json_t *s = t_status(2000);
  snprintf(text, sizeof text, "version %lld, cursor %lld, %s: %s",
           (long long)t_int_at(s, "version", -1), (long long)t_int_at(s, t_sync("cursor"), -1),
           mirror_state(), mirror_last_error());
  json_decref(s);
  return text;
}

void mirror_settle(int ms) {
  T_UNTIL(ms, mirrored(), "after %d ms not everything is in the mirror: %s", ms, where());
}

void mirror_same(const struct mirror *m, int ms) {
  mirror_settle(ms);
  m->compare();
}

bool mirror_fits(void) {
  json_t *s = t_status(2000);
  const char *state = t_text_at(s, t_sync("witness.state"));
  bool fits = state && strcmp(state, "fits") == 0;
  json_decref(s);
  return fits;
}

int64_t mirror_dead(void) { return t_status_int(t_sync("dead_letters"), -1); }

void mirror_none_dead(void) {
  int64_t dead = mirror_dead();
  T_CHECK(dead == 0, "%lld dead letters", (long long)dead);
}

void mirror_one_dead(const char *key, const char *reason) {
  json_t *dead = t_query("dead_letters", NULL, 10, 0);
  const char *its_key = t_text_at(dead, "0.key"), *its_reason = t_text_at(dead, "0.reason");
  T_CHECK(json_array_size(dead) == 1 && its_key && strcmp(its_key, key) == 0 && its_reason &&
              strstr(its_reason, reason),
          "%zu dead letters, the first %s: %s", json_array_size(dead), its_key ? its_key : "none",
          its_reason ? its_reason : "");
  json_decref(dead);
}

/* ---- tasks and workers ---- */

int64_t mirror_said(json_t *lines, const char *name) {
  return t_int_at(json_array_get(lines, json_array_size(lines) - 1), name, -1);
}

bool mirror_found(json_t *lines, const char *table, const char *key, const char *how) {
  size_t i;
  json_t *line;
  json_array_foreach(lines, i, line) {
    const char *its_table = t_text_at(line, "table"), *its_key = t_text_at(line, "key"),
               *its_how = t_text_at(line, "how");
    if (its_key && strcmp(its_table, table) == 0 && strcmp(its_key, key) == 0 &&
        strcmp(its_how, how) == 0)
      return true;
  }
  return false;
}

struct t_process *mirror_task(const char *word, const char *more) {
  char program[PATH_MAX];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  return t_start(word, NULL, false, (const char *[]){program, "sync", word, "--json", more, NULL});
}

void mirror_workers(struct t_process **w, int n) {
  for (int i = 0; i < n; ++i) t_wait_ready(w[i] = t_daemon_try("syncd", NULL), 20000);
}

void mirror_end_workers(struct t_process **w, int n) {
  for (int i = 0; i < n; ++i) t_signal(w[i], SIGTERM);
  for (int i = 0; i < n; ++i)
    T_CHECK(t_wait_end(w[i], 20000) == 0, "a worker does not end when asked");
}

/* ---- the proxy ---- */

static struct {
  struct t_process *process;
  int commands, said;
} proxy;

static int proxy_lines(void) {
  char *text = t_read_file(proxy.process->out, NULL);
  int n = 0;
  for (const char *c = text; c && *c; ++c) n += *c == '\n';
  free(text);
  return n;
}

int mirror_proxy(int port) {
  char program[PATH_MAX], fifo[PATH_MAX], target[16];
  snprintf(program, sizeof program, "%s/tests/faultproxy", t_build());
  snprintf(fifo, sizeof fifo, "%s/out/commands", t_folder());
  snprintf(target, sizeof target, "%d", port);
  T_CHECK(mkfifo(fifo, 0600) == 0, "cannot make %s", fifo);
  proxy.commands = open(fifo, O_RDWR | O_CLOEXEC);
  proxy.process = t_start("faultproxy", fifo, false, (const char *[]){program, "0", target, NULL});
  T_UNTIL(20000, proxy_lines() == 1, "the faultproxy does not say where it listens");
  proxy.said = 1;
  char *text = t_read_file(proxy.process->out, NULL);
  int own = atoi(text + strlen("port "));
  free(text);
  return own;
}

void mirror_proxy_say(const char *command) {
  T_CHECK(dprintf(proxy.commands, "%s\n", command) > 0, "the faultproxy takes no command");
  ++proxy.said;
  T_UNTIL(20000, proxy_lines() == proxy.said, "the faultproxy did not obey %s", command);
}

/* It exits when its standard input ends. */
void mirror_proxy_end(void) {
  if (!proxy.process) return;
  close(proxy.commands);
  t_wait_end(proxy.process, 20000);
}
