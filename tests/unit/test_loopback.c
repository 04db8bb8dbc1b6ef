/* Which hosts count as this machine, and the three gates that ask: doors, D1, PostgreSQL. */
#include "proto/loopback.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/doors.h"
#include "syncd/sinks/sink_postgres_internal.h"

/* Hosts that never count as this machine. */
static const char *const others[] = {
    "",
    ".",
    "localhost.evil.com",
    "localhost.",
    "localhos",
    "localhostt",
    "local host",
    " localhost",
    "localhost ",
    "evil.com",
    "127.999.1.1",
    "127.0.0.256",
    "127. 0.0.1",
    "127.0.0.1 ",
    " 127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.0.0.1.evil.com",
    "127.0.0.1\n",
    "128.0.0.1",
    "12.7.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "::",
    "::2",
    "::1%lo",
    "::1.",
    ":::1",
    "fe80::1",
    "::ffff:128.0.0.1",
    "::ffff:127.0.0.1",
    "::FFFF:127.255.0.1",
    "::ffff:7f00:1",
    "[::ffff:127.0.0.1]",
    "::ffff:127.999.1.1",
    "::127.0.0.1",
    "64:ff9b::127.0.0.1",
    "::1]",
    "[::1",
    "[]",
    "[",
    "*",
    "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
};

