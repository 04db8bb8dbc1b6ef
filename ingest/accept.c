/* Changeset, spool, count: the path of every observation, and the lines of the quarantine files. */
#include "ingest/accept.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ingest/parse/breath.h"
#include "ingest/parse/json.h"
#include "proto/clock.h"
#include "proto/log.h"

#define RAW_KEPT (64u << 10) /* bytes of a rejected input that are quarantined */
#define RAW_ROOM (1u << 20)  /* a larger buffer is freed after use */
#define SYNC_AT (1u << 20)   /* unsynced bytes after which the spool is synced at once */
#define RETRY_MS 200         /* between two tries while the disk is full */
#define ATTACHMENT "attachment "

void ingest_accept_init(struct ingest_acceptor *a, struct ingest_spool *spool, const char *dir) {
  struct ck_buf path = {0};
  *a = (struct ingest_acceptor){.spool = spool};
  ck_buf_printf(&path, "%s/refused.jsonl", dir);
  ck_quarantine_init(&a->refused, ck_buf_cstr(&path), CK_QUARANTINE_MAX);
  ck_buf_clear(&path);
  ck_buf_printf(&path, "%s/unknown.jsonl", dir);
  ck_quarantine_init(&a->unknown, ck_buf_cstr(&path), CK_QUARANTINE_MAX);
  ck_buf_free(&path);
}

void ingest_accept_free(struct ingest_acceptor *a) {
  ck_quarantine_free(&a->refused);
  ck_quarantine_free(&a->unknown);
  ck_buf_free(&a->line);
  ck_buf_free(&a->raw);
  ck_buf_free(&a->message_id);
  ck_arena_free(&a->arena);
  ingest_changeset_free(&a->alone);
  ingest_changeset_free(&a->many);
  ck_buf_free(&a->rows);
  ck_buf_free(&a->row);
  ingest_notes_free(&a->notes);
}

static void set_error(struct ingest_acceptor *a, const char *reason) {
  ingest_clean(a->last_error, sizeof a->last_error, ck_str_of(reason));
  a->last_error_at = ck_now_ms();
}

/* ---- quarantine lines ---- */

static void begin_line(struct ingest_acceptor *a) {
  ck_buf_clear(&a->line);
  ck_buf_printf(&a->line, "{\"at\":%lld", (long long)ck_now_ms());
}

static void add_text(struct ingest_acceptor *a, const char *name, struct ck_str text) {
  char shown[1024];
  ck_buf_printf(&a->line, ",\"%s\":", name);
  ck_buf_json_str(&a->line, ck_utf8_ok(text) ? text : ingest_clean(shown, sizeof shown, text));
}

static void end_line(struct ingest_acceptor *a, struct ck_quarantine *quarantine) {
  ck_buf_text(&a->line, "}");
  ck_quarantine_add(quarantine, ck_buf_view(&a->line));
}

struct ck_str ingest_accept_raw(struct ingest_acceptor *a, const struct ingest_observation *o) {
  struct ck_reader r = ck_reader_of(o->packed);
  if (o->raw.n || !o->packed.n) return o->raw;
  if (a->raw.cap > RAW_ROOM) ck_buf_free(&a->raw);
  ck_buf_clear(&a->raw);
  ck_read_json(&r, &a->raw);
  return ck_buf_view(&a->raw);
}

/* Quarantines a copy of the observation as it was sent: a later version may know its names. */
static void keep_unknown(struct ingest_acceptor *a, const struct ingest_observation *o,
                         struct ck_str message_id, bool homeless) {
  a->unknown_count += o->unknown;
  begin_line(a);
  add_text(a, "message_id", message_id);
  if (homeless)
    add_text(a, "note",
             CK_LIT("its target is not stored: neither conversation_id nor page_url says which "
                    "conversation it belongs to"));
  struct ck_str raw = ingest_accept_raw(a, o);
  if (raw.n) {
    ck_buf_text(&a->line, ",\"observation\":");
    ck_buf_str(&a->line, raw);
  }
  end_line(a, &a->unknown);
}

