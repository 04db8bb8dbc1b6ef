/* Reads observations by tables: each name has a reader, which checks and converts the value, and
 * the field it goes to. A reader that fails says what is wrong with the value; read_names puts the
 * name in front. */
#include "ingest/observation.h"

#include <string.h>

#include "ingest/parse/json.h"
#include "ingest/value.h"
#include "proto/clock.h"

struct reading {
  struct ingest_observation *o;
  struct ingest_execution *e;
  bool ok_given; /* the execution has result_ok */
  struct ck_arena *arena;
};

struct name {
  const char *name;
  int (*read)(void *field, const struct ingest_value *value, struct reading *r, struct ck_err *err);
  size_t offset; /* of the field in the struct that is filled */
};

static int wrong(const struct ingest_value *value, const char *expected, struct ck_err *err) {
  return ck_fail(err, "expected %s, got %s", expected, ingest_value_type(value));
}

/* ---- readers ---- */

static int read_text(void *field, const struct ingest_value *value, struct reading *r,
                     struct ck_err *err) {
  (void)r;
  if (value->type == INGEST_NULL) return 0;
  if (value->type != INGEST_TEXT) return wrong(value, "text", err);
  *(struct ck_str *)field = value->text;
  return 0;
}

static int read_optional(void *field, const struct ingest_value *value, struct reading *r,
                         struct ck_err *err) {
  struct ck_str text = {0};
  if (read_text(&text, value, r, err)) return -1;
  *(struct ck_value *)field = value->type == INGEST_NULL ? ck_null() : ck_text(text);
  return 0;
}

static int read_message_text(void *field, const struct ingest_value *value, struct reading *r,
                             struct ck_err *err) {
  if (read_text(field, value, r, err)) return -1;
  r->o->has_text = value->type != INGEST_NULL;
  return 0;
}

/* A smaller number is milliseconds: in seconds it would be before 2001, when nobody chatted. */
#define SECONDS_FROM 1000000000

static bool number_time(const struct ingest_value *value, int64_t *ms) {
  double number = value->number;
  bool is_number = value->type == INGEST_INTEGER || value->type == INGEST_FRACTION ||
                   (value->type == INGEST_TEXT && ingest_time_digits(value->text, &number));
  if (is_number && number >= SECONDS_FROM) {
    if (ingest_time_number(number, ms)) return true;
  }
  *ms = value->integer;
  return value->type == INGEST_INTEGER;
}

static int read_time(void *field, const struct ingest_value *value, struct reading *r,
                     struct ck_err *err) {
  int64_t ms;
  (void)r;
  if (value->type == INGEST_NULL) return 0;
  if (!number_time(value, &ms)) {
    struct ck_str text = ck_trim(value->text), shown = ck_utf8_cut(text, 60);
    if (value->type != INGEST_TEXT) return wrong(value, "milliseconds or an ISO 8601 time", err);
    if (ck_time_parse(text.s, text.n, &ms))
      return ck_fail(err, "\"%.*s\" is not an ISO 8601 time", (int)shown.n, shown.n ? shown.s : "");
  }
  if (!ingest_time_ok(ms))
    return ck_fail(err, "%lld is not a time between 1970 and 9999 in milliseconds", (long long)ms);
  *(int64_t *)field = ms;
  return 0;
}

static int read_json(void *field, const struct ingest_value *value, struct reading *r,
                     struct ck_err *err) {
  struct ck_str text;
  if (ingest_value_any(value, &text, r->arena, err)) return -1;
  *(struct ck_value *)field = value->type == INGEST_NULL ? ck_null() : ck_text(text);
  return 0;
}

static int read_any(void *field, const struct ingest_value *value, struct reading *r,
                    struct ck_err *err) {
  return ingest_value_any(value, field, r->arena, err);
}

static int read_params(void *field, const struct ingest_value *value, struct reading *r,
                       struct ck_err *err) {
  if (value->type != INGEST_NULL)
    r->e->params_kind = value->type == INGEST_TEXT ? "inline_string" : "inline_json";
  return read_any(field, value, r, err);
}

static int read_ok(void *field, const struct ingest_value *value, struct reading *r,
                   struct ck_err *err) {
  bool is_bit = value->type == INGEST_INTEGER && (value->integer == 0 || value->integer == 1);
  bool is_bool = value->type == INGEST_TRUE || value->type == INGEST_FALSE;
  if (value->type == INGEST_NULL) return 0;
  if (!is_bool && !is_bit) return wrong(value, "true or false", err);
  *(bool *)field = is_bit ? value->integer == 1 : value->type == INGEST_TRUE;
  r->ok_given = true;
  return 0;
}

static int read_status(void *field, const struct ingest_value *value, struct reading *r,
                       struct ck_err *err) {
  (void)r;
  if (value->type != INGEST_NULL && value->type != INGEST_INTEGER)
    return wrong(value, "an integer", err);
  *(struct ck_value *)field = value->type == INGEST_NULL ? ck_null() : ck_int(value->integer);
  return 0;
}

static int read_target(void *field, const struct ingest_value *value, struct reading *r,
                       struct ck_err *err);
static int read_execution(void *field, const struct ingest_value *value, struct reading *r,
                          struct ck_err *err);

