/* Completions for bash, zsh and fish. The scripts only ask `convkeep complete -- WORDS…`; what may
 * come next is known in complete.c alone. Declared in manual.h. */
#include "cli/manual.h"

#include <stdio.h>
#include <string.h>

/* bash parts words at ':' and '=' too, so the words are taken with bash-completion's
 * _get_comp_words_by_ref, and what stands before them is taken off the answers again. */
static const char bash[] =
    "# bash completion for convkeep\n"
    "_convkeep() {\n"
    "    local cur words cword line value\n"
    "    COMPREPLY=()\n"
    "    _get_comp_words_by_ref -n =: cur words cword || return\n"
    "    local quote=\n"
    "    case $cur in [\\\"\\']*) quote=${cur:0:1} ;; esac\n"
    "    words[cword]=${cur#[\\\"\\']}\n"
    "    while IFS= read -r line; do\n"
    "        value=${line%%$'\\t'*}\n"
    "        case $value in\n"
    "        :files) compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$cur\")) ;;\n"
    "        :folders) compopt -o filenames; COMPREPLY+=($(compgen -d -- \"$cur\")) ;;\n"
    "        *) if [ -z \"$quote\" ]; then printf -v value %q \"$value\"; fi\n"
    "           COMPREPLY+=(\"$quote$value\") ;;\n"
    "        esac\n"
    "    done < <(convkeep complete -- \"${words[@]:1:cword}\" 2>/dev/null)\n"
    "    case ${COMPREPLY[0]-} in *=) [ ${#COMPREPLY[@]} != 1 ] || compopt -o nospace ;; esac\n"
    "    case $cur in --*=*) COMPREPLY=(\"${COMPREPLY[@]#\"${cur%%=*}=\"}\") ;; esac\n"
    "    __ltrim_colon_completions \"$cur\"\n"
    "}\n"
    "complete -F _convkeep convkeep\n";

static const char zsh[] = "#compdef convkeep\n"
                          "_convkeep() {\n"
                          "    local line value about\n"
                          "    local -a found\n"
                          "    for line in \"${(@f)$(convkeep complete -- "
                          "\"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
                          "        value=${line%%$'\\t'*} about=\n"
                          "        [[ $line == *$'\\t'* ]] && about=${line#*$'\\t'}\n"
                          "        case $value in\n"
                          "        '') ;;\n"
                          "        :files) _files ;;\n"
                          "        :folders) _files -/ ;;\n"
                          "        *) found+=(\"${value//:/\\\\:}${about:+:$about}\") ;;\n"
                          "        esac\n"
                          "    done\n"
                          "    (( ! $#found )) || _describe -V convkeep found\n"
                          "}\n"
                          "if [ \"$funcstack[1]\" = _convkeep ]; then _convkeep \"$@\"; else "
                          "compdef _convkeep convkeep; fi\n";

static const char fish[] = "# fish completion for convkeep\n"
                           "function __convkeep_complete\n"
                           "    set -l words (commandline -opc) (commandline -ct)\n"
                           "    for line in (convkeep complete -- $words[2..] 2>/dev/null)\n"
                           "        switch $line\n"
                           "            case :files\n"
                           "                __fish_complete_path $words[-1]\n"
                           "            case :folders\n"
                           "                __fish_complete_directories $words[-1]\n"
                           "            case '*'\n"
                           "                echo $line\n"
                           "        end\n"
                           "    end\n"
                           "end\n"
                           "complete -c convkeep -f -k -a '(__convkeep_complete)'\n";

int cli_completion(struct cli *c, const char *shell) {
  static const struct {
    const char *shell, *script;
  } scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; ++i)
    if (strcmp(scripts[i].shell, shell) == 0) {
      fputs(scripts[i].script, stdout);
      return CLI_DONE;
    }
  return cli_usage_error(c, shell, "no such shell; those are bash, zsh and fish");
}
