"""ASK: what a visitor answered, and what may run by it. Pure: no Flask, no clock, no randomness."""

from consent.decision.answer import Answer as Answer
from consent.decision.answer import Form as Form
from consent.decision.answer import FormConflict as FormConflict
from consent.decision.answer import FormInvalid as FormInvalid
from consent.decision.answer import judge_form as judge_form
from consent.decision.cookie import LONGEST as LONGEST
from consent.decision.cookie import MOST_SERVICES as MOST_SERVICES
from consent.decision.cookie import CookieCodec as CookieCodec
from consent.decision.decision import SOURCES as SOURCES
from consent.decision.decision import Decision as Decision
from consent.decision.decision import Lifetimes as Lifetimes
from consent.decision.decision import Pending as Pending
from consent.decision.decision import decide as decide
from consent.decision.decision import earlier as earlier
from consent.decision.decision import keys as keys
from consent.decision.decision import kind_of as kind_of
from consent.decision.profiles import PROFILES as PROFILES
from consent.decision.profiles import Profile as Profile
from consent.decision.profiles import lifetimes as lifetimes
from consent.decision.verdict import Asking as Asking
from consent.decision.verdict import Circumstances as Circumstances
from consent.decision.verdict import Mark as Mark
from consent.decision.verdict import Reason as Reason
from consent.decision.verdict import Verdict as Verdict
from consent.decision.verdict import asking as asking
from consent.decision.verdict import judge as judge
