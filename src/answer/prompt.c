/* What the model reads. The stable part comes first, so that it is read once and kept: instructions and worked examples. Then the recent turns, then the excerpts,
 * best last, and the question.
 *
 * Not whole passages but their best units: the facts stand in a few sentences, and a small model given more names the wrong thing of a passage that holds the right one.
 * docs/answering.md has the figures. */
#include "answer/answer_internal.h"
#include <string.h>

enum {
    UNITS = 4,
    EXCERPT_WORDS = 80,        /* of one unit; the rest of a longer one is left out */
    ITEM_LEAD_WORDS = 30, OTHER_LEAD_WORDS = 25, /* the longest lead-in that is told */
    COLUMN_MAX = 40,           /* bytes of a column's name */
    HEADINGS = 2,              /* the last of title and heading path */
    BARE_QUESTION = 3,         /* content words: a question of no more is told with the one before it */
    PROMPT_MAX = 256 * 1024,
    TURNS_TOKENS = 400, /* of earlier turns */
    ANSWER_CUT = 600,   /* bytes of an earlier answer that are told */
    FIXED_MESSAGES = 5, /* the instruction, two examples */
};

static const char instruction[] =
    "You answer questions about software from excerpts of its documentation. Answer with the sentences of the excerpts that answer the question, in full, with all names, "
    "numbers, values and conditions exactly as written. Begin the answer to a yes or no question with Yes or No.";

static const char *const examples[][2] = {
    {"Documentation:\n\n## Backups > Restore a backup\nChoose Restore to open the wizard.\n\n## Backups > Retention\n- `retain_days`: The number of days that a backup "
     "is kept. The default is 35 days, the maximum is 365 days.\nBackups that are older are deleted automatically.\n\nQuestion: how long are backups kept, can I change that?",
     "The number of days that a backup is kept is set with `retain_days`. The default is 35 days, the maximum is 365 days. Backups that are older are deleted automatically."},
    {"Documentation:\n\n## Snapshots\nA snapshot is a copy of a volume.\n\n## Sharing > Share a backup\nTo share a backup, use the ShareBackup API with the account ID.\n"
     "Encrypted backups cannot be shared with other accounts, only copied within the account.\n\nQuestion: may I share an encrypted backup with a partner's account?",
     "No. Encrypted backups cannot be shared with other accounts, only copied within the account."},
};

/* ---- Excerpts ---- */

/* The best units, each text once; `best` is in the order of worth. */
static size_t choose(const struct answer_work *w, const struct unit *best[UNITS]) {
    size_t n = 0;
    for (; n < w->n_chosen && n < UNITS; n++)
        best[n] = w->chosen[n];
    while (n < UNITS) {
        const struct unit *next = NULL;
        for (size_t i = 0; i < w->units.n; i++) {
            const struct unit *u = &w->units.items[i];
            bool taken = u->repeated;
            for (size_t k = 0; k < n && !taken; k++)
                taken = best[k] == u;
            if (!taken && (!next || u->score > next->score))
                next = u;
        }
        if (!next)
            break;
        best[n++] = next;
    }
    return n;
}

static void put_span(struct buf *b, const struct index_passage *p, struct span s) {
    const char *text = p->map.plain + s.from;
    size_t n = s.to - s.from, words = 0;
    for (size_t i = 0; i < n; i++) {
        bool space = text[i] == ' ' || text[i] == '\n' || text[i] == '\t';
        words += space;
        if (words >= EXCERPT_WORDS) {
            buf_puts(b, " ...");
            return;
        }
        buf_putc(b, space ? ' ' : text[i]);
    }
}

/* "Column: cell; Column: cell" */
static void put_row(struct buf *b, const struct index_passage *p, const struct unit *u) {
    struct span cells[ANSWER_CELLS_MAX], names[ANSWER_CELLS_MAX];
    size_t n = answer_cells(p->map.plain, u->text, cells), n_names = span_is(u->header) ? answer_cells(p->map.plain, u->header, names) : 0;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!span_is(cells[i]))
            continue;
        if (any)
            buf_puts(b, "; ");
        if (i < n_names && n <= n_names && span_is(names[i]) && names[i].to - names[i].from < COLUMN_MAX) {
            put_span(b, p, names[i]);
            buf_puts(b, ": ");
        }
        put_span(b, p, cells[i]);
        any = true;
    }
}

static bool contains(const char *s, size_t n, const char *part, size_t len) {
    for (size_t i = 0; len && i + len <= n; i++)
        if (memcmp(s + i, part, len) == 0)
            return true;
    return false;
}

static void put_unit(struct buf *b, const struct answer_work *w, const struct unit *u, struct span *said) {
    const struct index_passage *p = passage_of(w, u);
    const char *plain = p->map.plain;
    struct span lead = u->kind == AS_SENTENCE ? (struct span){0} : span_is(u->parent) ? u->parent : u->lead;
    uint32_t most = u->kind == AS_ITEM ? ITEM_LEAD_WORDS : OTHER_LEAD_WORDS;
    if (span_is(lead) && lead.from != said->from && answer_count_words(plain + lead.from, lead.to - lead.from) <= most) {
        put_span(b, p, lead);
        buf_putc(b, '\n');
        *said = lead;
    }
    buf_puts(b, u->kind == AS_ITEM || u->kind == AS_ROW ? "- " : "");
    if (span_is(u->term) && !contains(plain + u->text.from, u->text.to - u->text.from, plain + u->term.from, u->term.to - u->term.from)) {
        put_span(b, p, u->term);
        buf_puts(b, ": ");
    }
    if (u->kind == AS_ROW)
        put_row(b, p, u);
    else
        put_span(b, p, u->text);
    buf_putc(b, '\n');
}

