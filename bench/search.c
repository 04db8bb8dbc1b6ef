/* The search: the size of the index, how fast it is made, and how soon a question is answered.
 *
 *   search          does all of it, and leaves nothing
 *   search fill     makes the database in CONVKEEP_BENCH_DATA, which takes minutes
 *   search measure  measures with it
 *   search live     only what does not need it
 *
 * BENCH_SEARCH: the number of messages. They are inserted by SQL: words of a made-up language, as
 * often as words are (Zipf), a fifth of the messages in Chinese, some names as in code. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/search_live.h"
#include "proto/clock.h"
#include "store/format/migrations.h"
#include "store/search/ask.h"
#include "store/search/index.h"
#include "store/search/indexer.h"

#define MESSAGES 1000000
#define A_CONVERSATION 200 /* messages */
#define VOCABULARY 60000
#define CHINESE 20000 /* words of two characters */
#define TEXT_MEAN 900 /* bytes */
#define FIRST_AT INT64_C(1735700000000)
#define APART_MS 60000
#define FILL_CACHE_MIB 512
#define QUESTIONS 400
#define LIMIT 20

/* ---- a made-up language ---- */

static uint64_t chance = 88172645463325252u;

static uint64_t below(uint64_t n) {
  chance ^= chance << 13;
  chance ^= chance >> 7;
  chance ^= chance << 17;
  return chance % n;
}

/* The rank of a word, 0 the commonest: the share of each is one over its rank, nearly. */
static unsigned rank_below(unsigned n) {
  double u = (double)below(1u << 30) / (1u << 30);
  return (unsigned)(exp(u * log((double)n + 1)) - 1);
}

/* Of two words one has been said lately: so a text of 900 bytes has as many different words as
 * documentation and programs have, 70 in 1,000 bytes. */
#define AGAIN 50 /* per cent */
#define LATELY 60

/* What was said lately in one language. */
struct talk {
  unsigned ranks[LATELY];
  size_t said;
};

static unsigned next_rank(struct talk *t, unsigned n) {
  size_t known = t->said < LATELY ? t->said : LATELY;
  bool again = known && below(100) < AGAIN;
  unsigned rank = again ? t->ranks[below(known)] : rank_below(n);
  t->ranks[t->said++ % LATELY] = rank;
  return rank;
}

static struct talk words, chinese_words, names;

/* Words of two to five syllables, other ones for each rank. */
static void put_word(struct ck_buf *b, unsigned rank) {
  static const char consonants[] = "bdfgklmnprstvz", vowels[] = "aeiou";
  unsigned left = rank * 2654435761u % 68600000u; /* below 70 to the fourth, and odd: no two meet */
  for (unsigned i = 0, n = rank < 100 ? 2 : 3 + rank % 2; i < n; ++i, left /= 70) {
    char syllable[] = {consonants[left % 14], vowels[left / 14 % 5]};
    ck_buf_add(b, syllable, 2);
  }
}

static void put_chinese(struct ck_buf *b, unsigned rank) {
  ck_buf_utf8(b, 0x4e00 + rank * 7919u % 3500);
  ck_buf_utf8(b, 0x4e00 + (rank * 104729u >> 4) % 3500);
}

/* As in a language, most words are followed by one of a few characters, and each mostly by the same
 * one; else nearly every border of two words would be a pair of its own. */
static void put_chinese_words(struct ck_buf *b) {
  unsigned rank = next_rank(&chinese_words, CHINESE);
  put_chinese(b, rank);
  if (below(10) < 7) ck_buf_utf8(b, 0x5e00 + (below(4) ? rank % 40 : rank_below(40)));
}

static void put_name(struct ck_buf *b) {
  unsigned name = next_rank(&names, 2000);
  put_word(b, name);
  if (name % 2) ck_buf_text(b, "_");
  size_t at = b->len;
  put_word(b, name * 7919 % 2000);
  if (b->data[at - 1] != '_') b->data[at] = (char)(b->data[at] - 'a' + 'A');
}

static void put_piece(struct ck_buf *b, bool chinese) {
  uint64_t kind = below(100);
  if (kind < 3)
    put_name(b);
  else if (kind < 5)
    ck_buf_printf(b, "%u", rank_below(100000));
  else if (chinese && kind < 85)
    put_chinese_words(b);
  else
    put_word(b, next_rank(&words, VOCABULARY));
  if (below(8) == 0) ck_buf_text(b, chinese ? "，" : ",");
  if (!chinese) ck_buf_text(b, " ");
}

static void make_text(struct ck_buf *b, uint64_t i) {
  double u = ((double)below(1u << 30) + 1) / (1u << 30);
  size_t bytes = (size_t)(-log(u) * TEXT_MEAN) + 1;
  bool chinese = i % 5 == 4;
  ck_buf_clear(b);
  while (b->len < bytes) put_piece(b, chinese);
}

/* ---- filling ---- */

static void sql(sqlite3 *db, const char *text) {
  struct ck_err err;
  if (db_exec(db, text, &err)) bench_fail("%s", err.text);
}

