"""Liquid filters return the same values as in Segment's engine."""

from __future__ import annotations

from typing import Any

import pytest

from framework.errors import PayloadValidationError
from framework.mapping import compile_mapping
from framework.mapping.templates.liquid_filters import FILTERS

EVENT: dict[str, Any] = {
    "s": "Hello World",
    "n": 7,
    "f": 2.5,
    "nil": None,
    "l": ["b", "a", None, 3],
    "nums": [3, 1, 2.5],
    "objs": [{"k": "x", "v": 1}, {"k": "y", "v": "2"}, {"k": "x"}],
    "o": {"a": 1, "length": 4},
    "html": "<p class='x'>A & \"B\"</p><!-- c --><script>x</script>z<",
    "emoji": "😀ab",
    "uni": "Ünï Çafé ß",
    "csv": "a,b,,",
}

# Recorded from Segment, in UTC.
RECORDED: list[tuple[str, str]] = [
    (
        (
            "{{ '%2B' | url_decode }} {{ '2024-02-29' | date: '%U %W' }} {{ s | slice }} "
            "{{ emoji | slice: 2, 1 }} {{ emoji | truncate: 4, '' }}"
        ),
        "+ 08 09 H b 😀ab",
    ),
    (
        '{{ "2024-02-29T13:05:09.120+02:00" | date: "%a %A %b %B %h %C %d %e %H %I %j %k %l" }}',
        "Thu Thursday Feb February Feb 20 29 29 11 11 060 11 11",
    ),
    (
        (
            '{{ "2024-02-29T13:05:09.120+02:00" '
            '| date: "%L %m %M %p %P %q %s %S %u %U %w %y %Y %z %:z %Z %t %n %% %Q" }}'
        ),
        "120 02 05 AM am th 1709204709 09 4 08 4 24 2024 +0000 +00:00 UTC \t \n % %Q",
    ),
    (
        '{{ "2024-02-29T13:05:09Z" | date: "%-d %_d %05d %^a %-H %10Y" }}',
        "29 29 00029 THU 13 0000002024",
    ),
    (
        '{{ "2024-01-02" | date_to_long_string }} {{ o | inspect }} {{ "%C3%A9+a" | url_decode }}',
        '02 January 2024 {"a":1,"length":4} é a',
    ),
    (
        '{{ -3.7 | abs }} {{ "x" | abs }}',
        "3.7 0",
    ),
    ("{{ 3 | at_least: 5 }}", "5"),
    (
        ('{{ "aGk" | base64_decode }} {{ "é" | base64_encode }} {{ "a-_!" | base64_decode }}'),
        "hi w6k= k�",
    ),
    (
        '{{ "éA b" | capitalize }} {{ emoji | capitalize }}',
        "Éa b 😀ab",
    ),
    ("{{ 2.1 | ceil }} {{ -2.1 | floor }}", "3 -3"),
    (
        ('{{ "a b!*" | cgi_escape }} {{ "a b?é/[x]" | uri_escape }} {{ "a b\'(é)" | url_encode }}'),
        "a+b%21%2A a%20b?%C3%A9/[x] a+b'(%C3%A9)",
    ),
    (
        '{{ l | compact | join: "-" }} {{ s | compact }}',
        "b-a-3 Hello World",
    ),
    (
        (
            '{{ missing | default: "d" }} {{ "" | default: "d" }} {{ l '
            "| default: 1 | size }} {{ false | default: 2 }} {{ false "
            "| default: 2, allow_false: true }} {{ 0 | default: 3 }}"
        ),
        "d d 4 2 false 0",
    ),
    ("{{ 0 | divided_by: 0 }} {{ -1 | divided_by: 0 }}", "NaN -Infinity"),
    (
        '{{ html | escape }} {{ "&lt;&" | escape_once }} {{ "\'" | xml_escape }}',
        (
            "&lt;p class=&#39;x&#39;&gt;A &amp; &#34;B&#34;&lt;/p&gt;&lt;!-- c --&g"
            "t;&lt;script&gt;x&lt;/script&gt;z&lt; &lt;&amp; &#39;"
        ),
    ),
    (
        ("{{ l | first }} {{ s | first }} {{ l | last }} {{ emoji | last }} {{ 5 | first }}"),
        "b H 3 b ",
    ),
    (
        '{% assign v = "" | first %}{% if v %}text{% else %}nothing{% endif %}',
        "text",
    ),
    (
        '{{ "a" | hmac_sha256: "k" }} {{ "a" | sha256 }}',
        (
            "78da91511e675587f5b9df78bedebaf5560da2abb88162ee875dcdf744951d9e ca978"
            "112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        ),
    ),
    (
        "{{ o | json }} {{ l | jsonify }} {{ missing | json }}",
        '{"a":1,"length":4} ["b","a",null,3] ',
    ),
    (
        '{{ nums | join }} {{ l | join: "," }} {{ s | join: "x" }}',
        "3 1 2.5 b,a,,3 Hello World",
    ),
    (
        (
            '[{{ "xxhixx" | lstrip: "x" }}] [{{ "  a " | lstrip }}] [{{ " a  " '
            '| rstrip }}] [{{ "aab" | rstrip: "b" }}] [{{ "xax" | strip: "x" }}]'
        ),
        "[hixx] [a ] [ a] [aa] [a]",
    ),
    (
        ('{{ 5 | minus: 7 }} {{ "5" | plus: "2" }} {{ 3 | times: 1.5 }} {{ -7 | modulo: 3 }}'),
        "-2 7 4.5 2",
    ),
    (
        (
            '{{ " a b\\t" | normalize_whitespace }} {{ s | number_of_words }} {{ " "'
            " | number_of_words }}"
        ),
        " a b  2 0",
    ),
    (
        (
            '{{ l | pop | join }} {{ l | shift | join }} {{ l | push: "x" '
            '| join }} {{ l | unshift: "x" | join }} {{ missing | push: 1 | join }}'
        ),
        "b a  a  3 b a  3 x x b a  3 1",
    ),
    (
        (
            '{{ s | remove: "l" }} {{ s | remove_first: "l" }} {{ s '
            '| remove_last: "o" }} {{ s | remove_last: "q" }}'
        ),
        "Heo Word Helo World Hello Wrld Hello World",
    ),
    (
        (
            '{{ s | replace: "l", "L" }} {{ s | replace: "", "-" }} {{ s '
            '| replace_first: "o", "$&" }} {{ s | replace_last: "o", "0" }} {{ s '
            '| replace_last: "q", "0" }}'
        ),
        "HeLLo WorLd H-e-l-l-o- -W-o-r-l-d Hell$& World Hello W0rld Hello World",
    ),
    (
        ('{{ 2.567 | round: 2 }} {{ -2.5 | round }} {{ 1234 | round: -2 }} {{ "x" | round }}'),
        "2.57 -3 1200 0",
    ),
    (
        ("{{ l | size }} {{ s | size }} {{ 5 | size }} {{ o | size }} {{ emoji | size }}"),
        "4 11 0 4 4",
    ),
    (
        (
            "{{ s | slice: 1, 3 }} {{ s | slice: -3, 2 }} {{ s | slice: 99 }} {{ s "
            "| slice: -99, 2 }} {{ s | slice: 1, -1 }} {{ l | slice: 1, 2 | join }}"
            " [{{ l | slice: -9 | size }}] {{ missing | slice: 0 | size }}"
        ),
        "ell rl    a  [0] 0",
    ),
    ('{{ uni | slugify }} {{ "-x-" | slugify }}', "ünï-çafé-ß x"),
    (
        (
            '{{ csv | split: "," | size }} {{ "ab" | split: "" | join: "." }} '
            '{{ "" | split: "," | size }}'
        ),
        "2 a.b 0",
    ),
    (
        "{{ html | strip_html }}",
        'A & "B"z<',
    ),
    (
        '{{ "a\\nb\\r\\nc" | strip_newlines }}',
        "abc",
    ),
    (
        '{{ nums | sum }} {{ objs | sum: "v" }} {{ l | sum }}',
        "6.5 3 3",
    ),
    ('{{ "12.50" | to_integer }} {{ "x" | to_integer }} {{ " 5 " | to_integer }}', "12.5 NaN 5"),
    (
        (
            '{{ s | truncate: 8 }} {{ s | truncate: 8, "" }} {{ s | truncate: 2 }} '
            "{{ s | truncate: 50 }} {{ s | truncate }}"
        ),
        "Hello... Hello Wo ... Hello World Hello World",
    ),
    (
        ('{{ s | truncatewords: 1 }} {{ s | truncatewords: 5 }} {{ s | truncatewords: 0, "!" }}'),
        "Hello... Hello World Hello!",
    ),
    (
        "{{ s | upcase }} {{ s | downcase }} {{ l | upcase }}",
        "HELLO WORLD hello world BA3",
    ),
    (
        (
            '{{ objs | where: "k", "x" | size }} {{ objs | where: "v" | size }} {{ '
            'objs | where: "v", nil | size }} {{ l | where: "k" | size }}'
        ),
        "2 2 1 0",
    ),
    (
        "{{ s | raw }} {{ s | upcase | raw }}",
        "Hello World HELLO WORLD",
    ),
    (
        (
            '{{ "2024-02-29T13:05:09Z" | date }} | {{ 1709211909 | date: "%c" }} '
            '| {{ "1709211909" | date: "%x %X" }}'
        ),
        (
            "Thursday, February 29, 2024 at 1:05 pm +0000 "
            "| 2/29/2024, 1:05:09 PM | 2/29/2024 1:05:09 PM"
        ),
    ),
    (
        (
            '{{ "2024-01-01" | date_to_string }} {{ "2024-01-23" | date_to_xmlschem'
            'a }} {{ "2024-01-31" | date_to_rfc822 }}'
        ),
        "01 Jan 2024 2024-01-23T00:00:00+00:00 Wed, 31 Jan 2024 00:00:00 +0000",
    ),
    (
        (
            '{{ "2024-03" | date: "%F %Y-%m-%d" }} {{ "2024" | date: "%Y" }} '
            '{{ "2024/3/5 6:07" | date: "%Y-%m-%d %H:%M" }} '
            '{{ "Tue, 05 Mar 2024 06:07:08 +0200" | date: "%H" }} '
            '{{ "5 Mar 2024" | date: "%d" }} {{ "2024-13-01" | date: "%Y" }} '
            '{{ "nonsense" | date: "%Y" }} {{ nil | date: "%Y" }} {{ o '
            '| date: "%Y" }} {{ true | date: "%Y" }}'
        ),
        ("%F 2024-03-01 1970 2024-03-05 06:07 04 05 2024-13-01 nonsense  [object Object] 1970"),
    ),
    (
        (
            '{{ "2024-03-05" | compact | date: "%F %d" }} {{ "12" | compact | date:'
            ' "%Y-%m" }} {{ 0 | compact | date_to_xmlschema }} {{ "1709211909" | co'
            'mpact | date: "%Y" }}'
        ),
        "%F 05 2001-12 2000-01-01T00:00:00+00:00 1709211909",
    ),
    (
        '{{ "2024-07-01T12:00:00Z" | date: "%H:%M %z %Z", "America/New_York" }}',
        "08:00 -0400 America/New_York",
    ),
    (
        (
            '{% if n > f and f >= 2.5 and n <= 7 and 1 < 2 %}a{% endif %}{% if "a" '
            '< "b" and l contains nil and s contains "World" %}b{% endif %}{% if ni'
            "l > 1 or nil < 1 or l > 5 %}c{% endif %}{% if l == l and l != nums and"
            ' o == o %}d{% endif %}{% if true == 1 or "1" == 1 %}e{% endif %}'
        ),
        "abd",
    ),
    (
        (
            '{% if "" == blank and " " == blank and false == blank and o != empty a'
            'nd "" == empty %}a{% endif %}{% if nil == empty %}b{% endif %}{% if bl'
            "ank == nil %}c{% endif %}{% if 5 == empty %}d{% endif %}"
        ),
        "ac",
    ),
    (
        (
            '{{ "1e3" | plus: "Infinity" }} {{ "1_0" | plus: 1 }} {{ "" | plus: 1 }'
            "} {{ nums | plus: 1 }}"
        ),
        "Infinity 1 1 1",
    ),
    (
        (
            '{{ s.size }}{{ nums[-1] }}{{ nums["1"] }}{{ o["a"] }}{{ objs[0]["k"] }'
            "}{{ objs.last.k }}{{ l[f] }}"
        ),
        "112.511xx",
    ),
]


@pytest.mark.parametrize(("template", "printed"), RECORDED)
def test_filters_return_what_segment_returns(template: str, printed: str) -> None:
    assert compile_mapping({"@liquid": template}).resolve(EVENT) == printed


def test_every_filter_of_ours_is_recorded() -> None:
    shown = " ".join(template for template, _ in RECORDED)
    assert {name for name in FILTERS if f"| {name}" not in shown} == set()


NOT_TAKEN = "`/@liquid` cannot be rendered: filter `{}` does not take these values."
NOT_READ = "`/@liquid` has a template that does not parse: expected {}."

DIFFERENT: list[tuple[str, str, str]] = [
    ("{{ 3 | at_most: 2, 9 }}", "2", NOT_TAKEN.format("at_most")),
    ("{{ 5 | plus }}", "NaN", NOT_TAKEN.format("plus")),
    ("{{ 7 | modulo: 0 }}", "NaN", NOT_TAKEN.format("modulo")),
    ("{{ 1 | round: 400 }}", "1", NOT_TAKEN.format("round")),
    ("{{ 7 | divided_by: 2, true }}", "3", NOT_TAKEN.format("divided_by")),
    ("{{ nums | json: 1 }}", "[\n 3,\n 1,\n 2.5\n]", NOT_TAKEN.format("json")),
    ("{{ s | truncate: 'x' }}", "...", NOT_TAKEN.format("truncate")),
    ("{{ uni | slugify: 'ascii' }}", "n-af", NOT_TAKEN.format("slugify")),
    ("{{ 'go on' | number_of_words: 'cjk' }}", "2", NOT_TAKEN.format("number_of_words")),
    ("{{ 0 | date_to_string: 'ordinal' }}", "1st Jan 1970", NOT_TAKEN.format("date_to_string")),
    ("{{ 0 | date: '%H %z', -90 }}", "01 +0130", NOT_TAKEN.format("date")),
    ("{{ n == 7 }}", "true", NOT_READ.format("end of expression, found '=='")),
    ("{{ 'abc'.size }}", "3", NOT_READ.format("end of expression, found '.'")),
    ("{{ 'a' 'b' }}", "a", NOT_READ.format("end of expression, found string")),
    ("{{ s | }}", "Hello World", NOT_READ.format("word, found end of expression")),
    (
        "{{ l | where: 'k', empty | size }}",
        "0",
        NOT_READ.format("end of expression, found empty"),
    ),
    (
        "{% if not n %}{% endif %}",
        "",
        (
            "`/@liquid` has a template that does not parse: "
            "disallowed not operator in logical expression."
        ),
    ),
    ("{% comment %}{{ it's }}{% endcomment %}", "output not closed", ""),
    ("a{% break %}b", "a", "`/@liquid` cannot be rendered: unexpected 'break'."),
    ("{{ emoji[1] }}", "\ude00", "a"),
    ("{{ '%E' | url_decode }}", "URI malformed", "%E"),
    ("{{ 0 | date: '%9999d' }}", "1".rjust(9999, "0"), "%9999d"),
    ("{{ 0 | date: '%3N %#p' }}", "000 am", "%3N %#p"),
    ("{{ l | date: '%Y' }}", "2001", "ba3"),
    ("{{ '0x1F' | plus: 1 }}", "32", "1"),
    (
        "{{ 0.1 | plus: 0.2 }} {{ 1.1 | times: 3 }}",
        "0.30000000000000004 3.3000000000000003",
        "0.3 3.3",
    ),
    ("{% if o == p %}same{% endif %}", "", "same"),
    ("{% cycle 1, 0 %}{% cycle 1, 0 %}", "1", "10"),
    ("{{ '\\101' }}", "A", "101"),
    ("{{ 'हिन्दी' | slugify }}", "हिन्दी", "ह-न-द"),
    ("{{ half }}", "\ud83d", "`/@liquid` cannot be rendered: a text holds half a character."),
    ("{{ l | sample }}", "b", '`/@liquid` cannot be rendered: filter "sample" is disabled.'),
    ("{{ (1..20000) | size }}", "20000", "`/@liquid` has a range that is too large."),
]


@pytest.mark.parametrize(("template", "reference", "ours"), DIFFERENT)
def test_differences_from_segment(template: str, reference: str, ours: str) -> None:
    """Each has its row in the table of differences."""
    event = EVENT | {"p": dict(EVENT["o"]), "half": "\ud83d"}
    try:
        given = compile_mapping({"@liquid": template}).resolve(event)
    except PayloadValidationError as refusal:
        given = str(refusal)

    assert given == ours != reference


def test_members_may_have_the_names_of_keywords() -> None:
    event = {"p": {"limit": 1, "for": {"empty": "e"}, "required": [2]}, "limit": {"as": 3}}
    given = compile_mapping(
        {"@liquid": "{{ p.limit }}{{ p.for.empty }}{{ p . required[0] }}{{ '.limit' }}"}
    ).resolve(event)

    assert given == "1e2.limit"


def test_today_is_a_date() -> None:
    given = compile_mapping({"@liquid": "{{ 'now' | date: '%Y' }}"}).resolve({})

    assert 2024 < int(given) < 3000
