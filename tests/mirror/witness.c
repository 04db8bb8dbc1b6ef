/* The mirror's witness: a mirror that another store fills, that was set back or emptied, or a
 * database that was, is an alarm within one batch. Nothing is written until a person decides. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mirror/stories.h"

static bool alarm_is(const char *word) {
  json_t *s = t_status(2000);
  const char *said = t_text_at(s, t_sync("alarm"));
  bool is = word ? said && strcmp(said, word) == 0 : s && !said;
  json_decref(s);
  return is;
}

static const char *alarm_said(void) {
  static char text[400];
  json_t *s = t_status(2000);
  const char *word = t_text_at(s, t_sync("alarm")),
             *reason = t_text_at(s, t_sync("witness.reason"));
  snprintf(text, sizeof text, "%s: %s", word ? word : "none", reason ? reason : "");
  json_decref(s);
  return text;
}

static bool paused(void) {
  json_t *rows = t_query("pauses", NULL, 10, 0);
  const char *kind = t_text_at(rows, "0.kind");
  bool is = kind && strcmp(kind, "everything") == 0;
  json_decref(rows);
  return is;
}

static int64_t of_variant(const struct mirror *m, int v) {
  char sql[100];
  snprintf(sql, sizeof sql,
           "SELECT count(*) AS n FROM local_conversations WHERE title = 'title %d'", v);
  return m->number(sql);
}

static void shell(const char *command) { T_CHECK(system(command) == 0, "%s", command); }

/* The alarm has come, and was taken for what it is: nothing of this variant is in the mirror,
 * follow-ups are paused, status and doctor say it, and neither repair nor backfill writes. */
static void check_alarm(const struct mirror *m, const char *word, int variant) {
  T_UNTIL(10000, alarm_is(word), "the alarm is %s", alarm_said());
  T_CHECK(of_variant(m, variant) == 0, "%lld rows were written all the same",
          (long long)of_variant(m, variant));
  T_CHECK(paused(), "follow-ups are not paused");
  t_says(0, word, "status");
  t_says(0, word, "sync", "status");
  t_doctor_finds(1, "mirror", "wrong", word);
  t_says(1, "not this store's", "sync", "repair");
  T_CHECK(of_variant(m, variant) == 0, "repair has written");
}

/* A person takes it over. */
static void adopt(const struct mirror *m) {
  t_do(0, "sync", "adopt");
  T_CHECK(alarm_is(NULL), "the alarm is still %s", alarm_said());
  mirror_same(m, 20000);
}

static void begin(const struct mirror *m, struct t_producer **p) {
  mirror_ring(m);
  *p = t_producer("test");
  mirror_write(*p, 1, 10, 0);
  mirror_same(m, 10000);
  T_CHECK(alarm_is(NULL) && !paused(), "an alarm where all is well: %s", alarm_said());
  T_CHECK(m->number("SELECT count(*) AS n FROM convkeep_mirror") == 1, "there is no witness");
  T_CHECK(m->number("SELECT version AS n FROM convkeep_mirror") == t_status_int("version", -1),
          "the witness is not at the head");
}

void story_another_store_has_the_mirror(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  m->sql("UPDATE convkeep_mirror SET store_id = 'f00d', run = 'beef', version = version + 5000");
  m->sql("UPDATE messages SET raw_text = 'theirs', version = version + 5000 WHERE id = 'm3-1'");
  m->sql("DELETE FROM messages WHERE id = 'm4-1'");
  mirror_write(p, 1, 10, 1);
  check_alarm(m, "other_store", 1);
  T_CHECK(t_status_int("version", -1) > 1000000000, "the versions are not above the mirror's");
  T_CHECK(m->number("SELECT count(*) AS n FROM messages WHERE raw_text = 'theirs'") == 1 &&
              m->number("SELECT count(*) AS n FROM messages WHERE id = 'm4-1'") == 0,
          "something of the other store was repaired away");
  t_down();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  T_UNTIL(10000, alarm_is("other_store"), "after a restart the alarm is %s", alarm_said());
  adopt(m);
  mirror_write(t_producer("test"), 1, 10, 2);
  mirror_same(m, 10000);
  mirror_stop(m);
}

