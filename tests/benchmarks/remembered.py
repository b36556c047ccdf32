"""A made-up year of conversations to measure recall on: facts, later updates of facts, talk in between, and questions.

Everything is drawn from a fixed seed. A `direct` question uses the words of the fact, a `paraphrased` one shares nothing with it but
names. Of facts that change later, half are told in the words of the old one (`restated`), half in others (`reworded`); both kinds of
question are asked for the new one. Many facts are about the same people and projects, so that a name alone finds nothing, and the talk
in between mentions them too.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["direct", "paraphrased", "restated", "reworded"]


def _listed(names: str) -> list[str]:
    return names.split(",")


PEOPLE = _listed(
    """Clara,Tomás,Ingrid,Yusuf,Beatrix,Lorenzo,Mei,Anselm,Priya,Oskar,Fatima,Gunnar,Noemi,Dmitri,Aiko,Rowan,Salma,Viktor,Elif,Casper,Leonie,Mateo,Harriet,Bogdan,Sunniva,Kofi,Margit,Rafael,Zofia,Emil,Tamsin,Hugo,Amara,Jonas,Petra,Idris"""
)
PROJECTS = _listed(
    "Bluebird,Granite,Halcyon,Juniper,Kestrel,Lantern,Marigold,Nimbus,Obsidian,Periwinkle,Quartz,Sandpiper,Tundra"
)
CITIES = _listed(
    """Lyon,Porto,Oslo,Graz,Bergen,Split,Ghent,Turin,Malmö,Leipzig,Kraków,Bilbao,Tartu,Basel,Verona,Galway,Utrecht,Cork,Nantes,Aarhus,Zadar,Siena,Brno,Linz"""
)


@dataclass(frozen=True)
class Attribute:
    """Something that can be said of a person or project; `{who}` and `{what}` are filled in."""

    fact: str
    direct: str
    paraphrased: str
    values: Sequence[str]
    update: str | None = None


OF_PEOPLE = (
    Attribute(
        "{who} lives in {what}.",
        "Where does {who} live?",
        "In which town is {who}'s home?",
        CITIES,
        "{who} has moved house and is in {what} now.",
    ),
    Attribute(
        "{who} works as a {what}.",
        "What does {who} work as?",
        "How does {who} earn a living?",
        _listed("glazier,midwife,notary,potter,welder,pilot,surveyor,chemist,florist,luthier,judge,bookbinder"),
        "{who} quit the old job and became a {what}.",
    ),
    Attribute(
        "{who} has a pet {what}.",
        "What kind of pet does {who} have?",
        "Which animal waits at home for {who}?",
        _listed("tortoise,ferret,parrot,beagle,hedgehog,gecko,rabbit,cockatoo,poodle,hamster"),
    ),
    Attribute(
        "{who} is allergic to {what}.",
        "What is {who} allergic to?",
        "Which ingredient must I leave out when I cook for {who}?",
        _listed("peanuts,shellfish,celery,sesame,walnuts,lupin,mustard,soy,eggs,kiwi"),
    ),
    Attribute(
        "{who}'s birthday is on {what}.",
        "When is {who}'s birthday?",
        "On which day do I have to buy {who} a present?",
        [f"{month} {day}" for month in ("January", "April", "August", "October") for day in (3, 11, 19, 27)],
    ),
    Attribute(
        "{who} always orders {what}.",
        "What does {who} order?",
        "What shall I get {who} at the bar?",
        _listed("cider,espresso,oat milk,tonic water,ginger ale,green tea,stout,lemonade,cocoa"),
        "{who} drinks nothing but {what} these days.",
    ),
    Attribute(
        "{who} drives a {what}.",
        "What does {who} drive?",
        "Which vehicle shall I look for when {who} picks me up?",
        _listed("red Volvo,green Fiat,white van,yellow Mini,grey Skoda,black Jeep,blue pickup"),
        "{who} sold the old car for a {what}.",
    ),
    Attribute(
        "{who} plays the {what} on weekends.",
        "What does {who} play on weekends?",
        "What kind of musician is {who}?",
        _listed("cello,accordion,trumpet,harp,banjo,oboe,drums,bagpipes"),
    ),
    Attribute(
        "{who} speaks fluent {what}.",
        "Which language does {who} speak?",
        "What should the greeting card for {who} be written in?",
        _listed("Welsh,Finnish,Basque,Turkish,Greek,Hungarian,Korean,Icelandic"),
    ),
    Attribute(
        "{who} is reading {what}.",
        "What is {who} reading?",
        "Which novel lies on {who}'s bedside table?",
        _listed("Middlemarch,Dracula,Persuasion,Moby-Dick,The Trial,Emma,Hard Times,Ulysses"),
    ),
)
OF_PROJECTS = (
    Attribute(
        "The deadline of {who} is {what}.",
        "When is the deadline of {who}?",
        "By what date must we be finished with {who}?",
        [f"the {day}th of {month}" for month in ("March", "June", "November") for day in (5, 14, 26)],
        "The customer gave us until {what} for {who}.",
    ),
    Attribute(
        "{who} listens on port {what}.",
        "Which port does {who} listen on?",
        "How do I connect to the {who} server?",
        [str(number) for number in range(8080, 8800, 37)],
    ),
    Attribute(
        "The budget of {who} is {what} euros.",
        "What is the budget of {who}?",
        "How much money may we spend on {who}?",
        [str(number) for number in range(12_000, 90_000, 3_500)],
        "Finance cut {who} down to {what} euros.",
    ),
    Attribute(
        "{who} is written in {what}.",
        "What is {who} written in?",
        "Which programming language do I need for {who}?",
        _listed("Rust,Haskell,Kotlin,Elixir,Fortran,OCaml,Zig,Julia"),
    ),
    Attribute(
        "The backups of {who} are kept in {what}.",
        "Where are the backups of {who} kept?",
        "From which place can we restore lost data of {who}?",
        ["the basement safe", "a bank vault", "the Zurich data centre", "cold storage", "the old barn"],
    ),
)
OF_MYSELF = (
    ("I am vegetarian.", "Am I vegetarian?", "May I eat the beef stew?"),
    ("My shoe size is 43.", "What is my shoe size?", "Which boots would fit me?"),
    ("I can't stand coriander.", "Which herb can't I stand?", "What should be left off my taco?"),
    ("My favourite composer is Schubert.", "Who is my favourite composer?", "Whose music do I love the most?"),
    ("I wake up at half past five every morning.", "When do I wake up?", "Am I an early bird?"),
    (
        "My wedding anniversary is on September 9.",
        "When is my wedding anniversary?",
        "On which date did I get married?",
    ),
    (
        "The wifi password at the cabin is on the fridge.",
        "Where is the wifi password at the cabin?",
        "How do I get online in the mountains?",
    ),
    ("I broke my left wrist while skiing last winter.", "Which wrist did I break?", "What injury did I have?"),
    ("We are expecting a baby in July.", "When are we expecting a baby?", "When will our child be born?"),
    ("My landlord is called Mr. Hofer.", "What is my landlord called?", "Who do I pay the rent to?"),
    (
        "I take two tablets of magnesium before bed.",
        "How many tablets of magnesium do I take?",
        "Which supplements do I swallow in the evening?",
    ),
    ("My bicycle was stolen in front of the library.", "Where was my bicycle stolen?", "What happened to my bike?"),
    (
        "I have been learning the violin since spring.",
        "Since when have I been learning the violin?",
        "Which instrument am I a beginner at?",
    ),
    (
        "Our daughter goes to the Montessori school.",
        "Which school does our daughter go to?",
        "Where is our girl being taught?",
    ),
    (
        "I prefer aisle seats on planes.",
        "Which seats do I prefer on planes?",
        "What should you book for me when I fly?",
    ),
    (
        "My doctor told me to cut down on salt.",
        "What did my doctor tell me?",
        "Is there something unhealthy that I should eat less of?",
    ),
)
REPLIES = (
    "Thanks for telling me!",
    "Got it, I will keep that in mind.",
    "Interesting! Is there anything that I can help you with?",
    "Good to know. That sounds nice.",
    "I see. Would you like me to suggest something that goes with it?",
    "Noted. Let me know if anything changes, and I will gladly help you plan around it.",
    "That is lovely to hear. Many people would say the same, and there is a lot to like about it.",
)
TALK = (
    ("How do I boil an egg?", "Put it into boiling water for seven minutes, then cool it under the tap."),
    ("Write a haiku about rain.", "Soft rain on the roof / a grey afternoon slows down / the kettle answers."),
    ("What is the capital of Australia?", "Canberra is the capital of Australia."),
    (
        "Explain recursion to me.",
        "A function that calls itself on a smaller part of the problem until the part is trivial.",
    ),
    (
        "I am meeting {person} tomorrow, what should I wear?",
        "Something comfortable that you like; the weather looks mild.",
    ),
    (
        "Help me to write a short note to {person}.",
        "Dear {person}, thank you for the other day. I hope that we see each other soon.",
    ),
    ("{person} was so funny at dinner yesterday.", "It sounds as if you had a great evening together!"),
    (
        "What could I cook for {person} and two more guests?",
        "How about a risotto with mushrooms, and baked apples for dessert?",
    ),
    ("Draft an agenda for the {project} meeting.", "1. Welcome. 2. State of the work. 3. Risks. 4. Next steps."),
    ("The {project} meeting was exhausting.", "I am sorry to hear that. A short walk may help."),
    ("How do I exit vim?", "Press Escape, type :q! and press Enter."),
    (
        "What is a good museum in {city}?",
        "The city museum is a good start, and the old town around it is worth a walk.",
    ),
    ("How is the weather in {city} in May?", "Usually mild, with some rain; take a light jacket."),
    ("Which train goes to {city}?", "I cannot see timetables, but there is usually one every two hours."),
    ("What is the difference between a list and a tuple?", "A list can be changed after it was made, a tuple cannot."),
    ("Summarise the plot of Hamlet.", "A prince feigns madness while he looks for a way to avenge his father."),
)
TALKED = 240
UPDATES = 70


@dataclass(frozen=True)
class Said:
    """One turn. `fact` numbers what it tells, None where it tells nothing."""

    message: str
    answer: str
    fact: int | None = None


@dataclass(frozen=True)
class Asked:
    """A question and the number of the fact that answers it; `outdated` is the number of the one that does not any more."""

    kind: Kind
    text: str
    fact: int
    outdated: int | None = None


@dataclass
class Year:
    """Sessions in their order, and questions that are asked after all of them."""

    sessions: list[list[Said]] = field(default_factory=list)
    questions: list[Asked] = field(default_factory=list)


def year(seed: int = 7) -> Year:
    """The conversations and questions of a seed."""
    dice = random.Random(seed)
    told: list[str] = []
    made = Year()
    for subject, attribute in _subjects():
        told.append(attribute.fact.format(who=subject, what=dice.choice(attribute.values)))
        made.questions.append(Asked("direct", attribute.direct.format(who=subject), len(told) - 1))
        made.questions.append(Asked("paraphrased", attribute.paraphrased.format(who=subject), len(told) - 1))
    for fact, direct, paraphrased in OF_MYSELF:
        told.append(fact)
        made.questions.append(Asked("direct", direct, len(told) - 1))
        made.questions.append(Asked("paraphrased", paraphrased, len(told) - 1))
    first = len(told)
    changing = [(old, *each) for old, each in enumerate(_subjects()) if each[1].update]
    for old, subject, attribute in dice.sample(changing, UPDATES):
        value = dice.choice([each for each in attribute.values if each not in told[old]])
        restated = dice.random() < 0.5
        said = f"It has changed: {attribute.fact}" if restated else attribute.update or ""
        told.append(said.format(who=subject, what=value))
        made.questions = [each for each in made.questions if each.fact != old]
        kind: Kind = "restated" if restated else "reworded"
        for text in (attribute.direct, attribute.paraphrased):
            made.questions.append(Asked(kind, text.format(who=subject), len(told) - 1, outdated=old))
    turns = [Said(text, dice.choice(REPLIES), fact) for fact, text in enumerate(told[:first])]
    turns += [_talk(dice) for _ in range(TALKED)]
    dice.shuffle(turns)
    newer = [Said(told[fact], dice.choice(REPLIES), fact) for fact in range(first, len(told))]
    newer += [_talk(dice) for _ in range(TALKED // 8)]
    dice.shuffle(newer)
    turns += newer
    made.sessions = [turns[start : start + 8] for start in range(0, len(turns), 8)]
    return made


def _subjects() -> Iterator[tuple[str, Attribute]]:
    for person in PEOPLE:
        for attribute in OF_PEOPLE:
            yield person, attribute
    for project in PROJECTS:
        for attribute in OF_PROJECTS:
            yield project, attribute


def _talk(dice: random.Random) -> Said:
    names = {"person": dice.choice(PEOPLE), "project": dice.choice(PROJECTS), "city": dice.choice(CITIES)}
    message, answer = dice.choice(TALK)
    return Said(message.format(**names), answer.format(**names))
