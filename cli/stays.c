/* See stays.h. */
#include "cli/stays.h"

#include "cli/out.h"
#include "proto/check.h"
#include "proto/clock.h"
#include "proto/renewal.h"

/* The command that helps; NULL: nothing keeps it. Otherwise err says why. */
static const char *found(const struct ck_renewal *r, int read, int64_t now, struct ck_err *err) {
  if (read) return "convkeep set CONVERSATION --until none leaves out what cannot be read";
  if (r->until && r->until <= now) {
    ck_fail(err, "the time has come until which it was to go on");
    return "convkeep set CONVERSATION --until TIME moves it, --until none takes it away";
  }
  if (r->quiet && *r->quiet && ck_check_quiet(ck_str_of(r->quiet), err)) {
    ck_fail_in(err, "its quiet hours");
    return "convkeep set CONVERSATION --quiet HOURS sets others, --quiet default takes them away";
  }
  return NULL;
}

bool cli_stays_stopped(const json_t *row, int64_t now, struct ck_buf *why, struct ck_buf *help) {
  struct ck_renewal r;
  struct ck_err err;
  int read = ck_renewal_read(&r, ck_str_of(cli_member(row, "renewal")), &err);
  const char *command = found(&r, read, now, &err);
  ck_renewal_free(&r);
  if (command && why) ck_buf_text(why, err.text);
  if (command && help) ck_buf_text(help, command);
  return command != NULL;
}

void cli_warn_stopped(const struct cli *c, const json_t *row) {
  struct ck_buf why = {0}, help = {0};
  if (cli_stays_stopped(row, ck_now_ms(), &why, &help))
    cli_warn(c, cli_member(row, "local_conversation_id"),
             "its automatic follow-ups are stopped: %s; %s", ck_buf_cstr(&why), ck_buf_cstr(&help));
  ck_buf_free(&why);
  ck_buf_free(&help);
}
