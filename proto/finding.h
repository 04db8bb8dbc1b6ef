/* How a check of `convkeep doctor` ended: for the checks of the store and those of the command
 * line, which also reads the store's. */
#ifndef CK_PROTO_FINDING_H
#define CK_PROTO_FINDING_H

/* CK_FOUND_NOTE: unusual, but nothing needs to be done. */
enum ck_finding { CK_FOUND_OK, CK_FOUND_NOTE, CK_FOUND_WRONG };

/* ok, note or wrong. */
const char *ck_finding_word(enum ck_finding found);
/* The finding of that word. CK_FOUND_WRONG for a word that is none. */
enum ck_finding ck_finding_named(const char *word);

#endif
