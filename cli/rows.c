/* The columns, filters and printing of rows; see rows.h. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/time.h"
#include "proto/calendar.h"
#include "proto/renewal.h"
#include "proto/filters.h"
#include "proto/json.h"
#include "proto/moment.h"
#include "proto/near.h"
#include "proto/render/render.h"
#include "proto/summary.h"
#include "proto/visible.h"

enum shape {
  AS_TEXT,
  AS_MINUTE,
  AS_DUE,
  AS_COUNT,
  AS_OK,
  AS_RESULT,
  AS_STATUS,
  AS_ATTEMPTS,
  AS_ID
};

#define SHORT_MEMBER "short_%s" /* of a row: as much of an id as is shown */

struct cli_column {
  const char *title; /* its first letter as for cli_table_new(); NULL ends the list */
  const char *member;
  enum shape shape;
};

/* Times first, ids last, and what is said gets the room that is left. */
static const struct cli_column messages[] = {
    {"=time", "observed_at", AS_MINUTE}, {"role", "role", AS_TEXT}, {"~text", "summary", AS_TEXT},
    {"platform", "platform", AS_TEXT},   {"=id", "id", AS_ID},      {NULL, NULL, AS_TEXT}};
static const struct cli_column executions[] = {{"=time", "executed_at", AS_MINUTE},
                                               {"target", "target", AS_TEXT},
                                               {"tool", "tool", AS_TEXT},
                                               {"=result", "result_ok", AS_RESULT},
                                               {"~summary", "result_summary", AS_TEXT},
                                               {"=id", "instruction_id", AS_ID},
                                               {NULL, NULL, AS_TEXT}};
static const struct cli_column sessions[] = {{"=last activity", "last_activity_at", AS_MINUTE},
                                             {">messages", "message_count", AS_COUNT},
                                             {">executions", "execution_count", AS_COUNT},
                                             {"~summary", "summary", AS_TEXT},
                                             {"=id", "id", AS_ID},
                                             {NULL, NULL, AS_TEXT}};
/* Only one of the times is there: cli_rows_of_conversations(). */
static const struct cli_column conversations[] = {{"=last message", "shown_last", AS_MINUTE},
                                                  {"=updated", "shown_updated", AS_MINUTE},
                                                  {"=created", "shown_created", AS_MINUTE},
                                                  {"automation", "shown_automation", AS_STATUS},
                                                  {"~title", "shown_title", AS_TEXT},
                                                  {"=id", "local_conversation_id", AS_ID},
                                                  {NULL, NULL, AS_TEXT}};
static const struct cli_column links[] = {{"=observed", "observed_at", AS_MINUTE},
                                          {"=active", "is_active", AS_OK},
                                          {"~page", "page_url", AS_TEXT},
                                          {"target", "target_kind", AS_TEXT},
                                          {"client", "client_id", AS_TEXT},
                                          {"=conversation", "local_conversation_id", AS_ID},
                                          {NULL, NULL, AS_TEXT}};
static const struct cli_column jobs[] = {{"=state", "state", AS_STATUS},
                                         {"=attempts", "attempt_count", AS_ATTEMPTS},
                                         {"=next", "next_attempt_at", AS_DUE},
                                         {"~why", "why", AS_TEXT},
                                         {"=conversation", "local_conversation_id", AS_ID},
                                         {"=id", "job_id", AS_ID},
                                         {NULL, NULL, AS_TEXT}};
static const struct cli_column accounts[] = {{"=account", "account", AS_TEXT},
                                             {">auto", "conversations", AS_COUNT},
                                             {">under way", "under_way", AS_COUNT},
                                             {"=last delivery", "last_attempt_at", AS_MINUTE},
                                             {"=limit until", "limited_until", AS_MINUTE},
                                             {"~limit", "reason", AS_TEXT},
                                             {NULL, NULL, AS_TEXT}};
static const struct cli_column dead_letters[] = {
    {"=time", "at", AS_MINUTE}, {"sink", "sink", AS_TEXT},        {"table", "table_name", AS_TEXT},
    {"key", "key", AS_TEXT},    {">version", "version", AS_TEXT}, {"~reason", "reason", AS_TEXT},
    {NULL, NULL, AS_TEXT}};
