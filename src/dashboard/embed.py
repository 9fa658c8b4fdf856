#!/usr/bin/env python3
"""Writes files into a C file for the dashboard to serve: embed.py OUT FILE... ; NAME=FILE serves it as NAME. Packed here, so that nothing is packed later."""
import gzip
import hashlib
import os
import sys

TYPES = {'.css': 'text/css; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.svg': 'image/svg+xml', '.ico': 'image/x-icon'}


def array(name, data):
    rows = (','.join(map(str, data[i:i + 64])) for i in range(0, len(data), 64))
    return f'static const unsigned char {name}[] = {{\n' + ',\n'.join(rows) + '\n};\n'


def main():
    out, args = sys.argv[1], sys.argv[2:]
    texts, rows = [], []
    for n, arg in enumerate(args):
        name, path = arg.split('=', 1) if '=' in arg else (os.path.basename(arg), arg)
        with open(path, 'rb') as f:
            data = f.read()
        stem, ext = os.path.splitext(name)
        digest = hashlib.sha256(data).hexdigest()[:16]
        packed = gzip.compress(data, 9, mtime=0)
        texts += [array(f'plain_{n}', data), array(f'packed_{n}', packed)]
        rows.append(f'\t{{ "{name}", "/assets/{stem}.{digest}{ext}", "{TYPES[ext]}", "\\"{digest}\\"", "\\"{digest}-gzip\\"", plain_{n}, packed_{n}, '
                    f'sizeof plain_{n}, sizeof packed_{n} }},\n')
    with open(out, 'w', encoding='utf-8') as f:
        f.write('/* Files of the pages as the build found them (embed.py); not edited by hand. */\n#include "dashboard/inner.h"\n\n')
        f.writelines(texts)
        f.write(f'\nconst struct dash_asset dash_assets[] = {{\n{"".join(rows)}}};\nconst size_t dash_n_assets = {len(rows)};\n')


main()
