// Markdown in, blocks out: what a person would see of each, and which bytes of the document it stands for.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "doc/doc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20 };

static void put_escaped(struct buf *out, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n')
            buf_puts(out, "\\n");
        else if (p[i] == '\r')
            buf_puts(out, "\\r");
        else
            buf_putc(out, p[i]);
    }
}

// A line a block: kind, + when it joins the one before, : when it leads to the next, ! when lossy, then its text (or its bytes).
static char *dump(const struct doc_tree *t, bool raw) {
    static const char *const kinds[] = {"para", "head", "item", "thead", "row", "code", "quote", "term"};
    struct buf out;
    buf_init(&out, MIB);
    buf_puts(&out, "");
    for (size_t i = 0; i < t->n_blocks; i++) {
        const struct doc_block *b = &t->blocks[i];
        buf_printf(&out, "%s", kinds[b->kind]);
        if (b->level)
            buf_printf(&out, "%u", b->level);
        buf_printf(&out, "%s%s%s ", b->joins ? "+" : "", b->leads ? ":" : "", b->lossy ? "!" : "");
        if (raw)
            put_escaped(&out, t->bytes + b->start, b->end - b->start);
        for (size_t k = 0; k < b->n_runs && !raw; k++)
            put_escaped(&out, b->runs[k].literal ? b->runs[k].literal : t->bytes + b->runs[k].at, b->runs[k].len);
        buf_putc(&out, '\n');
    }
    char *text = strdup(out.data);
    buf_free(&out);
    return text;
}

struct row {
    const char *name, *in, *out;
};

static void check_rows(const struct row *rows, size_t n, const char *path, bool raw) {
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        struct arena a;
        struct doc_tree tree;
        qa_error err = {0};
        arena_init(&a, MIB);
        // a copy of exactly its length, so that a sanitizer sees a byte read behind it
        size_t len = strlen(rows[i].in);
        char *bytes = malloc(len ? len : 1);
        memcpy(bytes, rows[i].in, len);
        if (doc_read(&a, path, bytes, len, &tree, &err) != QA_OK) {
            print_error("%s: %s\n", rows[i].name, err.message);
            bad++;
        } else {
            char *got = dump(&tree, raw);
            if (strcmp(got, rows[i].out) != 0) {
                print_error("%s:\n--- want\n%s--- got\n%s", rows[i].name, rows[i].out, got);
                bad++;
            }
            free(got);
            doc_tree_release(&tree);
        }
        arena_free(&a);
        free(bytes);
    }
    assert_int_equal(bad, 0);
}
#define CHECK_ROWS(rows, path, raw) check_rows(rows, sizeof rows / sizeof *rows, path, raw)

static void inline_text(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"nothing", "", ""},
        {"white space only", " \n\t\n", ""},
        {"emphasis and code", "a *b* **c** `d e` ~~f~~", "para a b c d e f\n"},
        {"escapes vanish", "us\\-east\\-1\\. \\*not\\*", "para us-east-1. *not*\n"},
        {"a link is its text", "see [the *guide*](http://x/y \"t\").", "para see the guide.\n"},
        {"a reference link", "see [it][r]\n\n[r]: http://x", "para see it\n"},
        {"autolinks stay", "<https://x.org/a> https://y.org", "para https://x.org/a https://y.org\n"},
        {"an image is its text", "![a *diagram*](x.png)", "para a diagram\n"},
        {"an image without text", "x ![](x.png) y", "para x y\n"},
        {"an image held twice", "![\\[The icon\\]](a)![\\[The icon\\]](b) end", "para [The icon] end\n"},
        {"two images", "![one](a)![two](b)", "para one two\n"},
        {"an image of which an export says nothing", "- ![\\[Image NOT FOUND\\]](a) text", "item - text\n"},
        {"soft break", "one\ntwo", "para one two\n"},
        {"hard breaks", "one  \ntwo\\\nthree", "para one\\ntwo\\nthree\n"},
        {"a bold line that ends hard begins hard", "Do it\\.\n**Note**  \nCareful", "para Do it.\\nNote\\nCareful\n"},
        {"bold in running text does not", "Do\n**this** now", "para Do this now\n"},
        {"white space collapses", "a   b\t c", "para a b c\n"},
        {"named entities", "&lt;a&gt; &amp; &copy;&nbsp;x", "para <a> & \302\251 x\n"},
        {"numbered entities", "&#65;&#x42;&#0;&#xD800;&#7;", "para AB\357\277\275\357\277\275\n"},
        {"unknown entities stay", "&DDB; &; &#; &#xZ;", "para &DDB; &; &#; &#xZ;\n"},
        {"tags are not seen", "a<a name=\"x\"></a> <b>c</b><!-- d --> e", "para a c e\n"},
        {"br breaks", "a<br>b<br/>c", "para a\\nb\\nc\n"},
        {"placeholders are text", "put <bucket-name> and <REGION> into <div>it</div>", "para put <bucket-name> and <REGION> into\\nit\n"},
        {"components are tags", "a <Tabs>b</Tabs>", "para a b\n"},
        {"scripts are hidden", "a <script>alert(1)</script> b <style>p{}</style>", "para a b\n"},
        {"strong colon leads", "Do this:", "para: Do this:\n"},
        {"a bold line leads", "**Topics**", "para: Topics\n"},
        {"text after bold does not", "**Note** that", "para Note that\n"},
    };
    CHECK_ROWS(rows, "a.md", false);
}