static const struct cli_column refusals[] = {{"=time", "at", AS_MINUTE},
                                             {"producer", "producer", AS_TEXT},
                                             {">number", "number", AS_TEXT},
                                             {"~reason", "reason", AS_TEXT},
                                             {NULL, NULL, AS_TEXT}};

static const struct cli_column attachments[] = {
    {"=added", "added_at", AS_MINUTE}, {">bytes", "bytes", AS_COUNT}, {"type", "type", AS_TEXT},
    {"~name", "name", AS_TEXT},        {"path", "path", AS_TEXT},     {NULL, NULL, AS_TEXT}};

/* ---- filters as options ---- */

#define FILTER(name, kind, word, help) \
  { name, kind, word, 0, help, 0, 0 }
#define PLATFORM FILTER("platform", CLI_PLATFORM, "PLATFORM", "of that platform")
#define SINCE FILTER("since", CLI_TIME, "TIME", "not before that time")
#define UNTIL FILTER("until", CLI_TIME, "TIME", "before that time")
#define LOCAL \
  FILTER("local-conversation-id", CLI_CONVERSATION, "CONVERSATION", "of that conversation")
#define REMOTE FILTER("conversation-id", CLI_CONVERSATION, "CONVERSATION", "of that conversation")

static const struct cli_option message_filters[] = {
    REMOTE, PLATFORM, SINCE, UNTIL, FILTER("id", CLI_MESSAGE, "ID", "that one"), {0}};
static const struct cli_option execution_filters[] = {
    FILTER("message-id", CLI_MESSAGE, "ID", "of that message"),
    FILTER("target", CLI_TEXT, "NAME", "on that target"),
    FILTER("tool", CLI_TEXT, "NAME", "with that tool"),
    SINCE,
    UNTIL,
    FILTER("instruction-id", CLI_EXECUTION, "ID", "that one"),
    {0}};
static const struct cli_option session_filters[] = {
    REMOTE, PLATFORM, SINCE, UNTIL, FILTER("id", CLI_SESSION, "ID", "that one"), {0}};
static const struct cli_option conversation_filters[] = {
    FILTER("title", CLI_WORDS, "WORDS", "whose titles have all of these words"),
    SINCE,
    UNTIL,
    FILTER("sort", CLI_CHOICE, CK_SORTS,
           "by the time of the last message, of the last change, or of the beginning; the other "
           "times are about the same"),
    PLATFORM,
    FILTER("automation-status", CLI_CHOICE, "manual|auto|paused", "that are on that"),
    FILTER("begins", CLI_ID, "ID", "whose ids begin so"),
    FILTER("local-conversation-id", CLI_CONVERSATION, "CONVERSATION", "that one"),
    {0}};
static const struct cli_option link_filters[] = {
    LOCAL,
    PLATFORM,
    FILTER("remote-conversation-id", CLI_ID, "ID", "of the platform's conversation with that id"),
    FILTER("client-id", CLI_ID, "ID", "of that client"),
    FILTER("is-active", CLI_CHOICE, "0|1", "whether they are active"),
    SINCE,
    UNTIL,
    FILTER("link-id", CLI_LINK, "ID", "that one"),
    FILTER("begins", CLI_ID, "ID", "whose remote conversation's ids begin so"),
    {0}};
static const struct cli_option job_filters[] = {
    LOCAL,
    FILTER("message-id", CLI_MESSAGE, "ID", "of that message"),
    FILTER("job-id", CLI_JOB, "ID", "that one"),
    FILTER("status", CLI_CHOICE, "pending|running|done|failed|waiting|stopped|unknown|superseded",
           "in that state; waiting: for whatever reason; pending: that, or stopped"),
    SINCE,
    UNTIL,
    FILTER("next-attempt-at-max", CLI_TIME, "TIME", "due by then, the soonest first"),
    FILTER("platform", CLI_PLATFORM, "PLATFORM", "of that platform's conversations"),
    FILTER("superseded", CLI_CHOICE, "yes|no", "that ended since nobody wanted them; or not so"),
    {0}};
static const struct cli_option account_filters[] = {FILTER("account", CLI_TEXT, "NAME", "that one"),
                                                    {0}};
static const struct cli_option dead_letter_filters[] = {
    FILTER("sink", CLI_TEXT, "NAME", "of that sink"),
    FILTER("mirror", CLI_TEXT, "NAME", "of that mirror"),
    {0}};
