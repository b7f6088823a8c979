#!/usr/bin/env python3
"""Makes the data files that are not kept by hand, and the gold file of the pinyin test.

It reads, in these versions and no others (the files change with them):

    PyPI  pypinyin 0.55.0                      MIT         readings of characters and phrases
    PyPI  jieba 0.42.1                         MIT         words with their frequencies
    PyPI  opencc-python-reimplemented 0.1.7    Apache-2.0  traditional characters
    npm   china-division 2.7.0                 MIT, WTFPL       names of provinces, cities, districts, townships

    pip install pypinyin==0.55.0 jieba==0.42.1 opencc-python-reimplemented==0.1.7
    npm pack china-division@2.7.0 && tar xzf china-division-2.7.0.tgz
    python generate.py package/dist
"""

import collections
import csv
import importlib.util
import json
import pathlib
import re
import sys

from pypinyin import Style, lazy_pinyin
from pypinyin.contrib.tone_convert import to_normal
from pypinyin.phrases_dict import phrases_dict
from pypinyin.pinyin_dict import pinyin_dict

HERE = pathlib.Path(__file__).parent
HANZI = re.compile(r"^[\u4e00-\u9fff]+$")

# A word of the general dictionary is kept from this frequency on (of 60 million): rarer ones cost load time and are
# found by their parts.
MIN_FREQUENCY = 30
# A reading of a character is in use if this share of the phrases with it has it.
MIN_SHARE = 0.04

# Where pypinyin is wrong, or reads the common word and not the place: put right by hand, as the places are commonly
# romanised (Chaoyang, Shichahai, the station Majiapu). Not looked up one by one in an official list.
CORRECTIONS = {
    "朝阳": "chao yang", "朝天": "chao tian", "什刹海": "shi cha hai", "大栅栏": "da shi lan", "单县": "shan xian", "漯河": "luo he",
    "长治": "chang zhi", "司马台长城": "si ma tai chang cheng", "长子县": "zhang zi xian", "浚县": "xun xian", "洪洞": "hong tong", "筠连": "jun lian",
    "宕昌": "tan chang", "繁峙": "fan shi", "都匀": "du yun", "都江堰": "du jiang yan", "都昌": "du chang", "都安": "du an",
    "都兰": "du lan", "成都": "cheng du", "昌都": "chang du", "花都": "hua du", "江都": "jiang du", "宜都": "yi du",
    "丰都": "feng du", "新都": "xin du", "武都": "wu du", "于都": "yu du", "望都": "wang du", "乐都": "le du",
    "盐都": "yan du", "成都市": "cheng du shi", "曾都": "zeng du", "殷都": "yin du", "上都": "shang du", "尉犁": "yu li",
    "乐陵": "lao ling", "六合": "lu he", "解州": "xie zhou", "会稽": "kuai ji", "马家堡": "ma jia pu", "十里堡": "shi li pu",
    "泊头": "bo tou", "荥阳": "xing yang", "荥经": "ying jing", "牟定": "mou ding", "莎车": "sha che", "句容": "ju rong",
    "闵行": "min hang", "珲春": "hun chun", "宿州": "su zhou", "宿迁": "su qian", "宿松": "su song", "宿豫": "su yu",
    "重固": "chong gu", "鼋头渚": "yuan tou zhu", "曾厝垵": "zeng cuo an", "爨底下": "cuan di xia", "朝外": "chao wai",
    "朝青": "chao qing", "簋街": "gui jie", "石嘴山": "shi zui shan", "台儿庄": "tai er zhuang", "曾家": "zeng jia",
    "厦大": "xia da", "较场口": "jiao chang kou", "长椿街": "chang chun jie", "首都": "shou du", "大都": "da du", "长阳": "chang yang",
    "长隆": "chang long", "长楹": "chang ying", "长陵": "chang ling", "长安": "chang an", "牡丹园": "mu dan yuan",
}


def toneless(syllable):
    return to_normal(syllable, v_to_u=False).replace("ü", "v").replace("ê", "e")


# Names of places and rooms read these otherwise than pypinyin's first reading of the character alone (zhang, zhao, dou).
FIRST = {"长": "chang", "朝": "chao", "都": "du", "佛": "fo"}
EXCEPTIONS = ("长子", "朝晖", "朝霞", "朝辉")

DEFAULT = {chr(code): toneless(text.split(",")[0]) for code, text in pinyin_dict.items()}
DEFAULT.update(FIRST)


