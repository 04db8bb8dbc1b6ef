/* One conversation as a document of an export: in a form of the renderer, or as JSON that can be
 * imported again. Memory does not grow with what the conversation says. */
#ifndef CLI_READING_EXPORT_DOCUMENT_H
#define CLI_READING_EXPORT_DOCUMENT_H

#include "cli/client.h"
#include "cli/reading/export_out.h"
#include "proto/render/render.h"

struct export_choice {
  bool json;
  enum render_form form; /* unless it is JSON */
  size_t branch;         /* 0: all */
  bool terminal;         /* what is written goes to one */
};

/* Both write the conversation, a row of local_conversations. Return CLI_GO_ON; or the exit code
 * after reporting the error, or with the reason in err: the output could not be written. */
int export_document(struct cli *c, const json_t *conversation, const struct export_choice *choice,
                    struct export_out *out, struct ck_err *err);
/* The same as an object of JSON. */
int export_json(struct cli *c, const json_t *conversation, const struct export_choice *choice,
                struct export_out *out, struct ck_err *err);

/* The messages that belong to no conversation, as such an object. */
int export_loose(struct cli *c, struct export_out *out, struct ck_err *err);
/* Are there any? Returns CLI_GO_ON, or the exit code after reporting the error. */
int export_has_loose(struct cli *c, bool *some);

/* The order of the conversation, and the steps of it that are chosen, which the caller frees.
 * Returns as above; the branch may not be there. */
struct cli_reading;
int export_order(struct cli *c, const json_t *conversation, size_t branch, struct cli_reading *r,
                 size_t **chosen, size_t *count);

#endif