static const struct cli_option refusal_filters[] = {
    FILTER("producer", CLI_ID, "ID", "of that producer"), {0}};
static const struct cli_option attachment_filters[] = {
    FILTER("file", CLI_ID, "ID", "as a message names it"),
    FILTER("name", CLI_TEXT, "NAME", "by its name in the export"),
    FILTER("hash", CLI_ID, "SHA256", "by its SHA-256"),
    {0}};

const struct cli_kind cli_kinds[CLI_KINDS] = {
    {"conversations", "local_conversations", conversations, conversation_filters},
    {"messages", "messages", messages, message_filters},
    {"executions", "executions", executions, execution_filters},
    {"sessions", "sessions", sessions, session_filters},
    {"links", "conversation_links", links, link_filters},
    {"jobs", "renewal_jobs", jobs, job_filters},
    {"accounts", "limits", accounts, account_filters},
    {"attachments", "attachments", attachments, attachment_filters},
    {"dead-letters", "dead_letters", dead_letters, dead_letter_filters},
    {"refusals", "refusals", refusals, refusal_filters},
};

void cli_help_filters(struct ck_buf *b) {
  for (int i = 0; i < CLI_KINDS; ++i) {
    ck_buf_printf(b, "\n%s\n", cli_kinds[i].word);
    cli_help_options(b, cli_kinds[i].filters);
  }
}

const struct cli_kind *cli_kind_named(const char *word) {
  for (int i = 0; i < CLI_KINDS; ++i)
    if (strcmp(cli_kinds[i].word, word) == 0 || strcmp(cli_kinds[i].table, word) == 0)
      return &cli_kinds[i];
  return NULL;
}

/* ---- filters ---- */

static int unknown_filter(const struct cli_kind *kind, const char *name, struct ck_err *err) {
  struct ck_buf allowed = {0}, meant = {0};
  struct ck_near near = ck_near_to(ck_str_of(name));
  for (const struct cli_option *f = kind->filters; f->name; ++f) {
    ck_near_try(&near, ck_str_of(f->name));
    ck_buf_printf(&allowed, "--%s, ", f->name);
  }
  for (const struct cli_option *o = cli_list.options; o->name; ++o)
    ck_near_try(&near, ck_str_of(o->name));
  ck_near_text(&meant, &near, "--");
  ck_fail(err, "--%s: not a filter of %s%s%s those are %sand --limit, --offset", name, kind->word,
          ck_buf_cstr(&meant), meant.len ? "" : ";", ck_buf_cstr(&allowed));
  ck_buf_free(&allowed);
  ck_buf_free(&meant);
  return -1;
}

/* The option of a filter, whose name may have underscores; the empty one if there is none. */
static const struct cli_option *option_of(const struct cli_kind *kind, const char *filter) {
  const struct cli_option *o = kind->filters;
  while (o->name && ck_near_distance(ck_str_of(o->name), ck_str_of(filter))) ++o;
  return o;
}

/* One of the option's choices; else the error names them, and the one that may have been meant. */
static int check_choice(const struct cli_option *o, const char *name, const char *value,
                        struct ck_err *err) {
  struct ck_near near = ck_near_to(ck_str_of(value));
  struct ck_buf meant = {0};
  if (o->kind != CLI_CHOICE || ck_choice_ok(o->word, ck_str_of(value))) return 0;
  ck_near_try_all(&near, o->word);
  ck_near_text(&meant, &near, "");
  ck_fail(err, "--%s %s: must be %s%s", name, value, o->word, ck_buf_cstr(&meant));
  ck_buf_free(&meant);
  return -1;
}

static int filter_named(struct ck_filter *filter, const struct cli_kind *kind, const char *name) {
  char with_underscores[64];
  size_t n = strlen(name);
  if (n >= sizeof with_underscores) return -1;
  for (size_t i = 0; i < n; ++i) with_underscores[i] = name[i] == '-' ? '_' : name[i];
  return ck_filter_named(filter, kind->table, (struct ck_str){with_underscores, n});
}

