/* sync retry on D1 and on mirror.db: see tests/mirror/retry.c. */
#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_retry, dead_letters_are_sent_again, 60) {
  story_dead_letters_are_sent_again(&mirror_d1);
}
T_STORY(d1_retry, a_later_version_takes_the_dead_letters_place, 60) {
  story_a_later_version_takes_the_dead_letters_place(&mirror_d1);
}
