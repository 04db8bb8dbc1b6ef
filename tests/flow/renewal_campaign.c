/* Follow-ups to a web server, a command and a claiming client, while people answer at random,
 * history is imported, and renewd and the store are killed. Each is received once or listed; none
 * follows an answer; none is for history (renewal_campaign.h says it exactly).
 *
 *   CONVKEEP_TEST_DELIVERIES  how many are to be delivered (2,000; in the long form 6,000)
 *   CONVKEEP_TEST_SEED        the seed of the random numbers
 */
#include "tests/flow/renewal_campaign.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/follow.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define DELIVERIES 2000
#define DELIVERIES_LONG 6000
#define CHATS_LEAST 180
/* On average; the brake allows 60 an hour. */
#define DELIVERIES_A_CHAT 15
/* Conversations on auto in which nothing is said but what is imported. */
#define OLD_CHATS 20
#define SEVEN_WEEKS_MS INT64_C(4233600000)

/* The pace, in milliseconds, each chosen at random up to twice this. TURN_MS is for CHATS_LEAST
 * conversations: more of them do not say more together. A slower ring has a slower pace, as many
 * times as more is said for one delivery than SAID_MOST, after the first SAID_FIRST: what is
 * followed by the next message, or by a kill, before renewd has seen it is never delivered. */
#define TURN_MS 2200
#define ANSWER_MS 60
#define KILL_MS (500 * T_SLOWER)
#define HISTORY_MS 1000
#define SAID_MOST 8
#define SAID_FIRST 400
#define STUCK_MS (60000 * T_SLOWER)

#define MEMBERS 4
static const char *const names[MEMBERS] = {"store", "ingest", "renewd", "syncd"};
enum { STORE = 0, RENEWD = 2 };

struct campaign {
  struct ledger ledger;
  char web_target[160];
  size_t wanted, done;
  json_t *done_jobs; /* so that each is counted once */
  struct ck_follow *follow;
  struct t_process *member[MEMBERS];
  unsigned kills[MEMBERS], imports, said;
  struct t_process *import;
  int64_t turn_ms, kill_at, history_at, script_at;
  bool at_start;  /* the next kill may come during a start */
  bool finishing; /* nobody speaks or is killed any more */
};

static int64_t around(const struct campaign *k, int64_t ms) {
  size_t slower = 1 + k->said / (SAID_MOST * k->done + SAID_FIRST);
  return ck_boot_ms() + (int64_t)t_random_below(2 * (uint64_t)ms * slower + 1);
}

/* ---- the ring, without `up`, whose delays before a restart would grow each time ---- */

/* Starts those again that have ended. None may have ended other than by SIGKILL. */
static void revive(struct campaign *k) {
  for (int i = 0; i < MEMBERS; i++) {
    if (k->member[i] && !t_ended(k->member[i])) continue;
    if (k->member[i]) {
      int status = k->member[i]->status;
      T_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
              "%s ended by itself with status %#x", names[i], (unsigned)status);
      if (k->member[i]->ready >= 0) close(k->member[i]->ready);
    }
    k->member[i] = t_daemon_try(names[i], NULL);
  }
}

static void kill_member(struct campaign *k, int i) {
  if (t_ended(k->member[i])) return;
  kill(k->member[i]->pid, SIGKILL);
  t_wait_end(k->member[i], 10000);
  k->kills[i]++;
}

static bool is_ready(struct campaign *k, int i) {
  struct t_process *p = k->member[i];
  struct pollfd line = {p->ready, POLLIN, 0};
  char word[8];
  if (p->ready < 0 || poll(&line, 1, 0) <= 0) return p->ready < 0;
  if (read(p->ready, word, sizeof word) <= 0) return false;
  close(p->ready);
  p->ready = -1;
  return true;
}

/* One kill in four may come during a start. The others wait for its end, because the more there is
 * to read, the longer it takes, and somebody has to come to deliver something. */