int cli_filter_parse(const struct cli_kind *kind, const char *name, const char *value, int64_t now,
                     struct cli_filter *filter, struct ck_err *err) {
  struct ck_filter known;
  if (filter_named(&known, kind, name)) return unknown_filter(kind, name, err);
  if (!value || !*value) return ck_fail(err, "--%s: it needs a value", name);
  *filter = (struct cli_filter){known.name, value, 0};
  const struct cli_option *o = option_of(kind, known.name);
  if (check_choice(o, name, value, err)) return -1;
  bool time = o->kind == CLI_TIME, is_int = known.field && ck_kind_is_int(known.field->kind);
  if (time || is_int) filter->text = NULL;
  if (time && ck_moment_parse(value, now, &filter->number, err))
    return ck_fail_in(err, "--%s", name);
  if (!time && is_int) filter->number = value[0] - '0';
  return 0;
}

enum ck_table cli_filter_table(const struct cli_kind *kind, const char *filter) {
  switch (option_of(kind, filter)->kind) {
  case CLI_MESSAGE:
    return CK_MESSAGES;
  case CLI_EXECUTION:
    return CK_EXECUTIONS;
  case CLI_SESSION:
    return CK_SESSIONS;
  case CLI_LINK:
    return CK_LINKS;
  case CLI_JOB:
    return CK_JOBS;
  default:
    return CK_TABLES;
  }
}

/* ---- cells ---- */

static enum cli_style status_style(const char *text) {
  static const struct {
    const char *text;
    enum cli_style style;
  } styles[] = {{"auto", CLI_GREEN},     {"done", CLI_GREEN},       {"paused", CLI_YELLOW},
                {"running", CLI_YELLOW}, {"unknown", CLI_RED},      {"failed", CLI_RED},
                {"manual", CLI_DIM},     {"pending", CLI_BOLD},     {"waiting", CLI_BOLD},
                {"stopped", CLI_YELLOW}, {"unreached", CLI_YELLOW}, {"no_target", CLI_YELLOW},
                {"limited", CLI_YELLOW}, {"superseded", CLI_DIM}};
  for (size_t i = 0; i < sizeof styles / sizeof *styles; ++i)
    if (strcmp(styles[i].text, text) == 0) return styles[i].style;
  return CLI_PLAIN;
}

void cli_row_of(struct ck_row *row, enum ck_table table, const json_t *object) {
  const struct ck_table_info *info = &ck_tables[table];
  *row = (struct ck_row){.table = table};
  for (int c = 0; c < info->columns; ++c) {
    const json_t *value = json_object_get(object, info->fields[c].name);
    if (json_is_string(value))
      row->v[c] = ck_text((struct ck_str){json_string_value(value), json_string_length(value)});
    else if (json_is_integer(value))
      row->v[c] = ck_int(json_integer_value(value));
    else if (json_is_null(value))
      row->v[c] = ck_null();
  }
}

static void result_text(struct ck_buf *b, const json_t *row, enum cli_style *style) {
  static const struct {
    const char *text;
    enum cli_style style;
  } results[] = {[RENDER_NO_RESULT] = {"none", CLI_DIM},
                 [RENDER_FAILED] = {"failed", CLI_RED},
                 [RENDER_OK] = {"ok", CLI_GREEN}};
  struct ck_row execution;
  cli_row_of(&execution, CK_EXECUTIONS, row);
  enum render_outcome result = render_outcome_of(&execution);
  ck_buf_text(b, results[result].text);
  *style = results[result].style;
}

static void cell_text(struct ck_buf *b, const json_t *row, const struct cli_column *col,
                      int64_t now, enum cli_style *style) {
  const json_t *value = json_object_get(row, col->member);
  bool number = json_is_integer(value);
  int64_t n = number ? json_integer_value(value) : 0;
  *style = col->shape == AS_MINUTE ? CLI_DIM : CLI_PLAIN;
  if (col->shape == AS_MINUTE && number) {
    /* What nobody gave a time stands at the epoch. */
    if (n) cli_minute_text(b, n);
  } else if (col->shape == AS_DUE && number) {
    const char *status = cli_member(row, "status");
    if (strcmp(status, "pending") == 0) cli_relative_text(b, n, now);
  } else if (col->shape == AS_ID) {
    char short_id[64];
    snprintf(short_id, sizeof short_id, SHORT_MEMBER, col->member);
    const json_t *shown = json_object_get(row, short_id);
    cli_json_text(b, shown ? shown : value);
  } else if (col->shape == AS_COUNT && number) {
    ck_buf_count(b, (uint64_t)n);
  } else if (col->shape == AS_OK) {
    ck_buf_text(b, n ? "yes" : "no");
    *style = n ? CLI_GREEN : CLI_RED;
  } else if (col->shape == AS_RESULT) {
    result_text(b, row, style);
  } else if (col->shape == AS_ATTEMPTS) {
    ck_buf_printf(b, "%lld of %lld", (long long)n,
                  (long long)cli_member_int(row, "max_attempts", 0));
  } else {
    cli_json_text(b, value);
  }
  if (col->shape == AS_STATUS) *style = status_style(ck_buf_cstr(b));
}

