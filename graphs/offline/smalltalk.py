"""Greetings, thanks, and questions on what can be done, in Korean and English. Pure."""

from graphs.offline.intent import Intent, Kind
from graphs.offline.phrases import Phrase, either
from memory.text import Language

_MARKS = r"[\s.!?~…,^ㅎㅋㅠㅜ:;)♥❤👍🙏🍅]*"
_NAME = "(?:토마토(?:야|님)?|tomato|there|everyone|all)?"

_TABLE: tuple[tuple[Kind, Language, str], ...] = (
    (
        "greet",
        "ko", either(
        "안녕(?:하세요|하십니까|하신가요|히_계세요|히_가세요)?",
        "반가워요?|반갑습니다|반가워",
        "하이|헬로우?|ㅎㅇ|여보세요|좋은_아침(?:이에요|입니다)?|잘_지냈어요?|처음_뵙겠습니다"
        "|굿모닝|굿나잇|잘_자요?")),
    (
        "greet",
        "en", either(
        "hi|hello|hey|yo|hiya|howdy|greetings|sup|what's up",
        "good (?:morning|afternoon|evening|day|night)|nice to meet you|how are you(?: "
        "doing)?(?: today)?|bye|goodbye|see you")),
    (
        "thanks",
        "ko", either(
        "(?:정말_|너무_|진짜_)?(?:고마워요?|고맙습니다|고맙다|감사(?:해요|합니다|해)?|땡큐"
        "|ㄱㅅ|수고(?:했어요?|하셨습니다|하세요)?)",
        "(?:네|넵|넹|예|응|웅|어|그래요?|알겠(?:어요?|습니다)|알았(?:어요?|습니다)|좋아요?"
        "|오케이|오키|ㅇㅋ|ㅇㅇ|됐어요?|괜찮아요?"
        "|아니(?:요|야|에요)?|ㄴㄴ|완벽해요?|최고(?:야|예요)?"
        "|잘했어요?)(?:[\\s,.!]+(?:고마워요?|감사합니다|고맙습니다))?")),
    (
        "thanks",
        "en", either(
        "(?:ok |okay |great |perfect |cool |no )?(?:thanks|thank you|thx|ty|cheers)(?: so "
        "much| a lot| very much| again| you)?",
        "ok|okay|k|great|cool|nice|perfect|awesome|good|yes|yeah|yep|no|nope|sure|fine"
        "|alright|all right|got it|well done|good job|sounds good")),
    (
        "help",
        "ko", either(
        "도움말|사용법|사용_방법|도와_?줘요?|도와_?주세요|헬프|help|명령어(?:_목록)?"
        "|기능(?:_목록)?|메뉴",
        "(?:너는?_|넌_|당신은_|여기서_|이거_|이건_|이걸로_)?(?:뭐|뭘|무엇을|무슨_일을|어떤_걸"
        "|어떤_것을"
        "|어떤_일을)_?(?:할_수_있(?:어요?|니|나요?|습니까|지)|하는_?(?:거야|건가요|앱이야|봇이야))",
        "(?:너는?_|넌_|당신은_)?(?:누구(?:야|니|세요|예요|입니까)|뭐(?:야|니|하는_(?:애|거)야))",
        "어떻게_(?:써|쓰는_거야|사용해|사용하나요|쓰나요|쓰면_돼)(?:요)?",
        "(?:무슨|어떤)_(?:모델|기능)(?:이야|이_있어|이에요|을_써|을_쓰고_있어)?(?:요)?")),
    (
        "help",
        "en", either(
        "help(?: me)?|usage|commands|menu|what can i (?:do|say|ask)(?: here)?|what can you "
        "do(?: for me)?|what do you do|how (?:does this|do you) work|how (?:do|can) i use "
        "(?:this|you)|who are you|what are you|what is this|what are your (?:commands"
        "|features|capabilities)|(?:which|what) model (?:are you|is this|do you use)"
        "|instructions|how to use(?: this)?")),
)  # fmt: skip
_TALK = tuple(
    (kind, spoken, Phrase(f"^{_MARKS}(?:{said})(?:[\\s,]+{_NAME})?{_MARKS}$"))
    for kind, spoken, said in _TABLE
)


def small_talk(message: str) -> Intent | None:
    """A greeting, thanks or a plea for help that is the whole of ``message``."""
    for kind, spoken, pattern in _TALK:
        if pattern.match(message):
            return Intent(kind=kind, language=spoken)
    return None
