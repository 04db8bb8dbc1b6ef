/* The store's lists of jobs, page by page: those by hand that were not tried yet, in the order in
 * which they are due; those that are offered; and those of the newest attempts. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A conversation may have had hundreds of jobs. */
#define LOOKED_AT 12

struct found {
  int *ids;
  size_t n, room;
};

static void add(struct found *f, int id) {
  if (f->n == f->room) {
    f->room = f->room ? 2 * f->room : 64;
    f->ids = ck_realloc(f->ids, f->room * sizeof *f->ids);
  }
  f->ids[f->n++] = id;
}

static bool is_listed(const struct job *j, const struct renew_question *q) {
  if (q->parts & RENEW_ABOUT_OFFERS) return j->offer;
  if (q->parts & RENEW_ABOUT_UPCOMING)
    return j->status == PENDING && !j->automatic && !j->last_attempt_at && j->next >= q->since;
  return j->attempt_number > 0;
}

static struct found look(const struct renew_question *q) {
  struct found f = {0};
  for (int id = 0; id < world.conversations_n; id++) {
    const struct conversation *c = &world.c[id];
    int looked = 0;
    for (int job = c->newest; job >= 0 && (looked < LOOKED_AT || job >= c->oldest);
         job = world.j[job].older, looked++)
      if (is_listed(&world.j[job], q)) add(&f, job);
  }
  return f;
}

static int by_due(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  int64_t p = world.j[x].next, q = world.j[y].next;
  if (p != q) return p < q ? -1 : 1;
  return x < y ? -1 : x > y;
}

static int by_attempt(const void *a, const void *b) {
  uint64_t x = world.j[*(const int *)a].attempt_number, y = world.j[*(const int *)b].attempt_number;
  return x > y ? -1 : x < y;
}

static int by_number(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  return x < y ? -1 : x > y;
}

/* What it is sorted by before its number. */
static int64_t place_of(int id, unsigned parts) {
  return parts & RENEW_ABOUT_BEGUN ? (int64_t)world.j[id].attempt_number : world.j[id].next;
}

/* The cursor is the last job and its place then: a job may have changed since. */
static bool is_after(int id, unsigned parts, struct ck_str cursor) {
  long long due;
  int last;
  if (!cursor.n) return true;
  SIM_CHECK(sscanf(cursor.s, "%lld %d", &due, &last) == 2, "no cursor");
  if (parts & RENEW_ABOUT_BEGUN) return place_of(id, parts) < due;
  if (!(parts & RENEW_ABOUT_UPCOMING)) return id > last;
  return world.j[id].next > due || (world.j[id].next == due && id > last);
}

struct one {
  char conversation[24], of[32];
};

static void fill(struct renew_job_row *r, struct one *names, int id) {
  const struct job *j = &world.j[id];
  static const char *const words[] = {"pending", "running", "done"};
  sim_conversation_name(names->conversation, j->conversation);
  sim_message_name(names->of, j->message);
  *r = (struct renew_job_row){j->version, {.table = CK_JOBS}, world.boot - j->attempt_at};
  struct ck_value *v = r->row.v;
  v[CK_JOBS_JOB_ID] = ck_textz(j->name);
  v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(names->conversation);
  v[CK_JOBS_MESSAGE_ID] = ck_textz(names->of);
  v[CK_JOBS_STATUS] = ck_textz(j->status == OVER && j->failed ? "failed" : words[j->status]);
  v[CK_JOBS_ATTEMPT_COUNT] = ck_int(j->attempts);
  v[CK_JOBS_CREATED_AT] = ck_int(j->created_at);
  v[CK_JOBS_UPDATED_AT] = ck_int(j->updated_at);
  if (j->status != OVER) v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(j->next);
  if (j->last_attempt_at) v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(j->last_attempt_at);
  if (j->target >= 0) v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(world.t[j->target].snapshot);
}

void sim_page(struct question *q) {
  unsigned parts = q->q.parts;
  struct ck_str cursor = ck_str_of(q->cursor);
  struct found f = look(&q->q);
  size_t most = parts & RENEW_ABOUT_UPCOMING ? (size_t)world.conversations_n / 20 + 1 : 1000, n = 0;
  free(q->rows);
  struct renew_job_row *rows = ck_zalloc(most * (sizeof *rows + sizeof(struct one)));
  struct one *names = (struct one *)(void *)(rows + most);
  if (f.n)
    qsort(f.ids, f.n, sizeof *f.ids,
          parts & RENEW_ABOUT_UPCOMING ? by_due
          : parts & RENEW_ABOUT_BEGUN  ? by_attempt
                                       : by_number);
  q->next[0] = '\0';
  for (size_t i = 0; i < f.n && !q->next[0]; i++) {
    int id = f.ids[i];
    if (!is_after(id, parts, cursor)) continue;
    fill(&rows[n], &names[n], id);
    if (++n == most && i + 1 < f.n)
      snprintf(q->next, sizeof q->next, "%lld %d", (long long)place_of(id, parts), id);
  }
  free(f.ids);
  q->rows = rows;
  q->a.jobs = rows;
  q->a.n = n;
  q->a.cursor = ck_str_of(q->next);
}
