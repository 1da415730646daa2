/* Shared by the files of src/answer/ only.
 *
 * The way: question.c weighs the question's words -> units.c cuts passages into units -> score.c rates each -> select.c
 * chooses up to three -> render.c writes them with their citations. evidence.c judges from the scores whether there is
 * an answer at all, refuse.c says why not, short_answer.c looks for a plain value in what was chosen. cues.c knows what
 * questions ask for and what sentences offer, in tables of patterns that tokens.c matches.
 *
 * Bounds: of a passage the first ANSWER_PLAIN_MAX bytes and ANSWER_UNITS_MAX units are looked at. Chunks hold about
 * 1,000 characters, so only hostile ones meet these. Everything is at most linear in that, but for choosing, which looks
 * at the best ANSWER_POOL units. */
#ifndef ANSWER_INTERNAL_H
#define ANSWER_INTERNAL_H

#include "answer/answer.h"

enum {
    ANSWER_PASSAGES = 5,
    ANSWER_PLAIN_MAX = 32 * 1024,
    ANSWER_UNITS_MAX = 256,
    ANSWER_TERMS_MAX = 256, /* the question's terms, and its names */
    ANSWER_LEXED_MAX = 512, /* words and marks of one text whose cues are looked for */
    ANSWER_POOL = 40,
    ANSWER_CHOSEN = 3,
    ANSWER_CUT_OVER = 65, /* words: a longer sentence is cut */
    ANSWER_CUT_TO = 45,   /* to so many; also the longest table row */
    ANSWER_LEAD_WORDS = 25, /* the longest lead-in that is put before an item */
    ANSWER_CELLS_MAX = 32,
};

/* ---- Tokens: words as written, for patterns (tokens.c) ---- */

enum token_kind { TOKEN_WORD, TOKEN_NUMBER, TOKEN_VERSION, TOKEN_MARK };
struct token {
    const char *s;       /* lower case without apostrophes, NUL-terminated */
    uint32_t start, end; /* bytes of the text */
    enum token_kind kind;
};
struct tokens {
    const char *text;
    struct token *items;
    size_t n;
};
/* Numbers stand alone: "5-minute" is 5 and minute, "64KB" is 64 and kb. Number words (five) are numbers. */
qa_status answer_tokens(struct arena *a, const char *text, size_t len, struct tokens *out, qa_error *err);

/* A pattern is a list of elements with a space between:
 *     a|b|c    one of these words or marks; a trailing '*' takes any word that begins so
 *     #        a number or a version
 *     [a|b     may be absent
 *     ~        up to five tokens of any kind
 *     ...      any number of tokens
 *     ^ $      the beginning, the end of the text
 * Finds the first match at or after `from`; *first and *after may be NULL. */
bool answer_find(const struct tokens *t, const char *pattern, size_t from, size_t *first, size_t *after);
bool answer_find_any(const struct tokens *t, const char *const *patterns); /* NULL ends the list */

/* ---- Number words (numbers.c) ---- */

/* Of a term: the digits of a number word (five), else the term itself. */
const char *answer_canonical(const char *norm, size_t *len);
bool answer_is_number_word(const char *s, size_t n); /* as it is written: "twelve", "twenty-four", "half" */
/* As words_each, with digits for number words; "twenty-four" and "two hundred" are one word. Exact forms stay as they
 * are, and may come before the number that they belong to. */
int answer_each_word(struct words *words, const char *text, size_t len, int (*each)(void *user, const struct word *word),
                     void *user);

/* ---- Markers (marker.c) ---- */

void answer_put_marker(struct buf *b, size_t rank); /* " [2]" */
/* A copy without markers and characters that nobody sees, without white space at either end, and with one space for several where no code is. */
char *answer_without_markers(struct arena *a, const char *s, size_t n);

/* ---- What a question asks for, what a unit offers (cues.c) ---- */

enum cue {
    CUE_NUMBER = 1 << 0,
    CUE_TIME = 1 << 1,
    CUE_DEFAULT = 1 << 2,
    CUE_MAXIMUM = 1 << 3,
    CUE_YES_NO = 1 << 4,
    CUE_HOW = 1 << 5,
};
unsigned answer_question_cues(const struct tokens *question);
/* How well a unit serves these cues: the sum of one figure in [0, 1] for each. */
double answer_cue_value(const struct tokens *unit, unsigned cues);
bool answer_is_navigation(const struct tokens *unit);
bool answer_asks_price(const struct tokens *question);
bool answer_names_amount(const struct tokens *text);

/* ---- The question (question.c) ---- */

struct term_set {
    uint64_t bits[ANSWER_TERMS_MAX / 64];
};
struct question_term {
    const char *norm;
    uint32_t len;
    double weight;       /* 0: counts as a name only */
    double name_weight;  /* > 0: a name-like word of the question */
    const char *surface; /* as the question spells it */
};
struct question {
    struct tokens tokens;
    unsigned cues;
    struct question_term terms[ANSWER_TERMS_MAX];
    size_t n;
    int16_t slots[2 * ANSWER_TERMS_MAX]; /* hash table over norms: index + 1 */
    double total;       /* of the weights */
};
qa_status answer_read_question(struct words *words, struct arena *a, const struct search_result *found, struct question *out,
                               qa_error *err);
/* The term that a word of a text is, or -1. */
int answer_find_term(const struct question *q, const struct word *word);
double answer_weight(const struct question *q, const struct term_set *set);

