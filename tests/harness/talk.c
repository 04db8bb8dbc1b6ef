/* Queries, producers and raw sockets; see talk.h. */
#include "tests/harness/talk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/push.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"

#define MOST 64

struct t_producer {
  struct ck_push *push;
  struct ck_memory_unacked *unacked;
  struct ck_buf changeset;
  uint32_t mutations;
  size_t opened;
  bool done;
  char result;
  char reason[512];
};

static struct {
  void *dealers[CK_DOOR_OBSERVE + 1];
  void *raw[MOST];
  struct t_producer *producers[MOST];
  int producer_count;
} talk;

/* ---- queries ---- */

static void *dealer(enum ck_door door) {
  struct ck_err err = {""};
  if (talk.dealers[door] == NULL) talk.dealers[door] = ck_door_connect(t_settings(), door, &err);
  T_CHECK(talk.dealers[door] != NULL, "cannot connect to a door: %s", err.text);
  return talk.dealers[door];
}

int t_ask(enum ck_door door, struct ck_message *request, struct ck_message *answer,
          zmq_msg_t *frame, int ms, struct ck_err *err) {
  return ck_ask(dealer(door), request, answer, frame, ms, err);
}

json_t *t_json_of(struct ck_str packed) {
  struct ck_buf text = {0};
  struct ck_reader r = ck_reader_of(packed);
  T_CHECK(ck_read_json(&r, &text) == 0, "an answer that cannot be read as JSON");
  json_error_t error;
  json_t *value = json_loads(ck_buf_cstr(&text), JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  T_CHECK(value != NULL, "an answer whose JSON is wrong (%s): %.300s", error.text, text.data);
  ck_buf_free(&text);
  return value;
}

json_t *t_status(int ms) {
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer;
  zmq_msg_t frame;
  struct ck_err err;
  if (t_ask(CK_DOOR_SNAPSHOT, &request, &answer, &frame, ms, &err) != 0) return NULL;
  T_CHECK(answer.kind == CK_MSG_INFO, "STATUS was answered with %s", ck_message_name(answer.kind));
  json_t *status = t_json_of(answer.as.info.info);
  zmq_msg_close(&frame);
  return status;
}

static void ask_rows(const char *table, const char *filters, unsigned limit, unsigned offset,
                     struct ck_buf *packed, struct ck_message *request) {
  json_t *map = t_json("%s", filters ? filters : "{}");
  t_pack(packed, map);
  json_decref(map);
  *request = (struct ck_message){.kind = CK_MSG_QUERY};
  request->as.query = (struct ck_query){
      .table = ck_str_of(table), .filters = ck_buf_view(packed), .limit = limit, .offset = offset};
}

json_t *t_query(const char *table, const char *filters, unsigned limit, unsigned offset) {
  struct ck_buf packed = {0};
  struct ck_message request, answer;
  zmq_msg_t frame;
  struct ck_err err;
  ask_rows(table, filters, limit, offset, &packed, &request);
  T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &request, &answer, &frame, 20000, &err) == 0,
          "the query of %s %s: %s", table, filters ? filters : "", err.text);
  T_CHECK(answer.kind == CK_MSG_ROWS, "a query was answered with %s", ck_message_name(answer.kind));
  json_t *rows = t_json_of(answer.as.rows.rows);
  T_CHECK(json_is_array(rows), "the rows of %s are no array", table);
  zmq_msg_close(&frame);
  ck_buf_free(&packed);
  return rows;
}

