/* Every message that two processes exchange, and every mutation that a changeset can hold.
 *
 * One list of fields defines a message. From it come its struct (ck_receipt), its encoder and
 * decoder, its name in the log, its fuzz target and its golden frames. The lists come first, the
 * generated types after them, the functions last.
 *
 * A frame is one MessagePack array: [CK_WIRE, number of the kind, field, field, …], with all fields
 * in the order of the list. A frame has at most CK_FRAME_MAX bytes. Field kinds:
 *
 *   TEXT   UTF-8              struct ck_str, a view into the frame
 *   RAW    any one value      struct ck_str, its MessagePack bytes, a view into the frame
 *   INT    signed             int64_t
 *   UINT   not negative       uint64_t
 *   BOOL   true or false      bool
 *
 * To change a message: never reuse a number, never change what a field means. A message that has to
 * differ gets a new number. A new field is appended to the list: an older reader ignores fields
 * after those it knows, a newer reader refuses a frame that lacks them.
 *
 * Where the messages travel (docs/wire.md has the sockets and the sequences):
 *
 *   intake     CHANGESET, REPORT                                      to the store
 *   feed       CHANGES, RECEIPT, BEAT, DELIVERY                       from the store
 *   work       DEMAND, HELD to the store; BATCH, GRANT from it
 *   snapshot   requests to the store: HELLO, LAST, SINCE, QUERY, STATUS, TASK, RANGE, HAVE, FETCH,
 *              SEARCH
 *   observe    requests to ingest: OBSERVE, OPEN, PIECE, ATTACH, STATUS
 *
 * On the feed a message has two parts, its topic, by which subscribers choose, and its frame.
 *
 * A request begins with the field `request`, a number that its sender chooses; the answer repeats
 * it. Any request may be answered with PROBLEM instead.
 *
 * Times are milliseconds since the Unix epoch, UTC, by the sender's wall clock. A range
 * (after, upto] of versions begins after `after` and includes `upto`.
 */
#ifndef CK_PROTO_WIRE_H
#define CK_PROTO_WIRE_H

#include "proto/error.h"
#include "proto/pack.h"
#include "proto/records.h"

#define CK_WIRE 1

#define CK_TOPIC_CHANGE "change"
#define CK_TOPIC_BEAT "beat"
#define CK_TOPIC_RECEIPT "receipt/"   /* receipt/PRODUCER/: ck_topic */
#define CK_TOPIC_DELIVERY "delivery/" /* delivery/CLIENT/ */

/* The lists are laid out by hand. */
/* clang-format off */

/* ---- changesets, from a producer to the store ---- */

/* Producer → store, intake. The store applies a changeset whole or refuses it whole.
 *
 *   epoch      from WELCOME; a changeset of any other epoch is ignored
 *   number     one more than the last: 1, 2, 3, …
 *   mutations  array of mutations (CK_MUTATION_LIST)
 *
 * Only the number after the last applied one is applied. Any other changes nothing, and the store
 * sends the producer's last receipt again. */
#define CK_CHANGESET_FIELDS(F) \
  F(TEXT, producer) F(UINT, epoch) F(UINT, number) F(RAW, mutations)

/* Store → producer, feed, topic receipt/PRODUCER/. All numbers up to `applied` are durable.
 *
 *   results  one letter for each number from `first` to `applied`:
 *            n new (something was inserted), u updated, = unchanged, r refused
 *   refused  array of [number, reason], ascending
 *   version  the store's newest durable version after the commit of `applied`; a follower whose
 *            cursor has reached it has seen everything that the numbers up to `applied` changed
 *   counts   array of [number, added, updated, unchanged, forgotten], ascending: what became of the
 *            messages of each number that had more than one and was not refused, or had one that
 *            was there while something else was inserted, or one that was forgotten
 *   claims   array of what renewd's claims among these numbers found, ascending (struct ck_claimed):
 *            it is told once, and not of large jobs */
#define CK_RECEIPT_FIELDS(F) \
  F(TEXT, producer) F(UINT, epoch) F(UINT, first) F(UINT, applied) F(TEXT, results) \
  F(RAW, refused) F(UINT, version) F(RAW, counts) F(RAW, claims)

/* Producer → store, snapshot: begins a new epoch for this producer. Answered with WELCOME.
 *
 *   next  the producer's first number without a receipt. A store that was restored from an older
 *         backup goes on from there. 0: the producer keeps nothing across runs, and the store
 *         says where to go on. */
#define CK_HELLO_FIELDS(F) F(UINT, request) F(TEXT, producer) F(UINT, next)

/* Producer → store, snapshot: how far has the store applied this producer? Answered with WELCOME,
 * or with PROBLEM `epoch` when another run has said HELLO since: this run must stop. */
#define CK_LAST_FIELDS(F) F(UINT, request) F(TEXT, producer) F(UINT, epoch)

/* Store → producer. The last fields are those of RECEIPT but `claims`, for the last numbers applied. The store
 * remembers 512 to 1,024 letters for each producer, so the results of older numbers may be lost. */
#define CK_WELCOME_FIELDS(F) \
  F(UINT, request) F(TEXT, store_id) F(UINT, epoch) F(UINT, first) F(UINT, applied) \
  F(TEXT, results) F(RAW, refused) F(UINT, version) F(RAW, counts)

/* ---- changes, from the store to its followers ---- */

/* Store → followers: on the feed as they are committed (topic change, request 0), and in answer to
 * SINCE. Covers every version in (after, upto].
 *
 *   changes  array of [version, table name, row map], ascending. Each record is listed once, in its
 *            newest state. A version is missing when a later one has overtaken it, within the range
 *            or after it.
 *   head     the store's newest version at that moment */
#define CK_CHANGES_FIELDS(F) \
  F(UINT, request) F(TEXT, store_id) F(UINT, after) F(UINT, upto) F(UINT, head) F(RAW, changes)

/* Store → everyone, feed, topic beat, every 200 ms.
 *
 *   head    the store's newest version
 *   floor   the oldest version that SINCE can start after
 *   at      the store's wall clock
 *   pauses  another number each time that the table `pauses` has changed, or UNLIMIT has ended a
 *           limit: then it comes at once */