static void blocks(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"headings", "# A<a name=\"x\"></a>\nB\n-\n###### C ##\n", "head1 A\nhead2 B\nhead6 C\n"},
        {"anchors", "# A {#my-id}\n## B {: .x }\n## C {x}\n", "head1 A\nhead2 B\nhead2 C {x}\n"},
        {"an empty heading", "#\n\nx", "para x\n"},
        {"rules are not seen", "a\n\n****  \n\nb", "para a\npara b\n"},
        {"lists", "- a\n- b\n  - c\n\n1. d\n1. e", "item - a\nitem - b\nitem   - c\nitem 1. d\nitem 2. e\n"},
        {"a list that begins at seven", "7) a\n8) b", "item 7. a\nitem 8. b\n"},
        {"tasks", "- [ ] a\n- [x] b", "item - [ ] a\nitem - [x] b\n"},
        {"paragraphs of an item", "- a\n\n  b\n- c", "item - a\npara+ b\nitem - c\n"},
        {"code of an item", "1. a:\n\n   ```\n   x\n     y\n   ```", "item: 1. a:\ncode+ x\\n  y\n"},
        {"a list in an item without text", "- - a", "item   - a\n"},
        {"an empty item", "-\n- a", "item - a\n"},
        {"a heading in an item", "- # a\n", "item - a\n"},
        {"quotes", "> a\n> b\n>\n> - c", "quote a b\nitem - c\n"},
        {"fenced code", "```sh\na\n\n  b\n```\nc", "code a\\n\\n  b\npara c\n"},
        {"indented code", "    a\n      b\n", "code a\\n  b\n"},
        {"code keeps its entities and escapes", "```\n&lt; \\. <b>\n```", "code &lt; \\. <b>\n"},
        {"code begins with empty lines", "```\n\n\n  a\n```", "code   a\n"},
        {"empty code", "```\n```\n\na", "para a\n"},
        {"a table", "| A | B |\n|---|---|\n|  1  | x<br>y |\n| | z |\n", "thead A | B\nrow+ 1 | x y\nrow+ | z\n"},
        {"short and long rows", "|A|B|\n|-|-|\n|1|\n|1|2|3|\n", "thead A | B\nrow+ 1\nrow+ 1 | 2\n"},
        {"a table without a header", "| | |\n|-|-|\n|1|2|\n", "row 1 | 2\n"},
        {"a list in a cell", "|A|\n|-|\n|<ul><li>x</li><li>y</li></ul>|\n", "thead A\nrow+ - x - y\n"},
        {"an escaped bar in a cell", "|A|\n|-|\n|a\\|b|\n", "thead A\nrow+ a|b\n"},
        {"html", "<div>\n<p>a &amp; b</p>\n<p>c</p>\n</div>\n", "para a & b\\nc\n"},
        {"an html table", "<table><tr><td>a</td><td>b</td></tr>\n<tr><td>c</td></tr></table>", "para a | b\\nc\n"},
        {"details", "<details>\n<summary>S</summary>\n\ntext\n\n</details>", "para S\npara text\n"},
        {"a comment over lines", "a\n\n<!-- b\n\nc -->\n\nd", "para a\npara d\n"},
        {"a script over lines", "<script>\n\nvar a = \"<b>\";\n</script>\n\nd", "para d\n"},
    };
    CHECK_ROWS(rows, "a.md", false);
}