static void kill_some(struct campaign *k) {
  bool are_ready = is_ready(k, STORE) && is_ready(k, RENEWD);
  if (!are_ready && !k->at_start) k->kill_at = around(k, KILL_MS);
  if (ck_boot_ms() < k->kill_at) return;
  k->kill_at = around(k, KILL_MS);
  k->at_start = t_random_below(4) == 0;
  uint64_t which = t_random_below(10);
  if (which < 6) kill_member(k, RENEWD);
  if (which >= 5) kill_member(k, STORE);
}

static void end_members(struct campaign *k) {
  for (int i = MEMBERS; i-- > 0;) t_signal(k->member[i], SIGTERM);
  for (int i = 0; i < MEMBERS; i++)
    T_CHECK(t_wait_end(k->member[i], 10000) == 0, "%s did not end well when it was asked to",
            names[i]);
}

/* ---- the receivers ---- */

/* Most requests are answered well, some late, some not at all, some with a failure. */
static void set_script(struct campaign *k) {
  static const char *const words[] = {"200", "200", "200", "200",    "200",    "200",
                                      "200", "200", "503", "200+20", "200+80", "close"};
  char script[600] = "";
  if (ck_boot_ms() < k->script_at) return;
  k->script_at = ck_boot_after(300);
  for (int i = 0; i < 60; i++) {
    strcat(script, words[t_random_below(sizeof words / sizeof *words)]);
    strcat(script, " ");
  }
  strcat(script, "200");
  t_http_script(k->ledger.web, script);
}

/* Of those whose job ends in 7 the first attempt is to be tried again. */
static void make_command(void) {
  char conf[600];
  t_write_text("../out/take.sh",
               "#!/bin/bash\n"
               "IFS= read -r line\n"
               "case $line in *'7\",\"attempt\":1,'*) exit 75 ;; esac\n"
               "printf '%s' \"$line\" >\"../out/taken/${EPOCHREALTIME/[.,]/}.$$\"\n");
  T_CHECK(mkdir("../out/taken", 0700) == 0, "no folder");
  T_CHECK(chmod("../out/take.sh", 0700) == 0, "no chmod");
  snprintf(conf, sizeof conf, "renew.exec.take = \"%s/out/take.sh\"\n", t_folder());
  t_write_text("convkeep.conf", conf);
}

static struct t_client_plan plan_of(void *self, const char *job_id) {
  uint64_t how = t_random_below(20);
  const struct campaign *k = self;
  (void)job_id;
  struct t_client_plan plan = {.end = T_SENT, .types = true, .hold_ms = (int)t_random_below(60)};
  if (k->finishing) return plan;
  if (how == 0) plan = (struct t_client_plan){.end = T_NOT_SENT, .hold_ms = 5};
  if (how == 1) plan = (struct t_client_plan){.end = T_MAY_BE_SENT, .types = t_random_below(2)};
  if (how == 2)
    plan = (struct t_client_plan){
        .end = T_FORGOTTEN, .types = t_random_below(2), .hold_ms = 5, .lease_ms = 1500};
  return plan;
}

/* ---- who says what ---- */

static const char *target_of(const struct campaign *k, size_t chat) {
  static const char *const others[] = {"{'kind': 'exec', 'id': 'take'}",
                                       "{'kind': 'browser.proxy_delivery', 'id': 'firefox'}"};
  return chat % 3 == 0 ? k->web_target : others[chat % 3 - 1];
}

static void put_on_auto(struct t_producer *p, const char *id, const char *target) {
  char row[700];
  json_t *t = t_json("%s", target);
  char *payload = json_dumps(json_object_get(t, "payload"), JSON_COMPACT);
  snprintf(row, sizeof row,
           "{'local_conversation_id': 'chatgpt:%s', 'platform': 'chatgpt',"
           " 'automation_status': 'auto'}",
           id);
  t_put(p, "local_conversations", row);
  snprintf(row, sizeof row,
           "{'link_id': 'link:%s', 'local_conversation_id': 'chatgpt:%s', 'platform': 'chatgpt',"
           " 'remote_conversation_id': '%s', 'target_kind': '%s', 'target_id': '%s',"
           " 'target_payload': %s, 'observed_at': 1}",
           id, id, id, t_text_at(t, "kind"), t_text_at(t, "id"), payload ? payload : "null");
  t_put(p, "conversation_links", row);
  free(payload);
  json_decref(t);
}

