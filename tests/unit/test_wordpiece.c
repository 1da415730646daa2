// Text to token ids. What `tokenizers` gives is known by checksums here (tests/fake/hostile_text.h);
// tests/full/test_wordpiece_reference.c asks it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake/fake_vocabulary.h"
#include "fake/hostile_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 1 << 20 };

static const char *const small[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "un", "##aff", "##able", "unaff", "hello", "a", "##a", "##b", "ab", "cafe", "[", "]", "cls", "sep", "!",
    ";", "=", ",", "#", "\xE4\xB8\xAD", "\xE6\x96\x87", "\xE8\xB1\x88", "\xE1\x84\x92", "##\xE1\x85\xA1", "##\xE1\x86\xAB", "##\xE1\xAE\xAA", "##\xE1\xAD\x84",
    "##\xE3\x80\xAE", "istanbul", "##\xE2\x96\x81", "\xE2\x96\x81", "[unused1]", "\xCF\x83", "##\xCF\x83", "\xEF\xAC\x81", "b", NULL};

static struct fake_vocabulary vocabulary;
static struct tokenizer *tokenizer;
static int32_t ids[MOST];
static struct tokenizer_span spans[MOST];

static struct tokenizer *open_sound(const struct model_gguf *g) {
    struct tokenizer *t;
    qa_error err = {0};
    if (tokenizer_open(g, &t, &err) != QA_OK)
        fail_msg("%s", err.message);
    return t;
}

static int open_small(void **state) {
    (void)state;
    fake_vocabulary_make(&vocabulary, small, 0, FAKE_YES, FAKE_UNSAID);
    tokenizer = open_sound(vocabulary.g);
    return 0;
}
static int close_small(void **state) {
    (void)state;
    tokenizer_close(tokenizer);
    fake_vocabulary_free(&vocabulary);
    return 0;
}

static char shown[65536];

/* "un@0-2 ##aff@2-5" */
static const char *show(const struct tokenizer *t, const char *const *tokens, const char *text, size_t len, bool places) {
    size_t n = tokenizer_tokens(t, text, len, MOST, ids, spans), at = 0;
    shown[0] = '\0';
    for (size_t i = 0; i < n && at < sizeof shown; i++) {
        at += (size_t)snprintf(shown + at, sizeof shown - at, "%s%s", i ? " " : "", tokens[ids[i]]);
        if (places && at < sizeof shown)
            at += (size_t)snprintf(shown + at, sizeof shown - at, "@%zu-%zu", spans[i].start, spans[i].end);
    }
    assert_int_equal(tokenizer_count(t, text, len), n + 2);
    return shown;
}

