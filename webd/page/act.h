/* What the handlers of the page's forms share: fields, and how a change is answered. */
#ifndef WEBD_PAGE_ACT_H
#define WEBD_PAGE_ACT_H

#include "webd/page/state.h"

/* A change on its way. Texts are on the heap until its answer. */
struct page_act {
  struct webd *w;
  struct web_request *r;
  char *back; /* where its form leads back to, with what names the place in it */
};
/* place: what stands after # in that; empty: nothing. */
struct page_act *page_act_new(struct webd *w, struct web_request *r, const char *place);
/* As web_changed_fn: back to where the form was, or why not. Frees the page_act. */
void page_act_done(void *act, const struct web_changed *how);

struct web_store page_store(const struct webd *w);

/* The value of a field of the form; empty if it has none. On the heap; the caller frees. */
char *page_field(const struct web_request *r, const char *name);
/* A TIME in a field. *ms: 0 if it is empty. False: it is none, or has passed; r was refused. */
bool page_field_time(struct web_request *r, const char *name, int64_t *ms);

/* What is to be done with jobs, as forms and addresses name it. */
struct page_verb {
  const char *word;
  enum web_job_verb verb;
  bool anyway;
  const char *button; /* what it is called for one */
  /* Of one or several that match: "was cancelled", "were cancelled"; "Cancel". */
  struct page_verb_words {
    const char *done, *doing;
  } one, several;
};
/* NULL: there is none of that name. */
const struct page_verb *page_verb(const char *word);

#endif
