#include "ingest/accept.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ingest/json.h"
#include "ingest/changeset.h"
#include "proto/clock.h"
#include "proto/log.h"

#define RAW_KEPT (64u << 10)
#define RAW_ROOM (1u << 20)
#define SYNC_AT (1u << 20)
#define RETRY_MS 200

void ingest_accept_init(struct ingest_acceptor *t, struct ingest_spool *spool, const char *dir) {
  struct ck_buf path = {0};
  *t = (struct ingest_acceptor){.spool = spool};
  ck_buf_printf(&path, "%s/refused.jsonl", dir);
  ingest_quarantine_init(&t->refused, ck_buf_cstr(&path), INGEST_QUARANTINE_MAX);
  ck_buf_clear(&path);
  ck_buf_printf(&path, "%s/unknown.jsonl", dir);
  ingest_quarantine_init(&t->unknown, ck_buf_cstr(&path), INGEST_QUARANTINE_MAX);
  ck_buf_free(&path);
}

void ingest_accept_free(struct ingest_acceptor *t) {
  ingest_quarantine_free(&t->refused);
  ingest_quarantine_free(&t->unknown);
  ck_buf_free(&t->packed);
  ck_buf_free(&t->line);
  ck_buf_free(&t->raw);
  ck_arena_free(&t->arena);
}

static void __attribute__((format(printf, 2, 3)))
set_error(struct ingest_acceptor *t, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(t->last_error, sizeof t->last_error, fmt, ap);
  va_end(ap);
  ingest_clean(t->last_error, sizeof t->last_error, ck_str_of(t->last_error));
  t->last_error_at = ck_now_ms();
}

/* ---- lines for what is kept beside ---- */

static void begin_line(struct ingest_acceptor *t) {
  ck_buf_clear(&t->line);
  ck_buf_printf(&t->line, "{\"at\":%lld", (long long)ck_now_ms());
}

static void add_text(struct ingest_acceptor *t, const char *name, struct ck_str text) {
  char shown[1024];
  ck_buf_printf(&t->line, ",\"%s\":", name);
  ck_buf_json_str(&t->line, ck_utf8_ok(text) ? text : ingest_clean(shown, sizeof shown, text));
}

static void end_line(struct ingest_acceptor *t, struct ingest_quarantine *quarantine) {
  ck_buf_text(&t->line, "}");
  ingest_quarantine_add(quarantine, ck_buf_view(&t->line));
}

struct ck_str ingest_accept_raw(struct ingest_acceptor *t, const struct ingest_observation *o) {
  struct ck_reader r = ck_reader_of(o->packed);
  if (o->raw.n || !o->packed.n) return o->raw;
  if (t->raw.cap > RAW_ROOM) ck_buf_free(&t->raw);
  ck_buf_clear(&t->raw);
  ck_read_json(&r, &t->raw);
  return ck_buf_view(&t->raw);
}

/* An observation with unknown names is kept as it came: a later version may know them. */
static void keep_unknown(struct ingest_acceptor *t, const struct ingest_observation *o,
                         struct ck_str message_id, bool homeless) {
  t->unknown_count += o->unknown;
  begin_line(t);
  add_text(t, "message_id", message_id);
  if (homeless)
    add_text(t, "note",
             CK_LIT("its target is not kept: neither conversation_id nor page_url says which "
                    "conversation it reaches"));
  struct ck_str raw = ingest_accept_raw(t, o);
  if (raw.n) {
    ck_buf_text(&t->line, ",\"observation\":");
    ck_buf_str(&t->line, raw);
  }
  end_line(t, &t->unknown);
}

void ingest_reject(struct ingest_acceptor *t, const char *from, const char *place,
                   const char *reason, struct ck_str raw) {
  ++t->rejected_count;
  set_error(t, "%s: %s%s%s", from, place, place[0] ? ": " : "", reason);
  begin_line(t);
  add_text(t, "from", ck_str_of(from));
  if (place[0]) add_text(t, "place", ck_str_of(place));
  add_text(t, "reason", ck_str_of(reason));
  if (raw.n && ck_utf8_ok(raw)) add_text(t, "raw", ck_utf8_cut(raw, RAW_KEPT));
  end_line(t, &t->refused);
}