static uint64_t count_asked(void) {
  const char *n = getenv("BENCH_SEARCH");
  return n && *n ? strtoull(n, NULL, 10) : MESSAGES;
}

static sqlite3_stmt *prepare_message(sqlite3 *db) {
  struct ck_err err;
  sqlite3_stmt *s = db_prepare(
      db,
      "INSERT INTO messages (version, id, platform, conversation_id, role, raw_text, observed_at,"
      " static_path, created_at, live) VALUES (?1, printf('%08x-8b86-4d01-b42d-%012x', ?2, ?1),"
      " 'chatgpt', printf('6f9619ff-8b86-4d01-b42d-%012x', ?3), iif(?1 % 2, 'user', 'assistant'),"
      " ?4, ?5, 'msg/2025/01/01/x.txt', 0, 1)",
      &err);
  if (!s) bench_fail("%s", err.text);
  return s;
}

/* i: the version, less one. */
static void put_message(sqlite3_stmt *s, uint64_t i) {
  struct ck_buf text = {0};
  make_text(&text, i);
  sqlite3_bind_int64(s, 1, (int64_t)i + 1);
  sqlite3_bind_int64(s, 2, (int64_t)below(UINT32_MAX));
  sqlite3_bind_int64(s, 3, (int64_t)(i / A_CONVERSATION));
  db_bind_str(s, 4, ck_buf_view(&text));
  sqlite3_bind_int64(s, 5, FIRST_AT + (int64_t)(i ^ 63) * APART_MS);
  if (sqlite3_step(s) != SQLITE_DONE) bench_fail("messages: %s", sqlite3_errstr(sqlite3_reset(s)));
  sqlite3_reset(s);
  ck_buf_free(&text);
}

static void put_one(sqlite3 *db, int64_t version) {
  sqlite3_stmt *s = prepare_message(db);
  put_message(s, (uint64_t)version - 1);
  sqlite3_finalize(s);
}

static void put_messages(sqlite3 *db, uint64_t n) {
  sqlite3_stmt *s = prepare_message(db);
  for (uint64_t i = 0; i < n; ++i) put_message(s, i);
  sqlite3_finalize(s);
}

static void fill(uint64_t n) {
  struct ck_err err;
  sqlite3 *db;
  bench_enter("search");
  if (db_open_writer(&db, store_migrations, FILL_CACHE_MIB, &err)) bench_fail("%s", err.text);
  sql(db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
          "BEGIN");
  put_messages(db, n);
  sql(db, "COMMIT; PRAGMA journal_mode = WAL");
  db_close(&db);
}

/* ---- making the index ---- */

static struct context context;

static void build(uint64_t n) {
  struct ck_err err;
  int64_t began = ck_boot_ms();
  double used = bench_cpu(getpid());
  memset(context.store_id, 'a', 32);
  if (search_index_drop(&err) || context_open(&context, &err)) bench_fail("%s", err.text);
  atomic_store(&context.head, n);
  struct indexer *x = indexer_start(&context, &err);
  if (!x) bench_fail("%s", err.text);
  while (atomic_load(&context.search_cursor) < n) usleep(5000);
  double rate = (double)n * 1000 / (double)(ck_boot_ms() - began);
  used = (bench_cpu(getpid()) - used) * 1e6 / (double)n;
  atomic_store(&context.stop, true);
  context_wake(&context);
  indexer_stop(&x);
  atomic_store(&context.stop, false);
  double text = bench_sql("SELECT sum(length(CAST(raw_text AS BLOB))) FROM messages");
  struct stat st;
  if (stat(SEARCH_FILE, &st)) bench_fail(SEARCH_FILE);
  double share = (double)st.st_size * 100 / text;
  printf("| messages | %s |\n", bench_number((double)n, 0));
  printf("| their text, MB | %s |\n", bench_number(text / 1e6, 0));
  printf("| the index, MB for 100 MB of text | %.1f; %s |\n", share,
         bench_verdict("search: the index, MB for 100 MB of text", share, false, 50, ""));
  printf("| made, messages a second | %.0f; %s |\n", rate,
         bench_verdict("search: messages a second that are indexed after an import", rate, true,
                       8000, ""));
  printf("| … of the processor for a message, microseconds | %.0f |\n", used);
}

/* ---- asking ---- */

struct asking {
  struct search_asker *asker;
  sqlite3 *db;
  struct bench_series few, many, worst;
  struct bench_series few_used, many_used; /* of the processor */
  uint64_t found;
};

/* *used: milliseconds of the processor. */
static double ask(struct asking *a, const char *text, bool *more, double *used) {
  struct search_query q;
  struct search_answer answer;
  struct ck_err err;
  int64_t began = ck_mono_us();
  double before = bench_cpu(getpid());
  search_query_parse(ck_str_of(text), 0, &q);
  const struct search_question question = {.query = &q, .limit = LIMIT};
  if (search_ask(a->asker, &question, &answer, &err)) bench_fail("%s: %s", text, err.text);
  a->found += answer.hit_count;
  *more = answer.more;
  *used = (bench_cpu(getpid()) - before) * 1000;
  return (double)(ck_mono_us() - began) / 1000;
}

