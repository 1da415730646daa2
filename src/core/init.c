/* Counting goes through the folder source, so that what is counted is what would be ingested. The text written is read back
 * by the configuration's own reader before it reaches the disk. */
#include "core/init.h"
#include "base/file.h"
#include "core/config.h"
#include "core/config_yaml.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_MEMORY = 64 << 20, MAX_HINT = 1 << 20, MAX_TEXT = 64 << 10, MAX_TOPS = 4096, TOPS_SHOWN = 12 };

struct top { /* a folder directly below the root; name "" for files of the root itself */
    const char *name;
    uint64_t documents, bytes;
};
struct look {
    struct arena *a;
    const char *root, *name; /* name: of the source that the whole root would be */
    struct top *tops;
    size_t n_tops;
    uint64_t documents, bytes, skipped, uncounted;
    const char *readme;
    const char *tool;        /* what the site is made with; NULL: unknown */
    const char *folder;      /* that holds the documentation; NULL: the root itself */
    const char *url;         /* rule */
};

/* ---- Counting ---- */

/* The one that `path` lies in. The listing is sorted, so that a folder's documents come in one stretch. NULL: too many, or
 * no memory. */
static struct top *find_top(struct look *l, const char *path) {
    size_t n = strcspn(path, "/");
    if (!path[n])
        return &l->tops[0];
    struct top *last = &l->tops[l->n_tops - 1];
    if (strlen(last->name) == n && strncmp(last->name, path, n) == 0)
        return last;
    if (l->n_tops == MAX_TOPS)
        return NULL;
    struct top *t = &l->tops[l->n_tops];
    t->name = arena_copy(l->a, path, n);
    l->n_tops += t->name != NULL;
    return t->name ? t : NULL;
}

static qa_status count(struct look *l, qa_error *err) {
    struct ingest_folder *folder = NULL;
    struct ingest_folder_options options = {.root = l->root};
    struct document_item item;
    struct arena a;
    bool more = true;
    l->tops = arena_array(l->a, MAX_TOPS, sizeof *l->tops);
    if (!l->tops)
        return arena_error(l->a, err, "looking at the folder");
    l->tops[l->n_tops++].name = "";
    qa_status status = ingest_open_folder(&options, &folder, err);
    if (status != QA_OK)
        return status;
    struct documents_port port = ingest_folder_port(folder);
    arena_init(&a, MAX_MEMORY);
    while ((status = port.ops->next(port.self, &a, &item, &more, err)) == QA_OK && more) {
        size_t len = strlen(item.path);
        if (item.handle || (len && item.path[len - 1] == '/'))
            continue; /* could not be read: ingest will say so */
        struct top *t = find_top(l, item.path);
        if (t) {
            t->documents++;
            t->bytes += item.bytes;
        } else {
            l->uncounted++;
        }
        if (!strchr(item.path, '/') && strncasecmp(item.path, "readme.", 7) == 0 && !l->readme)
            l->readme = arena_string(l->a, item.path);
        port.ops->release(port.self, &item);
        arena_reset(&a);
    }
    l->documents = ingest_folder_total(folder);
    l->bytes = ingest_folder_total_bytes(folder);
    l->skipped = ingest_folder_skipped(folder);
    arena_free(&a);
    ingest_close_folder(folder);
    return status;
}

static const struct top *get_top(const struct look *l, const char *name) {
    for (size_t i = 0; i < l->n_tops; i++)
        if (strcmp(l->tops[i].name, name) == 0)
            return &l->tops[i];
    return NULL;
}

/* ---- Hints ---- */

/* The text of a file in the root; NULL when there is none that can be used: a hint is not worth an error. */
static const char *read_hint(struct look *l, const char *name, size_t *len) {
    char *text = NULL, *path = file_join(l->a, l->root, name);
    return path && access(path, R_OK) == 0 && file_read(l->a, path, MAX_HINT, &text, len, NULL) == QA_OK ? text : NULL;
}

