/* Settings and data folder (cli.h), and talking to the store (client.h). Writes: writer.c. */
#include "cli/client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/doors.h"
#include "proto/file.h"
#include "proto/lock.h"
#include "proto/log.h"
#include "proto/map.h"

#define ANSWER_MS 1000   /* one try */
#define PATIENCE_MS 6000 /* all tries; long enough for a restart of the store */
#define START_MS 30000   /* the store may have to recover a long WAL first */
#define PAGE 1000

/* ---- folder and settings ---- */

static int apply_flags(struct cli *c) {
  struct ck_err err;
  for (int i = 0; i < c->set_count; ++i)
    if (ck_settings_assign(c->settings, c->set_flags[i], &err))
      return cli_usage_error(c, "--set", "%s", err.text);
  return CLI_GO_ON;
}

int cli_load(struct cli *c) {
  struct ck_err err;
  if (c->settings) return CLI_GO_ON;
  char *dir = ck_data_dir(c->data_flag);
  c->dir = ck_absolute(dir);
  free(dir);
  c->config = c->config_flag ? ck_absolute(c->config_flag) : ck_sprintf("%s/convkeep.conf", c->dir);
  if (c->config_flag && access(c->config, R_OK)) {
    cli_error(c, c->config, "%s: name a readable settings file", strerror(errno));
    return CLI_FAILED;
  }
  c->settings = ck_settings_load(c->config, &err);
  if (!c->settings) {
    cli_error(c, NULL, "%s", err.text);
    return CLI_FAILED;
  }
  enum ck_level level;
  if (ck_log_level_parse(ck_set_text(c->settings, CK_SET_LOG_LEVEL), &level) == 0)
    ck_log_setup("convkeep", level > CK_WARN ? level : CK_WARN);
  return apply_flags(c);
}

int cli_enter(struct cli *c, bool create) {
  struct ck_err err;
  struct stat st;
  umask(077);
  if (!create && stat(c->dir, &st)) {
    cli_error(c, c->dir,
              "no such data folder: name another with --data, or create it with convkeep up or "
              "convkeep import FILE");
    return CLI_NOBODY;
  }
  if (ck_data_enter(c->dir, &err) == 0) return CLI_GO_ON;
  cli_error(c, c->dir, "%s: check the folder and its owner", err.text);
  return CLI_FAILED;
}

void cli_close(struct cli *c) {
  cli_disconnect(c);
  ck_settings_free(&c->settings);
  free(c->dir);
  free(c->config);
  free((void *)(uintptr_t)c->set_flags);
  c->dir = c->config = NULL;
  c->set_flags = NULL;
}

/* ---- connecting to the store ---- */

/* A `convkeep up` runs on this folder, so it restarts a store that died. */
static bool up_runs(void) { return !ck_lock_is_free(CLI_UP_LOCK); }

static int nobody(const struct cli *c) {
  if (up_runs())
    cli_error(c, cli_store_place(c),
              "convkeep up runs on %s, but its store does not answer: it is being restarted; see "
              "logs/store.log",
              c->dir);
  else
    cli_error(c, cli_store_place(c),
              "no store answers: start the ring on %s with convkeep up; if it is up, see "
              "logs/store.log",
              c->dir);
  return CLI_NOBODY;
}

/* No store runs on this folder, nor will `up` start one in a moment. Lock files tell only about
 * this machine, so a store behind a tcp door is never missing. */
static bool store_missing(const struct cli *c) {
  return strncmp(cli_store_place(c), "ipc://", 6) == 0 && ck_lock_is_free(CK_PLACE_PID("store")) &&
         !up_runs();
}

/* 1: ready. 0: another store runs on this folder. -1: the reason is in err. */
static int start_parts(struct cli *c, unsigned parts, struct ck_err *err) {
  struct cli_client *k = c->client;
  k->ring = cli_ring_new(c, parts, SIGTERM, false, err);
  if (!k->ring) return -1;
  for (int64_t until = ck_boot_ms() + START_MS; !cli_ring_ready(k->ring);) {
    struct pollfd fds[CLI_RING_FDS];
    int wait = cli_ring_step(k->ring);
    if (cli_ring_ready(k->ring)) break;
    if (cli_ring_failed(k->ring, err)) return -1;
    if (cli_ring_elsewhere(k->ring)) {
      cli_ring_end(&k->ring);
      return 0;
    }
    if (ck_boot_ms() > until)
      return ck_fail(err, "the store was not ready within %d s: see logs/store.log",
                     START_MS / 1000);
    poll(fds, (nfds_t)cli_ring_fds(k->ring, fds), wait < 0 ? ANSWER_MS : wait);
  }
  return 1;
}

/* Starts a private ring, since none is running on this folder. */
static int start_private(struct cli *c, unsigned parts) {
  struct ck_err err;
  if (start_parts(c, parts, &err) >= 0) return CLI_GO_ON;
  cli_error(c, c->dir, "%s", err.text);
  return CLI_FAILED;
}

int cli_connect(struct cli *c, bool create, unsigned parts) {
  int rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, create);
  if (rc != CLI_GO_ON) return rc;
  c->client = ck_zalloc(sizeof *c->client);
  bool local = strncmp(cli_store_place(c), "ipc://", 6) == 0;
  if (local && !create && access(CK_PLACE_DATABASE, F_OK)) {
    cli_error(c, c->dir, "no database there yet: start with convkeep up or convkeep import FILE");
    return CLI_NOBODY;
  }
  if (store_missing(c)) rc = start_private(c, parts);
  if (rc != CLI_GO_ON) return rc;
  struct ck_err err;
  c->client->snapshot = ck_door_connect(c->settings, CK_DOOR_SNAPSHOT, &err);
  if (c->client->snapshot) return CLI_GO_ON;
  cli_error(c, NULL, "%s", err.text);
  return CLI_FAILED;
}

