"""Small templates, each for something that chat templates do, for the ordinary tests; see templates.py."""

VARIABLES = {
    "d": {"b": 1, "a": True, "n": None, "7": "seven"}, "s": "it's <b> & \"c\"", "l": [1, 2.5, "x", None], "e": [], "big": 2**70,
    "messages": [{"role": "user", "content": "Hi", "n": 1}, {"role": "tool", "content": "a<b"}, {"role": "user", "content": "x"}],
}

CALLERS = """
{%- macro fields(spec, pad) %}{% set ns = namespace(f=caller()) %}{{ pad }}[{{ ns.f }}|{{ caller() }}]{% endmacro -%}
{%- macro each(items) %}{% for i in items %}{{ caller(i, loop.index) }};{% endfor %}{% endmacro -%}
{%- macro rest(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro -%}
{%- macro maybe() %}{{ 'with' if caller else 'without' }}{% endmacro -%}
{%- macro plain() %}p{% endmacro -%}
"""

SNIPPETS = [
    # dicts
    "{{ dict(b=1, a=2, c=3, z=0, y=9) }}", "{{ dict([('a', 1), ('b', 2)]) }}", "{{ dict([['a', 1]], b=2) }}", "{{ dict(d, n=3) }}", "{{ dict() }}",
    "{{ dict(d, d) }}", "{{ dict([1]) }}", "{{ dict(5) }}", "{{ dict('ab') }}", "{{ dict(['ab', 'cd']) }}", "{{ dict(nope) }}",
    "{% set ns = namespace(b=1, a=2) %}{{ ns.b }}{{ ns.a }}", "{% set ns = namespace(d) %}{{ ns.b }}{{ ns['a'] }}",
    "{{ d[nope] }}|{{ l[nope] }}|{{ s[nope] }}|{{ d[l] }}|{{ none[0] }}|{{ (5)[0] }}", "{{ nope[0] }}", "{{ nope[nope] }}", "{{ nope.a }}", "{{ d[nope].a }}",
    "{{ {none: 1}[nope] }}", "{{ d.get(nope) }}", "{{ d.get(nope, 4) }}", "{{ d.get(l) }}", "{{ nope in d }}", "{{ l in d }}", "{{ 1 in d }}{{ 1 in {1: 2} }}",
    "{{ {0: 'a', 1: 'b', 512: 'c'} }}", "{{ {0: 'a', 1: 'b'}[1] }}", "{{ {1: 'a', 1.0: 'b', true: 'c'} }}", "{{ {1: 'a'}[true] }}{{ {1: 'a'}['1'] }}",
    "{% for k, v in {16: 1, 2: 3}.items() %}{{ k + 1 }}={{ v }},{% endfor %}", "{{ {3: 1, 2: 1} | dictsort }}", "{{ {3: 1, 'a': 1} | dictsort }}",
    "{{ {1: 2, none: 3, true: 4, 2.5: 5, 'x': 6} | tojson }}", "{{ {(1, 2): 3}[(1, 2)] }}", "{{ {(1, 2): 3} | tojson }}", "{{ {[1]: 2} }}", "{{ {2: 1, 1: 2} | tojson(sort_keys=true) }}",
    "{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }}", "{{ {2: 1, 'a': 2} | tojson(sort_keys=true) }}", "{{ {1: 2}.keys() | list }}{{ {1: 2}.values() | list }}",
    "{{ {1: 'x'} | items | list }}", "{{ {1: 'x'} == {1.0: 'x'} }}{{ {1: 'x'} == {'1': 'x'} }}", "{{ {'a': 1}.b is defined }}", "{{ {1: 2} is mapping }}{{ {1: 2} | length }}",
    "{{ d | list }}{{ d | first }}{{ {5: 6} | first }}", "{{ d['7'] }}{{ d[7] }}", "{{ {1: 2} | string }}", "{{ {'items': 5}['items'] }}",
    # what the sandbox forbids, and what nothing knows, where it's reached and where not
    "{% set _ = l.append(1) %}x", "{% if false %}{{ l.append(1) }}{% endif %}x", "{{ d.update({'x': 1}) }}", "{{ l.pop() }}", "{{ l.append is defined }}",
    "{{ l.clear() if false }}ok", "{{ d.setdefault('q', 1) }}", "{{ e.extend([1]) }}", "{{ 'x'.append(1) }}", "{{ 5 .append(1) }}",
    "{% if false %}{{ s | from_json }}{% endif %}ok", "{% if true %}{{ s | from_json }}{% endif %}", "{{ s | from_json if false else 1 }}", "{{ s | from_json if true }}",
    "{% if s is nonsense %}{% endif %}", "{% if false and s is nonsense %}{% endif %}ok", "{{ 1 if false and s is nonsense else 2 }}", "{% if false %}{{ open(s) }}{% endif %}ok",
    "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% endif %}", "{{ nothing(1) if nothing is defined else 'n' }}", "{% if false %}{% elif s | nope %}{% endif %}",
    "{% if false %}{{ l | map('nope') | list }}{% endif %}ok", "{% if true %}{{ l | map('nope') | list }}{% endif %}",
    # safe
    "{{ 'a'|safe + s }}", "{{ s + 'a'|safe }}", "{{ 'a<'|safe + 'b<'|safe }}", "{{ 'a<'|safe ~ s }}", "{{ s|safe }}", "{{ (s|safe)[0:9] + '<' }}", "{{ (s|safe).upper() + '<' }}",
    "{{ s|safe|trim + '<' }}", "{{ s|safe|upper + '<' }}", "{{ s|safe|string + '<' }}", "{{ s|safe|replace('b', '<') + '<' }}", "{{ (s|safe).replace('b', '<') }}",
    "{{ ('<'|safe).join(['<', '>']) }}", "{{ ['<', '>'] | join('<'|safe) }}", "{{ ('<{}>'|safe).format('<') }}", "{{ 'x'|safe * 2 + '<' }}", "{{ 2 * ('x'|safe) + '<' }}",
    "{{ 'a'|safe == 'a' }}{{ 'a' in ['a'|safe] }}{{ 'a'|safe in {'a': 1} }}{{ {'a': 1}['a'|safe] }}", "{{ ['a'|safe] }}", "{{ ['a<'|safe] | tojson }}", "{{ 'a'|safe is string }}",
    "{{ ('a,b'|safe).split(',')[0] + '<' }}", "{{ 'a'|safe + 1 }}", "{{ 'a'|safe + none }}", "{{ 'a'|safe + l }}", "{{ 'a'|safe + nope }}", "{{ 1|safe + '<' }}", "{{ l|safe + '<' }}",
    "{{ 'ab<'|safe|first + '<' }}", "{{ 'ab'|safe|reverse + '<' }}", "{{ 'a'|safe|default('x') + '<' }}", "{{ 'a\\nb'|safe|indent(2) + '<' }}", "{{ 'a'|safe|length }}",
    "{% set x = 'a'|safe %}{{ x + '<' }}", "{% for c in 'a<'|safe %}{{ c + '<' }}{% endfor %}", "{{ 'a'|safe|tojson + '<' }}", "{{ ('a' + 'b')|safe + '<' + '>' }}", "{{ 'a'|safe < 'b' }}",
    "{{ 'a'|safe|capitalize + \"'\" }}", "{{ ('a'|safe).strip('a') + '&' }}", "{{ ''|safe + '&' if ''|safe else 'empty' }}", "{{ 'A b'|safe|title + '<' }}", "{{ 'a'|safe|int }}",
    # calls
    "{% call fields(1, '  ') %}body{% endcall %}", "{% call(i, n) each([7, 8]) %}{{ n }}:{{ i }}{% endcall %}", "{% call(i, n='d') each([7]) %}{{ n }}{% endcall %}",
    "{{ fields(1, '') }}", "{{ maybe() }}{% call maybe() %}{% endcall %}", "{% call plain() %}{% endcall %}", "{{ rest(1, 2, 3, k=4) }}", "{{ plain(1) }}", "{{ plain(k=1) }}",
    "{% set x = 'outer' %}{% call fields(1, '') %}{{ x }}{% endcall %}", "{% for i in [1, 2] %}{% call fields(1, '') %}{{ i }}{{ loop.index }}{% endcall %}{% endfor %}",
    "{% call fields(1, '') %}{% call fields(2, '-') %}in{% endcall %}{% endcall %}", "{{ caller is defined }}", "{{ [plain][0]() }}", "{% set ms = [plain, maybe] %}{{ ms[0]() }}{{ ms[1]() }}",
    "{{ {'f': plain}['f']() }}", "{% for f in [plain, maybe] %}{{ f() }}{% endfor %}", "{{ ('a' ~ 'b').upper() }}", "{{ 'ab'[0].upper() }}", "{{ l[0](1) }}", "{{ 'a'() }}",
    "{{ (plain)() }}", "{{ messages[0].role.upper() }}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(b=2, a=3) }}",
    # numbers and sequences that grow
    "{{ [] * 2**40 }}", "{{ 'x' * -1 }}", "{{ 2**10 }}", "{{ 2**-1 }}{{ 0**0 }}{{ (-2)**3 }}", "{{ 0**-1 }}", "{{ 2**62 }}{{ 7**20 }}{{ 9223372036854775807 - 1 }}",  "{{ 2**0.5 }}", "{{ -7 // 2 }}{{ 7 % -3 }}", "{{ [1, 2] * 2 }}", "{{ (1,) * 2 }}",
    "{{ [3, 1, 3, 'a', 'A'] | unique | list }}", "{{ [1, true, 1.0, 2] | unique | list }}", "{{ [[1], [1]] | unique | list }}", "{{ messages | unique | list }}",
    "{{ 'aAb' | unique | list }}", "{{ messages | map(attribute='role') | unique | join(',') }}", "{{ messages | map(attribute='n', default=0) | list }}",
    "{{ 'héllo'[1] }}{{ 'héllo'[-1] }}{{ 'héllo'[1:3] }}{{ 'héllo'[::-1] }}{{ 'héllo'[9] is defined }}", "{{ l[true] }}", "{{ 'abc' | last }}{{ l | last is none }}",
]
