"""DECLARE: what a site wants to store on, or read from, a visitor's device."""

from .codes import DATA as DATA
from .codes import DIRECTIVES as DIRECTIVES
from .codes import GOOGLE_CONSENT as GOOGLE_CONSENT
from .codes import PURPOSES as PURPOSES
from .codes import STORAGE as STORAGE
from .codes import USES as USES
from .cookies import DeclaredCookies as DeclaredCookies
from .difference import Change as Change
from .difference import Difference as Difference
from .difference import compare as compare
from .file import load as load
from .file import parse as parse
from .lint import PLACEHOLDERS as PLACEHOLDERS
from .lint import lint as lint
from .model import Carrier as Carrier
from .model import Category as Category
from .model import Controller as Controller
from .model import Cookie as Cookie
from .model import Duration as Duration
from .model import Policy as Policy
from .model import Provider as Provider
from .model import Service as Service
from .model import Stored as Stored
from .model import complete as complete