/* ---- names ---- */

#define NAMES_MAX 13

#define O(field) offsetof(struct ingest_observation, field)
#define E(field) offsetof(struct ingest_execution, field)

static const struct name observation_names[] = {
    {"platform", read_text, O(platform)},
    {"text", read_message_text, O(text)},
    {"role", read_text, O(role)},
    {"conversation_id", read_optional, O(conversation_id)},
    {"message_id", read_text, O(message_id)},
    {"parent_id", read_text, O(parent_id)},
    {"observed_at", read_time, O(observed_at)},
    {"page_url", read_optional, O(page_url)},
    {"page_title", read_optional, O(page_title)},
    {"client_id", read_optional, O(client_id)},
    {"organization_id", read_optional, O(organization_id)},
    {"target", read_target, 0},
    {"execution", read_execution, 0},
    {0}};

static const struct name target_names[] = {{"kind", read_optional, O(target_kind)},
                                           {"id", read_optional, O(target_id)},
                                           {"payload", read_json, O(target_payload)},
                                           {0}};

static const struct name execution_names[] = {{"instruction_id", read_text, E(instruction_id)},
                                              {"target", read_text, E(target)},
                                              {"tool", read_text, E(tool)},
                                              {"params", read_params, E(params)},
                                              {"result_ok", read_ok, E(ok)},
                                              {"result", read_any, E(result)},
                                              {"error", read_any, E(error)},
                                              {"http_status", read_status, E(http_status)},
                                              {"executed_at", read_time, E(executed_at)},
                                              {0}};

/* The index of a name in its table, or -1. */
static int find(const struct name *names, struct ck_str name) {
  for (int i = 0; names[i].name; ++i)
    if (ck_str_is(name, names[i].name)) return i;
  return -1;
}

static int read_names(const struct name *names, void *into, const struct ingest_value *object,
                      struct reading *r, struct ck_err *err) {
  struct ingest_value found[NAMES_MAX] = {{0}};
  struct ck_str name;
  if (object->type != INGEST_OBJECT) return wrong(object, "an object", err);
  for (struct ingest_members m = ingest_members_of(object); ingest_members_next(&m, &name);) {
    int i = find(names, name);
    if (i < 0)
      ++r->o->unknown;
    else
      found[i] = ingest_members_value(&m, r->arena);
  }
  for (int i = 0; names[i].name; ++i)
    if (found[i].type != INGEST_MISSING &&
        names[i].read((char *)into + names[i].offset, &found[i], r, err))
      return ck_fail_in(err, "%s", names[i].name);
  return 0;
}

static int read_target(void *field, const struct ingest_value *value, struct reading *r,
                       struct ck_err *err) {
  struct ingest_observation *o = field;
  if (value->type == INGEST_NULL) {
    o->target_kind = o->target_id = o->target_payload = ck_null();
    return 0;
  }
  return read_names(target_names, o, value, r, err);
}

/* Without a result the call is known, and its result may come later. */
static int check_result(struct ingest_execution *e, bool ok_given, struct ck_err *err) {
  e->no_result = !ok_given;
  if (e->no_result && (e->result.n || e->error.n))
    return ck_fail(err, "result_ok: missing beside result or error");
  if (ok_given && !e->ok && !e->error.n) e->error = e->result.n ? e->result : CK_LIT("failed");
  return 0;
}

static int read_execution(void *field, const struct ingest_value *value, struct reading *r,
                          struct ck_err *err) {
  (void)field;
  if (value->type == INGEST_NULL) return 0;
  r->e = ck_arena_get(r->arena, sizeof *r->e);
  *r->e = (struct ingest_execution){.executed_at = INGEST_NO_TIME};
  if (read_names(execution_names, r->e, value, r, err)) return -1;
  if (!ck_trim(r->e->target).n) return ck_fail(err, "target: missing");
  if (!ck_trim(r->e->tool).n) return ck_fail(err, "tool: missing");
  if (check_result(r->e, r->ok_given, err)) return -1;
  r->o->executions = r->e;
  r->o->execution_count = 1;
  return 0;
}

static int read_observation(struct ingest_observation *o, const struct ingest_value *object,
                            struct ck_arena *arena, struct ck_err *err) {
  struct reading r = {.o = o, .arena = arena};
  *o = (struct ingest_observation){.observed_at = INGEST_NO_TIME};
  if (read_names(observation_names, o, object, &r, err)) return -1;
  if (!ck_trim(o->platform).n) return ck_fail(err, "platform: missing");
  return 0;
}

int ingest_observation_read(struct ingest_observation *o, const json_t *object,
                            struct ck_arena *arena, struct ck_err *err) {
  struct ingest_value value = ingest_value_json(object);
  return read_observation(o, &value, arena, err);
}

int ingest_observation_unpack(struct ingest_observation *o, struct ck_str packed,
                              struct ck_arena *arena, struct ck_err *err) {
  struct ingest_value value = ingest_value_packed(packed, arena);
  int rc = read_observation(o, &value, arena, err);
  o->packed = packed;
  if (rc || !o->unknown) return rc;
  /* The acceptor will quarantine a copy as JSON; if that is impossible, refuse it now. */
  return ingest_value_any(&value, &o->raw, arena, err);
}