void ingest_reject(struct ingest_acceptor *a, const char *from, const char *place,
                   const char *reason, struct ck_str raw) {
  ++a->rejected_count;
  a->many.to_end = false; /* something of the conversation may be missing */
  begin_line(a);
  add_text(a, "from", ck_str_of(from));
  if (place[0]) add_text(a, "place", ck_str_of(place));
  add_text(a, "reason", ck_str_of(reason));
  if (raw.n && ck_utf8_ok(raw)) add_text(a, "raw", ck_utf8_cut(raw, RAW_KEPT));
  end_line(a, &a->refused);
}

/* ---- accepting ---- */

static void spooled(struct ingest_acceptor *a) {
  if (!a->full && ingest_spool_unsynced(a->spool) > SYNC_AT) ingest_accept_sync(a);
}

/* A file gives many in a millisecond, so assumed times run ahead of the clock. If they are ahead by
 * more than this, the clock has been set back, and it is believed. */
#define ASSUMED_AHEAD_MS (60 * 60 * 1000)

static int64_t assume_time(struct ingest_acceptor *a) {
  int64_t now = ck_now_ms();
  bool follows = now <= a->assumed_at && a->assumed_at - now < ASSUMED_AHEAD_MS;
  return a->assumed_at = follows ? a->assumed_at + 1 : now;
}

int ingest_accept(struct ingest_acceptor *a, const struct ingest_observation *o, const char *from,
                  const char *place, struct ck_str original, int64_t age, uint64_t *number,
                  struct ck_err *err) {
  struct ingest_changeset_facts facts = {0};
  int64_t now = o->observed_at == INGEST_NO_TIME ? assume_time(a) : ck_now_ms();
  if (ingest_changeset_alone(&a->alone, o, original, now, age, &facts, err) ||
      ingest_spool_add(a->spool, ck_buf_view(&a->alone.out), number, err)) {
    ingest_reject(a, from, place, err->text, ingest_accept_raw(a, o));
    return -1;
  }
  ck_buf_clear(&a->message_id);
  ck_buf_str(&a->message_id, facts.message_id);
  if (o->unknown || facts.homeless) keep_unknown(a, o, facts.message_id, facts.homeless);
  if (a->alone.out.cap > SYNC_AT) ingest_changeset_free(&a->alone);
  spooled(a);
  return 0;
}

int ingest_accept_attachment(struct ingest_acceptor *a, struct ck_str mutation, uint64_t *number,
                             bool *last, struct ck_err *err) {
  struct ck_buf changeset = {0};
  struct ck_reader r = ck_reader_of(mutation);
  struct ck_mutation m;
  struct ck_str data;
  bool here;
  if (ck_mutation_decode(&m, &r, err)) return -1;
  if (m.kind != CK_OP_ATTACHMENT) return ck_fail(err, "expected attachments only");
  if (ck_attachment_check(&m.as.attachment, &data, &here, err)) return -1;
  *last = here || m.as.attachment.part + 1 == ck_attachment_parts(m.as.attachment.bytes);
  ck_put_array(&changeset, 1);
  ck_put_raw(&changeset, mutation);
  int rc = ingest_spool_add(a->spool, ck_buf_view(&changeset), number, err);
  ck_buf_free(&changeset);
  if (rc == 0) spooled(a);
  return rc;
}

/* A part of a block is smaller than what the spool takes. */
void ingest_accept_block(struct ingest_acceptor *a, struct ck_str mutations, uint64_t *number) {
  struct ck_err err;
  int rc = ingest_spool_add(a->spool, mutations, number, &err);
  assert(rc == 0);
  spooled(a);
}

/* ---- a conversation ---- */

static void note(struct ingest_acceptor *a, const char *kind) {
  a->giver->note(a->giver->self, kind, 1);
}

