/* See name.h. */
#include "cli/import/name.h"

#include <string.h>

#include "proto/text.h"

/* Code page 437 from 128 on. */
static const char upper_half[] =
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

static size_t width(const char *s) {
  size_t n = 1;
  while (((unsigned char)s[n] & 0xc0) == 0x80) ++n;
  return n;
}

static void put(struct ck_buf *b, unsigned char byte) {
  const char *at = upper_half;
  if (byte < 128) {
    ck_buf_add(b, (const char[]){(char)byte}, 1);
    return;
  }
  for (unsigned i = 128; i < byte; ++i) at += width(at);
  ck_buf_add(b, at, width(at));
}

char *cli_name_text(const char *name) {
  struct ck_buf b = {0};
  if (ck_utf8_ok(ck_str_of(name))) return ck_strdup(name);
  for (; *name; ++name) put(&b, (unsigned char)*name);
  char *text = ck_strdup(ck_buf_cstr(&b));
  ck_buf_free(&b);
  return text;
}

const char *cli_name_own(const char *name) {
  const char *at = name;
  for (const char *p = name; *p; ++p) {
    if (*p == '/' || *p == '\\') at = p + 1;
    if (p[0] == ':' && p[1] == ' ') at = p + 2;
  }
  return at;
}

/* The names of folders and files in a data folder. */
bool cli_name_is_ours(const char *name) {
  static const char *const places[] = {
      "artifacts/conversations/", "artifacts/msg/", "artifacts/exec/",
      "artifacts/session/",       "logs/renewal/",  "spool/refused.jsonl",
      "spool/unknown.jsonl"};
  for (size_t i = 0; i < sizeof places / sizeof *places; ++i)
    for (const char *at = name; (at = strstr(at, places[i])); ++at)
      if (at == name || at[-1] == '/' || at[-1] == ' ') return true;
  return false;
}