static void what_becomes_of_text(void **state) {
    (void)state;
    static const struct {
        const char *what, *text, *tokens;
        size_t len; /* 0: up to its NUL */
    } rows[] = {
        {"nothing", "", "", 0},
        {"white space of all kinds", " \t\r\n\xC2\xA0\xE2\x80\x83\xE3\x80\x80 ", "", 0},
        {"a word", "hello", "hello@0-5", 0},
        {"the longest beginning, then the longest that goes on", "unaffable", "unaff@0-5 ##able@5-9", 0},
        {"a piece that only begins words does not go on with one", "hellothe", "[UNK]@0-8", 0},
        {"a piece that only goes on does not begin a word", "able", "[UNK]@0-4", 0},
        {"spelt but for its end", "unaffabled", "[UNK]@0-10", 0},
        {"capitals", "HeLLo THE", "hello@0-5 the@6-9", 0},
        {"punctuation stands alone", "hello,the!!", "hello@0-5 ,@5-6 the@6-9 !@9-10 !@10-11", 0},
        {"signs of ASCII count as punctuation", "a=b", "a@0-1 =@1-2 b@2-3", 0},
        {"punctuation that the vocabulary lacks", "a$b", "a@0-1 [UNK]@1-2 b@2-3", 0},
        {"accents", "CAF\xC3\x89 cafe\xCC\x81 x", "cafe@0-5 cafe@6-10 [UNK]@13-14", 0},
        {"an accent alone is no word", "a \xCC\x81 a", "a@0-1 a@5-6", 0},
        {"a dotted capital I", "\xC4\xB0stanbul", "istanbul@0-9", 0},
        {"a final sigma is not looked at", "\xCE\xA3\xCE\xA3", "\xCF\x83@0-2 ##\xCF\x83@2-4", 0},
        {"ligatures stay", "\xEF\xAC\x81", "\xEF\xAC\x81@0-3", 0},
        {"control characters vanish from within a word", "he\x01l\xC2\xADl\xE2\x80\x8Bo", "hello@0-11", 0},
        {"so do form feeds", "hel\flo", "hello@0-6", 0},
        {"so does NUL", "hel\0lo", "hello@0-6", 6},
        {"so does U+FFFD", "hel\xEF\xBF\xBDlo", "hello@0-8", 0},
        {"and with it what is invalid", "hel\xFF\xC3lo\xE2\x82", "hello@0-7", 0},
        {"a cut character swallows nothing", "a\xE2\x82,a\xF0\x9F!", "a@0-1 ,@3-4 a@4-5 !@7-8", 0},
        {"a surrogate", "a\xED\xA0\x80" "b", "ab@0-5", 0},
        {"no text becomes a control token", "[CLS] [SEP]", "[@0-1 cls@1-4 ]@4-5 [@6-7 sep@7-10 ]@10-11", 0},
        {"nor an unused one", "[unused1]", "[@0-1 [UNK]@1-8 ]@8-9", 0},
        {"nor what is written like a piece", "##able", "#@0-1 #@1-2 [UNK]@2-6", 0},
        {"Han stands alone", "a\xE4\xB8\xAD\xE6\x96\x87" "a", "a@0-1 \xE4\xB8\xAD@1-4 \xE6\x96\x87@4-7 a@7-8", 0},
        {"also a compatible one, and as what it is compatible with", "a\xEF\xA4\x80" "a", "a@0-1 \xE8\xB1\x88@1-4 a@4-5", 0},
        {"a syllable falls into its letters", "\xED\x95\x9C", "\xE1\x84\x92@0-3 ##\xE1\x85\xA1@0-3 ##\xE1\x86\xAB@0-3", 0},
        {"two letters where it has two", "\xED\x95\x98", "\xE1\x84\x92@0-3 ##\xE1\x85\xA1@0-3", 0},
        {"what decomposes to punctuation is punctuation", "a\xCD\xBE" "a", "a@0-1 ;@1-3 a@3-4", 0},
        {"a sign without its stroke", "a\xE2\x89\xA0" "a", "a@0-1 =@1-4 a@4-5", 0},
        {"marks that stay are put in order, their places are not", "a\xE3\x80\xAE\xE1\xAE\xAA", "a@0-1 ##\xE1\xAE\xAA@1-4 ##\xE3\x80\xAE@4-7", 0},
        {"equal ones keep theirs", "a\xE1\xAD\x84\xE1\xAE\xAA", "a@0-1 ##\xE1\xAD\x84@1-4 ##\xE1\xAE\xAA@4-7", 0},
        {"across one that goes, too", "a\xE3\x80\xAE\xCC\x81\xE1\xAE\xAA", "a@0-1 ##\xE1\xAE\xAA@1-4 ##\xE3\x80\xAE@6-9", 0},
        {"not across one that starts anew", "a\xE3\x80\xAE\xE0\xB8\xB1\xE1\xAE\xAA", "a@0-1 ##\xE3\x80\xAE@1-4 ##\xE1\xAE\xAA@7-10", 0},
        {"nor across a letter", "a\xE3\x80\xAE" "a\xE1\xAE\xAA", "a@0-1 ##\xE3\x80\xAE@1-4 ##a@4-5 ##\xE1\xAE\xAA@5-8", 0},
        {"the sign that GGUF puts before words, in text", "\xE2\x96\x81 a\xE2\x96\x81", "\xE2\x96\x81@0-3 a@4-5 ##\xE2\x96\x81@5-8", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *is = show(tokenizer, small, rows[i].text, rows[i].len ? rows[i].len : strlen(rows[i].text), true);
        if (strcmp(is, rows[i].tokens) != 0)
            fail_msg("%s: %s, and %s is expected", rows[i].what, is, rows[i].tokens);
    }
}

/* A word of 100 characters is spelt, one of 101 is unknown: characters after normalising, by both ways of reading. */
static void the_longest_word(void **state) {
    (void)state;
    static const struct {
        const char *what, *unit;
        size_t most; /* units that make 100 characters */
        size_t tokens;
    } rows[] = {{"ASCII", "a", 100, 100}, {"capitals", "A", 100, 100}, {"accents", "\xC3\xA1", 100, 100}, {"decomposed ones", "a\xCC\x81", 100, 100},
                {"with dropped ones", "a\x01", 100, 100}, {"notes, of three", "\xF0\x9D\x85\xA0", 33, 99}};
    struct fake_vocabulary v;
    fake_vocabulary_of_letters(&v, FAKE_YES, FAKE_UNSAID);
    struct tokenizer *t = open_sound(v.g);
    char text[1024];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t unit = strlen(rows[i].unit);
        for (size_t k = 0; k <= rows[i].most; k++)
            memcpy(text + k * unit, rows[i].unit, unit);
        size_t n = tokenizer_tokens(t, text, rows[i].most * unit, MOST, ids, spans);
        if (n != rows[i].tokens)
            fail_msg("%s: %zu characters gave %zu tokens", rows[i].what, rows[i].tokens, n);
        n = tokenizer_tokens(t, text, (rows[i].most + 1) * unit, MOST, ids, spans);
        if (n != 1 || ids[0] != 1 || spans[0].start != 0)
            fail_msg("%s: more than 100 characters gave %zu tokens", rows[i].what, n);
    }
    tokenizer_close(t);
    fake_vocabulary_free(&v);
}

