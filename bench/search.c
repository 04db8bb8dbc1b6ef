/* The search: the size of the index, how fast it is made, and how soon a question is answered.
 *
 *   search          does all of it, and leaves nothing
 *   search fill     makes the database in CONVKEEP_BENCH_DATA, which takes minutes
 *   search measure  measures with it
 *   search ask      only asks, with the index that `measure` has made
 *   search live     only what does not need it
 *
 * BENCH_SEARCH: the number of messages, which are inserted by SQL. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/language.h"
#include "bench/search_live.h"
#include "proto/clock.h"
#include "store/format/migrations.h"
#include "store/search/ask.h"
#include "store/search/index.h"
#include "store/search/indexer.h"

#define MESSAGES 1000000
#define A_CONVERSATION 200 /* messages */
#define FIRST_AT INT64_C(1735700000000)
#define APART_MS 60000
#define FILL_CACHE_MIB 512
#define QUESTIONS 400
#define PIECES 400 /* questions for what stands together */
#define LIMIT 20
#define MANY 50000 /* hits: more may take twice as long */

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
  lang_text(&text, i);
  sqlite3_bind_int64(s, 1, (int64_t)i + 1);
  sqlite3_bind_int64(s, 2, (int64_t)lang_below(UINT32_MAX));
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
  struct bench_series pieces[8];
  uint64_t found;
};

/* *used: milliseconds of the processor. */
static double ask(struct asking *a, const char *text, bool *many, double *used) {
  struct search_query q;
  struct search_answer answer;
  struct ck_err err;
  int64_t began = ck_mono_us();
  double before = bench_cpu(getpid());
  search_query_parse(ck_str_of(text), 0, &q);
  const struct search_question question = {.query = &q, .limit = LIMIT};
  if (search_ask(a->asker, &question, &answer, &err)) bench_fail("%s: %s", text, err.text);
  a->found += answer.hit_count;
  *many = answer.more && answer.count >= MANY;
  *used = (bench_cpu(getpid()) - before) * 1000;
  return (double)(ck_mono_us() - began) / 1000;
}

/* A question as people ask: one word, two, a phrase, a beginning. */
static void make_question(struct ck_buf *b, unsigned most) {
  unsigned kind = (unsigned)lang_below(10);
  ck_buf_clear(b);
  if (kind < 3)
    lang_chinese(b, lang_rank(LANG_CHINESE));
  else
    lang_word(b, lang_rank(most));
  if (kind == 4 || kind == 5) ck_buf_text(b, " ");
  if (kind == 4 || kind == 5) lang_word(b, lang_rank(most));
  if (kind == 6) ck_buf_text(b, "*");
}

/* ---- what stands together ---- */

static void put_path(struct ck_buf *b) {
  for (int i = 0; i < 3; ++i) {
    ck_buf_text(b, "/");
    lang_word(b, lang_rank(300));
  }
}

/* What hardly ever stands together, of words that nearly all texts have. */
static void put_common(struct ck_buf *b, bool chinese) {
  if (!chinese) ck_buf_text(b, "\"");
  for (int i = 0; i < 2; ++i) {
    if (i && !chinese) ck_buf_text(b, " ");
    if (chinese)
      lang_chinese(b, (unsigned)lang_below(40));
    else
      lang_word(b, (unsigned)lang_below(40));
  }
  if (!chinese) ck_buf_text(b, "\"");
}

/* So many Chinese characters that stand together in the text; fewer if it has no such place. */
static struct ck_str chinese_of(struct ck_str text, size_t characters) {
  size_t from = lang_below(text.n), n = 0;
  struct ck_str found = {text.s, 0};
  for (size_t i = 0, at = from; i < text.n && n < characters; ++i, ++at) {
    const char *s = text.s + at % text.n;
    bool chinese = text.n - at % text.n >= 3 && *s >= '\xe4' && *s <= '\xe9';
    if (at % text.n == 0) n = 0;
    if (!chinese && (*s & 0xC0) == 0x80) continue;
    n = chinese ? n + 1 : 0;
    if (n == 1) found.s = s;
    if (n) found.n = (size_t)(s - found.s) + 3;
  }
  return found;
}

/* Two words at a place of the text. */
static struct ck_str words_of(struct ck_str text) {
  size_t at = lang_below(text.n), to, n = 0;
  while (at > 0 && text.s[at - 1] != ' ') --at;
  for (to = at; to < text.n && n < 2; ++to) n += text.s[to] == ' ';
  return (struct ck_str){text.s + at, to - at};
}

