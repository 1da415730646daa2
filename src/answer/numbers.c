/* Numbers written as words, so that "twenty-four hours" and "24 hours" say the same: a model writes the one where the
 * document has the other.
 *
 * Up to nineteen, the tens, two words that make one number (twenty-four, two hundred). Larger ones (two hundred and
 * fifty) stay the words that they are: documentation has them in digits, and "250" against "two hundred and fifty" is
 * then not supported, which errs on the safe side. Two words are made one before they are compared: else "twenty hours"
 * would stand in "twenty-four hours". */
#include "answer/answer_internal.h"
#include <string.h>

static const struct number {
    const char *word, *stem, *digits;
} numbers[] = {
    {"zero", "zero", "0"},          {"one", "one", "1"},           {"two", "two", "2"},
    {"three", "three", "3"},        {"four", "four", "4"},         {"five", "five", "5"},
    {"six", "six", "6"},            {"seven", "seven", "7"},       {"eight", "eight", "8"},
    {"nine", "nine", "9"},          {"ten", "ten", "10"},          {"eleven", "eleven", "11"},
    {"twelve", "twelv", "12"},      {"thirteen", "thirteen", "13"}, {"fourteen", "fourteen", "14"},
    {"fifteen", "fifteen", "15"},   {"sixteen", "sixteen", "16"},  {"seventeen", "seventeen", "17"},
    {"eighteen", "eighteen", "18"}, {"nineteen", "nineteen", "19"}, {"twenty", "twenti", "20"},
    {"thirty", "thirti", "30"},     {"forty", "forti", "40"},      {"fifty", "fifti", "50"},
    {"sixty", "sixti", "60"},       {"seventy", "seventi", "70"},  {"eighty", "eighti", "80"},
    {"ninety", "nineti", "90"},
};
enum { NUMBERS = sizeof numbers / sizeof *numbers, LONGEST = 9, TWENTY = 20, FIRST_UNIT = 1, LAST_UNIT = 9 };

static bool is_unit(int i) { return i >= FIRST_UNIT && i <= LAST_UNIT; }
static bool is_tens(int i) { return i >= TWENTY; }

/* The row of a word as it is written; -1: none. */
static int find_word(const char *s, size_t n) {
    for (int i = 0; n >= 3 && n <= LONGEST && i < NUMBERS; i++)
        if (strncasecmp(numbers[i].word, s, n) == 0 && !numbers[i].word[n])
            return i;
    return -1;
}

const char *answer_canonical(const char *norm, size_t *len) {
    for (int i = 0; *len >= 3 && *len <= LONGEST && i < NUMBERS; i++)
        if (strlen(numbers[i].stem) == *len && memcmp(numbers[i].stem, norm, *len) == 0) {
            *len = strlen(numbers[i].digits);
            return numbers[i].digits;
        }
    return norm;
}

bool answer_is_number_word(const char *s, size_t n) {
    const char *hyphen = memchr(s, '-', n);
    if (!hyphen)
        return find_word(s, n) >= 0 || (n == 4 && strncasecmp(s, "half", 4) == 0);
    return is_tens(find_word(s, (size_t)(hyphen - s))) && is_unit(find_word(hyphen + 1, n - (size_t)(hyphen - s) - 1));
}

/* ---- Word by word ---- */

struct reader {
    const char *text;
    int (*each)(void *user, const struct word *word);
    void *user;
    struct word held; /* a number that the next word may belong to */
    int number;       /* its row; -1: none is held */
};

static int hand_on(const struct reader *r, struct word word, const char *digits) {
    word.norm = digits;
    word.norm_len = (uint32_t)strlen(digits);
    return r->each(r->user, &word);
}

static int flush(struct reader *r) {
    int number = r->number;
    r->number = -1;
    return number < 0 ? 0 : hand_on(r, r->held, numbers[number].digits);
}

/* What the held number and this word are together, in digits; NULL: two things. */
static const char *join(const struct reader *r, const struct word *word, int number, bool hundred, char digits[8]) {
    if (r->number < 0 || word->start != r->held.end + 1 || !strchr(" -", r->text[r->held.end]))
        return NULL;
    if (is_tens(r->number) && is_unit(number))
        digits[0] = *numbers[r->number].digits, digits[1] = *numbers[number].digits, digits[2] = '\0';
    else if (is_unit(r->number) && hundred)
        digits[0] = *numbers[r->number].digits, memcpy(digits + 1, "00", 3);
    else
        return NULL;
    return digits;
}

static int read_word(void *user, const struct word *word) {
    struct reader *r = user;
    const char *surface = r->text + word->start;
    size_t n = word->end - word->start;
    char digits[8];
    if (word->kind == WORD_EXACT)
        return r->each(r->user, word);
    int number = find_word(surface, n);
    bool hundred = n == 7 && strncasecmp(surface, "hundred", 7) == 0;
    if (join(r, word, number, hundred, digits)) {
        struct word both = r->held;
        both.end = word->end;
        both.stop = false;
        r->number = -1;
        return hand_on(r, both, digits);
    }
    int ended = flush(r);
    if (ended)
        return ended;
    if (hundred)
        return hand_on(r, *word, "100");
    if (number < 0)
        return r->each(r->user, word);
    r->held = *word;
    r->number = number;
    return is_unit(number) || is_tens(number) ? 0 : flush(r);
}

int answer_each_word(struct words *words, const char *text, size_t len, int (*each)(void *user, const struct word *word),
                     void *user) {
    struct reader r = {.text = text, .each = each, .user = user, .number = -1};
    int ended = words_each(words, text, len, read_word, &r);
    return ended ? ended : flush(&r);
}
