/* What a conversation without a title is called by: the beginning of its user's first message. */
#ifndef CK_STORE_QUESTION_H
#define CK_STORE_QUESTION_H

#define DB_QUESTION_AMONG "20" /* the first messages, among which it is looked for */
#define DB_QUESTION_CHARACTERS "200"
/* A column of a SELECT FROM conversation_links; NULL: there is none. */
#define DB_FIRST_QUESTION \
  "(SELECT substr(raw_text, 1, " DB_QUESTION_CHARACTERS ") FROM" \
  " (SELECT role, raw_text, details FROM messages m" \
  "  WHERE m.conversation_id = conversation_links.remote_conversation_id" \
  "  AND +m.platform = conversation_links.platform" \
  "  ORDER BY m.observed_at LIMIT " DB_QUESTION_AMONG ")" \
  " WHERE role IN ('user', 'human') AND trim(raw_text) <> ''" \
  " AND instr(coalesce(details, ''), '\"kind\":\"context\"') = 0 LIMIT 1)"

#endif
