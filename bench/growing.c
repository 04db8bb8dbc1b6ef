/* Ten exports of one account, each larger than the last, imported one after another: what the
 * originals of all ten take on the disk, beside `zstd -3` of the last one. In the hard case every
 * conversation has grown in each export, so none comes again as it was.
 * Environment: BENCH_GROWING, the number of conversations: 600. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common.h"
#include "proto/random.h"

#define EXPORTS 10
#define CONVERSATIONS 600
#define MESSAGES 30 /* of a conversation, in the middle, at the end */
#define WORDS 6000
#define FILE_NAME "growing.json"

static char words[WORDS][12];

/* ---- the exports ---- */

static void make_words(void) {
  struct ck_random r;
  r.state = 7;
  for (int i = 0; i < WORDS; ++i) {
    int n = 2 + (int)(ck_random_next(&r) % 8);
    for (int k = 0; k < n; ++k) words[i][k] = (char)('a' + ck_random_next(&r) % 26);
  }
}

/* Words as they are in prose: the rank of a word is as likely as its inverse. */
static void put_prose(struct ck_buf *b, struct ck_random *r, unsigned n) {
  for (unsigned i = 0; i < n; ++i) {
    double x = (double)(ck_random_next(r) >> 11) / (double)(UINT64_C(1) << 53);
    ck_buf_printf(b, "%s%s", i ? " " : "", words[(int)pow(WORDS, x) - 1]);
  }
}

static void put_id(struct ck_buf *b, uint64_t a) {
  uint64_t c = a * UINT64_C(0x9e3779b97f4a7c15);
  ck_buf_printf(b, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32),
                (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(c >> 52),
                (unsigned long long)(c & 0xffffffffffff));
}

static void put_node(struct ck_buf *b, struct ck_random *r, uint64_t id, uint64_t parent,
                     uint64_t child, bool user, double at) {
  ck_buf_text(b, ", \"");
  put_id(b, id);
  ck_buf_text(b, "\": {\"id\": \"");
  put_id(b, id);
  ck_buf_text(b, "\", \"message\": {\"id\": \"");
  put_id(b, id);
  ck_buf_printf(b,
                "\", \"author\": {\"role\": \"%s\", \"name\": null, \"metadata\": {}}, "
                "\"create_time\": %.6f, \"update_time\": null, \"content\": {\"content_type\": "
                "\"text\", \"parts\": [\"",
                user ? "user" : "assistant", at);
  put_prose(b, r,
            user ? 5 + (unsigned)(ck_random_next(r) % 55)
                 : 60 + (unsigned)(ck_random_next(r) % 340));
  ck_buf_text(b,
              "\"]}, \"status\": \"finished_successfully\", \"end_turn\": true, \"weight\": 1.0, "
              "\"metadata\": {\"model_slug\": \"gpt-4o\", \"request_id\": \"");
  put_id(b, ck_random_next(r));
  ck_buf_text(b, "\"}, \"recipient\": \"all\", \"channel\": null}, \"parent\": \"");
  put_id(b, parent);
  ck_buf_text(b, "\", \"children\": [");
  if (child) ck_buf_text(b, "\""), put_id(b, child), ck_buf_text(b, "\"");
  ck_buf_text(b, "]}");
}

