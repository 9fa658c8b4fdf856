"""Is this JSON what its schema says? The part of JSON Schema that the description of the API uses; another word in it is a mistake here."""

KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "$ref", "description", "minimum", "maximum", "default", "format"}
TYPES = {
    "object": lambda v: isinstance(v, dict), "array": lambda v: isinstance(v, list), "string": lambda v: isinstance(v, str), "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool), "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)}


def resolve(schema, root):
    while "$ref" in schema:
        node = root
        assert schema["$ref"].startswith("#/"), schema
        for part in schema["$ref"][2:].split("/"):
            node = node[part]
        schema = node
    return schema


def problems(value, schema, root, where="$"):
    """What is wrong, one line each."""
    schema = resolve(schema, root)
    unknown = set(schema) - KNOWN
    if unknown:
        return [f"{where}: the schema has {sorted(unknown)}, which is not looked at here"]
    found = []
    types = schema.get("type")
    if types is not None:
        types = types if isinstance(types, list) else [types]
        if not any(TYPES[t](value) for t in types):
            return [f"{where}: want {' or '.join(types)}, got {value!r:.80}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r:.60} is none of {schema['enum']}")
    if "minimum" in schema and value < schema["minimum"] or "maximum" in schema and value > schema["maximum"]:
        found.append(f"{where}: {value} is out of range")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        found += [f"{where}: lacks {name}" for name in schema.get("required", ()) if name not in value]
        for name, member in value.items():
            if name in known:
                found += problems(member, known[name], root, f"{where}.{name}")
            elif more is False:
                found.append(f"{where}: {name} is not in the schema")
            elif isinstance(more, dict):
                found += problems(member, more, root, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            found += problems(item, schema["items"], root, f"{where}[{i}]")
    return found