/* Hosts that do, without brackets. */
static const char *const ours[] = {
    "localhost", "LOCALHOST",       "LocalHost", "127.0.0.1",
    "127.1.2.3", "127.255.255.255", "::1",       "0:0:0:0:0:0:0:1",
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

Test(loopback, nothing_else_is_let_through) {
  for (size_t i = 0; i < COUNT(others); ++i) {
    cr_expect_not(ck_is_loopback(ck_str_of(others[i])), "\"%s\"", others[i]);
    cr_expect_not(ck_is_loopback_in_url(ck_str_of(others[i])), "\"%s\"", others[i]);
  }
  cr_expect_not(ck_is_loopback((struct ck_str){0}));
  cr_expect_not(ck_is_loopback(CK_LIT("localhost\0.evil.com")), "a zero byte ends no host");
}

Test(loopback, this_machine_by_each_of_its_names) {
  for (size_t i = 0; i < COUNT(ours); ++i) {
    cr_expect(ck_is_loopback(ck_str_of(ours[i])), "\"%s\"", ours[i]);
    cr_expect(ck_is_loopback_in_url(ck_str_of(ours[i])), "\"%s\"", ours[i]);
  }
}

Test(loopback, brackets_belong_to_ipv6_in_addresses) {
  cr_expect(ck_is_loopback_in_url(CK_LIT("[::1]")));
  cr_expect_not(ck_is_loopback(CK_LIT("[::1]")));
  static const char *const odd[] = {"[localhost]", "[127.0.0.1]", "[[::1]]", "[::2]",
                                    "[::1].evil.com"};
  for (size_t i = 0; i < COUNT(odd); ++i)
    cr_expect_not(ck_is_loopback_in_url(ck_str_of(odd[i])), "%s", odd[i]);
}

/* ---- the gates ---- */

static char folder[32];
static struct ck_settings *settings;
static struct ck_err err;

static void begin(void) {
  strcpy(folder, "/tmp/ck-loopback-XXXXXX");
  cr_assert(mkdtemp(folder) && chdir(folder) == 0);
  settings = ck_settings_load(NULL, &err);
  cr_assert(settings, "%s", err.text);
}

static void end(void) {
  ck_settings_free(&settings);
  ck_context_end();
  rmdir(folder);
}

TestSuite(loopback_gates, .init = begin, .fini = end);

static void set(const char *name, const char *value) {
  cr_assert_eq(ck_settings_flag(settings, name, value, &err), 0, "%s", err.text);
}

/* The error of opening a door at this address, in a folder without keys. */
static void door_says(const char *curve, const char *address, const char *reason) {
  set("door.curve", curve);
  set("door.snapshot", address);
  err.text[0] = '\0';
  void *bound = ck_door_bind(settings, CK_DOOR_SNAPSHOT, &err);
  cr_expect_null(bound, "%s", address);
  cr_expect(strstr(err.text, reason), "%s: \"%s\" says no \"%s\"", address, err.text, reason);
  ck_door_close(&bound, 0);
  err.text[0] = '\0';
  void *connected = ck_door_connect(settings, CK_DOOR_SNAPSHOT, &err);
  cr_expect_null(connected, "%s", address);
  cr_expect(strstr(err.text, reason), "%s: \"%s\" says no \"%s\"", address, err.text, reason);
  ck_door_close(&connected, 0);
}

Test(loopback_gates, no_door_to_the_world_without_curve) {
  static const char *const world[] = {
      "tcp://localhost.evil.com:5000",
      "tcp://127.999.1.1:5000",
      "tcp://127. 0.0.1:5000",
      "tcp://127.1:5000",
      "tcp://localhost.:5000",
      "tcp://0.0.0.0:5000",
      "tcp://*:5000",
      "tcp://:5000",
      "tcp://[localhost]:5000",
      "tcp://[::2]:5000",
      "tcp://127.0.0.1:0;evil.com:5000",
  };
  for (size_t i = 0; i < COUNT(world); ++i) {
    door_says("off", world[i], "needs CURVE");
    door_says("auto", world[i], "no CURVE certificate");
  }
  door_says("off", "tcp://localhost", "must be tcp://HOST:PORT");
}

Test(loopback_gates, a_door_on_this_machine_needs_none) {
  static const char *const here[] = {"tcp://127.0.0.1:9", "tcp://localhost:9", "tcp://LOCALHOST:9"};
  for (size_t i = 0; i < COUNT(here); ++i) {
    set("door.snapshot", here[i]);
    set("door.curve", i % 2 ? "off" : "auto");
    void *socket = ck_door_connect(settings, CK_DOOR_SNAPSHOT, &err);
    cr_expect(socket, "%s: %s", here[i], err.text);
    ck_door_close(&socket, 0);
  }
}

static int d1_opens(const char *endpoint) {
  void *sink = NULL;
  set("d1.endpoint", endpoint);
  int rc = sync_sink_d1.open(&sink, settings, &err);
  if (sink) sync_sink_d1.close(&sink);
  return rc;
}

Test(loopback_gates, the_d1_token_leaves_the_machine_only_by_https) {
  static const char *const world[] = {
      "http://localhost.evil.com/v4", "http://127.999.1.1/v4", "http://localhost./v4",
      "http://127.0.0.1.evil.com/v4", "http://[::2]/v4",       "http://evil.com/v4",
      "http://localhost@evil.com/v4", "ftp://localhost/v4",
  };
  for (size_t i = 0; i < COUNT(world); ++i) {
    cr_expect_eq(d1_opens(world[i]), -1, "%s", world[i]);
    cr_expect(strstr(err.text, "d1.endpoint"), "%s", err.text);
  }
  static const char *const fine[] = {
      "http://localhost:1/v4", "http://LOCALHOST/v4", "http://127.9.8.7/v4",
      "http://[::1]:1/v4",     "https://evil.com/v4",
  };
  for (size_t i = 0; i < COUNT(fine); ++i)
    cr_expect_neq(d1_opens(fine[i]), -1, "%s: %s", fine[i], err.text);
}

Test(loopback_gates, postgres_goes_without_a_certificate_only_here) {
  static const struct {
    const char *hosts, *mode;
  } all[] = {
      {"localhost", "prefer"},
      {"LOCALHOST", "prefer"},
      {"::1", "prefer"},
      {"127.0.0.1,::1", "prefer"},
      {"/run/postgresql", "disable"},
      {"@abstract", "disable"},
      {"/run/a,/run/b", "disable"},
      {"/run/a,localhost", "prefer"},
      {"localhost.evil.com", "verify-full"},
      {"127.999.1.1", "verify-full"},
      {"127. 0.0.1", "verify-full"},
      {"127.1", "verify-full"},
      {"[::1]", "verify-full"},
      {"localhost,evil.com", "verify-full"},
      {"evil.com,localhost", "verify-full"},
      {"/run/a,evil.com", "verify-full"},
      {"localhost,", "verify-full"},
      {",localhost", "verify-full"},
      {"localhost, ::1", "verify-full"},
      {"", "verify-full"},
  };
  for (size_t i = 0; i < COUNT(all); ++i) {
    cr_expect_str_eq(pg_ssl_mode(all[i].hosts), all[i].mode, "%s", all[i].hosts);
    cr_expect_str_eq(pg_ssl_mode_here(all[i].hosts), all[i].mode, "%s", all[i].hosts);
  }
  setenv("PGHOSTADDR", "192.0.2.1", 1);
  cr_expect_str_eq(pg_ssl_mode_here("localhost"), "verify-full", "the connection goes elsewhere");
  cr_expect_str_eq(pg_ssl_mode_here("/run/postgresql"), "verify-full");
  setenv("PGHOSTADDR", "127.0.0.1", 1);
  cr_expect_str_eq(pg_ssl_mode_here("localhost"), "prefer");
}
