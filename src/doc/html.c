/* HTML inside Markdown: tags and comments fall away, their text stays. No tree is built, since nothing here needs one: a
 * state machine over what md4c recognises as HTML, that may be fed in pieces. */
#include "doc/build.h"
#include <stdlib.h>
#include <string.h>

/* Elements of HTML, sorted. What is not here and has no attributes is a placeholder. */
static const char *const ELEMENTS[] = {
    "a",        "abbr",     "acronym",  "address",  "applet",   "area",     "article",    "aside",    "audio",  "b",
    "base",     "bdi",      "bdo",      "big",      "blink",    "blockquote", "body",     "br",       "button", "canvas",
    "caption",  "center",   "cite",     "code",     "col",      "colgroup", "data",       "datalist", "dd",     "del",
    "details",  "dfn",      "dialog",   "dir",      "div",      "dl",       "dt",         "em",       "embed",  "fieldset",
    "figcaption", "figure", "font",     "footer",   "form",     "frame",    "frameset",   "h1",       "h2",     "h3",
    "h4",       "h5",       "h6",       "head",     "header",   "hgroup",   "hr",         "html",     "i",      "iframe",
    "img",      "input",    "ins",      "kbd",      "label",    "legend",   "li",         "link",     "main",   "map",
    "mark",     "math",     "menu",     "meta",     "meter",    "nav",      "noscript",   "object",   "ol",     "optgroup",
    "option",   "output",   "p",        "param",    "path",     "picture",  "pre",        "progress", "q",      "rp",
    "rt",       "ruby",     "s",        "samp",     "script",   "section",  "select",     "slot",     "small",  "source",
    "span",     "strike",   "strong",   "style",    "sub",      "summary",  "sup",        "svg",      "table",  "tbody",
    "td",       "template", "textarea", "tfoot",    "th",       "thead",    "time",       "title",    "tr",     "track",
    "tt",       "u",        "ul",       "var",      "video",    "wbr",
};

static int by_name(const void *key, const void *element) { return strcmp(key, *(const char *const *)element); }

static bool is_element(const char *name) {
    return bsearch(name, ELEMENTS, sizeof ELEMENTS / sizeof *ELEMENTS, sizeof *ELEMENTS, by_name);
}

static bool hides_content(const char *name) {
    return !strcmp(name, "script") || !strcmp(name, "style") || !strcmp(name, "template") || !strcmp(name, "svg");
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* <bucket> and <YOUR_NAME> are text; <Tabs> is a component. */
static bool is_placeholder(const char *tag, size_t n) {
    bool small = false, capital = false;
    for (size_t i = 0; i < n; i++) {
        small |= tag[i] >= 'a' && tag[i] <= 'z';
        capital |= tag[i] >= 'A' && tag[i] <= 'Z';
    }
    return !(small && capital);
}

static size_t begin_tag(struct doc_html *h, const char *p, size_t n, size_t at) {
    char next = at + 1 < n ? p[at + 1] : '\0';
    if (next == '!' || next == '?') {
        h->state = n - at >= 4 && !memcmp(p + at, "<!--", 4) ? HTML_COMMENT : HTML_DECLARATION;
        return at + (h->state == HTML_COMMENT ? 4 : 2);
    }
    if (next == '/' || is_letter(next) || next == '>') { /* <> as in JSX */
        h->state = HTML_TAG;
        h->quote = '\0';
        h->n_name = 0;
        h->name_done = false;
        h->plain_tag = true;
        h->tag_from = at;
    }
    return at + 1;
}

static void end_tag(struct doc_html *h, const char *p, size_t end, const struct doc_html_sink *sink) {
    h->state = HTML_TEXT;
    h->name[h->n_name] = '\0';
    bool closes = h->name[0] == '/';
    const char *name = h->name + closes;
    if (!is_element(name) && *name && h->plain_tag && h->tag_from != SIZE_MAX && h->n_name < DOC_TAG_MAX - 1 &&
        is_placeholder(p + h->tag_from, end - h->tag_from)) {
        sink->text(sink->user, p + h->tag_from, end - h->tag_from);
        return;
    }
    sink->tag(sink->user, h->name, h->n_name);
    if (!closes && hides_content(name) && !(end >= 2 && p[end - 2] == '/')) {
        memcpy(h->hidden, h->name, h->n_name + 1);
        h->state = HTML_HIDDEN;
    }
}

static void in_tag(struct doc_html *h, char c) {
    if (h->quote) {
        if (c == h->quote)
            h->quote = '\0';
        return;
    }
    if (c == '"' || c == '\'') {
        h->quote = c;
        h->plain_tag = false;
        return;
    }
    if (!h->name_done && (is_space(c) || (c == '/' && h->n_name)))
        h->name_done = true;
    if (!h->name_done && h->n_name < DOC_TAG_MAX - 1)
        h->name[h->n_name++] = lower(c);
    else if (h->name_done && !is_space(c) && c != '/')
        h->plain_tag = false;
}

static bool closes_hidden(const struct doc_html *h, const char *p, size_t n) {
    size_t length = strlen(h->hidden);
    return n >= length + 2 && p[1] == '/' && !strncasecmp(p + 2, h->hidden, length);
}

void doc_html_feed(struct doc_html *h, const char *p, size_t n, const struct doc_html_sink *sink) {
    h->tag_from = SIZE_MAX;
    for (size_t i = 0; i < n;) {
        const char *found;
        switch (h->state) {
        case HTML_TEXT:
            found = memchr(p + i, '<', n - i);
            if (found != p + i) {
                size_t end = found ? (size_t)(found - p) : n;
                sink->text(sink->user, p + i, end - i);
                i = end;
                break;
            }
            size_t after = begin_tag(h, p, n, i);
            if (h->state == HTML_TEXT)
                sink->text(sink->user, p + i, after - i);
            i = after;
            break;
        case HTML_TAG:
            if (p[i] == '>' && !h->quote)
                end_tag(h, p, i + 1, sink);
            else
                in_tag(h, p[i]);
            i++;
            break;
        case HTML_COMMENT:
            found = memmem(p + i, n - i, "-->", 3);
            i = found ? (size_t)(found - p) + 3 : n;
            h->state = found ? HTML_TEXT : HTML_COMMENT;
            break;
        case HTML_DECLARATION:
            found = memchr(p + i, '>', n - i);
            i = found ? (size_t)(found - p) + 1 : n;
            h->state = found ? HTML_TEXT : HTML_DECLARATION;
            break;
        case HTML_HIDDEN:
            found = memchr(p + i, '<', n - i);
            i = found ? (size_t)(found - p) : n;
            if (found && closes_hidden(h, p + i, n - i)) {
                begin_tag(h, p, n, i);
                i++;
            } else if (found) {
                i++;
            }
            break;
        }
    }
}
