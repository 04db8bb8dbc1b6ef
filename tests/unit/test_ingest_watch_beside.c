/* What Claude Code writes beside a subagent's log is followed, too: whichever comes first, the
 * subagent's conversation has the title that it says. */
#include <stdio.h>

#include "test_ingest_watch.h"

#define LOG "-x/S/subagents/agent-7.jsonl"
#define BESIDE "-x/S/subagents/agent-7.meta.json"
#define CONVERSATION "claude-code:S/agent-7"

static struct wr_rig r;

static void setup(void) {
  wr_open(&r);
  wr_start(&r);
  wr_settle(&r);
}
static void teardown(void) { wr_close(&r); }

TestSuite(watch_beside, .init = setup, .fini = teardown, .timeout = 60);

static void write_log(void) {
  wr_write(
      &r, LOG,
      CK_LIT("{\"type\":\"user\",\"uuid\":\"g\",\"parentUuid\":null,\"sessionId\":\"S\","
             "\"isSidechain\":true,\"agentId\":\"7\",\"timestamp\":\"2026-10-01T10:00:00.000Z\","
             "\"message\":{\"role\":\"user\",\"content\":\"Look for keys\"}}\n"));
}

static void is_titled(const char *title, const char *how) {
  wr_settle(&r);
  const char *is = sh_field(&r.store, CK_CONVERSATIONS, CONVERSATION, "title");
  cr_expect_str_eq(is, title, "%s: %s", how, is);
  cr_expect_eq(wr_says(&r, "unreadable"), 0);
  cr_expect_eq(wr_says(&r, "behind"), 0);
}

/* On one line or on several, with a line feed at its end or without. */
static const char *const said[] = {
    "{\"agentType\":\"Explore\",\"description\":\"Keys\",\"toolUseId\":\"t\"}",
    "{\"agentType\":\"Explore\",\"description\":\"Keys\"}\n",
    "{\n  \"agentType\": \"Explore\",\n  \"description\": \"Keys\"\n}",
    "{\n  \"agentType\": \"Explore\",\n  \"description\": \"Keys\"\n}\n"};

Test(watch_beside, before_the_log_and_after_it) {
  for (size_t i = 0; i < sizeof said / sizeof *said; ++i)
    for (int first = 0; first < 2; ++first) {
      if (first) wr_write(&r, BESIDE, ck_str_of(said[i]));
      if (first) wr_settle(&r);
      write_log();
      wr_settle(&r);
      if (!first) wr_write(&r, BESIDE, ck_str_of(said[i]));
      is_titled("Keys", said[i]);
      cr_expect_eq(sh_int(&r.store, "SELECT count(*) FROM messages"), 1);
      wr_rests(&r, "it was read");
      wr_kill(&r);
      wr_start(&r);
      wr_rests(&r, "after a restart");
      wr_again(&r);
      wr_start(&r);
      wr_settle(&r);
    }
}

/* Half of it is no error that stays. */
Test(watch_beside, it_is_written_in_two_steps) {
  struct ck_str all = ck_str_of(said[2]);
  write_log();
  wr_write(&r, BESIDE, (struct ck_str){all.s, 20});
  wr_settle(&r);
  wr_append(&r, BESIDE, (struct ck_str){all.s + 20, all.n - 20});
  is_titled("Keys", "in two steps");
}

/* Alone it says of a conversation, which has no message yet. */
Test(watch_beside, without_a_log) {
  wr_write(&r, BESIDE, ck_str_of(said[0]));
  is_titled("Keys", "alone");
}
