/* Long work on one element draws breath: whoever waits for an answer hears that it goes on. */
#ifndef INGEST_PARSE_BREATH_H
#define INGEST_PARSE_BREATH_H

/* Work of so many bytes is done between two calls. */
#define INGEST_BREATH_BYTES (4u << 20)

/* What a breath does; NULL: nothing, as at the start. */
void ingest_breath_set(void (*draw)(void *self), void *self);
void ingest_breathe(void);

#endif
