# awk -f includes.awk folders.txt FILE...: checks each #include of FILE (a path below src/ or include/) against the table.
# Prints file:line: what is wrong; exit 1 if anything is.

function fail(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }

function pattern_to_regex(p) {
    gsub(/[.+]/, "\\\\&", p)
    gsub(/\*/, "[^ ]*", p)
    return "^" p "$"
}

function check_external(name,    i, j, n, allowed) {
    for (i = 1; i <= systems; i++) if (name ~ system_pattern[i]) return
    for (i = 1; i <= headers; i++) {
        if (name !~ header_pattern[i]) continue
        n = split(header_users[i], allowed, " ")
        for (j = 1; j <= n; j++) if (allowed[j] == folder || "src/" allowed[j] == FILENAME) return
        fail("<" name "> may be included only by " header_users[i])
        return
    }
    fail("<" name "> is not in folders.txt")
}

function check_folder(target) {
    if (target == folder) return
    if (!(target in uses)) fail("unknown folder src/" target)
    else if (!((folder, target) in may)) fail("src/" folder " must not use " target)
}

FNR == 1 { files++ }
files == 1 && $1 == "folder" {
    name = $2; sub(/:$/, "", name)
    uses[name] = 1
    for (i = 3; i <= NF; i++) may[name, $i] = 1
    next
}
files == 1 && $1 == "header" {
    name = $2; sub(/:$/, "", name)
    header_pattern[++headers] = pattern_to_regex(name)
    users = ""
    for (i = 3; i <= NF; i++) users = users (users ? " " : "") $i
    header_users[headers] = users
    next
}
files == 1 && $1 == "system:" { for (i = 2; i <= NF; i++) system_pattern[++systems] = pattern_to_regex($i); next }
files == 1 && /^(#|[ \t]*$)/ { next }
files == 1 { fail("not understood: " $0); next }

FNR == 1 {
    split(FILENAME, part, "/")
    folder = part[1] == "include" ? "include" : part[2]
    if (part[1] == "src" && !(folder in uses)) fail("unknown folder src/" folder)
}
/^[ \t]*#[ \t]*include/ {
    name = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
    quoted = name ~ /^"/
    if (name !~ /^["<]/) { fail("an include by macro cannot be checked"); next }
    name = substr(name, 2)
    sub(/[">].*/, "", name)
    split(name, part, "/")
    if (name ~ /\.\./) fail("write the folder instead of ..: " name)
    else if (name == "quaere.h") check_external(name)
    else if (quoted && name !~ /\//) fail("write \"" folder "/" name "\"")
    else if (folder == "include") { if (quoted || name !~ /^std[a-z]*\.h$/) fail("the public header may include only the C library") }
    else if (quoted) check_folder(part[1])
    else if (part[1] in uses && name ~ /\//) fail("write \"" name "\" with quotes")
    else check_external(name)
}
END { exit bad }