/* A rule is worth proposing only when the reader of quaere.yaml would take it. */
static void propose_url(struct look *l, const char *base, const char *rest) {
    size_t n = strlen(base);
    while (n && base[n - 1] == '/')
        n--;
    char *rule = n ? arena_printf(l->a, "%.*s/%s", (int)(n > 1000 ? 0 : n), base, rest) : NULL;
    if (rule && ingest_check_url_rule(rule, NULL) == QA_OK)
        l->url = rule;
}

static bool look_at_mkdocs(struct look *l) {
    size_t len = 0;
    struct yaml_node *root = NULL;
    const char *text = read_hint(l, "mkdocs.yml", &len);
    if (!text)
        return false;
    l->tool = "MkDocs (mkdocs.yml)";
    l->folder = "docs";
    if (yaml_parse(l->a, "mkdocs.yml", text, len, &root, NULL) != QA_OK)
        return true;
    const struct yaml_node *folder = yaml_get(root, "docs_dir"), *site = yaml_get(root, "site_url"),
                           *flat = yaml_get(root, "use_directory_urls");
    if (folder && folder->kind == YAML_TEXT)
        l->folder = strcmp(folder->text, ".") == 0 ? NULL : folder->text;
    if (site && site->kind == YAML_TEXT)
        propose_url(l, site->text, flat && flat->kind == YAML_TEXT && strcmp(flat->text, "false") == 0
                                       ? "{path_without_extension}.html"
                                       : "{page}/");
    return true;
}

/* The string after `key:` at the start of a line of JavaScript. */
static const char *js_string(struct look *l, const char *text, const char *key) {
    size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, "\n");
        const char *at = line + strspn(line, " \t");
        if (strncmp(at, key, n) != 0 || at[n] != ':')
            continue;
        at += n + 1 + strspn(at + n + 1, " \t");
        const char *end = *at == '\'' || *at == '"' ? strchr(at + 1, *at) : NULL;
        if (end)
            return arena_copy(l->a, at + 1, (size_t)(end - at) - 1);
    }
    return NULL;
}

static bool look_at_docusaurus(struct look *l) {
    static const char *const names[] = {"docusaurus.config.js", "docusaurus.config.ts", "docusaurus.config.mjs"};
    const char *text = NULL;
    size_t len = 0;
    for (size_t i = 0; !text && i < sizeof names / sizeof *names; i++)
        text = read_hint(l, names[i], &len);
    if (!text)
        return false;
    l->tool = "Docusaurus (docusaurus.config)";
    l->folder = "docs";
    const char *url = js_string(l, text, "url"), *base = js_string(l, text, "baseUrl");
    char *site = url ? arena_printf(l->a, "%s%s", url, base && base[0] == '/' ? base : "") : NULL;
    if (site)
        propose_url(l, site, "docs/{page}");
    return true;
}

static void choose_folder(struct look *l) {
    static const char *const usual[] = {"docs", "doc", "documentation"};
    if (!look_at_mkdocs(l) && !look_at_docusaurus(l))
        for (size_t i = 0; !l->folder && i < sizeof usual / sizeof *usual; i++)
            l->folder = usual[i];
    const struct top *t = l->folder ? get_top(l, l->folder) : NULL;
    for (size_t i = 0; !l->tool && !(t && t->documents) && i < sizeof usual / sizeof *usual; i++)
        t = get_top(l, usual[i]);
    if (t && t->documents)
        l->folder = t->name;
    else if (!l->tool || !l->folder || !strchr(l->folder, '/')) /* a deeper folder of the tool's is believed */
        l->folder = NULL;
}

/* ---- Writing ---- */

static void put_quoted(struct buf *out, const char *s) {
    buf_putc(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_putc(out, '\\');
        if ((unsigned char)*s < 0x20 || *s == 0x7F)
            buf_printf(out, "\\x%02X", (unsigned char)*s);
        else
            buf_putc(out, *s);
    }
    buf_putc(out, '"');
}