static inline void set_add(struct term_set *s, int term) { s->bits[term >> 6] |= 1ull << (term & 63); }
static inline bool set_has(const struct term_set *s, int term) { return s->bits[term >> 6] >> (term & 63) & 1; }
static inline void set_join(struct term_set *to, const struct term_set *from) {
    for (size_t i = 0; i < sizeof to->bits / sizeof *to->bits; i++)
        to->bits[i] |= from->bits[i];
}

/* ---- Units (units.c) ---- */

struct span { /* bytes of a passage's plain text; empty: none */
    uint32_t from, to;
};
static inline bool span_is(struct span s) { return s.to > s.from; }

enum unit_kind { AS_SENTENCE, AS_ITEM, AS_ROW, AS_LINE };
struct unit {
    size_t passage;     /* index of its hit */
    enum unit_kind kind;
    struct span text;   /* without the mark of an item, trimmed */
    struct span term;   /* the short line before it that names what it is about */
    struct span lead;   /* the sentence before the list, table or code that it stands in */
    struct span parent; /* the list item that this item lies under */
    struct span header; /* the header row of its table */
    struct span heading; /* the last heading inside the chunk */
    bool opens;         /* the first sentence of its item */
    uint32_t words;

    /* score.c */
    struct tokens tokens;
    struct term_set own, context, far; /* the question's terms in its text, beside it, in headings */
    uint64_t text_hash;
    bool repeated;
    double score, coverage, own_coverage;
    /* select.c */
    uint32_t *bag;      /* hashes of all its words, ascending; NULL until needed */
    size_t n_bag;
};
struct unit_list {
    struct unit *items;
    size_t n, cap;
};
/* Appends the units of a passage. */
qa_status answer_cut(struct arena *a, const struct index_passage *p, size_t passage, struct unit_list *out, qa_error *err);
/* Bytes of the white space at s: also no-break spaces and Unicode's line breaks; 0: none. */
size_t answer_blank(const char *s, size_t n);
uint32_t answer_count_words(const char *s, size_t n); /* separated by white space */
struct span answer_trim(const char *plain, struct span s);
/* Does the text hold the part, in whatever case? An empty part is held by none. */
bool answer_contains(const char *s, size_t n, const char *part, size_t len);
/* The segment of the map that holds this plain byte; NULL past the end. */
const struct textmap_segment *answer_segment(const struct textmap *m, size_t at);
/* The cells of a row; returns how many, ANSWER_CELLS_MAX at most. */
size_t answer_cells(const char *plain, struct span row, struct span cells[ANSWER_CELLS_MAX]);

/* ---- The work on one question ---- */

struct answer_work {
    struct words *words;
    struct arena *a;
    const struct search_result *found;
    struct question question;
    size_t n_passages;
    struct term_set holds[ANSWER_PASSAGES]; /* the question's terms anywhere in a passage, headings included */
    bool amount;                            /* a passage names an amount of money */
    struct unit_list units;
    const struct unit *chosen[ANSWER_CHOSEN]; /* best first */
    size_t n_chosen;
    bool price;     /* a price is asked for and none is named */
};
qa_status answer_prepare(struct words *words, struct arena *a, const struct search_result *found, struct answer_work *out,
                         qa_error *err);
qa_status answer_score(struct answer_work *w, qa_error *err);
qa_status answer_select(struct answer_work *w, qa_error *err);
qa_evidence answer_weigh_evidence(struct answer_work *w); /* after answer_select */
qa_status answer_render(struct answer_work *w, struct answer *out, qa_error *err);
qa_status answer_refuse(struct answer_work *w, struct answer *out, qa_error *err);
qa_status answer_find_short(struct answer_work *w, const char **out, qa_error *err);

/* ---- With a language model ---- */

struct answer_support {
    qa_support support;
    struct answer_citation *cited;
    size_t n;
    bool waits;            /* a bare Yes or No, or a line that ends in a colon: stands if the sentence behind it does */
    bool yes, no, negated; /* begins so; denies something */
    bool failed;           /* no memory */
};
/* check.c; QA_OK or QA_NO_MEMORY. */
qa_status answer_check(struct answer_work *w, const char *sentence, struct answer_support *out);
/* prompt.c: fills messages, n_messages, dropped_turns of g, whose max_tokens is set. QA_TOO_LARGE: the context of the
 * model does not hold one passage and the answer. */
qa_status answer_make_prompt(struct answer_work *w, struct answer_generation *g, qa_error *err);

/* The question's terms in a stretch of text; also tells how many words it has that are not stop words, and how many of
 * them are terms. */
struct term_set answer_terms_in(struct answer_work *w, const char *text, size_t len);
double answer_precision(struct answer_work *w, const char *text, size_t len);
/* What introduces an item, a row or a line, where that has no more words; else an empty span. */
struct span answer_lead_within(const struct answer_work *w, const struct unit *u, uint32_t words);
/* The same, where a unit that is shown alone needs it to be understood. */
struct span answer_lead_in(const struct answer_work *w, const struct unit *u);

static inline const struct index_passage *passage_of(const struct answer_work *w, const struct unit *u) {
    return &w->found->hits[u->passage].passage;
}

/* Does the sentence change what it may not (altered.c)? */
qa_status answer_is_altered(struct answer_work *w, const char *sentence, const struct index_passage *p, bool *out);

#endif