#define CK_BEAT_FIELDS(F) \
  F(TEXT, store_id) F(UINT, head) F(UINT, floor) F(INT, at) F(UINT, pauses)

/* Follower → store, snapshot: the changes after version `after`. After 0 that is everything: the
 * snapshot. Answered with one CHANGES, which is ended by the change that brings it to 1 MiB; ask
 * again from its `upto` until that reaches `head`. PROBLEM `store_id`: the store has another id, or
 * was restored from a backup older than `after`; start over with after 0.
 *
 *   tables  bit mask of enum ck_table, 0 for all
 *   brief   of conversations and jobs that have not changed after this version, only those without
 *           which follow-ups cannot be scheduled: conversations that are not on manual; jobs that
 *           run, and pending ones that were tried or may be renewd's (CK_JOB_OF_RENEWD). 0: all */
#define CK_SINCE_FIELDS(F) \
  F(UINT, request) F(TEXT, store_id) F(UINT, after) F(UINT, tables) F(UINT, brief)

/* Store → client, feed, topic delivery/CLIENT/: a job was offered to it. The offer also waits in
 * the table `offers`, so a client that was away misses nothing.
 *
 *   offer  CLAIM repeats it
 *   body   the delivery as one JSON object (docs/wire.md) */
#define CK_DELIVERY_FIELDS(F) F(TEXT, client) F(TEXT, job_id) F(TEXT, offer) F(TEXT, body)

/* ---- mirroring: what the store and its sync workers say on the work door ---- */

/* syncd → store: the worker's current demand. Sent when the demand changes, and every second while
 * there is any. Each DEMAND replaces the worker's last one; it is forgotten after CK_DEMAND_MS.
 * Answered with BATCH and GRANT as they become available; PROBLEM `sink`: the store mirrors to
 * another sink.
 *
 *   batches  how many batches the worker can accept
 *   tokens   how many requests it wants to send besides: retries, splits, queries
 *   probe    the sink is down, and the worker asks leave to test it; one worker after another
 *            gets it
 *   hold     milliseconds during which no worker may send, because the sink said so; 0: none */
#define CK_DEMAND_FIELDS(F) \
  F(UINT, request) F(TEXT, worker) F(TEXT, sink) F(UINT, batches) F(UINT, tokens) F(BOOL, probe) \
  F(UINT, hold)
#define CK_DEMAND_MS 2500

/* Store → syncd: a leased range of changes for the sink. A batch with changes also carries the
 * right to send one request, good for CK_TOKEN_MS, where the sink's requests are counted.
 *
 *   generation  of the lease; SYNCED and HELD repeat it
 *   changes     as in CHANGES
 *   parents     `changes` is followed by every message and conversation that its records point to
 *               and that has a version outside the range, so no record has to wait for another
 *               batch. Set once a worker has reported that the sink checks foreign keys (HELD).
 *   run         of the store, which the mirror's witness gets with each of the batch's requests:
 *               (store_id, run, upto); "": the sink keeps none
 *   before      the witness that was there when this run began, as STORE_ID/RUN; "": none was;
 *               CK_WITNESS_ANY: whichever it is
 *   least       the version that the witness has at least. Unless it is that of `run` or `before`,
 *               with this version, the request changes nothing, and the worker says WITNESS. */
#define CK_BATCH_FIELDS(F) \
  F(TEXT, store_id) F(TEXT, sink) F(UINT, generation) F(UINT, after) F(UINT, upto) \
  F(RAW, changes) F(BOOL, parents) F(TEXT, run) F(TEXT, before) F(UINT, least)
#define CK_TOKEN_MS 10000
#define CK_WITNESS_ANY "*"
/* The run in a witness that says that tables of its mirror were created empty: the store sends
 * everything again. */
#define CK_WITNESS_REFILL "0"

/* Store → syncd: the right to send `tokens` requests within the next `ms` milliseconds.
 *
 *   run  unless "": one of them is to read the mirror's witness, which WITNESS tells; until then no
 *        worker gets a batch
 *   task unless "": the worker is to run it beside itself, in the words of its command line:
 *        CK_TASK_VERIFY, CK_TASK_REPAIR */
#define CK_GRANT_FIELDS(F) \
  F(UINT, request) F(UINT, tokens) F(UINT, ms) F(TEXT, run) F(TEXT, task)
#define CK_TASK_VERIFY "verify"
#define CK_TASK_REPAIR "repair deep"

/* syncd → store: what becomes of the worker's leases. Sent every second, and at once when the
 * worker gives one up. Not answered. Each list is an array of leases (ck_lease_encode), at most
 * CK_HELD_MAX of them; a HELD with a malformed list is refused whole.
 *
 *   held          the worker is busy with these; each lease lasts CK_LEASE_MS from now
 *   returned      given up: the next worker may have them at once. Said once.
 *   postponed     given up because they wait for a person: they become a backlog. Said once.
 *   postpones     the worker would postpone those ranges again, so the store should not grant them
 *                 again. Counts for CK_POSTPONES_MS.
 *   foreign_keys  the sink checks foreign keys, so batches must carry what their records point to
 *
 * A HELD that is lost does no harm: the next one extends the leases, and a lease given up in it
 * runs out by itself. */
#define CK_HELD_FIELDS(F) \
  F(TEXT, worker) F(TEXT, sink) F(RAW, held) F(RAW, returned) F(RAW, postponed) \
  F(BOOL, postpones) F(BOOL, foreign_keys)
#define CK_HELD_MAX 1024
#define CK_LEASE_MS 10000
#define CK_POSTPONES_MS 2500

/* syncd → store, snapshot: the records of a table in the order of their keys' bytes, with keys in
 * (after, upto]; an empty `upto` means to the end. Answered with RANGES.
 *
 *   rows > 0  digests (proto/digest.h) of `limit` ranges of `rows` records each, at most 65,536
 *             records in all. With rows 1, sum is the record's version itself.
 *   rows 0    the records themselves: `limit` of them, or about 1.7 MB
 *   sink      whose cursor the answer has; empty: none's, and it is 0 */
