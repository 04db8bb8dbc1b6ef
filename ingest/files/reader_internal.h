/* The inside of a reader: reader.c splits, parses and reads; reader_units.c has pieces wait until
 * it is known what the store has of them. For no other file. */
#ifndef INGEST_FILES_READER_INTERNAL_H
#define INGEST_FILES_READER_INTERNAL_H

#include "ingest/files/decode.h"
#include "ingest/files/held.h"
#include "ingest/files/parsed.h"
#include "ingest/files/reader.h"
#include "ingest/files/units.h"
#include "ingest/sources/source.h"

#define TAKE_OVER (64u << 10) /* a larger element is not copied */

struct ingest_reader {
  struct ingest_visitor visitor;
  struct ingest_split *split;
  char *name;
  const struct ingest_source *source;
  void *state;                       /* the source's, of this file */
  uint64_t log;                      /* of struct ck_original */
  const struct ingest_source *named; /* what the file's name says, where no element says more */
  struct ingest_decode decode;
  bool over;                      /* nothing more is read */
  bool ending;                    /* what is read now has no end but that of the file */
  bool ended;                     /* the file has ended: */
  bool whole;                     /* and was not cut off; else: */
  uint64_t end_offset, end_index; /* where */
  bool is_json;                   /* as far as its first bytes tell */
  uint64_t elements;
  unsigned replaced;   /* in what was parsed */
  size_t outline_from; /* an element with more bytes is read by its outline */
  struct ck_err error;
  struct ingest_held held; /* failures, until the format is known */
  /* Only if originals are told: */
  struct ingest_originals_ops originals;
  struct ingest_units units;
  bool again;
  bool live;      /* the unit that is read is */
  bool tried_all; /* while the source is unknown: the first unit was asked about for each */
  unsigned tried; /* how many sources it was asked about for */
};

/* ---- reader.c ---- */

/* Do its elements depend on those before them? */
bool ingest_reader_depends(const struct ingest_source *source);
void ingest_reader_take_source(struct ingest_reader *r, const struct ingest_source *source);
/* Parses an element. False: it is no object of a source that is read, and what is wrong is told.
 * The caller frees it in any case. */
bool ingest_reader_parse(struct ingest_reader *r, struct ingest_parsed *p, char *bytes, size_t n,
                         const struct ingest_place *place);
void ingest_reader_read_parsed(struct ingest_reader *r, struct ingest_parsed *p);
void ingest_reader_read_element(struct ingest_reader *r, char *bytes, size_t n,
                                const struct ingest_place *place);
/* The source hands out what it has held back. */
void ingest_reader_flush(struct ingest_reader *r);
/* All is read: what went wrong with the file as a whole. */
void ingest_reader_settle(struct ingest_reader *r);

/* ---- reader_units.c ---- */

/* Small elements at the beginning are parsed until one tells the source. */
void ingest_reader_recognise(struct ingest_reader *r);

#endif
