"""The triggers of a SQLite database: whether they are as they were made, and whether there are others.

They refuse to change what is recorded. Who has the file can exchange them for others that let it pass.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from consent.storage.routines import digest
from consent.storage.schema import metadata

#: By their names, which begin with those of their tables, what each is known by; a test compares them with the
#: migrations.
TRIGGERS: Final = {
    "entry_in_order": "ef2c3f2558db219e09eb02f86dbcdab46e8e8a372caa3f0f8ce90e59d0f8d105",
    "entry_short": "c9a3d6496b86e5512baa6d484a30973a2d739c813f1a7d85d44990a35de6c87d",
    "entry_stays": "ac30c763d8a7a77c7b5a374e74b0172a55e5fe37f8b7554ecf4c33b0d846cdd6",
    "entry_remains": "7059d6c7dab4e6a41ab86adf59cc70594b6a67fd5b6e471db87e0bc02f106f9d",
    "opening_once": "9270f3a71b2b606a328fdeb8fdc634dfe6b41fefa6a7a1ca89f8d7818a7c8f4e",
    "opening_numbered": "dcf5f08d06f065f73adcf5b7a9f69bcf221b9c08e0c3de77c13ea42f55965152",
    "opening_stays": "98889a421439e341b4e281ff53e548dc077f31a73defbe89560b9851101d4a70",
    "opening_uncounted": "f2e8158d1446c167520faa5bdfa095422a59d7db5537dfd1e72f34cf2f271971",
    "document_addressed": "f4b96b073e08c41673bd0df81a6f13d448cb54d1458489d04dcb3dae0597190a",
    "document_once": "7f810d802813b0151547764c18936e12f1e8967851a23edf06df6c03a0b021f7",
    "document_alone": "c0c1ddfc2093cbc97631a008522557adbafbbc0df60cb0ee3bd5ff7d387a24b8",
    "document_numbered": "dc5da3e314fd561691607810ec38dbfda8dee16fd3a831b39b58dce20fbdc1f4",
    "document_stays": "268706804e4d09d9b74f2c112767ade2bd48000b6927843dd503e6921c1ebafb",
    "document_remains": "e6985c03c4324204c030e554604518de561452e101c7fe99705a531df0ac28eb",
    "tile_once": "bd5fbfd0e0330e927201d6788f856c05fdc300b77cbf24b22bf529b80ddc00dd",
    "tile_stays": "3d59c852893e4d890f49ab3acbc5a5a293b85ca05e1daa4823e129647dcaaec4",
    "tile_remains": "a9c2ae9d6d5ef32be8b74f18b50f59c2aa3ba30b0330ef483ff382057c6e0eab",
    "checkpoint_once": "47d9db072714f0e1ff0384e9869d166def3f45135889aa57cf5327711de441fd",
    "checkpoint_stays": "6e3fb321f059a494212b8fea5ba74312b2d31235e6325590b6a773289be6e85f",
    "checkpoint_remains": "a24988960f8e40ebd849db78951a2fc0686dc2352848cccd2e8379b3660606e3",
    "erased_once": "9b22761cae9d80a1030704384ec8733616d91b360c217d05d204f3d3ff1c164c",
    "erased_stays": "053f0aa2d905b795fde70dd4f2d36a043cc93f073215abb72751a334d8a05044",
    "erased_remains": "d03d588fd9d1a006f1ec0a2cbd98c16c7375322d1831289adb0e34f092159630",
    "head_once": "addce49f12539f558fffa5df69d879d39eed954638eb0fc496abe98d6a48e4b9",
    "head_grows": "45ee9a9ee2dca98d501a44cf66bc6f09600b236caa6e61de7e9a778e14aca42b",
    "head_remains": "5a50007c37c832b3c9eca9a314d49cbaf99e6fdbdea2fbb324a212f87b58a22b",
    "bound_named": "0bba93db89151f2498cf6371c5cf7612ccb52dc1229842c9dc952f59e0b5c609",
    "bound_grows": "277097fd99ebbbedf140c3979629164497f00990406594d48cdd6dba8d70905d",
    "bound_remains": "35d16e592a950600bd7cb6e14b69f621df426a6777401dfea6fc5b8b57bb54ea",
}
_THERE = "SELECT name, lower(tbl_name), sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name"
_MEND = "Run: flask consent verify, and restore the database from a backup that has them."


def problems(connection: Connection) -> Iterator[str]:
    """What is wrong with the triggers on the tables of the log, and how to mend it."""
    missing, altered, foreign = {*TRIGGERS}, set[str](), list[str]()
    for name, table, sql in connection.exec_driver_sql(_THERE):
        if name in TRIGGERS and name.startswith(f"{table}_"):
            missing.discard(name)
            if digest(str(sql)) != TRIGGERS[name]:
                altered.add(name)
        elif table in metadata.tables:
            foreign.append(name)
    if said := [
        f"{what} on {', '.join(sorted({name.partition('_')[0] for name in names}))}"
        for what, names in (("missing", missing), ("altered", altered))
        if names
    ]:
        yield (
            f"The database doesn't refuse to change what is recorded: triggers are {' and '.join(said)}. {_MEND}"
        )
    if foreign:
        yield (
            f"There are triggers on the log's tables that it doesn't have: {', '.join(map(repr, foreign))}. They can "
            "change what is recorded, or refuse it. Find out who made them, take them away (DROP TRIGGER) and run: "
            "flask consent verify"
        )