#define CK_RANGE_FIELDS(F) \
  F(UINT, request) F(TEXT, table) F(TEXT, after) F(TEXT, upto) F(UINT, rows) F(UINT, limit) \
  F(TEXT, sink)

/* The answer to RANGE.
 *
 *   cursor   every change up to it had been mirrored in that sink when this was read
 *   longest  bytes of the longest key
 *   more     the limit was reached before `upto`
 *   ranges   array of [last key, count, sum, mix]; for rows 0, of [version, table, row] as in
 *            CHANGES */
#define CK_RANGES_FIELDS(F) \
  F(UINT, request) F(TEXT, store_id) F(UINT, cursor) F(UINT, head) F(UINT, longest) F(BOOL, more) \
  F(RAW, ranges)

/* ---- questions to the store, and reports ---- */

/* Anyone → store, snapshot: rows of one table. Answered with ROWS.
 *
 *   filters  map from a filter's name to its value (integer, text or nil): proto/filters.h
 *   offset   so many rows are left out, which costs as much as reading their keys
 *   cursor   of the ROWS whose rows these come after; "": from the first on */
#define CK_QUERY_FIELDS(F) \
  F(UINT, request) F(TEXT, table) F(RAW, filters) F(UINT, limit) F(UINT, offset) F(TEXT, cursor)

/* The answer to QUERY: an array of row maps, in the order that docs/records.md gives for the table.
 * The rows are those of version `head`.
 *
 *   cursor  for the rows after these, in a QUERY of the same table, filters and order; "": there
 *           are none */
#define CK_ROWS_FIELDS(F) F(UINT, request) F(UINT, head) F(RAW, rows) F(TEXT, cursor)

/* Anyone → store, snapshot; also anyone → ingest, observe. Answered with INFO. */
#define CK_STATUS_FIELDS(F) F(UINT, request)

/* The answer to STATUS and TASK: a map (docs/wire.md, docs/cli.md). */
#define CK_INFO_FIELDS(F) F(UINT, request) F(RAW, info)

/* Anyone → store, snapshot: has the store do work that takes a while. Answered with INFO; or with
 * PROBLEM `busy` while another task runs.
 *
 *   task     backup, doctor, rebuild, rebuild_search or restored (docs/wire.md)
 *   id       chosen by the sender. The first request with an id starts the work; each further one
 *            asks for its state, so a request that was lost can simply be sent again.
 *   options  a map
 *
 * A task that nobody has asked about for a minute is given up. */
#define CK_TASK_FIELDS(F) F(UINT, request) F(TEXT, task) F(TEXT, id) F(RAW, options)

/* ingest → store, snapshot: which of these originals does the store have? Answered with HAD.
 *
 *   reader     the name and number of the reader that would read them now
 *   originals  array of ids (proto/originals.h), at most CK_HAVE_MAX */
#define CK_HAVE_FIELDS(F) F(UINT, request) F(TEXT, reader) F(RAW, originals)
#define CK_HAVE_MAX 1024

/* The answer to HAVE, in its order, as of one moment.
 *
 *   had  array of struct ck_kept: ck_kept_encode */
#define CK_HAD_FIELDS(F) F(UINT, request) F(RAW, had)

/* Anyone → store, snapshot: a piece of an original's bytes. Answered with FETCHED. PROBLEM
 * `ambiguous`: several ids begin so; `damaged`: its bytes cannot be read. Whether they are those of
 * its id, the caller can tell.
 *
 *   original      its id, or a beginning of at least CK_ORIGINAL_BEGINNING digits; or "": the
 *                 newest one of the conversation
 *   platform, conversation  the platform's id of the conversation, for an empty `original`
 *   at            from which byte on
 *   most          bytes wanted, 0 to CK_FETCH_MAX */
#define CK_FETCH_FIELDS(F) \
  F(UINT, request) F(TEXT, original) F(TEXT, platform) F(TEXT, conversation) F(UINT, at) \
  F(UINT, most)
#define CK_FETCH_MAX (1u << 20)

/* The answer to FETCH.
 *
 *   original  its whole id; empty: there is none
 *   bytes     of the whole original
 *   data      binary; less than was asked for only at the end */
#define CK_FETCHED_FIELDS(F) \
  F(UINT, request) F(TEXT, original) F(UINT, bytes) F(UINT, at) F(RAW, data)

/* Anyone → store, snapshot: the messages and titles that a query finds. Answered with FOUND.
 *
 *   query         in the language of search (docs/search.md); no text is an error
 *   limit         hits wanted, at most CK_SEARCH_MAX
 *   cursor        of the FOUND whose hits these come after; "": from the first on
 *   rank          the best first; else the newest
 *   conversation  a local_conversation_id; "": any. So are platform and role.
 *   since, until  of observed_at: since <= observed_at < until; 0: any */
#define CK_SEARCH_FIELDS(F) \
  F(UINT, request) F(TEXT, query) F(UINT, limit) F(TEXT, cursor) F(BOOL, rank) \
  F(TEXT, conversation) F(TEXT, platform) F(TEXT, role) F(INT, since) F(INT, until)
#define CK_SEARCH_MAX 100

/* The answer to SEARCH.
 *
 *   hits    array of maps (proto/hit.h)
 *   count   of all that the query finds, from the first hit on
 *   more    there are more than `count`: they were not counted to the end
 *   cursor  for the hits after these; "": there are none
 *   behind  versions that are not in the index yet
 *   cut     the query has more than was taken
 *   timed_out  hits that come before these may be missing, and none can be asked after them */
#define CK_FOUND_FIELDS(F) \
  F(UINT, request) F(RAW, hits) F(UINT, count) F(BOOL, more) F(TEXT, cursor) F(UINT, behind) \
  F(BOOL, cut) F(BOOL, timed_out)

/* The answer to a request that cannot be fulfilled.
 *
 *   code    a word for programs: epoch, store_id, sink, busy, …
 *   reason  a sentence for people */
