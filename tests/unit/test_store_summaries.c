/* Whoever sends a message, it has the summary that its text says, and an execution that of its
 * result; in whatever order the changesets come. */
#include "test_store_apply.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One of them is one changeset. */
struct said {
  enum ck_mutation_kind kind;
  enum ck_table table;
  int64_t age;
  const char *row;
};

#define MESSAGE "'id':'m1','platform':'p','role':'assistant','observed_at':500"
#define EXECUTION \
  "'instruction_id':'e1','message_id':'m0','target':'t','tool':'u','executed_at':500"

static const struct said first_message = {CK_OP_PUT, CK_MESSAGES, 1,
                                          "{'id':'m0','platform':'p','role':'user','raw_text':'go'"
                                          ",'observed_at':400}"};

static const struct said of_message[] = {
    {CK_OP_PUT, CK_MESSAGES, 20, "{" MESSAGE ",'raw_text':'It works'}"},
    {CK_OP_ADOPT, CK_MESSAGES, 20, "{" MESSAGE ",'raw_text':'It works','summary':'of its own'}"},
    {CK_OP_PUT, CK_MESSAGES, 10, "{" MESSAGE ",'raw_text':'It','summary':'zz','page_title':'t'}"},
    {CK_OP_COPY, CK_MESSAGES, 30, "{" MESSAGE ",'raw_text':'It works  well','summary':'It'}"},
    {CK_OP_PUT, CK_MESSAGES, 40, "{'id':'m1','summary':'newest of all'}"},
};
static const struct said edit_of_message = {CK_OP_UPDATE, CK_MESSAGES, 0,
                                            "{'id':'m1','raw_text':'\\nedited by hand'}"};
static const struct said of_execution[] = {
    {CK_OP_PUT, CK_EXECUTIONS, 10, "{" EXECUTION ",'result_data':'all  done'}"},
    {CK_OP_ADOPT, CK_EXECUTIONS, 30, "{" EXECUTION ",'result_summary':'only this'}"},
    {CK_OP_PUT, CK_EXECUTIONS, 20, "{" EXECUTION ",'result_data':'done','result_summary':'zz'}"},
    {CK_OP_PUT, CK_EXECUTIONS, 5, "{" EXECUTION ",'result_summary':'old'}"},
};

static char say(const struct said *what) {
  struct ck_buf row = {0};
  struct ck_mutation m = {.kind = what->kind};
  sh_pack(&row, what->row);
  struct ck_str table = ck_str_of(ck_tables[what->table].name), bytes = ck_buf_view(&row);
  if (what->kind == CK_OP_PUT) m.as.put = (struct ck_put){table, bytes, what->age};
  if (what->kind == CK_OP_COPY) m.as.copy = (struct ck_copy){bytes, what->age, false};
  if (what->kind == CK_OP_UPDATE) m.as.update = (struct ck_update){table, bytes};
  if (what->kind == CK_OP_ADOPT)
    m.as.adopt = (struct ck_adopt){table, bytes, what->age, CK_LIT("p"), CK_LIT("")};
  char letter = ap_mutate(m);
  ck_buf_free(&row);
  return letter;
}

/* The n-th order of `count` numbers. */
static void order_of(int n, int count, int order[]) {
  for (int i = 0; i < count; ++i) order[i] = i;
  for (int i = count; i > 1; --i, n /= i + 1) {
    int k = n % i, other = order[k];
    order[k] = order[i - 1];
    order[i - 1] = other;
  }
}

static int orders(int count) { return count < 2 ? 1 : count * orders(count - 1); }

static const char *what_is_there(enum ck_table t, const char *key, const char *const columns[]) {
  static struct ck_buf b;
  ck_buf_clear(&b);
  for (int i = 0; columns[i]; ++i)
    ck_buf_printf(&b, "%s%s", i ? " | " : "", sh_field(&s, t, key, columns[i]));
  return ck_buf_cstr(&b);
}

static void empty(void) {
  sh_close(&s);
  sh_open(&s);
  cr_assert_eq(say(&first_message), 'n', "%s", s.reason.text);
}

/* Every order of what is said makes the same row; the edit, if there is one, comes at every place
 * but the first. */
static void every_order(const struct said *all, int count, const struct said *edit,
                        const char *const columns[], const char *expected) {
  int order[8];
  const char *key = all->table == CK_MESSAGES ? "m1" : "e1";
  /* It begins hundreds of databases, and is not about durability. */
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  for (int n = 0; n < orders(count); ++n)
    for (int at = edit ? 1 : count + 1; at <= (edit ? count : count + 1); ++at) {
      bool there = false;
      empty();
      order_of(n, count, order);
      for (int i = 0; i < count; ++i) {
        bool whole = strstr(all[order[i]].row, "observed_at") || all->table != CK_MESSAGES;
        if (i == at && there) cr_assert_eq(say(edit), 'u', "%s", s.reason.text);
        cr_assert_eq(say(&all[order[i]]) == 'r', !whole && !there, "%s", s.reason.text);
        there |= whole;
      }
      if (edit) say(edit);
      cr_assert_str_eq(what_is_there(all->table, key, columns), expected,
                       "order %d, the edit at %d: %s", n, at,
                       what_is_there(all->table, key, columns));
    }
}

#define COUNT(list) (int)(sizeof(list) / sizeof *(list))

Test(apply, a_summary_is_that_of_the_text_in_every_order) {
  static const char *const columns[] = {"raw_text", "summary", "page_title", "ages", NULL};
  every_order(of_message, COUNT(of_message), NULL, columns,
              "It works  well | It works well | t | 30 page_title=10");
  every_order(of_message, COUNT(of_message), &edit_of_message, columns,
              "\nedited by hand | edited by hand | t | 30 raw_text=owner page_title=10");
}

Test(apply, a_results_summary_is_that_of_its_data_in_every_order) {
  static const char *const columns[] = {"result_data", "result_summary", NULL};
  every_order(of_execution, COUNT(of_execution), NULL, columns, "done | done");
  static const struct said clear = {CK_OP_UPDATE, CK_EXECUTIONS, 0,
                                    "{'instruction_id':'e1','result_data':null}"},
                           edit = {CK_OP_UPDATE, CK_EXECUTIONS, 0,
                                   "{'instruction_id':'e1','result_data':'by  hand'}"};
  every_order(of_execution, COUNT(of_execution), &edit, columns, "by  hand | by hand");
  cr_expect_eq(say(&clear), 'u', "%s", s.reason.text);
  sh_is(&s, CK_EXECUTIONS, "e1", "result_summary", "NULL");
}

Test(apply, a_result_that_nobody_gave_has_the_summary_that_is_said) {
  static const char *const columns[] = {"result_data", "result_summary", NULL};
  static const struct said only[] = {
      {CK_OP_PUT, CK_EXECUTIONS, 5, "{" EXECUTION ",'result_summary':'old'}"},
      {CK_OP_ADOPT, CK_EXECUTIONS, 30, "{" EXECUTION ",'result_summary':'only this'}"},
      {CK_OP_PUT, CK_EXECUTIONS, 20, "{" EXECUTION "}"}};
  every_order(only, COUNT(only), NULL, columns, "NULL | only this");
}

Test(apply, nobody_sets_a_summary_by_hand) {
  empty();
  static const struct said own = {CK_OP_UPDATE, CK_MESSAGES, 0, "{'id':'m0','summary':'s'}"};
  cr_expect_eq(say(&own), 'r');
  cr_expect(strstr(s.reason.text, "messages.summary: cannot be changed (id m0)"), "%s",
            s.reason.text);
}
