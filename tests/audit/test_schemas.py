"""Each format has a schema that is shipped, and what is really exported is as it says."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from rdflib import RDF, Graph, Namespace, URIRef

from consent.audit.export import COLUMNS, schema_of, write_csv, write_jsonl
from consent.audit.jsonld import STATUS, Records, iso
from consent.audit.row import Reader, Row
from consent.ledger import Kind, Ledger
from consent.policy import Policy
from consent.policy.parts import Duration

from .clinic import record, visit
from .tampering import alter, erase

DPV = Namespace("https://w3id.org/dpv#")
ADDRESS = "https://clinic.example/privacy-choices"
#: What CSV says of nothing, and of each type of a table schema, as it is written.
CELLS = {"string": ".*", "integer": "-?[0-9]+", "boolean": "true|false", "object": r"\{.*\}"}


@pytest.fixture
def history(app: Flask, ledger: Ledger, tmp_path: Path) -> Ledger:
    """A log with an event of every kind of answer, of the site itself, erased, altered, and of an unknown policy."""
    visit(app, "all").answer("none")
    visit(app, "some", category_performance="yes", category_media="no", category_functionality="no")
    visit(app, "none")
    for kind in STATUS:
        record(
            ledger,
            kind=kind,
            before_granted=("statistics", "videos"),
            granted=("videos",),
            refused=("statistics",),
        )
    record(
        ledger,
        kind=Kind.ACCESSED,
        subject=None,
        granted=(),
        refused=(),
        detail={"note": "=1+1, “a”\nb"},
        notice=None,
    )
    record(
        ledger,
        subject=None,
        language=None,
        profile="us_ca",
        source=None,
        account="ab" * 32,
        opted_out=True,
        signal=True,
    )
    erase(tmp_path, record(ledger).id)
    alter(tmp_path, "UPDATE opening SET salt = zeroblob(32) WHERE uid = ?", record(ledger).id.hex)
    return ledger


def exported(ledger: Ledger) -> tuple[Records, dict[str, Any]]:
    """The export as JSON-LD, read back, and what made it."""
    reader, out = Reader(ledger), io.StringIO()
    records = Records(ADDRESS, reader.policy)
    written = records.write(reader.rows(ledger.records()), out)
    document: dict[str, Any] = json.loads(out.getvalue())
    assert written == len(document["@graph"])
    return records, document


def faults(schema: str, instance: object) -> list[str]:
    """Where *instance* isn't as *schema* says."""
    validator = Draft202012Validator(json.loads(schema))
    validator.check_schema(validator.schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]


