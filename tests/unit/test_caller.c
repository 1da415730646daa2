#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "port/caller.h"

static void rules(void **state) {
    (void)state;
    static const char *const staff[] = {"staff", "blue"}, *const admin[] = {"admin"}, *const both[] = {"admin", "blue"}, *const signed_in[] = {"signed-in"};
    static const struct caller owner = {.owner = true}, stranger = {0}, member = {.signed_in = true, .groups = staff, .n_groups = 2},
                               nobody_yet = {.signed_in = true};
    static const struct {
        const char *what;
        const struct caller *caller;
        bool restricted;
        const char *const *groups;
        size_t n;
        bool sees;
    } rows[] = {
        {"no rule, stranger", &stranger, false, NULL, 0, true},
        {"one group in common", &member, true, both, 2, true},
        {"no group in common", &member, true, admin, 1, false},
        {"a stranger has no group", &stranger, true, admin, 1, false},
        {"signed-in, member of nothing", &nobody_yet, true, signed_in, 1, true},
        {"signed-in, stranger", &stranger, true, signed_in, 1, false},
        {"nobody: member", &member, true, NULL, 0, false},
        {"nobody: owner", &owner, true, NULL, 0, true},
        {"owner, foreign group", &owner, true, admin, 1, true},
        {"no caller is the owner", NULL, true, admin, 1, true},
        {"groups without the flag restrict too", &stranger, false, admin, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (caller_may_see(rows[i].caller, rows[i].restricted, rows[i].groups, rows[i].n) != rows[i].sees)
            fail_msg("%s", rows[i].what);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
