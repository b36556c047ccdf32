"""English words by which `exchanges.py` tells what says nothing and what asks for nothing. In other languages more is kept."""

SMALL_TALK = frozenset(
    """again all alright and awesome bye cheers continue cool day done evening excellent fine go good goodbye got great haha hello hey hi
    hm hmm how are you i'm it k kk later lol lot lovely many morning much nice night no nope now ok okay on perfect please really right
    see so super sure test thank thanks thats that's there thx today ty u understood very welcome well wow yeah yep yes you're
    bonjour ciao danke gracias hallo hola merci salut""".split()  # noqa: SIM905 - a list of quoted words would be three times as long
)
"""A message of these words alone says nothing: "ok, thanks!", "hi there", "yes please"."""
SUBJECTS = frozenset("he her his i i'm i've it it's my our she that the their they this we we're we've".split())  # noqa: SIM905
"""With these a statement begins …"""
VERBS = frozenset("are had has hates have is keeps likes lives loves moved prefers was were will works".split())  # noqa: SIM905
"""… or it has one of these early on: "Clara is …", "Our old house was …"."""
REQUESTS = frozenset(
    """advice advise answer calculate can compare could describe draft explain find fix generate give help how let let's like list make
    need please recommend rewrite should show suggest summarise summarize tell translate want what when where which who why wish wonder
    wondering write""".split()  # noqa: SIM905
)
"""What has one of these may ask for something."""
