/* How the text of a setting becomes its value; for settings.c. */
#ifndef CK_PROTO_SETTINGS_VALUE_H
#define CK_PROTO_SETTINGS_VALUE_H

#include "proto/settings.h"

enum ck_setting_type {
  CK_TYPE_TEXT,
  CK_TYPE_INT,
  CK_TYPE_DURATION,
  CK_TYPE_CHOICE,
  CK_TYPE_LIST,    /* words separated by blanks */
  CK_TYPE_PROGRAM, /* an argv: "…" keeps blanks together; at least one word, which is not empty */
  CK_TYPE_ENV,     /* likewise words, each NAME=VALUE; may be none */
  CK_TYPE_FOLDER   /* empty, absolute, or beginning with ~/ */
};

/* What a setting may be. */
struct ck_setting_rule {
  enum ck_setting_type type;
  int64_t min, max;    /* of INT and DURATION */
  const char *choices; /* of CHOICE: "a|b|c" */
};

/* A setting's value and where it is from. */
struct ck_setting_value {
  char *text, *from;
  int64_t number; /* of INT and DURATION; of CHOICE, which one, from 0 */
  char **words;   /* of LIST, PROGRAM and ENV, NULL-terminated; else NULL */
  enum ck_source source;
};

/* Checks the text and fills v, which must be empty, but for from and source. 0, or -1 with the
 * reason, and v is as it was. */
int ck_setting_value_parse(struct ck_setting_value *v, const struct ck_setting_rule *rule,
                           const char *text, struct ck_err *err);
/* Frees what it has; v is empty then. */
void ck_setting_value_free(struct ck_setting_value *v);

#endif
