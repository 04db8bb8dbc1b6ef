/* What stands in the readable files, from rows alone. Pure.
 *
 * .txt: facts, one a line, then the text to the byte. Facts come from pages and exports, so white
 * space in them is folded and control characters show as '?': no value can pass for another line or
 * talk to a terminal. .json: the row's columns, in the order of proto/records.h, in one object on
 * one line.
 */
#ifndef CK_STORE_ARTIFACT_TEXT_H
#define CK_STORE_ARTIFACT_TEXT_H

#include "proto/records.h"

/* A session of the index. messages: newest first, with no more columns than the index shows. */
struct artifact_session {
  struct ck_row row;
  const struct ck_row *messages;
  int count;
};

/* Appends a message's, an execution's or a session's .txt. messages: for a session, its messages,
 * newest first; most: how many were asked for, so that the file can say that there may be more. */
void artifact_text(struct ck_buf *out, const struct ck_row *row, const struct ck_row *messages,
                   int count, int most);

/* Appends the .json of any of the three. */
void artifact_json(struct ck_buf *out, const struct ck_row *row);

/* Append the session index, sessions in the order given. */
void artifact_latest_text(struct ck_buf *out, const struct artifact_session *sessions, int count);
void artifact_latest_json(struct ck_buf *out, const struct artifact_session *sessions, int count);

#endif