/* Columns that are empty in every row are left out. */
static bool has_content(const json_t *rows, const char *member) {
  size_t i;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    const json_t *value = json_object_get(row, member);
    if (value && !json_is_null(value) && !(json_is_string(value) && json_string_length(value) == 0))
      return true;
  }
  return false;
}

void cli_rows_print(const struct cli_kind *kind, const json_t *rows, bool whole, int64_t now) {
  const struct cli_column *shown[16];
  const char *titles[16];
  int columns = 0;
  for (const struct cli_column *col = kind->columns; col->title; ++col) {
    if (!has_content(rows, col->member)) continue;
    titles[columns] = col->title;
    shown[columns++] = col;
  }
  if (columns == 0) return;
  struct cli_table *table = cli_table_new(columns, titles);
  if (whole && kind->columns != conversations) cli_table_whole(table);
  struct ck_buf text = {0};
  size_t i;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    for (int k = 0; k < columns; ++k) {
      enum cli_style style;
      ck_buf_clear(&text);
      cell_text(&text, row, shown[k], now, &style);
      cli_table_cell(table, style, ck_buf_view(&text));
    }
  }
  ck_buf_free(&text);
  cli_table_print(&table);
}

/* Of conversations and jobs there are not so many that one could not look at all. */
static enum ck_table told_from(const char *member) {
  if (strcmp(member, "local_conversation_id") == 0) return CK_CONVERSATIONS;
  return strcmp(member, "job_id") == 0 ? CK_JOBS : CK_TABLES;
}

int cli_rows_shorten(struct cli *c, const struct cli_kind *kind, json_t *rows) {
  int rc = CLI_GO_ON;
  for (const struct cli_column *col = kind->columns; col->title && rc == CLI_GO_ON; ++col) {
    char short_id[64];
    if (col->shape != AS_ID) continue;
    snprintf(short_id, sizeof short_id, SHORT_MEMBER, col->member);
    rc = cli_ids_shorten(c, rows, col->member, short_id, told_from(col->member));
  }
  return rc;
}

/* ---- conversations ---- */

static void show_time(json_t *row, const char *sort) {
  bool last = strcmp(sort, "last") == 0, created = strcmp(sort, "created") == 0;
  const char *to = last ? "shown_last" : created ? "shown_created" : "shown_updated";
  json_t *at = json_object_get(row, last ? "newest_at" : created ? "created_at" : "updated_at");
  if (last && !json_is_integer(at)) at = json_object_get(row, "last_message_at");
  if (at) json_object_set(row, to, at);
}

void cli_rows_of_conversations(json_t *rows, const char *sort) {
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) {
    const char *automation = cli_member(row, "automation_status");
    struct ck_buf title = {0};
    render_title(&title, ck_str_of(cli_member(row, "title")),
                 ck_str_of(cli_member(row, "first_question")));
    json_object_set_new(row, "shown_title", json_string(ck_buf_cstr(&title)));
    ck_buf_free(&title);
    bool usual = strcmp(automation, "manual") == 0;
    json_object_set_new(row, "shown_automation", json_string(usual ? "" : automation));
    show_time(row, sort);
  }
}

/* ---- one record ---- */

#define NAME_WIDTH 24 /* columns that the name of a value takes at most */
#define LONG 160

/* The columns that a value may take beside its name. */
static size_t value_columns(void) {
  size_t columns = cli_terminal_width();
  if (columns == 0 || columns > NAME_WIDTH + LONG) return LONG;
  return columns > NAME_WIDTH ? columns - NAME_WIDTH : 0;
}

/* It stands below, where nothing of it is cut. */
static bool is_long(const json_t *value) {
  const char *text = json_string_value(value);
  return text && (ck_text_width(ck_str_of(text)) > value_columns() || strchr(text, '\n'));
}

