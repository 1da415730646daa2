/* The shortest span that answers, where it is plain: yes or no, a value, a version, a name. Wrong ones do more harm than
 * missing ones, so every rule wants one candidate only, and any doubt gives none. The rules stand in the table at the
 * end; the first that fits the question decides for a unit. Values are copied as they are written. */
#include "answer/answer_internal.h"
#include <stdlib.h>
#include <string.h>

static const double COVERAGE = 0.5, NEARLY_BEST = 0.9, KEY_PRECISION = 0.6;
static const double OWN_NO = 0.65, OWN_YES = 0.75, PRECISION_NO = 0.4, PRECISION_YES = 0.2;
enum { CELL_WORDS = 6, BEFORE = 5, BEHIND = 4, VALUE_MAX = 64, IDENTIFIER_MIN = 6 };

struct seeker {
    struct answer_work *w;
    const struct unit *u;
    const char *plain;       /* of its passage */
    const struct tokens *q, *t; /* of the question, of the unit */
    bool first;              /* the best unit */
    const char *found;
    qa_status status;
    qa_error *err;
};
/* What a rule says of a unit. */
enum verdict { NEXT_RULE, NEXT_UNIT, GIVE_UP, FOUND };

static enum verdict found(struct seeker *s, const char *text, size_t n) {
    s->found = arena_copy(s->w->a, text, n);
    if (!s->found)
        s->status = arena_error(s->w->a, s->err, "finding a short answer");
    return FOUND;
}
static enum verdict found_word(struct seeker *s, const char *word) { return found(s, word, strlen(word)); }

static bool question_has(const struct seeker *s, const char *pattern) { return answer_find(s->q, pattern, 0, NULL, NULL); }
static bool unit_has(const struct seeker *s, const char *pattern) { return answer_find(s->t, pattern, 0, NULL, NULL); }

/* ---- Values ---- */

#define TIME_UNITS \
    "ms|millisecond|milliseconds|s|sec|secs|second|seconds|min|mins|minute|minutes|h|hour|hours|day|days|week|weeks|month|months" \
    "|year|years"
#define SIZE_UNITS \
    "kb|mb|gb|tb|pb|kib|mib|gib|tib|byte|bytes|character|characters|%|percent|vcpu|vcpus|gpu|gpus|gbps|mbps"

struct value {
    uint32_t from, to; /* bytes of the text */
    size_t next;       /* the token behind it */
};

/* The value that begins at token i: a number, a scale, a unit. */
static bool read_value(const struct tokens *t, size_t i, const char *unit, bool needs_unit, struct value *v) {
    static const char scale[] = "hundred|thousand|million|billion|trillion";
    size_t after = i + 1, first;
    if (i >= t->n || t->items[i].kind != TOKEN_NUMBER)
        return false;
    if (answer_find(t, scale, after, &first, NULL) && first == after)
        after++;
    char pattern[400] = "[business|calendar|working ";
    strcat(pattern, unit);
    size_t behind, end = after;
    if (answer_find(t, pattern, after, &first, &behind) && first == after)
        end = behind;
    else if (needs_unit)
        return false;
    *v = (struct value){t->items[i].start, t->items[end - 1].end, end};
    return true;
}

/* Is this value said in the question already? */
static bool asked(const struct seeker *s, const char *text, struct value v) {
    return answer_contains(s->q->text, strlen(s->q->text), text + v.from, v.to - v.from);
}

/* Part of a name, a path, an expression, a list's number? */
static bool is_bare(const struct tokens *t, struct value v) {
    const char *s = t->text;
    char before = v.from ? s[v.from - 1] : ' ', after = s[v.to];
    if (strchr("$/\\=<>+*#@&.-_", before) || (after && strchr("/_+*", after)))
        return before == '-' && v.from > 1 && s[v.from - 2] == ' '; /* a negative number */
    return true;
}

static bool same(const char *text, struct value a, struct value b) {
    size_t n = a.to - a.from;
    return n == b.to - b.from && strncasecmp(text + a.from, text + b.from, n) == 0;
}

