/* One file while it comes in: split → parse → recognise → observations. Knows nothing of sockets or
 * disks. */
#ifndef INGEST_READER_H
#define INGEST_READER_H

#include "ingest/observation.h"

struct ingest_reader;

/* name: the file's; .jsonl and .ndjson are taken at their word. sink is copied. Failures are told
 * once the format is known: a file of none that is known has no failures, but an error. */
struct ingest_reader *ingest_reader_new(const char *name, const struct ingest_visitor *visitor);
void ingest_reader_free(struct ingest_reader **reader);

/* The next bytes. False: nothing of what follows will be read (error says why), so it need not be
 * sent. */
bool ingest_reader_feed(struct ingest_reader *reader, const char *bytes, size_t n);
/* The end of the file. */
void ingest_reader_end(struct ingest_reader *reader);

const char *
ingest_reader_format(const struct ingest_reader
                         *reader); /* "chatgpt", "claude", "observations", …, "empty", "unknown" */
const char *
ingest_reader_error(const struct ingest_reader *reader); /* "" when the file was read to its end */
/* Halves of surrogate pairs that became U+FFFD. */
unsigned ingest_reader_replaced(const struct ingest_reader *reader);

#endif