/* A question as people ask: one word, two, a phrase, a beginning. */
static void make_question(struct ck_buf *b, unsigned most) {
  unsigned kind = (unsigned)below(10);
  ck_buf_clear(b);
  if (kind < 3)
    put_chinese(b, rank_below(CHINESE));
  else
    put_word(b, rank_below(most));
  if (kind == 4 || kind == 5) ck_buf_text(b, " ");
  if (kind == 4 || kind == 5) put_word(b, rank_below(most));
  if (kind == 6) ck_buf_text(b, "*");
}

static void ask_hostile(struct asking *a, const char *piece) {
  struct ck_buf b = {0};
  bool more;
  double used;
  while (b.len < SEARCH_QUERY_MAX) ck_buf_text(&b, piece);
  double ms = ask(a, ck_buf_cstr(&b), &more, &used);
  fprintf(stderr, "search: 64 KiB of \"%s\": %.1f ms\n", piece, ms);
  bench_add(&a->worst, ms);
  ck_buf_free(&b);
}

static void ask_usual(struct asking *a, const char *text) {
  bool more;
  double used, ms = ask(a, text, &more, &used);
  if (ms > 40) fprintf(stderr, "search: %s: %.1f ms%s\n", text, ms, more ? " more" : "");
  bench_add(more ? &a->many : &a->few, ms);
  bench_add(more ? &a->many_used : &a->few_used, used);
}

static void ask_all(struct asking *a) {
  static const char *const hostile[] = {"a* ",  "\"",        "(((",     "ba OR ", "-ba ", "a*b*",
                                        "好* ", "title:a* ", "x\"y\" ", "in:a ",  "ba ",  "的"};
  struct ck_buf b = {0};
  for (int i = 0; i < QUESTIONS; ++i) {
    make_question(&b, VOCABULARY);
    ask_usual(a, ck_buf_cstr(&b));
  }
  for (unsigned rank = 0; rank < 60; ++rank) {
    ck_buf_clear(&b);
    if (rank % 3 == 0)
      put_chinese(&b, rank / 3);
    else
      put_word(&b, rank);
    ask_usual(a, ck_buf_cstr(&b));
  }
  for (size_t i = 0; i < sizeof hostile / sizeof *hostile; ++i) ask_hostile(a, hostile[i]);
  ck_buf_free(&b);
}

static void questions(void) {
  struct ck_err err;
  struct asking a = {0};
  bool more;
  double used;
  if (db_open_reader(&a.db, &err)) bench_fail("%s", err.text);
  a.asker = search_asker_new(a.db, &context.stop);
  ask(&a, "warm", &more, &used);
  ask_all(&a);
  if (!a.found) bench_fail("nothing is found");
  printf("| a question with up to 50,000 hits, p99, ms | %.1f; %s |\n", bench_share(&a.few, 0.99),
         bench_verdict("search: a question with up to 50,000 hits, p99", bench_share(&a.few, 0.99),
                       false, 50, " ms"));
  printf("| … median, ms | %s |\n", bench_number(bench_share(&a.few, 0.5), 1));
  printf("| … p99 of the processor, ms | %.1f |\n", bench_share(&a.few_used, 0.99));
  printf("| a question with more hits, p99, ms | %.1f; %s |\n", bench_share(&a.many, 0.99),
         bench_verdict("search: a question with more than 50,000 hits, p99",
                       bench_share(&a.many, 0.99), false, 100, " ms"));
  printf("| … median, ms | %s |\n", bench_number(bench_share(&a.many, 0.5), 1));
  printf("| … p99 of the processor, ms | %.1f |\n", bench_share(&a.many_used, 0.99));
  printf("| the slowest of the questions of 64 KiB, ms | %.1f; %s |\n", bench_share(&a.worst, 1),
         bench_verdict("search: a question of 64 KiB that means harm", bench_share(&a.worst, 1),
                       false, 50, " ms"));
  bench_free(&a.few);
  bench_free(&a.many);
  bench_free(&a.worst);
  bench_free(&a.few_used);
  bench_free(&a.many_used);
  search_asker_free(&a.asker);
  db_close(&a.db);
}

int main(int argc, char **argv) {
  uint64_t n = count_asked();
  bool fills = argc < 2 || strcmp(argv[1], "fill") == 0;
  bool measures = argc < 2 || strcmp(argv[1], "measure") == 0;
  bool live = argc < 2 || strcmp(argv[1], "live") == 0;
  printf("### Search\n\n| | |\n|:--|--:|\n");
  if (fills)
    fill(n);
  else if (measures)
    bench_return("search");
  if (measures) {
    build(n);
    questions();
  }
  if (argc < 2) bench_leave();
  if (live) search_live(put_one);
  return 0;
}