static void put_heading(struct buf *b, const struct index_passage *p) {
    bool title = !p->n_heading || strcmp(p->heading[0], p->title) != 0;
    size_t all = p->n_heading + title, first = all > HEADINGS ? all - HEADINGS : 0;
    buf_puts(b, "\n## ");
    for (size_t i = first; i < all; i++)
        buf_printf(b, "%s%s", i > first ? " > " : "", title ? (i ? p->heading[i - 1] : p->title) : p->heading[i]);
    buf_putc(b, '\n');
}

/* By passage, the one with the best unit last; within a passage as they stand there. */
static void put_excerpts(struct buf *b, const struct answer_work *w) {
    const struct unit *best[UNITS];
    size_t n = choose(w, best), order[UNITS], n_order = 0;
    bool seen[ANSWER_PASSAGES] = {0};
    for (size_t i = 0; i < n; i++)
        if (!seen[best[i]->passage]) {
            seen[best[i]->passage] = true;
            order[n_order++] = best[i]->passage;
        }
    while (n_order--) {
        struct span lead = {0};
        put_heading(b, &w->found->hits[order[n_order]].passage);
        for (const struct unit *after = NULL, *next;; after = next) {
            next = NULL;
            for (size_t i = 0; i < n; i++)
                if (best[i]->passage == order[n_order] && (!after || best[i] > after) && (!next || best[i] < next))
                    next = best[i];
            if (!next)
                break;
            put_unit(b, w, next, &lead);
        }
    }
}

/* ---- Turns ---- */

/* Answers without their markers, cut: they are there so that "it" can be understood. */
static char *told_answer(struct arena *a, const char *text) {
    static const char more[] = " ...";
    char *out = arena_alloc(a, strlen(text) + sizeof more), *to = out;
    for (const char *from = text; out && *from;) {
        size_t marker = from[0] == ' ' && from[1] == '[' ? strspn(from + 2, "0123456789") : 0;
        if (marker && from[2 + marker] == ']')
            from += marker + 3;
        else
            *to++ = *from++;
    }
    if (out && to - out > ANSWER_CUT) {
        char *end = out + ANSWER_CUT;
        while (end > out && *end != ' ')
            end--;
        memcpy(end, more, sizeof more);
    }
    return out;
}

/* The newest turns that fit the budget, oldest first. */
static qa_status put_turns(struct answer_work *w, struct answer_generation *g, struct generator_message *to, size_t *n, qa_error *err) {
    size_t used = 0, first = g->n_turns;
    char **answers = arena_array(w->a, g->n_turns, sizeof *answers);
    if (!answers)
        return arena_error(w->a, err, "writing the prompt");
    while (first) {
        const struct answer_turn *t = &g->turns[first - 1];
        size_t question = 0, answer = 0;
        if (!(answers[first - 1] = t->answer ? told_answer(w->a, t->answer) : arena_string(w->a, "")))
            return arena_error(w->a, err, "writing the prompt");
        if (!*answers[first - 1]) { /* a refusal teaches the model to refuse */
            first--;
            continue;
        }
        qa_status status = g->generator.ops->count_tokens(g->generator.self, t->question, strlen(t->question), &question, err);
        if (status == QA_OK)
            status = g->generator.ops->count_tokens(g->generator.self, answers[first - 1], strlen(answers[first - 1]), &answer, err);
        if (status != QA_OK)
            return status;
        if (used + question + answer > TURNS_TOKENS)
            break;
        used += question + answer;
        first--;
    }
    g->dropped_turns = first;
    for (size_t i = first; i < g->n_turns; i++) {
        if (!*answers[i])
            continue;
        to[(*n)++] = (struct generator_message){GENERATOR_USER, g->turns[i].question};
        to[(*n)++] = (struct generator_message){GENERATOR_ASSISTANT, answers[i]};
    }
    return QA_OK;
}

static int count_word(void *user, const struct word *word) {
    *(size_t *)user += word->kind != WORD_EXACT && !word->stop;
    return 0;
}
static size_t content_words(struct answer_work *w, const char *text) {
    size_t n = 0;
    words_each(w->words, text, strlen(text), count_word, &n);
    return n;
}

qa_status answer_make_prompt(struct answer_work *w, struct answer_generation *g, size_t max_tokens, qa_error *err) {
    struct generator_message *m = arena_array(w->a, FIXED_MESSAGES + 2 * g->n_turns + 1, sizeof *m);
    struct buf b;
    size_t n = 0;
    (void)max_tokens;
    if (!m)
        return arena_error(w->a, err, "writing the prompt");
    m[n++] = (struct generator_message){GENERATOR_SYSTEM, instruction};
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        m[n++] = (struct generator_message){GENERATOR_USER, examples[i][0]};
        m[n++] = (struct generator_message){GENERATOR_ASSISTANT, examples[i][1]};
    }
    qa_status status = put_turns(w, g, m, &n, err);
    if (status != QA_OK)
        return status;
    buf_init(&b, PROMPT_MAX);
    buf_puts(&b, "Documentation:\n");
    put_excerpts(&b, w);
    buf_printf(&b, "\nQuestion: %s", w->found->question);
    if (g->n_turns && content_words(w, w->found->question) <= BARE_QUESTION) /* on a line of its own the model answers that one */
        buf_printf(&b, " (asked after: %s)", g->turns[g->n_turns - 1].question);
    m[n].role = GENERATOR_USER;
    m[n].text = arena_copy(w->a, b.data, b.len);
    status = buf_error(&b, err, "the prompt");
    buf_free(&b);
    if (status == QA_OK && !m[n].text)
        status = arena_error(w->a, err, "writing the prompt");
    g->messages = m;
    g->n_messages = n + 1;
    return status;
}
