/* POST /v1/observations: one, several, lines, and a provider's own JSON; what is answered is
 * durable, and what is bad is named and kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/small_disk.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

static const char *token;

static json_t *give(int status, const char *body) {
  struct t_reply r = t_ask_web("POST", "/v1/observations", token, "", body);
  T_CHECK(r.status == status, "%d, not %d: %.400s", r.status, status, r.body ? r.body : "");
  json_t *said = t_reply_json(&r);
  t_reply_free(&r);
  return said;
}

static int64_t taken(json_t *said) { return t_int_at(said, "taken", -1); }

T_STORY(web_observations, one_several_and_lines, 60) {
  t_up();
  token = t_token("giver", "capture");
  json_t *said = give(200, "{\"platform\":\"x\",\"conversation_id\":\"c\",\"message_id\":\"m1\","
                           "\"role\":\"user\",\"text\":\"Hi\",\"observed_at\":1700000000000}");
  T_CHECK(taken(said) == 1 && strcmp(t_text_at(said, "ids.0"), "m1") == 0 &&
              strlen(t_text_at(said, "sha256")) == 64,
          "what was answered: %s", json_dumps(said, 0));
  said = give(200, "[{\"platform\":\"x\",\"message_id\":\"m2\",\"text\":\"a\"},\n"
                   " {\"platform\":\"x\",\"message_id\":\"m3\",\"text\":\"b\"}]");
  T_CHECK(taken(said) == 2 && strcmp(t_text_at(said, "ids.1"), "m3") == 0, "several");
  said = give(200, "{\"platform\":\"x\",\"message_id\":\"m4\",\"text\":\"a\"}\n\n"
                   "{\"platform\":\"x\",\"text\":\"without an id\"}\n");
  T_CHECK(taken(said) == 2 && strncmp(t_text_at(said, "ids.1"), "msg_", 4) == 0, "lines");
  /* The same again is harmless, also with the byte order mark that some editors write. */
  give(200, "\xef\xbb\xbf{\"platform\":\"x\",\"text\":\"without an id\"}");
  t_whole(10000);
  T_CHECK(t_count("messages") == 5, "%lld messages are stored", (long long)t_count("messages"));
}

/* What a client has sent wrong is counted, and no daemon calls it an error of its own. */
static void only_counted(int64_t rejected) {
  json_t *status = NULL, *one;
  size_t i;
  T_UNTIL(10000, ({
            json_decref(status);
            status = t_status(2000);
            status &&t_int_at(t_daemon_entry(status, "ingest", 0), "info.rejected", 0) == rejected;
          }),
          "%lld are not counted", (long long)rejected);
  json_array_foreach(json_object_get(status, "daemons"), i, one) {
    const char *error = t_text_at(one, "info.last_error");
    T_CHECK(!error || !*error, "%s says '%s'", t_text_at(one, "name"), error);
  }
  json_decref(status);
  char *page = t_page(200, "/h", t_token("person", "read"), "Accept: text/html\r\n");
  t_page_has(page, "Quarantined by ingest");
  t_page_has_not(page, "class=\"fact bad\"");
  free(page);
}

T_STORY(web_observations, bad_ones_are_named_and_kept, 60) {
  t_up();
  token = t_token("giver", "capture");
  json_t *said = give(422, "{\"text\":\"no platform\"}");
  T_CHECK(strcmp(t_text_at(said, "error"), "invalid") == 0 &&
              strcmp(t_text_at(said, "failures.0.field"), "platform") == 0,
          "%s", json_dumps(said, 0));
  said = give(207, "[{\"platform\":\"x\",\"message_id\":\"m\",\"text\":\"good\"}, 7,\n"
                   " {\"platform\":\"x\",\"text\":8}]");
  T_CHECK(taken(said) == 1 && t_int_at(said, "failed", 0) == 2 &&
              t_int_at(said, "failures.0.index", 0) == 1 &&
              strcmp(t_text_at(said, "failures.1.field"), "text") == 0,
          "%s", json_dumps(said, 0));
  said = give(207, "{\"platform\":\"x\",\"message_id\":\"n\",\"text\":\"good\"}\n"
                   "{\"platform\":\"x\",\"text\":\n");
  T_CHECK(t_int_at(said, "failures.0.line", 0) == 2, "%s", json_dumps(said, 0));
  said = give(400, "[{\"platform\":\"x\",\"text\":\"a\"}, {\"platform\":]");
  T_CHECK(strcmp(t_text_at(said, "error"), "syntax") == 0 &&
              strstr(t_text_at(said, "reason"), "column"),
          "%s", json_dumps(said, 0));
  give(400, "");
  json_t *refused = t_read_lines("spool/refused.jsonl");
  T_CHECK(json_array_size(refused) == 4, "%zu are kept", json_array_size(refused));
  json_decref(refused);
  only_counted(4);
  t_web_says(403, "scope", "POST", "/v1/observations", t_token("reader", "read"), "", "{}");
  t_whole(10000);
  T_CHECK(t_count("messages") == 2, "what was good is not stored");
}