void t_query_refused(const char *table, const char *filters, unsigned limit, unsigned offset,
                     char code[64], struct ck_err *reason) {
  struct ck_buf packed = {0}, bytes = {0}, got = {0};
  struct ck_message request, answer;
  ask_rows(table, filters, limit, offset, &packed, &request);
  request.as.query.request = 77;
  ck_message_encode(&bytes, &request);
  void *socket = t_raw_socket(CK_DOOR_SNAPSHOT, ZMQ_DEALER);
  t_raw_send(socket, bytes.data, bytes.len);
  T_CHECK(t_raw_recv(socket, &got, 5000), "the query of %s was not answered", table);
  T_CHECK(ck_message_decode(&answer, got.data, got.len, reason) == 0, "the answer: %s",
          reason->text);
  T_CHECK(answer.kind == CK_MSG_PROBLEM && answer.as.problem.request == 77,
          "the query of %s %s should be refused, not %s", table, filters ? filters : "",
          ck_message_name(answer.kind));
  snprintf(code, 64, "%.*s", (int)answer.as.problem.code.n, answer.as.problem.code.s);
  snprintf(reason->text, sizeof reason->text, "%.*s", (int)answer.as.problem.reason.n,
           answer.as.problem.reason.s);
  t_raw_close(socket);
  ck_buf_free(&packed), ck_buf_free(&bytes), ck_buf_free(&got);
}

/* ---- JSON to MessagePack ---- */

static void pack_object(struct ck_buf *b, const json_t *value) {
  const char *key;
  json_t *each;
  ck_put_map(b, (uint32_t)json_object_size(value));
  json_object_foreach((json_t *)(uintptr_t)value, key, each) {
    ck_put_text(b, key);
    t_pack(b, each);
  }
}

void t_pack(struct ck_buf *b, const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    pack_object(b, value);
    break;
  case JSON_ARRAY:
    ck_put_array(b, (uint32_t)json_array_size(value));
    for (size_t i = 0; i < json_array_size(value); i++) t_pack(b, json_array_get(value, i));
    break;
  case JSON_STRING:
    ck_put_str(b, (struct ck_str){json_string_value(value), json_string_length(value)});
    break;
  case JSON_INTEGER:
    ck_put_int(b, json_integer_value(value));
    break;
  case JSON_REAL:
    ck_put_float(b, json_real_value(value));
    break;
  case JSON_TRUE:
  case JSON_FALSE:
    ck_put_bool(b, json_is_true(value));
    break;
  default:
    ck_put_nil(b);
  }
}

/* ---- a producer ---- */

static void receipt(void *self, uint64_t number, char result, struct ck_str reason) {
  struct t_producer *p = self;
  (void)number;
  p->done = true;
  p->result = result;
  snprintf(p->reason, sizeof p->reason, "%.*s", (int)reason.n, reason.n ? reason.s : "");
}

struct t_producer *t_producer(const char *id) {
  T_CHECK(talk.producer_count < MOST, "too many producers in one test");
  struct t_producer *p = ck_zalloc(sizeof *p);
  struct ck_err err = {""};
  p->unacked = ck_memory_unacked_new(receipt, p);
  struct ck_unacked ops = ck_memory_unacked_ops(p->unacked);
  p->push = ck_push_new(t_settings(), id, &ops, 16, &err);
  T_CHECK(p->push != NULL, "cannot make a producer: %s", err.text);
  talk.producers[talk.producer_count++] = p;
  return p;
}

static void one_more(struct t_producer *p) {
  if (p->mutations++ == 0) {
    ck_buf_clear(&p->changeset);
    p->opened = ck_open_array(&p->changeset);
  }
}

void t_mutate_raw(struct t_producer *p, struct ck_str mutation) {
  one_more(p);
  ck_buf_str(&p->changeset, mutation);
}

void t_mutate(struct t_producer *p, const struct ck_mutation *m) {
  one_more(p);
  ck_mutation_encode(&p->changeset, m);
}

static void add(struct t_producer *p, enum ck_mutation_kind kind, const char *table,
                const char *row) {
  json_t *map = t_json("%s", row);
  struct ck_buf packed = {0};
  t_pack(&packed, map);
  struct ck_mutation m = {.kind = kind};
  if (kind == CK_OP_PUT)
    m.as.put = (struct ck_put){ck_str_of(table), ck_buf_view(&packed), 0};
  else
    m.as.update = (struct ck_update){ck_str_of(table), ck_buf_view(&packed)};
  t_mutate(p, &m);
  ck_buf_free(&packed);
  json_decref(map);
}

void t_put(struct t_producer *p, const char *table, const char *row) {
  add(p, CK_OP_PUT, table, row);
}