static void commit(struct t_producer *p) {
  T_CHECK(t_commit(p) == 'n', "the conversations were refused: %s", t_refusal(p));
}

static void begin_chats(struct campaign *k) {
  struct t_producer *p = t_producer("owner");
  char id[24];
  for (size_t i = 0; i < k->ledger.chat_count; i++) {
    snprintf(id, sizeof id, "c%zu", i);
    put_on_auto(p, id, target_of(k, i));
    if (i % 100 == 99) commit(p);
    k->ledger.chats[i].next_at = around(k, k->turn_ms);
  }
  for (size_t i = 0; i < OLD_CHATS; i++) {
    snprintf(id, sizeof id, "old%zu", i);
    put_on_auto(p, id, target_of(k, i));
  }
  commit(p);
}

/* Whoever speaks next, and when: often the assistant, whose turn nobody disturbs; at times somebody
 * answers at once, or the assistant goes on. */
static void plan_next(const struct campaign *k, struct chat *c, bool human) {
  uint64_t how = t_random_below(10);
  bool at_once = !human && (how < 3 || how == 9);
  c->human_next = !human && how < 4;
  c->next_at = around(k, at_once ? ANSWER_MS : k->turn_ms);
}

static void say(struct campaign *k, size_t chat) {
  struct chat *c = &k->ledger.chats[chat];
  struct ck_err err = {""};
  bool human = c->human_next;
  int64_t now = ck_now_ms();
  char text[700];
  /* Of a question and an answer with one time, the answer is the last one. */
  c->last_at = now > c->last_at ? now : c->last_at + 1;
  snprintf(text, sizeof text,
           "{'platform': 'chatgpt', 'conversation_id': 'c%zu', 'message_id': 'c%zu-%zu', "
           "'role': '%s', 'text': '%zu. %s', 'observed_at': %lld, 'target': %s}",
           chat, chat, c->count, human ? "user" : "assistant", c->count,
           human ? "No! Stop" : "Shall I go on?", (long long)c->last_at, target_of(k, chat));
  c->said = ck_realloc(c->said, (c->count + 1) * sizeof *c->said);
  c->said[c->count++] = (struct said){.human = human};
  T_CHECK(t_observe(text, &err), "an observation was not taken: %s", err.text);
  k->said++;
  plan_next(k, c, human);
}

static void talk(struct campaign *k) {
  int64_t now = ck_boot_ms();
  for (size_t i = 0; i < k->ledger.chat_count; i++)
    if (now >= k->ledger.chats[i].next_at) say(k, i);
}

/* ---- history ---- */

static json_t *old_node(const char *id, const char *parent, const char *role, int64_t at) {
  return t_json("{'id': '%s', 'parent': '%s', 'children': [], 'message': {'id': '%s', "
                "'author': {'role': '%s'}, 'create_time': %lld.5, 'content': "
                "{'content_type': 'text', 'parts': ['long ago']}, 'status': "
                "'finished_successfully', 'end_turn': true, 'weight': 1.0, 'recipient': 'all'}}",
                id, parent, id, role, (long long)(at / 1000));
}

/* A conversation of an export: a question and its answer, seven weeks ago. */
static json_t *old_conversation(const struct campaign *k, const char *remote, int n) {
  int64_t at = ck_now_ms() - SEVEN_WEEKS_MS + (int64_t)k->imports * 10000;
  char ask[40], answer[40];
  snprintf(ask, sizeof ask, "h%u-%d-ask", k->imports, n);
  snprintf(answer, sizeof answer, "h%u-%d-answer", k->imports, n);
  json_t *c = t_json("{'title': 'Long ago', 'create_time': %lld, 'update_time': %lld, "
                     "'conversation_id': '%s', 'id': '%s', 'current_node': '%s', 'mapping': "
                     "{'root': {'id': 'root', 'message': null, 'parent': null, "
                     "'children': ['%s']}}}",
                     (long long)(at / 1000), (long long)(at / 1000), remote, remote, answer, ask);
  json_t *mapping = json_object_get(c, "mapping"), *asked = old_node(ask, "root", "user", at);
  json_array_append_new(json_object_get(asked, "children"), json_string(answer));
  json_object_set_new(mapping, ask, asked);
  json_object_set_new(mapping, answer, old_node(answer, ask, "assistant", at + 3000));
  return c;
}