static void note_cut(struct ingest_acceptor *a) {
  if (a->many.cut) note(a, "details or title too large: only the original has them");
  a->many.cut = false;
}

static void fail(struct ingest_acceptor *a, const char *place, const char *reason) {
  ingest_reject(a, a->giver->from, place, reason, (struct ck_str){0});
  a->giver->failed(a->giver->self, place, reason);
}

/* A changeset holds one row at least and never more than a row's room beside the rest, which the
 * spool takes. */
static void flush(struct ingest_acceptor *a, bool last) {
  uint64_t number;
  struct ck_err err;
  if (!ingest_changeset_close(&a->many, last)) return;
  int rc = ingest_spool_add(a->spool, ck_buf_view(&a->many.out), &number, &err);
  assert(rc == 0);
  a->giver->spooled(a->giver->self, number, a->many.messages, a->many.executions);
  spooled(a);
  ingest_breathe();
}

static void keep(struct ingest_acceptor *a) {
  note_cut(a);
  if (ingest_changeset_is_full(&a->many)) {
    flush(a, false);
    ingest_changeset_next(&a->many);
  }
  ingest_changeset_keep(&a->many);
}

void ingest_accept_begin(struct ingest_acceptor *a, const struct ingest_conversation *c,
                         struct ck_str original, const struct ingest_giver *giver) {
  a->giver = giver;
  ingest_changeset_begin(&a->many, c, original, ck_now_ms());
  note_cut(a);
}

void ingest_accept_message(struct ingest_acceptor *a, const struct ingest_observation *o,
                           const char *place) {
  struct ck_err err;
  if (!o->has_text) {
    ingest_changeset_known(&a->many, o);
  } else if (ingest_changeset_message(&a->many, o, &err)) {
    fail(a, place, err.text);
    return;
  } else {
    keep(a);
  }
  for (size_t i = 0; i < o->execution_count; ++i) {
    if (ingest_changeset_execution(&a->many, &o->executions[i], &err) == 0) {
      keep(a);
    } else {
      ck_fail_in(&err, "execution");
      fail(a, place, err.text);
    }
  }
}

void ingest_accept_end(struct ingest_acceptor *a) {
  flush(a, true);
  if (a->many.out.cap > SYNC_AT || a->many.row.cap > SYNC_AT) ingest_changeset_free(&a->many);
  a->giver = NULL;
}

/* ---- rows of another store ---- */

struct adopting {
  struct ingest_acceptor *a;
  const struct ingest_rows *of;
  size_t head; /* bytes of a->rows before the first one */
  uint32_t count;
  unsigned messages, executions;
};

static void begin_rows(struct adopting *g) {
  ck_buf_clear(&g->a->rows);
  ck_open_array(&g->a->rows);
  g->head = g->a->rows.len;
  g->count = g->messages = g->executions = 0;
}

static void flush_rows(struct adopting *g) {
  struct ingest_acceptor *a = g->a;
  uint64_t number;
  struct ck_err err;
  if (g->count == 0) return;
  ck_close_array(&a->rows, 0, g->count);
  int rc = ingest_spool_add(a->spool, ck_buf_view(&a->rows), &number, &err);
  assert(rc == 0);
  a->giver->spooled(a->giver->self, number, g->messages, g->executions);
  spooled(a);
  begin_rows(g);
}

/* The original is what the row was read from here, unless it has another one here already. */
static void set_original(struct ck_row *row, int original, int ages, struct ck_str id,
                         struct ck_buf *text) {
  if (!id.n) return;
  row->v[original] = ck_text(id);
  if (row->v[ages].state != CK_TEXT) return;
  ck_buf_str(text, row->v[ages].as.s);
  ck_buf_text(text, " original=none");
  row->v[ages] = ck_text(ck_buf_view(text));
}

