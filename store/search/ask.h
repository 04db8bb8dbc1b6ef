/* Asks the index: which messages and titles a query finds, the newest or the best first. */
#ifndef CK_STORE_SEARCH_ASK_H
#define CK_STORE_SEARCH_ASK_H

#include <stdatomic.h>

#include "store/database/db.h"
#include "store/search/query.h"

/* For one thread, with a connection of its own to the index. */
struct search_asker;

/* database: the thread's connection to the database, where the found records are read; it must
 * outlive the asker. stop: questions under way end when it is set. */
struct search_asker *search_asker_new(sqlite3 *database, const _Atomic bool *stop);
void search_asker_free(struct search_asker **a);

struct search_question {
  const struct search_query *query;
  struct ck_str conversation; /* a local_conversation_id; empty: any */
  size_t limit;               /* hits wanted */
  struct ck_str cursor; /* of the answer whose hits these come after; empty: from the first on */
  bool rank;            /* the best first; else the newest, by observed_at */
};

/* Where the words were found, and the record. Texts are empty if it has none; they live until the
 * next question. */
struct search_hit {
  bool is_title; /* a conversation; else a message */
  struct ck_str message_id, local_conversation_id, platform, title, role;
  struct ck_str text; /* of the message, unless it is a tool's; of a title, the title */
  struct ck_str tool; /* what tools were told and said, as it is in the index; only of a message */
  int64_t at;         /* observed_at, or last_message_at */
  bool is_dated;      /* false: `at` is unknown */
};

struct search_answer {
  const struct search_hit *hits; /* valid until the next question */
  size_t hit_count;
  uint64_t count;  /* all that the query finds, with those before the cursor */
  bool more;       /* there are more than `count` */
  char cursor[64]; /* for the hits after these; "": there are none, or timed_out */
  bool timed_out; /* hits that come before these may be missing, and none can be asked after them */
  uint64_t indexed; /* the index has all records up to this version */
};

/* False: it is no cursor of such a question's answer. search_ask must not be given it. */
bool search_cursor_ok(struct ck_str cursor, bool rank);

/* 0; an index that is not there yet has nothing. -1 with the reason: it cannot be read. */
int search_ask(struct search_asker *a, const struct search_question *q, struct search_answer *out,
               struct ck_err *err);

#endif
