/* The page at /. */
#include "webd/page/page.h"

void page_timeline(void *self, struct web_request *r) {
  struct ck_buf b = {0};
  (void)self;
  page_begin(&b, "convkeep");
  ck_buf_text(&b, "<h1>convkeep</h1>\n<p>You are signed in. What there is so far: "
                  "<a href=\"/v1/status\">the state of the ring</a>, as JSON.</p>\n"
                  "<form method=\"post\" action=\"/leave\">");
  page_form_field(&b, r);
  ck_buf_text(&b, "<button>Sign out</button></form>\n");
  page_end(&b);
  web_answer(r, 200, WEB_HTML, &b);
}