void t_update(struct t_producer *p, const char *table, const char *row) {
  add(p, CK_OP_UPDATE, table, row);
}

static void wait_receipt(struct t_producer *p) {
  int64_t until = ck_boot_ms() + 10000 * T_SLOWER;
  while (!p->done) {
    int wait = ck_push_step(p->push);
    if (p->done) break;
    T_CHECK(ck_boot_ms() < until, "no receipt within 10 s");
    zmq_pollitem_t items[2];
    int n = ck_push_items(p->push, items);
    zmq_poll(items, n, wait < 0 || wait > 100 ? 100 : wait);
  }
}

char t_commit(struct t_producer *p) {
  if (p->mutations == 0) one_more(p), p->mutations = 0;
  ck_close_array(&p->changeset, p->opened, p->mutations);
  p->mutations = 0;
  p->done = false;
  ck_memory_unacked_add(p->unacked, ck_buf_view(&p->changeset));
  wait_receipt(p);
  return p->result;
}

const char *t_refusal(const struct t_producer *p) { return p->result == 'r' ? p->reason : ""; }

#define FORMATTED(text, fmt) \
  char text[8192]; \
  do { \
    va_list ap; \
    va_start(ap, fmt); \
    int n_ = vsnprintf(text, sizeof text, fmt, ap); \
    va_end(ap); \
    T_CHECK(n_ >= 0 && n_ < (int)sizeof text, "the test's row is too long"); \
  } while (0)

char t_write(struct t_producer *p, const char *table, const char *fmt, ...) {
  FORMATTED(row, fmt);
  t_put(p, table, row);
  return t_commit(p);
}

void t_refused(struct t_producer *p, const char *part, const char *table, const char *fmt, ...) {
  FORMATTED(row, fmt);
  t_put(p, table, row);
  char result = t_commit(p);
  T_CHECK(result == 'r', "%s %s should be refused, not '%c'", table, row, result);
  T_CHECK(strstr(p->reason, part) != NULL,
          "%s %s was refused with \"%s\", which does not name \"%s\"", table, row, p->reason, part);
}

void t_taken(struct t_producer *p, char result, const char *table, const char *fmt, ...) {
  FORMATTED(row, fmt);
  t_put(p, table, row);
  char got = t_commit(p);
  T_CHECK(got == result, "%s %s should give '%c', not '%c' %s", table, row, result, got,
          t_refusal(p));
}

void t_updated(struct t_producer *p, char result, const char *part, const char *table,
               const char *fmt, ...) {
  FORMATTED(row, fmt);
  t_update(p, table, row);
  char got = t_commit(p);
  T_CHECK(got == result, "UPDATE %s %s should give '%c', not '%c' %s", table, row, result, got,
          t_refusal(p));
  T_CHECK(result != 'r' || strstr(p->reason, part) != NULL,
          "UPDATE %s %s was refused with \"%s\", which does not name \"%s\"", table, row, p->reason,
          part);
}

/* ---- observations ---- */

uint64_t t_observe(const char *observation, struct ck_err *err) {
  json_t *map = t_json("%s", observation);
  struct ck_buf packed = {0};
  t_pack(&packed, map);
  json_decref(map);
  struct ck_message request = {.kind = CK_MSG_OBSERVE}, answer;
  request.as.observe.observation = ck_buf_view(&packed);
  zmq_msg_t frame;
  int rc = t_ask(CK_DOOR_OBSERVE, &request, &answer, &frame, 10000, err);
  ck_buf_free(&packed);
  if (rc) return 0;
  T_CHECK(answer.kind == CK_MSG_TAKEN, "OBSERVE was answered with %s",
          ck_message_name(answer.kind));
  uint64_t number = answer.as.taken.number;
  zmq_msg_close(&frame);
  return number;
}

/* ---- raw ---- */

