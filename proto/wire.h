/* What two processes say to each other. One list a message gives its struct, its codec and its name
 * in the log.
 *
 * A frame is a MessagePack array: [CK_WIRE, number of the kind, field, field, …]. All fields are
 * there, in the order of the list. To change a message: never reuse a number or change a field's
 * meaning; a message that must differ gets a new number. A new field is appended: an older reader
 * ignores what follows the fields it knows, a newer one refuses a frame that is too short.
 *
 *   field kinds: TEXT (UTF-8), INT (signed), UINT, BOOL, RAW (any MessagePack value, kept encoded)
 *
 * On the feed a message has two frames: the topic, by which a subscriber chooses, and the message.
 *   "change" CHANGES · "beat" BEAT · "receipt/PRODUCER" RECEIPT · "delivery/CLIENT_ID" DELIVERY
 */
#ifndef CK_PROTO_WIRE_H
#define CK_PROTO_WIRE_H

#include "proto/error.h"
#include "proto/pack.h"
#include "proto/records.h"

#define CK_WIRE 1

#define CK_TOPIC_CHANGE "change"
#define CK_TOPIC_BEAT "beat"
#define CK_TOPIC_RECEIPT "receipt/"
#define CK_TOPIC_DELIVERY "delivery/"

/* producer → store, intake. mutations: an array of mutations (CK_MUTATIONS below). */
#define CK_CHANGESET_FIELDS(F) F(TEXT, producer) F(UINT, epoch) F(UINT, number) F(RAW, mutations)

/* store → producer, feed. All numbers up to `applied` are durable. `results` has one letter for
 * each number from `first` to `applied`: n new (something was inserted), u updated, = unchanged, r
 * refused. refused: array of [number, reason]. version: the store's newest durable version when
 * this was said, after the commit of `applied`. A follower whose cursor has reached it has seen all
 * that the numbers up to `applied` changed. */
#define CK_RECEIPT_FIELDS(F) \
  F(TEXT, producer) \
  F(UINT, epoch) F(UINT, first) F(UINT, applied) F(TEXT, results) F(RAW, refused) F(UINT, version)

/* store → followers, feed (request 0) and the answer to SINCE. Covers every version in (after,
 * upto]; changes: an array of [version, table name, row map], ascending, each record once with its
 * newest state (a version that a later one in the range or behind it has overtaken is not listed).
 * head: the store's newest version at that moment. */
#define CK_CHANGES_FIELDS(F) \
  F(UINT, request) F(TEXT, store_id) F(UINT, after) F(UINT, upto) F(UINT, head) F(RAW, changes)

/* store → everyone, feed, every 200 ms. floor: the oldest version that SINCE can start after. at:
 * the store's wall clock. */
#define CK_BEAT_FIELDS(F) F(TEXT, store_id) F(UINT, head) F(UINT, floor) F(INT, at)

/* store → whoever holds the browser, feed. body: the delivery as one JSON object. */
#define CK_DELIVERY_FIELDS(F) F(TEXT, client_id) F(TEXT, body)

/* store → syncd, work. A leased range of changes for the sink; `changes` as in CHANGES. One with
 * changes carries the right to one request to a sink whose requests are counted, for CK_TOKEN_MS.
 * parents: behind them stands what they point to and may not be in the sink yet, messages and
 * conversations with versions outside of the range; all of it, so that nothing need be waited for.
 * That is so where a worker reported that the sink checks foreign keys. */
#define CK_BATCH_FIELDS(F) \
  F(TEXT, store_id) \
  F(TEXT, sink) F(UINT, generation) F(UINT, after) F(UINT, upto) F(RAW, changes) F(BOOL, parents)
#define CK_TOKEN_MS 10000

/* syncd → store, work. As of now it takes so many batches, and would send so many requests besides
 * (what is tried again, taken apart, asked). probe: nothing gets through, and it would find out
 * whether that is still so; one worker after another may. Each DEMAND replaces the one before;
 * repeated every second while it wants anything, and forgotten after CK_DEMAND_MS. hold:
 * milliseconds in which nobody is to send anything, because the sink said so; 0: nothing said.
 * Answered with BATCH and GRANT as they come to be there, PROBLEM `sink` when the store has another
 * sink. */
