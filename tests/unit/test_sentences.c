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
        {"lower case begins none", "Use foo. bar is old. well-known and/or (so) x", "Use foo. bar is old. well-known and/or (so) x"},
        {"a name with a digit", "Use it. boto3 supports it. p3dn is large. k8s", "Use it.|boto3 supports it.|p3dn is large.|k8s"},
        {"a name with dots", "Choose one. ml.m5.large is small. sagemaker.config is a file.", "Choose one.|ml.m5.large is small.|sagemaker.config is a file."},
        {"a name with an underscore", "It ends. max_jobs is 5. a_ is none. _b is none", "It ends.|max_jobs is 5. a_ is none. _b is none"},
        {"a name with a capital inside", "Go. iPhone is. createDomain() is. mL", "Go.|iPhone is.|createDomain() is.|mL"},
        {"a call", "It trains. fit() returns. fit () x. f(x) y", "It trains.|fit() returns. fit () x. f(x) y"},
        {"a name in back-quotes", "It ends. `train` is. (`fit` too.) \"`go`\" so. ``", "It ends.|`train` is.|(`fit` too.)|\"`go`\" so.|``"},
        {"a name behind a question", "Which? ml.t3.medium! boto3?! `x`.", "Which?|ml.t3.medium!|boto3?!|`x`."},
        {"a name behind an abbreviation", "Types, e.g. ml.m5.large, vs. boto3 etc. `x`", "Types, e.g. ml.m5.large, vs. boto3 etc.|`x`"},
        {"abbreviations have dots and are no names", "It ends. e.g. this. i.e., that. a.m. too. a.k.a. x", "It ends. e.g. this. i.e., that. a.m. too. a.k.a. x"},
        {"marks around a name", "It ends. (boto3), so. *max_jobs*. \342\200\234boto3\342\200\235.", "It ends.|(boto3), so.|*max_jobs*.|\342\200\234boto3\342\200\235."},
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

// A text that comes letter by letter: what is cut when it is no longer open is what the whole is cut into.
static void open_or_not(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool open; // what follows its first sentence
    } rows[] = {
        {"It ends. ", true},       {"It ends. (", true},       {"It ends. \"", true},  {"It ends. T", false},  {"It ends. 3", false},
        {"It ends. boto3", true},  {"It ends. boto3 ", false}, {"It ends. e.g", true}, {"It ends. (e.g. ", false}, {"It ends. `b", false},
        {"It ends. -", false},     {"It ends. *b", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (sentence_is_open(rows[i].text, strlen(rows[i].text), strlen("It ends. ")) != rows[i].open)
            fail_msg("%s: %s", rows[i].text, rows[i].open ? "closed" : "open");
    static const char *const texts[] = {"It ends. boto3 is. e.g. this. (a.b) is. `x` is? fit() is. well-known! Yes.", "A. b. c.d. e f_g. h"};
    for (size_t i = 0; i < 2; i++) {
        const char *text = texts[i];
        size_t len = strlen(text), whole = len, first = sentence_end(text, len, 0, &whole);
        for (size_t n = 1; n <= len; n++) {
            size_t next = n, end = sentence_end(text, n, 0, &next);
            if (!sentence_is_open(text, n, next) && (end != first || next != whole))
                fail_msg("%.*s", (int)n, text);
        }
    }
}

static void stopped_or_not(void **state) {
    (void)state;
    static const char *const yes[] = {"It ends.", "Does it?", "It does! ", "(It ends.)", "\"Go.\"\n", "**It ends.**", "\344\272\214\343\200\202"};
    static const char *const no[] = {"", " ", "It ends", "It ends:", "(It ends", "a.b", "Go. on)", ")))", "\343\200\202x"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!sentence_is_stopped(yes[i], strlen(yes[i])))
            fail_msg("%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (sentence_is_stopped(no[i], strlen(no[i])))
            fail_msg("%s", no[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules), cmocka_unit_test(open_or_not), cmocka_unit_test(stopped_or_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