T_STORY(web_observations, a_providers_own_json, 60) {
  t_up();
  token = t_token("giver", "capture");
  char *path = ck_sprintf("%s/samples/chatgpt.json", t_root());
  char *export = t_read_file(path, NULL);
  json_t *said = give(200, export);
  int64_t added = t_int_at(said, "new", 0);
  T_CHECK(added > 0 && strstr(t_text_at(said, "format"), "chatgpt"), "%s", json_dumps(said, 0));
  said = give(200, export);
  T_CHECK(t_int_at(said, "unchanged", 0) == added && t_int_at(said, "new", -1) == 0, "%s",
          json_dumps(said, 0));
  give(422, "{\"nothing\": \"that anybody knows\"}");
  t_whole(10000);
  T_CHECK(t_count("messages") == added, "%lld of %lld messages", (long long)t_count("messages"),
          (long long)added);
  free(export);
  free(path);
}

/* While ingest is away nothing is answered with 200; what is repeated then goes in. */
T_STORY(web_observations, ingest_is_away, 60) {
  t_up();
  token = t_token("giver", "capture");
  t_signal(t_up_process(), SIGSTOP);
  t_kill("ingest", SIGKILL);
  struct t_reply r = t_ask_web("POST", "/v1/observations", token, "",
                               "{\"platform\":\"x\",\"message_id\":\"m\",\"text\":\"a\"}");
  T_CHECK(r.status == 503 && t_reply_header(&r, "Retry-After") &&
              strcmp(t_text_at(t_reply_json(&r), "error"), "away") == 0,
          "%d %s", r.status, r.body);
  t_reply_free(&r);
  t_signal(t_up_process(), SIGCONT);
  T_UNTIL(10000, t_pid("ingest"), "ingest is not started again");
  give(200, "{\"platform\":\"x\",\"message_id\":\"m\",\"text\":\"a\"}");
  t_whole(10000);
  T_CHECK(t_count("messages") == 1, "it is not stored");
}

/* The store is away: the spool is enough for an answer. */
T_STORY(web_observations, the_store_is_away, 60) {
  t_up();
  token = t_token("giver", "capture");
  t_signal(t_up_process(), SIGSTOP);
  t_talk_forget();
  pid_t old = t_kill("store", SIGKILL);
  give(200, "{\"platform\":\"x\",\"message_id\":\"m\",\"text\":\"a\"}");
  t_web_says(503, "away", "GET", "/v1/status", t_token("reader", "read"), "", NULL);
  t_signal(t_up_process(), SIGCONT);
  t_wait_other("store", old, 10000);
  t_whole(10000);
  T_CHECK(t_count("messages") == 1, "it is not stored");
}

