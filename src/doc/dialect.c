/* What documentation sites write beyond Markdown, turned into Markdown before md4c sees it:
 *
 *     :::note[Title] ... :::              (Docusaurus, VuePress)   becomes a block quote with the title as its first line
 *     !!! note "Title", ??? note          (MkDocs; indented)       the same
 *     > [!NOTE]                           (GitHub, Obsidian)       its mark becomes such a title
 *     === "Label"                         (MkDocs tabs; indented)  the label as a paragraph, the rest moved left
 *     | - | :-: |                         (tables)                 the same with three dashes
 *     import, export, <Tabs>, comments in braces (MDX)             fall away; labels of tabs stay as paragraphs
 *
 * Documents without any of it, nearly all, are handed on as they are. The others become a text with pieces that lead back
 * to the document. Fenced code is left alone; fences are followed line by line, which is right wherever a fence is
 * closed. */
#include "doc/dialect.h"
#include <string.h>

/* ---- Writing ---- */

void dialect_put(struct dialect_scan *s, const char *text, size_t n) {
    if (s->text)
        memcpy(s->text + s->text_len, text, n);
    s->text_len += n;
    s->changed = true;
}

void dialect_copy(struct dialect_scan *s, size_t at, size_t n) {
    if (!n)
        return;
    if (s->text)
        memcpy(s->text + s->text_len, s->bytes + at, n);
    if (s->n_pieces && s->last_doc == at && s->last_text == s->text_len) {
        if (s->pieces)
            s->pieces[s->n_pieces - 1].len += (uint32_t)n;
    } else {
        if (s->pieces)
            s->pieces[s->n_pieces] = (struct doc_piece){(uint32_t)s->text_len, (uint32_t)n, at};
        s->n_pieces++;
    }
    s->text_len += n;
    s->last_text = s->text_len;
    s->last_doc = at + n;
}

static void put_spaces(struct dialect_scan *s, size_t n) {
    static const char spaces[] = "                ";
    for (; n; n -= n < 16 ? n : 16)
        dialect_put(s, spaces, n < 16 ? n : 16);
}

/* Returns the columns of indentation used up. */
static size_t put_boxes(struct dialect_scan *s, size_t columns) {
    size_t used = 0;
    for (size_t i = 0; i < s->n_boxes; i++) {
        const struct dialect_box *box = &s->boxes[i];
        size_t to = box->column < columns ? box->column : columns;
        if (to > used) {
            put_spaces(s, to - used);
            used = to;
        }
        if (box->quoted)
            dialect_put(s, "> ", 2);
        if (box->indented)
            used = used + 4 < columns ? used + 4 : columns;
    }
    return used;
}

void dialect_indent(struct dialect_scan *s, size_t columns) { put_spaces(s, columns - put_boxes(s, columns)); }

void dialect_blank(struct dialect_scan *s) {
    for (size_t i = 0; i < s->n_boxes; i++) {
        if (s->boxes[i].quoted) {
            put_boxes(s, s->boxes[s->n_boxes - 1].column);
            break;
        }
    }
    dialect_put(s, "\n", 1);
}

/* ---- Lines ---- */

static struct dialect_line read_line(const struct dialect_scan *s, size_t from) {
    struct dialect_line l = {.from = from, .first = from};
    l.end = doc_line_end(s->bytes, s->len, from);
    l.next = doc_line_after(s->bytes, s->len, l.end);
    for (; l.first < l.end && (s->bytes[l.first] == ' ' || s->bytes[l.first] == '\t'); l.first++)
        l.columns += s->bytes[l.first] == '\t' ? 4 - l.columns % 4 : 1;
    return l;
}

