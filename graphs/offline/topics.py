"""Categories by keywords: the person's own that fits, else a plain new one. Pure.

A topic has its names in both languages, first those that a new category gets, and the words that
tell of it. Korean words count wherever they begin a word, English ones in any form.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphs.offline.relevance import coverage, folded_words, key_words
from memory.text import Language, language, normalize

_SAMPLE = 8_000
_HANGUL = re.compile(r"[가-힣]")
_CATCH_ALL: Mapping[Language, tuple[str, ...]] = {
    "ko": ("메모", "노트", "기타", "일반", "기록"),
    "en": ("Notes", "Note", "General", "Misc", "Miscellaneous", "Other"),
}


@dataclass(frozen=True, slots=True)
class _Topic:
    ko: tuple[str, ...]
    en: tuple[str, ...]
    told_by: tuple[str, ...]


def _topic(ko: str, en: str, told_by: str) -> _Topic:
    return _Topic(tuple(ko.split("|")), tuple(en.split("|")), tuple(told_by.split()))


TOPICS = (
    _topic("데이터베이스|DB|디비", "Databases|Database|DB|SQL",
           "redis mongodb mongo postgres postgresql mysql sqlite mariadb sql database query "
           "index schema ttl maxmemory transaction replica shard "
           "join migration cache 레디스 몽고 데이터베이스 디비 쿼리 인덱스 스키마 트랜잭션 "
           "만료 복제 샤딩 캐시 테이블"),
    _topic("인프라|서버|운영|배포", "Infrastructure|DevOps|Servers|Ops|Operations|Deployment",
           "docker kubernetes kubectl k8s nginx deploy deployment server linux ssh aws gcp "
           "azure terraform ansible jenkins ci cd container "
           "cluster dns tls ssl certificate systemd proxy backup s3 minio pod helm 도커 "
           "쿠버네티스 배포 서버 인프라 컨테이너 인증서 백업 프록시 클러스터 포트 방화벽 "
           "모니터링"),
    _topic("인공지능|AI|머신러닝", "AI|Machine Learning|ML|LLM",
           "llm gpt openai langchain langgraph embedding prompt model neural training "
           "inference transformer agent ollama vllm claude "
           "인공지능 머신러닝 딥러닝 프롬프트 임베딩 에이전트 학습률 추론 언어모델"),
    _topic("개발|프로그래밍|코드|코딩", "Development|Programming|Code|Coding|Software|Dev",
           "python javascript typescript java kotlin golang rust function class variable git "
           "github commit branch merge bug error exception api "
           "debug compile library framework react vue django fastapi flask npm pip test "
           "regex async vim ide refactor json http rest endpoint "
           "개발 코드 함수 변수 커밋 브랜치 버그 에러 오류 예외 라이브러리 프레임워크 파이썬 "
           "자바 디버깅 컴파일 테스트 리팩터링 깃 정규식 비동기 타입 클래스"),
    _topic("요리|레시피|음식", "Recipes|Cooking|Food|Recipe|Kitchen",
           "recipe cook boil bake fry simmer stew oven garlic onion salt pepper flour butter "
           "sugar soup sauce dough grill tablespoon teaspoon "
           "chicken beef pork pasta bread cake rice egg kimchi 요리 레시피 끓이 끓인 볶 굽 "
           "튀기 찌개 김치 묵은지 "
           "양념 간장 고추장 된장 마늘 양파 소금 "
           "설탕 밀가루 반죽 국물 육수 큰술 작은술 재료 쌀뜨물 볶음 조림 무침 파스타 계란 "
           "달걀 두부 돼지고기 소고기 닭"),
    _topic("여행|관광", "Travel|Trips|Trip|Vacation",
           "travel trip flight hotel airport passport visa itinerary tour luggage booking "
           "reservation hostel beach museum train airline vacation "
           "여행 항공 비행기 호텔 숙소 공항 여권 비자 일정표 관광 예약 수하물 해변 박물관 "
           "기차표 항공권 체크인 렌터카 환전"),
    _topic("건강|운동|의료", "Health|Fitness|Exercise|Medical",
           "health doctor hospital medicine pill dose vitamin blood sleep diet calorie "
           "workout exercise gym running yoga allergy symptom dentist "
           "vaccine weight 건강 병원 의사 약 복용 비타민 혈압 혈당 수면 다이어트 칼로리 운동 "
           "헬스 달리기 요가 알레르기 증상 치과 예방접종 "
           "체중 스트레칭 두통 처방"),
    _topic("금융|돈|재테크|가계", "Finance|Money|Budget|Investing",
           "bank loan interest tax stock invest investment budget salary invoice payment "
           "rent insurance mortgage dividend expense refund etf fund "
           "account savings 은행 대출 이자 세금 주식 투자 예산 월급 급여 송금 보험 월세 전세 "
           "배당 지출 환급 펀드 적금 계좌 연말정산 "
           "카드값 결제 금리"),
    _topic("계정|비밀번호|보안", "Accounts|Passwords|Security|Credentials|Logins",
           "password passcode login username credential wifi wi-fi pin ssid otp 2fa token "
           "secret 비밀번호 비번 암호 로그인 아이디 와이파이 "
           "계정 인증 보안 공동현관 도어락 열쇠"),
    _topic("업무|회의|일|회사", "Work|Meetings|Meeting|Office|Job",
           "meeting agenda deadline project client manager team report presentation "
           "proposal contract sprint quarter okr kpi schedule "
           "standup colleague office stakeholder roadmap 회의 회의록 안건 마감 프로젝트 고객 "
           "팀장 팀 보고서 발표 "
           "제안서 계약 스프린트 분기 업무 출장 결재 "
           "거래처 미팅 담당자 인수인계 로드맵"),
    _topic("일정|할 일|약속", "Schedule|Calendar|Tasks|Todo|Reminders|Appointments",
           "appointment remind reminder todo tomorrow monday tuesday wednesday thursday "
           "friday saturday sunday calendar buy 일정 약속 할일 내일 모레 "
           "월요일 화요일 수요일 목요일 금요일 토요일 일요일 오전 오후 까지 예정 사기"),
    _topic("사람|가족|연락처", "People|Family|Contacts|Friends",
           "birthday mother father mom dad wife husband son daughter friend family phone "
           "address anniversary brother sister contact pet cat dog "
           "생일 생신 엄마 아빠 어머니 아버지 아내 남편 아들 딸 친구 가족 전화번호 주소 기념일 형 "
           "누나 동생 언니 오빠 연락처 반려동물 고양이 강아지"),
    _topic("공부|학습|교육", "Study|Learning|Education|School",
           "study learn exam lecture homework assignment university school professor "
           "grade vocabulary grammar math physics chemistry history "
           "공부 학습 시험 강의 과제 대학 학교 교수 학점 단어 문법 수학 물리 화학 역사 숙제 "
           "자격증 토익 논문 수업 성적"),
    _topic("책|독서|문학", "Books|Reading|Book|Literature",
           "book novel author chapter read reading library poem publisher fiction 책 소설 "
           "작가 독서 "
           "시집 출판 챕터 서점 도서관 구절 인용 문학 저자"),
    _topic("영화|음악|취미|문화", "Entertainment|Movies|Music|Hobbies|Culture",
           "movie film series netflix song album concert game guitar piano painting photo "
           "camera drama anime director actor hobby 영화 드라마 노래 음악 앨범 "
           "콘서트 게임 기타 피아노 그림 사진 카메라 감독 배우 취미 애니 공연 전시"),
    _topic("쇼핑|구매|물건", "Shopping|Purchases|Wishlist|Products",
           "buy price discount shipping coupon sale milk eggs "
           "groceries delivery warranty 구매 가격 할인 주문 배송 매장 "
           "브랜드 사이즈 쿠폰 세일 장보기 택배 우유 마트 쇼핑 보증 환불 반품"),
    _topic("집|생활|살림", "Home|House|Household|Living",
           "house apartment cleaning laundry furniture plumber electricity garbage heater "
           "boiler garden plant repair kitchen washing 집 아파트 청소 빨래 "
           "세탁 가구 전기 쓰레기 분리수거 보일러 화분 식물 수리 이사 관리비 냉장고 에어컨 살림"),
    _topic(
        "아이디어|생각",
        "Ideas|Idea|Thoughts",
        "idea concept brainstorm startup feature inspiration thought 아이디어 구상 발상 영감 "
        "창업 기획"),
)  # fmt: skip


def category_of(content: str, known: Sequence[str]) -> str:
    """One of the ``known`` names if it fits, else a new one in the language of the content."""
    sample = content[:_SAMPLE]
    spoken = language(sample)
    scores = _scores(sample)
    fits = [(_fit(name, sample, scores), -place) for place, name in enumerate(known)]
    if fits and (best := max(fits))[0] >= 1.0:
        return known[-best[1]]
    topic = max(range(len(TOPICS)), key=lambda index: (scores[index], -index))
    if scores[topic] >= 1.0:
        return (TOPICS[topic].ko if spoken == "ko" else TOPICS[topic].en)[0]
    plain = [*_CATCH_ALL[spoken], *_CATCH_ALL["en"], *_CATCH_ALL["ko"]]
    folded = {normalize(name): name for name in reversed(known)}
    return next((folded[n] for n in map(normalize, plain) if n in folded), plain[0])


def _scores(sample: str) -> list[float]:
    """For each topic how many different words tell of it, the repeated ones a little more."""
    said = folded_words(sample)
    latin = {form: said.count(form) for form in set(said) if not _HANGUL.search(form)}
    hangul = [word for word in dict.fromkeys(said) if _HANGUL.search(word)]
    return [sum(_told(word, latin, hangul) for word in topic.told_by) for topic in TOPICS]


def _told(word: str, latin: Mapping[str, int], hangul: Sequence[str]) -> float:
    if _HANGUL.search(word):
        if len(word) == 1:
            return 1.0 if any(_is_form(word, one) for one in hangul) else 0.0
        return 1.0 if any(one.startswith(word) for one in hangul) else 0.0
    plural = "es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s"
    times = sum(latin.get(word + ending, 0) for ending in ("", plural, "ed", "ing"))
    return 1.0 + 0.1 * min(times - 1, 5) if times else 0.0


def _is_form(syllable: str, word: str) -> bool:
    """Whether ``word`` is one syllable with at most a particle."""
    return word[0] == syllable and word[1:] in (
        "",
        "을",
        "를",
        "은",
        "는",
        "이",
        "가",
        "의",
        "에",
        "도",
    )


def _fit(name: str, sample: str, scores: Sequence[float]) -> float:
    """How well a category that the person has fits a content."""
    folded = normalize(name)
    if not folded or folded in {normalize(one) for names in _CATCH_ALL.values() for one in names}:
        return 0.0
    of_topic = [
        score
        for topic, score in zip(TOPICS, scores, strict=True)
        if folded in {normalize(one) for one in (*topic.ko, *topic.en)}
    ]
    named = key_words(name)
    by_name = 1.5 if named and coverage(named, sample) >= 1.0 else 0.0
    best = max(scores)
    fitting = max(of_topic, default=0.0)
    # A topic that is told of much less than another is not what the content is about.
    return by_name + (fitting if fitting > best * 0.6 else 0.0)