/* ---- taking ---- */

int ingest_accept(struct ingest_acceptor *t, const struct ingest_observation *o, const char *from,
                  const char *place, uint64_t *number, struct ck_err *err) {
  struct ingest_changeset_facts facts = {0};
  ck_buf_clear(&t->packed);
  ck_arena_reset(&t->arena);
  if (ingest_changeset(&t->packed, o, ck_now_ms(), &t->arena, &facts, err) ||
      ingest_spool_add(t->spool, ck_buf_view(&t->packed), number, err)) {
    ingest_reject(t, from, place, err->text, ingest_accept_raw(t, o));
    return -1;
  }
  if (o->unknown || facts.homeless) keep_unknown(t, o, facts.message_id, facts.homeless);
  if (t->packed.cap > SYNC_AT) ck_buf_free(&t->packed);
  if (!t->full && ingest_spool_unsynced(t->spool) > SYNC_AT) ingest_accept_sync(t);
  return 0;
}

bool ingest_accept_sync(struct ingest_acceptor *t) {
  struct ck_err err;
  if (t->full && ck_boot_ms() < t->retry_at) return false;
  enum ingest_sync rc = ingest_spool_sync(t->spool, &err);
  if (rc == INGEST_SYNCED) {
    if (t->full)
      ck_log(CK_INFO, ingest_spool_producer(t->spool), "room_again", "pending=%llu",
             (unsigned long long)ingest_spool_pending(t->spool));
    t->full = false;
    return true;
  }
  set_error(t, "%s", err.text);
  t->retry_at = ck_boot_ms() + RETRY_MS;
  if (rc == INGEST_BROKEN) {
    ck_log(CK_ERROR, ingest_spool_producer(t->spool), "spool_broken", "reason=%s",
           ck_quotedz(err.text));
    t->broken = true;
  } else if (!t->full) {
    ck_log(CK_ERROR, ingest_spool_producer(t->spool), "disk_full",
           "reason=%s what=\"nothing is taken until there is room\"", ck_quotedz(err.text));
    t->full = true;
  }
  return false;
}

/* ---- refused by the store ---- */

/* "message ID" or "execution ID" of a changeset. */
static void name_changeset(struct ck_buf *place, struct ck_str mutations, struct ck_arena *arena) {
  struct ck_reader r = ck_reader_of(mutations);
  struct ck_mutation m;
  struct ck_row row;
  uint32_t n;
  if (ck_read_array(&r, &n) || !n || ck_mutation_decode(&m, &r, NULL) || m.kind != CK_OP_PUT)
    return;
  enum ck_table table = ck_table_named(m.as.put.table);
  if (table == CK_TABLES || ck_row_decode(&row, table, m.as.put.row, arena, NULL)) return;
  ck_buf_text(place, table == CK_EXECUTIONS ? "execution " : "message ");
  ck_buf_str(place, ck_row_key(&row));
}

void ingest_refused(struct ingest_acceptor *t, uint64_t number, struct ck_str reason,
                    struct ck_buf *place) {
  struct ck_str mutations = {0};
  ++t->refused_count;
  bool there = ingest_spool_get(t->spool, number, &mutations);
  ck_buf_clear(place);
  ck_arena_reset(&t->arena);
  if (there) name_changeset(place, mutations, &t->arena);
  if (!place->len) ck_buf_printf(place, "changeset %llu", (unsigned long long)number);
  set_error(t, "%s: %.*s", ck_buf_cstr(place), (int)(reason.n < 200 ? reason.n : 200),
            reason.n ? reason.s : "");
  ck_log(CK_WARN, ingest_spool_producer(t->spool), "refused", "number=%llu place=%s reason=%s",
         (unsigned long long)number, ck_quoted(ck_buf_view(place)), ck_quoted(reason));
  begin_line(t);
  ck_buf_printf(&t->line, ",\"number\":%llu", (unsigned long long)number);
  add_text(t, "place", ck_buf_view(place));
  add_text(t, "reason", reason);
  if (there) {
    struct ck_reader r = ck_reader_of(mutations);
    ck_buf_text(&t->line, ",\"mutations\":");
    ck_read_json(&r, &t->line);
  }
  end_line(t, &t->refused);
}
