//! Links lead to files, and to headings in them; docs/SUMMARY.md has every page.

use super::page::{Page, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

pub fn breaches(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in page.prose() {
        for target in targets(line).filter(|target| !target.contains("://")) {
            if let Some(error) = follow(page, target) {
                wrong.push(format!("{}:{number}: ({target}) {error}", page.name));
            }
        }
    }
    wrong
}

/// What stands in the parentheses behind brackets.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](")
        .filter_map(|(at, bracket)| line[at + bracket.len()..].split(')').next())
}

fn follow(page: &Page, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { page.name.clone().into() } else { beside(&page.name, path) };
    let full = root().join(&file);
    if !full.exists() {
        return Some(format!("{} does not exist", file.display()));
    }
    if anchor.is_empty() {
        return None;
    }
    let text = fs::read_to_string(full).unwrap();
    let has = anchors(&Page::new("", &text)).contains(anchor);
    (!has).then(|| format!("no heading #{anchor} in {}", file.display()))
}

/// A path as it is meant in a page.
fn beside(page: &str, path: &str) -> PathBuf {
    let mut file = Path::new(page).parent().unwrap().to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(file.pop()),
            part => file.push(part),
        }
    }
    file
}

/// As GitHub and mdBook make them of headings.
fn anchors(page: &Page) -> BTreeSet<String> {
    let headings = page.prose().filter_map(|(_, line)| line.strip_prefix('#'));
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// Pages that the table of contents leaves out, or names twice.
pub fn contents(pages: &[Page]) -> Vec<String> {
    let summary =
        pages.iter().find(|page| page.name == "docs/SUMMARY.md").expect("docs/SUMMARY.md");
    let named: Vec<PathBuf> = summary
        .prose()
        .flat_map(|(_, line)| targets(line))
        .map(|target| beside(&summary.name, target))
        .collect();
    let chapters =
        pages.iter().filter(|page| page.name.starts_with("docs/") && page.name != summary.name);
    chapters
        .filter_map(|page| {
            let times = named.iter().filter(|name| **name == Path::new(&page.name)).count();
            (times != 1).then(|| format!("docs/SUMMARY.md names {} {times} times", page.name))
        })
        .collect()
}

#[test]
fn anchors_are_made_of_headings() {
    let page = Page::new("", "# A `b` c\n## 2. Off, on\n```sh\n# no heading\n```\n");
    let anchors: Vec<String> = anchors(&page).into_iter().collect();
    assert_eq!(anchors, ["2-off-on", "a-b-c"]);
}