/* As it is in the export `age` of EXPORTS. Its ids are drawn first, so that they stay. */
static void put_conversation(struct ck_buf *b, unsigned number, int age) {
  struct ck_random r, ids;
  r.state = 1000 + number;
  ids.state = 5000000 + number;
  unsigned all = MESSAGES / 2 + (unsigned)(ck_random_next(&r) % MESSAGES),
           n = all * (unsigned)age / EXPORTS;
  uint64_t conversation = ck_random_next(&ids), root = ck_random_next(&ids), parent = root,
           id = ck_random_next(&ids);
  double began = 1.7e9 + number * 7200.0, at = began;
  if (n == 0) n = 1;
  ck_buf_printf(b, "%s{\"title\": \"", number ? ", " : "");
  put_prose(b, &r, 5);
  ck_buf_printf(b, "\", \"create_time\": %.6f, \"update_time\": %.6f, \"mapping\": {\"", began,
                began + n * 90.0);
  put_id(b, root);
  ck_buf_text(b, "\": {\"id\": \"");
  put_id(b, root);
  ck_buf_text(b, "\", \"message\": null, \"parent\": null, \"children\": [\"");
  put_id(b, id);
  ck_buf_text(b, "\"]}");
  for (unsigned i = 0; i < n; ++i) {
    uint64_t child = ck_random_next(&ids);
    put_node(b, &r, id, parent, i + 1 < n ? child : 0, i % 2 == 0, at += 90);
    parent = id;
    id = child;
  }
  ck_buf_text(b, "}, \"current_node\": \"");
  put_id(b, parent);
  ck_buf_text(b, "\", \"conversation_id\": \"");
  put_id(b, conversation);
  ck_buf_text(b, "\", \"is_archived\": false}");
}

/* one_in: which conversations grow; the others are whole from the first export on. */
static double write_export(unsigned conversations, int age, unsigned one_in) {
  struct ck_buf b = {0};
  ck_buf_text(&b, "[");
  for (unsigned i = 0; i < conversations; ++i)
    put_conversation(&b, i, i % one_in == 0 ? age : EXPORTS);
  ck_buf_text(&b, "]");
  FILE *f = fopen(FILE_NAME, "w");
  if (!f || fwrite(b.data, 1, b.len, f) != b.len || fclose(f)) bench_fail("no room for an export");
  double bytes = (double)b.len;
  ck_buf_free(&b);
  return bytes;
}

/* ---- measuring ---- */

#define DATA "SELECT sum(length(data)) FROM block_parts"
#define TABLES \
  "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name IN" \
  " ('originals', 'originals_grown', 'blocks', 'block_parts'))"

static void measure(const char *what, unsigned conversations, unsigned one_in,
                    const char *program) {
  double bytes = 0, zstd = 0, seconds = 0;
  bench_enter("growing");
  for (int age = 1; age <= EXPORTS; ++age) {
    bytes = write_export(conversations, age, one_in);
    zstd = bench_zstd(FILE_NAME);
    seconds = bench_run("import.txt",
                        (const char *const[]){program, "--data", ".", "import", FILE_NAME, NULL});
  }
  double data = bench_sql(DATA), tables = bench_sql(TABLES);
  printf("| %s | %s | %s | %s | %s | **%s** | %s |\n", what, bench_number(bytes / 1e6, 1),
         bench_number(zstd / 1e6, 2), bench_number(data / 1e6, 2), bench_number(tables / 1e6, 2),
         bench_number(tables / zstd, 2), bench_number(seconds, 1));
  char name[120];
  snprintf(name, sizeof name, "Ten growing exports, %s, of `zstd -3` of the last", what);
  bench_verdict(name, tables / zstd, false, 2, "×");
  bench_leave();
}

int main(void) {
  const char *text = getenv("BENCH_GROWING");
  unsigned conversations = text ? (unsigned)atoi(text) : CONVERSATIONS;
  char *program = bench_program("../bin/convkeep");
  make_words();
  printf("## Ten exports of a growing account\n\n"
         "%u conversations, in ten ChatGPT exports of one account, imported one after another "
         "without a ring. In each export a conversation that grows has a tenth more of its "
         "messages. In the hard case all of them grow, so no conversation comes again as it was. "
         "The tables are those of the originals with their indexes; the bound is 2 times the "
         "last export's `zstd -3`.\n\n"
         "| | the last export, MB | its `zstd -3` | all originals, data | with tables and indexes "
         "| of `zstd -3` | the last import, s |\n|:--|--:|--:|--:|--:|--:|--:|\n",
         conversations);
  measure("every conversation grows", conversations, 1, program);
  measure("one in ten grows", conversations, 10, program);
  free(program);
  return 0;
}
