"""What functions print, and how they end: one case for each line, by name.

Each case is served as /NAME by both servers. The names say what the function does.
"""

from funcd import guests, hostile
from funcd.guests import module, prints

_GOOD = '{"name":"zztkm","age":20,"description":"d"}'


def item(name: str = '"n"', age: str = "20", description: str = '"d"', more: str = "") -> str:
    """An Item whose members are the given JSON texts."""
    return f'{{"name":{name},"age":{age},"description":{description}{more}}}'


def nested(depth: int) -> str:
    return item(more=',"x":' + "[" * depth + "]" * depth)


# Text on stdout, then a plain return.
PRINTED: dict[str, str | bytes] = {
    "item": _GOOD,
    # Members.
    "missing-name": '{"age":20,"description":"d"}',
    "missing-age": '{"name":"n","description":"d"}',
    "missing-description": '{"name":"n","age":20}',
    "missing-all": "{}",
    "extra-property": item(more=',"extra":1'),
    "extra-object": item(more=',"extra":{"a":[1,2,{"b":null}]}'),
    "other-order": '{"description":"d","age":1,"name":"n"}',
    "duplicate-key": '{"name":"a","age":1,"age":2,"description":"d","name":"b"}',
    "duplicate-bad-then-good": '{"name":"n","age":"x","age":2,"description":"d"}',
    "duplicate-good-then-bad": '{"name":"n","age":2,"age":"x","description":"d"}',
    "case-of-key": '{"Name":"n","age":1,"description":"d"}',
    "empty-key": item(more=',"":1'),
    "escaped-key": '{"n\\u0061me":"n","age":1,"description":"d"}',
    # Types of the integer.
    "age-string": item(age='"20"'),
    "age-string-spaces": item(age='" 20 "'),
    "age-string-plus": item(age='"+20"'),
    "age-string-minus": item(age='"-20"'),
    "age-string-zeros": item(age='"007"'),
    "age-string-float": item(age='"20.0"'),
    "age-string-fraction": item(age='"20.5"'),
    "age-string-exponent": item(age='"2e1"'),
    "age-string-underscore": item(age='"1_000"'),
    "age-string-hex": item(age='"0x14"'),
    "age-string-empty": item(age='""'),
    "age-string-word": item(age='"twenty"'),
    "age-string-huge": item(age='"123456789012345678901234567890"'),
    "age-string-tab": item(age='"\\t20\\n"'),
    "age-string-arabic-digits": item(age='"٢٠"'),
    "age-float": item(age="20.0"),
    "age-fraction": item(age="20.5"),
    "age-exponent": item(age="2e1"),
    "age-exponent-fraction": item(age="2.5e0"),
    "age-small-exponent": item(age="200e-1"),
    "age-infinite": item(age="1e999"),
    "age-nan": item(age="NaN"),
    "age-infinity-word": item(age="Infinity"),
    "extra-nan": item(more=',"extra":NaN'),
    "extra-infinity": item(more=',"extra":[-Infinity]'),
    "age-true": item(age="true"),
    "age-false": item(age="false"),
    "age-null": item(age="null"),
    "age-array": item(age="[20]"),
    "age-object": item(age='{"value":20}'),
    # Sizes of the integer.
    "age-zero": item(age="0"),
    "age-minus-zero": item(age="-0"),
    "age-minus-zero-float": item(age="-0.0"),
    "age-negative": item(age="-1"),
    "age-int64-max": item(age="9223372036854775807"),
    "age-int64-past": item(age="9223372036854775808"),
    "age-int64-min": item(age="-9223372036854775808"),
    "age-uint64-max": item(age="18446744073709551615"),
    "age-uint64-past": item(age="18446744073709551616"),
    "age-1000-digits": item(age="9" * 1000),
    "age-minus-30-digits": item(age="-" + "8" * 30),
    "age-float-2e53": item(age="9007199254740993.0"),
    "age-float-1e20": item(age="1e20"),
    # Types of the string.
    "name-number": item(name="1"),
    "name-null": item(name="null"),
    "name-true": item(name="true"),
    "name-array": item(name='["n"]'),
    "name-empty": item(name='""'),
    # Text.
    "unicode": item(name='"ゼットtkm 😄 é"', description='"説明"'),
    "unicode-escaped": item(name='"\\u30bc\\ud83d\\ude04"'),
    "escapes": item(name='"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f"'),
    "nul-escaped": item(name='"a\\u0000b"'),
    "lone-surrogate": item(name='"\\ud800"'),
    "lone-surrogate-extra": item(more=',"x":"\\udc00"'),
    "html": item(description='"<script>alert(1)</script>&amp;"'),
    "line-separators": item(description='"\u2028\u2029"'),
    "raw-newline": item(name='"a\nb"'),
    "raw-tab": item(name='"a\tb"'),
    "raw-delete": item(name='"a\x7fb"'),
    "bad-escape": item(name='"\\x41"'),
    "bad-unicode-escape": item(name='"\\u12g4"'),
    "invalid-utf8": item().encode().replace(b'"n"', b'"\xff\xfe"'),
    "truncated-utf8": item().encode().replace(b'"n"', b'"\xe3\x82"'),
    "surrogate-utf8": item().encode().replace(b'"n"', b'"\xed\xa0\x80"'),
    "overlong-utf8": item().encode().replace(b'"n"', b'"\xc0\xaf"'),
    "bom": b"\xef\xbb\xbf" + _GOOD.encode(),
    "utf16": _GOOD.encode("utf-16"),
    # Around the document.
    "whitespace-around": f" \t\r\n{_GOOD}\n\n ",
    "whitespace-within": '{ "name" : "n" ,\n "age" :\t20 , "description" : "d" }',
    "form-feed-around": f"\f{_GOOD}",
    "no-break-space-around": f"\u00a0{_GOOD}",
    "two-documents": _GOOD + _GOOD,
    "two-lines": f"{_GOOD}\n{_GOOD}\n",
    "text-after": f"{_GOOD} done",
    "text-before": f"result: {_GOOD}",
    "nul-after": f"{_GOOD}\0",
    "no-output": "",
    "only-space": " \n",
    # Not the right document.
    "not-json": "hello, world",
    "array": f"[{_GOOD}]",
    "empty-array": "[]",
    "null": "null",
    "number": "20",
    "string": '"text"',
    "true": "true",
    "pairs": '[["name","n"],["age",1],["description","d"]]',
    "cut-short": _GOOD[:-1],
    "single-quotes": _GOOD.replace('"', "'"),
    "trailing-comma": _GOOD.replace("}", ",}"),
    "comment": f"/* c */ {_GOOD}",
    "leading-zero": item(age="020"),
    "leading-plus": item(age="+20"),
    "bare-point": item(age="20."),
    "hex-number": item(age="0x14"),
    "headers": f"content-type: application/json\n\n{_GOOD}",
    # Size and depth.
    "big": item(description='"' + "x" * 3_000_000 + '"'),
    "many-properties": item(more="".join(f',"k{i}":{i}' for i in range(5000))),
    "deep-100": nested(100),
    "deep-100000": nested(100_000),
}