static size_t count(const char *p, size_t n, char c) {
    size_t i = 0;
    while (i < n && p[i] == c)
        i++;
    return i;
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static size_t skip_spaces(const char *bytes, size_t at, size_t end) {
    while (at < end && (bytes[at] == ' ' || bytes[at] == '\t'))
        at++;
    return at;
}

static size_t drop_spaces(const char *bytes, size_t from, size_t end) {
    while (end > from && (bytes[end - 1] == ' ' || bytes[end - 1] == '\t'))
        end--;
    return end;
}

static void copy_line(struct dialect_scan *s, const struct dialect_line *l) {
    if (s->n_boxes) {
        size_t used = put_boxes(s, l->columns), rest = l->columns - used;
        if (l->first - l->from >= rest && count(s->bytes + l->first - rest, rest, ' ') == rest)
            dialect_copy(s, l->first - rest, rest);
        else
            put_spaces(s, rest);
        dialect_copy(s, l->first, l->next - l->first);
    } else {
        dialect_copy(s, l->from, l->next - l->from);
    }
}

/* A line that is shown as a text of its own: a title (with a hard break after it) or, set off by blank lines, a label. */
static void put_title(struct dialect_scan *s, const struct dialect_line *l, const char *capital, size_t from, size_t to) {
    dialect_indent(s, l->columns);
    if (capital) /* the first letter of the word that is copied */
        dialect_put(s, capital, 1);
    dialect_copy(s, from, to - from);
    dialect_put(s, "  \n", 3);
}

/* ---- Fences ---- */

/* The fence that opens or closes in this line, behind marks of quotes and items; its length, 0 when there is none. */
static size_t find_fence(const char *bytes, const struct dialect_line *l, char *c, bool *quoted, bool *item, bool *closes) {
    size_t at = l->first;
    *quoted = *item = false;
    for (;;) {
        at = skip_spaces(bytes, at, l->end);
        if (at < l->end && bytes[at] == '>') {
            *quoted = true;
            at++;
            continue;
        }
        size_t mark = at;
        while (mark < l->end && mark - at < 9 && bytes[mark] >= '0' && bytes[mark] <= '9')
            mark++;
        bool number = mark > at && mark < l->end && (bytes[mark] == '.' || bytes[mark] == ')');
        bool bullet = mark == at && mark < l->end && strchr("-+*", bytes[mark]);
        if ((!number && !bullet) || mark + 1 >= l->end || (bytes[mark + 1] != ' ' && bytes[mark + 1] != '\t'))
            break;
        at = mark + 1;
        *item = true;
    }
    if (at >= l->end || (bytes[at] != '`' && bytes[at] != '~'))
        return 0;
    *c = bytes[at];
    size_t n = count(bytes + at, l->end - at, *c);
    if (n < 3 || (*c == '`' && memchr(bytes + at + n, '`', l->end - at - n)))
        return 0;
    *closes = skip_spaces(bytes, at + n, l->end) == l->end;
    return n;
}

/* True when the line belongs to fenced code, fences included. */
static bool follow_fence(struct dialect_scan *s, const struct dialect_line *l, bool block_start) {
    char c = '\0';
    bool quoted = false, item = false, closes = false;
    size_t n = find_fence(s->bytes, l, &c, &quoted, &item, &closes);
    size_t box = s->n_boxes ? s->boxes[s->n_boxes - 1].column + (s->boxes[s->n_boxes - 1].indented ? 4 : 0) : 0;
    if (s->fence && s->fence_quoted && !quoted && !n && (l->first == l->end || s->bytes[l->first] != '>'))
        s->fence = '\0'; /* the quote ended and took the code with it */
    if (s->fence) {
        if (n >= s->fence_len && c == s->fence && closes)
            s->fence = '\0';
        return true;
    }
    if (item)
        s->in_list = true;
    else if (block_start && l->columns <= box)
        s->in_list = false;
    if (!n || (l->columns >= box + 4 && !s->in_list && !s->mdx))
        return false;
    s->fence = c;
    s->fence_len = n;
    s->fence_quoted = quoted;
    return true;
}

/* ---- Admonitions and tabs ---- */

const char *dialect_admonition(const char *name, size_t n) {
    static const char *const names[] = {
        "Note",    "Tip",     "Info",     "Warning", "Caution", "Danger",   "Important", "Success", "Hint",    "Attention",
        "Error",   "Seealso", "Question", "Example", "Quote",   "Bug",      "Abstract",  "Summary", "Failure", "Todo",
        "Details", "Secondary", "Check",  "Help",    "Faq",     "Remember", "Security",  "Warn",    "Alert",   "Fail",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n && !strncasecmp(names[i], name, n))
            return names[i];
    return NULL;
}

static bool open_box(struct dialect_scan *s, const struct dialect_line *l, bool indented, bool quoted) {
    dialect_blank(s);
    s->boxes[s->n_boxes++] = (struct dialect_box){indented, quoted, l->columns};
    return true;
}

/* :::name, ::: name Title, :::name[Title]{attributes}, :::{name} Title */
static bool open_colons(struct dialect_scan *s, const struct dialect_line *l) {
    const char *b = s->bytes;
    size_t at = skip_spaces(b, l->first + count(b + l->first, l->end - l->first, ':'), l->end);
    size_t end = drop_spaces(b, at, l->end);
    bool braces = at < end && b[at] == '{';
    size_t name = at += braces;
    while (at < end && (is_letter(b[at]) || b[at] == '-'))
        at++;
    size_t name_end = at;
    if (name == name_end || !s->closers || s->n_boxes == DIALECT_DEPTH || b[end - 1] == ':')
        return false;
    if (braces && at < end && b[at] == '}')
        at++;
    if (!braces && at < end && b[at] != ' ' && b[at] != '[' && b[at] != '{')
        return false;
    if (at < end && b[at] == '[') {
        const char *close = memchr(b + at, ']', end - at);
        at++;
        if (close)
            end = (size_t)(close - b);
    } else {
        const char *attributes = memchr(b + at, '{', end - at);
        if (attributes)
            end = (size_t)(attributes - b);
        at = skip_spaces(b, at, end);
        end = drop_spaces(b, at, end);
    }
    const char *shown = dialect_admonition(b + name, name_end - name);
    open_box(s, l, false, shown != NULL);
    if (shown && at < end)
        put_title(s, l, NULL, at, end);
    else if (shown)
        put_title(s, l, shown, name + 1, name_end);
    return true;
}

static bool is_indented_below(const struct dialect_scan *s, const struct dialect_line *l) {
    struct dialect_line below = read_line(s, l->next);
    for (int i = 0; i < 2 && below.next < s->len && below.first == below.end; i++)
        below = read_line(s, below.next);
    return below.first < below.end && below.columns >= l->columns + 4;
}

/* !!! type "Title", ??? type, ???+ type, === "Label" */
static bool open_indented(struct dialect_scan *s, const struct dialect_line *l) {
    const char *b = s->bytes;
    bool tab = b[l->first] == '=';
    size_t at = l->first + 3;
    if (at < l->end && (b[at] == '+' || (tab && b[at] == '!')))
        at++;
    if (at >= l->end || b[at] != ' ' || s->n_boxes == DIALECT_DEPTH || !is_indented_below(s, l))
        return false;
    at = skip_spaces(b, at, l->end);
    size_t end = drop_spaces(b, at, l->end), name = at;
    while (at < end && (is_letter(b[at]) || b[at] == '-'))
        at++;
    size_t name_end = at;
    while (at < end && b[at] != '"') { /* more words are style classes */
        if (!is_letter(b[at]) && !strchr(" -_|0123456789", b[at]))
            return false;
        at++;
    }
    bool titled = at < end;
    if (titled && (b[end - 1] != '"' || end - 1 == at))
        return false;
    if (tab ? !titled || name_end > name : name_end == name || !is_letter(b[name]))
        return false;
    open_box(s, l, true, !tab);
    if (titled && end - 1 > at + 1)
        put_title(s, l, NULL, at + 1, end - 1);
    else if (!titled) {
        char capital = (char)(b[name] & ~0x20);
        put_title(s, l, &capital, name + 1, name_end);
    }
    if (tab)
        dialect_blank(s);
    return true;
}

/* > [!NOTE] Title */
static bool copy_alert(struct dialect_scan *s, const struct dialect_line *l) {
    const char *b = s->bytes;
    size_t at = l->first;
    while (at < l->end && (b[at] == '>' || b[at] == ' '))
        at++;
    if (l->end - at < 4 || b[at] != '[' || b[at + 1] != '!')
        return false;
    size_t name = at + 2, name_end = name;
    while (name_end < l->end && is_letter(b[name_end]))
        name_end++;
    const char *shown = dialect_admonition(b + name, name_end - name);
    if (!shown || name_end == l->end || b[name_end] != ']')
        return false;
    size_t title = name_end + 1;
    if (title < l->end && (b[title] == '+' || b[title] == '-'))
        title++;
    title = skip_spaces(b, title, l->end);
    if (s->n_boxes)
        dialect_indent(s, l->columns);
    dialect_copy(s, s->n_boxes ? l->first : l->from, at - (s->n_boxes ? l->first : l->from));
    if (title < l->end) {
        dialect_copy(s, title, l->end - title);
    } else {
        dialect_copy(s, name, 1);
        dialect_put(s, shown + 1, name_end - name - 1);
    }
    dialect_put(s, "  ", 2);
    dialect_copy(s, l->end, l->next - l->end);
    return true;
}

/* ---- The pass ---- */

static bool is_closer(const char *bytes, const struct dialect_line *l) {
    size_t n = count(bytes + l->first, l->end - l->first, ':');
    return n >= 3 && skip_spaces(bytes, l->first + n, l->end) == l->end;
}

static bool close_colons(struct dialect_scan *s) {
    s->closers--;
    if (!s->n_boxes || s->boxes[s->n_boxes - 1].indented)
        return false;
    s->n_boxes--;
    dialect_blank(s);
    return true;
}

/* Boxes that this line is not indented enough for are over. */
static void leave_boxes(struct dialect_scan *s, const struct dialect_line *l) {
    for (size_t i = 0; i < s->n_boxes; i++) {
        if (s->boxes[i].indented && l->columns < s->boxes[i].column + 4) {
            s->n_boxes = i;
            s->fence = '\0';
            dialect_blank(s);
        }
    }
}

static bool marks_box(const char *p, size_t n) {
    return n > 3 && (!memcmp(p, "!!!", 3) || !memcmp(p, "???", 3) || !memcmp(p, "===", 3));
}

/* Handles the line at `at` and returns where the next begins. */
static size_t scan_line(struct dialect_scan *s, size_t at) {
    struct dialect_line l = read_line(s, at);
    const char *p = s->bytes + l.first;
    size_t n = l.end - l.first;
    bool block_start = s->block_start;
    s->block_start = false;
    if (!n && (s->fence || !s->n_boxes)) {
        s->block_start = !s->fence;
        if (s->n_boxes)
            dialect_blank(s);
        else
            copy_line(s, &l);
        return l.next;
    }
    if (!n) {
        dialect_blank(s);
        s->block_start = true;
        return l.next;
    }
    leave_boxes(s, &l);
    if (follow_fence(s, &l, block_start)) {
        copy_line(s, &l);
        return l.next;
    }
    if (n >= 3 && p[0] == ':' && p[1] == ':' && p[2] == ':') {
        s->block_start = true;
        if (is_closer(s->bytes, &l) ? close_colons(s) : open_colons(s, &l))
            return l.next;
        s->block_start = false;
    }
    bool below_row = s->row_before;
    s->row_before = memchr(p, '|', n) != NULL;
    if (below_row && dialect_is_delimiter(p, n)) {
        dialect_delimiter(s, &l);
        return l.next;
    }
    if ((marks_box(p, n) && open_indented(s, &l)) || (*p == '>' && copy_alert(s, &l)))
        return l.next;
    if (!s->mdx) {
        copy_line(s, &l);
        return l.next;
    }
    size_t after = block_start && !l.columns ? dialect_mdx_import(s, l.first) : 0;
    if (after) {
        s->changed = s->block_start = true;
        return after;
    }
    dialect_indent(s, l.columns);
    size_t end = dialect_mdx_line(s, l.first);
    size_t next = doc_line_after(s->bytes, s->len, end);
    dialect_copy(s, end, next - end);
    return next;
}

static void scan(struct dialect_scan *s, size_t body, size_t closers) {
    s->block_start = true;
    s->closers = closers;
    s->tag_budget = s->len * 4 + 65536;
    for (size_t at = body; at < s->len;)
        at = scan_line(s, at);
}

/* Does anything here need the pass? Also counts lines of colons, and tells whether a Markdown file is written as MDX: it
 * imports. */
static bool is_wanted(struct dialect_scan *s, size_t body, size_t *closers) {
    bool wanted = s->mdx, fence = false;
    *closers = 0;
    for (size_t at = body; at < s->len;) {
        struct dialect_line l = read_line(s, at);
        const char *p = s->bytes + l.first;
        size_t n = l.end - l.first;
        at = l.next;
        if (n < 3)
            continue;
        switch (*p) {
        case '`':
        case '~':
            if (p[1] == p[0] && p[2] == p[0])
                fence = !fence;
            break;
        case ':':
            if (is_closer(s->bytes, &l))
                (*closers)++;
            wanted |= (p[1] == ':' && p[2] == ':') || dialect_is_delimiter(p, n);
            break;
        case '!':
        case '?':
        case '=':
            wanted |= marks_box(p, n) && (p[3] != '=' && p[3] != '\0');
            break;
        case '>':
            wanted |= memmem(p, n, "[!", 2) || dialect_is_delimiter(p, n);
            break;
        case '|':
        case '-':
            wanted |= dialect_is_delimiter(p, n);
            break;
        case 'i':
            if (!fence && !l.columns && n > 12 && !memcmp(p, "import ", 7) && memmem(p, n, " from ", 6) &&
                (memchr(p, '"', n) || memchr(p, '\'', n)))
                s->mdx = wanted = true;
            break;
        default:
            break;
        }
    }
    return wanted;
}

/* md4c reads a byte beyond what it is given. A last line break is such a byte; without one the text is copied. */
static qa_status take_as_it_is(struct arena *a, const char *bytes, size_t len, size_t body, struct doc_dialect *out, qa_error *err) {
    out->doc_at = body;
    out->len = len - body;
    out->text = bytes + body;
    if (out->len && bytes[len - 1] == '\n')
        out->len--;
    else if (!(out->text = arena_copy(a, bytes + body, len - body)))
        return arena_error(a, err, "reading the document");
    return QA_OK;
}

qa_status doc_read_dialect(struct arena *a, const char *bytes, size_t len, size_t body, bool mdx, struct doc_dialect *out,
                           qa_error *err) {
    struct dialect_scan count_pass = {.bytes = bytes, .len = len, .mdx = mdx};
    *out = (struct doc_dialect){0};
    size_t closers;
    bool wanted = is_wanted(&count_pass, body, &closers);
    out->mdx = count_pass.mdx;
    if (!wanted)
        return take_as_it_is(a, bytes, len, body, out, err);
    struct dialect_scan write_pass = count_pass;
    scan(&count_pass, body, closers);
    if (!count_pass.changed || count_pass.text_len > UINT32_MAX / 2)
        return take_as_it_is(a, bytes, len, body, out, err);
    write_pass.text = arena_alloc(a, count_pass.text_len + 1);
    write_pass.pieces = arena_array(a, count_pass.n_pieces, sizeof *write_pass.pieces);
    if (!write_pass.text || !write_pass.pieces)
        return arena_error(a, err, "reading the document");
    scan(&write_pass, body, closers);
    *out = (struct doc_dialect){.text = write_pass.text, .len = write_pass.text_len, .pieces = write_pass.pieces,
                                .n_pieces = write_pass.n_pieces, .mdx = write_pass.mdx};
    return QA_OK;
}
