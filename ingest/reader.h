/* Reads one file that arrives in pieces: splits it into elements, parses each, recognises the
 * format and hands observations to a visitor. Knows nothing of sockets or disks. */
#ifndef INGEST_READER_H
#define INGEST_READER_H

#include "ingest/observation.h"

struct ingest_reader;

/* name: the file's name; .jsonl and .ndjson are read as JSON lines whatever they look like. visitor
 * is copied. Failures are reported only once the format is known: a file of unknown format has no
 * failures, just one error. */
struct ingest_reader *ingest_reader_new(const char *name, const struct ingest_visitor *visitor);
void ingest_reader_free(struct ingest_reader **reader);

/* The next bytes. False: the rest of the file will not be read (ingest_reader_error says why), so
 * it need not be sent. */
bool ingest_reader_feed(struct ingest_reader *reader, const char *bytes, size_t n);
/* The end of the file. */
void ingest_reader_end(struct ingest_reader *reader);

/* "chatgpt", "claude", "observations", a format that is refused, "not json", "empty" or
 * "unknown". */
const char *ingest_reader_format(const struct ingest_reader *reader);
/* True if the file is one of an export that holds no messages: the error says which. */
bool ingest_reader_without_messages(const struct ingest_reader *reader);
/* "" if the file was read to its end. */
const char *ingest_reader_error(const struct ingest_reader *reader);
/* Number of lone halves of surrogate pairs that were replaced by U+FFFD. */
unsigned ingest_reader_replaced(const struct ingest_reader *reader);

#endif