static void broken_bytes(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"invalid bytes", "a\377b \342\202x", "para! a\357\277\275b \357\277\275x\n"},
        {"an invalid byte in code", "```\na\377\n```", "code! a\357\277\275\n"},
        {"control characters vanish", "a\001b\033[31mc\177", "para ab[31mc\n"},
        {"lines end in CR", "# A\r\rb\rc\r\r- d\r- e\r", "head1 A\npara b c\nitem - d\nitem - e\n"},
        {"lines end in CR LF", "# A\r\n\r\nb\r\nc\r\n\r\n```\r\nd\r\ne\r\n```\r\n", "head1 A\npara b c\ncode d\\ne\n"},
        {"byte order mark", "\357\273\277# A\n", "head1 A\n"},
    };
    CHECK_ROWS(rows, "a.md", false);
}

static void dialects(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"docusaurus", ":::note\nText\n\n- a\n:::\nAfter", "quote Note\\nText\nitem - a\npara After\n"},
        {"docusaurus title", ":::tip[My *title*]\n\nText\n\n:::", "quote My title\nquote Text\n"},
        {"vuepress", "::: warning Look out\nText\n:::", "quote Look out\\nText\n"},
        {"an unknown container", "::: code-group\n\n```\nx\n```\n\n:::", "code x\n"},
        {"nested", "::::info\n:::tip\na\n:::\nb\n::::\nc", "quote Info\nquote Tip\\na\nquote b\npara c\n"},
        {"never closed", ":::note\nText", "para :::note Text\n"},
        {"colons in an ARN", "arn:aws:s3:::bucket\n", "para arn:aws:s3:::bucket\n"},
        {"in code", "```\n:::note\n!!! note\n    x\n```\n\n:::note\na\n:::", "code :::note\\n!!! note\\n    x\nquote Note\\na\n"},
        {"code inside", ":::note\n```\na\n\n  b\n```\n:::", "quote Note\ncode a\\n\\n  b\n"},
        {"mkdocs", "!!! warning \"Mind\"\n    Text\n    more\n\n    ```\n    x\n      y\n    ```\nAfter",
         "quote Mind\\nText more\ncode x\\n  y\npara After\n"},
        {"mkdocs without title", "??? note\n    Text\n", "quote Note\\nText\n"},
        {"mkdocs in an item", "- a\n\n    !!! tip\n        b\n\n- c", "item - a\nquote Tip\\nb\nitem - c\n"},
        {"exclamation in prose", "!!! wow this is great\nnext", "para !!! wow this is great next\n"},
        {"mkdocs tabs", "=== \"Python\"\n\n    ```py\n    x\n    ```\n\n=== \"Go\"\n\n    text\n", "para Python\ncode x\npara Go\npara text\n"},
        {"a setext heading is no tab", "Title\n===\n\na", "head1 Title\npara a\n"},
        {"github alert", "> [!WARNING]\n> Text", "quote Warning\\nText\n"},
        {"obsidian title", "> [!tip]- Own title\n> Text", "quote Own title\\nText\n"},
        {"no alert", "> [!UNKNOWN]\n> Text", "quote [!UNKNOWN] Text\n"},
        {"an import makes it MDX", "import A from '@x/a';\n\n<A>\n\ntext\n\n</A>", "para text\n"},
        {"an import in prose does not", "import is a word\n\n<A>b</A> {/* c */}", "para import is a word\npara b {/* c */}\n"},
    };
    CHECK_ROWS(rows, "a.md", false);
    static const struct row mdx[] = {
        {"exports over blank lines", "export const a = {\n  b: 1,\n\n  c: 2,\n};\n\ntext", "para text\n"},
        {"an export that never ends", "export const a = {\n\ntext", "para text\n"},
        {"prose that begins like it", "important\n\nexport it", "para important\npara export it\n"},
        {"comments", "a {/* b\nc */} d", "para a d\n"},
        {"a comment that never ends", "a {/* b", "para a {/* b\n"},
        {"other expressions stay", "a {props.b} c", "para a {props.b} c\n"},
        {"a space", "a{' '}<B/>c", "para a c\n"},
        {"tabs", "<Tabs>\n  <TabItem value=\"n\" label=\"npm\">\n\n    ```\n    x\n    ```\n\n  </TabItem>\n</Tabs>", "para npm\ncode x\n"},
        {"a tag over lines", "<Card\n  title=\"T\"\n  onClick={() => a > b}\n>\ntext\n</Card>", "para T\npara text\n"},
        {"code spans are left alone", "`<A>` and ``{/* ` */}``", "para <A> and {/* ` */}\n"},
        {"fenced code is left alone", "```jsx\n<A b={1}>\n```", "code <A b={1}>\n"},
        {"comparison is no tag", "if a < 5 and b > 3", "para if a < 5 and b > 3\n"},
        {"html with braces", "<div style={{a: 1}}>\ntext\n</div>", "para text\n"},
        {"indentation is no code", "    text", "para text\n"},
    };
    CHECK_ROWS(mdx, "a.mdx", false);
}

