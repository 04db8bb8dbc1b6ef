/* What each word finds, compared with what LIKE finds in the same texts. The list is golden: a
 * search finds what LIKE finds, except that
 *
 *   - in scripts with blanks between words LIKE also finds what begins or ends inside of a word
 *     ("cat" in "concatenate"); camelCase and digits are parts of a word that count as words,
 *   - a search also finds what differs in case, accents, width and ligatures, and passes over
 *     signs ("C++" is the word c, get_user the same as getUser). */
#include "tests/flow/search_help.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/database.h"

static const char *const texts[][2] = {
    {"acc1", "Mon résumé est prêt, déjà vu à la crème brûlée"},
    {"acc2", "my resume is ready"},
    {"acc3", "re\xCC\x81sume\xCC\x81 in pieces, naïve, Übermut, Größe"},
    {"addr", "write to ann.lee@example.org or https://docs.example.org/a/b?q=1#x, "
             "192.168.0.12:8080 or fe80::1"},
    {"camel", "call getUserById or HTTPServerError in XMLParser, parseURL2, iPhone15"},
    {"cat1", "the cat sat"},
    {"cat2", "concatenate the strings"},
    {"cyr", "Ёлка и ёжик, Москва"},
    {"emoji", "party 🎉🎉 done 👍🏽"},
    {"flags", "git --no-pager log -n5 --since=2.weeks"},
    {"full", "ＡＢＣ　１２３ ｆｕｌｌ"},
    {"greek", "Οδυσσέας"},
    {"ja1", "ディスクがいっぱいです。バックアップに失敗しました。"},
    {"ja2", "ﾃﾞｨｽｸ を確認"},
    {"ja3", "東京都に住んでいます"},
    {"ko1", "디스크가 가득 찼습니다"},
    {"ko2", "한국어 데이터베이스 백업"},
    {"lig", "oﬀice eﬃcient ﬁle ﬂow"},
    {"net1", "C++ and C# and .NET 8"},
    {"net2", "C is old"},
    {"path", "/usr/local/bin/convkeep and ./build/tests/unit, C:\\Users\\ann\\notes.txt"},
    {"snake", "the function get_user_by_id(user_id) in user_store.py, MAX_SIZE"},
    {"thai", "ภาษาไทย"},
    {"ver", "SQLite 3.40.1, v1.2.3-rc.4, Python 3.11, 2026-11-22, 1,234.5"},
    {"zh1", "磁盘已满，备份失败了。"},
    {"zh2", "我用Python写脚本，读取磁盘数据"},
    {"zh3", "中国人民银行发布公告"},
    {"zh4", "人民币汇率1:7"},
    {"zh5", "資料庫備份失敗"}};
#define TEXTS (sizeof texts / sizeof *texts)

