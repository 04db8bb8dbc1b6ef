/* Changeset, spool, count: the path of every observation, and the lines of the quarantine files. */
#include "ingest/accept.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ingest/json.h"
#include "ingest/changeset.h"
#include "proto/clock.h"
#include "proto/log.h"

#define RAW_KEPT (64u << 10) /* bytes of a rejected input that are quarantined */
#define RAW_ROOM (1u << 20)  /* a larger buffer is freed after use */
#define SYNC_AT (1u << 20)   /* unsynced bytes after which the spool is synced at once */
#define RETRY_MS 200         /* between two tries while the disk is full */

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
  ck_buf_free(&a->packed);
  ck_buf_free(&a->line);
  ck_buf_free(&a->raw);
  ck_arena_free(&a->arena);
}

static void __attribute__((format(printf, 2, 3)))
set_error(struct ingest_acceptor *a, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(a->last_error, sizeof a->last_error, fmt, ap);
  va_end(ap);
  ingest_clean(a->last_error, sizeof a->last_error, ck_str_of(a->last_error));
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
  set_error(a, "%s: %s%s%s", from, place, place[0] ? ": " : "", reason);
  begin_line(a);
  add_text(a, "from", ck_str_of(from));
  if (place[0]) add_text(a, "place", ck_str_of(place));
  add_text(a, "reason", ck_str_of(reason));
  if (raw.n && ck_utf8_ok(raw)) add_text(a, "raw", ck_utf8_cut(raw, RAW_KEPT));
  end_line(a, &a->refused);
}

/* ---- accepting ---- */

int ingest_accept(struct ingest_acceptor *a, const struct ingest_observation *o, const char *from,
                  const char *place, uint64_t *number, struct ck_err *err) {
  struct ingest_changeset_facts facts = {0};
  ck_buf_clear(&a->packed);
  ck_arena_reset(&a->arena);
  if (ingest_changeset(&a->packed, o, ck_now_ms(), &a->arena, &facts, err) ||
      ingest_spool_add(a->spool, ck_buf_view(&a->packed), number, err)) {
    ingest_reject(a, from, place, err->text, ingest_accept_raw(a, o));
    return -1;
  }
  if (o->unknown || facts.homeless) keep_unknown(a, o, facts.message_id, facts.homeless);
  if (a->packed.cap > SYNC_AT) ck_buf_free(&a->packed);
  if (!a->full && ingest_spool_unsynced(a->spool) > SYNC_AT) ingest_accept_sync(a);
  return 0;
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
  set_error(a, "%s", err.text);
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

/* "message ID" or "execution ID" of the first mutation; nothing if it cannot be read. */
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

void ingest_refused(struct ingest_acceptor *a, uint64_t number, struct ck_str reason,
                    struct ck_buf *place) {
  struct ck_str mutations = {0};
  ++a->refused_count;
  bool there = ingest_spool_get(a->spool, number, &mutations);
  ck_buf_clear(place);
  ck_arena_reset(&a->arena);
  if (there) name_changeset(place, mutations, &a->arena);
  if (!place->len) ck_buf_printf(place, "changeset %llu", (unsigned long long)number);
  set_error(a, "%s: %.*s", ck_buf_cstr(place), (int)(reason.n < 200 ? reason.n : 200),
            reason.n ? reason.s : "");
  ck_log(CK_WARN, ingest_spool_producer(a->spool), "refused", "number=%llu place=%s reason=%s",
         (unsigned long long)number, ck_quoted(ck_buf_view(place)), ck_quoted(reason));
  begin_line(a);
  ck_buf_printf(&a->line, ",\"number\":%llu", (unsigned long long)number);
  add_text(a, "place", ck_buf_view(place));
  add_text(a, "reason", reason);
  if (there) {
    struct ck_reader r = ck_reader_of(mutations);
    ck_buf_text(&a->line, ",\"mutations\":");
    ck_read_json(&r, &a->line);
  }
  end_line(a, &a->refused);
}