/* What is counted has no unit of measure: "32 characters" is no number of load balancers. */
static bool is_measured(const struct tokens *t, struct value v) {
    size_t first;
    return answer_find(t, TIME_UNITS "|" SIZE_UNITS, v.next - 1, &first, NULL) && first == v.next - 1;
}

typedef bool accepts(const struct seeker *s, const struct tokens *t, size_t i, struct value v);

/* The one value that is accepted; false when there are none or several. *any tells that there was one. */
static bool only_value(const struct seeker *s, const struct tokens *t, const char *unit, bool needs_unit, accepts *accept,
                       struct value *out, bool *any) {
    bool several = false, counts = question_has(s, "number|count of");
    *any = false;
    for (size_t i = 0; i < t->n; i++) {
        struct value v;
        if (!read_value(t, i, unit, needs_unit, &v) || asked(s, t->text, v) || !is_bare(t, v) || (counts && is_measured(t, v)) ||
            !accept(s, t, i, v))
            continue;
        several = several || (*any && !same(t->text, v, *out));
        *out = v;
        *any = true;
        i = v.next - 1;
    }
    return *any && !several;
}

static bool accept_all(const struct seeker *s, const struct tokens *t, size_t i, struct value v) {
    (void)s;
    return v.next > i + 1 || strcmp(t->items[i].s, "one") != 0; /* "one of the" is no number */
}

/* "up to 5", "a maximum of 100" */
static bool accept_limit(const struct seeker *s, const struct tokens *t, size_t i, struct value v) {
    static const char *const limits[] = {"up to", "at most|least", "maximum|max|minimum|limit|within", "more|fewer|less than",
                                         "exceed|under"};
    (void)s, (void)v;
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        size_t first;
        if (answer_find(t, limits[k], i > BEFORE ? i - BEFORE : 0, &first, NULL) && first < i)
            return true;
    }
    return false;
}

/* "how many NOUN": the noun stands soon behind the number. */
static bool accept_counted(const struct seeker *s, const struct tokens *t, size_t i, struct value v) {
    size_t how = 0, noun = 0, end;
    (void)i;
    if (!answer_find(s->q, "how many", 0, &how, &noun) || noun >= s->q->n)
        return false;
    end = v.next + BEHIND < t->n ? v.next + BEHIND : t->n;
    uint32_t stop = end ? t->items[end - 1].end : 0;
    struct term_set behind = answer_terms_in(s->w, t->text + v.to, stop > v.to ? stop - v.to : 0);
    const struct token *word = &s->q->items[noun];
    struct term_set counted = answer_terms_in(s->w, s->q->text + word->start, word->end - word->start);
    for (size_t k = 0; k < sizeof counted.bits / sizeof *counted.bits; k++)
        if (counted.bits[k] & behind.bits[k])
            return true;
    return false;
}

static enum verdict found_value(struct seeker *s, const char *text, struct value v) {
    return found(s, text + v.from, v.to - v.from);
}

/* ---- Table rows ---- */

struct row {
    struct span cells[ANSWER_CELLS_MAX], names[ANSWER_CELLS_MAX];
    size_t n;
};
static bool read_row(const struct seeker *s, struct row *row) {
    row->n = s->u->kind == AS_ROW && span_is(s->u->header) ? answer_cells(s->plain, s->u->text, row->cells) : 0;
    return row->n > 1 && answer_cells(s->plain, s->u->header, row->names) >= row->n;
}
static double share_asked(const struct seeker *s, struct span span) {
    struct term_set terms = answer_terms_in(s->w, s->plain + span.from, span.to - span.from);
    return answer_weight(&s->w->question, &terms);
}
static bool is_about_key(const struct seeker *s, const struct row *row) {
    struct span key = row->cells[0];
    return answer_precision(s->w, s->plain + key.from, key.to - key.from) >= KEY_PRECISION;
}
static bool has_digit(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (s[i] >= '0' && s[i] <= '9')
            return true;
    return false;
}