void cli_disconnect(struct cli *c) {
  struct cli_client *k = c->client;
  if (!k) return;
  cli_writer_free(&k->writer);
  ck_door_close(&k->snapshot, 0);
  ck_context_end();
  cli_ring_end(&k->ring);
  free(k);
  c->client = NULL;
}

/* ---- queries ---- */

static int reconnect(struct cli *c) {
  struct ck_err err;
  ck_door_close(&c->client->snapshot, 0);
  c->client->snapshot = ck_door_connect(c->settings, CK_DOOR_SNAPSHOT, &err);
  if (c->client->snapshot) return CLI_GO_ON;
  cli_error(c, NULL, "%s", err.text);
  return CLI_FAILED;
}

/* After an unanswered request: restarts a private store that died, or starts one if the ring has
 * ended since. Then reconnects. */
static int look_around(struct cli *c) {
  struct cli_client *k = c->client;
  int rc = CLI_GO_ON;
  if (k->ring)
    cli_ring_step(k->ring);
  else if (store_missing(c))
    rc = start_private(c, CLI_PART(CLI_STORE));
  return rc == CLI_GO_ON ? reconnect(c) : rc;
}

int cli_ask(struct cli *c, struct ck_message *request, struct ck_message *answer,
            zmq_msg_t *frame) {
  struct ck_err err;
  int64_t until = ck_boot_ms() + PATIENCE_MS;
  for (;;) {
    int64_t asked = ck_boot_ms();
    *answer = (struct ck_message){0};
    if (ck_ask(c->client->snapshot, request, answer, frame, ANSWER_MS, &err) == 0) return CLI_GO_ON;
    if (answer->kind == CK_MSG_PROBLEM && ck_boot_ms() - asked < ANSWER_MS) {
      cli_error(c, NULL, "%s", err.text);
      return CLI_FAILED;
    }
    if (ck_boot_ms() >= until) return nobody(c);
    int rc = look_around(c);
    if (rc != CLI_GO_ON) return rc;
  }
}

json_t *cli_json_of(struct ck_str value) {
  struct ck_buf text = {0};
  struct ck_reader r = ck_reader_of(value);
  json_error_t error;
  json_t *json = NULL;
  if (ck_read_json(&r, &text) == 0)
    json = json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  ck_buf_free(&text);
  return json;
}

/* Reports an answer of an unexpected kind. */
static int strange(const struct cli *c, zmq_msg_t *frame) {
  zmq_msg_close(frame);
  cli_error(c, cli_store_place(c),
            "unexpected answer: are the store and this program the same version?");
  return CLI_FAILED;
}

static int rows_of(struct cli *c, struct ck_message *request, json_t **rows) {
  struct ck_message answer;
  zmq_msg_t frame;
  int rc = cli_ask(c, request, &answer, &frame);
  if (rc != CLI_GO_ON) return rc;
  *rows = answer.kind == CK_MSG_ROWS ? cli_json_of(answer.as.rows.rows) : NULL;
  if (!json_is_array(*rows)) {
    json_decref(*rows);
    *rows = NULL;
    return strange(c, &frame);
  }
  zmq_msg_close(&frame);
  return CLI_GO_ON;
}

int cli_query(struct cli *c, const char *table, const struct cli_filter *filters, size_t count,
              unsigned limit, unsigned offset, json_t **rows) {
  struct ck_buf map = {0};
  struct ck_map m = ck_map_open(&map);
  for (size_t i = 0; i < count; ++i) {
    if (filters[i].text)
      ck_pair_text(&m, filters[i].name, filters[i].text);
    else
      ck_pair_int(&m, filters[i].name, filters[i].number);
  }
  ck_map_close(&m);
  struct ck_message request = {.kind = CK_MSG_QUERY};
  request.as.query = (struct ck_query){0, ck_str_of(table), ck_buf_view(&map), limit, offset};
  int rc = rows_of(c, &request, rows);
  ck_buf_free(&map);
  return rc;
}

int cli_query_all(struct cli *c, const char *table, const struct cli_filter *filters, size_t count,
                  json_t **rows) {
  *rows = json_array();
  for (;;) {
    json_t *page;
    int rc = cli_query(c, table, filters, count, PAGE, (unsigned)json_array_size(*rows), &page);
    if (rc != CLI_GO_ON) {
      json_decref(*rows);
      *rows = NULL;
      return rc;
    }
    size_t n = json_array_size(page);
    json_array_extend(*rows, page);
    json_decref(page);
    if (n < PAGE) return CLI_GO_ON;
  }
}

int cli_query_one(struct cli *c, const char *table, const char *column, const char *text,
                  json_t **row) {
  json_t *rows;
  struct cli_filter filter = {column, text, 0};
  *row = NULL;
  int rc = cli_query(c, table, &filter, 1, 1, 0, &rows);
  if (rc != CLI_GO_ON) return rc;
  *row = json_incref(json_array_get(rows, 0));
  json_decref(rows);
  return CLI_GO_ON;
}

int cli_status_of(struct cli *c, json_t **info) {
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer;
  zmq_msg_t frame;
  int rc = cli_ask(c, &request, &answer, &frame);
  if (rc != CLI_GO_ON) return rc;
  *info = answer.kind == CK_MSG_INFO ? cli_json_of(answer.as.info.info) : NULL;
  if (!json_is_object(*info)) {
    json_decref(*info);
    *info = NULL;
    return strange(c, &frame);
  }
  zmq_msg_close(&frame);
  return CLI_GO_ON;
}
