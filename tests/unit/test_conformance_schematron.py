"""The Schematron engine on small rule sets of our own: one trait of the language each."""

from pathlib import Path

import pytest
from lxml import etree

from conformance.schematron import cache
from conformance.schematron.contexts import ANY_NODE, candidates, split, split_predicates
from conformance.schematron.engine import Engine, readable
from conformance.schematron.source import SchematronError, any_case, load
from gateway.model.findings import Severity

HEAD = (
    '<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">'
    '<ns prefix="h" uri="urn:hl7-org:v3"/>'
)
DOCUMENT = '<a xmlns="urn:hl7-org:v3" n="1"><b code="x"/><b code="y"/><c>text</c></a>'


class Rules:
    """A folder with rule files and an engine; `check` gives (severity, location, text) of each remark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine(folder / "cache")

    def write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def check(self, content: str, document: str = DOCUMENT) -> list[tuple[str, str, str]]:
        path = self.write("rules.sch", f"{HEAD}{content}</schema>")
        found = self.engine.check(self.engine.document(document), path, "test")
        self.engine = Engine(self.folder / "cache")
        return [(remark.severity.value, remark.location, remark.text) for remark in found]


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return Rules(tmp_path)


def pattern(*content: str) -> str:
    return f"<pattern>{''.join(content)}</pattern>"


def test_a_failed_assert_names_its_place_with_indexes_and_its_values(rules: Rules) -> None:
    content = (
        "<rule context='h:b'><assert test=\"@code='x'\"><name/> is <value-of select='@code'/></assert></rule>"
    )
    assert rules.check(pattern(content)) == [("error", "/a[1]/b[2]", "b is y")]


def test_a_report_fires_when_its_test_holds(rules: Rules) -> None:
    content = "<rule context='h:c'><report test='text()' role='info'>has text</report></rule>"
    assert rules.check(pattern(content)) == [("info", "/a[1]/c[1]", "has text")]


def test_roles_become_severities_and_a_report_without_role_is_no_error(rules: Rules) -> None:
    asserts = "".join(
        f"<assert test='false()'{role}>m</assert>"
        for role in ("", " role='error'", " role='warning'", " role='INFO'")
    )
    found = rules.check(pattern(f"<rule context='/'>{asserts}<report test='true()'>m</report></rule>"))
    assert [severity for severity, _, _ in found] == ["error", "error", "warning", "info", "warning"]


def test_in_one_pattern_a_node_meets_its_first_rule_only(rules: Rules) -> None:
    first = "<rule context=\"h:b[@code='x']\"><assert test='false()'>first</assert></rule>"
    second = "<rule context='h:b'><assert test='false()'>second</assert></rule>"
    texts = [text for _, _, text in rules.check(pattern(first, second))]
    assert texts == ["first", "second"]
    assert len(rules.check(pattern(first) + pattern(second))) == 3


def test_no_node_is_judged_twice_where_a_pattern_looks_at_root_and_elements(rules: Rules) -> None:
    elements = "<rule context='*'><assert test='false()'>element</assert></rule>"
    root = "<rule context='/'><assert test='false()'>root</assert></rule>"
    found = [(place, text) for _, place, text in rules.check(pattern(elements, root), "<a><b/></a>")]
    assert found == [("/", "root"), ("/a[1]", "element"), ("/a[1]/b[1]", "element")]


def test_a_warm_engine_reads_each_document_once(rules: Rules) -> None:
    codes = rules.write("sets/codes.xml", "<set><code>x</code></set>")
    content = (
        "<let name='set' value=\"'sets/codes.xml'\"/>"
        "<rule context='h:b'><assert test='@code = document($set)//code'>unknown</assert>"
        "<assert test=\"not(doc-available('sets/none.xml'))\">there</assert>"
        "<assert test=\"'doc(none)' != 'document(none)'\">literal</assert></rule>"
    )
    path = rules.write("rules.sch", f"{HEAD}{pattern(content)}</schema>")
    document = rules.engine.document(DOCUMENT)
    first = rules.engine.check(document, path, "test")
    assert [remark.text for remark in first] == ["unknown"]
    codes.unlink()
    assert rules.engine.check(document, path, "test") == first


def test_an_abstract_pattern_takes_its_parameters(rules: Rules) -> None:
    abstract = (
        "<pattern abstract='true' id='known'><rule context='$element'>"
        "<assert test='@code = $list'><value-of select='$label'/> not in list</assert></rule></pattern>"
    )
    instance = (
        "<pattern is-a='known' id='one'><param name='element' value='h:b'/>"
        "<param name='list' value=\"('x','z')\"/><param name='label' value=\"'b code'\"/></pattern>"
    )
    assert rules.check(abstract + instance) == [("error", "/a[1]/b[2]", "b code not in list")]


def test_abstract_rules_are_shared_and_may_use_a_variable_of_the_extending_rule(rules: Rules) -> None:
    shared = "<rule abstract='true' id='shared'><assert test='@code'>no code</assert></rule>"
    needy = "<rule abstract='true' id='needy'><assert test='@code = $wanted'>not wanted</assert></rule>"
    use = (
        "<rule context='h:b'><let name='wanted' value=\"'x'\"/><extends rule='shared'/>"
        "<extends rule='needy'/></rule><rule context='h:c'><extends rule='shared'/></rule>"
    )
    assert rules.check(pattern(shared, needy, use)) == [
        ("error", "/a[1]/b[2]", "not wanted"),
        ("error", "/a[1]/c[1]", "no code"),
    ]


def test_a_rule_that_is_not_there_cannot_be_extended(rules: Rules) -> None:
    with pytest.raises(SchematronError, match="nowhere"):
        rules.check(pattern("<rule context='h:b'><extends rule='nowhere'/></rule>"))


def test_a_let_of_one_pattern_is_seen_in_another(rules: Rules) -> None:
    one = pattern("<let name='limit' value='1'/><rule context='/'><assert test='true()'>m</assert></rule>")
    two = pattern("<rule context='h:a'><assert test='count(h:b) le $limit'>too many</assert></rule>")
    assert rules.check(one + two) == [("error", "/a[1]", "too many")]


def test_the_default_phase_chooses_the_patterns(tmp_path: Path) -> None:
    rules = Rules(tmp_path)
    body = (
        "<phase id='short'><active pattern='p1'/><active pattern='p1'/></phase>"
        "<pattern id='p1'><rule context='/'><assert test='false()'>one</assert></rule></pattern>"
        "<pattern id='p2'><rule context='/'><assert test='false()'>two</assert></rule></pattern>"
    )
    path = rules.write(
        "phased.sch", HEAD.replace("queryBinding", 'defaultPhase="short" queryBinding') + body + "</schema>"
    )
    found = rules.engine.check(rules.engine.document(DOCUMENT), path, "test")
    assert [remark.text for remark in found] == ["one"]


def test_includes_are_found_whatever_their_case_and_name_their_file(rules: Rules) -> None:
    rules.write(
        "Include/Section.SCH",
        '<pattern xmlns="http://purl.oclc.org/dsdl/schematron" id="section">'
        "<rule context='h:b'><assert test='false()'>m</assert></rule></pattern>",
    )
    path = rules.write("rules.sch", f"{HEAD}<include href='include/section.sch'/></schema>")
    (remark, _) = rules.engine.check(rules.engine.document(DOCUMENT), path, "test")
    assert remark.source == "Include/Section.SCH:1"
    assert remark.rule == "section"


def test_an_include_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.sch"
    path.write_text(f"{HEAD}<include href='gone.sch'/></schema>")
    with pytest.raises(SchematronError, match=r"gone\.sch"):
        load(path)


def test_document_resolves_against_the_folder_of_the_rule_file(rules: Rules) -> None:
    rules.write("sets/codes.xml", "<codes><code>x</code></codes>")
    test = "@code = document('sets/codes.xml')//code"
    rule = f"<rule context='h:b'><assert test=\"{test}\">unknown</assert></rule>"
    assert rules.check(pattern(rule)) == [("error", "/a[1]/b[2]", "unknown")]


def test_a_missing_value_set_is_a_warning_and_the_other_rules_run(rules: Rules) -> None:
    rule = (
        "<let name='path' value=\"'sets/gone.xml'\"/><rule context='h:c'>"
        "<assert test='text() = document($path)//code'>unknown</assert>"
        "<assert test='false()'>still judged</assert></rule>"
    )
    (missing, judged) = rules.check(pattern(rule))
    assert missing[0] == "warning"
    assert "gone.xml" in missing[2]
    assert judged == ("error", "/a[1]/c[1]", "still judged")


def test_a_test_that_breaks_is_an_error_of_its_own(rules: Rules) -> None:
    rule = (
        "<rule context='h:a'><assert test='substring(h:b/@code, 1) = string(@n)'>m</assert>"
        "<assert test='false()'>still judged</assert></rule>"
    )
    found = rules.check(pattern(rule))
    assert [severity for severity, _, _ in found] == ["error", "error"]
    assert found[0][2].startswith("The rule could not be evaluated")
    assert found[1][2] == "still judged"


def test_rules_that_are_no_xpath_are_refused_with_the_reason(rules: Rules) -> None:
    with pytest.raises(SchematronError, match=r"rules\.sch"):
        rules.check(pattern("<rule context='h:a'><assert test='1 +'>m</assert></rule>"))


def test_attributes_and_any_element_can_be_contexts(rules: Rules) -> None:
    assert rules.check(pattern("<rule context='@code'><assert test=\".='x'\">m</assert></rule>")) == [
        ("error", "/a[1]/b[2]/@code", "m")
    ]
    assert len(rules.check(pattern("<rule context='*'><assert test='false()'>m</assert></rule>"))) == 4


def test_a_compiled_form_is_kept_until_a_rule_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "rules.sch"
    body = pattern("<rule context='/'><assert test='false()'>{}</assert></rule>")
    path.write_text(HEAD + body.format("before") + "</schema>")
    folder = tmp_path / "cache"
    first = cache.compiled(path, cache=folder)
    (stored,) = folder.iterdir()
    written = stored.stat().st_mtime_ns
    assert cache.compiled(path, cache=folder) == first
    assert stored.stat().st_mtime_ns == written
    path.write_text(HEAD + body.format("after") + "</schema>")
    assert "after" in cache.compiled(path, cache=folder).xslt
    stored.write_bytes(b"torn")
    assert "after" in cache.compiled(path, cache=folder).xslt


@pytest.mark.parametrize(
    ("contexts", "expected"),
    [
        (("h:c", "//h:b[h:d/@x='/']"), "key('o:named', ('b', 'c'))"),
        (("h:a/h:b", "//h:a[1]/h:b"), "key('o:named', 'a')/*:b"),
        (("//h:a[h:x]//h:b[h:c]/*[not(@z)]",), "key('o:named', 'b')/*"),
        (("/h:a/child::h:b",), "key('o:named', 'a')/*:b"),
        (("/",), "/"),
        (("h:a", "/"), "key('o:named', ('a'))|/"),
        (("h:a|*[h:b]",), "//*"),
        (("h:a|*[h:b]", "/"), "//*|/"),
        (("*[h:b]/h:a",), "key('o:named', ('a'))"),
        (("*[h:templateId/@root = '1.2']",), "key('o:template', ('1.2'))"),
        (('*[h:templateId[@root="1.2"]]/h:a',), "key('o:template', '1.2')/*:a"),
        (("*[h:templateId/@root='1.2' and not(h:a)]",), "key('o:template', ('1.2'))"),
        (("*[h:templateId/@root='1.2' or h:a]",), "//*"),
        (("*[not(h:templateId/@root='1.2')]",), "//*"),
        (("//@code",), ANY_NODE),
        (("h:a[@x = 'b|c']",), "key('o:named', ('a'))"),
        (("(h:a|h:b)/h:c",), ANY_NODE),
        (("h:a/descendant::h:b",), ANY_NODE),
        (("text()",), ANY_NODE),
    ],
)
def test_candidates_are_never_fewer_than_what_may_match(contexts: tuple[str, ...], expected: str) -> None:
    assert candidates(contexts) == expected


def test_paths_are_split_outside_of_brackets_and_literals() -> None:
    assert split("a[b/c]/d['/']", "/") == ["a[b/c]", "d['/']"]
    assert split_predicates("h:b[h:c][1]") == "h:b"


def test_locations_read_like_the_document() -> None:
    path = "/Q{urn:hl7-org:v3}a[1]/Q{urn:dicom-org:ps3-20}b[2]/Q{urn:x}c[1]/@code"
    assert readable(path) == "/a[1]/ps3-20:b[2]/Q{urn:x}c[1]/@code"


def test_files_are_found_without_regard_to_case(tmp_path: Path) -> None:
    (tmp_path / "Sub").mkdir()
    (tmp_path / "Sub" / "File.xml").write_text("<x/>")
    assert any_case(tmp_path / "Sub", "../sub/file.XML") == (tmp_path / "Sub" / "File.xml").resolve()
    assert any_case(tmp_path, "sub/none.xml") is None


def test_rules_without_a_schema_root_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.sch"
    path.write_bytes(etree.tostring(etree.Element("other")))
    with pytest.raises(SchematronError):
        load(path)
    assert Severity.ERROR.value == "error"
