/* One write(2) a line, and quoting. */
#include "proto/log.h"

#include "proto/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static enum ck_level least_level = CK_INFO;
static char daemon_name[32] = "-";

void ck_log_setup(const char *daemon, enum ck_level least) {
  snprintf(daemon_name, sizeof daemon_name, "%s", daemon);
  least_level = least;
}

int ck_log_level_parse(const char *name, enum ck_level *level) {
  for (int i = CK_DEBUG; i <= CK_ERROR; i++)
    if (strcmp(name, level_names[i]) == 0) {
      *level = (enum ck_level)i;
      return 0;
    }
  return -1;
}

/* Some ids come from outside: a blank or line break in one must not look like further fields. */
static bool is_plain(const char *s) {
  if (!*s) return false;
  for (; *s; s++)
    if ((unsigned char)*s <= ' ' || *s == '"' || (unsigned char)*s >= 0x7F) return false;
  return true;
}

void ck_log(enum ck_level level, const char *id, const char *event, const char *fmt, ...) {
  if (level < least_level) return;
  char line[4096], when[CK_TIME_TEXT];
  ck_time_text(when, ck_now_ms());
  const char *what = id ? id : "-";
  int n = snprintf(line, sizeof line, "%s %s %s id=%s event=%s", when, level_names[level],
                   daemon_name, is_plain(what) ? what : ck_quotedz(what), event);
  size_t at = n < 0 ? 0 : (size_t)n;
  if (fmt && *fmt && at < sizeof line - 2) {
    line[at++] = ' ';
    va_list ap;
    va_start(ap, fmt);
    n = vsnprintf(line + at, sizeof line - at, fmt, ap);
    va_end(ap);
    if (n > 0) at += (size_t)n;
  }
  if (at > sizeof line - 2) at = sizeof line - 2;
  line[at++] = '\n';
  /* One write for the line, so that the lines of several processes in one file do not mix. */
  ssize_t said = write(STDERR_FILENO, line, at);
  (void)said;
}

#define QUOTED_BYTES 300

/* At most 4 characters for each byte, two quotes, the "…" of a cut, and the terminator. */
static _Thread_local char quoted[4][4 * QUOTED_BYTES + 8];
static _Thread_local unsigned quoted_next;

const char *ck_quoted(struct ck_str s) {
  char *out = quoted[quoted_next++ % 4], *p = out;
  bool cut = s.n > QUOTED_BYTES, text = ck_utf8_ok(s);
  if (cut) s = text ? ck_utf8_cut(s, QUOTED_BYTES) : (struct ck_str){s.s, QUOTED_BYTES};
  *p++ = '"';
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.s[i];
    /* U+0080 to U+009F control terminals as well. */
    bool c1 = text && ((c == 0xC2 && (unsigned char)s.s[i + 1] < 0xA0) ||
                       (c < 0xA0 && i && (unsigned char)s.s[i - 1] == 0xC2));
    if (c == '"' || c == '\\')
      p += sprintf(p, "\\%c", c);
    else if (c == '\n')
      p += sprintf(p, "\\n");
    else if (c < 0x20 || c == 0x7F || c1 || (!text && c >= 0x80))
      p += sprintf(p, "\\x%02x", c);
    else
      *p++ = (char)c;
  }
  if (cut) p += sprintf(p, "…");
  *p++ = '"';
  *p = '\0';
  return out;
}

const char *ck_quotedz(const char *s) { return ck_quoted(ck_str_of(s)); }
