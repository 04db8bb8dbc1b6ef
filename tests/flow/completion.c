/* What a shell offers while a command is being typed: the program's answer, and the same through
 * bash, zsh and fish themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/harness/base.h"
#include "tests/harness/ring.h"

static void two_conversations(void) {
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': 'tank', 'message_id': 'm1', 'role': 'user',"
                 " 'text': 'a', 'page_title': 'Fish tank'}\n"
                 "{'platform': 'y', 'conversation_id': 'tea', 'message_id': 'm2', 'role': 'user',"
                 " 'text': 'b', 'page_title': 'Green \\u202e\\u001b[2Jtea'}\n");
}

/* The lines are exactly these, "a|b|c", descriptions aside. */
static void check_lines(struct t_result *r, const char *lines) {
  char said[65536] = "";
  T_CHECK(r->code == 0 && !*r->err, "%d: %s", r->code, r->err);
  for (char *p = r->out; *p;) {
    size_t n = strcspn(p, "\n"), shown = strcspn(p, "\t\n");
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s%.*s", *said ? "|" : "",
             (int)shown, p);
    p += n + (p[n] == '\n');
  }
  T_CHECK(strcmp(said, lines) == 0, "offered is %s, not %s", said, lines);
  t_result_free(r);
}

static void offers(const char *lines, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  check_lines(&r, lines);
}
/* Of the words, the last one is being typed. */
#define t_offers(lines, ...) \
  offers(lines, (const char *const[]){"complete", "--", __VA_ARGS__, NULL})

T_STORY(completion, what_may_come_next, 60) {
  t_offers("list", "li");
  t_offers("manual|auto|paused", "set", "x", "--automation", "");
  t_offers("--automation=paused", "set", "x", "--automation=p");
  t_offers("--conversation-id", "list", "messages", "--conv");
  t_offers("messages", "list", "mess");
  t_offers("retry|cancel|snooze|why|report", "jobs", "");
  t_offers("renew.quiet=", "up", "--set", "renew.qui");
  t_offers(":folders", "--data", "");
  t_offers(":files", "import", "");
  t_offers("", "no-such-command", "");
  t_offers("", "read", "--", "--j");
}

T_STORY(completion, titles_and_ids, 60) {
  two_conversations();
  t_offers("Fish tank", "read", "fi");
  t_offers("x:tank", "read", "x:");
  /* A title that a terminal would obey is never put on a command line. */
  t_offers("y:tea", "read", "y");
  t_offers("", "read", "Green");
  t_offers("Fish tank", "set", "--automation", "auto", "Fish");
  t_offers("m1", "show", "m1");
  t_up();
  t_offers("Fish tank", "list", "messages", "--conversation-id", "F");
  t_offers("x|x:tank", "pause", "x");
}

T_STORY(completion, says_nothing_where_there_is_nothing, 60) {
  t_offers("", "read", "");
  struct t_result r = t_convkeep("complete", "--", "--data", "/nowhere/at/all", "read", "");
  check_lines(&r, "");
}

/* ---- in the shells ---- */

/* Runs a script with `convkeep` on the PATH and the test's data folder. */
static void in_shell(const char *lines, const char *const shell[], const char *script) {
  char path[4096], data[1024];
  const char *argv[12] = {"/usr/bin/env", path, data};
  int n = 3;
  snprintf(path, sizeof path, "PATH=%s/bin:%s", t_build(), getenv("PATH"));
  snprintf(data, sizeof data, "CONVKEEP_DATA=%s/data", t_folder());
  for (int i = 0; shell[i]; ++i) argv[n++] = shell[i];
  argv[n] = script;
  struct t_result r = t_run(shell[0], NULL, 30000, argv);
  check_lines(&r, lines);
}

#define BASH \
  "source /usr/share/bash-completion/bash_completion\n" \
  "source <(convkeep completion bash)\n" \
  "try() { COMP_LINE=$1 COMP_POINT=${#1}; shift; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))\n" \
  "    _convkeep; printf '%s\\n' \"${COMPREPLY[@]}\"; }\n"

T_STORY(completion, in_bash, 60) {
  static const char *const bash[] = {"bash", "--norc", "-c", NULL};
  two_conversations();
  in_shell("status", bash, BASH "try 'convkeep stat' convkeep stat");
  in_shell("Fish\\ tank", bash, BASH "try 'convkeep read F' convkeep read F");
  in_shell("\"Fish tank", bash, BASH "try 'convkeep read \"F' convkeep read '\"F'");
  /* bash itself keeps what stands before ':' and '='. */
  in_shell("tank", bash, BASH "try 'convkeep read x:' convkeep read x :");
  in_shell("auto", bash, BASH "try 'convkeep set --automation=a' convkeep set --automation = a");
}

T_STORY(completion, in_fish, 60) {
  static const char *const fish[] = {"fish", "--no-config", "-c", NULL};
  two_conversations();
  in_shell("status", fish, "source (convkeep completion fish | psub)\ncomplete -C 'convkeep stat'");
  in_shell("Fish tank", fish,
           "source (convkeep completion fish | psub)\ncomplete -C 'convkeep read F'");
  in_shell("--automation=auto", fish,
           "source (convkeep completion fish | psub)\ncomplete -C 'convkeep set --automation=a'");
}

/* zsh completes only at a terminal. */
T_STORY(completion, in_zsh, 60) {
  static const char *const zsh[] = {"zsh", "-f", "-c", NULL};
  two_conversations();
  in_shell("done", zsh,
           "zmodload zsh/zpty; zpty z zsh -f -i\n"
           "zpty -w z 'PS1= ; autoload -U compinit; compinit -D -u; "
           "source <(convkeep completion zsh); bindkey \"^I\" complete-word; print READ\"\"Y'\n"
           "zpty -r -m z out '*READY*'; zpty -w -n z $'convkeep read F\\t'\n"
           "zpty -r -m z out '*Fish*tank*' && print done; zpty -d z");
}
