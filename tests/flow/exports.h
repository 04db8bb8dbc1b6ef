/* Shared by the stories that import exports. */
#ifndef CK_TESTS_FLOW_EXPORTS_H
#define CK_TESTS_FLOW_EXPORTS_H

/* The path of a file in ../shared/inputs. If it is missing, the story is skipped. */
const char *input_file(const char *name);
/* Imports a file a second time: everything is unchanged, no version is made, and the mirror gets no
 * row and no request. The ring must be up. */
void check_again(const char *path);
/* Imports an export and checks its tally, the platform's messages and conversations in the
 * database, and that mirror and artifacts are complete. failed: conversations that must fail. */
void check_export(const char *path, const char *platform, int conversations, int messages,
                  int failed);

#endif