/* Its code, if the cursor of a QUERY or SEARCH is none of that list. */
#define CK_BAD_CURSOR "bad_cursor"
#define CK_PROBLEM_FIELDS(F) F(UINT, request) F(TEXT, code) F(TEXT, reason)

/* Daemon → store, intake, at start and every second: what `convkeep status` shows. Not numbered,
 * not durable, lost when nobody listens.
 *
 *   name  store, ingest, renewd or syncd
 *   id    the producer's id
 *   info  a map of the daemon's own: spool, sink, held batches, last error, … */
#define CK_REPORT_FIELDS(F) \
  F(TEXT, name) F(TEXT, id) F(TEXT, host) F(INT, pid) F(INT, up_since) F(RAW, info)

/* ---- what comes in: ingest's own door ---- */

/* Anyone → ingest, observe: one observation, a map with the names of docs/cli.md. Answered with
 * TAKEN once it is durable in the spool; `number` is the number of its changeset, message_id the id
 * of its message: its own, or the one that was made for it. */
#define CK_OBSERVE_FIELDS(F) F(UINT, request) F(RAW, observation)
#define CK_TAKEN_FIELDS(F) F(UINT, request) F(UINT, number) F(TEXT, message_id)

/* convkeep import → ingest: one file. OPEN, then its bytes in order as PIECEs of at most 256 KiB,
 * the last with `last` true; an empty piece is allowed.
 *
 * Each PIECE is answered with MORE when there is room for the next. MORE with piece 0 comes
 * meanwhile and only tells progress: how many observations of the file ingest has accepted so far
 * (taken), and how many of those have the store's receipt (receipted). The last PIECE is answered
 * with IMPORTED, once all of them have.
 *
 *   wait  IMPORTED waits for every receipt, however long the store is away. Without it, IMPORTED
 *         comes 5 s after the store was last heard at the latest, once what was taken is durable
 *         in the spool.
 *   again the file is originals that the store has: they are read, whatever it says to HAVE, and
 *         what was read from them is noted without sending them again
 *   first the file is one original of a log (struct ck_original): the number of its first element;
 *         0: it is a file */
#define CK_OPEN_FIELDS(F) \
  F(UINT, request) F(TEXT, name) F(BOOL, wait) F(BOOL, again) F(UINT, first)
#define CK_PIECE_FIELDS(F) F(UINT, request) F(UINT, piece) F(BOOL, last) F(RAW, bytes)
#define CK_MORE_FIELDS(F) F(UINT, request) F(UINT, piece) F(UINT, taken) F(UINT, receipted)

/* convkeep import → ingest: attachments instead of PIECE, in an import that consists of these only.
 *
 *   attachments  array of ATTACHMENT mutations, 1 MiB of data in all, or one larger part; each
 *                becomes a changeset of its own. Empty: there are no more. */
#define CK_ATTACH_FIELDS(F) F(UINT, request) F(UINT, piece) F(BOOL, last) F(RAW, attachments)

/* The end of an import. A file that cannot be read to its end gives IMPORTED too, with `error` set
 * and the counts of what went in before that.
 *
 *   format    what the file was recognised as
 *   failed    observations that were not stored
 *   failures  array of [place, reason], the first 100 of them
 *   waiting   observations that are durable in the spool and have no receipt yet: the store is away
 *   skipped   the file is one of an export that holds no messages: `error` says which, and `failed`
 *             does not count it
 *   notes     map from a kind of thing to how many of it went in that a person may want to know of:
 *             "message without a time". At most CK_NOTES_MAX kinds; all further ones are
 *             CK_NOTES_OTHER */
#define CK_IMPORTED_FIELDS(F) \
  F(UINT, request) F(TEXT, format) F(UINT, added) F(UINT, updated) F(UINT, unchanged) \
  F(UINT, failed) F(RAW, failures) F(TEXT, error) F(UINT, waiting) F(BOOL, skipped) F(RAW, notes)
#define CK_NOTES_MAX 64
#define CK_NOTES_OTHER "other"

/* ---- the messages and their numbers: M(NAME, name, number) ---- */

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
  M(HAVE, have, 23) \
  M(HAD, had, 24) \
  M(FETCH, fetch, 25) \
  M(FETCHED, fetched, 26) \
  M(SEARCH, search, 27) \
  M(FOUND, found, 28) \
  M(OBSERVE, observe, 30) \
  M(TAKEN, taken, 31) \
  M(OPEN, open, 32) \
  M(PIECE, piece, 33) \
  M(MORE, more, 34) \
  M(IMPORTED, imported, 35) \
  M(ATTACH, attach, 36)

/* ---- mutations, of which a changeset is made ----
 *
 * Encoded like messages, without CK_WIRE: [number of the kind, field, …]. */

/* Inserts the record, or merges it into the one that is there by the rules of docs/records.md. A
 * renewal job is only inserted: the same job again is unchanged, another job for the same message
 * is refused.
 *
 *   age  how new what the row says is, in milliseconds since the epoch; 0: the row's own time */
#define CK_PUT_FIELDS(F) F(TEXT, table) F(RAW, row) F(INT, age)

/* A message that its platform may have copied into this conversation. If another conversation has a
 * message of this id, with the same role, and of one text the other begins with it, this is that
 * message, which keeps its conversation and time; of one that is not timed only what is missing is
 * taken. Else this is a PUT.
 *
 *   row    of messages
 *   age    as in PUT
 *   timed  a copy has the time of what it is a copy of, too: if the times differ, it is none */
#define CK_COPY_FIELDS(F) F(RAW, row) F(INT, age) F(BOOL, timed)

/* A row of another database with the same tables, as it stands there. A PUT, except that nothing
 * that it brings is sent: what would send waits.
 *
 * - A conversation that is new here and is on auto there comes paused; one that is here keeps its
 *   automation. It is paused if what comes becomes, or changes, its last message while it is on
 *   auto.
 * - A job that was running comes failed, with the reason. A job that is pending pauses its
 *   conversation when it is inserted.
 * - A conversation that is here under another id, by its link, is that one; so are its links and
 *   jobs. A link that is here stays with its conversation.
 * - A session that is here keeps the greater counts. A static_path that cannot be ours is left out.
 *
 *   age           as in PUT
 *   platform      the remote conversation that the row is of, as the other database says:
 *   conversation  messages.conversation_id, or that of a link; "": unknown */
