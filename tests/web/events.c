/* GET /v1/events: every change once and in order, for a reader that comes back with any version,
 * whatever was killed meanwhile; another store is told; who does not read costs little. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"
#include "tests/web/stream.h"

static const char *token;

static void begin(void) {
  t_up();
  token = t_token("reader", "read");
}

/* Messages N to N + n - 1 of a conversation. */
static void say(int from, int n) {
  struct ck_buf lines = {0};
  for (int i = from; i < from + n; ++i)
    ck_buf_printf(&lines,
                  "{'platform': 'x', 'conversation_id': 'c', 'message_id': 'm-%d', 'role': 'user', "
                  "'text': 'said \\n %d', 'observed_at': %d}\n",
                  i, i, 1000 + i);
  t_import_lines(0, "%s", ck_buf_cstr(&lines));
  ck_buf_free(&lines);
}

static uint64_t head(void) { return (uint64_t)t_status_int("version", 0); }

/* Reads changes up to this version; each is above the last one. Adds their versions to the list;
 * the caller decrefs. */
static json_t *read_up_to(struct t_stream *s, uint64_t after, uint64_t version) {
  json_t *list = json_array();
  for (uint64_t at = after; at < version;) {
    const struct t_event *e = t_stream_must(s, "change");
    T_CHECK(e->version > at, "version %llu comes after %llu", (unsigned long long)e->version,
            (unsigned long long)at);
    T_CHECK((uint64_t)t_int_at(e->data, "version", 0) == e->version, "the id is %s, the version %s",
            e->id, json_dumps(e->data, 0));
    at = e->version;
    json_array_append_new(list, json_integer((json_int_t)at));
  }
  return list;
}

static void nothing_comes(struct t_stream *s) {
  const struct t_event *e = t_stream_next(s, 300);
  T_CHECK(!e && !t_stream_ended(s), "there is something more: %s", e ? e->id : "the end");
}

T_STORY(web_events, from_the_beginning_and_on, 60) {
  char text[80] = "";
  begin();
  say(0, 50);
  uint64_t upto = head();
  struct t_stream *all = t_stream("/v1/events?after=0", token, NULL),
                  *now = t_stream("/v1/events", token, NULL);
  t_stream_must(all, "store");
  T_CHECK(t_stream_must(now, "store")->version == upto, "from now on is not after %llu",
          (unsigned long long)upto);
  json_decref(read_up_to(all, 0, upto));
  nothing_comes(all);
  nothing_comes(now);
  say(50, 1);
  for (bool seen = false; !seen;) {
    const struct t_event *e = t_stream_must(now, "change");
    seen = strcmp(t_text_at(e->data, "table"), "messages") == 0;
    if (seen) snprintf(text, sizeof text, "%s", t_text_at(e->data, "record.raw_text"));
  }
  T_CHECK(strcmp(text, "said \n 50") == 0, "the message is: %s", text);
  json_decref(read_up_to(all, upto, head()));
  t_stream_close(&all);
  t_stream_close(&now);
}

T_STORY(web_events, one_table, 60) {
  begin();
  say(0, 20);
  struct t_stream *s = t_stream("/v1/events?after=0&tables=messages", token, NULL);
  t_stream_must(s, "store");
  for (int i = 0; i < 20; ++i)
    T_CHECK(strcmp(t_text_at(t_stream_must(s, "change")->data, "table"), "messages") == 0,
            "another table");
  nothing_comes(s);
  t_stream_close(&s);
  t_web_says(400, "argument", "GET", "/v1/events?tables=messages,nothing", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/events?after=x", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/events", token, "Last-Event-ID: -1\r\n", NULL);
  t_web_says(403, "scope", "GET", "/v1/events", t_token("giver", "capture,deliver,admin"), "",
             NULL);
}

/* A reader that comes back with any version gets exactly what is above it. */
T_STORY(web_events, any_version, 120) {
  begin();
  say(0, 30);
  say(10, 40);
  uint64_t upto = head();
  struct t_stream *s = t_stream("/v1/events?after=0", token, NULL);
  t_stream_must(s, "store");
  json_t *all = read_up_to(s, 0, upto);
  char *store = ck_strdup(strchr(t_stream_id(s), '@') + 1);
  t_stream_close(&s);
  for (uint64_t after = 0; after <= upto; after += 1 + t_random_below(4)) {
    char id[160];
    snprintf(id, sizeof id, after % 2 ? "%llu@%s" : "%llu", (unsigned long long)after, store);
    s = t_stream("/v1/events?after=3", token, id);
    t_stream_must(s, "store");
    json_t *some = read_up_to(s, after, upto);
    size_t skipped = json_array_size(all) - json_array_size(some);
    for (size_t i = 0; i < json_array_size(all); ++i) {
      uint64_t version = (uint64_t)json_integer_value(json_array_get(all, i));
      T_CHECK((version > after) == (i >= skipped), "after %llu the first is not as expected",
              (unsigned long long)after);
      T_CHECK(i < skipped || json_equal(json_array_get(all, i), json_array_get(some, i - skipped)),
              "after %llu another list", (unsigned long long)after);
    }
    json_decref(some);
    t_stream_close(&s);
  }
  json_decref(all);
  free(store);
}