/* kind: of the rows of `pieces`. */
static void make_piece(struct ck_buf *b, sqlite3_stmt *text, int kind) {
  bool chinese = kind == 4 || kind == 5;
  uint64_t messages = (uint64_t)atomic_load(&context.head);
  ck_buf_clear(b);
  if (kind == 0) lang_name(b);
  if (kind == 1) put_path(b);
  if (kind == 2 || kind == 6) put_common(b, kind == 6);
  if (kind == 3 || chinese) {
    int64_t version = (int64_t)(lang_below(messages / 5) * 5 + (chinese ? 5 : 1));
    sqlite3_bind_int64(text, 1, version);
    if (sqlite3_step(text) != SQLITE_ROW) bench_fail("message %lld is gone", (long long)version);
    ck_buf_text(b, "\"");
    ck_buf_str(b,
               chinese ? chinese_of(db_str(text, 0), (size_t)kind - 1) : words_of(db_str(text, 0)));
    ck_buf_text(b, "\"");
    sqlite3_reset(text);
  }
  if (kind == 7) {
    lang_word(b, lang_rank(LANG_WORDS));
    ck_buf_text(b, " ");
    lang_chinese(b, lang_rank(LANG_CHINESE));
  }
}

static const char *const pieces[] = {"a name in parts",
                                     "a path",
                                     "two words, common and hardly ever together",
                                     "two words of a text",
                                     "three Chinese characters of a text",
                                     "four",
                                     "two Chinese words, common and hardly ever together",
                                     "a word, and a Chinese one"};
#define KINDS ((int)(sizeof pieces / sizeof *pieces))

static void ask_hostile(struct asking *a, const char *piece) {
  struct ck_buf b = {0};
  bool many;
  double used;
  while (b.len < SEARCH_QUERY_MAX) ck_buf_text(&b, piece);
  double ms = ask(a, ck_buf_cstr(&b), &many, &used);
  fprintf(stderr, "search: 64 KiB of \"%s\": %.1f ms\n", piece, ms);
  bench_add(&a->worst, ms);
  ck_buf_free(&b);
}

static double ask_usual(struct asking *a, const char *text) {
  bool many;
  double used, ms = ask(a, text, &many, &used);
  if (used > 40) fprintf(stderr, "search: %s: %.1f ms, %.1f of the processor\n", text, ms, used);
  bench_add(many ? &a->many : &a->few, ms);
  bench_add(many ? &a->many_used : &a->few_used, used);
  return ms;
}

static void ask_pieces(struct asking *a) {
  struct ck_err err;
  struct ck_buf b = {0};
  sqlite3_stmt *text = db_prepare(a->db, "SELECT raw_text FROM messages WHERE version = ?1", &err);
  if (!text) bench_fail("%s", err.text);
  for (int i = 0; i < PIECES; ++i) {
    make_piece(&b, text, i % KINDS);
    double ms = ask_usual(a, ck_buf_cstr(&b));
    bench_add(&a->pieces[i % KINDS], ms);
  }
  for (int i = 0; i < KINDS; ++i) {
    printf("| %s: median, p99, ms | %.1f, %.1f |\n", pieces[i], bench_share(&a->pieces[i], 0.5),
           bench_share(&a->pieces[i], 0.99));
    bench_free(&a->pieces[i]);
  }
  sqlite3_finalize(text);
  ck_buf_free(&b);
}

static void ask_all(struct asking *a) {
  static const char *const hostile[] = {"a* ",  "\"",        "(((",     "ba OR ", "-ba ", "a*b*",
                                        "好* ", "title:a* ", "x\"y\" ", "in:a ",  "ba ",  "的"};
  struct ck_buf b = {0};
  for (int i = 0; i < QUESTIONS; ++i) {
    make_question(&b, LANG_WORDS);
    ask_usual(a, ck_buf_cstr(&b));
  }
  for (unsigned rank = 0; rank < 60; ++rank) {
    ck_buf_clear(&b);
    if (rank % 3 == 0)
      lang_chinese(&b, rank / 3);
    else
      lang_word(&b, rank);
    ask_usual(a, ck_buf_cstr(&b));
  }
  for (size_t i = 0; i < sizeof hostile / sizeof *hostile; ++i) ask_hostile(a, hostile[i]);
  ck_buf_free(&b);
}

static void questions(void) {
  struct ck_err err;
  struct asking a = {0};
  bool many;
  double used;
  if (db_open_reader(&a.db, &err)) bench_fail("%s", err.text);
  a.asker = search_asker_new(a.db, &context.stop);
  ask(&a, "warm", &many, &used);
  ask_all(&a);
  ask_pieces(&a);
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
  bool asks = measures || strcmp(argv[1], "ask") == 0;
  bool live = argc < 2 || strcmp(argv[1], "live") == 0;
  printf("### Search\n\n| | |\n|:--|--:|\n");
  if (fills)
    fill(n);
  else if (asks)
    bench_return("search");
  if (measures) build(n);
  atomic_store(&context.head, n);
  if (asks) questions();
  if (argc < 2) bench_leave();
  if (live) search_live(put_one);
  return 0;
}
