/* A small model of the store, written from docs/records.md. It searches records one by one, a
 * changeset works on a copy of everything, and it uses no line of store/ and none of the lists in
 * proto/records.h. It is slow, and simple enough to be compared with the rules by reading. */
#ifndef CK_TESTS_STORE_MODEL_H
#define CK_TESTS_STORE_MODEL_H

#include "proto/text.h"
#include "proto/wire.h"

enum { MESSAGES, EXECUTIONS, SESSIONS, CONVERSATIONS, LINKS, JOBS, TABLES };

/* The forms in which the wire may have a field. */
enum m_shape { M_OUT, M_NULL, M_INT, M_STR, M_BOOL, M_FLOAT, M_BIG, M_LIST, M_BAD_UTF8 };

/* In records only M_NULL, M_INT and M_STR. */
struct m_value {
  enum m_shape is;
  int64_t i;
  struct ck_str s;
};

/* kind: K key · t text · o text? · r raw · p payload · j JSON? · c choice · i integer · y integer?
 * · b 0/1 · B 0/1, has a default · # count · + at least 1, 3 unless told · / static path · n
 * created_at · u updated_at · N count? · A ages
 *
 * rule: a aged · f follows the column before it · e the earliest · g the greatest · x fixed · j
 * fixed, and refused if it would change · u updated_at · q makes no version · s the beginning of
 * the text in the column before it, if that has one · empty: as given */
struct m_column {
  const char *name;
  char kind;
  const char *choices, *rule;
};

struct m_table {
  const char *name;
  const char *own_time; /* the field by which a write is late, or NULL */
  const char *folder;
  struct m_column column[19];
};

extern const struct m_table m_tables[TABLES];

#define M_COLUMNS 18
#define M_ROWS 512 /* messages and executions have derived ids */
#define M_FEW 14   /* jobs and conversations */
#define M_WAITS (2 * M_FEW)
#define M_GIVEN 24

struct m_field {
  const char *column; /* may be unknown to the table, or be given twice */
  struct m_value v;
};

struct m_mutation {
  enum ck_mutation_kind kind;
  int table; /* TABLES: a table that does not exist */
  struct m_field field[M_GIVEN];
  int fields;
  struct ck_claim claim;
  struct ck_end end;
  struct ck_cursor cursor;
  struct ck_forget forget;
  struct ck_remember remember;
  int64_t age; /* of a PUT or COPY */
  bool timed;  /* of a COPY */
};

struct m_record {
  uint64_t version; /* 0: not there */
  struct m_value v[M_COLUMNS];
  int64_t age[M_COLUMNS]; /* M_NONE, M_OWNER, or an age */
};

#define M_NONE (-1)
#define M_OWNER INT64_MAX

struct m_lease {
  struct ck_str job, token;
  uint64_t attempt;
  const char *state; /* NULL: none */
  int64_t at;
};

struct m_automation {
  struct ck_str conversation;
  bool on;
  int64_t since;
};

/* What a job or a conversation waits for. The store may forget one that is over, or not; after
 * another start of the machine with its clock behind it begins again if it has not. */
struct m_wait {
  struct ck_str id; /* empty: the place is free */
  int table;
  enum { M_OVER, M_LASTS, M_CALENDAR } is;
  int64_t until;        /* as its record says */
  int64_t length, from; /* boot */
  int64_t written;      /* wall */
};

/* That a record was forgotten, or what a platform calls a conversation. */
struct m_gone {
  struct ck_str id, table, key, with; /* id, with: TABLE/KEY */
  struct m_value platform, conversation, path;
  int64_t at;
  bool back; /* it may come again */
  uint64_t version;
};

#define M_GONE 4096
#define M_REMOTE "remote_conversations"

/* Everything that a commit makes durable. Text is borrowed from the writes, which live as long as
 * the world. */
struct m_state {
  struct m_record row[TABLES][M_ROWS];
  int rows[TABLES];
  struct m_lease lease[M_FEW];
  struct m_automation automation[M_FEW];
  struct m_wait wait[M_WAITS];
  struct m_gone gone[M_GONE];
  int gones;
  struct m_value cursor;
  uint64_t head;
};

struct model {
  struct m_state now, committed, before;
  /* of the present changeset */
  struct ck_str fresh[M_ROWS]; /* messages that it inserted */
  int fresh_messages, fresh_executions;
  int run_messages, run_executions; /* inserted since its last session */
  bool copies;                      /* what is put is a message of another conversation */
  /* Since its last session: it put such a message, one of its own; the earliest time of those. */
  bool run_copied, run_own;
  int64_t run_own_from;
  bool inserted, updated;
  bool known; /* since its last session, it put a message or an execution that existed */
  struct ck_str platform, conversation; /* of its last message or session */
  const struct m_mutation *list;        /* all of it */
  int mutations;
  int64_t clock, boot; /* wall, which may be stepped; and the one that nobody steps */
  bool ends;           /* an attempt ends, and that was decided: */
  int64_t decided;     /* wall */
  struct ck_arena *arena;
};

int m_column(int table, const char *name);
struct m_record *m_find(struct m_state *s, int table, struct ck_str key);

/* Copies what a state has. */
void m_copy(struct m_state *to, const struct m_state *from);

/* The changeset's result: n, u, = or r, as apply_changeset's. After r nothing is changed. The
 * clocks are set before. */
char m_apply(struct model *m, const struct m_mutation *list, int n);

/* Whoever reads the store is told of this wait. *left: how long it still lasts; of a calendar time
 * 0. */
bool m_is_waited(const struct model *m, const struct m_wait *w, int64_t *left);
/* The machine has been started again, with these clocks. kept: the store has not forgotten it. */
typedef bool m_kept(const struct m_wait *w);
void m_machine_starts(struct model *m, m_kept *kept);

/* ---- random mutations: tests/unit/test_store_model_chance.c ---- */

/* A FORGET or a REMEMBER, which is alone in its changeset, and most of which makes sense. */
struct m_mutation m_chance_forget(const struct model *m);
/* Makes random mutations, most of which make sense in this state, with times around that one.
 * Returns how many. */
int m_chance(const struct model *m, struct m_mutation *list, int most, int64_t around);

/* ---- test_store_model_wire.c ---- */

/* The mutation in its form on the wire; the row's bytes go into `row`. */
struct ck_mutation m_wire(const struct m_mutation *m, struct ck_buf *row);

#endif