#define CK_ADOPT_FIELDS(F) \
  F(TEXT, table) F(RAW, row) F(INT, age) F(TEXT, platform) F(TEXT, conversation)

/* Changes a record. Refused when there is none. */
#define CK_UPDATE_FIELDS(F) F(TEXT, table) F(RAW, row)

/* renewd or a client claims a pending job at the time `at`: the job is running then, with one
 * attempt more and a lease that has this token. Refused when the job is not pending, is
 * superseded (SUPERSEDE), or its conversation is paused.
 *
 *   client  empty: renewd claims it, which is refused while the job is offered. Else refused unless
 *           the job is offered to this client.
 *   offer   for a client: the offer's own id
 *   lease   for a client: the attempt's end is unknown after this many milliseconds unless EXTEND
 *           comes; 0: CK_CLIENT_LEASE_MS. At most CK_CLIENT_LEASE_MAX_MS counts.
 *
 *   account for renewd: what the delivery is charged to, whose pause refuses the claim; empty: nothing
 *           is known of it. For a client that of the offer counts.
 *
 * For a client the store's clock counts, not `at`. The attempt is a row of the table `attempts`
 * from now on. */
#define CK_CLAIM_FIELDS(F) \
  F(TEXT, job_id) F(TEXT, token) F(INT, at) F(TEXT, client) F(TEXT, offer) F(UINT, lease) \
  F(TEXT, account)
#define CK_CLIENT_LEASE_MS 60000
#define CK_CLIENT_LEASE_MAX_MS 600000

/* renewd or a client: how an attempt ended. Counts only with the attempt and the token of the
 * lease. A client's token is known to the client alone; so an attempt of a client whose lease has
 * run out, or whose end is unknown, can also be ended with an empty token.
 *
 *   outcome  done, failed
 *            retry      pending again, at next_attempt_at
 *            released   the same, and the attempt is not counted: nothing was tried
 *            unreached  the same, and the attempt is not counted: nothing got to the target
 *            unknown    the job stays running, waiting for a person
 *   next_attempt_at  for retry, released and unreached
 *   cooldown_until   for the conversation; 0: none. It never shortens a rest.
 *   error, log_path  empty: none
 *   message_id       the message that the delivery made, if it is known: listed in `sent`
 *   result           for the attempt's row: a map with what is known of http_status, exit, cost,
 *                    tokens, text, took_ms and why (what follows and for what reason); or nil
 *
 * A client ends an attempt as done, released or unknown. After released, the job waits until
 * next_attempt_at, at least CK_CLIENT_WAIT_MS, which doubles each time in a row, as for unreached,
 * up to CK_CLIENT_WAIT_MAX_MS. No time that a client names counts beyond CK_CLIENT_TIME_MAX_MS from
 * now.
 * For a client the store's clock counts, not `at`. */
#define CK_END_FIELDS(F) \
  F(TEXT, job_id) F(UINT, attempt) F(TEXT, token) F(TEXT, outcome) F(TEXT, error) \
  F(INT, next_attempt_at) F(INT, cooldown_until) F(TEXT, log_path) F(INT, at) F(TEXT, message_id) \
  F(RAW, result)
#define CK_CLIENT_WAIT_MS 5000
#define CK_CLIENT_WAIT_MAX_MS 1800000
#define CK_CLIENT_TIME_MAX_MS INT64_C(2678400000)

/* A client: its attempt goes on. The lease ends `lease` milliseconds from now, as in CLAIM. Refused
 * unless attempt and token are those of its running lease, and when the attempt is already
 * CK_CLIENT_ATTEMPT_MAX_MS old, the most that it may last. */
#define CK_EXTEND_FIELDS(F) F(TEXT, job_id) F(UINT, attempt) F(TEXT, token) F(UINT, lease)
#define CK_CLIENT_ATTEMPT_MAX_MS 3600000

/* renewd offers a pending job to its client. The offer waits in the table `offers` until the client
 * claims it, without limit of time; it is published as DELIVERY once the changeset is durable. The
 * same body for the same client as in the open offer changes nothing. Any change of the job's row
 * withdraws the offer. Refused when the job is not pending, or has changed since `version`.
 *
 *   version  the store's when the body was made
 *   rest     milliseconds that the conversation rests after the delivery, unless the client names a
 *            later time
 *   account  what the delivery is charged to, whose pause refuses a claim; empty: nothing is known */
#define CK_OFFER_FIELDS(F) \
  F(TEXT, job_id) F(TEXT, client) F(TEXT, offer) F(TEXT, body) F(UINT, rest) \
  F(UINT, version) F(TEXT, account)

/* renewd withdraws an offer: the job cannot be claimed by its client until it is offered again.
 * Without an open offer nothing happens. */
#define CK_WITHDRAW_FIELDS(F) F(TEXT, job_id)

/* syncd: the leased range is in the sink. Refused unless the generation is the lease's current one.
 *
 *   dead     dead letters, records that the sink refuses: array of [table, key, version, reason]
 *   witness  the version that the mirror's witness has now, or a lower one; 0: nothing was written */
#define CK_SYNCED_FIELDS(F) \
  F(TEXT, sink) F(UINT, generation) F(UINT, after) F(UINT, upto) F(RAW, dead) F(UINT, witness)

/* syncd: the witness that is in the mirror. The store compares it with its own account, and hands
 * out batches if it fits; else it raises an alarm (docs/syncd.md).
 *
 *   run       of the store, as in the GRANT that asked for it or the BATCH that did not fit;
 *             refused unless it is the present one
 *   there     false: there is none, and the rest is empty
 *   store_id, of_run, version  as it stands there */
#define CK_WITNESS_FIELDS(F) \
  F(TEXT, sink) F(TEXT, run) F(BOOL, there) F(TEXT, store_id) F(TEXT, of_run) F(UINT, version)

