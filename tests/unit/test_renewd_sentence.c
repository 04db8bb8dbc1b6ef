/* Questions at the end of an answer. */
#include <criterion/criterion.h>

#include "renewd/core/sentence.h"

#define OK "continue, go on, proceed, 继续"

static bool asks(const char *text) { return renew_is_question(ck_str_of(text), ck_str_of(OK)); }

Test(renewd_sentence, last_sentences) {
  static const char *const questions[] = {"Which one do you want?",
                                          "All is done. Shall I delete the folder?\n",
                                          "你要删除它吗？",
                                          "**Shall I delete it?**",
                                          "\"Shall I delete it?\"",
                                          "(Is that what you mean?)",
                                          "Is that right? 😊",
                                          "Really?!?",
                                          "هل تريد حذفه؟",
                                          "`rm -rf /`?",
                                          "?",
                                          "Which one?\n\n1. This one.\n2. That one.\n",
                                          "Which one?\n- this\n- that",
                                          "Which of these?\na) x y\nb) z\n"};
  static const char *const others[] = {"",
                                       "Done.",
                                       "Why? Because it was full.",
                                       "Is it full?\nIt is not",
                                       "```\nx ? y : z\n```",
                                       "So:\n```sql\nSELECT a WHERE b = ?\n```\n",
                                       "See https://example.org/?q=1",
                                       "1. Done.\n2. Done, too.",
                                       "? no"};
  for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
    cr_expect(asks(questions[i]), "no question: %s", questions[i]);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    cr_expect_not(asks(others[i]), "a question: %s", others[i]);
}

Test(renewd_sentence, what_a_follow_up_answers) {
  cr_expect_not(asks("Shall I continue?"));
  cr_expect_not(asks("Do you want me to GO ON?"));
  cr_expect_not(asks("要继续吗？"));
  cr_expect(asks("I can continue. But shall I delete the folder?"), "the other sentence has it");
  cr_expect(renew_is_question(CK_LIT("Shall I continue?"), CK_LIT("")));
  cr_expect(renew_is_question(CK_LIT("Shall I continue?"), CK_LIT(" , ,")));
}

/* Any bytes. */
Test(renewd_sentence, bytes) {
  char bytes[4];
  for (int i = 0; i < 65536; i++) {
    memcpy(bytes, (char[]){(char)i, (char)(i >> 8), '?', (char)i}, 4);
    renew_is_question((struct ck_str){bytes, 4}, CK_LIT("x"));
    renew_is_question((struct ck_str){bytes, 3}, CK_LIT("x"));
  }
}