#define CK_DEMAND_FIELDS(F) \
  F(UINT, request) \
  F(TEXT, worker) F(TEXT, sink) F(UINT, batches) F(UINT, tokens) F(BOOL, probe) F(UINT, hold)
#define CK_DEMAND_MS 2500

/* store → syncd, work. The right to so many requests within the next `ms` milliseconds. */
#define CK_GRANT_FIELDS(F) F(UINT, request) F(UINT, tokens) F(UINT, ms)

/* syncd → store, work. The worker's leases, every second and at once when it gives some up. Each
 * list is an array of leases (ck_lease_encode), at most CK_HELD_MAX of them:
 *   held       it works on them; each lasts CK_LEASE_MS from now, and runs out without HELD.
 *   returned   it gives them up: the ranges are the next worker's, at once. Said once.
 *   postponed  it gives them up, as they wait for a person: they become a backlog. Said once.
 * postpones: it would postpone those ranges again, so they are not to be granted again; believed
 * for CK_POSTPONES_MS. foreign_keys: its sink checks them, so batches carry what their records
 * point to. Not answered. A frame with a malformed list is refused as a whole. */
#define CK_HELD_FIELDS(F) \
  F(TEXT, worker) \
  F(TEXT, sink) \
  F(RAW, held) F(RAW, returned) F(RAW, postponed) F(BOOL, postpones) F(BOOL, foreign_keys)
#define CK_HELD_MAX 1024
#define CK_LEASE_MS 10000
#define CK_POSTPONES_MS 2500

/* producer → store, snapshot. Asks for a new epoch. next: the number of the producer's first
 * changeset that has no receipt yet. */
#define CK_HELLO_FIELDS(F) F(UINT, request) F(TEXT, producer) F(UINT, next)

/* producer → store, snapshot. Where am I? Answered with WELCOME, or PROBLEM `epoch` when a newer
 * run said HELLO. */
#define CK_LAST_FIELDS(F) F(UINT, request) F(TEXT, producer) F(UINT, epoch)

/* store → producer. applied, first, results, refused, version: as in RECEIPT, for the last numbers
 * applied. */
#define CK_WELCOME_FIELDS(F) \
  F(UINT, request) \
  F(TEXT, store_id) \
  F(UINT, epoch) F(UINT, first) F(UINT, applied) F(TEXT, results) F(RAW, refused) F(UINT, version)

/* follower → store, snapshot. Changes after a version; tables: bit mask of enum ck_table, 0 for
 * all. After 0: everything, which is the snapshot. Answered with CHANGES of 1 MiB at most; PROBLEM
 * `store_id` when that id is not the store's (ask again with after 0). */
#define CK_SINCE_FIELDS(F) F(UINT, request) F(TEXT, store_id) F(UINT, after) F(UINT, tables)

/* anyone → store, snapshot. table: a table's name. filters: map from column to value (integer,
 * text, nil), plus "next_attempt_at<=" for jobs. Answered with ROWS in the order of
 * docs/records.md. */
#define CK_QUERY_FIELDS(F) \
  F(UINT, request) F(TEXT, table) F(RAW, filters) F(UINT, limit) F(UINT, offset)
#define CK_ROWS_FIELDS(F) F(UINT, request) F(UINT, head) F(RAW, rows)

/* anyone → store, snapshot: STATUS; answered with INFO, a map. Also asked of ingest's own door:
 * PING, answered with INFO. */
#define CK_STATUS_FIELDS(F) F(UINT, request)
#define CK_INFO_FIELDS(F) F(UINT, request) F(RAW, info)