/* syncd: a comparison of the mirror with the database has ended.
 *
 *   task     verify, verify deep, repair or repair deep
 *   records  that were compared
 *   wrong    rows that were wrong; of repair: that still are
 *   skipped  rows that were not compared: under way, dead letters, the predecessor's own */
#define CK_CHECKED_FIELDS(F) \
  F(TEXT, sink) F(TEXT, task) F(UINT, records) F(UINT, wrong) F(UINT, skipped)

/* A person: this store fills the mirror from now on, whatever its witness says. Everything is sent
 * to it again, as by BACKFILL. */
#define CK_TAKEOVER_FIELDS(F) F(TEXT, sink)

/* syncd: what it has spent since its last SPENT. Added to the day (UTC) on which the store applies
 * it.
 *
 *   written  rows as the sink counts them */
#define CK_SPENT_FIELDS(F) F(TEXT, sink) F(UINT, requests) F(UINT, rows) F(UINT, written)

/* A follower's cursor, stored together with the effects of what it followed. */
#define CK_CURSOR_FIELDS(F) F(TEXT, follower) F(TEXT, store_id) F(UINT, version)

/* A person: send a dead letter again. The dead letter is forgotten and its record gets a new
 * version, as if it had changed. Without such a dead letter nothing happens. */
#define CK_RETRY_FIELDS(F) F(TEXT, sink) F(TEXT, table) F(TEXT, key)

/* A person: send the mirror every record again, alongside new changes. Nothing happens while an
 * earlier backfill is not finished. */
#define CK_BACKFILL_FIELDS(F) F(TEXT, sink)

/* renewd: nobody wants a pending job any more, so it ends as failed; the store says why in
 * last_error, which begins with CK_SUPERSEDED. Only a job that renewd made is superseded: when
 * somebody answered, another message is the conversation's last one, or the conversation is manual.
 * Refused when none of that is so, or the job is not pending. A job that a person requeued with
 * `anyway` stays as it is: unchanged. */
#define CK_SUPERSEDE_FIELDS(F) F(TEXT, job_id) F(INT, at)
#define CK_SUPERSEDED "superseded: "

/* A person: a job ends as failed, with the reason in last_error, which says besides that it may have
 * arrived if an attempt was under way. That attempt is nobody's then: its END is refused with
 * CK_CANCELLED.
 *
 *   running  also one that is not pending, but running */
#define CK_CANCEL_FIELDS(F) F(TEXT, job_id) F(TEXT, reason) F(INT, at) F(BOOL, running)
#define CK_CANCELLED "cancelled: "

/* A person: a failed or pending job is due at the time `at`, and goes to the target that the
 * conversation has then (target_snapshot NULL). A failed one gets all its attempts again.
 *
 *   anyway    also if the job is superseded, which is refused otherwise; the store remembers this
 *             until the job is done or failed
 *   due_only  only a pending job, whose target stays, as does what is known of attempts that did
 *             not reach it */
#define CK_REQUEUE_FIELDS(F) F(TEXT, job_id) F(BOOL, anyway) F(INT, at) F(BOOL, due_only)

/* A person: a conversation on auto goes on, so its deliveries in a row count from now on. Nothing
 * happens when it is not on auto. */
#define CK_RESUME_FIELDS(F) F(TEXT, conversation_id)

/* A person: no follow-up begins there until the pause ends; one that is under way goes on. The same
 * pause again replaces its end.
 *
 *   kind   everything, account, platform, conversation or job (CK_PAUSES)
 *   name   which; "" of everything
 *   until  wall time; 0: until UNPAUSE */
#define CK_PAUSE_FIELDS(F) F(TEXT, kind) F(TEXT, name) F(INT, until)
#define CK_PAUSE_NAME 4096 /* bytes of the name */
#define CK_PAUSES "everything|account|platform|conversation|job"
/* The reason with which a CLAIM is refused during a pause begins so. */
#define CK_PAUSED "paused: "

/* A person: that pause ends. Without one, nothing happens. */
#define CK_UNPAUSE_FIELDS(F) F(TEXT, kind) F(TEXT, name)

/* renewd: the limit of an account, which replaces what the table `limits` has of it. No delivery of
 * the account begins before `until`; then one does, and the others when that has shown that the
 * limit is over. Nothing happens if the table has it already, by its `at`, or a later one: told again,
 * it does not undo what a person has done meanwhile.
 *
 *   until   wall time; 0: it has no end, and lasts until a person ends it
 *   since   wall time: when the first of this series of limits was seen
 *   times   how many there are in this row: each was seen when the one before had just ended
 *   over    a delivery has ended it: it counts only for the row
 *   reason  in the target's words */
#define CK_LIMIT_FIELDS(F) \
  F(TEXT, account) F(INT, until) F(INT, since) F(INT, times) F(BOOL, over) F(TEXT, reason) \
  F(INT, at)
#define CK_ACCOUNT_MAX 512 /* bytes of an account's name */

/* A person: the account's limit ends now. Unchanged without one that lasts. */
#define CK_UNLIMIT_FIELDS(F) F(TEXT, account)

/* renewd: what came of an attempt whose end is unknown may be known by now. Unchanged unless the
 * store proves it from what has been observed (docs/renewal.md), and ends it so: done, or released
 * because it was not sent.
 *
 *   at    wall time
 *   rest  milliseconds that the conversation rests if it was delivered */
#define CK_RESOLVE_FIELDS(F) F(TEXT, job_id) F(INT, at) F(UINT, rest)

/* ingest: all that this conversation had at that time, up to its end, has been told: in this
 * changeset, and those before it. Noted if follow-ups of it were tried.
 *
 *   age  the source's time of the last change, in milliseconds */
#define CK_CAPTURED_FIELDS(F) F(TEXT, platform) F(TEXT, conversation) F(INT, age)

/* A person: takes a conversation or a message out, with all that belongs to it, in one transaction
 * (docs/store.md, "Forgetting"). It must be alone in its changeset. Refused while an attempt of a
 * job of it is under way, or its end is unknown. Unchanged if it is forgotten already.
 *
 *   kind    conversation or message (CK_FORGET_KINDS)
 *   id      its key
 *   absent  also if there is none: it is kept away, as if it had been here */
