/* What a daemon reports must not spoil the answer that shows all of them. */
#include <criterion/criterion.h>

#include "proto/map.h"
#include "proto/pack.h"
#include "store/read/reports.h"

struct seen {
  unsigned reports;
  size_t bytes; /* of the info of the last one */
};

static void see(void *self, const struct report_view *v) {
  struct seen *s = self;
  ++s->reports;
  s->bytes = v->info.n;
}

/* How many bytes of the info are shown. */
static size_t shown(struct ck_str info) {
  struct reports *r = reports_new();
  const struct ck_report report = {
      .name = CK_LIT("ingest"), .id = CK_LIT("i"), .host = CK_LIT("h"), .info = info};
  struct seen s = {0};
  reports_take(r, &report);
  reports_each(r, see, &s);
  cr_expect_eq(s.reports, 1u);
  reports_free(&r);
  return s.bytes;
}

static void says(struct ck_buf *b, struct ck_str error) {
  struct ck_map m = ck_map_open(b);
  ck_pair_str(&m, "last_error", error);
  ck_map_close(&m);
}

Test(reports, info_that_json_cannot_show_is_left_out) {
  struct ck_buf b = {0};
  says(&b, CK_LIT("caf\xc3\xa9"));
  cr_expect_eq(shown(ck_buf_view(&b)), b.len);
  ck_buf_clear(&b);
  says(&b, CK_LIT("caf\xc3"));
  cr_expect_eq(shown(ck_buf_view(&b)), 0u);
  ck_buf_clear(&b);
  for (int i = 1; i < CK_DEPTH_MAX; ++i) ck_put_array(&b, 1);
  ck_put_array(&b, 0);
  cr_expect_eq(shown(ck_buf_view(&b)), 0u);
  cr_expect_eq(shown((struct ck_str){0}), 0u);
  ck_buf_free(&b);
}

/* renewd names the jobs that it holds up, in 250,000 bytes and a bit. */
Test(reports, long_lists_are_taken) {
  struct ck_buf b = {0}, text = {0};
  while (text.len < 300000) ck_buf_text(&text, "job ");
  says(&b, ck_buf_view(&text));
  cr_expect_eq(shown(ck_buf_view(&b)), b.len);
  ck_buf_free(&b);
  ck_buf_free(&text);
}
