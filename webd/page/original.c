/* /o/ID: the newest original of a conversation: the bytes that it was read from, as they came.
 *
 *   links ─► FETCH of each until one has an original ─► FETCH, FETCH … as it is read
 */
#include "webd/page/page.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/map.h"
#include "proto/originals.h"

#define PIECE_BYTES ((size_t)256 << 10)
#define LINKS_MOST 1000

struct fetching {
  struct webd *w;
  struct web_request *r; /* NULL once the answer has begun */
  struct ck_arena arena;
  struct page_link {
    struct ck_str platform, remote;
  } * links;
  size_t count, at;
  char original[CK_ORIGINAL_ID + 1];
  uint64_t bytes, fetched;
  struct web_stream *stream;
  bool asking, gone;
};

static void fetching_free(void *self) {
  struct fetching *f = self;
  ck_arena_free(&f->arena);
  free(f);
}

static void ask_piece(struct fetching *f);

static void more(void *self) {
  struct fetching *f = self;
  if (!f->asking) ask_piece(f);
}

static void gone(void *self) {
  struct fetching *f = self;
  f->gone = true;
  if (!f->asking) fetching_free(f);
}

/* One that cannot be read whole is cut off, so that nobody takes it for the whole. */
static void take(struct fetching *f, struct ck_str data) {
  f->fetched += data.n;
  web_stream_put(f->stream, data);
  if (f->fetched == f->bytes) {
    web_stream_end(f->stream);
    fetching_free(f);
  } else if (!data.n) {
    web_stream_cut(f->stream);
  }
}

static void begin(struct fetching *f, const struct ck_fetched *a) {
  snprintf(f->original, sizeof f->original, "%.*s", (int)a->original.n, a->original.s);
  f->bytes = a->bytes;
  web_answer_foreign(f->r, true, (struct ck_str){0});
  f->stream = web_stream(f->r, "text/plain; charset=utf-8", gone, f);
  f->r = NULL;
  web_stream_pull(f->stream, more);
  ask_piece(f);
}

static bool read_fetched(const struct web_said *said, const struct ck_fetched **a,
                         struct ck_str *data) {
  if (!said->answer || said->answer->kind != CK_MSG_FETCHED) return false;
  *a = &said->answer->as.fetched;
  struct ck_reader r = ck_reader_of((*a)->data);
  return ck_read_bin(&r, data) == 0;
}

static void heard_piece(void *self, const struct web_said *said) {
  struct fetching *f = self;
  const struct ck_fetched *a;
  struct ck_str data = {0};
  f->asking = false;
  if (f->gone)
    fetching_free(f);
  else if (read_fetched(said, &a, &data))
    take(f, data);
  else
    web_stream_cut(f->stream);
}

static void ask_piece(struct fetching *f) {
  struct ck_message m = {.kind = CK_MSG_FETCH};
  m.as.fetch =
      (struct ck_fetch){.original = ck_str_of(f->original), .at = f->fetched, .most = PIECE_BYTES};
  f->asking = web_ask(f->w->store, &m, WEB_ANSWER_MS, heard_piece, f) == 0;
  if (!f->asking) web_stream_cut(f->stream);
}

static void ask_link(struct fetching *f);

static void heard_link(void *self, const struct web_said *said) {
  struct fetching *f = self;
  const struct ck_fetched *a;
  struct ck_str data;
  if (!said->answer) {
    web_refuse_said(f->r, "the store", said);
  } else if (!read_fetched(said, &a, &data)) {
    web_refuse_strange(f->r, "the store");
  } else if (a->original.n == CK_ORIGINAL_ID) {
    begin(f, a);
    return;
  } else {
    ++f->at;
    ask_link(f);
    return;
  }
  fetching_free(f);
}

static void ask_link(struct fetching *f) {
  struct ck_message m = {.kind = CK_MSG_FETCH};
  if (f->at < f->count) {
    m.as.fetch = (struct ck_fetch){.platform = f->links[f->at].platform,
                                   .conversation = f->links[f->at].remote};
    if (web_ask(f->w->store, &m, WEB_ANSWER_MS, heard_link, f) == 0) return;
  }
  web_refuse(f->r, WEB_REFUSED_MISSING,
             "no original of this conversation is kept: it was observed live, or came in from a "
             "database without one");
  fetching_free(f);
}

static void heard_links(void *self, const struct web_said *said) {
  struct fetching *f = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(f->r, said, &rows, fetching_free, f)) return;
  f->links = ck_arena_get(&f->arena, (rows.left + 1) * sizeof *f->links);
  while (page_next_row(&rows, &map)) {
    struct ck_str remote = ck_map_str(map, "remote_conversation_id");
    if (!remote.n) continue;
    f->links[f->count++] = (struct page_link){ck_arena_copy(&f->arena, ck_map_str(map, "platform")),
                                              ck_arena_copy(&f->arena, remote)};
  }
  ask_link(f);
}

void page_original(void *self, struct web_request *r) {
  struct ck_buf filters = {0};
  if (!web_args_known(r, "")) return;
  struct fetching *f = ck_zalloc(sizeof *f);
  *f = (struct fetching){.w = self, .r = r};
  struct ck_map m = ck_map_open(&filters);
  ck_pair_str(&m, "local_conversation_id", web_part(r, 0));
  ck_map_close(&m);
  const struct ck_query query = {
      .table = CK_LIT("conversation_links"), .filters = ck_buf_view(&filters), .limit = LINKS_MOST};
  if (!page_ask(f->w, r, &query, heard_links, f)) fetching_free(f);
  ck_buf_free(&filters);
}
