#!/usr/bin/env python3
"""Writes the Lua scripts into a C file: embed.py OUT SCRIPT... ; a line "--@include NAME" takes in another file of the folder."""
import hashlib
import os
import sys


def read(path):
    with open(path, encoding='utf-8') as f:
        for line in f:
            if line.startswith('--@include '):
                yield from read(os.path.join(os.path.dirname(path), line.split()[1]))
            elif not line.lstrip().startswith('--'):
                yield line.strip() + '\n'


def main():
    out, paths = sys.argv[1], sys.argv[2:]
    rows, texts = [], []
    for path in paths:
        name = os.path.basename(path)[:-len('.lua')]
        text = ''.join(read(path)).encode()
        sha = hashlib.sha1(text).hexdigest()
        texts.append(f'static const char {name}_lua[] = {{{",".join(map(str, text))},0}};\n')
        rows.append(f'\t[SW_SCRIPT_{name.upper()}] = {{ "{name}", "{sha}", {name}_lua, {len(text)} }},\n')
    with open(out, 'w', encoding='utf-8') as f:
        f.write('/* The Lua scripts as the build found them in scripts/ (embed.py); not edited by hand. */\n')
        f.write('#include "bus/scripts.h"\n\n')
        f.writelines(texts)
        f.write('\nconst struct sw_script sw_scripts[SW_SCRIPT_COUNT] = {\n')
        f.writelines(rows)
        f.write('};\n')


main()