static void put_config(const struct look *l, struct buf *out) {
    buf_puts(out, "# Configuration of Quaere. docs/configuration.md describes every key. Paths are relative to this file.\n"
                  "# `quaere ingest` brings every source up to date; `quaere ask` and `quaere search` find this file from any folder below.\n\n"
                  "# index: .quaere/index.db   # what was read; can be made again at any time\n"
                  "# state: .quaere/state.db   # conversations\n\n"
                  "sources:\n  - name: ");
    put_quoted(out, l->folder ? file_basename(l->folder) : l->name);
    buf_puts(out, "\n    path: ");
    put_quoted(out, l->folder ? l->folder : ".");
    buf_puts(out, "\n");
    if (l->url) {
        buf_puts(out, "    url: ");
        put_quoted(out, l->url);
        buf_puts(out, "\n");
    } else {
        buf_puts(out, "    # url: https://docs.example.com/{path_without_extension}\n");
    }
    buf_puts(out, "    # include: [\"*.md\"]\n"
                  "    # exclude: [drafts/]        # patterns as in .gitignore; .gitignore and .quaereignore are obeyed anyway\n"
                  "    # collection: handbook      # searched together with the other sources of this name\n"
                  "    # metadata: {product: example}\n"
                  "    # access:\n"
                  "    #   default: public         # or signed-in, nobody, [group, ...]\n"
                  "    #   rules:\n"
                  "    #     - {path: internal/, groups: [staff]}\n");
}

static void put_report(const struct look *l, bool dry, const char *file, const char *text, struct buf *out) {
    size_t shown = 0, others = 0;
    buf_printf(out, "%s holds %llu documents (%.1f MB)", l->root, (unsigned long long)l->documents, (double)l->bytes / 1e6);
    if (l->skipped)
        buf_printf(out, " and %llu files of types that are not read", (unsigned long long)l->skipped);
    buf_puts(out, l->documents ? ":\n" : ".\n");
    for (size_t i = 0; i < l->n_tops; i++) {
        const struct top *t = &l->tops[i];
        if (!t->documents)
            continue;
        if (shown == TOPS_SHOWN) {
            others++;
            continue;
        }
        shown++;
        buf_printf(out, "  %7llu  %s%s\n", (unsigned long long)t->documents, t->name[0] ? t->name : "in the folder itself",
                   t->name[0] ? "/" : "");
    }
    if (others || l->uncounted)
        buf_puts(out, "  and more in other folders\n");
    if (l->tool)
        buf_printf(out, "The site is made with %s%s%s.\n", l->tool, l->url ? "; its pages are at " : "", l->url ? l->url : "");
    if (l->readme && l->folder)
        buf_printf(out, "%s beside the documentation is not in the source.\n", l->readme);
    buf_printf(out, "%s %s with the source %s. Next: quaere ingest\n", dry ? "Would write" : "Wrote", file,
               l->folder ? l->folder : ".");
    if (dry)
        buf_printf(out, "\n%s", text);
}

qa_status core_init(const char *path, bool dry, struct buf *report, qa_error *err) {
    struct arena a;
    struct buf text;
    struct ingest_place where = {0};
    struct config *read_back = NULL;
    struct look l = {.a = &a};
    arena_init(&a, MAX_MEMORY);
    buf_init(&text, MAX_TEXT);
    qa_status status = ingest_find_place(&a, path ? path : ".", NULL, NULL, 0, &where, err);
    if (status == QA_OK && where.only)
        status = error_set(err, QA_BAD_USAGE, "%s is a file; quaere init looks at a folder", path);
    char *file = status == QA_OK ? file_join(&a, where.root, "quaere.yaml") : NULL;
    if (status == QA_OK && !file)
        status = arena_error(&a, err, "looking at the folder");
    if (status == QA_OK && access(file, F_OK) == 0)
        status = error_set(err, QA_EXISTS, "%s is there already; edit it, or move it away first", file);
    if (status == QA_OK) {
        l.root = where.root;
        l.name = where.source;
        status = count(&l, err);
    }
    if (status == QA_OK) {
        choose_folder(&l);
        put_config(&l, &text);
        status = buf_error(&text, err, "a configuration");
    }
    if (status == QA_OK)
        status = config_parse(&a, file, text.data, text.len, &read_back, err);
    if (status == QA_OK && !dry)
        status = file_write_atomic(file, text.data, text.len, err);
    if (status == QA_OK) {
        put_report(&l, dry, file, text.data, report);
        status = buf_error(report, err, "the report");
    }
    buf_free(&text);
    arena_free(&a);
    return status;
}
