//! Pinyin of the names on the map, against a file made with pypinyin.
//!
//! Each name counts once: right if every syllable is that of the gold file. The file's reading is pypinyin's, but where
//! that is wrong one corrected by hand (the lists in `data/generate.py`: 朝阳 is Chaoyang and not zhaoyang, 什刹海 Shichahai,
//! 大栅栏 Dashilan, 单县 Shanxian …; and in names 长 is chang, 朝 chao, 都 du). Those names count against the corrected reading,
//! not pypinyin's, and are printed. The readings of the gazetteer come from the same script, so that the names marked
//! `unseen` are the fair measure: townships that no data file of the crate has.

use domain_text::pinyin;

static GOLD: &str = include_str!("data/place-pinyin.tsv");

struct Name {
    written: &'static str,
    kind: &'static str,
    reading: &'static str,
    theirs: Option<&'static str>,
}

fn gold() -> Vec<Name> {
    let rows = GOLD.lines().filter(|row| !row.starts_with('#'));
    let names = rows.map(|row| {
        let mut columns = row.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        let (written, kind, reading) = (next(), next(), next());
        Name { written, kind, reading, theirs: columns.next() }
    });
    names.collect()
}

/// Names, misses among them.
fn count(names: &[Name], is_counted: impl Fn(&Name) -> bool) -> (usize, usize) {
    let counted = names.iter().filter(|name| is_counted(name));
    let misses = counted.clone().filter(|name| {
        let ours = pinyin(name.written).join(" ");
        if ours != name.reading {
            println!("{} ({}): {ours}, not {}", name.written, name.kind, name.reading);
        }
        ours != name.reading
    });
    (counted.clone().count(), misses.count())
}

#[test]
fn places_are_read_as_they_are_called() {
    let names = gold();
    let (all, misses) = count(&names, |name| name.kind != "unseen");
    println!("places, sights and quarters: {misses} of {all} wrong");
    assert!(all > 6_000, "{all} names");
    assert!(misses * 1_000 <= all * 5, "{misses} of {all} wrong: more than 0.5 %");
}

#[test]
fn places_that_no_file_has_are_read_right_too() {
    let names = gold();
    let (all, misses) = count(&names, |name| name.kind == "unseen");
    println!("unseen townships: {misses} of {all} wrong");
    assert!(all > 3_000, "{all} names");
    assert!(misses * 1_000 <= all * 5, "{misses} of {all} wrong: more than 0.5 %");
}

#[test]
fn deviations_from_pypinyin_are_few_and_meant() {
    let names = gold();
    let deviations: Vec<&Name> = names.iter().filter(|name| name.theirs.is_some()).collect();
    for name in &deviations {
        println!(
            "{}: {}, which pypinyin reads {}",
            name.written,
            name.reading,
            name.theirs.unwrap_or_default()
        );
    }
    let seen = deviations.iter().filter(|name| name.kind != "unseen").count();
    println!("{seen} of the names known, {} of all", deviations.len());
    assert!(seen < 150, "{seen} names are read otherwise than by pypinyin: look at them");
}