/* webd, ingest and the store are killed at any moment: what was answered with 200 is there. */
T_STORY(web_observations, what_was_answered_is_there, 120) {
  static const char *const names[] = {"webd", "ingest", "store"};
  enum { MOST = 20000 };
  static char answered[MOST];
  unsigned kills = t_kills() ? t_kills() : 6, done = 0;
  int n = 0;
  t_up();
  token = t_token("giver", "capture");
  int64_t next = ck_boot_ms() + 100;
  for (; n < MOST && (done < kills || n < 100); ++n) {
    char body[300];
    if (ck_boot_ms() > next && done < kills) {
      const char *name = names[done % 3];
      if (t_pid(name)) t_kill(name, SIGKILL), ++done;
      next = ck_boot_ms() + 100 + (int64_t)t_random_below(400);
    }
    snprintf(body, sizeof body, "{\"platform\":\"x\",\"message_id\":\"k%d\",\"text\":\"%d\"}", n,
             n);
    int fd;
    T_UNTIL(10000, (fd = t_web_try()) >= 0, "webd does not come back");
    struct t_reply r = t_ask_web_on(fd, "POST", "/v1/observations", token, "", body);
    answered[n] = r.status == 200;
    T_CHECK(r.status == 200 || r.status == 503 || r.status == 429 || r.status == 0, "%d: %s",
            r.status, r.body);
    if (r.status == 429) t_pause(10), --n; /* quicker than web.rate */
    t_reply_free(&r);
  }
  T_CHECK(done == kills, "only %u kills within %d observations", done, n);
  T_UNTIL(20000, t_pid("store") && t_pid("ingest") && t_pid("webd"), "the ring is not whole again");
  t_talk_forget();
  t_whole(20000);
  int given = 0, lost = 0;
  for (int i = 0; i < n; ++i) {
    char id[16];
    if (!answered[i]) continue;
    ++given;
    snprintf(id, sizeof id, "k%d", i);
    json_t *row = t_record("messages", id);
    lost += row == NULL;
    json_decref(row);
  }
  t_note("%u kills, %d of %d answered with 200", done, given, n);
  T_CHECK(given > 20 && lost == 0, "%d of %d that were answered with 200 are lost", lost, given);
}

/* ---- a full disk ---- */

static struct t_reply give_one(const char *id) {
  char body[1200];
  snprintf(body, sizeof body, "{\"platform\":\"x\",\"message_id\":\"%s\",\"text\":\"%01000d\"}", id,
           0);
  return t_ask_web("POST", "/v1/observations", token, "", body);
}

/* Whether it is taken; else it is refused as it must be while the disk is full. */
static bool is_taken(const char *id) {
  struct t_reply r = give_one(id);
  const char *when = t_reply_header(&r, "Retry-After");
  bool taken = r.status == 200;
  T_CHECK(taken || (r.status == 503 && when && atoi(when) > 0 && strstr(r.body, "\"busy\"")),
          "%s: %d %s", id, r.status, r.body ? r.body : "");
  t_reply_free(&r);
  return taken;
}

/* The spool has no room: an observation is refused with when to come again, is taken when there is
 * room, and nothing that was acknowledged is lost. The store stands still, so that the spool keeps
 * everything. */
T_STORY(web_observations, the_spool_is_full, 120) {
  enum { MOST = 3000, AFTERWARDS = 50 };
  char id[16];
  int n = 0, refused = 0;
  T_CHECK(mkdir("spool", 0700) == 0, "no spool");
  small_disk_mount("spool", "24m");
  t_set("web.rate", "0");
  t_up();
  token = t_token("giver", "capture");
  small_disk_fill("spool/ballast", 256 << 10);
  pid_t store = t_kill("store", SIGSTOP);
  do snprintf(id, sizeof id, "d%d", n);
  while (is_taken(id) && ++n < MOST);
  T_CHECK(n < MOST, "a full spool is not refused: %d were taken", n);
  t_note("full after %d observations", n);
  for (; refused < 3 && !is_taken(id); ++refused) continue;
  T_CHECK(refused == 3, "it is taken although there is no room");
  T_CHECK(unlink("spool/ballast") == 0, "cannot make room");
  T_UNTIL(20000, is_taken(id), "it is not taken when there is room");
  for (++n; n < MOST && refused < 3 + AFTERWARDS; ++n, ++refused) {
    snprintf(id, sizeof id, "d%d", n);
    T_CHECK(is_taken(id), "%s is refused although there is room", id);
  }
  kill(store, SIGCONT);
  t_whole(30000);
  T_CHECK(t_count("messages") == n, "%lld of %d are stored", (long long)t_count("messages"), n);
  for (int i = 0; i < n; ++i) {
    snprintf(id, sizeof id, "d%d", i);
    json_t *row = t_record("messages", id);
    T_CHECK(row, "%s was acknowledged and is lost", id);
    json_decref(row);
  }
}