static void a_text_is_cut_to_a_limit(void **state) {
    (void)state;
    static const char text[] = "unaffable hello, a";
    int32_t whole[16], part[16];
    struct tokenizer_span places[16];
    size_t n = tokenizer_encode(tokenizer, text, strlen(text), 16, whole, places);
    assert_int_equal(n, 7);
    assert_int_equal(n, tokenizer_count(tokenizer, text, strlen(text)));
    const struct tokenizer_special special = tokenizer_special(tokenizer);
    assert_int_equal(whole[0], special.cls);
    assert_int_equal(whole[6], special.sep);
    assert_int_equal(places[0].start, 0);
    assert_int_equal(places[0].end, 0);
    assert_int_equal(places[6].start, 18);
    assert_int_equal(places[6].end, 18);
    for (size_t max = 2; max <= 8; max++) {
        memset(part, 0x55, sizeof part);
        size_t k = tokenizer_encode(tokenizer, text, strlen(text), max, part, NULL), expected = max < n ? max : n;
        assert_int_equal(k, expected);
        assert_memory_equal(part, whole, (k - 1) * sizeof *part);
        assert_int_equal(part[k - 1], special.sep);
        assert_int_equal(part[k], 0x55555555); /* nothing behind */
        assert_int_equal(tokenizer_tokens(tokenizer, text, strlen(text), max - 2, part, NULL), expected - 2);
    }
}

