CREATE TABLE IF NOT EXISTS account (
    name     TEXT PRIMARY KEY,
    password TEXT NOT NULL              -- hash, never the password
) STRICT;

-- Accounts that may read the consent log, each with what the log is told of whoever signs in: a name for the role.
CREATE TABLE IF NOT EXISTS auditor (
    account TEXT PRIMARY KEY REFERENCES account,
    id      TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE IF NOT EXISTS invoice (
    number  TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account,
    issued  TEXT NOT NULL,              -- YYYY-MM-DD
    due     TEXT NOT NULL,
    cents   INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS line (
    invoice  TEXT NOT NULL REFERENCES invoice,
    position INTEGER NOT NULL,
    text     TEXT NOT NULL,
    cents    INTEGER NOT NULL,
    PRIMARY KEY (invoice, position)
) STRICT;

CREATE TABLE IF NOT EXISTS payment (
    invoice   TEXT PRIMARY KEY REFERENCES invoice,   -- an invoice is paid once
    reference TEXT NOT NULL UNIQUE,
    method    TEXT NOT NULL,
    paid      TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS message (
    reference TEXT PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('message', 'call-back')),
    received  TEXT NOT NULL,
    name      TEXT NOT NULL,
    reach     TEXT NOT NULL,            -- e-mail address or telephone number
    topic     TEXT NOT NULL,
    body      TEXT NOT NULL
) STRICT;

-- Daily totals: nothing here belongs to one person.
CREATE TABLE IF NOT EXISTS tally (
    day   TEXT NOT NULL,
    kind  TEXT NOT NULL CHECK (kind IN ('visit', 'page', 'link', 'shown', 'called')),
    name  TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (day, kind, name)
) STRICT;
