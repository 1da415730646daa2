// Where sentences end.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "text/sentences.h"
#include <stdlib.h>
#include <string.h>

// All sentences of the text, joined by "|".
static char *split(const char *text, size_t len) {
    char *out = calloc(1, len * 2 + 2);
    size_t at = 0, n = 0;
    for (size_t next; at < len; at = next) {
        size_t end = sentence_end(text, len, at, &next);
        assert_true(end >= at && end <= next && next <= len && next > at);
        while (at < end && strchr(" \t\r\n", text[at]))
            at++;
        if (end > at) {
            n += n ? (out[n] = '|', 1) : 0;
            memcpy(out + n, text + at, end - at);
            n += end - at;
        }
    }
    return out;
}

static void rules(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"two", "It works. Try it.", "It works.|Try it."},
        {"question and call", "Does it? Yes! Good", "Does it?|Yes!|Good"},
        {"white space around", "  A b.  C d. ", "A b.|C d."},
        {"only white space", " \n ", ""},
        {"no end", "Choose a name", "Choose a name"},
        {"closing quotes", "He said \"go.\" Then (he left.) She \342\200\234stayed.\342\200\235 End.",
         "He said \"go.\"|Then (he left.)|She \342\200\234stayed.\342\200\235|End."},
        {"opening quotes", "Go. \"Now\" it. (Later) x. \342\200\234Well\342\200\235.", "Go.|\"Now\" it.|(Later) x.|\342\200\234Well\342\200\235."},
        {"a number begins one", "It has parts. 3 are small.", "It has parts.|3 are small."},
        {"lower case begins none", "Use foo. bar is old. iPhone", "Use foo. bar is old. iPhone"},
        {"for example", "Use a type, e.g. Large. Or i.e. Small, etc. and so on vs. Big.", "Use a type, e.g. Large.|Or i.e. Small, etc. and so on vs. Big."},
        {"etc. may end", "Boxes, bags, etc. They hold.", "Boxes, bags, etc.|They hold."},
        {"titles", "Ask Dr. Smith or J. Doe. Soon.", "Ask Dr. Smith or J. Doe.|Soon."},
        {"No. before a number", "See No. 5 and Fig. 3. No. Not it.", "See No. 5 and Fig. 3.|No.|Not it."},
        {"bracketed abbreviation", "Types (e.g. Large) work.", "Types (e.g. Large) work."},
        {"numbers and versions", "Use 1.5 or v2.3.4 of ml.g5.xlarge or a.py. Then go.", "Use 1.5 or v2.3.4 of ml.g5.xlarge or a.py.|Then go."},
        {"ends in a number", "Set it to 5. Then go.", "Set it to 5.|Then go."},
        {"number of an item", "1. Open it. 2. Close it.", "1. Open it.|2. Close it."},
        {"ellipsis", "Wait... Now. Wait... now.", "Wait...|Now.|Wait... now."},
        {"several marks", "What?! No.", "What?!|No."},
        {"a line break is a space", "One\ntwo. Three.", "One\ntwo.|Three."},
        {"a blank line ends", "A heading\n\nText here. x", "A heading|Text here. x"},
        {"a blank line with spaces ends", "A\n  \nb", "A|b"},
        {"after an abbreviation too", "See e.g.\n\nText", "See e.g.|Text"},
        {"upper case that is not ASCII", "Gut. \303\226l. \303\266l", "Gut.|\303\226l. \303\266l"},
        {"ideographic", "\344\270\200\343\200\202\344\272\214\357\274\201\343\200\215\344\270\211", "\344\270\200\343\200\202|\344\272\214\357\274\201\343\200\215|\344\270\211"},
        {"a script without case", "One. \327\220\327\221", "One.|\327\220\327\221"},
        {"only marks", "...", "..."},
        {"broken bytes", "A.\377 \342. B", "A.\377 \342.|B"},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].text);
        char *exact = malloc(len ? len : 1);
        memcpy(exact, rows[i].text, len);
        char *got = split(exact, len);
        if (strcmp(got, rows[i].want) != 0) {
            print_error("%s:\n want %s\n got  %s\n", rows[i].name, rows[i].want, got);
            bad++;
        }
        free(got);
        free(exact);
    }
    assert_int_equal(bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