static bool is_importing(struct campaign *k) {
  if (!k->import || !t_ended(k->import)) return k->import != NULL;
  T_CHECK(WIFEXITED(k->import->status) && WEXITSTATUS(k->import->status) == 0,
          "the import of history %u ended with status %#x", k->imports,
          (unsigned)k->import->status);
  k->import = NULL;
  k->imports++;
  k->history_at = around(k, HISTORY_MS);
  return false;
}

/* An export of some of the conversations that go on now, and of some in which nothing else was ever
 * said. */
static void import_history(struct campaign *k) {
  if (is_importing(k) || ck_boot_ms() < k->history_at) return;
  json_t *all = json_array();
  char remote[24], path[40], program[600];
  for (int i = 0; i < 5; i++) {
    if (i < 3)
      snprintf(remote, sizeof remote, "c%zu", (size_t)t_random_below(k->ledger.chat_count));
    else
      snprintf(remote, sizeof remote, "old%zu", (size_t)t_random_below(OLD_CHATS));
    json_array_append_new(all, old_conversation(k, remote, i));
  }
  char *text = json_dumps(all, JSON_COMPACT);
  snprintf(path, sizeof path, "../out/history-%u.json", k->imports);
  t_write_text(path, text);
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  k->import = t_start("history", NULL, false,
                      (const char *const[]){program, "--data", ".", "import", path, NULL});
  free(text);
  json_decref(all);
}

/* ---- what the store has ---- */

static void followed(void *self, uint64_t version, const struct ck_row *row) {
  struct campaign *k = self;
  size_t chat, number;
  char id[64];
  (void)version;
  snprintf(id, sizeof id, "%.*s", (int)ck_row_key(row).n, ck_row_key(row).s);
  if (row->table == CK_MESSAGES && campaign_place(id, &chat, &number)) {
    struct said *s = &k->ledger.chats[chat].said[number];
    if (!s->seen) s->seen = ck_now_ms();
  }
  if (row->table != CK_JOBS || !ck_str_is(ck_row_text(row, CK_JOBS_STATUS), "done")) return;
  if (!json_object_get(k->done_jobs, id)) k->done++;
  json_object_set_new(k->done_jobs, id, json_true());
}

static void followed_upto(void *self, const char *store_id, uint64_t version, bool live) {
  (void)self, (void)store_id, (void)version, (void)live;
}

static void followed_reset(void *self, const char *store_id) {
  (void)self;
  T_FAIL("the follower was reset: the store is now %s", store_id);
}

static void begin_to_follow(struct campaign *k) {
  struct ck_follow_ops ops = {k, followed, followed_upto, followed_reset, NULL};
  struct ck_err err = {""};
  k->follow = ck_follow_new(t_settings(), &ops, 1u << CK_MESSAGES | 1u << CK_JOBS, "", 0, &err);
  T_CHECK(k->follow != NULL, "no follower: %s", err.text);
}

/* ---- the campaign ---- */

static void step(struct campaign *k) {
  revive(k);
  set_script(k);
  ck_follow_step(k->follow);
  t_client_step(k->ledger.client);
  zmq_pollitem_t items[2];
  zmq_poll(items, ck_follow_items(k->follow, items), 2);
}

static void run(struct campaign *k) {
  size_t last = 0;
  int64_t progress = ck_boot_ms(), said_at = 0;
  while (k->done < k->wanted) {
    kill_some(k);
    talk(k);
    import_history(k);
    step(k);
    if (k->done != last) progress = ck_boot_ms();
    last = k->done;
    T_CHECK(ck_boot_ms() - progress < STUCK_MS, "nothing was delivered for %d ms: %s", STUCK_MS,
            json_dumps(t_at(t_status(1000), "jobs"), 0));
    if (ck_boot_ms() < said_at) continue;
    if (t_long()) t_note("%zu of %zu", k->done, k->wanted);
    said_at = ck_boot_after(10000);
  }
}