static void encode_row(struct adopting *g, const struct ck_row *given, struct ck_str original) {
  struct ck_buf encoded = {0}, ages = {0};
  struct ck_row row = *given;
  if (row.table == CK_MESSAGES)
    set_original(&row, CK_MESSAGES_ORIGINAL, CK_MESSAGES_AGES, original, &ages);
  if (row.table == CK_EXECUTIONS)
    set_original(&row, CK_EXECUTIONS_ORIGINAL, CK_EXECUTIONS_AGES, original, &ages);
  ck_row_encode(&encoded, &row);
  struct ck_mutation m = {.kind = CK_OP_ADOPT};
  m.as.adopt = (struct ck_adopt){ck_str_of(ck_tables[row.table].name), ck_buf_view(&encoded), 0,
                                 g->of->platform, g->of->conversation};
  ck_buf_clear(&g->a->row);
  ck_mutation_encode(&g->a->row, &m);
  ck_buf_free(&encoded);
  ck_buf_free(&ages);
}

void ingest_accept_rows(struct ingest_acceptor *a, const struct ingest_rows *rows,
                        struct ck_str original, const struct ingest_giver *giver,
                        const char *place) {
  struct adopting g = {.a = a, .of = rows};
  a->giver = giver;
  begin_rows(&g);
  for (size_t i = 0; i < rows->count; ++i) {
    enum ck_table table = rows->rows[i].table;
    encode_row(&g, &rows->rows[i], original);
    if (g.head + a->row.len > INGEST_RECORD_MAX) {
      fail(a, place, "a row is too large");
      continue;
    }
    if (a->rows.len + a->row.len > INGEST_RECORD_MAX) flush_rows(&g);
    ck_buf_str(&a->rows, ck_buf_view(&a->row));
    ++g.count;
    g.messages += table == CK_MESSAGES;
    g.executions += table == CK_EXECUTIONS;
  }
  flush_rows(&g);
  if (a->rows.cap > SYNC_AT) ck_buf_free(&a->rows);
  if (a->row.cap > SYNC_AT) ck_buf_free(&a->row);
  a->giver = NULL;
  ingest_breathe();
}

bool ingest_accept_sync(struct ingest_acceptor *a) {
  struct ck_err err;
  if (a->full && ck_boot_ms() < a->retry_at) return false;
  enum ingest_sync rc = ingest_spool_sync(a->spool, &err);
  if (rc == INGEST_SYNCED) {
    if (a->full) {
      a->last_error[0] = '\0'; /* the trouble is over */
      ck_log(CK_INFO, ingest_spool_producer(a->spool), "room_again", "pending=%llu",
             (unsigned long long)ingest_spool_pending(a->spool));
    }
    a->full = false;
    return true;
  }
  set_error(a, err.text);
  a->retry_at = ck_boot_ms() + RETRY_MS;
  if (rc == INGEST_BROKEN) {
    ck_log(CK_ERROR, ingest_spool_producer(a->spool), "spool_broken", "reason=%s",
           ck_quotedz(err.text));
    a->broken = true;
  } else if (!a->full) {
    ck_log(CK_ERROR, ingest_spool_producer(a->spool), "disk_full",
           "reason=%s what=\"nothing is accepted until there is room\"", ck_quotedz(err.text));
    a->full = true;
  }
  return false;
}

/* ---- refused by the store ---- */

/* What a refused changeset was about, for people. */
struct refused {
  struct ingest_acceptor *a;
  struct ck_str reason;
  struct ck_buf place, first;
  void (*each)(void *self, const char *place, struct ck_str reason);
  void *self;
};

static void name_row(struct refused *r, const char *what, struct ck_str key) {
  ck_buf_clear(&r->place);
  ck_buf_text(&r->place, what);
  ck_buf_str(&r->place, key);
  if (!r->first.len) ck_buf_str(&r->first, ck_buf_view(&r->place));
  if (r->each) r->each(r->self, ck_buf_cstr(&r->place), r->reason);
}