/* Messages are stored once, so each is one change; one that is told twice or not at all shows. */
T_STORY(web_events, through_kills, 120) {
  static const char *const victims[] = {"webd", "store", "webd", "ingest", "store"};
  enum { EACH = 40, ROUNDS = sizeof victims / sizeof *victims };
  int told[EACH * (ROUNDS + 1)] = {0}, n = 0, from = EACH;
  begin();
  say(0, EACH);
  struct t_stream *s = t_stream("/v1/events?after=0&tables=messages", token, NULL);
  t_stream_must(s, "store");
  for (int round = 0; n < EACH * (ROUNDS + 1);) {
    if (n == from - EACH / 2 && round < ROUNDS) {
      pid_t old = t_kill(victims[round], SIGKILL);
      t_wait_other(victims[round++], old, 10000);
      say(from, EACH);
      from += EACH;
    }
    const struct t_event *e = t_stream_next(s, 10000);
    if (!e && t_stream_ended(s)) {
      char *last = ck_strdup(t_stream_id(s));
      t_stream_close(&s);
      s = t_stream("/v1/events?tables=messages", token, last);
      t_stream_must(s, "store");
      free(last);
      continue;
    }
    T_CHECK(e && strcmp(e->event, "change") == 0, "%s came after %d", e ? e->event : "nothing", n);
    int i = atoi(t_text_at(e->data, "record.id") + 2);
    T_CHECK(i >= 0 && i < from && told[i]++ == 0, "message %d is told twice", i);
    ++n;
  }
  nothing_comes(s);
  t_stream_close(&s);
}

/* After a restore the store is another one: whoever comes back is told so, and begins again. */
T_STORY(web_events, another_store, 90) {
  begin();
  say(0, 10);
  t_settle(10000);
  t_do(0, "backup", "../out/copy");
  say(10, 10);
  struct t_stream *s = t_stream("/v1/events?after=0&tables=messages", token, NULL);
  t_stream_must(s, "store");
  for (int i = 0; i < 20; ++i) t_stream_must(s, "change");
  char *last = ck_strdup(t_stream_id(s));
  t_stream_close(&s);
  t_down();
  t_do(0, "restore", "../out/copy");
  t_up();
  s = t_stream("/v1/events?tables=messages", token, last);
  const struct t_event *e = t_stream_must(s, "reset");
  T_CHECK(e->version == 0 && strcmp(strchr(e->id, '@'), strchr(last, '@')) != 0, "the store is %s",
          e->id);
  for (int i = 0; i < 10; ++i) t_stream_must(s, "change");
  nothing_comes(s);
  free(last);
  last = ck_strdup(t_stream_id(s));
  t_stream_close(&s);
  /* A version that this store has not reached. */
  s = t_stream("/v1/events?after=100000&tables=messages", token, NULL);
  t_stream_must(s, "store");
  t_stream_must(s, "reset");
  for (int i = 0; i < 10; ++i) t_stream_must(s, "change");
  t_stream_close(&s);
  free(last);
}

/* Those that do not read: webd keeps little for each, tells the others, and whoever reads again
 * misses nothing. */
T_STORY(web_events, slow_readers, 120) {
  enum { SLOW = 20, MESSAGES = 300, BYTES = 100000 };
  struct t_stream *slow[SLOW];
  char *text = ck_zalloc(BYTES + 1);
  memset(text, 'x', BYTES);
  t_asan_option("quarantine_size_mb=1"); /* what is freed would count, too */
  begin();
  for (int i = 0; i < SLOW; ++i)
    slow[i] = t_stream("/v1/events?after=0&tables=messages", token, NULL);
  struct t_stream *quick = t_stream("/v1/events?after=0&tables=messages", token, NULL);
  t_stream_must(quick, "store");
  long before = t_memory_mib(t_pid("webd"));
  for (int i = 0; i < MESSAGES; i += 30) {
    struct ck_buf lines = {0};
    for (int k = i; k < i + 30; ++k)
      ck_buf_printf(&lines,
                    "{'platform': 'x', 'message_id': 'm-%d', 'role': 'user', 'text': '%s', "
                    "'observed_at': %d}\n",
                    k, text, 1000 + k);
    t_import_lines(0, "%s", ck_buf_cstr(&lines));
    ck_buf_free(&lines);
    for (int k = 0; k < 30; ++k) t_stream_must(quick, "change");
  }
  long after = t_memory_mib(t_pid("webd"));
  t_note("%d readers of %d MiB that do not read: %ld MiB, before %ld", SLOW, MESSAGES * BYTES >> 20,
         after, before);
  T_CHECK(t_tsan() || after < before + 24, "webd has %ld MiB, before %ld", after, before);
  t_stream_must(slow[3], "store");
  for (int i = 0; i < MESSAGES; ++i) t_stream_must(slow[3], "change");
  nothing_comes(slow[3]);
  for (int i = 0; i < SLOW; ++i) t_stream_close(&slow[i]);
  t_stream_close(&quick);
  free(text);
}

/* A token that is revoked ends its streams. */
T_STORY(web_events, revoked, 60) {
  begin();
  struct t_stream *s = t_stream("/v1/events", token, NULL);
  t_stream_must(s, "store");
  t_do(0, "web", "token", "revoke", "reader");
  T_UNTIL(20000, (t_stream_next(s, 100), t_stream_ended(s)), "the stream goes on");
  t_stream_close(&s);
}

/* Somebody else's request has webd read the tokens first. */
T_STORY(web_events, revoked_while_others_ask, 60) {
  begin();
  const char *other = t_token("other", "read");
  struct t_stream *s = t_stream("/v1/events", token, NULL);
  t_stream_must(s, "store");
  t_do(0, "web", "token", "revoke", "reader");
  t_web_says(200, NULL, "GET", "/v1/status", other, "", NULL);
  T_UNTIL(20000, (t_stream_next(s, 100), t_stream_ended(s)), "the stream goes on");
  t_stream_close(&s);
}