static enum verdict number_of_row(struct seeker *s, const struct row *row) {
    size_t named = 0, n_named = 0, numeric = 0, n_numeric = 0;
    if (!is_about_key(s, row))
        return NEXT_UNIT;
    for (size_t i = 1; i < row->n; i++) {
        struct span c = row->cells[i];
        const char *text = s->plain + c.from;
        size_t len = c.to - c.from;
        if (!len)
            continue;
        if (has_digit(text, len) && answer_count_words(text, len) <= CELL_WORDS && share_asked(s, row->names[i]) > 0)
            named = i, n_named++;
        if (*text >= '0' && *text <= '9')
            numeric = i, n_numeric++;
    }
    size_t cell = n_named == 1 ? named : n_numeric == 1 ? numeric : 0;
    if (!cell)
        return NEXT_UNIT;
    struct span c = row->cells[cell];
    if (answer_count_words(s->plain + c.from, c.to - c.from) <= BEHIND)
        return found(s, s->plain + c.from, c.to - c.from);
    struct tokens t;
    struct value v;
    s->status = answer_tokens(s->w->a, s->plain + c.from, c.to - c.from, &t, s->err);
    if (s->status != QA_OK)
        return GIVE_UP;
    for (size_t i = 0; i < t.n; i++)
        if (read_value(&t, i, TIME_UNITS "|" SIZE_UNITS, false, &v))
            return found_value(s, t.text, v);
    return NEXT_UNIT;
}

/* A column of yes and no whose name the question uses. */
static enum verdict yes_no_of_row(struct seeker *s, const struct row *row) {
    double best = 0;
    const char *answer = NULL;
    for (size_t i = 1; i < row->n; i++) {
        struct span c = row->cells[i];
        size_t len = c.to - c.from, word = 0;
        const char *text = s->plain + c.from;
        while (word < len && ((text[word] | 32) >= 'a' && (text[word] | 32) <= 'z'))
            word++;
        const char *says = word == 3 && strncasecmp(text, "yes", 3) == 0  ? "yes"
                           : word == 2 && strncasecmp(text, "no", 2) == 0 ? "no"
                                                                          : NULL;
        double share = says && len < 16 ? share_asked(s, row->names[i]) : 0;
        if (share > best)
            best = share, answer = says;
    }
    return answer && is_about_key(s, row) ? found_word(s, answer) : NEXT_RULE;
}

/* ---- Rules ---- */

static bool asks_yes_no(const struct seeker *s) {
    return question_has(s, "^ [and|so|but is|are|can|could|may|does|do|did|will|would|must|should|has|have") &&
           !question_has(s, "or|which|what|how|where|when");
}
static enum verdict rule_yes_no(struct seeker *s) {
    static const char *const denials[] = {
        "not|cannot|cant|dont|doesnt|isnt|arent|wont|unsupported|unable|nor|exclude|excludes|excluded|exclusion*|except", "no longer", NULL};
    static const char *const turned[] = {"not only", "if you do not|dont", "if you dont", "not required|need|needed", NULL};
    static const char *const affirmations[] = {
        "can|support|supports|supported|available|yes|allow|allows|enable|enables|let|lets|use|using|is|are|be|must|require|requires"
        "|required|deploy|provide|provides", NULL};
    struct row row;
    if (read_row(s, &row)) {
        enum verdict v = yes_no_of_row(s, &row);
        if (v != NEXT_RULE)
            return v;
    }
    if (s->u->own_coverage < OWN_NO)
        return NEXT_UNIT;
    double precision = answer_precision(s->w, s->t->text, s->u->text.to - s->u->text.from);
    if (answer_find_any(s->t, denials)) {
        if (precision < PRECISION_NO)
            return NEXT_UNIT;
        return answer_find_any(s->t, turned) ? GIVE_UP : found_word(s, "no");
    }
    const struct token *last = s->t->n ? &s->t->items[s->t->n - 1] : NULL;
    bool plain = last && strcmp(last->s, ":") != 0 && strcmp(last->s, "?") != 0 && s->u->kind != AS_LINE && !unit_has(s, "only");
    if (plain && s->first && precision >= PRECISION_YES && s->u->own_coverage >= OWN_YES &&
        answer_find_any(s->t, affirmations))
        return found_word(s, "yes");
    return NEXT_UNIT;
}

