"""The texts that tokenizers are compared over: a few thousand strings, the same on every run."""

import random
import unicodedata

SENTENCES = """
The quick brown fox can't jump over what it doesn't see; they're 42 of 1,234,567 anyway.
Voulez-vous déjeuner à l'hôtel où naît l'été ? Non, merci : c'est trop cher.
Größenwahn überkäme süße Äpfel, heißt es – „vielleicht“ am 3. Oktober 1990.
El niño comió piñas; ¿quién le dirá que mañana lloverá? ¡Nadie!
Não há coração que aguente tamanha emoção às três da manhã.
Perché l'università è così lontana dalla città? Chissà, 25 km.
Het meisje fietste 's ochtends naar zee, één keer per week.
Flickan åt räksmörgås på ön, där sjön är djup och blå.
Blåbærsyltetøy smaker godt på brødskiver, synes æ og du.
Rødgrød med fløde er ikke nemt at sige højt.
Yövieras söi hyvää ruokaa, mutta jäätelö puuttui pöydästä.
Zażółć gęślą jaźń, powiedział źrebak do żółwia.
Příliš žluťoučký kůň úpěl ďábelské ódy v Čechách.
Árvíztűrő tükörfúrógép zümmög a műhelyben.
Înțelegi că școala începe mâine, dar nu știi unde să mergi.
Съешь ещё этих мягких булок, да выпей чаю в 7:30.
Їжак з'їв п'ять яблук біля ґанку своєї хати.
Вълкът и щъркелът вървят из горите през юли.
Η γλώσσα των αρχαίων Ελλήνων είναι ακόμη ζωντανή, έτσι δεν είναι;
İstanbul'da ılık bir gün, ağaçların gölgesinde çay içtik; IĞDIR uzak.
הילדים שיחקו בגן עד שירדה השמש, ואז חזרו הַבַּיְתָה.
ذهب الأولاد إلى السوق واشتروا ١٢ تفاحة، ثم عادوا إلى البيت.
من امروز می‌خواهم کتاب‌های تازه را بخوانم، شما چطور؟
मैं आज बाज़ार जा रहा हूँ, क्या तुम २५ रुपये लाए हो?
আমি বাংলায় গান গাই, তুমি কি শুনতে পাচ্ছ?
நான் இன்று காலை பள்ளிக்குச் சென்றேன், நீங்கள்?
నేను ఈరోజు పుస్తకం చదువుతున్నాను, మీరు ఏం చేస్తున్నారు?
ฉันกินข้าวแล้วไปทำงานที่กรุงเทพฯ เมื่อเวลา ๑๐ นาฬิกา
Hôm nay trời đẹp quá, chúng ta đi dạo phố cổ nhé, được không?
我今天去图书馆借了三本书,你要一起来吗?2026年快到了。
今日は天気がいいので、散歩に行きましょう。カタカナもひらがなも混ぜて。
오늘은 날씨가 좋아서 산책하러 갔어요. 커피 2잔 주세요!
ქართული ენა ძალიან ლამაზია და ძველი.
Հայերենը հին լեզու է և ունի իր այբուբենը։
አማርኛ ቋንቋ በኢትዮጵያ ይነገራል።
Kiswahili ni lugha ya watu wengi Afrika Mashariki, ng'ombe wangu.
Chữ quốc ngữ dùng dấu thanh, còn tiếng Việt có sáu thanh điệu.
ພາສາລາວ ແລະ ខ្មែរ မြန်မာ བོད་སྐད་ සිංහල ਪੰਜਾਬੀ ગુજરાતી ಕನ್ನಡ മലയാളം
""".strip().split("\n")