/* anyone → store, snapshot. Has the store do something that takes a while: backup, doctor, rebuild,
 * restored (docs/wire.md). id: the asker's own for this piece of work; the first request with it
 * starts it, every further one asks how it stands, so that a request may be sent again. options: a
 * map. Answered with INFO; PROBLEM `busy` while another one is under way. What nobody has asked
 * after for a minute is given up. */
#define CK_TASK_FIELDS(F) F(UINT, request) F(TEXT, task) F(TEXT, id) F(RAW, options)

/* syncd → store, snapshot. The records of a table in the order of their keys' bytes, behind `after`
 * up to `upto` (empty: to the end). rows > 0: digests (proto/digest.h) of `limit` ranges of so many
 * records each, 65,536 records at most; with rows 1, sum is the record's version itself. rows 0:
 * the records themselves, `limit` of them or about 1.7 MB. Answered with RANGES. */
#define CK_RANGE_FIELDS(F) \
  F(UINT, request) F(TEXT, table) F(TEXT, after) F(TEXT, upto) F(UINT, rows) F(UINT, limit)
/* cursor: all changes up to it were mirrored before this was read. longest: bytes of the longest
 * key. more: the limit ended it before `upto`. ranges: array of [last key, count, sum, mix], or of
 * [version, table, row] as in CHANGES. */
#define CK_RANGES_FIELDS(F) \
  F(UINT, request) \
  F(TEXT, store_id) F(UINT, cursor) F(UINT, head) F(UINT, longest) F(BOOL, more) F(RAW, ranges)

/* The answer to a request that cannot be fulfilled. code: a word a program can act on. */
#define CK_PROBLEM_FIELDS(F) F(UINT, request) F(TEXT, code) F(TEXT, reason)

/* daemon → store, intake; not numbered, not durable: what `status` shows. Every second and at
 * start. name: store, ingest, renewd, syncd; id: the producer id; info: a map of the daemon's own
 * (spool, sink, held batches, last error …). */
#define CK_REPORT_FIELDS(F) \
  F(TEXT, name) F(TEXT, id) F(TEXT, host) F(INT, pid) F(INT, up_since) F(RAW, info)

/* anyone → ingest, its own door `observe`. observation: a map with the names of docs/cli.md.
 * Answered with TAKEN (durable in the spool) or PROBLEM. */
#define CK_OBSERVE_FIELDS(F) F(UINT, request) F(RAW, observation)
#define CK_TAKEN_FIELDS(F) F(UINT, request) F(UINT, number)

/* convkeep import → ingest. One file: OPEN, then PIECEs of at most 256 KiB in order, the last with
 * `last` true; an empty one is allowed. Each PIECE is answered with MORE (send the next one) when
 * there is room for it; the last one with IMPORTED once every observation has its receipt.
 * Meanwhile MORE with piece 0 tells progress. A broken file is answered with IMPORTED too, `error`
 * set, after what went in before the break. */
#define CK_OPEN_FIELDS(F) F(UINT, request) F(TEXT, name)
#define CK_PIECE_FIELDS(F) F(UINT, request) F(UINT, piece) F(BOOL, last) F(RAW, bytes)
#define CK_MORE_FIELDS(F) F(UINT, request) F(UINT, piece) F(UINT, taken) F(UINT, receipted)
/* failures: array of [place, reason], at most 100; failed counts all. format: what it was
 * recognised as. */
#define CK_IMPORTED_FIELDS(F) \
  F(UINT, request) \
  F(TEXT, format) \
  F(UINT, added) F(UINT, updated) F(UINT, unchanged) F(UINT, failed) F(RAW, failures) F(TEXT, error)