static bool asks_default(const struct seeker *s) { return s->w->question.cues & CUE_DEFAULT; }
static enum verdict rule_default(struct seeker *s) {
    static const char *const openings[] = {"default [value [is|of|: [is|:", "defaults to", "default value for ~ is", NULL};
    const struct tokens *t = s->t;
    for (size_t k = 0; openings[k]; k++) {
        size_t first, i, said;
        if (!answer_find(t, openings[k], 0, &first, &i))
            continue;
        while (i < t->n && t->items[i].kind == TOKEN_MARK && strchr("\"'([", *t->items[i].s))
            i++;
        struct value v;
        said = i;
        bool linked = said > first + 1 && (said > first + 2 || strcmp(t->items[first + 1].s, "value") != 0);
        if (!linked /* "default" or "default value" alone */ || i >= t->n || t->items[i].kind == TOKEN_MARK)
            continue;
        if (read_value(t, i, TIME_UNITS "|" SIZE_UNITS, false, &v))
            return found_value(s, t->text, v);
        if (answer_find(t, "the|a|an|to|that|set|used|not|is|if|this|determined|based", i, &first, NULL) && first == i)
            continue; /* a description, not a value */
        return found(s, t->text + t->items[i].start, t->items[i].end - t->items[i].start);
    }
    return NEXT_RULE;
}

static bool asks_version(const struct seeker *s) {
    return question_has(s, "version|versions|release|releases") && question_has(s, "which|what|from");
}
static enum verdict rule_version(struct seeker *s) {
    const struct tokens *t = s->t;
    struct value one = {0};
    bool any = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct token *k = &t->items[i];
        bool dotted = k->kind == TOKEN_VERSION || (k->kind == TOKEN_NUMBER && strchr(k->s, '.'));
        struct value v = {k->start + (k->s[0] == 'v'), k->end, i + 1};
        if (!dotted || asked(s, t->text, v))
            continue;
        if (any && !same(t->text, v, one))
            return NEXT_UNIT;
        if (!any)
            one = v;
        any = true;
    }
    size_t first, after;
    if (!any)
        return NEXT_UNIT;
    if (answer_find(t, "or|and later|higher|newer|above", one.next, &first, &after) && first == one.next)
        one.to = t->items[after - 1].end;
    return found_value(s, t->text, one);
}

static bool asks_time(const struct seeker *s) { return s->w->question.cues & CUE_TIME; }
static enum verdict rule_time(struct seeker *s) {
    struct value v;
    bool any;
    if (only_value(s, s->t, TIME_UNITS, true, accept_all, &v, &any))
        return found_value(s, s->t->text, v);
    return any ? NEXT_UNIT : NEXT_RULE;
}

static bool asks_number(const struct seeker *s) {
    return !(s->w->question.cues & CUE_YES_NO) &&
           (question_has(s, "how many|much|long|often|large|big|deep|fast|short|small|high|low") || question_has(s, "at most|least") ||
            question_has(s, "maximum|max|minimum|min|number|limit|size|value|timeout|interval|duration|retention"));
}
static enum verdict rule_number(struct seeker *s) {
    static const char units[] = TIME_UNITS "|" SIZE_UNITS;
    struct row row;
    struct value v;
    bool any;
    if (read_row(s, &row))
        return number_of_row(s, &row);
    if (question_has(s, "how many")) {
        bool one = only_value(s, s->t, units, false, accept_counted, &v, &any);
        return one ? found_value(s, s->t->text, v) : NEXT_UNIT;
    }
    bool limit = (s->w->question.cues & CUE_MAXIMUM) || question_has(s, "min|minimum") || unit_has(s, "at most|least") ||
                 unit_has(s, "up to");
    if (limit && only_value(s, s->t, units, false, accept_limit, &v, &any))
        return found_value(s, s->t->text, v);
    return only_value(s, s->t, units, false, accept_all, &v, &any) ? found_value(s, s->t->text, v) : NEXT_UNIT;
}

