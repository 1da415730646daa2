#include "fake/hostile_text.h"
#include "fake/fake_vocabulary.h"
#include <string.h>

struct line {
    uint64_t seed;
    char *out;
    size_t n;
};

static uint32_t below(struct line *l, uint32_t n) {
    uint64_t z = l->seed += 0x9E3779B97F4A7C15U; /* splitmix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return (uint32_t)((z ^ z >> 31) % n);
}

static void put_bytes(struct line *l, const char *bytes, size_t n) {
    if (l->n + n <= HOSTILE_MAX) {
        memcpy(l->out + l->n, bytes, n);
        l->n += n;
    }
}

/* Also surrogates: three bytes that no UTF-8 has. */
static void put_char(struct line *l, uint32_t cp) {
    char b[4];
    if (cp < 0x80) {
        b[0] = (char)cp;
        put_bytes(l, b, 1);
    } else if (cp < 0x800) {
        b[0] = (char)(0xC0 | cp >> 6), b[1] = (char)(0x80 | (cp & 63));
        put_bytes(l, b, 2);
    } else if (cp < 0x10000) {
        b[0] = (char)(0xE0 | cp >> 12), b[1] = (char)(0x80 | (cp >> 6 & 63)), b[2] = (char)(0x80 | (cp & 63));
        put_bytes(l, b, 3);
    } else {
        b[0] = (char)(0xF0 | cp >> 18), b[1] = (char)(0x80 | (cp >> 12 & 63));
        b[2] = (char)(0x80 | (cp >> 6 & 63)), b[3] = (char)(0x80 | (cp & 63));
        put_bytes(l, b, 4);
    }
}

/* A character of one of the areas in which something happens. */
static uint32_t some_char(struct line *l) {
    static const uint32_t areas[][2] = {
        {'a', 'z'},           {'A', 'Z'},           {'!', '@'},           {0, 0x7F},            {0x80, 0xFF},         {0x100, 0x24F},
        {0x300, 0x36F},       {0x370, 0x3FF},       {0x400, 0x4FF},       {0x590, 0x6FF},       {0x8D0, 0x0DFF},      {0xE00, 0xFFF},
        {0x1100, 0x11FF},     {0x1B00, 0x1BFF},     {0x1DC0, 0x1FFF},     {0x2000, 0x206F},     {0x2100, 0x22FF},     {0x2E00, 0x30FF},
        {0x4E00, 0x9FFF},     {0xA640, 0xABFF},     {0xAC00, 0xD7FF},     {0xF900, 0xFAFF},     {0xFB00, 0xFFFF},     {0x10400, 0x11FFF},
        {0x1D150, 0x1D1FF},   {0x1E000, 0x1E95F},   {0x1F300, 0x1FAFF},   {0x2F800, 0x2FA1F},   {0, 0xFFFF},          {0, 0x10FFFF},
    };
    const uint32_t *area = areas[below(l, sizeof areas / sizeof *areas)];
    return area[0] + below(l, area[1] - area[0] + 1);
}

/* Marks that stay when accents go, with all their combining classes, some that go, and some that end a run of them. */
static uint32_t some_mark(struct line *l) {
    static const uint32_t marks[] = {
        0x8D4, 0x1B44, 0x1BAA, 0x1BF2, 0x1DFB, 0x302E, 0x302F, 0xA953, 0xA9C0, 0x111C0, 0x11442, 0x11446, 0x1D165, 0x1D166,
        0x1D16D, 0x1D172, 0x1E000, 0x1E944, 0x1E94A, 0x300, 0x301, 0x316, 0x327, 0x344, 0x345, 0x93C, 0x94D, 0xE31, 0xE38,
        0x20D0, 0x3099, 0xFE20, 0xFE0F, 0x0CBF, 0x1DF6, 0x1ABF,
    };
    return marks[below(l, sizeof marks / sizeof *marks)];
}

static void put_word(struct line *l) {
    static const char *const words[] = {
        "the", "training", "Endpoint", "SAGEMAKER", "unaffable", "don't", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "##ing",
        "[PAD]", "x86_64", "us-east-1", "1,024.50", "http://a.b/c?d=e&f#g", "C:\\T", "_private__", "\xE2\x96\x81",
        "a\xE2\x96\x81" "b", "na\xC3\xAFve", "\xC4\xB0stanbul", "I\xCC\x87", "stra\xC3\x9F" "e", "\xE1\xBA\x9E",
        "\xCE\xA3\xCE\xBF\xCF\x86\xCF\x8C\xCE\xA3", "\xEF\xAC\x81le", "\xE4\xB8\xAD\xE6\x96\x87", "\xEF\xBD\xB6\xEF\xBE\x9E",
        "\xE3\x82\xAB\xE3\x82\x99", "\xED\x95\x9C\xEA\xB5\xAD\xEC\x96\xB4", "\xD8\xA7\xD9\x84\xD9\x84\xD9\x87",
        "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", "\xE2\x89\xA0", "\xCD\xBE", "\xE2\x84\xAA", "\xE2\x84\xA6",
        "\xE1\xBF\xAF",
    };
    const char *word = words[below(l, sizeof words / sizeof *words)];
    put_bytes(l, word, strlen(word));
}

static void put_space(struct line *l) {
    static const uint32_t spaces[] = {
        ' ', ' ', ' ', '\t', '\n', '\r', 0xB, 0xC, 0x1C, 0x85, 0xA0, 0x1680, 0x2000, 0x2028, 0x202F, 0x3000, 0x200B, 0xFEFF,
        0,
    };
    put_char(l, spaces[below(l, sizeof spaces / sizeof *spaces)]);
}

static void put_invalid(struct line *l) {
    static const char *const parts[] = {
        "\x80", "\xFF", "\xC3", "\xC0\x80", "\xC1\xBF", "\xE2\x82", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x9F\x98",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF1\x80\x41",
        "\xE2\x28\xA1", "\xEF\xBF\xBD",
    };
    const char *part = parts[below(l, sizeof parts / sizeof *parts)];
    put_bytes(l, part, strlen(part));
}

/* About as long as a word may be, of characters that are one, two or three after normalising. */
static void put_long_word(struct line *l) {
    static const uint32_t letters[] = {'a', 'Z', 0xE9, 0x130, 0x416, 0xAC00, 0xAC01, 0x1F600, 0x1D15E, 0x1D160};
    uint32_t letter = letters[below(l, sizeof letters / sizeof *letters)], n = 30 + below(l, 75), other = below(l, 4);
    for (uint32_t i = 0; i < n; i++)
        put_char(l, other == 0 && below(l, 8) == 0 ? some_mark(l) : other == 1 && below(l, 30) == 0 ? 0xAD : letter);
}

size_t hostile_line(uint64_t number, char out[HOSTILE_MAX]) {
    struct line l = {.seed = number, .out = out};
    if (number < HOSTILE_CHARACTERS) {
        if (number & 1)
            put_char(&l, 'A');
        put_char(&l, (uint32_t)(number / 2));
        if (number & 1)
            put_char(&l, 'b');
        return l.n;
    }
    for (uint32_t parts = 1 + below(&l, 24); parts; parts--)
        switch (below(&l, 16)) {
        case 0: case 1: case 2:
            put_char(&l, some_char(&l));
            break;
        case 3: case 4:
            for (uint32_t n = 1 + below(&l, 8), i = 0; i < n; i++)
                put_char(&l, 'a' + below(&l, 26));
            break;
        case 5: case 6: case 7:
            put_word(&l);
            break;
        case 8: case 9: case 10:
            put_space(&l);
            break;
        case 11: case 12:
            for (uint32_t n = 1 + below(&l, 6), i = 0; i < n; i++)
                put_char(&l, some_mark(&l));
            break;
        case 13:
            put_invalid(&l);
            break;
        case 14:
            for (uint32_t n = 1 + below(&l, 12), i = 0; i < n; i++)
                put_char(&l, some_char(&l));
            break;
        default:
            if (below(&l, 4) == 0)
                put_long_word(&l);
        }
    return l.n;
}

uint64_t hostile_sum(uint64_t sum, const int32_t *ids, size_t n) {
    sum = (sum ^ n) * 0x9E3779B97F4A7C15U;
    for (size_t i = 0; i < n; i++)
        sum = ((sum ^ (uint32_t)ids[i]) * 0x100000001B3U) ^ sum >> 29;
    return sum;
}

const struct hostile_expected hostile_expected[HOSTILE_VOCABULARIES] = {
    [HOSTILE_UNCASED] = {"letters, uncased", FAKE_YES, FAKE_UNSAID, 0x259AC168022F064DU, 0xAB14247E06A86036U},
    [HOSTILE_CASED] = {"letters, cased", FAKE_NO, FAKE_UNSAID, 0x1BA82696EF9A4512U, 0xB803B5749DA066CCU},
    [HOSTILE_LOWER_WITH_ACCENTS] = {"letters, lower case with accents", FAKE_YES, FAKE_NO, 0x5FB5F5A9886E7496U, 0x8F0FE8297A69DBAFU},
    [HOSTILE_CAPITALS_WITHOUT] = {"letters, capitals without accents", FAKE_NO, FAKE_YES, 0x85261E8B04E76B76U, 0xC46E0FECAB61A420U},
    [HOSTILE_MINILM] = {"all-MiniLM-L6-v2", 0, 0, 0x2CA3E3C379D2DF2EU, 0x1A05E5313E23BBD6U},
};
