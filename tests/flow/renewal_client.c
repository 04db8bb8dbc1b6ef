/* Follow-ups that a client delivers: offers, claims, leases, and the client of docs/wire.md itself,
 * cut out of the page and run as it stands there. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/flow/renewal_help.h"

/* ---- conversations with a client ---- */

/* An observation of the conversation NAME whose page the client has open. more: JSON members. */
static void say(const char *name, const char *id, const char *role, const char *client,
                const char *more) {
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': '%s', 'message_id': '%s', "
                 "'role': '%s', 'text': 'said', 'observed_at': %lld, 'client_id': '%s', "
                 "'page_url': 'https://chatgpt.com/c/%s'%s}\n",
                 name, id, role, (long long)r_now_plus(0), client, name, more);
}

/* A conversation on auto whose assistant's last message is ID. */
static void await_follow_up(const char *name, const char *id, const char *client,
                            const char *more) {
  char first[64], local[64];
  snprintf(first, sizeof first, "%s-user", id);
  snprintf(local, sizeof local, "chatgpt:%s", name);
  say(name, first, "user", client, more);
  t_do(0, "set", local, "--automation", "auto");
  say(name, id, "assistant", client, more);
}

/* The client's only offer, once there is one; the caller decrefs. */
static json_t *offer_to(const char *client) {
  char filter[96];
  json_t *rows = NULL;
  snprintf(filter, sizeof filter, "{'client': '%s'}", client);
  T_UNTIL(15000,
          (json_decref(rows), rows = t_query("offers", filter, 10, 0), json_array_size(rows) == 1),
          "%s has %zu offers, not one", client, json_array_size(rows));
  json_t *offer = json_incref(json_array_get(rows, 0));
  json_decref(rows);
  return offer;
}

static size_t offers(void) {
  json_t *rows = t_query("offers", NULL, 100, 0);
  size_t n = json_array_size(rows);
  json_decref(rows);
  return n;
}

static int64_t job_int(const char *message, const char *column) {
  json_t *job = r_job_of(message);
  int64_t value = t_int_at(job, column, -1);
  json_decref(job);
  return value;
}

static bool is_unknown(const char *message) {
  json_t *job = r_job_of(message);
  char filter[96];
  snprintf(filter, sizeof filter, "{'job_id': '%s'}", t_text_at(job, "job_id"));
  json_t *leases = t_query("leases", filter, 1, 0);
  const char *state = t_text_at(leases, "0.state");
  bool yes = state && strcmp(state, "unknown") == 0;
  json_decref(job), json_decref(leases);
  return yes;
}

/* The log's n lines about the message's job, once they are there; the caller decrefs. */
static json_t *await_lines(const char *message, size_t n) {
  json_t *lines = NULL;
  T_UNTIL(10000, (json_decref(lines), lines = r_attempts(message), json_array_size(lines) >= n),
          "%zu attempts in the log, not %zu", json_array_size(lines), n);
  T_CHECK(json_array_size(lines) == n, "%zu attempts in the log, not %zu", json_array_size(lines),
          n);
  return lines;
}

/* ---- what a client says, well or badly ---- */

static char claim(struct t_producer *p, json_t *offer, const char *client, const char *token,
                  uint64_t lease) {
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  m.as.claim = (struct ck_claim){.job_id = ck_str_of(t_text_at(offer, "job_id")),
                                 .token = ck_str_of(token),
                                 .client = ck_str_of(client),
                                 .offer = ck_str_of(t_text_at(offer, "offer")),
                                 .lease = lease};
  t_mutate(p, &m);
  return t_commit(p);
}

static char extend(struct t_producer *p, json_t *offer, const char *token, uint64_t lease) {
  struct ck_mutation m = {.kind = CK_OP_EXTEND};
  m.as.extend =
      (struct ck_extend){ck_str_of(t_text_at(offer, "job_id")), 1, ck_str_of(token), lease};
  t_mutate(p, &m);
  return t_commit(p);
}

static char end(struct t_producer *p, json_t *offer, const char *token, struct ck_end e) {
  struct ck_mutation m = {.kind = CK_OP_END};
  e.job_id = ck_str_of(t_text_at(offer, "job_id"));
  e.attempt = 1;
  e.token = ck_str_of(token);
  m.as.end = e;
  t_mutate(p, &m);
  return t_commit(p);
}