#define NEAR_MS (2 * CK_DAY_MS) /* so near, how far away it is says more */

/* Nothing for the epoch, where things stand that nobody gave a time. */
static void time_text(struct ck_buf *b, int64_t at, int64_t now) {
  if (at == 0) return;
  cli_time_text(b, at);
  if (at < now - NEAR_MS || at > now + NEAR_MS) return;
  ck_buf_text(b, " (");
  cli_relative_text(b, at, now);
  ck_buf_text(b, ")");
}

/* The beginning of a text that is shown, too, says nothing more. */
static bool repeats(enum ck_table which, const json_t *row, int column) {
  const char *text = ck_tables[which].fields[ck_summaries[which].text].name;
  return ck_is_summary(which, column) && json_is_string(json_object_get(row, text));
}

/* A column's name in words. */
static void name_text(struct ck_buf *b, const char *name) {
  for (; *name; ++name) ck_buf_add(b, *name == '_' ? " " : name, 1);
}

static void value_text(struct ck_buf *b, const struct ck_field *field, const json_t *value,
                       int64_t now) {
  if (field->kind == CK_K_TIME && json_is_integer(value)) {
    time_text(b, json_integer_value(value), now);
  } else if (field->kind == CK_K_BOOL && json_is_integer(value)) {
    ck_buf_text(b, json_integer_value(value) ? "yes" : "no");
  } else {
    cli_json_text(b, value);
  }
}

static void print_long(const char *name, const json_t *value) {
  struct ck_buf out = {0};
  struct ck_str text = {json_string_value(value), json_string_length(value)};
  ck_buf_text(&out, "\n");
  struct ck_buf words = {0};
  name_text(&words, name);
  cli_paint(&out, cli_colour(), CLI_DIM, ck_buf_view(&words));
  ck_buf_free(&words);
  ck_buf_text(&out, "\n");
  cli_safe_text(&out, text, true);
  if (out.data[out.len - 1] != '\n') ck_buf_text(&out, "\n");
  cli_print(&out);
  ck_buf_free(&out);
}

void cli_follow_ups_text(struct ck_buf *b, const json_t *row) {
  struct ck_renewal r;
  struct ck_buf text = {0};
  struct ck_err err;
  if (ck_renewal_read(&r, ck_str_of(cli_member(row, "renewal")), &err))
    ck_buf_printf(&text, "cannot be read: %s", err.text);
  else
    ck_renewal_text(&text, &r);
  cli_safe_text(b, text.len ? ck_buf_view(&text) : CK_LIT("as the settings say"), false);
  ck_renewal_free(&r);
  ck_buf_free(&text);
}

void cli_record_print(enum ck_table which, const json_t *row, int64_t now) {
  const struct ck_table_info *info = &ck_tables[which];
  struct cli_table *table = cli_table_new(2, NULL);
  struct ck_buf text = {0};
  for (int i = 0; i < info->mirrored; ++i) {
    const json_t *value = json_object_get(row, info->fields[i].name);
    if (!value || json_is_null(value) || is_long(value) || repeats(which, row, i)) continue;
    ck_buf_clear(&text);
    name_text(&text, info->fields[i].name);
    cli_table_cell(table, CLI_DIM, ck_buf_view(&text));
    ck_buf_clear(&text);
    value_text(&text, &info->fields[i], value, now);
    cli_table_cell(table, i == info->key ? CLI_BOLD : CLI_PLAIN, ck_buf_view(&text));
  }
  ck_buf_clear(&text);
  if (*cli_member(row, "renewal")) {
    cli_follow_ups_text(&text, row);
    cli_line(table, "follow-ups", CLI_PLAIN, &text);
  }
  ck_buf_free(&text);
  cli_table_print(&table);
  for (int i = 0; i < info->mirrored; ++i) {
    const json_t *value = json_object_get(row, info->fields[i].name);
    if (is_long(value) && !repeats(which, row, i)) print_long(info->fields[i].name, value);
  }
}

void cli_record_line(enum ck_table which, const json_t *row) {
  json_t *record = ck_record_json(which, row);
  cli_json_line(record);
  json_decref(record);
}

void cli_json_line(const json_t *value) {
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  if (text) puts(text);
  free(text);
}