/* Whether the mutation is about a row of the table, or a block if that is CK_TABLES; and which. */
static bool is_about(const struct ck_mutation *m, enum ck_table table, struct ck_str *key) {
  const struct ck_adopt *adopt = &m->as.adopt;
  const struct ck_put *put = &m->as.put;
  bool is_put = m->kind == CK_OP_PUT;
  if (m->kind == CK_OP_COPY) {
    *key = ck_row_key_in(CK_MESSAGES, m->as.copy.row);
    return table == CK_MESSAGES;
  }
  if (m->kind == CK_OP_BLOCK) {
    *key = m->as.block.block;
    return table == CK_TABLES;
  }
  if (!is_put && m->kind != CK_OP_ADOPT) return false;
  if (table == CK_TABLES || ck_table_named(is_put ? put->table : adopt->table) != table)
    return false;
  *key = ck_row_key_in(table, is_put ? put->row : adopt->row);
  return true;
}

/* Names the rows of a table; or the blocks, if table is CK_TABLES. False: the changeset has none.
 */
static bool name_rows(struct refused *r, struct ck_str mutations, enum ck_table table,
                      const char *what) {
  struct ck_reader reader = ck_reader_of(mutations);
  struct ck_mutation m;
  struct ck_str key;
  uint32_t n;
  bool some = false;
  if (ck_read_array(&reader, &n)) return false;
  for (; n && ck_mutation_decode(&m, &reader, NULL) == 0; --n) {
    if (!is_about(&m, table, &key)) continue;
    name_row(r, what, key);
    some = true;
  }
  return some;
}

/* False: it is not about an attachment. */
static bool name_attachment(struct refused *r, struct ck_str mutations) {
  struct ck_reader reader = ck_reader_of(mutations);
  struct ck_mutation m;
  uint32_t n;
  if (ck_read_array(&reader, &n) || ck_mutation_decode(&m, &reader, NULL) ||
      m.kind != CK_OP_ATTACHMENT)
    return false;
  name_row(r, "attachment ", m.as.attachment.name);
  return true;
}

static void quarantine_refused(struct refused *r, uint64_t number, struct ck_str mutations) {
  struct ck_reader reader = ck_reader_of(mutations);
  begin_line(r->a);
  ck_buf_printf(&r->a->line, ",\"number\":%llu", (unsigned long long)number);
  add_text(r->a, "place", ck_buf_view(&r->first));
  add_text(r->a, "reason", r->reason);
  if (mutations.n) {
    ck_buf_text(&r->a->line, ",\"mutations\":");
    ck_read_json(&reader, &r->a->line);
  }
  end_line(r->a, &r->a->refused);
}

void ingest_refused(struct ingest_acceptor *a, uint64_t number, struct ck_str reason,
                    void (*each)(void *self, const char *place, struct ck_str reason), void *self) {
  struct refused r = {.a = a, .reason = reason, .each = each, .self = self};
  struct ck_str mutations = {0};
  ++a->refused_count;
  bool there = ingest_spool_get(a->spool, number, &mutations);
  bool attachment = there && name_attachment(&r, mutations);
  if (attachment) mutations = (struct ck_str){0}; /* its bytes are in the export */
  if (!attachment && (!there || !(name_rows(&r, mutations, CK_MESSAGES, "message ") ||
                                  name_rows(&r, mutations, CK_EXECUTIONS, "execution ") ||
                                  name_rows(&r, mutations, CK_TABLES, "originals of block ")))) {
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    name_row(&r, "changeset ", ck_str_of(text));
  }
  ck_log(CK_WARN, ingest_spool_producer(a->spool), "refused", "number=%llu place=%s reason=%s",
         (unsigned long long)number, ck_quoted(ck_buf_view(&r.first)), ck_quoted(reason));
  quarantine_refused(&r, number, there ? mutations : (struct ck_str){0});
  ck_buf_free(&r.place);
  ck_buf_free(&r.first);
}
