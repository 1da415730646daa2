# awk -f api.awk include/quaere.h: every function, type, tag and constant of the public header begins with qa_, every macro with QA_.
# The handle itself is `qa`; the include guard is QUAERE_H.
# Not a C parser: works on the header's text without comments and strings, which is enough for declarations as people write them.

function fail(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }
function reserved(w) { return w ~ /^(void|char|short|int|long|float|double|signed|unsigned|bool|const|sizeof|_Alignof|_Static_assert|static_assert|defined|__[a-z]+__|__attribute__|[a-z0-9_]+_t)$/ && w !~ /^qa_/ }

{
    line = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    if (in_comment) {
        if (!match(line, /\*\//)) next
        line = substr(line, RSTART + 2)
        in_comment = 0
    }
    while (match(line, /\/\*/)) {
        rest = substr(line, RSTART + 2)
        head = substr(line, 1, RSTART - 1)
        if (match(rest, /\*\//)) line = head " " substr(rest, RSTART + 2)
        else { line = head; in_comment = 1 }
    }
    sub(/\/\/.*/, "", line)
    if (line ~ /^[ \t]*#/) {
        if (line ~ /^[ \t]*#[ \t]*define[ \t]/) {
            split(line, word, /[ \t#(]+/)
            if (word[3] !~ /^(QA_|QUAERE_H$)/) fail("macro " word[3] " does not begin with QA_")
        }
        next
    }
    if (line ~ /extern[ \t]*""/) next  # extern "C"
    gsub(/[A-Za-z_][A-Za-z0-9_]*/, " & ", line)
    gsub(/[^A-Za-z0-9_ \t]/, " & ", line)
    n = split(line, token, /[ \t]+/)
    for (i = 1; i <= n; i++) {
        t = token[i]
        if (t == "") continue
        if (t == "{") { depth++; if (kind == "enum") in_enum = depth; fresh = 1 }
        else if (t == "}") { if (in_enum == depth) in_enum = 0; depth--; closing = depth == 0 }
        else if (t == "(") {
            if (depth == 0 && paren == 0 && last ~ /^[A-Za-z_]/ && !reserved(last) && last !~ /^(qa_|QA_)/) fail("function " last " does not begin with qa_")
            paren++
        }
        else if (t == ")") paren--
        else if (t == ";") {
            if (depth == 0) {
                if ((is_typedef || closing) && last ~ /^[A-Za-z_]/ && last !~ /^qa(_|$)/) fail("name " last " does not begin with qa_")
                is_typedef = closing = 0; kind = ""
            }
        }
        else if (t == ",") { fresh = 1; last = t; continue }
        else if (t == "typedef") is_typedef = 1
        else if (t ~ /^(struct|enum|union)$/) kind = t
        else if (t ~ /^[A-Za-z_]/) {
            if (last ~ /^(struct|enum|union)$/ && depth == 0 && paren == 0 && t !~ /^qa(_|$)/) fail(last " " t " does not begin with qa_")
            if (in_enum && in_enum == depth && fresh && t !~ /^QA_/) fail("constant " t " does not begin with QA_")
            fresh = 0
        }
        last = t
    }
}
END { exit bad }
