/* Reads one file that arrives in pieces: splits it into elements, parses each, recognises the
 * format and hands observations to a visitor. Knows nothing of sockets or disks. */
#ifndef INGEST_FILES_READER_H
#define INGEST_FILES_READER_H

#include "ingest/observation.h"
#include "proto/originals.h"

struct ingest_reader;

#define INGEST_LOG_LINE_MAX (64u << 20) /* bytes of a log's line; a longer one is skipped */
#define INGEST_READER_NAME 48           /* room for the name and version of a source: "chatgpt 1" */

/* Who keeps the originals: the pieces of the file that observations come from. */
struct ingest_originals_ops {
  void *self;
  /* What the visitor gets from now on comes from this original. kept: its bytes are there already.
   * bytes are valid until the end, id and run during the call. reader: the source's name and
   * version. run: where a run of a log is in its file: age, log, lines, window and chains; all 0
   * of an original that is no run, all but age of a log whose elements stand alone. */
  void (*begin)(void *self, const char *id, struct ck_str bytes, bool kept, const char *reader,
                const struct ck_original *run);
  void (*end)(void *self);
  /* The store has all that this original gives: so many messages, which are not given. */
  void (*whole)(void *self, uint64_t messages);
};

/* name: the file's name; .jsonl and .ndjson are read as JSON lines whatever they look like. visitor
 * is copied. Failures are reported only once the format is known: a file of unknown format has no
 * failures, just one error. */
struct ingest_reader *ingest_reader_new(const char *name, const struct ingest_visitor *visitor);
void ingest_reader_free(struct ingest_reader **reader);

/* Elements of more bytes are read by their outline (ingest/parse/outline.h): for tests, because
 * real ones that are so large are slow. */
void ingest_reader_outline_from(struct ingest_reader *reader, size_t bytes);

/* Has originals told to ops, which is copied, and has the file's pieces wait until it is known what
 * the store has of them: for ingest_reader_go. again: the file is one original that is there, and
 * is read whatever the store has. first: the file is one run of a log, whose first element had this
 * number in its own file; 0: it is a file, or no log. Call before anything is fed. */
void ingest_reader_originals(struct ingest_reader *reader, const struct ingest_originals_ops *ops,
                             bool again, uint64_t first);
/* The file is followed: what ends within its first `history` bytes was there before, and what comes
 * after them is live. Call before anything is fed. */
void ingest_reader_follow(struct ingest_reader *reader, uint64_t history);
/* Is what the visitor gets now live? */
bool ingest_reader_is_live(const struct ingest_reader *reader);
/* The file is taken for a log before its first line is known: a line that is too long for one is
 * skipped, and not kept until its end. */
void ingest_reader_is_log(struct ingest_reader *reader);
/* Appends the array of the ids that the store is to be asked about, and writes the reader's name.
 * False: there is nothing to ask, or no answer to the last question yet. */
bool ingest_reader_ask(struct ingest_reader *reader, struct ck_buf *ids,
                       char name[INGEST_READER_NAME]);
/* The answer: HAD's list; empty: the store says nothing. */
void ingest_reader_told(struct ingest_reader *reader, struct ck_str had);
/* Reads the pieces of which it is known what the store has. look_up false: also all others, as if
 * the store had nothing. */
void ingest_reader_go(struct ingest_reader *reader, bool look_up);
/* Bytes that wait. */
size_t ingest_reader_waiting(const struct ingest_reader *reader);
/* How much memory is kept between two calls: the line that is read, what waits, and what is known
 * of the file. */
size_t ingest_reader_memory(const struct ingest_reader *reader);
/* True if part of a log is gathered that waits for the rest of its run. */
bool ingest_reader_gathers(const struct ingest_reader *reader);
/* No more comes for a while: what is gathered of a log need not wait for the rest of its run. */
void ingest_reader_pause(struct ingest_reader *reader);
/* True once all is read that there is to be read. */
bool ingest_reader_done(const struct ingest_reader *reader);

/* The next bytes. False: the rest of the file will not be read (ingest_reader_error says why), so
 * it need not be sent. */
bool ingest_reader_feed(struct ingest_reader *reader, const char *bytes, size_t n);
/* The end of the file. The second call does nothing. */
void ingest_reader_end(struct ingest_reader *reader);

/* "chatgpt", "claude", "observations", a format that is refused, "not json", "empty" or
 * "unknown". */
const char *ingest_reader_format(const struct ingest_reader *reader);
/* True if the file is one of an export that holds no messages: the error says which. */
bool ingest_reader_without_messages(const struct ingest_reader *reader);
/* "" if the file was read to its end. */
const char *ingest_reader_error(const struct ingest_reader *reader);
/* How much was read as U+FFFD: halves of surrogate pairs that stand alone, U+0000 in names. */
unsigned ingest_reader_replaced(const struct ingest_reader *reader);

#endif