// The bytes that a block stands for: whole lines with their markup, nothing that belongs to a neighbour.
static void raw_bytes(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"lines around", "\n\n# A <a name=\"x\"></a>\n\n  b\nc  \n\n", "head1 # A <a name=\"x\"></a>\npara   b\\nc  \n"},
        {"underlines", "A\n===\nb", "head1 A\\n===\npara b\n"},
        {"fences", "a\n```sh\n\n  x\n\n```\nb", "para a\ncode ```sh\\n\\n  x\\n\\n```\npara b\n"},
        {"fence in an item", "- a\n  ~~~\n  x\n  ~~~\n- b", "item - a\ncode+   ~~~\\n  x\\n  ~~~\nitem - b\n"},
        {"a fence that never ends", "```\nx\n\n", "code ```\\nx\n"},
        {"table", "|A|\n|-|\n|1|\n|2|\n\nb", "thead |A|\\n|-|\nrow+ |1|\nrow+ |2|\npara b\n"},
        {"a header without text", "| |\n|-|\n|1|", "row | |\\n|-|\\n|1|\n"},
        {"rules and comments are nobody's", "a\n\n---\n\n<!-- c -->\n\nb", "para a\npara b\n"},
        {"a link broken over lines", "a [b](\nhttp://x)\n\nc", "para a [b](\\nhttp://x)\npara c\n"},
        {"a definition below touches", "a\n[r]: x\n\nb", "para a\\n[r]: x\npara b\n"},
        {"quotes", "> a\n>\n> b", "quote > a\nquote > b\n"},
        {"nested on one line", "> - a\n> - b", "item > - a\nitem > - b\n"},
        {"html", "<p>a\n</p>\n\nb", "para <p>a\\n</p>\npara b\n"},
        {"admonition", ":::note\nText\n:::\n\nb", "quote :::note\\nText\\n:::\npara b\n"},
        {"front matter is nobody's", "---\na: 1\n---\nb", "para b\n"},
    };
    CHECK_ROWS(rows, "a.md", true);
}

static void plain_text(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"paragraphs keep their lines", "a  *b*\n  c\n\n\n# d\r\ne\r\n", "para a  *b*\\n  c\npara # d\\ne\n"},
        {"no front matter", "---\na: 1\n---\n", "para ---\\na: 1\\n---\n"},
    };
    CHECK_ROWS(rows, "a.TXT", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inline_text), cmocka_unit_test(blocks),    cmocka_unit_test(broken_bytes),
        cmocka_unit_test(dialects),    cmocka_unit_test(raw_bytes), cmocka_unit_test(plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
