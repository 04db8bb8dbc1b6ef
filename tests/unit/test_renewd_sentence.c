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
                                          "Which of these?\na) x y\nb) z\n",
                                          "Which one?\n- this,\n  or so\n- that\n\n  so",
                                          "Should I delete the database? (y/n)",
                                          "Delete all? [Y/n]",
                                          "Delete all [y/N]: ",
                                          "Delete all? Y/N",
                                          "Delete all (yes/no)",
                                          "Should I delete it? Yes or no.",
                                          "Soll ich alles löschen (Ja/Nein)",
                                          "消してもいいですか。",
                                          "消してもいいですか",
                                          "可以删除吗。",
                                          "Να συνεχίσω;",
                                          "Να συνεχίσω\u037e",
                                          "Is it ok? <br>",
                                          "<p>Is it ok?</p><!-- end -->\n",
                                          "Which?\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
                                          "Which?\n\na | b\n--|--\n1 | 2\n",
                                          "Should I run it?\n```sh\nrm -rf x\n```\n",
                                          "Should I run it?\n~~~\n```\n~~~\n- or that",
                                          "Is it `Vec<T>`?"};
  static const char *const others[] = {"",
                                       "Done.",
                                       "Why? Because it was full.",
                                       "Is it full?\nIt is not",
                                       "```\nx ? y : z\n```",
                                       "So:\n```sql\nSELECT a WHERE b = ?\n```\n",
                                       "See https://example.org/?q=1",
                                       "1. Done.\n2. Done, too.",
                                       "? no",
                                       "Is it so? It is my/n",
                                       "これは確かです。",
                                       "int a;",
                                       "Look. <br>",
                                       "Why?\nThat is a | b",
                                       "Why? So:\n| a? | b |\n|---|---|\n| 1? | 2 |",
                                       "Is it?\nNo:\n```\nx?\n```",
                                       "```\nx?"
                                       "\n```\n```\ny?\n```"};
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
  cr_expect(asks("I can continue (see there.) Shall I delete the folder?"));
  cr_expect_not(asks("Shall I continue with main.c?"), "a point in a name ends no sentence");
  cr_expect_not(asks("I see. Shall I continue with version 3.5?"));
  cr_expect_not(asks("Shall I continue? [Y/n]"));
  cr_expect_not(asks("Shall I continue?\n```\nmake\n```"));
  cr_expect(asks("Shall I discontinue it?"), "another word");
  cr_expect(renew_is_question(CK_LIT("Shall I continue?"), CK_LIT("")));
  cr_expect(renew_is_question(CK_LIT("Shall I continue?"), CK_LIT(" , ,")));
}

Test(renewd_sentence, what_asks_for_more_than_yes_or_no) {
  static const char *const open[] = {"How would you like me to proceed?",
                                     "Which of these should I go on with?",
                                     "Continue, or should I stop and delete the data?",
                                     "So: what's left before I continue?",
                                     "Before I continue, WHERE is the file?",
                                     "我应该如何继续？",
                                     "要继续还是删除？",
                                     "Как мне continue?",
                                     "Quand dois-je continuer ?",
                                     "Continue? Or proceed “how”? (y/n)"};
  for (size_t i = 0; i < sizeof open / sizeof *open; i++)
    cr_expect(asks(open[i]), "answered: %s", open[i]);
  cr_expect_not(asks("Shall I continue with the workflow, however short?"), "in other words");
}

/* Any bytes. */
Test(renewd_sentence, bytes) {
  char bytes[4];
  for (int i = 0; i < 65536; i++) {
    memcpy(bytes, (char[]){(char)i, (char)(i >> 8), '?', (char)i}, 4);
    renew_is_question((struct ck_str){bytes, 4}, CK_LIT("x"));
    renew_is_question((struct ck_str){bytes, 3}, CK_LIT("x"));
    renew_is_question((struct ck_str){bytes, 2}, CK_LIT("x"));
  }
}