/* M(NAME, name, number) */
#define CK_MESSAGE_LIST(M) \
  M(CHANGESET, changeset, 1) \
  M(RECEIPT, receipt, 2) \
  M(CHANGES, changes, 3) \
  M(BEAT, beat, 4) \
  M(DELIVERY, delivery, 5) \
  M(BATCH, batch, 6) \
  M(DEMAND, demand, 7) \
  M(GRANT, grant, 8) \
  M(HELD, held, 9) \
  M(HELLO, hello, 10) \
  M(LAST, last, 11) \
  M(WELCOME, welcome, 12) \
  M(SINCE, since, 13) \
  M(QUERY, query, 14) \
  M(ROWS, rows, 15) \
  M(STATUS, status, 16) \
  M(INFO, info, 17) \
  M(PROBLEM, problem, 18) \
  M(REPORT, report, 19) \
  M(TASK, task, 20) \
  M(RANGE, range, 21) \
  M(RANGES, ranges, 22) \
  M(OBSERVE, observe, 30) \
  M(TAKEN, taken, 31) \
  M(OPEN, open, 32) \
  M(PIECE, piece, 33) \
  M(MORE, more, 34) \
  M(IMPORTED, imported, 35)

/* ---- mutations: what a changeset is made of. Encoded like messages, without CK_WIRE: [number of
 * the kind, field, …] ---- */

/* The record, merged into what is there; inserted where there is none. For renewal_jobs: inserted;
 * the same job again is unchanged, another job for the same message is refused. */
#define CK_PUT_FIELDS(F) F(TEXT, table) F(RAW, row)
/* Changes a record that must exist. */
#define CK_UPDATE_FIELDS(F) F(TEXT, table) F(RAW, row)
/* renewd: takes a pending job at the time `at`: running, attempt_count + 1, leased with this token.
 * Refused when it is not pending. */
#define CK_CLAIM_FIELDS(F) F(TEXT, job_id) F(TEXT, token) F(INT, at)
/* renewd or a browser: how the attempt ended. Counts only with the token and attempt of the running
 * lease. outcome: done | retry | failed | unknown | released. released: the attempt is not charged,
 * the job is pending again. unknown: the job stays running, waits for a person. next_attempt_at:
 * for retry and released. cooldown_until: for the conversation, 0 for none. error and log_path:
 * empty for none. */
#define CK_END_FIELDS(F) \
  F(TEXT, job_id) \
  F(UINT, attempt) \
  F(TEXT, token) \
  F(TEXT, outcome) \
  F(TEXT, error) F(INT, next_attempt_at) F(INT, cooldown_until) F(TEXT, log_path) F(INT, at)
/* syncd: the leased range is in the sink. Refused when the generation is not the current one. dead:
 * array of [table, key, version, reason] set aside. */
#define CK_SYNCED_FIELDS(F) \
  F(TEXT, sink) F(UINT, generation) F(UINT, after) F(UINT, upto) F(RAW, dead)
/* syncd: what it has spent since it last said so. written: rows as the sink counts them. Added to
 * the day (UTC) at which the store takes it. */
#define CK_SPENT_FIELDS(F) F(TEXT, sink) F(UINT, requests) F(UINT, rows) F(UINT, written)
/* A follower's cursor, stored with its effects. */
#define CK_CURSOR_FIELDS(F) F(TEXT, follower) F(TEXT, store_id) F(UINT, version)
/* Publishes a DELIVERY once the changeset is durable. */
#define CK_PUBLISH_FIELDS(F) F(TEXT, client_id) F(TEXT, body)
/* A person: a dead letter is to be sent again. It is forgotten, and its record gets a new version,
 * as if it had changed. Nothing when there is no such one. */
#define CK_RETRY_FIELDS(F) F(TEXT, sink) F(TEXT, table) F(TEXT, key)
/* A person: the mirror is to be filled anew, everything once more, beside what changes meanwhile.
 * Nothing while an earlier one is not through. */
#define CK_BACKFILL_FIELDS(F) F(TEXT, sink)

#define CK_MUTATION_LIST(M) \
  M(PUT, put, 1) \
  M(UPDATE, update, 2) \
  M(CLAIM, claim, 3) \
  M(END, end, 4) \
  M(SYNCED, synced, 5) \
  M(CURSOR, cursor, 6) \
  M(PUBLISH, publish, 7) \
  M(RETRY, retry, 8) \
  M(BACKFILL, backfill, 9) \
  M(SPENT, spent, 10)

