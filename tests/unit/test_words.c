#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "text/words.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct words *words;
static struct arena arena = {.ceiling = 64 << 20};

static int open_words(void **state) {
    (void)state;
    words = words_new();
    return words ? 0 : -1;
}
static int close_words(void **state) {
    (void)state;
    words_free(words);
    arena_free(&arena);
    return 0;
}
static int clear(void **state) {
    (void)state;
    arena_reset(&arena);
    return 0;
}

static size_t list(const char *text, size_t len, struct word **out) {
    size_t n = 0;
    assert_int_equal(words_list(words, &arena, text, len, out, &n, NULL), QA_OK);
    return n;
}

/* "configur =configured", stop words in parentheses, parts with a trailing '+' */
static const char *shown(const char *text) {
    struct word *w = NULL;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "");
    for (size_t i = 0, n = list(text, strlen(text), &w); i < n; i++)
        buf_printf(&b, "%s%s%s%s%s", i ? " " : "", w[i].stop ? "(" : "", w[i].norm, w[i].kind == WORD_PART ? "+" : "", w[i].stop ? ")" : "");
    char *copy = arena_string(&arena, b.data);
    buf_free(&b);
    return copy;
}

static void what_becomes_of_words(void **state) {
    (void)state;
    static const struct {
        const char *what, *text, *terms;
    } rows[] = {
        {"nothing", "", ""},
        {"no word", " -- ... !? \t\n '' __", ""},
        {"plain words", "Configured endpoints", "configur =configured endpoint =endpoints"},
        {"a short word is its own stem", "at is", "(at) (=at) (is) (=is)"},
        {"stop words are marked, not dropped", "How does IT work", "(how) (=how) (doe) (=does) (it) (=it) (work) (=work)"},
        {"a contraction is one word", "don't Don\xE2\x80\x99t", "(dont) (=dont) (dont) (=dont)"},
        {"possessive", "server's servers' James's", "server =server server =servers jame =james"},
        {"a possessive identifier", "SageMaker's", "sage+ =sagemaker maker+"},
        {"'s alone", "'s x's", "s =s x =x"},
        {"quotes are no apostrophes", "'quoted' \"words\"", "quot =quoted word =words"},
        {"camel case", "EnableManagedSpotTraining", "enabl+ =enablemanagedspottraining manag+ spot+ train+"},
        {"lower camel", "maxRetries", "max+ =maxretries retri+"},
        {"an acronym before a word", "HTTPServer XMLHttpRequest", "http+ =httpserver server+ xml+ =xmlhttprequest http+ request+"},
        {"capitals are one word", "HTTP VPC", "http =http vpc =vpc"},
        {"the plural of an acronym is its singular", "APIs GPUs ListARNs APIs'", "api =api gpu =gpu list+ =listarn arn+ api =api"},
        {"but not every s after a capital", "Is ABsolute X1s", "(is) (=is) (a+) =absolute bsolut+ x1s =x1s"},
        {"snake case", "max_concurrent_jobs", "max+ =maxconcurrentjobs concurr+ job+"},
        {"constants", "MAX_RETRIES", "max+ =maxretries retri+"},
        {"dots", "ml.g5.4xlarge", "ml+ =mlg54xlarge g5+ 4xlarge+"},
        {"versions", "2.10.1 v1.2", "2+ =2101 10+ 1+ v1+ =v12 2+"},
        {"hyphens", "k-means us-east-1", "k+ =kmeans (mean+) (us+) =useast1 east+ 1+"},
        {"Unicode hyphens", "k\xE2\x80\x90means k\xE2\x80\x91means", "k+ =kmeans (mean+) k+ =kmeans (mean+)"},
        {"digits part only before a capitalised word", "S3 ec2Instance 3D x86_64", "s3 =s3 ec2+ =ec2instance instanc+ 3d =3d x86+ =x8664 64+"},
        {"underscores around", "__init__ _private", "init =init privat =private"},
        {"double underscores inside", "a__b a___b", "(a+) =ab b+ (a+) =ab b+"},
        {"other connectors do not double", "c--b c..b c-.b", "c =c b =b c =c b =b c =c b =b"},
        {"the end of a sentence", "It ends. Really.", "(it) (=it) end =ends (realli) (=really)"},
        {"a path", "/opt/ml/model.tar.gz", "opt =opt ml =ml model+ =modeltargz tar+ gz+"},
        {"an address", "https://example.com/c?b=1", "https =https exampl+ =examplecom com+ c =c b =b 1 =1"},
        {"a command line option", "--no-embed -v", "(no+) =noembed emb+ v =v"},
        {"accents", "Caf\xC3\xA9 Cafe\xCC\x81 CAF\xC3\x89", "cafe =cafe cafe =cafe cafe =cafe"},
        {"compatibility forms", "\xEF\xAC\x81le \xEF\xBC\xA1\xEF\xBC\xA2", "file =file ab =ab"},
        {"Turkish dotted I", "\xC4\xB0stanbul", "istanbul =istanbul"},
        {"Greek and Cyrillic are folded", "\xCE\x91\xCE\xB2\xCE\xB3 \xD0\x9F\xD1\x80\xD0\xB8", "\xCE\xB1\xCE\xB2\xCE\xB3 =\xCE\xB1\xCE\xB2\xCE\xB3 \xD0\xBF\xD1\x80\xD0\xB8 =\xD0\xBF\xD1\x80\xD0\xB8"},
        {"Han characters stand alone", "\xE6\x96\x87\xE6\xA1\xA3 S3\xE6\xA1\xB6", "\xE6\x96\x87 \xE6\xA1\xA3 s3 =s3 \xE6\xA1\xB6"},
        {"Hangul is written with spaces", "\xED\x95\x9C\xEA\xB5\xAD\xEC\x96\xB4", NULL},
        {"a mark without a letter", "\xCC\x81 c", "c =c"},
        {"emoji are no words", "\xF0\x9F\x98\x80 ok\xF0\x9F\x98\x80", "(ok) (=ok)"},
        {"invalid bytes divide", "foo\xFF" "bar \xC3", "foo =foo bar =bar"},
        {"NUL divides nothing here, a tab does", "foo\tbar", "foo =foo bar =bar"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = shown(rows[i].text);
        if (rows[i].terms ? strcmp(got, rows[i].terms) == 0 : strchr(got, '=') != NULL)
            continue;
        print_error("%s: '%s' gave\n  %s\nnot\n  %s\n", rows[i].what, rows[i].text, got, rows[i].terms);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* Where a term comes from: what is marked in a passage. */
static void words_know_their_place(void **state) {
    (void)state;
    static const char text[] = "  The maxRetries's Caf\xC3\xA9, a_b";
    static const struct {
        const char *norm, *from;
    } rows[] = {{"the", "The"}, {"=the", "The"}, {"max", "max"}, {"=maxretries", "maxRetries"}, {"retri", "Retries"}, {"cafe", "Caf\xC3\xA9"},
                {"=cafe", "Caf\xC3\xA9"}, {"a", "a"}, {"=ab", "a_b"}, {"b", "b"}};
    struct word *w = NULL;
    size_t n = list(text, strlen(text), &w);
    assert_int_equal(n, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(w[i].norm, rows[i].norm);
        assert_int_equal(w[i].end - w[i].start, strlen(rows[i].from));
        assert_memory_equal(text + w[i].start, rows[i].from, strlen(rows[i].from));
    }
}

static void long_runs_are_cut(void **state) {
    (void)state;
    static char text[100000];
    static const char *const fill[] = {"x", "aB", "a_", "\xC3\xA9", "a.", "_", "a'", "\xE2\x80\x99"};
    for (size_t f = 0; f < sizeof fill / sizeof *fill; f++) {
        struct word *w = NULL;
        size_t unit = strlen(fill[f]), len = sizeof text / unit * unit;
        for (size_t i = 0; i < len; i++)
            text[i] = fill[f][i % unit];
        size_t n = list(text, len, &w);
        assert_true(n <= 2 * len);
        for (size_t i = 0; i < n; i++) {
            assert_true(w[i].norm_len <= WORD_MAX + 1);
            assert_true(w[i].end <= len && w[i].end - w[i].start <= 256 * 4);
            assert_null(strpbrk(w[i].norm, "_.'")); /* also not where a run was cut */
        }
        arena_reset(&arena);
    }
}

/* The cut of a run falls on a connector, an apostrophe or a mark: the rest begins like any other word. */
static void a_cut_run_goes_on_cleanly(void **state) {
    (void)state;
    static const char *const between[] = {".", "_", "-", "'", "\xCC\x81"};
    for (size_t i = 0; i < 5; i++) {
        char text[400];
        memset(text, 'x', 256);
        snprintf(text + 256, sizeof text - 256, "%sabc", between[i]);
        struct word *w = NULL;
        size_t n = list(text, strlen(text), &w);
        assert_int_equal(n, 4);
        assert_string_equal(w[2].norm, "abc");
        assert_string_equal(w[3].norm, "=abc");
    }
}

/* What a word becomes must not depend on the words before it, through the cache or otherwise. */
static void the_past_does_not_matter(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"\xE2\x85\xAD" "ats", "cats"}, /* a roman numeral character, which is a digit and folds to a letter */
        {"\xE2\x91\xA0s", "1s"},
        {"running", "Running"},
        {"RUNNING", "running"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int order = 0; order < 2; order++) {
            words_free(words);
            words = words_new();
            const char *fresh = shown(pairs[i][order]);
            words_free(words);
            words = words_new();
            shown(pairs[i][!order]);
            assert_string_equal(shown(pairs[i][order]), fresh);
        }
}

static void stop_words(void **state) {
    (void)state;
    static const char *const yes[] = {"a", "the", "youve", "itself", "yourself", "everything", "happening", "does", "dont", "yes"},
                            *const no[] = {"", "aa", "cat", "time", "spot", "us-east-1", "The", "thee", "everythings", "zzz"};
    for (size_t i = 0; i < 10; i++) {
        if (!words_is_stop(yes[i], strlen(yes[i])))
            fail_msg("%s", yes[i]);
        if (words_is_stop(no[i], strlen(no[i])))
            fail_msg("%s", no[i]);
    }
    assert_true(words_is_stop("their", 3)); /* by length, not to the NUL: "the" */
}

/* The list is private to its file, so it is read from there: bsearch finds nothing in a list out of order. */
static void the_stop_list_is_sorted_and_found(void **state) {
    (void)state;
    FILE *f = fopen(QA_SOURCE_DIR "/src/text/stop_words.c", "r");
    assert_non_null(f);
    char line[400], before[40] = "";
    size_t n = 0;
    bool in_list = false;
    while (fgets(line, sizeof line, f)) {
        if (strstr(line, "stop_words[] = {"))
            in_list = true;
        else if (line[0] == '}')
            in_list = false;
        for (char *p = in_list ? strchr(line, '"') : NULL; p; p = strchr(p, '"')) {
            char *end = strchr(p + 1, '"');
            assert_non_null(end);
            *end = '\0';
            if (strcmp(before, p + 1) >= 0)
                fail_msg("'%s' stands before '%s'", before, p + 1);
            if (!words_is_stop(p + 1, strlen(p + 1)))
                fail_msg("'%s' is not found", p + 1);
            snprintf(before, sizeof before, "%s", p + 1);
            n++;
            p = end + 1;
        }
    }
    fclose(f);
    assert_true(n > 200);
}

static int third(void *user, const struct word *word) {
    (void)word;
    return ++*(int *)user == 3 ? 42 : 0;
}

static void the_listener_can_stop_it(void **state) {
    (void)state;
    static const char *const texts[] = {"one-two-three four", "Alpha beta gamma", "\xE6\x96\x87\xE6\xA1\xA3\xE6\xA1\xB6\xE6\xA1\xB6", "a.b.c.d"};
    for (size_t i = 0; i < 4; i++) {
        int calls = 0;
        assert_int_equal(words_each(words, texts[i], strlen(texts[i]), third, &calls), 42);
        assert_int_equal(calls, 3);
    }
}

static void the_arena_limits_the_list(void **state) {
    (void)state;
    struct arena small = {.ceiling = 4096};
    struct word *w = NULL;
    size_t n = 7;
    qa_error err = {0};
    static char text[3000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 3 == 2 ? ' ' : 'x';
    assert_int_equal(words_list(words, &small, text, sizeof text, &w, &n, &err), QA_TOO_LARGE);
    assert_int_equal(n, 0);
    assert_non_null(strstr(err.message, "splitting text into words"));
    arena_free(&small);
}

/* ---- Any text at all ---- */

static void check_terms(const struct word *w, size_t n, size_t len) {
    for (size_t i = 0; i < n; i++) {
        assert_true(w[i].start < w[i].end && w[i].end <= len);
        assert_true(w[i].norm_len > 0 && strlen(w[i].norm) == w[i].norm_len); /* no NUL inside */
        assert_int_equal(utf8_valid_len(w[i].norm, w[i].norm_len), w[i].norm_len);
        assert_int_equal(w[i].kind == WORD_EXACT, w[i].norm[0] == '=');
        if (w[i].kind == WORD_EXACT)
            assert_true(i > 0 && w[i - 1].kind != WORD_EXACT && w[i].norm_len > 1);
    }
}

static size_t random_text(char *text, size_t size) {
    static const char *const bits[] = {" ", "_", "-", ".", "'", "a", "B", "7", "s", "\xC3\x89", "\xCC\x81", "\xE6\x96\x87", "\xEF\xAC\x81", "\xF0\x9F\x98\x80", "\xE2\x80\x99", "\xFF", "\xE2\x82"};
    size_t n = 0;
    while (n < size - 4) {
        if (random() % 3) {
            const char *bit = bits[(size_t)random() % (sizeof bits / sizeof *bits)];
            memcpy(text + n, bit, strlen(bit));
            n += strlen(bit);
        } else {
            n += utf8_put(text + n, (uint32_t)random() % (random() % 2 ? 0x3000 : 0x110000));
        }
    }
    return n;
}

static void any_text_is_safe_and_falls_apart_at_spaces(void **state) {
    (void)state;
    srandom(7);
    for (int round = 0; round < 3000; round++) {
        char text[300];
        struct word *all = NULL, *left = NULL, *right = NULL;
        size_t len = random_text(text, sizeof text), cut = (size_t)random() % len;
        while (cut && ((unsigned char)text[cut] & 0xC0) == 0x80)
            cut--;
        text[cut] = ' ';
        char *exact = malloc(len); /* so that ASan sees a step outside */
        memcpy(exact, text, len);
        size_t n = list(exact, len, &all), n_left = list(exact, cut, &left), n_right = list(exact + cut + 1, len - cut - 1, &right);
        free(exact);
        check_terms(all, n, len);
        assert_int_equal(n, n_left + n_right);
        for (size_t i = 0; i < n; i++) {
            const struct word *other = i < n_left ? &left[i] : &right[i - n_left];
            size_t shift = i < n_left ? 0 : cut + 1;
            assert_string_equal(all[i].norm, other->norm);
            assert_true(all[i].start == other->start + shift && all[i].end == other->end + shift && all[i].kind == other->kind && all[i].stop == other->stop);
        }
        arena_reset(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_becomes_of_words, clear),
        cmocka_unit_test_teardown(words_know_their_place, clear),
        cmocka_unit_test_teardown(long_runs_are_cut, clear),
        cmocka_unit_test_teardown(a_cut_run_goes_on_cleanly, clear),
        cmocka_unit_test_teardown(the_past_does_not_matter, clear),
        cmocka_unit_test(stop_words),
        cmocka_unit_test(the_stop_list_is_sorted_and_found),
        cmocka_unit_test(the_listener_can_stop_it),
        cmocka_unit_test(the_arena_limits_the_list),
        cmocka_unit_test(any_text_is_safe_and_falls_apart_at_spaces),
    };
    return cmocka_run_group_tests(tests, open_words, close_words);
}
