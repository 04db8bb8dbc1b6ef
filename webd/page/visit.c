/* When this browser was here before: in a cookie, which says nothing else. Requests within half an
 * hour of each other are one visit. */
#include "webd/page/timeline.h"

#include <inttypes.h>
#include <stdio.h>

#define VISIT_MS (30 * 60 * 1000)
#define KEPT_SECONDS (365 * 86400)

static void read_cookie(const struct web_request *r, const char *name, int64_t *before,
                        int64_t *last) {
  const char *all = web_header(r, "Cookie");
  size_t n = strlen(name);
  *before = *last = 0;
  while (all && *all) {
    all += strspn(all, "; ");
    if (strncmp(all, name, n) == 0 && all[n] == '=' &&
        sscanf(all + n + 1, "%" SCNd64 "-%" SCNd64, before, last) != 2)
      *before = *last = 0;
    all += strcspn(all, ";");
  }
}

int64_t page_visit(struct web_request *r, int64_t now) {
  char name[WEB_COOKIE_NAME + 8], session[WEB_COOKIE_NAME], line[200];
  int64_t before, last;
  web_session_cookie(r, session);
  snprintf(name, sizeof name, "%s-seen", session);
  read_cookie(r, name, &before, &last);
  if (last < 0 || last > now) last = before = 0;
  if (now - last > VISIT_MS) before = last;
  snprintf(line, sizeof line,
           "%s=%" PRId64 "-%" PRId64 "; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", name,
           before, now, KEPT_SECONDS, strncmp(name, "__Host-", 7) == 0 ? "; Secure" : "");
  web_answer_header(r, "Set-Cookie", line);
  return before;
}
