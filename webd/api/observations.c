/* POST /v1/observations: one observation, several in an array or on lines, or a provider's own JSON
 * as import takes it. It is answered when all of it is durable in ingest's spool.
 *
 *   body ─┬─► observations ─► OBSERVE, one by one ─► TAKEN … ─┬─► ids, failures
 *         └─► a file ──────► OPEN, PIECE … ───────► IMPORTED ─┘
 *
 * Given again, it changes nothing, so a client that got no answer sends it again. */
#include "webd/api/api.h"

#include <stdlib.h>

#include "proto/json.h"
#include "proto/sha256.h"

#define FAILURES_MAX 100 /* that are named */
#define NAME_MAX_BYTES 200

/* What was given with one request, until all of it has its end. */
struct batch {
  struct webd *webd;
  struct web_request *r;
  const char *place; /* "line", or "index" */
  json_t *ids;       /* in the order in which they were given; null: that one failed */
  json_t *failures;  /* the first of them */
  size_t failed, open;
  bool all_given; /* none is to come */
  bool away, busy;
  struct ck_err why; /* of these */
};

struct one {
  struct batch *batch;
  size_t index; /* in ids */
  int64_t place;
  char *syntax; /* why it is no JSON; NULL: it is */
};

static void put_hash(json_t *object, const struct web_request *r) {
  struct ck_sha256 h;
  char hex[CK_SHA256_HEX + 1];
  ck_sha256_begin(&h);
  ck_sha256_add(&h, web_body(r));
  ck_sha256_end_hex(&h, hex);
  json_object_set_new(object, "sha256", json_string(hex));
}

/* ---- failures ---- */

/* "platform" of "platform: missing"; NULL: the reason does not begin with a field. */
static json_t *field_of(const char *reason) {
  size_t n = strspn(reason, "abcdefghijklmnopqrstuvwxyz_.0123456789[]");
  return n && reason[n] == ':' ? json_stringn(reason, n) : json_null();
}

static void add_failure(struct batch *b, int64_t place, const char *reason) {
  if (b->failed++ >= FAILURES_MAX) return;
  json_t *failure = json_pack("{s:I, s:o, s:s}", b->place, (json_int_t)place, "field",
                              field_of(reason), "reason", reason);
  if (failure) json_array_append_new(b->failures, failure);
}

/* ---- the answer ---- */

static void answer_taken(struct batch *b) {
  size_t taken = json_array_size(b->ids) - b->failed;
  json_t *said = json_pack("{s:I, s:I, s:O, s:O}", "taken", (json_int_t)taken, "failed",
                           (json_int_t)b->failed, "ids", b->ids, "failures", b->failures);
  put_hash(said, b->r);
  const char *first = json_string_value(json_object_get(json_array_get(b->failures, 0), "reason"));
  if (taken == 0)
    web_refuse_json(b->r, WEB_REFUSED_INVALID, first ? first : "there is nothing in it", said);
  else
    web_answer_json(b->r, b->failed ? 207 : 200, said);
}

static void finish(struct batch *b) {
  if (b->open || !b->all_given) return;
  if (b->away)
    web_refuse_for(b->r, WEB_REFUSED_AWAY, 2, "ingest does not answer; give it again");
  else if (b->busy)
    web_refuse_for(b->r, WEB_REFUSED_BUSY, 5, "%s", b->why.text);
  else
    answer_taken(b);
  json_decref(b->ids);
  json_decref(b->failures);
  free(b);
}

static void heard(void *self, const struct web_said *said) {
  struct one *one = self;
  struct batch *b = one->batch;
  if (said->answer && said->answer->kind == CK_MSG_TAKEN) {
    struct ck_str id = said->answer->as.taken.message_id;
    json_array_set_new(b->ids, one->index, json_stringn(id.s, id.n));
  } else if (said->code.n && !ck_str_is(said->code, "busy")) {
    char *reason = one->syntax ? ck_strdup(one->syntax) : ck_str_dup(said->reason);
    add_failure(b, one->place, reason);
    free(reason);
  } else {
    b->busy |= said->code.n > 0;
    b->away |= said->code.n == 0;
    ck_fail(&b->why, "%.*s", (int)said->reason.n, said->reason.s);
  }
  free(one->syntax);
  free(one);
  --b->open;
  finish(b);
}

