"""Talk of what is outside the dialog: of being a program, of the prompt, of the dialog as a text that is written."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cached_property

from .speech import unquoted

__all__ = ["HINTS", "meta_talk"]

_MACHINE_WORDS = (
    "ai artificial model llm chatbot bot robot program machine computer software algorithm assistant network chatgpt "
    "gpt"
)
_MACHINE = (
    r"(?:ai(?: (?:language )?model| chat ?bot| (?:chat |voice |virtual |digital |writing )?assistant| bot| system| "
    r"program| companion| entity| tool| agent)?|artificial intelligence(?: (?:language )?model| system| program| "
    r"assistant)?|(?:large )?language model|llm|chat ?bot|bot|machine(?: learning model)?|(?:virtual|digital|"
    r"automated|text-based|conversational|computer) (?:ai )?(?:assistant|agent|program|model)|computer(?: program| "
    r"system)?|neural network|(?:piece of )?software(?: program)?|robot|program|algorithm|chatgpt|gpt-?\d?)"
)
_KIND_OF = (
    r"(?:(?:text-based|large|helpful|friendly|simple|advanced|conversational|virtual|digital|powerful|humble|mere|"
    r"computer|trained|neutral|generative|cloud-based|responsible|harmless|new|little|sophisticated|automated|"
    r"artificial|complex|polite|non-human|unbiased|pre-trained|small|sort of|kind of|type of),? ){0,3}"
)
# "an AI engineer", "a robot builder": those are of the trade, not of the kind.
_NO_TRADE = (
    r"(?=\s*(?:[.,;:!?)\]…\"”—–-](?!\w)|$|(?:and|so|but|or|which|that|who|my|i|i'm|it|here|without|with|not|designed|"
    r"developed|trained|created|built|made|programmed|by|of|for you|to (?:help|assist)|like me|in this|at|"
    r"i'[a-z]+)\b))"
)
_I_AM = (
    r"\b(?:i'?m|i am|being)(?: (?:just|only|simply|really|actually|merely|also|still|after all|in fact|nothing "
    r"(?:more|but)(?: than)?|basically|afraid i'?m|sorry but i'?m))?"
)
_MAKERS = (
    r"(?:openai|open ai|anthropic|google|meta|microsoft|hugging ?face|alibaba|mistral|deepmind|a team of "
    r"(?:researchers|engineers|developers))"
)

_PAPER_WORDS = (
    "response responses reply replies utterance utterances continuation dialogue dialogues dialog conversation "
    "script output roleplay role"
)
_PAPER = (
    r"(?:response|reply|utterance|continuation|dialogue|dialog|conversation|script|output|line of dialogue|roleplay|"
    r"role-play)"
)
_DIALOG_WORDS = "conversation dialogue dialog scene chat transcript roleplay role simulation script exchange skit"
_DIALOG = r"(?:conversation|dialogue|dialog|scene|chat|transcript|role-?play|role play|simulation|script|exchange|skit)"
_SORT_OF_PAPER = (
    r"(?:(?:possible|potential|short|brief|sample|example|suggested|revised|rewritten|one-sentence|simple|natural|"
    r"appropriate|realistic|polite|friendly|creative|next|updated|improved|in-character|single|quick|fitting|"
    r"plausible|concise|alternative|different|better|new|modified|suitable|more),? ){0,3}"
)


class _Sign:
    """A pattern, and words of which every text that it fits has one; most texts have none."""

    def __init__(self, words: str, *parts: str) -> None:
        self.words = frozenset(words.encode().split())
        self._pattern = "".join(parts)

    @cached_property  # compiling all of them takes longer than many a dialog
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self._pattern, re.IGNORECASE | re.MULTILINE)


_OF_ITSELF = (
    _Sign(_MACHINE_WORDS, rf"\bas an? {_KIND_OF}{_MACHINE}{_NO_TRADE}(?=.{{0,120}}\b(?:i|i'm|i've|my|me|we)\b)"),
    _Sign(_MACHINE_WORDS, rf"{_I_AM} an? {_KIND_OF}{_MACHINE}{_NO_TRADE}"),
    _Sign("chatgpt gpt", r"\b(?:i'?m|i am) (?:just )?chat ?gpt\b"),
    _Sign(
        "human person",
        r"\bi(?:'m| am) not (?:actually |really )?(?:a |an )?(?:real human|real person|human(?: being)?|actual "
        r"(?:human|person))\b",
    ),
    _Sign(
        "physical personal feelings emotions opinions consciousness senses buds experiences",
        r"\bi (?:do not|don't|cannot|can't|can not) (?:actually |really |truly )?(?:have|possess|experience|form|"
        r"hold) (?:(?:a )?physical (?:body|form|presence)|personal (?:opinions|beliefs|emotions|feelings|preferences|"
        r"experiences or)|(?:human |real |any )?(?:feelings|emotions|consciousness)(?: or|,? and|, or|/) (?:\w+ "
        r")?(?:emotions|feelings|opinions|consciousness|thoughts|experiences)|(?:feelings|emotions|opinions|taste "
        r"buds|senses|experiences) (?:like|as|the way) (?:a |real )?(?:human|people|person))",
    ),
    _Sign(
        "knowledge training programming creators developers algorithm algorithms",
        r"\bmy (?:knowledge (?:cut-?off|base (?:ends|only|does))|training (?:cut-?off|data (?:only|goes|includes|"
        r"ends|does|doesn't|is limited|stops|set|has|contains|comes|cuts))|programming (?:does not|doesn't|prevents|"
        r"only|allows|forbids|won't|limits|is limited)|(?:creators|developers) at |algorithms? (?:do|does|are|is|can|"
        r"prevent))",
    ),
    _Sign("programmed", r"\bi (?:was|am|have been|'ve been|'m) (?:only )?programmed (?:to|by|for|not)\b"),
    _Sign(
        "openai ai anthropic google meta microsoft huggingface hugging alibaba mistral deepmind team",
        rf"\b(?:i (?:was|am|have been)|i'm) (?:created|made|developed|trained|built|designed) by {_MAKERS}\b",
    ),
    _Sign(
        "designed created",
        r"\bi (?:was|am|have been|'ve been) (?:designed|created) to (?:assist|help users|provide|answer|simulate|"
        r"generate|process)\b",
    ),
    _Sign(
        "trained",
        r"\bi (?:was|am|have been|'ve been) trained (?:by|on) (?:a (?:large|vast|huge|massive|wide|diverse)|large|"
        r"vast|huge|massive|billions|millions|text|data|lots of text)\b",
    ),
)

_OF_THE_TEXT = (
    _Sign(  # "Here is a possible response:"
        _PAPER_WORDS,
        r"\b(?:here(?:'s| is| are)|below is|sure,? (?:a|one)) (?:(?:a|an|one|my|the|your|some|another) )?",
        rf"{_SORT_OF_PAPER}{_PAPER}s?\b(?! from| i (?:got|received))[^.!?\n:]{{0,60}}:",
    ),
    _Sign(
        "note disclaimer",
        rf"^\W{{0,4}}(?:note|disclaimer)\W{{0,3}}:[^\n]{{0,60}}\b(?:this|the) (?:is a fictional|{_PAPER}|{_DIALOG}|"
        rf"answer|persona|"
        r"character|model)\b",
    ),
    _Sign(
        "response reply utterance output dialogue",
        r"^\W{0,4}(?:response|reply|utterance|output|dialogue|assistant's (?:response|reply)|next utterance|your "
        r"(?:response|reply))\W{0,3}:",
    ),
    _Sign(
        "response reply utterance dialogue",
        r"\bthis (?:response|reply|utterance|dialogue) (?:shows|maintains|reflects|demonstrates|keeps|stays|avoids|"
        r"follows|acknowledges|captures|aims|continues|ends|conveys|sounds|is (?:short|in line|consistent|in "
        r"character|meant|designed|written|appropriate))",
    ),
    _Sign(
        "generate write compose produce rewrite craft",
        rf"\b(?:generate|write|compose|produce|rewrite|craft) (?:(?:a|an|another|the|one|your|my) )?{_SORT_OF_PAPER}"
        r"(?:response|reply|dialogue|utterance|continuation)s?\b(?! to (?:him|her|them|my|the (?:email|letter|mail|"
        r"bank|landlord|invitation)))",
    ),
    _Sign(
        "continue complete rewrite extend finish",
        r"\b(?:continue|complete|rewrite|extend|finish) (?:the|this|our) (?:dialogue|dialog|role-?play|script|"
        r"simulation|scene)\b",
    ),
    _Sign(
        "above preceding given provided",
        rf"\bthe (?:above|preceding|given|provided) (?:{_DIALOG}|instructions?|prompt|text|context|persona)\b|"
        rf"\b(?:{_DIALOG}|prompt|instructions?) (?:above|given above|provided above)\b",
    ),
    _Sign(
        "prompt system persona",
        r"\b(?:as per|according to|based on|following|given|outside|beyond|stated in|mentioned in|described in|in "
        r"response to|specified in|instructed in|from|in|ignore|by|violate|violates) (?:the|your|this|my) (?:given |"
        r"original |initial |above |user's |user |system )?(?:prompt|system message|system instructions?|persona "
        r"description)\b(?! (?:reply|response|delivery|action|attention|payment|window|box|screen|field|help|service|"
        r"care|line|on the|that (?:appears|pops)))",
    ),
    _Sign(
        "prompt instructions",
        r"\b(?:my|your|the) (?:system|initial|original) (?:prompt|instructions) (?:says?|tells?|states?|do|does|"
        r"forbids?|asks?|requires?|instructs?|is|are|specify|specifies)\b",
    ),
    _Sign("prompt", r"\bsystem prompt\b"),
    _Sign("im endoftext insert", r"<\|?(?:im_start|im_end|endoftext)\|?>|<insert\b[^>\n]{0,40}>"),
    _Sign(
        "user user's",
        r"\bthe user(?:'s)? (?:wants|is asking|asks|asked|expects|told|has asked|instructed|would like|needs|"
        r"prompted|prompts|said|says|message|prompt|input|query)(?: for| me)?(?: to)? ?(?:me|respond|reply|act|play|"
        r"speak|be|continue|say|write|generate|answer|a (?:short|response|reply)|that i|is\b)",
    ),
    _Sign(
        "respond reply speak answer act write",
        r"\bi (?:need|have|should|must|will|'ll|was asked|was told|am supposed|'m supposed|am instructed|was "
        r"instructed|am asked|'m asked|am going|'m going)(?: to)? (?:now )?(?:respond|reply|speak|answer|act|write) "
        r"(?:as|in|with) (?:a |an |the |one |only |my )?(?:character|short (?:utterance|response|reply|sentence)|one|"
        r"persona|role|single (?:sentence|utterance)|utterance|given)\b",
    ),
    _Sign(
        "persona persona's assigned",
        r"\bmy (?:given )?persona(?:'s)? (?:is|would|profile|traits|description|says|does|wouldn't|doesn't)\b|\bas "
        r"my persona\b|\b(?:my|the) assigned (?:role|character|persona)\b",
    ),
    _Sign(
        "character",
        r"\b(?:i(?:'ll| will| need to| must| should| have to|'m going to| am going to| can| can't| cannot| am trying "
        r"to|'m trying to)|let me|let's|trying to|sorry for|apologies for|without|i'm|to|not) (?:just )?(?:stay|"
        r"staying|remain|remaining|be|break|breaking|step(?:ping)? out of|speak|continue|keep|respond|reply|get back|"
        r"go back|return|am)(?: (?:in|into|to))? character\b",
    ),
    _Sign(
        "roleplay roleplaying role simulated hypothetical fictional simulation",
        r"\b(?:in|for|within|during|of|end|ending|continue|pause|stop|leave|exit) (?:this|our|the) "
        r"(?:role-?play(?:ing)?|role play|simulated (?:conversation|dialogue|scenario|chat)|hypothetical "
        r"(?:conversation|dialogue)|fictional (?:scenario|dialogue|conversation)|simulation)(?:,? (?:i|my|and i|now|"
        r"here|exercise|scenario)\b|[.!:]|$)",
    ),
    _Sign(
        "simulate simulating roleplay roleplaying role playing pretending",
        r"\bi(?:'m| am| will|'ll| can| would)? (?:be )?(?:happy to |here to |ready to |glad to |able to "
        r")?(?:simulate|role-?play|roleplaying|simulating|pretending to be|playing the (?:role|part|character) of) "
        r"(?:a|an|the|this|your|as)\b(?=[^.!?\n]{0,40}\b(?:conversation|dialogue|customer|scenario|persona|character|"
        r"assistant|user|person|for you|in this)\b)",
    ),
    _Sign(
        "limit token context",
        r"\bmy (?:token|context|response|output|word|character|reply) (?:limit|length|window|budget)\b",
    ),
    _Sign(
        "continue rewrite generate revise extend adjust modify try",
        r"\bwould you like me to (?:continue|rewrite|generate|revise|extend|adjust|modify|try another) (?:the|this|"
        r"another|a|my)? ?(?:\w{1,20} )?(?:dialogue|conversation|story|response|scene|role-?play|version|reply)\b",
    ),
    _Sign(
        "fictional simulated hypothetical generated scripted",
        r"\bthis is (?:a|only a|just a) (?:fictional|simulated|hypothetical|generated|scripted) (?:conversation|"
        r"dialogue|scenario|response|exchange|chat)\b",
    ),
    _Sign(
        _DIALOG_WORDS,
        r"\b(?:and so,? |with that,? |thus,? |and )?the (?:conversation|dialogue|scene|role-?play) (?:ends|concludes|"
        r"continues|fades|closes)(?: here| there| with| as|[.!])",
    ),
)
_IN_BRACKETS = (
    _Sign(  # placeholders
        "",
        r"\[(?:insert|your|fill in|mention|add|provide|describe|specify)\b[^\]\n]{1,60}\]|\[(?:[\w' ]{0,24} "
        r")?(?:name|address|number|date|company|location|product|city|place|topic|title|email|amount|price|item)\]|"
        r"\{\{?(?:[a-z]{1,12}[_ ]){0,3}(?:name|user|char|date|city|location|speaker|persona|response|address|topic|"
        r"item)\}?\}",
    ),
    _Sign(  # "[End of conversation]"
        "",
        rf"[\[(*]\s*(?:the |this |our )?(?:end(?:s|ing)?(?: of)?(?: the| this| our)? {_DIALOG}|{_DIALOG} (?:ends?|"
        rf"continues?|"
        r"begins?|starts?|is over|over|closed?|fades?|concludes?|has ended|goes on|resumes?)|to be continued|"
        r"awaiting|waiting for (?:the |your |user )?(?:user|response|reply|input|next)|waits for (?:the )?(?:user|"
        r"response|reply|your|next)|user(?:'s)? (?:input|response|turn|reply)|your (?:response|turn|reply)|(?:pause|"
        r"pauses|pausing) for (?:a )?(?:user|"
        rf"response|reply|your|the user)|continu(?:e|es|ing)(?: the)? {_DIALOG}|disclaimer|as (?:an )?ai\b|ooc\b|out "
        rf"of character|"
        r"in character|respond(?:s|ing)? as|replies as|reply as|speaking as|word count|\d{1,4} words?|this "
        r"(?:response|reply|message|utterance)|(?:i am|i'm|i will|i'll|i would) (?:now )?(?:respond|reply|continu|"
        r"pretend|play|act|speaking|roleplay|answering|staying|in character)|note:? (?:this|the|i|that)|end\]|end\)|"
        r"exit)",
    ),
)

_ALL: tuple[_Sign, ...] = (*_OF_THE_TEXT, *_OF_ITSELF)

HINTS = frozenset[bytes]().union(*(sign.words for sign in _ALL))


def meta_talk(text: str, hints: Collection[bytes], *, has_brackets: bool, is_machine: bool) -> str | None:
    """The words that speak of what is outside the dialog, or None. A machine by role may speak of itself as one.

    `hints` are those of `HINTS` that are in the text.
    """
    known = _OF_THE_TEXT if is_machine else _ALL
    signs = [sign for sign in known if not sign.words.isdisjoint(hints)]
    if has_brackets:
        signs += _IN_BRACKETS
    if not signs:
        return None
    said = unquoted(text).replace("’", "'")
    found = next((found for sign in signs if (found := sign.pattern.search(said))), None)
    return None if found is None else found[0].strip()