static void refused(char result, struct t_producer *p, const char *part) {
  T_CHECK(result == 'r' && strstr(t_refusal(p), part), "'%c' %s, not refused with %s", result,
          t_refusal(p), part);
}

static void kill_both(void) {
  pid_t renewd = t_kill("renewd", SIGKILL), store = t_kill("store", SIGKILL);
  t_wait_other("store", store, 10000);
  t_wait_other("renewd", renewd, 10000);
}

/* ---- the client of docs/wire.md ---- */

static void cut_out_client(void) {
  char path[600];
  static const char begin[] = "\n```python\n", stop[] = "\n```\n";
  snprintf(path, sizeof path, "%s/docs/wire.md", t_root());
  char *page = t_read_file(path, NULL);
  T_CHECK(page, "no %s", path);
  char *from = strstr(page, begin);
  T_CHECK(from, "docs/wire.md has no client");
  from += strlen(begin);
  char *upto = strstr(from, stop);
  T_CHECK(upto && !strstr(upto, begin), "docs/wire.md has not one client");
  t_write_file("../out/client.py", from, (size_t)(upto + 1 - from));
  free(page);
}

/* The client, with a page that keeps what it gets in the file ../out/CLIENT and does as told. */
static struct t_process *start_client(const char *client, const char *lease, const char *does) {
  char page[64], *script = NULL;
  cut_out_client();
  snprintf(page, sizeof page, "../out/%s.sh", client);
  script = ck_sprintf("#!/bin/sh\ncat >>../out/%s\necho >>../out/%s\n%s\n", client, client, does);
  t_write_text(page, script);
  free(script);
  T_CHECK(chmod(page, 0700) == 0, "no chmod");
  return t_start(client, NULL, false,
                 (const char *const[]){"/usr/bin/python3", "../out/client.py", "run", client, lease,
                                       page, NULL});
}

static void stop_client(struct t_process *p) {
  t_signal(p, SIGKILL);
  t_wait_end(p, 20000);
}

/* What the client's page got, one delivery a line; the caller decrefs. */
static json_t *got(const char *client) {
  char path[64];
  snprintf(path, sizeof path, "../out/%s", client);
  return t_exists(path) ? t_read_lines(path) : json_array();
}

static void check_text(json_t *from, const char *path, const char *expected) {
  const char *is = t_text_at(from, path);
  T_CHECK(is && strcmp(is, expected) == 0, "%s is %s, not %s", path, is ? is : "none", expected);
}

T_STORY(renewal_client, of_the_docs_delivers, 60) {
  t_up();
  struct t_process *p = start_client("ff1", "60000", "echo sent-1");
  await_follow_up("conv-1", "m1", "ff1",
                  ", 'target': {'kind': 'browser.proxy_delivery', 'id': 'firefox-claude', "
                  "'payload': {'tab': 7}}");
  r_wait_status("m1", "done", 15000);
  json_t *bodies = got("ff1");
  T_CHECK(json_array_size(bodies) == 1, "the page got %zu deliveries", json_array_size(bodies));
  json_t *job = r_job_of("m1");
  check_text(bodies, "0.delivery_id", t_text_at(job, "job_id"));
  check_text(bodies, "0.job_id", t_text_at(job, "job_id"));
  check_text(bodies, "0.platform", "chatgpt");
  check_text(bodies, "0.conversation_id", "conv-1");
  check_text(bodies, "0.local_conversation_id", CONVERSATION);
  check_text(bodies, "0.message_id", "m1");
  check_text(bodies, "0.last_message_id", "m1");
  check_text(bodies, "0.payload", "continue");
  check_text(bodies, "0.target.kind", "browser.proxy_delivery");
  check_text(bodies, "0.target.id", "firefox-claude");
  T_CHECK(t_int_at(bodies, "0.target.payload.tab", 0) == 7, "the target's payload is lost");
  check_text(bodies, "0.client_id", "ff1");
  check_text(bodies, "0.page_url", "https://chatgpt.com/c/conv-1");
  check_text(bodies, "0.route_path", "/c/conv-1");
  json_t *sent = t_query("sent", "{'message_id': 'sent-1'}", 1, 0);
  check_text(sent, "0.job_id", t_text_at(job, "job_id"));
  T_CHECK(t_int_at(job, "attempt_count", 0) == 1, "%lld attempts",
          (long long)t_int_at(job, "attempt_count", 0));
  json_t *conversation = t_record("local_conversations", CONVERSATION);
  T_CHECK(t_int_at(conversation, "cooldown_until", 0) > ck_now_ms(),
          "the conversation has no rest");
  json_decref(bodies), json_decref(job), json_decref(sent), json_decref(conversation);
  json_decref(await_lines("m1", 1));
  r_check_log("m1", (const char *const[]){"done"}, 1);
  stop_client(p);
  t_whole(10000);
}