/* ---- giving ---- */

/* Ingest refuses what is no map, and keeps it. syntax: NULL, or on the heap, taken. */
static void give(struct batch *b, int64_t place, const json_t *value, char *syntax) {
  struct ck_buf packed = {0};
  struct ck_message m = {.kind = CK_MSG_OBSERVE};
  struct one *one = ck_alloc(sizeof *one);
  *one = (struct one){b, json_array_size(b->ids), place, syntax};
  json_array_append_new(b->ids, json_null());
  bool ok = ck_put_json(&packed, value) == 0;
  m.as.observe.observation = ck_buf_view(&packed);
  ++b->open;
  int ms = WEB_ANSWER_MS + (int)(b->open / 4);
  if (!ok || web_ask(b->webd->ingest, &m, ms, heard, one)) {
    free(one);
    free(syntax);
    --b->open;
    add_failure(b, place, ok ? "it has more than 8 MiB" : "it is nested too deeply");
  }
  ck_buf_free(&packed);
}

/* A line that is no JSON is given as text, which ingest keeps with what it refuses. */
static void give_line(struct batch *b, int64_t line, struct ck_str text) {
  json_error_t error;
  json_t *value = ck_json_parse(text, &error);
  char *syntax = value ? NULL : ck_sprintf("column %d: %s", error.column, error.text);
  if (!value) value = json_stringn(text.s, text.n);
  if (!value) value = json_string("a line that is no UTF-8");
  give(b, line, value, syntax);
  json_decref(value);
}

static struct batch *batch_new(struct webd *w, struct web_request *r, const char *place) {
  struct batch *b = ck_zalloc(sizeof *b);
  *b = (struct batch){
      .webd = w, .r = r, .place = place, .ids = json_array(), .failures = json_array()};
  return b;
}

static void end_of_giving(struct batch *b) {
  b->all_given = true;
  finish(b);
}

static void give_lines(struct webd *w, struct web_request *r) {
  struct batch *b = batch_new(w, r, "line");
  struct ck_str rest = web_body(r);
  for (int64_t line = 1; rest.n; ++line) {
    const char *end = memchr(rest.s, '\n', rest.n);
    size_t n = end ? (size_t)(end - rest.s) : rest.n;
    struct ck_str text = ck_trim((struct ck_str){rest.s, n});
    if (text.n) give_line(b, line, text);
    rest.n -= n + (end != NULL);
    rest.s += n + (end != NULL);
  }
  end_of_giving(b);
}

static void give_array(struct webd *w, struct web_request *r) {
  json_error_t error;
  struct ck_str body = web_body(r);
  if (body.n > WEB_ARRAY_BYTES) {
    web_refuse(r, WEB_REFUSED_BODY, "an array has at most %zu MiB; give them on lines",
               WEB_ARRAY_BYTES >> 20);
    return;
  }
  json_t *all = ck_json_parse(body, &error), *value;
  if (!all) {
    web_refuse(r, WEB_REFUSED_SYNTAX, "line %d, column %d: %s", error.line, error.column,
               error.text);
    return;
  }
  struct batch *b = batch_new(w, r, "index");
  size_t i;
  json_array_foreach(all, i, value) give(b, (int64_t)i, value, NULL);
  json_decref(all);
  end_of_giving(b);
}

static void give_one(struct webd *w, struct web_request *r, const json_t *value) {
  struct batch *b = batch_new(w, r, "index");
  give(b, 0, value, NULL);
  end_of_giving(b);
}

/* ---- a file ---- */