CODE = [
    'def f(x, *, y=1):\n    """Doc."""\n    if x is None:\n        return [i**2 for i in range(10) if i % 2 == 0]\n\n\n    return f"{x!r:>10} {y:.2f}"\n',
    "func (s *Server) Handle(w http.ResponseWriter, r *http.Request) {\n\tif err := s.run(r.Context()); err != nil {\n\t\thttp.Error(w, err.Error(), 500)\n\t}\n}\n",
    'const a = async () => { await fetch(`https://example.org/${id}?q=1&r=%20`); /* ok */ };\r\n// end\r\n',
    "#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 0x1F << 3); return 0; }\n",
    "fn main() -> Result<(), Box<dyn Error>> { let v: Vec<_> = (0..3).collect(); println!(\"{v:?}\"); Ok(()) }",
    "SELECT a.*, COUNT(*) FROM t AS a LEFT JOIN b ON a.id = b.id WHERE a.x >= 10 GROUP BY 1;\n",
    "<table><tr><td class=\"x\">1</td></tr></table>\n<p>a &amp; b</p><br/><h1>T</h1>",
    '{"name": "x", "n": [1, 2.5e-10, null, true], "nested": {"k": "v\\n\\u00e9"}}',
    "for i in $(seq 1 10); do echo \"$i\" | sed 's/a/b/g' >> out.txt 2>&1; done",
    "\\begin{equation}\n  \\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}\n\\end{equation}",
    "class A:\n\tdef __init__(self):\n\t\tself._x = {}\n\n\n\n\tdef b(self): ...\n        # mixed\n",
    "| a | b |\n|---|:-:|\n| 1 | 2 |\n\n```sh\n$ ls -la\n```\n\n* x\n  * y\n\n1. z\n",
]

EMOJI = [
    "😀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇯🇵", "❤️‍🔥", "1️⃣2️⃣", "🧑🏿‍🚀 works", "a😀b😀😀", "☎️ ☎", "🫠🫨🪿", "👩🏻‍❤️‍💋‍👨🏿",
]

ODD = [
    "", " ", "  ", "\n", "\n\n", "\r\n", "\t", " \n ", "\n \n", "a ", " a", "a  b", "a   b", "   a", "\t\ta", " \t a", "a\n\nb",
    "a \n b", "\u00a0", "a\u00a0b", "\u3000x", "\u2028y\u2029", "\u0085z", "\u200b", "\u200d", "\ufeffBOM", "\u0000", "\u0001\u0002", "a\u0000b",
    "\u007f\u0080\u009f", "\ufffd", "\ufffe\uffff", "\ufdd0", "a\ufdd0b\ufdd0\ufdd0c", "\ufdef", "\U0010ffff", "e\u0301", "\u0041\u030a", "\u212b",
    "\u1e9b\u0323", "\uac00\u11a8", "\u1100\u1161", "ﬁ ﬂ ﬆ", "İ i̇ ı", "ǅ ǆ", "'S 'T 'RE 'VE 'M 'LL 'D 'ſ 're'll", "'s't're've'm'll'd", "don't DON'T don’t", "x'S", "''s",
    "'", "''", "' s", "'l", "'r", "'v", "<0x0A>", "<0x41>", "<0xE4><0xBD>", "<unk>", "▁", "▁▁", "▁a", " ▁ a", "Ġ", "Ċ", "ĠĠa", "Ā", "Łukasz Ń",
    "1", "12", "123", "1234", "12345678901234567890", "1.5", "1,000,000", "٣٤٥٦", "²³", "½", "Ⅷ", "①②", "๑๒๓๔", "一二三", "x1y22z333", " 1", "  12", "a1", "1a",
    "!", "!!", "!!!\n\n", " !\r\n\r\n x", "...", "…", "--", "——", "=" * 40, "-" * 81, "#" * 7, "_" * 33, "~" * 100, "a_b_c", "aB", "camelCaseWord", "ALLCAPS",
    "https://example.org/a/b?c=d&e=f#g", "foo@bar.baz", "C:\\Users\\x", "/usr/lib", "$5.99", "50%", "&nbsp;", "a/b", "a+b=c", "(a)[b]{c}", "\"q\"", "“q”", "«q»",
    "\U00010330\U00010331", "\U0001d54f", "𝒳𝓎", "\U00020000", "\U0002f800", "\u0378", "\ua7dc", "\U0001e030", "ʼn ŉ", "ß ẞ SS", "ꟊ", "Ⴀ ა Ა", "\u0300", "a\u0300\u0316b",
]


