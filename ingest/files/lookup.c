/* See lookup.h. */
#include "ingest/files/lookup.h"

#include <stdlib.h>

#include "proto/doors.h"
#include "proto/log.h"

struct ingest_lookup {
  void *dealer;
  uint64_t asked; /* number of the last question */
  zmq_msg_t frame;
  bool held; /* frame is to be closed */
};

struct ingest_lookup *ingest_lookup_new(const struct ck_settings *s, struct ck_err *err) {
  struct ingest_lookup *l = ck_zalloc(sizeof *l);
  l->dealer = ck_door_connect(s, CK_DOOR_SNAPSHOT, err);
  if (!l->dealer) ingest_lookup_free(&l);
  return l;
}

static void let_go(struct ingest_lookup *l) {
  if (l->held) zmq_msg_close(&l->frame);
  l->held = false;
}

void ingest_lookup_free(struct ingest_lookup **lookup) {
  struct ingest_lookup *l = *lookup;
  if (!l) return;
  let_go(l);
  ck_door_close(&l->dealer, 0);
  free(l);
  *lookup = NULL;
}

void *ingest_lookup_socket(struct ingest_lookup *l) { return l->dealer; }

uint64_t ingest_lookup_ask(struct ingest_lookup *l, const char *reader, struct ck_str ids) {
  struct ck_buf frame = {0};
  struct ck_message m = {.kind = CK_MSG_HAVE};
  m.as.have = (struct ck_have){++l->asked, ck_str_of(reader), ids};
  ck_message_encode(&frame, &m);
  int rc = ck_send(l->dealer, ck_buf_view(&frame));
  ck_buf_free(&frame);
  return rc ? 0 : l->asked;
}

bool ingest_lookup_next(struct ingest_lookup *l, uint64_t *number, struct ck_str *had) {
  struct ck_message m;
  struct ck_err err;
  let_go(l);
  while (ck_recv(l->dealer, &l->frame) == 0) {
    struct ck_str bytes = ck_frame(&l->frame);
    l->held = true;
    bool read = ck_message_decode(&m, bytes.s, bytes.n, &err) == 0;
    if (read && m.kind == CK_MSG_HAD) {
      *number = m.as.had.request;
      *had = m.as.had.had;
      return true;
    }
    if (read && m.kind == CK_MSG_PROBLEM) {
      *number = m.as.problem.request;
      *had = (struct ck_str){0};
      return true;
    }
    ck_log(CK_WARN, "-", "answer_refused", "reason=%s",
           ck_quotedz(read ? ck_message_name(m.kind) : err.text));
    let_go(l);
  }
  return false;
}