/* The predecessor's targets name their client by their id. */
T_STORY(renewal_client, of_the_predecessor_s_targets, 60) {
  t_up();
  t_import_lines(0,
                 "{'platform': 'claude', 'conversation_id': 'conv-1', 'message_id': 'm0', 'role': "
                 "'user', 'text': 'said', 'observed_at': %lld, 'target': {'kind': "
                 "'browser.proxy_delivery', 'id': 'firefox-claude'}}\n",
                 (long long)r_now_plus(0));
  t_do(0, "renew", "claude:conv-1", "--payload", "go on");
  json_t *offer = offer_to("firefox-claude");
  T_CHECK(r_has_status("m0", "pending"), "the job does not wait");
  json_decref(offer);
  struct t_process *p = start_client("firefox-claude", "60000", "exit 0");
  r_wait_status("m0", "done", 15000);
  stop_client(p);
}

static bool lists_offered(void) {
  struct t_result list = t_convkeep("list", "jobs");
  bool yes = list.code == 0 && strstr(list.out, "offered");
  t_result_free(&list);
  return yes;
}

/* A job waits for a client that is away, through anything, and costs nothing. */
T_STORY(renewal_client, that_is_away, 90) {
  t_set("renew.timeout", "300ms");
  t_up();
  await_follow_up("conv-1", "m1", "ff1", "");
  json_decref(offer_to("ff1"));
  for (int i = 0; i < 2; i++) kill_both();
  t_pause(700);
  T_CHECK(r_has_status("m1", "pending") && job_int("m1", "attempt_count") == 0 && offers() == 1,
          "the job does not wait");
  json_t *job = r_job_of("m1");
  T_UNTIL(20000, lists_offered(), "list jobs does not say that it is offered");
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(why.code == 0 && strstr(why.out, "offered to its client") &&
              strstr(why.out, "client: ff1"),
          "jobs why says %s%s", why.out, why.err);
  t_result_free(&why);
  json_decref(job);
  json_t *lines = r_attempts("m1");
  T_CHECK(json_array_size(lines) == 0, "waiting is an attempt");
  json_decref(lines);
  struct t_process *p = start_client("ff1", "60000", "exit 0");
  r_wait_status("m1", "done", 15000);
  lines = got("ff1");
  T_CHECK(json_array_size(lines) == 1, "delivered %zu times", json_array_size(lines));
  json_decref(lines);
  stop_client(p);
  t_whole(10000);
}