def in_gb2312(character):
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def by_character(word):
    return [DEFAULT.get(c, c) for c in word]


def by_pypinyin(word):
    return [s.replace("ü", "v") for s in lazy_pinyin(word, style=Style.NORMAL, v_to_u=False)]


def corrected(word):
    reading = by_pypinyin(word)
    for part, right in CORRECTIONS.items():
        at = word.find(part)
        if at >= 0 and len(reading) == len(word):
            reading[at : at + len(part)] = right.split()
    if not any(e in word for e in EXCEPTIONS):
        reading = [FIRST.get(c, s) for c, s in zip(word, reading)] if len(reading) == len(word) else reading
    return reading


def write(name, header, lines, folder=HERE):
    path = folder / name
    path.write_text("".join(f"# {h}\n" for h in header) + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {len(lines)} lines, {path.stat().st_size} bytes")


def frequencies():
    path = pathlib.Path(importlib.util.find_spec("jieba").origin).with_name("dict.txt")
    for line in path.read_text(encoding="utf-8").splitlines():
        word, frequency, tag = line.split(" ")
        yield word, int(frequency), tag


def phrases():
    """Those that are read otherwise than their characters, and than the shorter phrases in them."""
    frequency = {word: f for word, f, _ in frequencies()}
    kept = {}
    # Every reading of a character, by how many phrases have it.
    votes = collections.defaultdict(collections.Counter)
    for phrase in sorted(phrases_dict, key=lambda p: (len(p), p)):
        if not HANZI.match(phrase) or len(phrase) > 8:
            continue
        reading = [toneless(s[0]) for s in phrases_dict[phrase]]
        if len(reading) != len(phrase):
            continue
        for character, syllable in zip(phrase, reading):
            votes[character][syllable] += 1
        expected = by_character(phrase)
        at = 0
        while at < len(phrase):
            for length in range(min(len(phrase) - at, 4), 1, -1):
                inner = kept.get(phrase[at : at + length])
                if inner and length < len(phrase):
                    expected[at : at + length] = inner
                    at += length
                    break
            else:
                at += 1
        if reading == expected:
            continue
        # Sayings are no names of rooms; a long phrase earns its place by being used.
        if len(phrase) > 3 and frequency.get(phrase, 0) < 30:
            continue
        kept[phrase] = reading
    for phrase, reading in CORRECTIONS.items():
        kept[phrase] = reading.split()
    # The first reading of the characters that have several, so that it does not hang on the version of a crate.
    for code in pinyin_dict:
        if len({toneless(r) for r in pinyin_dict[code].split(",")}) > 1 and in_gb2312(chr(code)):
            kept[chr(code)] = [DEFAULT[chr(code)]]
    readings = []
    for character, counter in sorted(votes.items()):
        total = sum(counter.values())
        others = [s for s, n in counter.most_common() if s != DEFAULT.get(character) and n >= max(2, total * MIN_SHARE)]
        if others:
            readings.append(f"{character}\t{' '.join(others[:3])}")
    write("phrases.tsv", ["From pypinyin's dictionary of phrases (MIT), by generate.py: phrase, reading."],
          [f"{p}\t{' '.join(r)}" for p, r in sorted(kept.items())])
    write("readings.tsv", ["From pypinyin's dictionary of phrases (MIT), by generate.py: character, its other readings in use."],
          readings)


SHORT = re.compile(r"(特别行政区|维吾尔自治区|壮族自治区|回族自治区|自治区|自治州|自治县|自治旗|地区|新区|矿区|林区|省|市|区|县|盟|旗)$")
PEOPLES = ("蒙古族 回族 藏族 维吾尔 苗族 彝族 壮族 布依族 朝鲜族 满族 侗族 瑶族 白族 土家族 哈尼族 哈萨克 傣族 黎族 傈僳族 佤族 畲族 拉祜族 水族 东乡族 "
           "纳西族 景颇族 柯尔克孜 土族 达斡尔族 仫佬族 羌族 布朗族 撒拉族 毛南族 仡佬族 锡伯 塔吉克 怒族 鄂温克族 保安族 裕固族 独龙族 鄂伦春 门巴族 珞巴族 "
           "各族 蒙古").split()


def short(name):
    stem = SHORT.sub("", name)
    while True:
        for people in PEOPLES:
            if stem.endswith(people) and len(stem) - len(people) >= 2:
                stem = stem[: -len(people)]
                break
        else:
            return stem if len(stem) >= 2 else name


BIG = set("北京市 上海市 广州市 深圳市 成都市 重庆市 杭州市 西安市 武汉市 南京市 苏州市 天津市 长沙市 厦门市 青岛市 三亚市 大理白族自治州 丽江市 昆明市 "
          "桂林市 哈尔滨市 大连市 沈阳市 郑州市 济南市 宁波市 珠海市 福州市 贵阳市 秦皇岛市 海口市".split())


def places(dist):
    names = {}

    def add(name, level, weight):
        for each, w in ((name, weight - 1), (short(name), weight)):
            if HANZI.match(each) and len(each) >= 2 and names.get(each, ("", 0))[1] < w:
                names[each] = (level, w)

    for row in csv.DictReader((dist / "provinces.csv").open(encoding="utf-8")):
        municipality = row["name"].endswith("市")
        add(row["name"], "city" if municipality else "province", 1000 if municipality else 700)
    for row in csv.DictReader((dist / "cities.csv").open(encoding="utf-8")):
        if row["name"] not in ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"):
            add(row["name"], "city", 900 if row["name"] in BIG else 500)
    for row in csv.DictReader((dist / "areas.csv").open(encoding="utf-8")):
        if row["name"] != "市辖区":
            add(row["name"], "district", 400 if row["provinceCode"] in ("11", "31") else 200)
    for name, regions in json.loads((dist / "HK-MO-TW.json").read_text(encoding="utf-8")).items():
        add(name, "province", 700)
        for city, districts in regions.items():
            add(city, "city" if "台湾" in name else "district", 300)
            for district in districts:
                add(district, "district", 100)
    write("places.tsv", ["Names from china-division (MIT), readings from pypinyin (MIT), by generate.py:", "name, level, weight, reading."],
          [f"{n}\t{level}\t{w}\t{' '.join(corrected(n))}" for n, (level, w) in sorted(names.items())])
    return list(names)


def own_words():
    for line in (HERE / "words.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, _, words = line.split("\t")
            for word in words.split():
                yield kind, word


def dictionary():
    skip = {"nr", "nrt", "nrfg", "eng", "x"}
    lines = []
    for word, frequency, tag in frequencies():
        if not HANZI.match(word) or tag in skip and len(word) > 1:
            continue
        if len(word) == 1 and frequency >= 20 or 1 < len(word) <= 4 and frequency >= MIN_FREQUENCY:
            lines.append((word, frequency))
    write("dictionary.tsv", ["From jieba's dictionary (MIT), by generate.py: word, frequency."],
          [f"{w}\t{f}" for w, f in sorted(lines)])


def traditional():
    path = pathlib.Path(importlib.util.find_spec("opencc").origin).parent / "dictionary" / "TSCharacters.txt"
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        old, new = line.split("\t")
        new = new.split()[0]
        # A character of GB 2312 is in use as it is (乾县), whatever it also was once.
        if not in_gb2312(old) and HANZI.match(old) and HANZI.match(new) and old != new:
            lines.append(f"{old}{new}")
    write("traditional.txt", ["From OpenCC's TSCharacters (Apache-2.0), by generate.py: traditional, simplified."], sorted(lines))


def gold(dist, names):
    """What the reading is, what pypinyin says where that is something else, and whether the crate knows the name."""
    listed = dict.fromkeys(names, "place")
    for kind, word in own_words():
        if kind in ("sight", "area") and HANZI.match(word):
            listed.setdefault(word, kind)
    # Names that the crate has never seen: every 12th township.
    for n, row in enumerate(csv.DictReader((dist / "streets.csv").open(encoding="utf-8"))):
        if n % 12 == 0 and HANZI.match(row["name"]) and row["name"] not in listed:
            listed[row["name"]] = "unseen"
    lines = []
    for name, kind in sorted(listed.items()):
        right, theirs = corrected(name), by_pypinyin(name)
        lines.append(f"{name}\t{kind}\t{' '.join(right)}\t{' '.join(theirs) if theirs != right else ''}".rstrip("\t"))
    write("place-pinyin.tsv", ["Names from china-division (MIT) and words.tsv, readings from pypinyin (MIT), by data/generate.py:",
                               "name, kind, reading, and what pypinyin says where that is wrong."],
          lines, HERE.parent / "tests" / "data")


def main():
    dist = pathlib.Path(sys.argv[1])
    phrases()
    names = places(dist)
    dictionary()
    traditional()
    gold(dist, names)


main()
