/* The contents of the readable files, made from rows alone. Pure functions.
 *
 * A .txt has facts, one a line, then the text byte for byte. Facts come from web pages and exports,
 * so white space in them is folded and control characters are shown as '?': no value can pass for
 * another line or control a terminal. A .json has the row's columns, in the order of
 * proto/records.h, as one object on one line.
 */
#ifndef CK_STORE_ARTIFACT_TEXT_H
#define CK_STORE_ARTIFACT_TEXT_H

#include "proto/records.h"

/* A message in a list, with only the columns that lists show. */
struct artifact_message {
  struct ck_row row;
  bool beside; /* of another branch than the current one, or its place is unknown */
};

/* A session of the index. messages: in reading order. */
struct artifact_session {
  struct ck_row row;
  const struct artifact_message *messages;
  int count;
};

/* Appends the .txt of a message, an execution or a session. messages, count: for a session, its
 * messages, in reading order. most: how many were asked for; if that many came, the file says that
 * it shows only the newest. */
void artifact_text(struct ck_buf *out, const struct ck_row *row,
                   const struct artifact_message *messages, int count, int most);

/* Appends the .json of any of the three. */
void artifact_json(struct ck_buf *out, const struct ck_row *row);

/* Append the session index; the sessions stay in the given order. */
void artifact_latest_text(struct ck_buf *out, const struct artifact_session *sessions, int count);
void artifact_latest_json(struct ck_buf *out, const struct artifact_session *sessions, int count);

#endif