static const char *endpoint(enum ck_door door) {
  static const enum ck_setting settings[] = {[CK_DOOR_INTAKE] = CK_SET_DOOR_INTAKE,
                                             [CK_DOOR_FEED] = CK_SET_DOOR_FEED,
                                             [CK_DOOR_WORK] = CK_SET_DOOR_WORK,
                                             [CK_DOOR_SNAPSHOT] = CK_SET_DOOR_SNAPSHOT,
                                             [CK_DOOR_OBSERVE] = CK_SET_DOOR_OBSERVE};
  return ck_set_text(t_settings(), settings[door]);
}

void *t_raw_socket(enum ck_door door, int type) {
  void *socket = zmq_socket(ck_context(), type);
  T_CHECK(socket != NULL, "no socket: %s", zmq_strerror(errno));
  int linger = 5000, interval = 20;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &interval, sizeof interval);
  T_CHECK(zmq_connect(socket, endpoint(door)) == 0, "cannot connect to %s: %s", endpoint(door),
          zmq_strerror(errno));
  for (int i = 0; i < MOST; i++) {
    if (talk.raw[i]) continue;
    talk.raw[i] = socket;
    return socket;
  }
  T_FAIL("too many raw sockets in one test");
  return NULL;
}

void t_raw_send(void *socket, const void *bytes, size_t n) {
  int64_t until = ck_boot_ms() + 20000 * T_SLOWER;
  while (zmq_send(socket, n ? bytes : "", n, ZMQ_DONTWAIT) < 0) {
    T_CHECK(errno == EAGAIN || errno == EINTR, "cannot send: %s", zmq_strerror(errno));
    T_CHECK(ck_boot_ms() < until, "no room for a frame within 20 s");
    t_pause(1);
  }
}

bool t_raw_recv(void *socket, struct ck_buf *b, int ms) {
  zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
  if (zmq_poll(&item, 1, (long)ms * T_SLOWER) <= 0) return false;
  for (int more = 1; more;) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, socket, 0) < 0) return false;
    ck_buf_clear(b);
    ck_buf_add(b, zmq_msg_data(&frame), zmq_msg_size(&frame));
    more = zmq_msg_more(&frame);
    zmq_msg_close(&frame);
  }
  return true;
}

void t_raw_message(void *intake, const char *id, uint64_t epoch, uint64_t number, const char *fmt,
                   ...) {
  FORMATTED(text, fmt);
  struct ck_buf row = {0}, mutations = {0}, bytes = {0};
  json_t *map = t_json("%s", text);
  t_pack(&row, map);
  json_decref(map);
  struct ck_mutation put = {.kind = CK_OP_PUT};
  put.as.put = (struct ck_put){CK_LIT("messages"), ck_buf_view(&row), 0};
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, &put);
  struct ck_message m = {.kind = CK_MSG_CHANGESET};
  m.as.changeset = (struct ck_changeset){ck_str_of(id), epoch, number, ck_buf_view(&mutations)};
  ck_message_encode(&bytes, &m);
  t_raw_send(intake, bytes.data, bytes.len);
  ck_buf_free(&row), ck_buf_free(&mutations), ck_buf_free(&bytes);
}

void t_raw_close(void *socket) {
  for (int i = 0; i < MOST; i++)
    if (talk.raw[i] == socket) talk.raw[i] = NULL;
  zmq_close(socket);
}

int t_plain_connect(enum ck_door door) {
  const char *where = endpoint(door);
  if (strncmp(where, "ipc://", 6) == 0) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", where + 6);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    close(fd);
    return -1;
  }
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  a.sin_port = htons((uint16_t)atoi(strrchr(where, ':') + 1));
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
  close(fd);
  return -1;
}

void t_talk_forget(void) {
  for (int i = 0; i < talk.producer_count; i++) {
    ck_push_free(&talk.producers[i]->push);
    ck_memory_unacked_free(&talk.producers[i]->unacked);
    ck_buf_free(&talk.producers[i]->changeset);
    free(talk.producers[i]);
  }
  talk.producer_count = 0;
  for (size_t i = 0; i < sizeof talk.dealers / sizeof *talk.dealers; i++)
    ck_door_close(&talk.dealers[i], 0);
  for (int i = 0; i < MOST; i++)
    if (talk.raw[i]) t_raw_close(talk.raw[i]);
}
