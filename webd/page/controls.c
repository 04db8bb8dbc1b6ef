/* Follow-ups of one conversation, in the head of its page: what there is, what pauses it, and forms
 * that change it, as `convkeep set`, `pause`, `resume` and `renew` do. */
#include "webd/page/conversation.h"

#include <stdlib.h>

#include "proto/cost.h"
#include "proto/moment.h"
#include "proto/renewal.h"
#include "webd/page/state.h"

static void begin_form(struct page_reading *p, const char *class, const char *more) {
  page_put(&p->out, "<form class=\"%s\" method=\"post\" action=\"", class);
  page_conversation_path(&p->out, p->id);
  page_put(&p->out, "%s\">", more);
  page_form_fields(&p->out, p->request);
}

/* ---- on, off, paused ---- */

static void put_turn(struct page_reading *p, const char *to, const char *words) {
  begin_form(p, "one", "");
  page_put(&p->out, "<button name=\"automation\" value=\"%s\">%s</button></form>\n", to, words);
}

static void put_turns(struct page_reading *p) {
  struct ck_str status = ck_row_text(&p->row, CK_CONVERSATIONS_AUTOMATION_STATUS);
  ck_buf_text(&p->out, "<div class=\"turns\">\n");
  if (ck_str_is(status, "paused")) {
    page_pause_form(&p->out, p->request, false, "conversation", p->id, "Resume");
    put_turn(p, "manual", "No automatic follow-ups");
  } else if (ck_str_is(status, "auto")) {
    page_pause_form(&p->out, p->request, true, "conversation", p->id, "Pause");
    put_turn(p, "manual", "No automatic follow-ups");
  } else {
    put_turn(p, "auto", "Automatic follow-ups");
    page_pause_form(&p->out, p->request, true, "conversation", p->id, "Pause");
  }
  page_put(&p->out, "<a href=\"/j?conversation=");
  page_encode(&p->out, p->id);
  ck_buf_text(&p->out, "\">All its follow-ups</a>\n</div>\n");
}

/* Pauses that hold for it, besides its own status and that of everything, which the frame has. */
static void put_pauses(struct page_reading *p) {
  const struct page_state *s = page_state(p->request);
  const struct {
    const char *kind;
    struct ck_str name;
  } all[] = {{"platform", ck_row_text(&p->row, CK_CONVERSATIONS_PLATFORM)},
             {"conversation", p->id}};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    const struct page_pause *pause = page_pause_of(s, all[i].kind, all[i].name);
    if (!pause) continue;
    ck_buf_text(&p->out, "<div class=\"turns\"><span><span class=\"tag paused\">paused</span> ");
    page_pause_text(&p->out, pause, s->now);
    ck_buf_text(&p->out, "</span>");
    page_pause_form(&p->out, p->request, false, all[i].kind, all[i].name, "Resume");
    ck_buf_text(&p->out, "</div>\n");
  }
}

/* ---- a follow-up by hand ---- */

static void put_renew(struct page_reading *p, const struct ck_renewal *own) {
  bool own_text = own->payload && own->payload_kind == CK_PAYLOAD_TEXT;
  const char *payload = own_text ? own->payload : ck_set_text(p->w->settings, CK_SET_RENEW_PAYLOAD);
  ck_buf_text(&p->out, "<details><summary>Send a follow-up now</summary>\n");
  begin_form(p, "rules", "/renew");
  page_put(&p->out,
           "<label class=\"wide\">What it says <textarea name=\"payload\" rows=\"2\" required>\n"
           "%s</textarea></label>\n"
           "<label>When <input name=\"at\" placeholder=\"now\" size=\"16\"></label>\n"
           "<button>Send</button></form></details>\n",
           payload ? payload : "");
}

/* ---- when they end, and what they say ---- */

static void put_number(struct ck_buf *b, const char *label, const char *name, int64_t own,
                       int64_t unless, int64_t setting) {
  page_put(b, "<label>%s <input name=\"%s\" inputmode=\"numeric\" size=\"6\" value=\"", label,
           name);
  if (own != unless) page_put(b, "%lld", (long long)own);
  page_put(b, "\" placeholder=\"%lld\"></label>\n", (long long)setting);
}