def whitespace_runs(rng):
    kinds = [" ", "\n", "\t", "\r", "\r\n", "\u00a0", "\u2003", "\u3000", "\v", "\f"]
    for n in list(range(1, 40)) + [63, 64, 65, 100, 257]:
        yield " " * n
        yield "x" + " " * n + "y"
        yield "\n" * n
        yield "\t" * n + "z"
    for _ in range(200):
        run = "".join(rng.choice(kinds) for _ in range(rng.randint(1, 9)))
        yield rng.choice(["", "a", "1", "."]) + run + rng.choice(["", "b", "2", "!"])


def long_words(rng):
    yield "a" * 1000
    yield "ab" * 500
    yield "Donaudampfschifffahrtsgesellschaftskapitän" * 5
    yield "字" * 300
    yield "😀" * 64
    yield "!" * 500
    yield "9" * 300
    for marks in (29, 30, 31, 32, 100):  # some normalizers break longer runs than 30
        yield "e" + "\u0323" * marks + "\u0301"
        yield "q" + "\u0308\u0344" * marks + "\u1100" + "\u1161" * marks + "\u11a8" * marks
    yield "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(2000))
    yield "".join(rng.choice("ACGT") for _ in range(1500))
    yield "".join(rng.choice("0123456789abcdef") for _ in range(1024))


def random_unicode(rng, count):
    blocks = [(0x20, 0x7E), (0x00, 0x1F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0xDFF), (0xE00, 0x11FF),
              (0x1E00, 0x20CF), (0x2100, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFDCF), (0x10000, 0x10FFF),
              (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF)]
    for _ in range(count):
        mixed = rng.random() < 0.5
        block = rng.choice(blocks)
        out = []
        for _ in range(rng.randint(1, 24)):
            low, high = rng.choice(blocks) if mixed else block
            c = chr(rng.randint(low, high))
            out.append(" " if rng.random() < 0.1 else c)
        yield "".join(out)


def fragments(rng, count):
    pool = SENTENCES + CODE + EMOJI + ODD
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 4)):
            s = rng.choice(pool)
            if len(s) > 2:
                a = rng.randrange(len(s))
                s = s[a:a + rng.randint(1, 40)]
            parts.append(s)
        yield rng.choice(["", " ", "\n"]).join(parts)


def look_alikes(rng, tokens):
    for t in tokens:
        yield t
        yield "a" + t + "b"
        yield " " + t + " "
        yield t + t
        yield t[:-1]
        yield t[1:]
        yield t[:2] + " " + t[2:]
        yield t.upper()
        yield t[: len(t) // 2] + t
        yield "\n" + t + "\nuser\nHi " + rng.choice(SENTENCES) + t
    for _ in range(200):
        yield "".join(rng.choice(list(tokens) + ["x", " ", "\n", "<", "|", ">", "<|", "|>", "é", "\ufdd0"]) for _ in range(rng.randint(2, 7)))


def corpus(tokens):
    """All strings, given the added tokens of a vocabulary."""
    rng = random.Random(20261123)
    out = list(SENTENCES) + list(CODE) + list(EMOJI) + list(ODD)
    out += [unicodedata.normalize("NFD", s) for s in SENTENCES]
    out += [s.upper() for s in SENTENCES] + ["  " + s + "\n" for s in CODE]
    out += ["\n".join(SENTENCES), "\n\n".join(CODE), "".join(EMOJI), "".join(ODD)]
    out += list(whitespace_runs(rng)) + list(long_words(rng))
    out += list(random_unicode(rng, 1200)) + list(fragments(rng, 1200))
    out += list(look_alikes(rng, tokens))
    return list(dict.fromkeys(out))