/* Each client gets what is for it and nothing else, also by the feed's topics. */
T_STORY(renewal_client, that_is_one_of_two, 60) {
  t_up();
  void *feed = t_raw_socket(CK_DOOR_FEED, ZMQ_SUB);
  zmq_setsockopt(feed, ZMQ_SUBSCRIBE, "delivery/ff1/", 13);
  await_follow_up("conv-10", "m10", "ff10", "");
  json_decref(offer_to("ff10"));
  await_follow_up("conv-1", "m1", "ff1", "");
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  T_CHECK(t_raw_recv(feed, &b, 15000), "nothing came under delivery/ff1/");
  T_CHECK(ck_message_decode(&m, b.data, b.len, &err) == 0 && m.kind == CK_MSG_DELIVERY &&
              ck_str_is(m.as.delivery.client, "ff1"),
          "delivery/ff1/ got what is for another client");
  json_t *offer = offer_to("ff1");
  T_CHECK(ck_str_is(m.as.delivery.offer, t_text_at(offer, "offer")) &&
              ck_str_is(m.as.delivery.body, t_text_at(offer, "body")),
          "the feed has another offer than the store");
  ck_buf_free(&b);
  struct t_producer *p = t_producer("thief");
  refused(claim(p, offer, "ff10", "t", 0), p, "claim.client");
  json_decref(offer);
  struct t_process *one = start_client("ff1", "60000", "exit 0"),
                   *ten = start_client("ff10", "60000", "exit 0");
  r_wait_status("m1", "done", 15000);
  r_wait_status("m10", "done", 15000);
  json_t *first = got("ff1"), *tenth = got("ff10");
  T_CHECK(json_array_size(first) == 1 && json_array_size(tenth) == 1, "%zu and %zu deliveries",
          json_array_size(first), json_array_size(tenth));
  check_text(first, "0.conversation_id", "conv-1");
  check_text(tenth, "0.conversation_id", "conv-10");
  json_decref(first), json_decref(tenth);
  stop_client(one), stop_client(ten);
}

/* The attempt is the client's: neither renewd's death nor the store's ends it. */
T_STORY(renewal_client, whose_ring_dies, 90) {
  t_up();
  struct t_producer *p = t_producer("ff1");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1");
  kill_both();
  /* A new run waits until the last message has settled again, and offers the job once more. */
  T_UNTIL(10000,
          (json_decref(offer), offer = offer_to("ff1"), claim(p, offer, "ff1", "secret", 0) == 'u'),
          "not claimed: %s", t_refusal(p));
  kill_both();
  T_CHECK(extend(p, offer, "secret", 0) == '=', "not extended: %s", t_refusal(p));
  T_CHECK(r_has_status("m1", "running") && !is_unknown("m1"), "the attempt is over");
  json_t *leases = t_query("leases", NULL, 10, 0);
  check_text(leases, "0.client", "ff1");
  check_text(leases, "0.token", "");
  json_decref(leases);
  pid_t old = t_kill("renewd", SIGKILL);
  T_CHECK(end(p, offer, "secret",
              (struct ck_end){.outcome = CK_LIT("done"), .message_id = CK_LIT("m2")}) == 'u',
          "not ended: %s", t_refusal(p));
  t_wait_other("renewd", old, 10000);
  r_wait_status("m1", "done", 20000);
  json_t *lines = await_lines("m1", 1);
  check_text(lines, "0.outcome", "done");
  check_text(lines, "0.target", "ff1");
  check_text(lines, "0.sent_message_id", "m2");
  json_decref(lines);
  T_CHECK(offers() == 0, "the offer is still there");
  json_decref(offer);
  t_whole(10000);
}

/* What the client did not end has no end in the log. */
T_STORY(renewal_client, whose_job_is_taken_from_it, 60) {
  t_up();
  struct t_producer *p = t_producer("ff1");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1"), *job = r_job_of("m1");
  char row[200];
  T_CHECK(claim(p, offer, "ff1", "t", 0) == 'u', "not claimed: %s", t_refusal(p));
  snprintf(row, sizeof row, "{'job_id': '%s', 'status': 'pending'}", t_text_at(job, "job_id"));
  t_update(p, "renewal_jobs", row);
  T_CHECK(t_commit(p) == 'u', "not updated: %s", t_refusal(p));
  json_decref(offer);
  offer = offer_to("ff1");
  json_t *lines = await_lines("m1", 1);
  T_CHECK(strcmp(t_text_at(lines, "0.outcome"), "unknown") == 0, "the attempt is %s",
          json_dumps(lines, 0));
  json_decref(offer), json_decref(job), json_decref(lines);
}

/* Its lease is gone, and the end that it says later is refused. */
T_STORY(renewal_client, whose_job_is_cancelled, 60) {
  t_up();
  struct t_producer *p = t_producer("ff1");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1");
  T_CHECK(claim(p, offer, "ff1", "t", 0) == 'u', "not claimed: %s", t_refusal(p));
  t_do(0, "jobs", "cancel", "--status", "running", "--yes");
  T_CHECK(r_has_status("m1", "failed"), "it was not cancelled");
  refused(end(p, offer, "t", (struct ck_end){.outcome = CK_LIT("done")}), p, "cancelled: ");
  json_decref(await_lines("m1", 1));
  json_decref(offer);
}

