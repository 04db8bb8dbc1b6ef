/* Where the lines of a log stand: which message is above each. */
#include <stdio.h>

#include "ingest/sources/code.h"

static const struct ck_str nothing = {0};

void code_note(const struct code_line *line, const char *kind) {
  line->visitor->note(line->visitor->self, kind, 1);
}

void code_note_of(const struct code_line *line, const char *kind, struct ck_str what) {
  char text[120];
  what = ck_utf8_cut(what.n ? what : CK_LIT("none"), 60);
  snprintf(text, sizeof text, "%s: %.*s", kind, (int)what.n, what.s);
  code_note(line, text);
}

void code_place_set(const struct code_line *line, struct ck_str message, int64_t depth) {
  struct code_file *f = line->file;
  struct code_place *above = line->above;
  if (!above || !message.n || !ck_str_eq(above->message, message) || above->chat != line->chat) {
    struct code_place *own = ck_arena_get(&f->lasting, sizeof *own);
    bool same = !message.n && above;
    *own = (struct code_place){same ? above->message : ck_arena_copy(&f->lasting, message),
                               same ? above->depth : depth, line->chat};
    above = own;
  }
  session_set(&f->table, 'l', line->session, line->id, above);
  line->chat->last_line = above;
}

void code_pass(struct code_line *line) {
  if (line->missing.n)
    code_place_set(line, line->missing, -1);
  else
    code_place_set(line, nothing, 0);
}

int64_t code_depth(const struct code_line *line) {
  if (line->missing.n) return -1;
  if (!line->above) return 1;
  return line->above->depth < 0 ? -1 : line->above->depth + 1;
}

struct ck_str code_parent(const struct code_line *line) {
  return line->above ? line->above->message : line->missing;
}

static size_t open_memory(const struct code_open *m) {
  const struct code_content *c = &m->content;
  return c->text.cap + c->context.cap + c->attachments.cap + c->thinking.cap + c->hidden.cap +
         m->usage.cap + m->calls.cap + ck_arena_bytes(&m->arena);
}

size_t code_file_memory(const struct code_file *f) {
  struct code_chat **list = (struct code_chat **)(void *)f->chats.data;
  size_t n = f->table.room * sizeof *f->table.slots + f->chats.cap + f->changed.cap +
             ck_arena_bytes(&f->lasting) + ck_arena_bytes(&f->passing);
  for (size_t i = 0; i < f->chats.len / sizeof *list; ++i)
    n += sizeof **list + list[i]->given.cap + open_memory(&list[i]->open);
  return n;
}

void code_file_free(struct code_file *f) {
  struct code_chat **list = (struct code_chat **)(void *)f->chats.data;
  for (size_t i = 0; i < f->chats.len / sizeof *list; ++i) code_chat_free(list[i]);
  session_table_free(&f->table);
  ck_buf_free(&f->chats);
  ck_buf_free(&f->changed);
  ck_arena_free(&f->lasting);
  ck_arena_free(&f->passing);
}
