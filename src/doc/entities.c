/* Entities that documentation uses. HTML5 names 2,231; the other two thousand are mathematics and foreign scripts, which
 * today's documents write as characters. An unknown name stays as it stands, so nothing is lost. */
#include "doc/build.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

static const struct named {
    const char *name, *text;
} NAMED[] = { /* sorted by bytes */
    {"AElig", "Æ"}, {"Aacute", "Á"}, {"Acirc", "Â"}, {"Agrave", "À"}, {"Alpha", "Α"}, {"Aring", "Å"}, {"Atilde", "Ã"},
    {"Auml", "Ä"}, {"Beta", "Β"}, {"Ccedil", "Ç"}, {"Chi", "Χ"}, {"Dagger", "‡"}, {"Delta", "Δ"}, {"ETH", "Ð"},
    {"Eacute", "É"}, {"Ecirc", "Ê"}, {"Egrave", "È"}, {"Epsilon", "Ε"}, {"Eta", "Η"}, {"Euml", "Ë"}, {"Gamma", "Γ"},
    {"Hat", "^"}, {"Iacute", "Í"}, {"Icirc", "Î"}, {"Igrave", "Ì"}, {"Iota", "Ι"}, {"Iuml", "Ï"}, {"Kappa", "Κ"},
    {"Lambda", "Λ"}, {"Mu", "Μ"}, {"NewLine", " "}, {"Ntilde", "Ñ"}, {"Nu", "Ν"}, {"OElig", "Œ"}, {"Oacute", "Ó"},
    {"Ocirc", "Ô"}, {"Ograve", "Ò"}, {"Omega", "Ω"}, {"Omicron", "Ο"}, {"Oslash", "Ø"}, {"Otilde", "Õ"}, {"Ouml", "Ö"},
    {"Phi", "Φ"}, {"Pi", "Π"}, {"Prime", "″"}, {"Psi", "Ψ"}, {"Rho", "Ρ"}, {"Scaron", "Š"}, {"Sigma", "Σ"}, {"THORN", "Þ"},
    {"Tab", " "}, {"Tau", "Τ"}, {"Theta", "Θ"}, {"Uacute", "Ú"}, {"Ucirc", "Û"}, {"Ugrave", "Ù"}, {"Upsilon", "Υ"},
    {"Uuml", "Ü"}, {"Xi", "Ξ"}, {"Yacute", "Ý"}, {"Yuml", "Ÿ"}, {"Zeta", "Ζ"}, {"aacute", "á"}, {"acirc", "â"},
    {"acute", "´"}, {"aelig", "æ"}, {"agrave", "à"}, {"alpha", "α"}, {"amp", "&"}, {"and", "∧"}, {"ang", "∠"},
    {"apos", "'"}, {"aring", "å"}, {"ast", "*"}, {"asymp", "≈"}, {"atilde", "ã"}, {"auml", "ä"}, {"bdquo", "„"},
    {"beta", "β"}, {"brvbar", "¦"}, {"bsol", "\\"}, {"bull", "•"}, {"cap", "∩"}, {"ccedil", "ç"}, {"cedil", "¸"},
    {"cent", "¢"}, {"check", "✓"}, {"chi", "χ"}, {"circ", "ˆ"}, {"clubs", "♣"}, {"colon", ":"}, {"comma", ","},
    {"commat", "@"}, {"cong", "≅"}, {"copy", "©"}, {"cross", "✗"}, {"cup", "∪"}, {"curren", "¤"}, {"dagger", "†"},
    {"darr", "↓"}, {"dash", "‐"}, {"deg", "°"}, {"delta", "δ"}, {"diams", "♦"}, {"divide", "÷"}, {"dollar", "$"},
    {"eacute", "é"}, {"ecirc", "ê"}, {"egrave", "è"}, {"empty", "∅"}, {"emsp", " "}, {"ensp", " "}, {"epsilon", "ε"},
    {"equals", "="}, {"equiv", "≡"}, {"eta", "η"}, {"eth", "ð"}, {"euml", "ë"}, {"euro", "€"}, {"excl", "!"},
    {"exist", "∃"}, {"fnof", "ƒ"}, {"forall", "∀"}, {"frac12", "½"}, {"frac14", "¼"}, {"frac34", "¾"}, {"gamma", "γ"},
    {"ge", "≥"}, {"grave", "`"}, {"gt", ">"}, {"hArr", "⇔"}, {"harr", "↔"}, {"hearts", "♥"}, {"hellip", "…"},
    {"hyphen", "‐"}, {"iacute", "í"}, {"icirc", "î"}, {"iexcl", "¡"}, {"igrave", "ì"}, {"infin", "∞"}, {"int", "∫"},
    {"iota", "ι"}, {"iquest", "¿"}, {"isin", "∈"}, {"iuml", "ï"}, {"kappa", "κ"}, {"lArr", "⇐"}, {"lambda", "λ"},
    {"laquo", "«"}, {"larr", "←"}, {"lbrace", "{"}, {"lbrack", "["}, {"lceil", "⌈"}, {"lcub", "{"}, {"ldquo", "“"},
    {"le", "≤"}, {"lfloor", "⌊"}, {"lowbar", "_"}, {"loz", "◊"}, {"lpar", "("}, {"lrm", ""}, {"lsaquo", "‹"}, {"lsqb", "["},
    {"lsquo", "‘"}, {"lt", "<"}, {"macr", "¯"}, {"mdash", "—"}, {"micro", "µ"}, {"middot", "·"}, {"minus", "−"},
    {"mu", "μ"}, {"nabla", "∇"}, {"nbsp", " "}, {"ndash", "–"}, {"ne", "≠"}, {"ni", "∋"}, {"not", "¬"}, {"notin", "∉"},
    {"ntilde", "ñ"}, {"nu", "ν"}, {"num", "#"}, {"oacute", "ó"}, {"ocirc", "ô"}, {"oelig", "œ"}, {"ograve", "ò"},
    {"omega", "ω"}, {"omicron", "ο"}, {"oplus", "⊕"}, {"or", "∨"}, {"ordf", "ª"}, {"ordm", "º"}, {"oslash", "ø"},
    {"otilde", "õ"}, {"otimes", "⊗"}, {"ouml", "ö"}, {"para", "¶"}, {"part", "∂"}, {"percnt", "%"}, {"period", "."},
    {"permil", "‰"}, {"perp", "⊥"}, {"phi", "φ"}, {"pi", "π"}, {"plus", "+"}, {"plusmn", "±"}, {"pound", "£"},
    {"prime", "′"}, {"prod", "∏"}, {"prop", "∝"}, {"psi", "ψ"}, {"quest", "?"}, {"quot", "\""}, {"rArr", "⇒"},
    {"radic", "√"}, {"raquo", "»"}, {"rarr", "→"}, {"rbrace", "}"}, {"rbrack", "]"}, {"rceil", "⌉"}, {"rcub", "}"},
    {"rdquo", "”"}, {"reg", "®"}, {"rfloor", "⌋"}, {"rho", "ρ"}, {"rlm", ""}, {"rpar", ")"}, {"rsaquo", "›"}, {"rsqb", "]"},
    {"rsquo", "’"}, {"sbquo", "‚"}, {"scaron", "š"}, {"sect", "§"}, {"semi", ";"}, {"shy", ""}, {"sigma", "σ"},
    {"sigmaf", "ς"}, {"sim", "∼"}, {"sol", "/"}, {"spades", "♠"}, {"star", "☆"}, {"starf", "★"}, {"sub", "⊂"},
    {"sube", "⊆"}, {"sum", "∑"}, {"sup", "⊃"}, {"sup1", "¹"}, {"sup2", "²"}, {"sup3", "³"}, {"supe", "⊇"}, {"szlig", "ß"},
    {"tau", "τ"}, {"there4", "∴"}, {"theta", "θ"}, {"thinsp", " "}, {"thorn", "þ"}, {"tilde", "˜"}, {"times", "×"},
    {"trade", "™"}, {"uacute", "ú"}, {"uarr", "↑"}, {"ucirc", "û"}, {"ugrave", "ù"}, {"uml", "¨"}, {"upsilon", "υ"},
    {"uuml", "ü"}, {"verbar", "|"}, {"vert", "|"}, {"xi", "ξ"}, {"yacute", "ý"}, {"yen", "¥"}, {"yuml", "ÿ"}, {"zeta", "ζ"},
    {"zwj", ""}, {"zwnj", ""},
};