/* A client that is gone leaves an attempt of unknown end, also if nobody saw its lease run out; but
 * what it says later counts. */
T_STORY(renewal_client, that_dies_after_its_claim, 90) {
  t_up();
  struct t_producer *p = t_producer("ff1");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1");
  T_CHECK(claim(p, offer, "ff1", "t", 1500) == 'u', "not claimed: %s", t_refusal(p));
  kill_both();
  T_UNTIL(10000, is_unknown("m1"), "the attempt is not unknown after its lease");
  T_CHECK(job_int("m1", "updated_at") - job_int("m1", "last_attempt_at") >= 1500,
          "the attempt was ended before its lease ran out");
  T_UNTIL(20000, t_status_int("jobs.unknown", 0) == 1, "it is not listed as unknown");
  json_decref(await_lines("m1", 1));
  r_check_log("m1", (const char *const[]){"unknown"}, 1);
  refused(extend(p, offer, "t", 0), p, "unknown");
  T_CHECK(end(p, offer, "t", (struct ck_end){.outcome = CK_LIT("done")}) == 'u',
          "a late end does not count: %s", t_refusal(p));
  r_wait_status("m1", "done", 20000);
  json_t *lines = await_lines("m1", 2);
  check_text(lines, "1.outcome", "done");
  json_decref(lines);
  json_decref(offer);
}

/* A page that takes longer than the lease: the client extends it as often as it takes. */
T_STORY(renewal_client, that_extends_its_lease, 60) {
  t_up();
  struct t_process *p = start_client("ff1", "900", "sleep 3");
  await_follow_up("conv-1", "m1", "ff1", "");
  r_wait_status("m1", "done", 20000);
  json_decref(await_lines("m1", 1));
  json_t *job = r_job_of("m1");
  T_CHECK(t_int_at(job, "finished_at", 0) - t_int_at(job, "started_at", 0) >= 3000,
          "the page did not take longer than the lease");
  json_decref(job);
  r_check_log("m1", (const char *const[]){"done"}, 1);
  stop_client(p);
}

/* Nobody wants a follow-up any more after an answer. */
T_STORY(renewal_client, that_comes_after_the_answer, 60) {
  t_up();
  struct t_producer *p = t_producer("ff1");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1");
  say("conv-1", "m2", "user", "ff1", "");
  refused(claim(p, offer, "ff1", "t", 0), p, "superseded: somebody answered");
  T_UNTIL(20000, offers() == 0, "the offer is still there");
  r_wait_status("m1", "failed", 20000);
  json_decref(offer);
}

/* A paused job has no offer; afterwards it has another one. */
T_STORY(renewal_client, that_has_to_wait, 60) {
  t_up();
  struct t_producer *p = t_producer("ff1");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1");
  t_do(0, "pause", CONVERSATION);
  refused(claim(p, offer, "ff1", "t", 0), p, "");
  T_UNTIL(20000, offers() == 0, "a paused job is still offered");
  t_do(0, "resume", CONVERSATION);
  json_t *again = offer_to("ff1");
  refused(claim(p, offer, "ff1", "t", 0), p, "claim.offer");
  T_CHECK(claim(p, again, "ff1", "t", 0) == 'u', "not claimed: %s", t_refusal(p));
  /* A pause stops no attempt that is under way, as with every other target. */
  t_do(0, "pause", CONVERSATION);
  T_CHECK(end(p, again, "t", (struct ck_end){.outcome = CK_LIT("done")}) == 'u', "not ended: %s",
          t_refusal(p));
  json_decref(offer), json_decref(again);
}