static void put_text(struct ck_buf *b, const char *label, const char *name, const char *own,
                     const char *setting) {
  page_put(b, "<label>%s <input name=\"%s\" size=\"16\" value=\"%s\" placeholder=\"%s\"></label>\n",
           label, name, own ? own : "", setting ? setting : "");
}

static void put_question(struct ck_buf *b, const struct ck_renewal *own) {
  static const struct {
    enum ck_wished wished;
    const char *value, *words;
  } all[] = {
      {CK_AS_SET, "default", "as set"}, {CK_WISHED, "yes", "yes"}, {CK_UNWISHED, "no", "no"}};
  ck_buf_text(b, "<label>Stop at a question <select name=\"stop_question\">");
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    page_put(b, "<option value=\"%s\"", all[i].value);
    if (own->question == all[i].wished) ck_buf_text(b, " selected");
    page_put(b, ">%s</option>", all[i].words);
  }
  ck_buf_text(b, "</select></label>\n");
}

static void put_rules(struct page_reading *p, const struct ck_renewal *own, const char *bad) {
  const struct ck_settings *s = p->w->settings;
  struct ck_buf *b = &p->out, until = {0}, cost = {0};
  if (own->until) ck_moment_text(&until, own->until);
  ck_buf_text(b, "<details><summary>When they end, and what they say</summary>\n");
  if (*bad) page_put(b, "<p class=\"note\">What is there cannot be read: %s</p>\n", bad);
  begin_form(p, "rules", "");
  put_text(b, "Until", "until", ck_buf_cstr(&until), "no end");
  put_number(b, "Stop after, in a row", "stop_after", own->in_a_row, 0,
             ck_set_int(s, CK_SET_RENEW_IN_A_ROW));
  put_number(b, "Stop after alike answers", "stop_alike", own->alike, -1,
             ck_set_int(s, CK_SET_RENEW_ALIKE));
  put_number(b, "A day", "per_day", own->per_day, -1, ck_set_int(s, CK_SET_RENEW_PER_DAY));
  if (own->cost_per_day >= 0) ck_cost_text(&cost, own->cost_per_day);
  put_text(b, "Cost a day", "cost_per_day", ck_buf_cstr(&cost),
           ck_set_text(s, CK_SET_RENEW_COST_PER_DAY));
  put_number(b, "Tokens a day", "tokens_per_day", own->tokens_per_day, -1,
             ck_set_int(s, CK_SET_RENEW_TOKENS_PER_DAY));
  put_text(b, "Stop at the text", "stop_text", own->text, ck_set_text(s, CK_SET_RENEW_STOP_TEXT));
  put_question(b, own);
  put_text(b, "Quiet hours", "quiet", own->quiet, ck_set_text(s, CK_SET_RENEW_QUIET));
  put_text(b, "Account", "account", own->account, "as its target says");
  if (own->payload_kind == CK_PAYLOAD_TEXT)
    page_put(b,
             "<label class=\"wide\">What they say <textarea name=\"payload\" rows=\"2\" "
             "placeholder=\"%s\">\n%s</textarea></label>\n",
             ck_set_text(s, CK_SET_RENEW_PAYLOAD), own->payload ? own->payload : "");
  ck_buf_text(b, "<p class=\"note\">What is empty is as the settings say. A time is such as +8h, "
                 "or 2026-12-24 18:00.</p>\n<button>Save</button></form></details>\n");
  ck_buf_free(&until);
  ck_buf_free(&cost);
}

void page_reading_controls(struct page_reading *p) {
  struct ck_renewal own;
  struct ck_err bad = {{0}};
  ck_renewal_read(&own, ck_row_text(&p->row, CK_CONVERSATIONS_RENEWAL), &bad);
  ck_buf_text(&p->out, "<section class=\"controls\" id=\"follow-ups\" aria-label=\"Follow-ups of "
                       "this conversation\">\n");
  put_turns(p);
  put_pauses(p);
  put_renew(p, &own);
  put_rules(p, &own, bad.text);
  ck_buf_text(&p->out, "</section>\n");
  ck_renewal_free(&own);
}