static bool is_quiet(void) {
  json_t *status = t_status(2000);
  bool quiet = t_int_at(status, "jobs.pending", -1) == 0 &&
               t_int_at(status, "jobs.running", -1) == 0 &&
               t_int_at(status, "spool.pending", -1) == 0;
  json_decref(status);
  return quiet;
}

/* What waits goes out. */
static void finish(struct campaign *k) {
  k->finishing = true;
  int64_t until = ck_boot_ms() + STUCK_MS, quiet_since = 0;
  while (is_importing(k)) step(k);
  while (!quiet_since || ck_boot_ms() - quiet_since < 1000) {
    for (int64_t pause = ck_boot_after(200); ck_boot_ms() < pause;) step(k);
    if (!is_quiet() || t_client_busy(k->ledger.client))
      quiet_since = 0;
    else if (!quiet_since)
      quiet_since = ck_boot_ms();
    T_CHECK(ck_boot_ms() < until, "jobs are left: %s",
            json_dumps(t_query("renewal_jobs", "{'status': 'pending'}", 5, 0), 0));
  }
}

static void set_up(struct campaign *k) {
  k->wanted = t_deliveries() ? t_deliveries() : t_long() ? DELIVERIES_LONG : DELIVERIES;
  size_t chats = k->wanted / DELIVERIES_A_CHAT;
  k->ledger.chat_count = chats > CHATS_LEAST ? chats : CHATS_LEAST;
  k->turn_ms = TURN_MS * (int64_t)k->ledger.chat_count / CHATS_LEAST;
  k->ledger.chats = ck_zalloc(k->ledger.chat_count * sizeof *k->ledger.chats);
  k->ledger.taken = "../out/taken";
  k->done_jobs = json_object();
  k->ledger.web = t_http_start("200");
  snprintf(k->web_target, sizeof k->web_target,
           "{'kind': 'webhook', 'id': 'hook', 'payload': {'url': '%shook'}}",
           t_http_url(k->ledger.web));
  t_set("renew.webhook.allow", t_http_url(k->ledger.web));
  t_set("renew.delay", "30ms");
  t_set("renew.cooldown", "0ms");
  t_set("renew.spacing", "0ms");
  t_set("renew.account.spacing", "0ms");
  t_set("renew.backoff", "20ms");
  t_set("renew.in_a_row", "1000");
  t_set("renew.timeout", "5s");
  make_command();
}

static void forget(struct campaign *k) {
  t_client_free(&k->ledger.client);
  ck_follow_free(&k->follow);
  t_http_stop(&k->ledger.web);
  json_decref(k->done_jobs);
  for (size_t i = 0; i < k->ledger.chat_count; i++) free(k->ledger.chats[i].said);
  free(k->ledger.chats);
}

T_STORY(renewal_campaign, each_once_or_listed, 900) {
  struct campaign k = {0};
  t_random(); /* reports the seed */
  set_up(&k);
  revive(&k);
  begin_chats(&k);
  begin_to_follow(&k);
  k.ledger.client = t_client_new("firefox", plan_of, &k);
  int64_t begin = ck_boot_ms();
  k.kill_at = around(&k, KILL_MS);
  run(&k);
  int64_t took = ck_boot_ms() - begin;
  finish(&k);
  int64_t quiet = ck_boot_ms();
  t_note(
      "%zu delivered in %lld s, %u said, %u imports, %u kills of renewd and %u of the store; the "
      "client claimed %u, and was refused %u",
      k.done, (long long)(took / 1000), k.said, k.imports, k.kills[RENEWD], k.kills[STORE],
      t_client_claimed(k.ledger.client), t_client_refused(k.ledger.client));
  campaign_check(&k.ledger);
  int64_t checked = ck_boot_ms();
  t_whole(60000);
  t_note("then %lld s until all was quiet, %lld s to compare",
         (long long)((quiet - begin - took) / 1000), (long long)((ck_boot_ms() - checked) / 1000));
  forget(&k);
  end_members(&k);
}
