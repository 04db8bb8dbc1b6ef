/* What the stories of the exports have in common. */
#ifndef CK_TESTS_FLOW_EXPORTS_H
#define CK_TESTS_FLOW_EXPORTS_H

/* The path of one of other people's files; the story is left out, and says so, where they are not.
 */
const char *input_file(const char *name);
/* Imports a file again that is in already: all unchanged, no version, nothing new in the mirror, no
 * request to it. The ring is up. */
void check_again(const char *path);
/* An export below other/: every message goes in, counts by platform, whole in mirror and artifacts,
 * and unchanged the second time. failed: the conversations that cannot go in. */
void check_export(const char *path, const char *platform, int conversations, int messages,
                  int failed);

#endif