#define CK_FORGET_FIELDS(F) F(TEXT, kind) F(TEXT, id) F(BOOL, absent)
#define CK_FORGET_KINDS "conversation|message"

/* A person: what was forgotten with it may be taken in again. Nothing comes back by that alone. */
#define CK_REMEMBER_FIELDS(F) F(TEXT, kind) F(TEXT, id)

/* ingest: a part of a block. A block is originals one after another, compressed as one zstd frame
 * with its checksum; an original is a piece of a source as it came (proto/originals.h). A block's
 * parts come in order, also in several changesets, after the rows that were read from its
 * originals. Its originals are there once all parts are. A block that is there already is
 * unchanged.
 *
 *   block      32 hexadecimal digits: the first half of the SHA-256 of all its data
 *   part       from 0
 *   parts      how many there are in all. 0: only `originals` counts, which were kept before and
 *              have been read again
 *   bytes      of the originals together, as they came
 *   data       binary, at most CK_BLOCK_PART bytes
 *   originals  with part 0: array of struct ck_original; else nil */
#define CK_BLOCK_FIELDS(F) \
  F(TEXT, block) F(UINT, part) F(UINT, parts) F(UINT, bytes) F(RAW, data) F(RAW, originals)
#define CK_BLOCK_PART (1u << 20)
#define CK_BLOCK_PARTS_MAX (1u << 16)

/* ingest: a file that lies beside the conversations of an export, in parts. The store writes the
 * parts into a file, and once the last has come, and what is there has that hash, the attachment is
 * there under this name. Refused if parts before the last one are missing, or the hash is another.
 *
 *   hash   SHA-256 of the whole file, 64 hexadecimal digits in lower case
 *   bytes  its size, at most CK_ATTACHMENT_MAX
 *   part   from 0. Each has CK_ATTACHMENT_PART bytes, the last one the rest; a file without a byte
 *          has one part.
 *   name   its path in the export, at most CK_ATTACHMENT_NAME bytes. No path on the disk is made of
 *          it.
 *   file   the id by which the source's messages name it (details.attachments[].file); "": unknown
 *   type   such as image/png; "": unknown
 *   data   the part's bytes; nil: the store has the attachment already, and only the name is new */
#define CK_ATTACHMENT_FIELDS(F) \
  F(TEXT, hash) F(UINT, bytes) F(UINT, part) F(TEXT, name) F(TEXT, file) F(TEXT, type) F(RAW, data)
#define CK_ATTACHMENT_PART (1u << 20)
#define CK_ATTACHMENT_MAX (UINT64_C(2) << 30)
#define CK_ATTACHMENT_NAME 4096

#define CK_MUTATION_LIST(M) \
  M(PUT, put, 1) \
  M(UPDATE, update, 2) \
  M(CLAIM, claim, 3) \
  M(END, end, 4) \
  M(SYNCED, synced, 5) \
  M(CURSOR, cursor, 6) \
  M(RETRY, retry, 8) \
  M(BACKFILL, backfill, 9) \
  M(SPENT, spent, 10) \
  M(SUPERSEDE, supersede, 11) \
  M(CANCEL, cancel, 12) \
  M(REQUEUE, requeue, 13) \
  M(OFFER, offer, 14) \
  M(WITHDRAW, withdraw, 15) \
  M(EXTEND, extend, 16) \
  M(RESUME, resume, 17) \
  M(BLOCK, block, 19) \
  M(ATTACHMENT, attachment, 20) \
  M(ADOPT, adopt, 21) \
  M(COPY, copy, 22) \
  M(PAUSE, pause, 23) \
  M(UNPAUSE, unpause, 24) \
  M(LIMIT, limit, 25) \
  M(UNLIMIT, unlimit, 26) \
  M(RESOLVE, resolve, 27) \
  M(CAPTURED, captured, 28) \
  M(FORGET, forget, 30) \
  M(REMEMBER, remember, 31) \
  M(WITNESS, witness, 33) \
  M(TAKEOVER, takeover, 34) \
  M(CHECKED, checked, 35)

/* clang-format on */

/* ---- generated from the lists ----
 *
 *   struct ck_receipt { … }    a message's or mutation's fields
 *   CK_MSG_RECEIPT             a message's number      CK_OP_PUT    a mutation's
 *   m.as.receipt               the fields, within struct ck_message or ck_mutation */
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

/* ---- topics ---- */

/* The topic of an id: prefix, the id, and a slash, so that no id's topic begins with another's. In
 * the id `/`, `%` and bytes below 32 become %XX. The caller frees. */
char *ck_topic(const char *prefix, struct ck_str id);

/* ---- messages ---- */

/* Appends the message's frame to b. TEXT fields must be UTF-8, RAW fields one encoded value. Both
 * may be empty views: an empty RAW is written as nil. The frame's size is not checked; senders
 * compare it with CK_FRAME_MAX (ck_send does). */
void ck_message_encode(struct ck_buf *b, const struct ck_message *m);

/* Decodes a frame of n bytes. The views in m point into the frame, which must outlive them. 0; or
 * -1 with the reason in err: too large, not one whole MessagePack value, another CK_WIRE, an
 * unknown kind, a field missing or of the wrong type, text that is not UTF-8. After -1 m->kind is
 * the kind where that much could be read, else 0.
 *
 * The frame is scanned first (ck_scan), except the rows of CHANGES, which each follower reads once
 * anyway: ck_change_decode finds what is wrong in them, and its caller checks that they end where
 * the frame does. */
int ck_message_decode(struct ck_message *m, const void *frame, size_t n, struct ck_err *err);

/* The name in lower case, "receipt"; "unknown" for no kind. */
const char *ck_message_name(enum ck_message_kind kind);

/* Where m has its `request` number; NULL for kinds that have none. Points into m. */
uint64_t *ck_message_request(struct ck_message *m);

/* ---- mutations ---- */