static bool asks_identifier(const struct seeker *s) {
    size_t first, after, kind;
    return answer_find(s->q, "which|what", 0, &first, &after) &&
           answer_find(s->q,
                       "api|parameter|field|option|variable|policy|file|key|tag|command|class|argument|setting|property|function|method|package"
                       "|operation|flag", after, &kind, NULL) && kind <= after + 3;
}
/* my_name, myName, --name, name.json; capitalised words only where the author set them as code. */
static bool is_identifier(const struct seeker *s, const struct token *t) {
    static const char *const endings[] = {".json", ".yaml", ".yml", ".txt", ".csv", ".py", ".toml", ".ini", ".conf"};
    const char *text = s->t->text + t->start;
    size_t n = t->end - t->start;
    if (t->kind != TOKEN_WORD || n < IDENTIFIER_MIN || n > VALUE_MAX || strchr(t->s, '/'))
        return false;
    if (strchr(t->s, '_') || strncmp(t->s, "--", 2) == 0)
        return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t len = strlen(endings[i]);
        if (n > len && strcmp(t->s + strlen(t->s) - len, endings[i]) == 0)
            return true;
    }
    bool inner = false;
    for (size_t i = 1; i < n; i++)
        inner = inner || (text[i] >= 'A' && text[i] <= 'Z' && text[i - 1] >= 'a' && text[i - 1] <= 'z');
    if (!inner || (*text >= 'a' && *text <= 'z'))
        return inner;
    const struct index_passage *p = passage_of(s->w, s->u);
    uint64_t from, to;
    uint32_t at = s->u->text.from + t->start;
    return textmap_raw(&p->map, at, at + 1, &from, &to) && from > p->start && from <= p->start + p->text_len &&
           p->text[from - p->start - 1] == '`';
}
static enum verdict rule_identifier(struct seeker *s) {
    const struct token *one = NULL;
    for (size_t i = 0; i < s->t->n; i++) {
        const struct token *t = &s->t->items[i];
        struct value v = {t->start, t->end, i + 1};
        if (!is_identifier(s, t) || asked(s, s->t->text, v))
            continue;
        if (one && strcmp(one->s, t->s) != 0)
            return NEXT_UNIT;
        one = t;
    }
    return one ? found(s, s->t->text + one->start, one->end - one->start) : NEXT_UNIT;
}

static const struct {
    bool (*asks)(const struct seeker *s);
    enum verdict (*rule)(struct seeker *s);
} rules[] = {
    {asks_yes_no, rule_yes_no}, {asks_default, rule_default}, {asks_version, rule_version},
    {asks_time, rule_time},     {asks_number, rule_number},   {asks_identifier, rule_identifier},
};

/* Questions for more than one thing. */
static bool asks_several(const struct seeker *s) {
    return question_has(s, "compare|difference") || question_has(s, "what ... and what|which|how");
}

qa_status answer_find_short(struct answer_work *w, const char **out, qa_error *err) {
    struct seeker s = {.w = w, .q = &w->question.tokens, .err = err};
    *out = NULL;
    if (asks_several(&s))
        return QA_OK;
    for (size_t i = 0; i < w->n_chosen && !s.found && s.status == QA_OK; i++) {
        const struct unit *u = w->chosen[i];
        if (u->coverage < COVERAGE || (i && u->score < NEARLY_BEST * w->chosen[0]->score))
            continue;
        s.u = u;
        s.plain = passage_of(w, u)->map.plain;
        s.t = &u->tokens;
        s.first = i == 0;
        enum verdict v = NEXT_RULE;
        for (size_t k = 0; k < sizeof rules / sizeof *rules && v == NEXT_RULE; k++)
            if (rules[k].asks(&s))
                v = rules[k].rule(&s);
        if (v == GIVE_UP)
            break;
    }
    *out = s.found;
    return s.status;
}
