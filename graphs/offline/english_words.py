"""English phrases that make up commands, as tables; patterns use ``_`` as in phrases."""

from graphs.offline.phrases import either, words_of

POLITE = either(
    "please|pls|plz|kindly|just|also|and|so|now|then|ok|okay|alright|great|thanks|thank "
    "you|yes|yeah|sure",
    "do me a favou?r and|hey|hi|hello|tomato|actually|oh|well|first|next|finally|sorry",
    "(?:can|could|would|will) (?:you|u)|would you mind|go ahead and|make sure (?:to|you)"
    "|be sure to|help me(?: to)?",
    "i (?:want|need|would like|'d like) you to|i'd like you to|i want to|i'd like to|i "
    "would like to|i need to|let's|let us|let me",
)
LEAD = f"(?:{POLITE}(?:[\\s,.!]+|$)){{0,5}}"
TRAIL = (
    r"(?:[\s,]+(?:please|pls|plz|thanks|thank you|thx|for me|for later|for future "
    r"reference|now|again|too|as well|ok|okay|if you can|would you|could you|will you"
    r"|tomato))*[\s.!~)\"'”’]*"
)

_NOUN = (
    "(?:notes?|text|message|answer|reply|response|conversation|chat|recipe|link|url|idea"
    "|info|information"
    "|facts?|things?|one|paragraph|code|snippet|command|quote|list|address|number|tip"
    "|summary|output|result"
    "|line|passage|content|stuff|thought|memo|entry|item|bit|part|table|config|error"
    "|detail|details)"
)
THING = either(
    "(?:this|that|these|those|the following|the above|the below|the (?:last|previous"
    f"|next))(?: {_NOUN})?",
    "it|them|what follows|everything above|all of (?:this|that|it)|the text (?:below|above)",
    "(?:my|your)(?: (?:last|previous|latest))? (?:message|answer|reply|response|question"
    "|explanation|text|words)",
    "what (?:i|you|we) (?:just )?(?:said|wrote|told (?:you|me)|explained|discussed|sent)",
    "(?:a|the|one|another) (?:new )?(?:quick )?(?:note|memo|entry|reminder)",
)
ARCHIVE = (
    "(?:(?:my |the |your |our )?(?:archive|notes?|memory|memories|list of notes"
    "|knowledge base|database))"
)
KEEP = either(
    "save|store|archive|keep|remember|memori[sz]e|record|log|note|bookmark|stash|preserve",
    f"(?:write|jot|take|put)(?= (?:{THING}) down)",
    f"(?:add|put|write)(?= (?:{THING})(?: down)? (?:to|in|into) {ARCHIVE})",
)

NOTE = (
    "(?:notes?|entry|entries|memos?|saved (?:notes?|items?|entries|things?)|items?"
    "|records?|archive entry|archived? notes?)"
)
ABOUT = (
    "(?:about|on|for|regarding|concerning|related to|relating to|of|with|called|named"
    "|titled|labell?ed|mentioning|under|containing)"
)
SAVED = (
    "(?:save|store|note|write|wrote|written|archive|record|keep|kept|tell you|told you"
    "|told|bookmark|file|log|jot"
    "|memori[sz]e|ask you to (?:save|remember|note|store)|asked you to (?:save|remember"
    "|note|store)|say|said)(?:d|ed)?(?: down)?"
)

ORDINALS: dict[str, int] = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "last": -1, "final": -1, "bottom": -1, "top": 1,
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10,
}  # fmt: skip

# Words that say that something of the archive is meant, not what.
GENERIC = words_of(
    "my the a an any all some every everything anything something me i you we it its "
    "that this those these "
    "notes note memo memos entry entries item items saved archived stored stuff things "
    "thing list archive "
    "please again for about on of regarding concerning related to have had i've ive so "
    "far in from under with "
    "what which did do does save store wrote written earlier before yesterday previously "
    "there is are was were "
    "tell show give said recently ever info information and contents content memory "
    "memories one ones now today "
    "can could out up down at whatever"
)
EDGES = words_of(
    "my the a an any all some please again about on of regarding concerning for saved "
    "archived stored note notes "
    "memo memos entry entries item from earlier before yesterday previously called named "
    "titled labeled labelled "
    "me that i in archive anything something to with thing things stuff info information "
    "too now is are was were it"
)
# After "save" these go on about saving; they are nothing to keep.
NOT_CONTENT = words_of(
    "button buttons file files failed fails failure error errors icon dialog money time "
    "game games point points "
    "state as or changes work progress images image data settings documents document "
    "energy space battery face "
    "me us him her you users user lives life yourself some water button, key shortcut "
    "options option"
)