/* The ids that both find, that only the search finds, that only LIKE finds; ascending. */
static const struct {
  const char *query, *both, *search, *like;
} golden[] = {
    /* Chinese: any piece of what is written together */
    {"磁盘", "zh1 zh2", "", ""},
    {"磁", "zh1 zh2", "", ""},
    {"盘", "zh1 zh2", "", ""},
    {"已满", "zh1", "", ""},
    {"磁盘已满", "zh1", "", ""},
    {"盘已", "zh1", "", ""},
    {"备份失败", "zh1", "", ""},
    {"了", "zh1", "", ""},
    {"满，备", "zh1", "", ""},
    {"中国", "zh3", "", ""},
    {"国人民", "zh3", "", ""},
    {"人民", "zh3 zh4", "", ""},
    {"民", "zh3 zh4", "", ""},
    {"告", "zh3", "", ""},
    {"民币", "zh4", "", ""},
    {"人民币汇率1", "zh4", "", ""},
    {"資料庫", "zh5", "", ""},
    {"敗", "ja1 zh5", "", ""},
    {"失敗", "ja1 zh5", "", ""},
    {"python", "ver zh2", "", ""},
    {"用Python", "zh2", "", ""},
    {"Python写", "zh2", "", ""},
    {"用python写脚本", "zh2", "", ""},
    {"数据库", "", "", ""},
    /* Japanese */
    {"ディスク", "ja1", "ja2", ""},
    {"スク", "ja1", "ja2", ""},
    {"ク", "ja1", "ja2", ""},
    {"ﾃﾞｨｽｸ", "ja2", "ja1", ""},
    {"バックアップ", "ja1", "", ""},
    {"いっぱい", "ja1", "", ""},
    {"に", "ja1 ja3", "", ""},
    {"東京", "ja3", "", ""},
    {"京都", "ja3", "", ""},
    {"都に住", "ja3", "", ""},
    {"確認", "ja2", "", ""},
    /* Korean */
    {"디스크", "ko1", "", ""},
    {"득", "ko1", "", ""},
    {"\"가득 찼\"", "ko1", "", ""},
    {"한국", "ko2", "", ""},
    {"국어", "ko2", "", ""},
    {"베이스", "ko2", "", ""},
    {"백업", "ko2", "", ""},
    /* Thai, emoji */
    {"ภาษา", "thai", "", ""},
    {"ไทย", "thai", "", ""},
    {"🎉", "emoji", "", ""},
    {"🎉🎉", "emoji", "", ""},
    {"👍", "emoji", "", ""},
    /* accents, case, width, ligatures */
    {"résumé", "acc1", "acc2 acc3", ""},
    {"resume", "acc2", "acc1 acc3", ""},
    {"RESUME", "acc2", "acc1 acc3", ""},
    {"re\xCC\x81sume\xCC\x81", "acc3", "acc1 acc2", ""},
    {"CRÈME", "", "acc1", ""},
    {"deja", "", "acc1", ""},
    {"naive", "", "acc3", ""},
    {"Ubermut", "", "acc3", ""},
    {"größe", "acc3", "", ""},
    {"Ёлка", "cyr", "", ""},
    {"ёлка", "", "cyr", ""},
    {"МОСКВА", "", "cyr", ""},
    {"ΟΔΥΣΣΈΑΣ", "", "greek", ""},
    {"ＡＢＣ", "full", "", ""},
    {"abc", "", "full", ""},
    {"123", "", "full", ""},
    {"full", "", "full", ""},
    {"office", "", "lig", ""},
    {"oﬀice", "lig", "", ""},
    {"efficient", "", "lig", ""},
    {"file", "", "lig", ""},
    {"flow", "", "lig", ""},
    /* words */
    {"cat", "cat1", "", "cat2"},
    {"concat*", "cat2", "", ""},
    {"strings", "cat2", "", ""},
    {"string", "", "", "cat2"},
    {"\"the cat\"", "cat1", "", ""},
    {"\"cat the\"", "", "", ""},
    /* snake_case */
    {"get_user_by_id", "snake", "camel", ""},
    {"user_id", "snake", "", ""},
    {"user_by", "snake", "camel", ""},
    {"user_store.py", "snake", "", ""},
    {"store", "snake", "", ""},
    {"max_size", "snake", "", ""},
    {"SIZE", "snake", "", ""},
    {"user", "camel snake", "", "path"},
    /* camelCase */
    {"getUserById", "camel", "snake", ""},
    {"getuserbyid", "camel", "", ""},
    {"UserById", "camel", "snake", ""},
    {"userbyid", "camel", "", ""},
    {"userby", "", "", "camel"},
    {"get", "camel snake", "", ""},
    {"server", "camel", "", ""},
    {"HTTPServerError", "camel", "", ""},
    {"HTTPServer", "camel", "", ""},
    {"servererror", "camel", "", ""},
    {"http", "camel", "", "addr"},
    {"XMLParser", "camel", "", ""},
    {"parser", "camel", "", ""},
    {"parseURL", "camel", "", ""},
    {"parseurl2", "camel", "", ""},
    {"iphone15", "camel", "", ""},
    {"\"getuserbyid or httpservererror in\"", "camel", "", ""},
    {"\"byid or\"", "camel", "", ""},
    {"\"call getuserbyid or\"", "camel", "", ""},
    {"\"parseurl2, iphone15\"", "camel", "", ""},
    {"\"getuserbyid httpservererror\"", "", "", ""},
    {"phone", "camel", "", ""},
    /* paths */
    {"/usr/local/bin/convkeep", "path", "", ""},
    {"local/bin", "path", "", ""},
    {"usr", "path", "", ""},
    {"convkeep", "path", "", ""},
    {"./build/tests/unit", "path", "", ""},
    {"tests/unit", "path", "", ""},
    {"C:\\Users\\ann", "path", "", ""},
    {"notes.txt", "path", "", ""},
    {"ann", "addr path", "", ""},
    /* flags */
    {"--no-pager", "flags", "", ""},
    {"no-pager", "flags", "", ""},
    {"pager", "flags", "", ""},
    {"\"-n5\"", "flags", "", ""},
    {"--since=2.weeks", "flags", "", ""},
    {"since", "flags", "", ""},
    /* versions, numbers, dates */
    {"3.40.1", "ver", "", ""},
    {"3.40", "ver", "", ""},
    {"40.1", "ver", "", ""},
    {"3.4", "", "", "ver"},
    {"1.2.3", "ver", "", ""},
    {"v1.2.3-rc.4", "ver", "", ""},
    {"rc.4", "ver", "", ""},
    {"3.11", "ver", "", ""},
    {"2026-11-22", "ver", "", ""},
    {"2026-11", "ver", "", ""},
    {"1,234.5", "ver", "", ""},
    /* addresses */
    {"ann.lee@example.org", "addr", "", ""},
    {"lee@example", "addr", "", ""},
    {"example.org", "addr", "", ""},
    {"docs.example.org", "addr", "", ""},
    {"https://docs.example.org/a/b?q=1#x", "addr", "", ""},
    {"192.168.0.12", "addr", "", ""},
    {"192.168.0.12:8080", "addr", "", ""},
    {"168.0", "addr", "", ""},
    {"fe80::1", "addr", "", ""},
    /* signs */
    {"C++", "net1", "net2 path", ""},
    {"C#", "net1", "net2 path", ""},
    {".NET", "net1", "", ""}};