@pytest.mark.requirement("REC-08")
def test_every_line_of_json_is_as_its_schema_says(history: Ledger) -> None:
    out = io.StringIO()
    write_jsonl(Reader(history).rows(history.records()), out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == history.size()
    assert {line["kind"] for line in lines} >= {*STATUS, Kind.ACCESSED, Kind.OPERATED}
    assert [found for line in lines for found in faults(schema_of("jsonl"), line)] == []
    for broken in (
        {"id": "x"},
        {"kind": "sold"},
        {"time": "2026-11-18"},
        {"more": 1},
        {"granted": "statistics"},
    ):
        assert faults(schema_of("jsonl"), lines[-1] | broken)


def test_every_line_of_csv_is_as_its_table_schema_says(history: Ledger) -> None:
    schema = json.loads(schema_of("csv"))
    assert [field["name"] for field in schema["fields"]] == list(COLUMNS)
    out = io.StringIO(newline="")
    write_csv(Reader(history).rows(history.records()), out)
    lines = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert len(lines) == history.size()
    assert [found for line in lines for found in cell_faults(schema, line)] == []
    for broken in ({"id": ""}, {"kind": "sold"}, {"erased": "no"}, {"index": "-1"}, {"hour": "noon"}):
        assert len(cell_faults(schema, lines[-1] | broken)) == 1


def cell_faults(schema: dict[str, Any], line: dict[str, str]) -> list[str]:
    """What of *line* isn't as the table schema says: types, and the constraints that it uses."""
    found = []
    for field in schema["fields"]:
        text, constraints = line[field["name"]], field.get("constraints", {})
        assert set(constraints) <= {"required", "pattern", "enum", "minimum"}
        good = (
            not constraints.get("required")
            if text == ""
            else re.fullmatch(CELLS[field["type"]], text, re.DOTALL)
            and re.fullmatch(constraints.get("pattern", "(?s).*"), text)
            and text in constraints.get("enum", [text])
            and ("minimum" not in constraints or int(text) >= constraints["minimum"])
        )
        if not good:
            found.append(f"{field['name']}: {text!r}")
    return found


@pytest.mark.requirement("REC-08")
def test_records_are_as_their_schema_says_and_it_refuses_others(history: Ledger) -> None:
    _, document = exported(history)
    assert faults(schema_of("jsonld"), document) == []
    given = next(each for each in document["@graph"] if each["log:kind"] == "given")
    refused = next(each for each in document["@graph"] if each["log:kind"] == "refused")
    for broken in (
        given | {"dpv:hasConsentStatus": refused["dpv:hasConsentStatus"]},
        refused | {"dpv:hasConsentStatus": given["dpv:hasConsentStatus"]},
        given | {"dct:identifier": "1"},
        given | {"log:kind": "accessed"},
        {name: value for name, value in given.items() if name != "dpv:hasNotice"},
    ):
        assert faults(schema_of("jsonld"), document | {"@graph": [broken]})


@pytest.mark.requirement("REC-08")
def test_only_what_was_given_is_exported_as_given(history: Ledger) -> None:
    _, document = exported(history)
    given = {each["log:kind"] for each in document["@graph"] if "dpv:ConsentGiven" in json.dumps(each)}
    assert given == {Kind.GIVEN, Kind.GIVEN_ONCE}
    statuses = {each["log:kind"]: each["dpv:hasConsentStatus"]["@type"][0] for each in document["@graph"]}
    assert statuses == {str(kind): status for kind, status in STATUS.items()}


def test_a_status_is_about_the_services_that_the_event_decided(history: Ledger) -> None:
    _, document = exported(history)
    about = {
        each["log:kind"]: [process["dct:identifier"] for process in each["dpv:hasProcess"]]
        for each in document["@graph"]
        if each["log:before_granted"] == ["statistics", "videos"]
    }
    assert about.pop("given") == about.pop("given_once") == about.pop("imported") == ["videos"]
    assert set(about) == {"refused", "withdrawn", "opted_out", "signal_opt_out", "expired", "invalidated"}
    assert all(services == ["statistics"] for services in about.values())


def test_what_ended_because_terms_changed_is_not_described_by_the_new_ones(history: Ledger) -> None:
    policy = next(document.hash for document in history.documents("policy"))
    for kind in (Kind.WITHDRAWN, Kind.INVALIDATED):
        record(history, kind=kind, policy=policy, before_granted=("statistics",), granted=())
    _, document = exported(history)
    withdrawn, invalidated = document["@graph"][-2:]
    assert "dpv:hasPurpose" in withdrawn["dpv:hasProcess"][0]
    assert invalidated["dpv:hasProcess"] == [{"@type": "dpv:Process", "dct:identifier": "statistics"}]
    assert faults(schema_of("jsonld"), document) == []


def test_what_is_no_answer_or_erased_or_altered_has_no_record_and_is_counted(history: Ledger) -> None:
    records, document = exported(history)
    # The log's opening, the set-up, a look-up; and the erased and the altered one.
    assert records.left_out == 5
    assert records.left_out + len(document["@graph"]) == history.size()


def test_a_record_says_who_may_do_what_for_how_long_by_the_policy_of_its_day(
    app: Flask, ledger: Ledger
) -> None:
    visit(app, "all")
    _, document = exported(ledger)
    (one,) = document["@graph"]
    assert one["dpv:hasDataController"]["@id"] == "https://clinic.example"
    assert one["dpv:hasNotice"]["@id"].startswith(f"{ADDRESS}/notices/")
    assert one["dpv:hasConsentControl"]["dpv:isExercisedAt"] == ADDRESS
    videos = next(each for each in one["dpv:hasProcess"] if each["dct:identifier"] == "videos")
    assert videos["dct:title"] == "Films"
    assert {"@type": "dpv:Recipient", "dpv:hasName": "Video Co"} in videos["dpv:hasRecipient"]
    assert {"@type": "dpv:StorageDuration", "dpv:hasDuration": "P30D"} in videos["dpv:hasStorageCondition"]


def test_each_record_is_written_before_the_next_event_is_read(history: Ledger) -> None:
    reader, out = Reader(history), io.StringIO()
    records = Records(ADDRESS, reader.policy)

    def watched() -> Iterator[Row]:
        for at, row in enumerate(reader.rows(history.records())):
            assert out.getvalue().count("dpv:ConsentRecord") == at - records.left_out
            yield row

    assert records.write(watched(), out) > 5


def test_each_line_says_its_own_record_whatever_texts_the_policy_has(history: Ledger) -> None:
    texts = r"100 % of %(id)s, %s and \u0000id"

    def policy_of(digest: str | None) -> Policy | None:
        found = reader.policy(digest)
        return found and replace(found, controller=replace(found.controller, name=texts, address=texts))

    reader, out = Reader(history), io.StringIO()
    rows = list(reader.rows(history.records()))
    Records(ADDRESS, policy_of).write(rows, out)
    records = [record for row in rows if (record := Records(ADDRESS, policy_of).record(row))]
    assert json.loads(out.getvalue())["@graph"] == records
    assert len({record["dct:identifier"] for record in records}) == len(records) > 5
    assert texts in out.getvalue().replace(r"\\", "\\")


def test_who_refuses_is_a_data_subject_without_a_name(app: Flask, ledger: Ledger) -> None:
    visit(app, "none")
    _, document = exported(ledger)
    assert document["@graph"][0]["dpv:hasDataSubject"] == {"@type": "dpv:DataSubject"}


# RDFLib's own reader of JSON-LD still uses what RDFLib has given up.
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_a_reader_of_json_ld_finds_the_terms_of_dpv_and_fetches_nothing(
    history: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, document = exported(history)

    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("something is fetched")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", fetched)
    graph = Graph().parse(data=json.dumps(document), format="json-ld")
    found = set(graph.subjects(RDF.type, DPV.ConsentRecord))
    assert found == {URIRef(each["@id"]) for each in document["@graph"]}
    given = set(graph.subjects(RDF.type, DPV.ConsentGiven))
    assert len(given) == sum(each["log:kind"] in ("given", "given_once") for each in document["@graph"])
    assert set(map(str, graph.predicates())) <= {
        str(RDF.type),
        *(f"http://purl.org/dc/terms/{name}" for name in ("conformsTo", "identifier", "language", "title")),
        *(
            f"{ADDRESS}#{name.removeprefix('log:')}"
            for name in document["@graph"][0]
            if name.startswith("log:")
        ),
        *(str(DPV[name]) for name in TERMS),
    }
    assert (None, DPV.isIndicatedBy, DPV.DataSubject) in graph


#: The properties of DPV 2.3 that records use.
TERMS = (
    *(
        "hasDataSubject",
        "hasDataController",
        "hasName",
        "hasContact",
        "hasAddress",
        "hasNotice",
        "hasJurisdiction",
    ),
    *("hasProcess", "hasPurpose", "hasLegalBasis", "hasPersonalData", "hasRecipient", "hasStorageCondition"),
    *(
        "hasDuration",
        "hasLocation",
        "hasConsentControl",
        "isExercisedAt",
        "hasConsentStatus",
        "isIndicatedBy",
    ),
    *("isIndicatedAtTime", "hasIndicationMethod"),
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("30 minutes", "PT30M"),
        ("1 hour", "PT1H"),
        ("9 days", "P9D"),
        ("2 weeks", "P2W"),
        ("13 months", "P13M"),
        ("7 years", "P7Y"),
    ],
)
def test_lengths_of_time_are_written_as_iso_8601_does(text: str, written: str) -> None:
    assert iso(Duration.parse(text)) == written
