"""Words that tell nothing by themselves, for `exchanges.py`. Whatever has another word in it is remembered."""

_LITTLE = """
again all alright and awesome bye cheers continue cool day done evening excellent fine go good goodbye got great haha hello hey hi hm
hmm how are you i'm it k kk later lol lot lovely many morning much nice night no nope now ok okay on perfect please really right see so
super sure test thank thanks thats that's there thx today ty u understood very welcome well wow yeah yep yes you're
bonjour ciao danke gracias hallo hola merci salut
"""
_POLITE = """
a able about always an any anything appreciate as ask assist at be because but by can congratulations could delighted do else feel for
free from further glad gladly had happy have hear help helpful here hesitate i i'd i'll i've if in information interesting is just keep
know let like me mention mind more need noted of or out pleasure question questions remember share sharing should some something sounds
tell telling than that them this to was we what whenever which will wish with would you'd you'll you've your
"""

SMALL_TALK = frozenset(_LITTLE.split())
"""A message of these words alone tells nothing: "ok, thanks!", "hi there", "yes please"."""
POLITENESS = SMALL_TALK | frozenset(_POLITE.split())
"""An answer of these words alone tells nothing, unless something was asked: "Thank you for sharing! How can I help?"."""