/* What the query asks LIKE for: without its quotation marks and star; %, _ and \ are letters. */
static void pattern(struct ck_buf *b, const char *query) {
  ck_buf_text(b, "%");
  for (const char *p = query; *p; p++) {
    if (*p == '"' || *p == '*') continue;
    if (strchr("%_\\", *p)) ck_buf_text(b, "\\");
    ck_buf_add(b, p, 1);
  }
  ck_buf_text(b, "%");
}

static bool in_list(const char *list, const char *id) {
  size_t n = strlen(id);
  for (const char *p = list; (p = strstr(p, id)); p += n)
    if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0')) return true;
  return false;
}

/* Those of all texts that are in one of the lists. */
static void join(struct ck_buf *b, const char *one, const char *other) {
  for (size_t i = 0; i < TEXTS; i++)
    if (in_list(one, texts[i][0]) || in_list(other, texts[i][0]))
      ck_buf_printf(b, "%s%s", b->len ? " " : "", texts[i][0]);
}

static void like(struct ck_buf *b, const char *query) {
  struct ck_buf sql = {0}, like = {0};
  pattern(&like, query);
  ck_buf_printf(&sql,
                "SELECT group_concat(id, ' ') AS ids FROM (SELECT id FROM messages"
                " WHERE raw_text LIKE '%s' ESCAPE '\\' ORDER BY id)",
                ck_buf_cstr(&like));
  json_t *rows = t_sql("artifact.db", ck_buf_cstr(&sql));
  const char *ids = t_text_at(rows, "0.ids");
  ck_buf_text(b, ids ? ids : "");
  json_decref(rows);
  ck_buf_free(&like);
  ck_buf_free(&sql);
}

static int differs(const char *what, const char *query, struct ck_buf *want, const char *got) {
  bool same = strcmp(ck_buf_cstr(want), got) == 0;
  if (!same) t_note("%s %s finds \"%s\", not \"%s\"", what, query, got, ck_buf_cstr(want));
  ck_buf_free(want);
  return !same;
}

/* A text that is found has the found words marked. */
static int unmarked(const char *query, json_t *answer) {
  size_t i;
  json_t *hit;
  int bad = 0;
  json_array_foreach(t_at(answer, "hits"), i, hit) {
    if (json_array_size(t_at(hit, "ranges"))) continue;
    t_note("%s is not marked in %s", query, t_text_at(hit, "snippet"));
    bad++;
  }
  return bad;
}

static int compare(size_t i) {
  struct ck_buf found = {0}, liked = {0}, got = {0};
  const char *query = golden[i].query;
  join(&found, golden[i].both, golden[i].search);
  join(&liked, golden[i].both, golden[i].like);
  json_t *answer = t_search(.query = ck_str_of(query));
  int bad = unmarked(query, answer);
  char *ids = ids_of(answer, true);
  bad += differs("search", query, &found, ids);
  like(&got, query);
  bad += differs("LIKE", query, &liked, ck_buf_cstr(&got));
  ck_buf_free(&got);
  free(ids);
  return bad;
}

T_STORY(search_recall, finds_what_like_finds, 120) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  for (size_t i = 0; i < TEXTS; i++) say(p, 'n', "c", texts[i][0], "user", texts[i][1], (int)i, "");
  int bad = 0;
  for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) bad += compare(i);
  T_CHECK(bad == 0, "%d differences", bad);
}
