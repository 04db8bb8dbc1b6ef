/* One bound in bytes for what all files keep between two turns: lines that have not come to their
 * end, windows of compressed files, what is known of the lines so far. Files wait for others as
 * long as there is too much. What one line takes while it is parsed comes on top of that. */
#include "ingest/watch/watch_inner.h"

/* Of the memory: what is left when files are closed, or not opened; and when only the first one is
 * read on, whose line, and the window of one more, may still take the rest. */
#define IDLE_SHARE(m) ((m) / 4)
#define READ_SHARE(m) ((m) / 8 * 3)

void ingest_watch_memory(struct ingest_watch *w, size_t bytes) { w->memory = bytes; }

static void look(struct ingest_watch *w) {
  w->used = 0;
  for (const struct watch_open *o = w->opens; o; o = o->next) w->used += watch_open_memory(o);
}

static struct watch_open *idle_longest(const struct ingest_watch *w) {
  struct watch_open *oldest = NULL;
  for (struct watch_open *o = w->opens; o; o = o->next)
    if (o->state == WATCH_IDLE && (!oldest || o->used_at < oldest->used_at)) oldest = o;
  return oldest;
}

void watch_memory_turn(struct ingest_watch *w) {
  struct watch_open *o;
  look(w);
  while (w->used > IDLE_SHARE(w->memory) && (o = idle_longest(w))) {
    size_t own = watch_open_memory(o);
    watch_close(w, o);
    w->used -= own < w->used ? own : w->used;
  }
}

bool watch_memory_may_begin(const struct ingest_watch *w) {
  return w->used <= IDLE_SHARE(w->memory) || !w->opens;
}

/* The list has the last one that was opened first. */
static bool is_first(const struct watch_open *o) {
  for (o = o->next; o; o = o->next)
    if (o->state == WATCH_READING) return false;
  return true;
}

bool watch_memory_may_read(const struct ingest_watch *w, const struct watch_open *o) {
  return w->used <= READ_SHARE(w->memory) || is_first(o);
}
