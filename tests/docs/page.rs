//! Pages and their blocks.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What may stand behind the three backticks, and who looks at it.
const KINDS: [(&str, &str); 19] = [
    ("console", "run here"),
    ("sh", "run here"),
    ("rust", "run here"),
    ("rust,no_run", "compiled here"),
    ("toml", "parsed here"),
    ("json", "parsed here"),
    ("text", "output, or a figure"),
    ("c", "compiled and run by tests/ffi/install.rs"),
    ("cpp", "compiled and run by tests/ffi/install.rs"),
    ("cmake", "used by tests/ffi/install.rs"),
    ("python", "run by tests/languages/modules.rs, if it is the README's"),
    ("js", "a part of a program"),
    ("html", "a part of a page"),
    ("http", "bytes on the wire"),
    ("ini", "a systemd unit"),
    ("yaml", "a Compose or Kubernetes file"),
    ("dockerfile", "an image"),
    ("mermaid", "a figure"),
    ("nats", "bytes on the wire"),
];

/// Words with which a line begins that is for a shell.
const SHELL_WORDS: [&str; 12] = [
    "slipring",
    "cargo",
    "cc",
    "c++",
    "curl",
    "docker",
    "systemctl",
    "sh",
    "npm",
    "pip",
    "sudo",
    "git",
];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub struct Page {
    /// From the repository's root.
    pub name: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub kind: String,
    pub text: String,
    /// Of its opening fence, from one.
    pub line: usize,
    /// The command for which it is not run.
    pub not_run: Option<String>,
    /// What it prints, if the page says so.
    pub prints: Option<String>,
}

impl Page {
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), blocks: blocks(text), text: text.to_owned() }
    }

    /// Where a block is.
    pub fn place(&self, block: &Block) -> String {
        format!("{}:{}", self.name, block.line)
    }

    /// The text outside of fences.
    pub fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut inside = false;
        self.text.lines().enumerate().filter_map(move |(number, line)| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            (!fence && !inside).then_some((number + 1, line))
        })
    }
}

/// README.md and everything below docs/.
pub fn pages() -> Vec<Page> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root().join("README.md")];
    walk(&root().join("docs"), &mut found);
    found.sort();
    let page = |path: &PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        Page::new(name, &fs::read_to_string(path).unwrap())
    };
    found.iter().map(page).collect()
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    // The last line of prose, and whether it belongs to the block before.
    let mut before = "";
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                let not_run = before.strip_prefix("<!-- not run: ");
                let not_run = not_run.and_then(|rest| rest.strip_suffix(" -->"));
                open = Some(Block {
                    kind: kind.to_owned(),
                    text: String::new(),
                    line: number + 1,
                    not_run: not_run.map(str::to_owned),
                    prints: None,
                });
            }
            (Some(_), Some(_)) => {
                let block = open.take().unwrap();
                match blocks.last_mut() {
                    Some(program) if block.kind == "text" && before.ends_with("prints:") => {
                        program.prints = Some(block.text);
                    }
                    _ => blocks.push(block),
                }
                before = "";
            }
            (None, Some(block)) => writeln!(block.text, "{line}").unwrap(),
            (None, None) if line.trim().is_empty() => {}
            (None, None) => before = line.trim(),
        }
    }
    blocks
}

/// Blocks of a strange kind, ones that no parser reads, and commands outside of blocks that are run.
pub fn breaches(page: &Page) -> Vec<String> {
    let mut wrong: Vec<String> =
        page.blocks.iter().filter_map(|block| of_block(page, block)).collect();
    for (number, line) in page.prose() {
        let indented = line.strip_prefix("    ").filter(|line| !line.starts_with(' '));
        let word =
            indented.and_then(|line| line.trim_start_matches("$ ").split_whitespace().next());
        if word.is_some_and(|word| SHELL_WORDS.contains(&word)) {
            wrong
                .push(format!("{}:{number}: a command in an indented block; use ```sh", page.name));
        }
    }
    wrong
}

fn of_block(page: &Page, block: &Block) -> Option<String> {
    let place = page.place(block);
    if !KINDS.iter().any(|(kind, _)| *kind == block.kind) {
        return Some(format!(
            "{place}: a block of kind {:?}; {} has those there are",
            block.kind,
            file!()
        ));
    }
    let error = match block.kind.as_str() {
        "toml" => toml::from_str::<toml::Table>(&block.text).err().map(|error| error.to_string()),
        "json" => {
            serde_json::from_str::<serde_json::Value>(&block.text).err().map(|e| e.to_string())
        }
        _ => None,
    };
    error.map(|error| format!("{place}: {error}"))
}