_START_PRINTS = guests.assemble(f"""(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (start $s)
  (data (i32.const 0) "\\10\\00\\00\\00{len(_GOOD):c}\\00\\00\\00")
  (data (i32.const 16) {guests.wat_string(_GOOD.encode())})
  (func $s (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")))""")

# Ways to end, to be broken and to use the system interface.
ENDED: dict[str, bytes] = {
    "exit-0": prints(_GOOD, exit_code=0),
    "exit-1": prints(_GOOD, exit_code=1),
    "exit-3": prints(_GOOD, exit_code=3),
    "exit-125": prints(_GOOD, exit_code=125),
    "exit-126": prints(_GOOD, exit_code=126),
    "exit-255": prints(_GOOD, exit_code=255),
    "exit-minus-1": prints(_GOOD, exit_code=-1),
    "exit-3-without-output": prints("", exit_code=3),
    "exit-0-without-output": prints("", exit_code=0),
    "exit-3-after-bad-output": prints('{"name":', exit_code=3),
    "trap-after-output": prints(_GOOD, trap=True),
    "trap": hostile.traps(),
    "divide-by-zero": hostile.divides_by_zero(),
    "out-of-bounds": hostile.reads_out_of_bounds(),
    "stack-overflow": hostile.recurses(),
    "stderr-too": prints(_GOOD, err=b"note: this is no output\n"),
    "stderr-only": prints("", err=_GOOD.encode()),
    "stderr-lots": hostile.prints_lines_to_stderr(5000, _GOOD),
    "in-two-writes": module(f"""(call $write (i32.const 1) (i32.const 1024) (i32.const 10))
      (call $write (i32.const 1) (i32.const 1034) (i32.const {len(_GOOD) - 10}))""",
                            _GOOD.encode()),
    "sleeps-first": guests.sleeps(0.05, _GOOD),
    "echo-data": guests.echoes_data(),
    "echo-stdin": guests.echoes_stdin(),
    "prints-at-start": _START_PRINTS,
    "traps-at-start": hostile.traps_when_instantiated(),
    "unknown-import": hostile.imports_unknown(),
    "foreign-import": hostile.imports_foreign_module(),
    "import-of-wrong-type": hostile.imports_wrong_type(),
    "no-start": hostile.lacks_start(),
    "no-memory": hostile.lacks_memory(),
    "start-is-a-global": hostile.start_is_no_function(),
    "start-with-parameter": hostile.start_wants_arguments(),
    "truncated": hostile.truncated(),
    "bad-section": hostile.bad_section(),
    "bad-body": hostile.bad_body(),
} | {f"file-{name}": content for name, content in hostile.NOT_WASM.items() if name != "wat"}