/* Appends the mutation, one element of a changeset's array. */
void ck_mutation_encode(struct ck_buf *b, const struct ck_mutation *m);

/* Appends a PUT of the row with this age. */
void ck_mutation_put(struct ck_buf *b, const struct ck_row *row, int64_t age);
/* Appends a COPY of the row, which is a message's. */
void ck_mutation_copy(struct ck_buf *b, const struct ck_row *row, int64_t age, bool timed);
/* Appends an UPDATE of the row, or a PUT with age 0. */
void ck_mutation_row(struct ck_buf *b, enum ck_mutation_kind kind, const struct ck_row *row);

/* Reads the next mutation of a changeset's array; the views in m point into the reader's bytes. 0,
 * or -1 with the reason as for ck_message_decode; the reader is then of no more use. */
int ck_mutation_decode(struct ck_mutation *m, struct ck_reader *r, struct ck_err *err);

/* As ck_message_name. */
const char *ck_mutation_name(enum ck_mutation_kind kind);

/* ---- leases: the entries of HELD's lists, [generation, after, upto] ---- */

/* The lease of the versions in (after, upto]. */
struct ck_lease {
  uint64_t generation, after, upto;
};

void ck_lease_encode(struct ck_buf *b, const struct ck_lease *lease);

/* Reads the next entry of a list. 0, or -1 with the reason: it is not an array of three numbers. */
int ck_lease_decode(struct ck_reader *r, struct ck_lease *lease, struct ck_err *err);

/* ---- refusals: the entries of `refused` in RECEIPT and WELCOME, [number, reason] ---- */

struct ck_refusal {
  uint64_t number;
  struct ck_str reason; /* when decoded, borrowed from the reader's bytes */
};

void ck_refusal_encode(struct ck_buf *b, const struct ck_refusal *refusal);
/* Reads the next entry of a list. 0, or -1 with the reason: it is not such an array. */
int ck_refusal_decode(struct ck_reader *r, struct ck_refusal *refusal, struct ck_err *err);

/* ---- the entries of `counts` in RECEIPT and WELCOME, [number, added, updated, unchanged] ---- */

/* What became of the messages of a changeset. */
struct ck_counts {
  uint64_t number; /* the changeset's */
  uint64_t added, updated, unchanged;
  uint64_t forgotten; /* left out, because a person has forgotten them */
};

void ck_counts_encode(struct ck_buf *b, const struct ck_counts *counts);
/* Reads the next entry of a list. 0, or -1 with the reason: it is not such an array. */
int ck_counts_decode(struct ck_reader *r, struct ck_counts *counts, struct ck_err *err);

/* ---- the entries of `claims` in RECEIPT, arrays of these fields ---- */

/* What the store had in the transaction of a claim by renewd, and with that made durable. */
struct ck_claimed {
  uint64_t number;             /* the changeset's */
  struct ck_str job_id, token; /* when decoded, all texts are borrowed from the reader's bytes */
  int64_t attempt, max_attempts;
  int64_t unreached, unreached_age; /* how often in a row, and how many ms ago first; 0: never */
  struct ck_str message_id, payload, payload_kind, target_snapshot;
  struct ck_str automation_status, last_message_id; /* of its conversation */
};

void ck_claimed_encode(struct ck_buf *b, const struct ck_claimed *claimed);
/* Reads the next entry of a list. 0, or -1 with the reason: it is not such an array. */
int ck_claimed_decode(struct ck_reader *r, struct ck_claimed *claimed, struct ck_err *err);

/* ---- failures: the entries of `failures` in IMPORTED, [place, reason] ---- */

struct ck_failure {
  struct ck_str place, reason; /* when decoded, borrowed from the reader's bytes */
};

void ck_failure_encode(struct ck_buf *b, const struct ck_failure *failure);
/* Reads the next entry of a list. 0, or -1 with the reason: it is not such an array. */
int ck_failure_decode(struct ck_reader *r, struct ck_failure *failure, struct ck_err *err);

/* ---- dead letters: the entries of `dead` in SYNCED, [table, key, version, reason] ---- */

struct ck_dead_letter {
  enum ck_table table;
  struct ck_str key; /* when decoded, this and the reason are borrowed from the reader's bytes */
  uint64_t version;
  struct ck_str reason;
};

void ck_dead_letter_encode(struct ck_buf *b, const struct ck_dead_letter *letter);
/* Reads the next entry of a list. 0, or -1 with the reason: it is not such an array, or there is no
 * table of that name. */
int ck_dead_letter_decode(struct ck_reader *r, struct ck_dead_letter *letter, struct ck_err *err);

/* ---- attachments ---- */

/* How many parts a file of so many bytes has. */
uint64_t ck_attachment_parts(uint64_t bytes);
/* Checks an ATTACHMENT by itself. *data: the part's bytes, a view; *here: there are none, because
 * the store has them. 0, or -1 with the reason. */
int ck_attachment_check(const struct ck_attachment *m, struct ck_str *data, bool *here,
                        struct ck_err *err);

/* ---- changes: the entries of a `changes` array, [version, table, row] ---- */

/* Appends an entry, in at most ck_change_room(row) bytes. */
void ck_change_encode(struct ck_buf *b, uint64_t version, const struct ck_row *row);
size_t ck_change_room(const struct ck_row *row);

/* Reads the next entry. The row's text points into the reader's bytes, or into arena where a JSON
 * column's value had to be converted (ck_row_decode). 0, or -1 with the reason. */
int ck_change_decode(struct ck_reader *r, uint64_t *version, struct ck_row *row,
                     struct ck_arena *arena, struct ck_err *err);
/* The same, but text may be any bytes (ck_row_read). */
int ck_change_decode_bytes(struct ck_reader *r, uint64_t *version, struct ck_row *row,
                           struct ck_arena *arena, struct ck_err *err);

/* Begins a CHANGES frame in b, of at most CK_CHANGES_OPEN bytes, that ends where its changes begin;
 * the caller then appends n entries. c->changes is ignored. */
void ck_changes_open(struct ck_buf *b, const struct ck_changes *c, uint32_t n);
#define CK_CHANGES_OPEN 256

#endif
