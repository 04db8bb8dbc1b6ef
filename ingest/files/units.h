/* The pieces of a file on their way from the splitter to their source: each is an original, one
 * element, or of a log a run of elements. They wait here until it is known which of them the store
 * has already.
 *
 *   splitter ──► new ── asked whether the store has it ──► asked ── answer ──► known ──► source
 *
 * A run is cut by the place in the file, so that a file that has grown shares all runs with what it
 * was before, but the last. Its bytes are the lines, each with its line feed; or if the elements
 * came in an array, an array. */
#ifndef INGEST_FILES_UNITS_H
#define INGEST_FILES_UNITS_H

#include "ingest/place.h"
#include "proto/originals.h"

/* Elements that end within the same so many bytes of the file are one run, unless only some of them
 * are live. */
#define INGEST_RUN_BYTES (64u << 10)

enum ingest_unit_state { INGEST_UNIT_NEW, INGEST_UNIT_ASKED, INGEST_UNIT_KNOWN };

/* An element within a unit. */
struct ingest_part {
  size_t at, n;
  struct ingest_place place;
};

struct ingest_unit {
  struct ingest_unit *next;
  char id[CK_ORIGINAL_ID + 1];
  enum ingest_unit_state state;
  struct ck_kept kept; /* what the store has of it, once that is known */
  uint64_t first;      /* of a run: the number of its first element in the file; else 0 */
  uint64_t window;     /* likewise: that of the file in which it ends, from 1; 0: not known */
  size_t size;         /* of its bytes and parts */
  bool live;           /* its elements were written while the file was followed */
  bool chained;        /* the chains before its first and after its last line are known: */
  unsigned char chain[CK_ORIGINAL_CHAIN], chain_end[CK_ORIGINAL_CHAIN];
  struct ck_buf bytes;
  struct ck_buf parts; /* of struct ingest_part */
};

/* Zero-initialise, but for what is the owner's to set; free with ingest_units_free. */
struct ingest_units {
  bool is_run; /* the owner's: the file is a run of a log, or several */
  uint64_t
      first;    /* the owner's, of such a file: the number that its first element has in the log */
  bool follows; /* the owner's: the file is followed, */
  uint64_t history; /* and what ends within its first so many bytes was there before */
  struct ingest_unit *head, **tail;
  struct ingest_unit *run; /* that is being gathered; not in the list */
  uint64_t run_window;
  bool depends;   /* the lines of the log depend on those before them. So several runs are read
                     again one after another, and an empty line ends each */
  bool unchained; /* the chain is not known, because lines were gathered before this was */
  unsigned char chain[CK_ORIGINAL_CHAIN]; /* after the last line gathered */
  size_t bytes, count;                    /* of all in the list; bytes with what their parts take */
};

/* Adds an element by itself. bytes is taken over, and is empty afterwards. */
void ingest_units_add(struct ingest_units *u, struct ck_buf *bytes,
                      const struct ingest_place *place);
/* Adds an element of a log to the run. */
void ingest_units_gather(struct ingest_units *u, struct ck_str bytes,
                         const struct ingest_place *place);
/* The run ends here, if there is one. */
void ingest_units_end_run(struct ingest_units *u);
/* Makes runs of all elements that wait: the file is a log. */
void ingest_units_regroup(struct ingest_units *u);

/* How much memory they take. */
size_t ingest_units_memory(const struct ingest_units *u);

/* The unit's elements, *n of them. */
const struct ingest_part *ingest_unit_parts(const struct ingest_unit *unit, size_t *n);
/* Fills in lines, window and chains of a run of a log, which last as long as the unit. They are 0
 * and empty if its elements are no lines, or it is not known where in their file they are. */
void ingest_unit_lines(const struct ingest_unit *unit, struct ck_original *run);
/* Removes and frees the first unit. */
void ingest_units_drop(struct ingest_units *u);
void ingest_units_free(struct ingest_units *u);

/* Appends an array of the ids of the first new units, at most `most`; the state of these becomes
 * INGEST_UNIT_ASKED. False: no unit is new, or an answer is still to come. */
bool ingest_units_ask(struct ingest_units *u, uint32_t most, struct ck_buf *ids);
/* The answer for those that were asked: an array of struct ck_kept in their order. What it lacks is
 * not there. */
void ingest_units_told(struct ingest_units *u, struct ck_str had);

#endif
