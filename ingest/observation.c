#include "ingest/observation.h"

#include <string.h>

#include "ingest/json.h"
#include "proto/clock.h"

/* One table says for each name what it may be and where it goes. A reader returns -1 with what is wrong with the value; the name is put in front. */
struct reading {
  struct ingest_observation *o;
  struct ingest_execution *e;
  struct ck_arena *arena;
};

struct name {
  const char *name;
  int (*read)(void *field, const json_t *value, struct reading *r, struct ck_err *err);
  size_t offset; /* of field in the struct that the table fills */
};

static int wrong(const json_t *value, const char *wanted, struct ck_err *err) {
  return ck_fail(err, "%s is wanted, this is %s", wanted, ingest_json_type(value));
}

/* ---- readers ---- */

static int read_text(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  (void)r;
  if (json_is_null(value)) return 0;
  if (!json_is_string(value)) return wrong(value, "text", err);
  *(struct ck_str *)field = ingest_json_str(value);
  return 0;
}

static int read_optional(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  struct ck_str text = {0};
  if (read_text(&text, value, r, err)) return -1;
  *(struct ck_value *)field = json_is_null(value) ? ck_null() : ck_text(text);
  return 0;
}

static int read_message_text(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  if (read_text(field, value, r, err)) return -1;
  r->o->has_text = !json_is_null(value);
  return 0;
}

static int read_time(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  int64_t ms;
  (void)r;
  if (json_is_null(value)) return 0;
  if (json_is_integer(value)) {
    ms = json_integer_value(value);
  } else if (json_is_string(value)) {
    struct ck_str text = ck_trim(ingest_json_str(value));
    struct ck_str shown = ck_utf8_cut(text, 60);
    if (ck_time_parse(text.s, text.n, &ms)) return ck_fail(err, "\"%.*s\" is no ISO 8601 time", (int)shown.n, shown.n ? shown.s : "");
  } else {
    return wrong(value, "milliseconds or an ISO 8601 time", err);
  }
  if (!ingest_time_ok(ms)) return ck_fail(err, "%lld is no time between 1970 and 9999 in milliseconds", (long long)ms);
  *(int64_t *)field = ms;
  return 0;
}

static int read_json(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  (void)err;
  *(struct ck_value *)field = json_is_null(value) ? ck_null() : ck_text(ingest_json_any(value, r->arena));
  return 0;
}

static int read_any(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  (void)err;
  *(struct ck_str *)field = ingest_json_any(value, r->arena);
  return 0;
}

static int read_params(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  if (!json_is_null(value)) r->e->params_kind = json_is_string(value) ? "inline_string" : "inline_json";
  return read_any(field, value, r, err);
}

static int read_ok(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  (void)r;
  bool is_bit = json_is_integer(value) && (json_integer_value(value) == 0 || json_integer_value(value) == 1);
  if (!json_is_boolean(value) && !is_bit) return wrong(value, "true or false", err);
  *(bool *)field = is_bit ? json_integer_value(value) == 1 : json_is_true(value);
  return 0;
}

static int read_status(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  (void)r;
  if (!json_is_null(value) && !json_is_integer(value)) return wrong(value, "an integer", err);
  *(struct ck_value *)field = json_is_null(value) ? ck_null() : ck_int(json_integer_value(value));
  return 0;
}

static int read_target(void *field, const json_t *value, struct reading *r, struct ck_err *err);
static int read_execution(void *field, const json_t *value, struct reading *r, struct ck_err *err);

/* ---- names ---- */

#define O(field) offsetof(struct ingest_observation, field)
#define E(field) offsetof(struct ingest_execution, field)

static const struct name observation_names[] = {{"platform", read_text, O(platform)},
                                                {"text", read_message_text, O(text)},
                                                {"role", read_text, O(role)},
                                                {"conversation_id", read_optional, O(conversation_id)},
                                                {"message_id", read_text, O(message_id)},
                                                {"observed_at", read_time, O(observed_at)},
                                                {"page_url", read_optional, O(page_url)},
                                                {"page_title", read_optional, O(page_title)},
                                                {"client_id", read_optional, O(client_id)},
                                                {"organization_id", read_optional, O(organization_id)},
                                                {"target", read_target, 0},
                                                {"execution", read_execution, 0},
                                                {0}};

static const struct name target_names[] = {
    {"kind", read_optional, O(target_kind)}, {"id", read_optional, O(target_id)}, {"payload", read_json, O(target_payload)}, {0}};

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

static const struct name *find(const struct name *names, const char *name) {
  for (; names->name; ++names)
    if (strcmp(names->name, name) == 0) return names;
  return NULL;
}

static int read_names(const struct name *names, void *into, const json_t *object, struct reading *r, struct ck_err *err) {
  const char *key;
  json_t *value;
  if (!json_is_object(object)) return wrong(object, "an object", err);
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    const struct name *n = find(names, key);
    if (!n)
      ++r->o->unknown;
    else if (n->read((char *)into + n->offset, value, r, err))
      return ck_fail_in(err, "%s", key);
  }
  return 0;
}

static int read_target(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  struct ingest_observation *o = field;
  if (json_is_null(value)) {
    o->target_kind = o->target_id = o->target_payload = ck_null();
    return 0;
  }
  return read_names(target_names, o, value, r, err);
}

static int read_execution(void *field, const json_t *value, struct reading *r, struct ck_err *err) {
  (void)field;
  if (json_is_null(value)) return 0;
  r->e = ck_arena_get(r->arena, sizeof *r->e);
  *r->e = (struct ingest_execution){.executed_at = INGEST_NO_TIME};
  if (read_names(execution_names, r->e, value, r, err)) return -1;
  if (!ck_trim(r->e->target).n) return ck_fail(err, "target: missing");
  if (!ck_trim(r->e->tool).n) return ck_fail(err, "tool: missing");
  if (!json_object_get(value, "result_ok")) return ck_fail(err, "result_ok: missing");
  r->o->executions = r->e;
  r->o->execution_count = 1;
  return 0;
}

int ingest_observation_read(struct ingest_observation *o, const json_t *object, struct ck_arena *arena, struct ck_err *err) {
  struct reading r = {.o = o, .arena = arena};
  *o = (struct ingest_observation){.observed_at = INGEST_NO_TIME};
  if (read_names(observation_names, o, object, &r, err)) return -1;
  if (!ck_trim(o->platform).n) return ck_fail(err, "platform: missing");
  return 0;
}
