#!/usr/bin/python3
"""Writes the completions of bash and zsh out of what the program says of itself.

    completion.py PROGRAM FOLDER       the build calls it: FOLDER/shipwatch for bash, FOLDER/_shipwatch

Commands, options and whether these take a value are the program's own help (docs/commands.py reads it); a value is completed as
a file, a folder, or one of the words that the help lists ("json or text").
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import commands  # noqa: E402

WORDS = re.compile(r"^[a-z_]+(?:, [a-z_]+)* or [a-z_]+$")


def values(value, text):
    """What an option's value may be: "file", "dir", a list of words, or None for anything."""
    if value == "FILE":
        return "file"
    if value == "DIR":
        return "dir"
    text = text.split(";")[0]
    return re.split(r", | or ", text) if WORDS.match(text) else None


def arguments(usage):
    """The words a command itself takes first (`dead list`), or "file"; from its usage."""
    rest = usage.split(" ", 1)[1] if " " in usage else ""
    if " | " in rest:
        return [part.split(" ")[0] for part in re.sub(r"\[[^\]]*\]", "", rest).split(" | ")]
    both = re.search(r"(?<![\w|])([a-z]+)\|([a-z]+)(?![\w|])", rest)
    if both:
        return list(both.groups())
    return "file" if rest.startswith("FILE") else None


def table(program):
    """[(command, what it does, arguments, [(letter, option, takes a value, values, text)])]"""
    out = []
    for name, what in commands.commands(program):
        usage, _, options, _ = commands.read(commands.said(program, "help", name))
        rows = [(letter, option, bool(value), values(value, text) if value else None, text) for letter, option, value, text in options]
        out.append((name, what, arguments(usage), rows + [("h", "help", False, None, "what the command does and takes")]))
    return out


def bash_values(v):
    return "_shipwatch_files" if v == "file" else "_shipwatch_dirs" if v == "dir" else "_shipwatch_words '%s'" % " ".join(v) if v else ":"


def bash(rows):
    out = ["# Completion of shipwatch for bash. Made by docs/completion.py; do not edit by hand.", "",
           "_shipwatch_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\"); }",
           "_shipwatch_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); }",
           "_shipwatch_dirs() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); }", "",
           "_shipwatch() {",
           "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}",
           "\tCOMPREPLY=()", "\t# --option=value comes as three words",
           "\tif [ \"$cur\" = = ]; then", "\t\tcur=", "\telif [ \"$prev\" = = ]; then", "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}", "\tfi",
           "\tif [ \"$COMP_CWORD\" = 1 ] || { [ \"$COMP_CWORD\" = 2 ] && [ \"$command\" = help ]; }; then",
           "\t\t_shipwatch_words '%s help'" % " ".join(name for name, _, _, _ in rows), "\t\treturn", "\tfi", "\tcase $command in"]
    for name, _, args, options in rows:
        out += ["\t%s)" % name, "\t\tcase $prev in"]
        for letter, option, takes, v, _ in options:
            if takes:
                out.append("\t\t--%s%s) %s; return ;;" % (option, " | -%s" % letter if letter else "", bash_values(v)))
        out += ["\t\tesac", "\t\tcase $cur in", "\t\t-*) _shipwatch_words '%s' ;;" % " ".join("--" + option for _, option, _, _, _ in options)]
        out += ["\t\t*) %s ;;" % bash_values(args)] if args else []
        out += ["\t\tesac", "\t\t;;"]
    return out + ["\tesac", "}", "complete -F _shipwatch shipwatch"]


def zsh_quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_text(text):
    """Text within [ ] or a message of _arguments."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def zsh_values(v):
    return "_files" if v == "file" else "_files -/" if v == "dir" else "(%s)" % " ".join(v) if v else " "


def zsh(rows):
    out = ["#compdef shipwatch", "# Completion of shipwatch for zsh. Made by docs/completion.py; do not edit by hand.", "",
           "_shipwatch() {", "\tlocal -a commands", "\tcommands=("]
    out += ["\t\t" + zsh_quoted("%s:%s" % (name, what.replace(":", "\\:"))) for name, what, _, _ in rows]
    out += ["\t\t'help:what a command does and takes'", "\t)", "\tif (( CURRENT == 2 )) || { (( CURRENT == 3 )) && [[ $words[2] == help ]] }; then",
            "\t\t_describe -t commands 'shipwatch command' commands", "\t\treturn", "\tfi", "\tshift words", "\t(( CURRENT-- ))", "\tcase $words[1] in"]
    for name, _, args, options in rows:
        out += ["\t%s)" % name, "\t\t_arguments -s -S \\"]
        for letter, option, takes, v, text in options:
            tail = "[%s]" % zsh_text(text) + (":%s:%s" % (option, zsh_values(v)) if takes else "")
            if letter:
                out.append("\t\t\t%s \\" % zsh_quoted("(--%s)-%s%s%s" % (option, letter, "+" if takes else "", tail)))
            out.append("\t\t\t%s \\" % zsh_quoted(("(-%s)" % letter if letter else "") + "--" + option + ("=" if takes else "") + tail))
        last = ["1: :" + zsh_values(args), "*: : "] if isinstance(args, list) else ["*: :" + zsh_values(args)]
        out += ["\t\t\t" + " ".join(zsh_quoted(x) for x in last), "\t\t;;"]
    return out + ["\tesac", "}", "", "_shipwatch \"$@\""]


def main():
    program, folder = sys.argv[1:3]
    rows = table(program)
    for name, lines in (("shipwatch", bash(rows)), ("_shipwatch", zsh(rows))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