static json_t *failures_of(struct ck_str packed) {
  json_t *list = json_array();
  struct ck_reader r = ck_reader_of(packed);
  struct ck_failure f;
  uint32_t n;
  if (ck_read_array(&r, &n)) return list;
  for (; n && ck_failure_decode(&r, &f, NULL) == 0; --n)
    json_array_append_new(list, json_pack("{s:s%, s:s%}", "place", f.place.s, f.place.n, "reason",
                                          f.reason.s, f.reason.n));
  return list;
}

static void answer_imported(struct web_request *r, const struct ck_imported *end) {
  json_t *said =
      json_pack("{s:s%, s:I, s:I, s:I, s:I, s:I, s:o}", "format", end->format.s, end->format.n,
                "new", (json_int_t)end->added, "updated", (json_int_t)end->updated, "unchanged",
                (json_int_t)end->unchanged, "waiting", (json_int_t)end->waiting, "failed",
                (json_int_t)end->failed, "failures", failures_of(end->failures));
  json_t *notes = ck_json_of(end->notes);
  json_object_set_new(said, "notes", notes ? notes : json_object());
  put_hash(said, r);
  bool none = end->added + end->updated + end->unchanged + end->waiting == 0;
  char *error = ck_str_dup(end->error);
  if (*error) json_object_set_new(said, "reason", json_string(error));
  if (none && (*error || end->failed))
    web_refuse_json(r, WEB_REFUSED_INVALID, *error ? error : "none of it can be taken", said);
  else
    web_answer_json(r, *error || end->failed ? 207 : 200, said);
  free(error);
}

static void imported(void *self, const struct web_imported *how) {
  struct web_request *r = self;
  if (how->end)
    answer_imported(r, how->end);
  else if (how->busy)
    web_refuse_for(r, WEB_REFUSED_BUSY, 5, "%.*s", (int)how->reason.n, how->reason.s);
  else
    web_refuse_for(r, WEB_REFUSED_AWAY, 2, "ingest does not answer; give it again");
}

static void give_file(struct webd *w, struct web_request *r) {
  const char *name = web_arg(r, "name");
  char given[NAME_MAX_BYTES + 1];
  struct ck_str cut = ck_utf8_cut(ck_str_of(name && *name ? name : "http"), NAME_MAX_BYTES);
  memcpy(given, cut.s, cut.n);
  given[cut.n] = '\0';
  web_import(w->imports, given, web_body(r), imported, r);
}

/* ---- which of these it is ---- */

static bool is_observation(const json_t *value) {
  static const char *const names[] = {"platform", "text", "execution"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    if (json_object_get(value, names[i])) return true;
  return false;
}

/* The first value of the body, of an array its first element. *rest: what follows it. NULL: it
 * cannot be read. */
static json_t *first_of(struct ck_str body, bool array, struct ck_str *rest) {
  json_error_t error;
  struct ck_str from = ck_trim(body);
  json_t *whole = array ? NULL : ck_json_parse(body, &error);
  if (whole) return whole;
  if (array) from = ck_trim((struct ck_str){from.s + 1, from.n - 1});
  json_t *value = json_loadb(from.s, from.n, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
  size_t n = value ? (size_t)error.position : 0;
  *rest = ck_trim((struct ck_str){from.s + n, from.n - n});
  return value;
}

/* What begins as an observation, and is none, is a mistake in one rather than a file. */
static bool names_a_platform(struct ck_str body) {
  struct ck_str head = {body.s, body.n < 4096 ? body.n : 4096};
  return memmem(head.s, head.n, "\"platform\"", 10) != NULL;
}

void web_api_observations(void *self, struct web_request *r) {
  struct webd *w = self;
  struct ck_str body = ck_trim(web_body(r)), rest = {0};
  if (!body.n) {
    web_refuse(r, WEB_REFUSED_SYNTAX, "the body is empty");
    return;
  }
  bool array = *body.s == '[';
  json_t *first = first_of(body, array, &rest);
  bool observations = first ? is_observation(first) : names_a_platform(body);
  if (!observations)
    give_file(w, r);
  else if (array)
    give_array(w, r);
  else if (first && !rest.n)
    give_one(w, r, first);
  else
    give_lines(w, r);
  json_decref(first);
}