static int by_name(const void *key, const void *row) { return strcmp(key, ((const struct named *)row)->name); }

static const char *numbered(struct arena *a, const char *p, size_t n, size_t *n_out) {
    bool hex = n > 1 && (p[0] == 'x' || p[0] == 'X');
    uint32_t cp = 0;
    size_t i = hex;
    for (; i < n; i++) {
        char c = p[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            digit = (unsigned)((c | 32) - 'a') + 10;
        else
            return NULL;
        if (cp <= 0x10FFFF)
            cp = cp * (hex ? 16 : 10) + digit;
    }
    if (i == hex)
        return NULL;
    if (cp == 0)
        cp = 0xFFFD;
    bool space = cp == 0xA0 || cp == '\n' || cp == '\t' || cp == '\r';
    if (!space && (cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0xAD)) {
        *n_out = 0;
        return "";
    }
    char text[4];
    *n_out = utf8_put(text, space ? ' ' : cp);
    return arena_copy(a, text, *n_out);
}

const char *doc_entity(struct arena *a, const char *p, size_t n, size_t *n_out) {
    char name[12];
    if (n < 3 || p[0] != '&' || p[n - 1] != ';')
        return NULL;
    if (p[1] == '#')
        return numbered(a, p + 2, n - 3, n_out);
    if (n - 2 >= sizeof name)
        return NULL;
    memcpy(name, p + 1, n - 2);
    name[n - 2] = '\0';
    const struct named *row = bsearch(name, NAMED, sizeof NAMED / sizeof *NAMED, sizeof *NAMED, by_name);
    if (!row)
        return NULL;
    *n_out = strlen(row->text);
    return row->text;
}
