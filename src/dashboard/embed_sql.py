#!/usr/bin/env python3
"""Writes the steps of the schema into a C file: embed_sql.py OUT SCHEMA..., in their order."""
import sys

with open(sys.argv[1], 'w', encoding='utf-8') as out:
    out.write('/* The schema of the history, step by step, as the build found it in schema*.sql; not edited by hand. */\n')
    out.write('#include <stddef.h>\n\n#include "dashboard/store_inner.h"\n\n')
    for i, path in enumerate(sys.argv[2:]):
        with open(path, 'rb') as f:
            out.write(f'static const char step_{i + 1}[] = {{{",".join(map(str, f.read()))},0}};\n')
    out.write('\nconst char *const sw_store_schema[] = { %s, NULL };\n' % ', '.join(f'step_{i + 1}' for i in range(len(sys.argv) - 2)))
