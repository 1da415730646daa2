#include "base/nearest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void rows(void **state) {
    static const char *const words[] = {"search", "show", "ask", "conversations"};
    static const struct {
        const char *word, *near; /* NULL: none */
    } table[] = {
        {"serch", "search"},                /* one left out */
        {"saerch", "search"},               /* two swapped */
        {"shows", "show"},
        {"conversatoin", "conversations"},  /* longer words may be further off */
        {"ingest", NULL},
        {"k", NULL},                        /* anything is near a letter */
        {"", NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL}, /* over the limit */
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *near = nearest_word(table[i].word, words, 4);
        if (!near != !table[i].near || (near && strcmp(near, table[i].near) != 0))
            fail_msg("%s: %s", table[i].word, near ? near : "none");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