/* Not sent: it waits as long as the client says, at least 5 s, and is not charged. */
T_STORY(renewal_client, that_does_not_send, 60) {
  t_up();
  struct t_process *p = start_client("ff1", "60000", "echo the page is not open; exit 75");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *first = NULL, *lines = NULL;
  T_UNTIL(15000, (json_decref(first), first = got("ff1"), json_array_size(first) == 1),
          "nothing was delivered");
  json_decref(first);
  T_UNTIL(20000, (json_decref(lines), lines = r_attempts("m1"), json_array_size(lines) == 1),
          "the attempt is not in the log");
  check_text(lines, "0.outcome", "released");
  check_text(lines, "0.error", "the page is not open");
  json_decref(lines);
  json_t *job = r_job_of("m1");
  check_text(job, "status", "pending");
  check_text(job, "last_error", "the page is not open");
  T_CHECK(t_int_at(job, "attempt_count", -1) == 0, "what was not sent is charged");
  T_CHECK(t_int_at(job, "next_attempt_at", 0) - t_int_at(job, "updated_at", 0) == 5000,
          "it waits %lld ms, not 5000",
          (long long)(t_int_at(job, "next_attempt_at", 0) - t_int_at(job, "updated_at", 0)));
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(why.code == 0 && strstr(why.out, "waiting: its client has not sent it") &&
              !strstr(why.out, "give_up"),
          "jobs why says %s%s", why.out, why.err);
  t_result_free(&why);
  int64_t due = t_int_at(job, "next_attempt_at", 0);
  json_decref(job);
  T_CHECK(due > 0, "no next attempt is planned");
  for (; ck_now_ms() < due; t_pause(50))
    T_CHECK(offers() == 0 || ck_now_ms() >= due, "it is offered again before its time");
  lines = NULL;
  T_UNTIL(10000, (json_decref(lines), lines = got("ff1"), json_array_size(lines) == 2),
          "it is not offered again");
  T_UNTIL(20000, job_int("m1", "next_attempt_at") - job_int("m1", "updated_at") == 10000,
          "the second wait is not twice the first");
  json_decref(lines);
  stop_client(p);
}

T_STORY(renewal_client, that_knows_when, 60) {
  t_up();
  struct t_producer *p = t_producer("ff1");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1");
  int64_t later = r_now_plus(3600000);
  T_CHECK(claim(p, offer, "ff1", "t", 0) == 'u', "not claimed: %s", t_refusal(p));
  T_CHECK(end(p, offer, "t",
              (struct ck_end){.outcome = CK_LIT("released"),
                              .error = CK_LIT("limit"),
                              .next_attempt_at = later,
                              .cooldown_until = later}) == 'u',
          "not ended: %s", t_refusal(p));
  T_CHECK(job_int("m1", "next_attempt_at") == later, "`not before` does not count");
  json_t *conversation = t_record("local_conversations", CONVERSATION);
  T_CHECK(t_int_at(conversation, "cooldown_until", 0) == later, "the limit does not count");
  json_decref(conversation), json_decref(offer);
}

/* It may have been sent: it waits for a person, who has it sent again. */
T_STORY(renewal_client, that_does_not_know, 60) {
  t_up();
  struct t_process *p = start_client("ff1", "60000", "exit 1");
  await_follow_up("conv-1", "m1", "ff1", "");
  T_UNTIL(15000, is_unknown("m1"), "the attempt is not unknown");
  json_t *lines = NULL, *job = r_job_of("m1");
  T_UNTIL(20000, (json_decref(lines), lines = r_attempts("m1"), json_array_size(lines) == 1),
          "the attempt is not in the log");
  check_text(lines, "0.outcome", "unknown");
  json_decref(lines);
  T_CHECK(offers() == 0, "an unknown job is offered");
  stop_client(p);
  p = start_client("ff1", "60000", "exit 0");
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"));
  r_wait_status("m1", "done", 15000);
  json_decref(job);
  stop_client(p);
}