/* The database, and all beside it but the mirror, is as it was before; then it comes farther than
 * it had come. */
void story_a_folder_that_was_set_back(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  t_ring_forget();
  t_down();
  shell("mkdir ../out/older && cp -a artifact.db witness artifacts spool search.db ../out/older/");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 5, 10, 1);
  mirror_same(m, 10000);
  t_ring_forget();
  t_down();
  shell("rm -rf artifact.db* witness artifacts spool search.db* && cp -a ../out/older/* .");
  t_daemon("store", NULL);
  p = t_producer("test");
  mirror_write(p, 5, 40, 2);
  t_daemon("syncd", NULL);
  check_alarm(m, "set_back", 2);
  adopt(m);
  mirror_stop(m);
}

void story_a_mirror_that_was_set_back(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  m->sql(
      "UPDATE convkeep_mirror SET version = version - 1; DELETE FROM messages WHERE id = 'm9-2'");
  mirror_write(p, 1, 10, 1);
  check_alarm(m, "mirror_set_back", 1);
  adopt(m);
  mirror_stop(m);
}

void story_a_mirror_that_was_emptied(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  m->sql("DELETE FROM convkeep_mirror; DELETE FROM executions; DELETE FROM messages");
  mirror_write(p, 1, 10, 1);
  check_alarm(m, "mirror_new", 1);
  adopt(m);
  mirror_stop(m);
}

/* SQLite's only: under a running worker, which has the file open, an older one gets its name; then
 * there is none. */
void story_a_file_that_loses_its_name(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  t_ring_forget();
  t_down();
  shell("cp mirror.db ../out/older.db");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  p = t_producer("test");
  mirror_write(p, 5, 10, 1);
  mirror_same(m, 10000);
  shell("mv ../out/older.db mirror.db");
  mirror_write(p, 1, 10, 2);
  check_alarm(m, "mirror_set_back", 2);
  adopt(m);
  shell("mv mirror.db ../out/moved.db");
  mirror_write(p, 1, 10, 3);
  check_alarm(m, "mirror_new", 3);
  T_CHECK(t_sql_int("../out/moved.db", "SELECT count(*) AS n FROM local_conversations"
                                       " WHERE title = 'title 2'") > 0,
          "the file that was moved away has lost what it had");
  adopt(m);
  mirror_stop(m);
}

/* A flipped bit: no version of this store's can be above it. */
void story_a_witness_of_an_absurd_version(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  m->sql("UPDATE convkeep_mirror SET version = 3000000000000000000");
  mirror_write(p, 1, 10, 1);
  check_alarm(m, "set_back", 1);
  adopt(m);
  mirror_write(p, 1, 10, 2);
  mirror_same(m, 10000);
  T_CHECK(alarm_is(NULL), "the alarm is %s", alarm_said());
  T_CHECK(m->number("SELECT version AS n FROM convkeep_mirror") == t_status_int("version", -1),
          "the witness is not at the head");
  mirror_stop(m);
}

static bool proven(void) {
  json_t *s = t_status(2000);
  bool is = json_is_false(t_at(s, t_sync("unproven"))) &&
            t_int_at(s, t_sync("cursor"), -1) == t_int_at(s, "version", -2);
  json_decref(s);
  return is;
}

#define MADE_BY_HAND \
  "INSERT INTO messages (id, platform, role, raw_text, observed_at, static_path, created_at)" \
  " VALUES ('by-hand', 'p', 'user', '', 1, 'x', 1)"

static int64_t compared_at(void) {
  json_t *s = t_status(2000);
  int64_t at = t_int_at(s, t_sync("check.at"), -1);
  json_decref(s);
  return at;
}

/* SQLite's only. The takeover ends and says so, and repair is not tried again and again, which D1
 * would bill. */