/* ---- generated from the lists ---- */
#define CK_C_TEXT struct ck_str
#define CK_C_INT int64_t
#define CK_C_UINT uint64_t
#define CK_C_BOOL bool
#define CK_C_RAW struct ck_str
#define CK_FIELD(kind, name) CK_C_##kind name;

#define CK_M(NAME, name, number) \
  struct ck_##name { \
    CK_##NAME##_FIELDS(CK_FIELD) \
  };
CK_MESSAGE_LIST(CK_M)
CK_MUTATION_LIST(CK_M)
#undef CK_M
#undef CK_FIELD

#define CK_M(NAME, name, number) CK_MSG_##NAME = number,
enum ck_message_kind { CK_MESSAGE_LIST(CK_M) };
#undef CK_M
#define CK_M(NAME, name, number) CK_OP_##NAME = number,
enum ck_mutation_kind { CK_MUTATION_LIST(CK_M) };
#undef CK_M

#define CK_M(NAME, name, number) struct ck_##name name;
struct ck_message {
  enum ck_message_kind kind;
  union {
    CK_MESSAGE_LIST(CK_M)
  } as;
};
struct ck_mutation {
  enum ck_mutation_kind kind;
  union {
    CK_MUTATION_LIST(CK_M)
  } as;
};
#undef CK_M

/* Appends the frame. TEXT fields must be UTF-8 and RAW fields one encoded value; both may be empty
 * views (RAW: nil is written). */
void ck_message_encode(struct ck_buf *b, const struct ck_message *m);

/* Scans and decodes a frame; views point into it. CHANGES' rows alone have not been scanned:
 * ck_change_decode finds what is wrong in them, and its caller whether they end where the frame
 * does. -1: what is wrong, where; m->kind is 0 then, or the kind where at least that was read. */
int ck_message_decode(struct ck_message *m, const void *frame, size_t n, struct ck_err *err);
const char *ck_message_name(enum ck_message_kind kind);
/* The number by which an answer finds its question, which is the first field, `request`, of every
 * message that asks or answers; NULL for the others. */
uint64_t *ck_message_request(struct ck_message *m);

void ck_mutation_encode(struct ck_buf *b, const struct ck_mutation *m);
/* Reads the next mutation of a changeset's array. */
int ck_mutation_decode(struct ck_mutation *m, struct ck_reader *r, struct ck_err *err);
const char *ck_mutation_name(enum ck_mutation_kind kind);

/* One entry of HELD's lists: [generation, after, upto], the lease of the range (after, upto]. */
struct ck_lease {
  uint64_t generation, after, upto;
};
void ck_lease_encode(struct ck_buf *b, const struct ck_lease *lease);
/* Reads the next entry of a list. -1 with the reason: it is no array of three such numbers. */
int ck_lease_decode(struct ck_reader *r, struct ck_lease *lease, struct ck_err *err);

/* Appends a PUT or UPDATE of the row. */
void ck_mutation_row(struct ck_buf *b, enum ck_mutation_kind kind, const struct ck_row *row);

/* One entry of a `changes` array: reads [version, table, row]; 0, or -1 with the reason. */
int ck_change_decode(struct ck_reader *r, uint64_t *version, struct ck_row *row,
                     struct ck_arena *arena, struct ck_err *err);
/* … with text of any bytes (ck_row_read). */
int ck_change_decode_bytes(struct ck_reader *r, uint64_t *version, struct ck_row *row,
                           struct ck_arena *arena, struct ck_err *err);
void ck_change_encode(struct ck_buf *b, uint64_t version, const struct ck_row *row);
/* At most so many bytes. */
size_t ck_change_room(const struct ck_row *row);
/* Appends a CHANGES frame up to its changes, n of which whoever calls it appends. c->changes is not
 * looked at. At most CK_CHANGES_OPEN bytes. */
void ck_changes_open(struct ck_buf *b, const struct ck_changes *c, uint32_t n);
#define CK_CHANGES_OPEN 256

#endif
