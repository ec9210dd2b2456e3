"""PROVE: what happened, as bytes that stay, and the log they are kept in. Storage comes from outside."""

from consent.ledger.checkpoint import Checkpoint as Checkpoint
from consent.ledger.checkpoint import open_checkpoint as open_checkpoint
from consent.ledger.event import Event as Event
from consent.ledger.event import Kind as Kind
from consent.ledger.event import erasure as erasure
from consent.ledger.event import opened as opened
from consent.ledger.event import operated as operated
from consent.ledger.keys import KeyState as KeyState
from consent.ledger.keys import LogKey as LogKey
from consent.ledger.leaf import Leaf as Leaf
from consent.ledger.leaf import commitment as commitment
from consent.ledger.leaf import derived_id as derived_id
from consent.ledger.leaf import leaf_hash as leaf_hash
from consent.ledger.leaf import link as link
from consent.ledger.ledger import Ledger as Ledger
from consent.ledger.receipt import Outcome as Outcome
from consent.ledger.receipt import Receipt as Receipt
from consent.ledger.receipt import check_receipt as check_receipt
from consent.ledger.record import Document as Document
from consent.ledger.record import Entry as Entry
from consent.ledger.record import Head as Head
from consent.ledger.record import Record as Record
from consent.ledger.record import Recorded as Recorded
from consent.ledger.record import Sealed as Sealed
from consent.ledger.record import Written as Written
from consent.ledger.storage import Storage as Storage
