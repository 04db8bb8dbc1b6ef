/* See damage_line.h. */
#include "cli/damage_line.h"

#include "cli/out.h"
#include "cli/rows.h"

static int64_t pages(const json_t *info) { return cli_member_int(info, "damaged", 0); }

bool cli_is_damaged(const json_t *info) { return pages(info) || *cli_member(info, "alarm"); }

void cli_damage_line(struct cli_table *t, const json_t *info) {
  struct ck_buf text = {0};
  const char *alarm = cli_member(info, "alarm");
  if (*alarm) {
    ck_buf_printf(&text, "artifact.db was put back or cut short: %s; treated as a restored backup",
                  alarm);
    cli_line(t, "alarm", CLI_RED, &text);
  }
  ck_buf_clear(&text);
  if (pages(info)) {
    ck_buf_printf(&text,
                  "artifact.db: %lld %s not as written, and nothing is made of what is there; "
                  "convkeep doctor says what to do",
                  (long long)pages(info), ck_noun((uint64_t)pages(info), "page is", "pages are"));
    cli_line(t, "damage", CLI_RED, &text);
  }
  ck_buf_free(&text);
}