static void case_and_accents_as_the_file_says(void **state) {
    (void)state;
    static const char *const cased[] = {
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Ab", "\xC3\xA1", "ab", "A", "a", "\xC3\x81", "i\xCC\x87", NULL,
    };
    static const char *const uncased[] = {
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ab", "\xC3\xA1", "a", "[UNUSED]", "i\xCC\x87", NULL,
    };
    static const struct {
        const char *what;
        const char *const *tokens;
        enum fake_setting lower, strip;
        const char *text, *expected;
    } rows[] = {
        {"lower case, and with it no accents", cased, FAKE_YES, FAKE_UNSAID, "Ab \xC3\x81 \xC3\xA1", "ab a a"},
        {"lower case, accents said to stay", cased, FAKE_YES, FAKE_NO, "Ab \xC3\x81 A\xCC\x81 \xC4\xB0", "ab \xC3\xA1 [UNK] i\xCC\x87"},
        {"capitals, and with them accents", cased, FAKE_NO, FAKE_UNSAID, "Ab \xC3\x81 \xC3\xA1", "Ab \xC3\x81 \xC3\xA1"},
        {"capitals, accents said to go", cased, FAKE_NO, FAKE_YES, "Ab \xC3\x81 \xC3\xA1", "Ab A a"},
        {"nothing said of a vocabulary with capitals", cased, FAKE_UNSAID, FAKE_UNSAID, "Ab \xC3\x81", "Ab \xC3\x81"},
        {"nothing said of one without", uncased, FAKE_UNSAID, FAKE_UNSAID, "AB \xC3\x81", "ab a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_vocabulary v;
        fake_vocabulary_make(&v, rows[i].tokens, 0, rows[i].lower, rows[i].strip);
        struct tokenizer *t = open_sound(v.g);
        const char *is = show(t, rows[i].tokens, rows[i].text, strlen(rows[i].text), false);
        if (strcmp(is, rows[i].expected) != 0)
            fail_msg("%s: %s, and %s is expected", rows[i].what, is, rows[i].expected);
        tokenizer_close(t);
        fake_vocabulary_free(&v);
    }
}

/* ---- Vocabularies ---- */

struct file {
    struct buf bytes;
    struct model_gguf *g;
};

static void finish_file(struct model_gguf_writer *w, struct file *f) {
    buf_init(&f->bytes, 1 << 20);
    assert_int_equal(model_gguf_write_head(w, &f->bytes, NULL), QA_OK);
    model_gguf_end(w);
    assert_int_equal(model_gguf_parse("m.gguf", f->bytes.data, f->bytes.len, &f->g, NULL), QA_OK);
}

static void vocabularies_that_cannot_be_used(void **state) {
    (void)state;
    static const char *const good[] = {"[UNK]", "[CLS]", "[SEP]", ("\xE2\x96\x81" "a")};
    static const char *const nameless[] = {"x", "[CLS]", "[SEP]", ("\xE2\x96\x81" "a")}, *const wrong[] = {"[UNK]", "[CLS]", "[SEP]", "\xFF"};
    static const struct {
        const char *what, *model;
        const char *const *tokens;
        unsigned types;
        const char *key;
        uint32_t id;
        qa_status status;
        const char *message;
    } rows[] = {
        {"another tokenizer", "gpt2", good, 4, NULL, 0, QA_UNSUPPORTED, "its tokenizer is \"gpt2\""},
        {"none", NULL, good, 4, NULL, 0, QA_UNSUPPORTED, "its tokenizer is \"\""},
        {"no tokens", "bert", NULL, 4, NULL, 0, QA_CORRUPT, "there is no vocabulary in it"},
        {"fewer types than tokens", "bert", good, 3, NULL, 0, QA_CORRUPT, "has 4 tokens, and tokenizer.ggml.token_type has 3"},
        {"a token that is no text", "bert", wrong, 4, NULL, 0, QA_CORRUPT, "token 3 of the vocabulary is not valid UTF-8"},
        {"no unknown token", "bert", nameless, 4, NULL, 0, QA_CORRUPT, "neither tokenizer.ggml.unknown_token_id nor a token called [UNK]"},
        {"one that is not there", "bert", good, 4, "tokenizer.ggml.unknown_token_id", 4, QA_CORRUPT, "is 4, and the vocabulary has 4 tokens"},
        {"a separator that is not there", "bert", good, 4, "tokenizer.ggml.seperator_token_id", 99, QA_CORRUPT, "is 99, and the vocabulary has 4 tokens"},
        {"another name for the unknown", "bert", nameless, 4, "tokenizer.ggml.unknown_token_id", 0, QA_OK, NULL},
        {"all found by name, without types", "bert", good, 0, NULL, 0, QA_OK, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model_gguf_writer w;
        struct file f;
        struct tokenizer *t = NULL;
        qa_error err = {0};
        model_gguf_begin(&w);
        if (rows[i].model)
            model_gguf_put_string(&w, "tokenizer.ggml.model", rows[i].model);
        if (rows[i].tokens) {
            model_gguf_put_array(&w, "tokenizer.ggml.tokens", GGUF_STRING, 4);
            for (size_t k = 0; k < 4; k++)
                model_gguf_put_item(&w, rows[i].tokens[k], strlen(rows[i].tokens[k]));
        }
        if (rows[i].types)
            model_gguf_put_array(&w, "tokenizer.ggml.token_type", GGUF_I32, rows[i].types);
        for (unsigned k = 0; k < rows[i].types; k++)
            model_gguf_put_int(&w, 1);
        if (rows[i].key)
            model_gguf_put_uint(&w, rows[i].key, rows[i].id);
        finish_file(&w, &f);
        qa_status status = tokenizer_open(f.g, &t, &err);
        if (status != rows[i].status || (status != QA_OK && (t || !strstr(err.message, rows[i].message) || strncmp(err.message, "m.gguf: ", 8) != 0)))
            fail_msg("%s: status %d, %s", rows[i].what, status, err.message);
        if (t) {
            assert_int_equal(tokenizer_special(t).unk, 0);
            assert_int_equal(tokenizer_special(t).mask, -1);
            assert_int_equal(tokenizer_tokens(t, "A", 1, MOST, ids, NULL), 1);
            assert_int_equal(ids[0], 3); /* the capitals of [CLS] are none, whatever its type */
        }
        tokenizer_close(t);
        model_gguf_close(f.g);
        buf_free(&f.bytes);
    }
}

/* Equal tokens, one longer than 16 bits can say, an empty one, an unused and a control token with the text of a word. */
static void odd_tokens(void **state) {
    (void)state;
    static const char word[] = "\xE2\x96\x81";
    static char lengthy[3 + 65537];
    const struct {
        const char *text;
        size_t len;
        int32_t type;
    } tokens[] = {{"[UNK]", 5, 3}, {"[CLS]", 5, 3}, {"[SEP]", 5, 3}, {"\xE2\x96\x81one", 6, 1}, {"\xE2\x96\x81one", 6, 1}, {"\xE2\x96\x81two", 6, 5},
                  {"\xE2\x96\x81three", 8, 3}, {"", 0, 1}, {lengthy, sizeof lengthy, 1}, {"\xE2\x96\x81" "four", 7, 4}};
    struct model_gguf_writer w;
    struct file f;
    memcpy(lengthy, word, 3);
    memset(lengthy + 3, 'x', sizeof lengthy - 3);
    model_gguf_begin(&w);
    model_gguf_put_string(&w, "tokenizer.ggml.model", "bert");
    model_gguf_put_array(&w, "tokenizer.ggml.tokens", GGUF_STRING, sizeof tokens / sizeof *tokens);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        model_gguf_put_item(&w, tokens[i].text, tokens[i].len);
    model_gguf_put_array(&w, "tokenizer.ggml.token_type", GGUF_I32, sizeof tokens / sizeof *tokens);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        model_gguf_put_int(&w, tokens[i].type);
    finish_file(&w, &f);
    struct tokenizer *t = open_sound(f.g);
    static const char text[] = "one two three four";
    assert_int_equal(tokenizer_tokens(t, text, strlen(text), MOST, ids, NULL), 4);
    assert_memory_equal(ids, ((int32_t[]){4, 0, 0, 9}), 4 * sizeof *ids);
    assert_int_equal(tokenizer_tokens(t, "x", 1, MOST, ids, NULL), 1);
    assert_int_equal(ids[0], 0);
    tokenizer_close(t);
    model_gguf_close(f.g);
    buf_free(&f.bytes);
}

/* ---- Hostile text ---- */

static uint64_t sum_of(const struct tokenizer *t, uint64_t from, uint64_t n) {
    char line[HOSTILE_MAX];
    uint64_t sum = 0;
    for (uint64_t i = from; i < from + n; i++) {
        size_t len = hostile_line(i, line);
        sum = hostile_sum(sum, ids, tokenizer_tokens(t, line, len, MOST, ids, NULL));
    }
    return sum;
}

static void compare_sums(const struct tokenizer *t, enum hostile_vocabulary which) {
    const struct hostile_expected *e = &hostile_expected[which];
    if (sum_of(t, 0, HOSTILE_CHARACTERS) != e->characters)
        fail_msg("%s: some character gives other ids than those of tokenizers", e->what);
    if (sum_of(t, HOSTILE_CHARACTERS, HOSTILE_RANDOM) != e->random)
        fail_msg("%s: some line gives other ids than those of tokenizers", e->what);
}

static void ids_are_those_of_tokenizers(void **state) {
    (void)state;
    for (enum hostile_vocabulary which = HOSTILE_UNCASED; which < HOSTILE_MINILM; which++) {
        struct fake_vocabulary v;
        fake_vocabulary_of_letters(&v, hostile_expected[which].lower, hostile_expected[which].strip);
        struct tokenizer *t = open_sound(v.g);
        compare_sums(t, which);
        tokenizer_close(t);
        fake_vocabulary_free(&v);
    }
}

static void minilm_gives_the_ids_of_tokenizers(void **state) {
    (void)state;
    const char *folder = getenv("QUAERE_TEST_MODELS");
    char path[4096];
    struct model_gguf *g = NULL;
    snprintf(path, sizeof path, "%s/all-MiniLM-L6-v2.gguf", folder ? folder : "");
    if (!folder || access(path, R_OK) != 0) {
        print_message("skipped: no all-MiniLM-L6-v2.gguf in QUAERE_TEST_MODELS (tools/test-models prints it)\n");
        skip();
    }
    assert_int_equal(model_gguf_open(path, &g, NULL), QA_OK);
    struct tokenizer *t = open_sound(g);
    const struct tokenizer_special s = tokenizer_special(t);
    assert_true(s.cls == 101 && s.sep == 102 && s.unk == 100 && s.pad == 0 && s.mask == 103);
    compare_sums(t, HOSTILE_MINILM);
    tokenizer_close(t);
    model_gguf_close(g);
}

/* What is quadratic takes hours here. */
static void a_megabyte_of_one_thing(void **state) {
    (void)state;
    static const struct {
        const char *what, *begin, *unit;
        size_t tokens; /* 0: one a unit */
    } rows[] = {
        {"a word", "", "a", 1},
        {"a word of accents", "", "\xC3\xA1", 1},
        {"marks that go", "a", "\xCC\x81", 1},
        {"marks that stay, each before the last", "a", "\xE3\x80\xAE\xE1\xAE\xAA", 1},
        {"dropped characters", "a", "\xE2\x80\x8B", 1},
        {"invalid bytes", "a", "\xFF", 1},
        {"cut characters", "a", "\xF0\x9F", 1},
        {"punctuation", "", "!", 0},
        {"punctuation by the long way", "", "\xCD\xBE", 0},
        {"ASCII words that turn out not to be", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xC3\xA1 ", 96},
        {"spaces", "a", "\xC2\xA0", 1},
    };
    char *text = malloc(MOST);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t unit = strlen(rows[i].unit), at = strlen(rows[i].begin), n = 0;
        memcpy(text, rows[i].begin, at);
        for (; at + unit <= MOST; at += unit, n++)
            memcpy(text + at, rows[i].unit, unit);
        size_t expected = rows[i].tokens == 0 ? n : rows[i].tokens > 1 ? n * rows[i].tokens : 1;
        size_t got = tokenizer_tokens(tokenizer, text, at, MOST, ids, spans);
        if (got != expected)
            fail_msg("%s: %zu tokens, and %zu are expected", rows[i].what, got, expected);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_becomes_of_text),
        cmocka_unit_test(the_longest_word),
        cmocka_unit_test(a_text_is_cut_to_a_limit),
        cmocka_unit_test(case_and_accents_as_the_file_says),
        cmocka_unit_test(vocabularies_that_cannot_be_used),
        cmocka_unit_test(odd_tokens),
        cmocka_unit_test(ids_are_those_of_tokenizers),
        cmocka_unit_test(minilm_gives_the_ids_of_tokenizers),
        cmocka_unit_test(a_megabyte_of_one_thing),
    };
    return cmocka_run_group_tests(tests, open_small, close_small);
}