void story_a_row_that_cannot_be_repaired(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  m->sql(MADE_BY_HAND);
  m->sql("CREATE TRIGGER keeps BEFORE DELETE ON messages BEGIN SELECT RAISE(IGNORE); END");
  t_says(1, "1 row could not be repaired", "sync", "adopt");
  t_says(0, "convkeep sync repair --deep tries it again", "status");
  int64_t at = compared_at();
  T_CHECK(at > 0, "there was no comparison");
  for (int i = 1; i <= 20; ++i) {
    mirror_write(p, i, 1, i);
    mirror_settle(10000);
  }
  T_CHECK(compared_at() == at, "it is repaired again at once");
  m->sql("DROP TRIGGER keeps");
  t_do(0, "sync", "repair", "--deep");
  mirror_same(m, 20000);
  T_CHECK(proven(), "the mirror is still unproven");
  mirror_stop(m);
}

/* What a comparison has found is in status and doctor, until it is repaired. */
void story_a_wrong_mirror_is_shown(const struct mirror *m) {
  struct t_producer *p;
  bool own = strcmp(m->name, "sqlite") == 0;
  begin(m, &p);
  t_says(0, "up to date", "status");
  m->sql(MADE_BY_HAND);
  t_do(1, "sync", "verify");
  t_says(0, "1 row differs from the database (verify, ", "status");
  t_says(0, "convkeep sync repair writes what differs", "status");
  t_says(0, "but not right", "status");
  if (!own) t_doctor_finds(1, "mirror", "wrong", "the last comparison (verify) ended with 1 wrong");
  T_CHECK(m->number("SELECT count(*) AS n FROM messages WHERE id = 'by-hand'") == 1,
          "it was repaired by itself");
  t_do(0, "sync", "repair");
  t_says(0, "up to date", "status");
  mirror_same(m, 20000);
  mirror_stop(m);
}

/* What was wrong may be put right without us: the other store lets go of it, or the mirror is set
 * forth again. */
void story_a_mirror_that_fits_again(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  m->sql("UPDATE convkeep_mirror SET version = version - 1");
  mirror_write(p, 1, 10, 1);
  T_UNTIL(10000, alarm_is("mirror_set_back"), "the alarm is %s", alarm_said());
  m->sql("UPDATE convkeep_mirror SET version = version + 1");
  t_down();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_same(m, 10000);
  T_CHECK(alarm_is(NULL), "the alarm is still %s", alarm_said());
  mirror_stop(m);
}

/* A table that is made anew is filled again by itself, while the ring runs, or with the next one.
 */
static void check_filled_again(const struct mirror *m, const char *schema) {
  if (schema) t_do(0, "sync", "schema", schema);
  T_UNTIL(10000, m->number("SELECT count(*) AS n FROM executions") > 0, "it is not filled again");
  mirror_same(m, 20000);
  T_CHECK(alarm_is(NULL) && !paused(), "an alarm: %s", alarm_said());
}

void story_a_table_that_is_made_anew_is_filled_again(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  bool own = strcmp(m->name, "sqlite") == 0;
  t_ring_forget();
  t_down();
  m->sql("DROP TABLE executions");
  t_daemon("store", NULL);
  if (!own) t_do(0, "sync", "schema", "--apply");
  t_daemon("syncd", NULL);
  check_filled_again(m, NULL);
  if (!own) {
    m->sql("DROP TABLE executions");
    check_filled_again(m, "--apply");
  }
  mirror_stop(m);
}

/* Rows that were changed or added after the backup are as the backup has them, or gone. */
void story_what_a_restore_brings_back_is_mirrored(const struct mirror *m) {
  struct t_producer *p;
  begin(m, &p);
  t_do(0, "backup", "../out/copy.db");
  mirror_write(p, 1, 5, 1);
  mirror_write(p, 50, 5, 1);
  mirror_same(m, 10000);
  t_ring_forget();
  t_down();
  t_do(0, "restore", "../out/copy.db");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  T_UNTIL(10000, mirror_fits(), "the mirror is not taken for this store's: %s", alarm_said());
  T_UNTIL(20000, proven(), "the mirror was not compared");
  T_CHECK(of_variant(m, 1) == 0, "rows of the lost time are still there");
  mirror_same(m, 20000);
  T_CHECK(alarm_is(NULL), "the alarm is %s", alarm_said());
  mirror_stop(m);
}