/* The later of two rests counts: that of the settings, and the client's own. */
T_STORY(renewal_client, that_names_a_rest, 60) {
  t_set("renew.cooldown", "1h");
  t_up();
  struct t_producer *p = t_producer("ff1");
  int64_t hours[] = {2, 0};
  for (int i = 0; i < 2; i++) {
    char name[16], message[16], local[32];
    snprintf(name, sizeof name, "conv-%d", i);
    snprintf(message, sizeof message, "m%d", i);
    snprintf(local, sizeof local, "chatgpt:%s", name);
    await_follow_up(name, message, "ff1", "");
    json_t *offer = offer_to("ff1");
    int64_t own = r_now_plus(hours[i] * 3600000 + 60000);
    T_CHECK(claim(p, offer, "ff1", "t", 0) == 'u', "not claimed: %s", t_refusal(p));
    T_CHECK(end(p, offer, "t", (struct ck_end){.outcome = CK_LIT("done"), .cooldown_until = own}) ==
                'u',
            "not ended: %s", t_refusal(p));
    json_t *conversation = t_record("local_conversations", local);
    int64_t until = t_int_at(conversation, "cooldown_until", 0);
    T_CHECK(i ? until > own + 60000 : until == own, "it rests until %lld, own rest %lld",
            (long long)until, (long long)own);
    json_decref(conversation), json_decref(offer);
  }
  t_pause(300);
  json_t *conversation = t_record("local_conversations", "chatgpt:conv-0");
  T_CHECK(t_int_at(conversation, "cooldown_until", 0) > r_now_plus(7000000),
          "the client's rest was taken back");
  json_decref(conversation);
}

/* Whatever a client does wrong is refused, and said to it. */
T_STORY(renewal_client, that_misbehaves, 60) {
  t_up();
  struct t_producer *p = t_producer("ff1");
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1");
  T_CHECK(claim(p, offer, "ff1", "t", 0) == 'u', "not claimed: %s", t_refusal(p));
  refused(claim(p, offer, "ff1", "t", 0), p, "the job is running, not pending");
  refused(end(p, offer, "another", (struct ck_end){.outcome = CK_LIT("done")}), p, "end.token");
  refused(end(p, offer, "", (struct ck_end){.outcome = CK_LIT("done")}), p, "end.token");
  refused(end(p, offer, "t", (struct ck_end){.outcome = CK_LIT("retry")}), p, "end.outcome");
  refused(extend(p, offer, "another", 0), p, "extend.token");
  json_t *job = r_job_of("m1");
  struct t_result shown = t_convkeep("show", t_text_at(job, "job_id"), "--json");
  T_CHECK(shown.code == 0 && strstr(shown.out, "\"ff1\"") && !strstr(shown.out, "\"t\""),
          "show job says %s%s", shown.out, shown.err);
  t_result_free(&shown);
  T_CHECK(end(p, offer, "t", (struct ck_end){.outcome = CK_LIT("done")}) == 'u', "not ended: %s",
          t_refusal(p));
  refused(end(p, offer, "t", (struct ck_end){.outcome = CK_LIT("unknown")}), p, "end.token");
  r_wait_status("m1", "done", 20000);
  json_decref(job), json_decref(offer);
}

/* While a job waits for its client, or is with it, its conversation has no other delivery. */
T_STORY(renewal_client, holds_up_its_conversation_only, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_set("renew.account.spacing", "0s");
  t_set("renew.spacing", "0s"); /* so that nothing but the offer holds the other job up */
  t_up();
  await_follow_up("conv-1", "m1", "ff1", "");
  json_t *offer = offer_to("ff1");
  struct t_producer *p = t_producer("ff1");
  for (char *c = target; *c; c++)
    if (*c == '\'') *c = '"';
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': 'other', 'message_id': 'o1', 'role': 'user',"
                 " 'text': 't', 'observed_at': %lld, 'target': %s}\n",
                 (long long)r_now_plus(0), target);
  t_do(0, "renew", "x:other", "--payload", "to another conversation");
  T_UNTIL(15000, t_http_count(h) == 1, "another conversation is held up");
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'j2', 'local_conversation_id': '" CONVERSATION
          "', 'message_id': 'm1-user', 'payload': 'go on', 'target_snapshot': %s, "
          "'next_attempt_at': %lld}",
          target, (long long)r_now_plus(-1000));
  r_check_quiet(h, 1, 500);
  T_CHECK(claim(p, offer, "ff1", "t", 0) == 'u', "not claimed: %s", t_refusal(p));
  r_check_quiet(h, 1, 500);
  T_CHECK(end(p, offer, "t", (struct ck_end){.outcome = CK_LIT("done")}) == 'u', "not ended: %s",
          t_refusal(p));
  T_UNTIL(15000, t_http_count(h) == 2, "the other job does not go out afterwards");
  json_decref(offer);
  t_http_stop(&h);
}
