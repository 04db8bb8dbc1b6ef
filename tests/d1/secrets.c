/* The D1 token never leaks. */
#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

#include <string.h>

static void expire(void) {
  d1_fault("{'status':401,'code':1000,'message':'The API token has expired','count':0}");
}
static void renew(void) { json_decref(d1_control("reset", "{}")); }

static const struct mirror_secret token = {.good = "peer-token",
                                           .setting = "d1.token",
                                           .file_setting = "d1.token_file",
                                           .environment = "CONVKEEP_D1_TOKEN",
                                           .file = "keys-token",
                                           .refused = "Authentication error",
                                           .expired = "expired",
                                           .expire = expire,
                                           .renew = renew};

T_STORY(d1_secrets, a_token_in_a_file_is_told_by_nobody, 180) {
  story_a_secret_is_told_by_nobody(&mirror_d1, &token, true);
}
T_STORY(d1_secrets, a_token_in_the_environment_is_told_by_nobody, 180) {
  story_a_secret_is_told_by_nobody(&mirror_d1, &token, false);
}

/* Everybody can read a command line. */
T_STORY(d1_secrets, a_secret_on_a_command_line_is_refused, 30) {
  static const char *const secrets[] = {"d1.token=" MIRROR_WRONG_SECRET,
                                        "postgres.password=" MIRROR_WRONG_SECRET};
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; ++i) {
    struct t_result r = t_convkeep("--set", secrets[i], "config");
    T_CHECK(r.code != 0, "%.9s… is taken", secrets[i]);
    T_CHECK(!strstr(r.out, MIRROR_WRONG_SECRET) && !strstr(r.err, MIRROR_WRONG_SECRET),
            "and said: %s%s", r.out, r.err);
    t_result_free(&r);
  }
}
